//! The objects of a cluster, cut down to what the allocator reads.
//!
//! Field names are those of the Kubernetes API. Unread fields are dropped while
//! decoding, so that a pod of 4.4 kB of JSON costs a tenth of that in memory.

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

/// An object that has a kind and metadata.
pub trait Object {
    /// The kind, as in a manifest.
    const KIND: &'static str;

    /// Name, namespace, labels and the like.
    fn metadata(&self) -> &Metadata;

    /// Shares in memory what both have alike: pods of one controller differ in little.
    fn share_with(&mut self, _: &Self) {}

    /// How reports name the object.
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

/// Makes both the same in memory if they are equal.
fn share<T: PartialEq>(one: &mut Arc<T>, other: &Arc<T>) {
    if one == other {
        *one = Arc::clone(other);
    }
}

/// Makes room for `more` elements, and for little beside them. A vector that grows by itself
/// begins with room for four, and most lists of an object have one or two.
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

/// A list that has room for no more than it holds; `null` is none.
fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    let mut list: Vec<T> = null_to_default(deserializer)?;
    list.shrink_to_fit();
    Ok(list)
}

/// The same, of which objects that are alike can have one together.
fn shared_list<'de, D, T>(deserializer: D) -> Result<Arc<Vec<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    list(deserializer).map(Arc::new)
}
