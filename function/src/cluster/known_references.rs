//! What one refresh knows of Secrets and ConfigMaps from the refreshes before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use target_allocator_core::objects::ReferencedObject;

use crate::moment::Moment;

/// What is known of the referenced objects besides the objects.
#[derive(Debug, Clone, Default)]
pub struct References {
    pub known: BTreeMap<ReferencedObject, Known>,
    /// Lists that are not read, since when.
    pub avoided: BTreeMap<Scope, Moment>,
    pub refreshes: u64,
}

/// What is known of one object besides the object.
#[derive(Debug, Clone)]
pub struct Known {
    pub state: State,
    /// When the API server last said so.
    pub read: Moment,
    /// The refresh in which it was last asked.
    pub asked: u64,
    /// Why it cannot be read any more, if that is so.
    pub doubt: Option<Arc<str>>,
}

/// What the API server said of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Found { version: String, bytes: usize },
    Absent,
    Unreadable(Arc<str>),
}

/// Where a list of versions is read: in one namespace, or in all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    pub resource: &'static str,
    pub namespace: Option<String>,
}

impl Scope {
    /// Whether the list has this object, if it exists.
    pub fn contains(&self, reference: &ReferencedObject) -> bool {
        self.resource == resource(reference)
            && self.namespace.as_deref().is_none_or(|namespace| namespace == reference.namespace())
    }
}

/// The resource that holds the object.
pub const fn resource(reference: &ReferencedObject) -> &'static str {
    match reference {
        ReferencedObject::Secret { .. } => "secrets",
        ReferencedObject::ConfigMap { .. } => "configmaps",
    }
}
