//! `file_sd_configs`: files that contain lists of targets.

use serde::Serialize;

use super::kind::{SdConfig, refused};
use crate::duration::Duration;
use crate::scrape_config::fields::{Node, ParseError, Refusal};
use crate::scrape_config::is_default;

/// Files that contain lists of targets. Follows `discovery/file/file.go`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct FileSd {
    /// Paths. The last part of each may contain one `*`.
    pub files: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub refresh_interval: Duration,
}

impl Default for FileSd {
    fn default() -> Self {
        Self { files: Vec::new(), refresh_interval: Duration::from_secs(300) }
    }
}

impl SdConfig for FileSd {
    fn read(node: &Node<'_>) -> Result<Self, ParseError> {
        let mut fields = node.fields()?;
        let mut config = FileSd::default();
        let FileSd { files, refresh_interval } = &mut config;
        fields.read("files", files, Node::strings)?;
        fields.read("refresh_interval", refresh_interval, Node::duration)?;
        fields.finish()?;
        Ok(config)
    }

    fn validate(&mut self) -> Result<(), Refusal> {
        if self.files.is_empty() {
            return refused(FileError::NoFiles);
        }
        match self.files.iter().find(|path| !is_file_path(path)) {
            Some(path) => refused(FileError::Path(path.clone())),
            None => Ok(()),
        }
    }
}

/// Whether a path ends with a supported extension, and contains `*` at most once and only in its last part.
fn is_file_path(path: &str) -> bool {
    let Some((stem, ending)) = path.rsplit_once('.') else { return false };
    let known = matches!(ending, "json" | "yml" | "yaml" | "JSON" | "YML" | "YAML");
    let wildcard = stem.split_once('*').is_none_or(|(_, after)| !after.contains('/'));
    known && wildcard
}

#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("file_sd_configs.files is empty")]
    NoFiles,
    #[error(
        "file_sd_configs.files has a path that does not end in .json, .yml or .yaml, or holds more than one *: {0:?}"
    )]
    Path(String),
}
