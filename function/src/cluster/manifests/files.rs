//! Finds manifest files and reads them whole.
//!
//! Input: a path. Output: the text of each file, or an error. An incomplete file must not look like a cluster that lost
//! objects. Three rules recognise such a file, see [`read`] and [`check_whole`].

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{ClusterError, ManifestError};

/// A file with its content.
pub struct FileText {
    /// The content of the file.
    pub text: String,
    /// The time of the last modification. `None` if the file system does not record it.
    pub modified: Option<SystemTime>,
}

/// Minimum age of a file with fewer documents than before. A program that writes one document after another (`kubectl
/// get` in a loop) pauses for a few seconds at most. A longer time would delay the removal of documents.
const SETTLED: Duration = Duration::from_secs(10);

/// The file itself, or all YAML and JSON files below a folder, in the order of their names.
///
/// Names that begin with a dot are skipped, because they are not manifests. Examples are `.git`, lock files of editors,
/// and `..data` of a mounted ConfigMap. The files of a mounted ConfigMap also appear as links beside `..data`.
pub fn find(path: &Path) -> Result<Vec<PathBuf>, ClusterError> {
    let mut files = Vec::new();
    add(path, &mut files)?;
    if files.is_empty() {
        return Err(ClusterError::Manifest { path: path.to_owned(), source: ManifestError::NoFile });
    }
    Ok(files)
}

fn add(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), ClusterError> {
    let failed = |source| ClusterError::File { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    if !metadata.is_dir() {
        // Opening a pipe would block until a writer opens it.
        return Err(ClusterError::Manifest { path: path.to_owned(), source: ManifestError::NotAFile });
    }
    let entries = std::fs::read_dir(path).map_err(failed)?;
    let mut entries =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort();
    for entry in entries.into_iter().filter(|entry| !is_hidden(entry)) {
        let is_manifest =
            entry.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|e| extension == *e));
        if is_manifest || entry.is_dir() {
            add(&entry, files)?;
        }
    }
    Ok(())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Reads a file.
///
/// Rule 1: size and time of modification must not change during the reading.
pub fn read(path: &Path) -> Result<FileText, ClusterError> {
    let failed = |source| ClusterError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let before = file.metadata().map_err(failed)?;
    let mut bytes = Vec::new();
    let length = file.read_to_end(&mut bytes).map_err(failed)?;
    let after = file.metadata().map_err(failed)?;
    let same = |metadata: &Metadata| (metadata.len(), metadata.modified().ok());
    if same(&before) != same(&after) || u64::try_from(length).ok() != Some(after.len()) {
        return Err(ClusterError::Manifest { path: path.to_owned(), source: ManifestError::Changing });
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| ClusterError::Manifest { path: path.to_owned(), source: ManifestError::NotUtf8 })?;
    Ok(FileText { text, modified: after.modified().ok() })
}

/// Refuses an incomplete text.
///
/// Rule 2: the last line must not be `---`, because a document must follow it.
/// Rule 3: a file with fewer documents than at the last successful reading (`before`) must have an age of at least
/// [`SETTLED`].
///
/// Two incomplete files are not recognised: a file that ends before a `---` and that this environment has never read
/// completely, and a file that ends within the last document if the beginning of this document is a valid object. A
/// writer that renames a finished file avoids both.
pub fn check_whole(file: &FileText, before: Option<usize>, now: usize, clock: SystemTime) -> Result<(), ManifestError> {
    let last = file.text.lines().rev().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    if last.is_some_and(is_separator) {
        return Err(ManifestError::Cut);
    }
    let Some(before) = before.filter(|before| now < *before) else { return Ok(()) };
    // A time in the future does not prove that the writer is done.
    let rested = file.modified.and_then(|modified| clock.duration_since(modified).ok());
    if rested.is_some_and(|rested| rested >= SETTLED) {
        return Ok(());
    }
    Err(ManifestError::FewerDocuments { before, now, settled: SETTLED.as_secs() })
}

/// Whether a line separates documents, as in `kubectl`: three dashes, followed by blanks or a comment.
pub fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| {
        let rest = rest.trim();
        rest.is_empty() || rest.starts_with('#')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, before: Option<usize>, now: usize, seconds_ago: i64) -> bool {
        let clock = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let modified = clock - Duration::from_secs(1000) + Duration::from_secs((1000 - seconds_ago).unsigned_abs());
        let file = FileText { text: text.to_owned(), modified: Some(modified) };
        check_whole(&file, before, now, clock).is_ok()
    }

    #[test]
    fn a_file_that_ends_with_a_separator_was_cut() {
        for text in ["a: 1\n---\n", "a: 1\n---", "a: 1\n--- # next\n", "a: 1\n---\n# Source: b.yaml\n\n", "---\n"] {
            assert!(!check(text, None, 1, 100), "{text}");
        }
        for text in ["---\na: 1\n", "a: 1\n---\nb: 1", "a: 1\n---\nb: 1\n...\n", "--- {a: 1}\n", "a: 1\n----\n"] {
            assert!(check(text, None, 1, 100), "{text}");
        }
    }

    #[test]
    fn fewer_documents_are_believed_once_the_file_has_rested() {
        // Documents before and now, seconds since the last modification, whether the file is used.
        let cases = [
            (None, 1, 0, true),
            (Some(2), 2, 0, true),
            (Some(2), 3, 0, true),
            (Some(2), 1, 0, false),
            (Some(2), 1, 9, false),
            (Some(2), 1, 10, true),
            (Some(2), 1, -5, false),
        ];
        for (before, now, seconds_ago, expected) in cases {
            assert_eq!(check("a: 1\n", before, now, seconds_ago), expected, "{before:?} {now} {seconds_ago}");
        }
    }
}
