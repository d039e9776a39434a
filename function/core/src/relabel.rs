//! Relabelling as Prometheus does it.

use serde::Serialize;

use crate::scrape_config::is_default;

/// What a rule does. Follows `model/relabel/relabel.go` of Prometheus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub enum Action {
    #[default]
    Replace,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
}

/// A relabelling rule as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct RelabelConfig {
    #[serde(skip_serializing_if = "is_default")]
    pub source_labels: Vec<String>,
    pub separator: String,
    /// `None` is the default, `(.*)`: Prometheus tells it from the same text written out, and leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub modulus: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub target_label: String,
    pub replacement: String,
    pub action: Action,
}

impl Default for RelabelConfig {
    fn default() -> Self {
        Self {
            source_labels: Vec::new(),
            separator: ";".to_owned(),
            regex: None,
            modulus: 0,
            target_label: String::new(),
            replacement: "$1".to_owned(),
            action: Action::Replace,
        }
    }
}
