//! `file_sd_configs`: files that are part of the function.
//!
//! Input: the folder of the function and a path in it. Output: the groups of all files that match the path. A file that
//! cannot be read is an error, because it was there when the function was built.

use std::io;
use std::path::{Component, Path, PathBuf};

use target_allocator_core::discovery::{SourceGroup, TargetListError, file};
use tokio::task::JoinError;

use super::MOST_BYTES;

/// The reason why the groups of a path cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("the path does not lie in the function's folder")]
    Outside,
    #[error("{path}")]
    Folder {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{path}")]
    Read {
        path: String,
        #[source]
        source: ReadError,
    },
    #[error("{path}")]
    Groups {
        path: String,
        #[source]
        source: TargetListError,
    },
    #[error(transparent)]
    Stopped(#[from] JoinError),
}

/// The reason why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the file is too large: {0} bytes")]
    TooLarge(u64),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the groups.
pub async fn groups(folder: PathBuf, path: String) -> Result<Vec<SourceGroup>, FileError> {
    tokio::task::spawn_blocking(move || read(&folder, &path)).await?
}

fn read(folder: &Path, path: &str) -> Result<Vec<SourceGroup>, FileError> {
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(path).components().all(inside) {
        return Err(FileError::Outside);
    }
    let mut groups = Vec::new();
    for path in matching(folder, path)? {
        let content = read_file(&folder.join(&path));
        let content = content.map_err(|source| FileError::Read { path: path.clone(), source })?;
        groups.extend(file::groups(&path, &content).map_err(|source| FileError::Groups { path, source })?);
    }
    Ok(groups)
}

/// The sorted paths that match a path with a `*` in its last part.
fn matching(folder: &Path, path: &str) -> Result<Vec<String>, FileError> {
    let (parent, last) = path.rsplit_once('/').map_or(("", path), |(parent, last)| (parent, last));
    let Some((start, end)) = last.split_once('*') else { return Ok(vec![path.to_owned()]) };
    let unreadable = |source| FileError::Folder { path: parent.to_owned(), source };
    let entries = std::fs::read_dir(folder.join(parent)).map_err(unreadable)?;
    let mut paths = Vec::new();
    for entry in entries {
        let name = entry.map_err(unreadable)?.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end) {
            paths.push(if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") });
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads a file. A file that is too large is an error.
pub fn read_file(path: &Path) -> Result<Vec<u8>, ReadError> {
    let size = std::fs::metadata(path)?.len();
    if size > MOST_BYTES as u64 {
        return Err(ReadError::TooLarge(size));
    }
    Ok(std::fs::read(path)?)
}
