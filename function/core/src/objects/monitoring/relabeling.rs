//! Relabelling rules of monitors. Unlike in a scrape config, all fields are optional and have names in camel case.

use serde::Deserialize;

use crate::objects::null_to_default;

/// A relabelling rule of a monitor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct Relabeling {
    #[serde(deserialize_with = "null_to_default")]
    pub source_labels: Vec<String>,
    pub separator: Option<String>,
    #[serde(deserialize_with = "null_to_default")]
    pub target_label: String,
    /// The regular expression. Empty means the default, `(.*)`.
    #[serde(deserialize_with = "null_to_default")]
    pub regex: String,
    #[serde(deserialize_with = "null_to_default")]
    pub modulus: i64,
    pub replacement: Option<String>,
    /// The action in any letter case. Empty means `replace`.
    #[serde(deserialize_with = "null_to_default")]
    pub action: String,
}

impl Default for Relabeling {
    fn default() -> Self {
        Self {
            source_labels: Vec::new(),
            separator: None,
            target_label: String::new(),
            regex: String::new(),
            modulus: 0,
            replacement: None,
            action: "replace".to_owned(),
        }
    }
}
