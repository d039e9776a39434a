//! What every object carries: name, namespace, labels, annotations, owners.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::null_to_default;

/// `metadata` of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Metadata {
    #[serde(deserialize_with = "null_to_default")]
    pub name: String,
    #[serde(deserialize_with = "null_to_default")]
    pub namespace: String,
    #[serde(deserialize_with = "null_to_default")]
    pub uid: String,
    #[serde(deserialize_with = "null_to_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_to_default")]
    pub annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_to_default")]
    pub owner_references: Vec<OwnerReference>,
    /// Set once the object is being deleted.
    pub deletion_timestamp: Option<String>,
}

impl Metadata {
    /// The owner that manages the object, if one does.
    #[must_use]
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

/// An object that owns another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct OwnerReference {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    #[serde(deserialize_with = "null_to_default")]
    pub controller: bool,
}
