//! Small parts of answers: what an object, a list or a `Status` says about itself.
//!
//! The encodings read these types, and the rules compare them. This module uses no other module.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

/// `apiVersion` and `kind`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TypeMeta {
    /// Such as `discovery.k8s.io/v1`.
    pub api_version: String,
    /// Such as `EndpointSliceList`.
    pub kind: String,
}

impl TypeMeta {
    /// The type of a list of objects of this type.
    pub fn list(&self) -> Self {
        Self { api_version: self.api_version.clone(), kind: format!("{}List", self.kind) }
    }

    /// Whether this type contradicts `other`. An item of a built-in list states no type, so an empty field agrees.
    pub fn contradicts(&self, other: &Self) -> bool {
        let differ = |said: &str, other: &str| !said.is_empty() && said != other;
        differ(&self.api_version, &other.api_version) || differ(&self.kind, &other.kind)
    }
}

impl fmt::Display for TypeMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |text: &str| if text.is_empty() { "(none)".to_owned() } else { text.chars().take(80).collect() };
        write!(f, "kind {} of apiVersion {}", or_none(&self.kind), or_none(&self.api_version))
    }
}

/// What each object of a list or watch must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Its type.
    pub type_meta: TypeMeta,
    /// Its namespace; `None` if the list is one of the whole cluster.
    pub namespace: Option<Arc<str>>,
}

impl From<TypeMeta> for Expected {
    fn from(type_meta: TypeMeta) -> Self {
        Self { type_meta, namespace: None }
    }
}

/// What identifies an object. An object whose `spec` cannot be read still has these fields.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Identifying")]
pub struct Identity {
    /// The type that the object states: none for an item of a built-in list.
    pub type_meta: TypeMeta,
    /// Name and namespace.
    pub metadata: ObjectName,
}

/// [`Identity`] as JSON has it: `flatten` would copy the whole object first.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Identifying {
    api_version: String,
    kind: String,
    metadata: ObjectName,
}

impl From<Identifying> for Identity {
    fn from(Identifying { api_version, kind, metadata }: Identifying) -> Self {
        Self { type_meta: TypeMeta { api_version, kind }, metadata }
    }
}

/// Name and namespace of an object.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ObjectName {
    /// An API server stores no object without a name.
    pub name: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
}

/// `metadata` of one page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PageMetadata {
    /// Token of the next page; absent or empty on the last page.
    #[serde(rename = "continue")]
    pub next: String,
    /// Version of the whole list. An API server states the same version on every page.
    pub resource_version: String,
}

/// An object of which only `metadata` is read, or a part of `metadata`.
#[derive(Default, Deserialize)]
#[serde(default, bound = "M: Default + Deserialize<'de>")]
pub struct Named<M> {
    /// The part that is read.
    pub metadata: M,
}

/// `metadata.resourceVersion`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Version {
    /// Empty if the object states none.
    pub resource_version: String,
}

/// The fields of a `Status` that messages show.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The HTTP status.
    pub code: i32,
    /// The API server's own words.
    pub message: String,
}
