//! Files that were shipped with the function.
//!
//! Input: the function's folder and a path in it. Output: the groups of all files that
//! the path means. A file that cannot be read is an error: it was there when the
//! function was built.

use std::path::{Component, Path, PathBuf};

use target_allocator_core::discovery::{SourceGroup, file};

use super::MOST_BYTES;
use crate::error::chain;

/// Reads the groups.
pub async fn groups(folder: PathBuf, path: String) -> Result<Vec<SourceGroup>, String> {
    let read = tokio::task::spawn_blocking(move || read(&folder, &path));
    read.await.unwrap_or_else(|error| Err(chain(&error)))
}

fn read(folder: &Path, path: &str) -> Result<Vec<SourceGroup>, String> {
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(path).components().all(inside) {
        return Err("the path does not lie in the function's folder".to_owned());
    }
    let mut groups = Vec::new();
    for path in matching(folder, path)? {
        let content = read_file(&folder.join(&path)).map_err(|reason| format!("{path}: {reason}"))?;
        groups.extend(file::groups(&path, &content).map_err(|error| format!("{path}: {}", chain(&error)))?);
    }
    Ok(groups)
}

/// The paths that a path with a `*` in its last part means, in order.
fn matching(folder: &Path, path: &str) -> Result<Vec<String>, String> {
    let (parent, last) = path.rsplit_once('/').map_or(("", path), |(parent, last)| (parent, last));
    let Some((start, end)) = last.split_once('*') else { return Ok(vec![path.to_owned()]) };
    let entries = std::fs::read_dir(folder.join(parent)).map_err(|error| format!("{parent}: {error}"))?;
    let mut paths = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| format!("{parent}: {error}"))?.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end) {
            paths.push(if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") });
        }
    }
    paths.sort();
    Ok(paths)
}

/// A file of bearable size.
pub fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MOST_BYTES as u64 {
        return Err(format!("the file is too large: {size} bytes"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}
