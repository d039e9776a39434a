//! Kubernetes objects and monitors, reduced to the fields that the allocator reads.
//!
//! Input: JSON, YAML or protobuf of the API. Output: typed objects in a [`Cluster`]. Field names follow the Kubernetes
//! API. Decoding drops all other fields, so a pod with 4.4 kB of JSON needs a tenth of this in memory.

pub mod cluster;
pub mod endpoints;
pub mod label_selector;
pub mod metadata;
pub mod monitoring;
pub mod node;
pub mod pod;
pub mod service;
pub mod store;
pub mod text_map;
pub mod workload;

pub use cluster::{Cluster, Collection, ObjectKey};
pub use endpoints::{EndpointSlice, Endpoints};
pub use label_selector::{LabelSelector, LabelSelectorRequirement};
pub use metadata::Metadata;
pub use node::{Namespace, Node};
pub use pod::Pod;
pub use service::{Ingress, Service};
pub use store::{ConfigMap, ReferencedObject, Secret};
pub use text_map::TextMap;
pub use workload::{Job, ReplicaSet};

use std::sync::Arc;

use crate::report::ObjectRef;

/// An object with a kind and metadata.
pub trait Object {
    /// The kind, as in a manifest.
    const KIND: &'static str;

    /// The metadata: name, namespace, labels, annotations and owners.
    fn metadata(&self) -> &Metadata;

    /// Replaces equal parts by shared references to the parts of the other object. Saves memory, because the pods of
    /// one controller have mostly equal fields.
    fn share_with(&mut self, _: &Self) {}

    /// The name of the object in reports.
    fn object_ref(&self) -> ObjectRef {
        let metadata = self.metadata();
        ObjectRef::new(Self::KIND, &metadata.namespace, &metadata.name)
    }
}

/// Implements [`Object`] for types with a `metadata` field.
macro_rules! object {
    ($($type:ident = $kind:literal),+ $(,)?) => {
        $(impl $crate::objects::Object for $type {
            const KIND: &'static str = $kind;
            fn metadata(&self) -> &$crate::objects::Metadata {
                &self.metadata
            }
            fn share_with(&mut self, other: &Self) {
                self.metadata.share_with(&other.metadata);
            }
        })+
    };
}
pub(crate) use object;

/// Replaces `one` by a shared reference to `other` if both are equal.
fn share<T: PartialEq>(one: &mut Arc<T>, other: &Arc<T>) {
    if one == other {
        *one = Arc::clone(other);
    }
}

/// Reserves room for `more` elements, and for at most half of the current elements on top.
///
/// A `Vec` that grows by itself starts with room for four elements, but most lists of an object have one or two.
pub fn grow<T>(list: &mut Vec<T>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more.max(list.len() / 2));
    }
}

/// Treats a JSON `null` like an absent field, as Go's decoder does.
pub(crate) fn null_to_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + serde::Deserialize<'de>,
{
    Ok(<Option<T> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or_default())
}

/// Decodes a list without spare room. `null` is an empty list.
fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    let mut list: Vec<T> = null_to_default(deserializer)?;
    list.shrink_to_fit();
    Ok(list)
}

/// Decodes a list without spare room that equal objects can share.
fn shared_list<'de, D, T>(deserializer: D) -> Result<Arc<Vec<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    list(deserializer).map(Arc::new)
}
