//! The metadata that every object has: name, namespace, labels, annotations and owners.

use std::sync::Arc;

use compact_str::CompactString;
use serde::Deserialize;

use super::{TextMap, null_to_default, share, shared_list};

/// The field `metadata` of an object.
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
    pub labels: Arc<TextMap>,
    #[serde(deserialize_with = "null_to_default")]
    pub annotations: Arc<TextMap>,
    #[serde(deserialize_with = "shared_list")]
    pub owner_references: Arc<Vec<OwnerReference>>,
    /// Set when the deletion of the object starts.
    pub deletion_timestamp: Option<CompactString>,
}

impl Metadata {
    pub(super) fn share_with(&mut self, other: &Self) {
        share(&mut self.labels, &other.labels);
        share(&mut self.annotations, &other.annotations);
        share(&mut self.owner_references, &other.owner_references);
    }

    /// The owner that manages the object, such as the replica set of a pod.
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
