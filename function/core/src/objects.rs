//! The objects of a cluster, cut down to what the allocator reads.
//!
//! Field names are those of the Kubernetes API. Unread fields are dropped while
//! decoding, so that a pod of 4.4 kB of JSON costs a tenth of that in memory.

pub mod cluster;
pub mod endpoints;
pub mod metadata;
pub mod monitoring;
pub mod node;
pub mod pod;
pub mod service;
pub mod store;
pub mod workload;

pub use cluster::{Cluster, Collection, ObjectKey};
pub use endpoints::{EndpointSlice, Endpoints};
pub use metadata::Metadata;
pub use node::{Namespace, Node};
pub use pod::Pod;
pub use service::{Ingress, Service};
pub use store::{ConfigMap, Secret};
pub use workload::{Job, ReplicaSet};

use crate::report::ObjectRef;

/// An object that has a kind and metadata.
pub trait Object {
    /// The kind, as in a manifest.
    const KIND: &'static str;

    /// Name, namespace, labels and the like.
    fn metadata(&self) -> &Metadata;

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
        })+
    };
}
pub(crate) use object;

/// Treats a JSON `null` like an absent field, as Go's decoder does.
pub(crate) fn null_to_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + serde::Deserialize<'de>,
{
    Ok(<Option<T> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or_default())
}
