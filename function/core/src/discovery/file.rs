//! `file_sd_configs`: lists of targets in files.
//!
//! Input: path and content of a file. Output: target groups with `__meta_filepath`. Follows `discovery/file/file.go` of
//! Prometheus.

use super::source_config::{SourceConfig, TenantRule};
use super::source_group::SourceGroup;
use super::target_lists::{self, TargetListError};
use crate::duration::Duration;
use crate::scrape_config::discovery::FileSd;
use crate::scrape_config::http_client::HttpClientConfig;

const FILEPATH: &str = "__meta_filepath";

impl SourceConfig for FileSd {
    const FIELD: &'static str = "file_sd_configs";
    /// The path. Its last part can contain one `*`.
    type Request = String;

    fn requests(&self) -> Vec<String> {
        self.files.clone()
    }

    fn describe(path: &String) -> String {
        path.clone()
    }

    fn refresh_interval(&self) -> Duration {
        self.refresh_interval
    }

    fn client(&self) -> Option<&HttpClientConfig> {
        None
    }

    /// Files are read from the file system of the function, for tenants too. So tenants may not name files.
    fn tenant_rule(&self) -> TenantRule {
        TenantRule::LeftOut("an object cannot have files of the function read, name the targets by another")
    }
}

/// The target groups of a file. The extension of the path defines the format.
///
/// # Errors
/// The reason why Prometheus would refuse the file.
pub fn groups(path: &str, content: &[u8]) -> Result<Vec<SourceGroup>, TargetListError> {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
    match ending.as_deref() {
        Some("json") => target_lists::json(content, (FILEPATH, path)),
        Some("yml" | "yaml") => target_lists::yaml(content, (FILEPATH, path)),
        _ => Err(TargetListError::Ending(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_extension_decides_how_a_file_is_read() {
        let one = |labels: &[(&str, &str)], path: &str, targets: &[&str]| {
            let mut labels = map(labels);
            labels.insert("__meta_filepath".to_owned(), path.to_owned());
            let targets = targets.iter().map(|target| map(&[("__address__", target)])).collect();
            SourceGroup { source: format!("{path}:0"), labels, targets }
        };
        let cases = [
            ("a.json", r#"[{"targets":["a:1"],"labels":{"x":"y"}}]"#, vec![one(&[("x", "y")], "a.json", &["a:1"])]),
            ("d/a.yml", "- targets: [a:1, 2]\n  labels: {x: 1}\n", vec![one(&[("x", "1")], "d/a.yml", &["a:1", "2"])]),
            ("a.YAML", "", vec![]),
            ("a.yaml", "[]", vec![]),
        ];
        for (path, content, expected) in cases {
            assert_eq!(groups(path, content.as_bytes()).unwrap(), expected, "{path}");
        }
        let refused = [
            ("a.json", "- targets: [a]"),
            ("a.yml", "a: 1"),
            ("a.yml", "[null]"),
            ("a.yml", "[{targets: [a], other: 1}]"),
            ("a.yml", "- {targets: [a]"),
            ("a.txt", "[]"),
        ];
        for (path, content) in refused {
            assert!(groups(path, content.as_bytes()).is_err(), "{path}: {content}");
        }
    }
}
