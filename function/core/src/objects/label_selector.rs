//! The structured form of label selectors, as manifests hold it.
//!
//! Input: the `selector` of a monitor or of a config. Nothing is checked here: `selector` turns
//! this form into requirements that match labels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::null_to_default;

/// A label selector as manifests hold it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct LabelSelector {
    #[serde(deserialize_with = "null_to_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_to_default", skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// One expression of a label selector as manifests hold it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct LabelSelectorRequirement {
    #[serde(deserialize_with = "null_to_default")]
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    #[serde(deserialize_with = "null_to_default")]
    pub operator: String,
    #[serde(deserialize_with = "null_to_default", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}
