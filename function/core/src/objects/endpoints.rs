//! Endpoint slices, and the older endpoints.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::Deserialize;

use super::{Metadata, list, null_to_default, object};

/// Some of the endpoints of a service. All endpoints of a slice have equal ports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct EndpointSlice {
    pub metadata: Metadata,
    /// `IPv4`, `IPv6` or `FQDN`.
    pub address_type: CompactString,
    #[serde(deserialize_with = "list")]
    pub endpoints: Vec<SliceEndpoint>,
    #[serde(deserialize_with = "list")]
    pub ports: Vec<SlicePort>,
}

impl EndpointSlice {
    /// The service that the slice belongs to, by the label that its controller sets.
    #[must_use]
    pub fn service_name(&self) -> Option<&str> {
        self.metadata.labels.get("kubernetes.io/service-name")
    }
}

/// One endpoint of a slice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct SliceEndpoint {
    #[serde(deserialize_with = "list")]
    pub addresses: Vec<CompactString>,
    #[serde(deserialize_with = "null_to_default")]
    pub conditions: SliceConditions,
    pub hostname: Option<CompactString>,
    pub node_name: Option<CompactString>,
    pub zone: Option<CompactString>,
    pub target_ref: Option<TargetRef>,
    #[serde(deserialize_with = "null_to_default")]
    pub deprecated_topology: BTreeMap<String, String>,
}

/// The state of an endpoint. `None` means unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct SliceConditions {
    pub ready: Option<bool>,
    pub serving: Option<bool>,
    pub terminating: Option<bool>,
}

/// One port of a slice. A field is `None` if the slice does not have it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct SlicePort {
    pub name: Option<CompactString>,
    pub protocol: Option<CompactString>,
    pub port: Option<i32>,
    pub app_protocol: Option<CompactString>,
}

/// The object behind an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct TargetRef {
    #[serde(deserialize_with = "null_to_default")]
    pub kind: CompactString,
    #[serde(deserialize_with = "null_to_default")]
    pub namespace: CompactString,
    #[serde(deserialize_with = "null_to_default")]
    pub name: CompactString,
}

/// The endpoints of a service, in the API that endpoint slices replace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Endpoints {
    pub metadata: Metadata,
    #[serde(deserialize_with = "list")]
    pub subsets: Vec<EndpointSubset>,
}

/// Addresses with equal ports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct EndpointSubset {
    #[serde(deserialize_with = "list")]
    pub addresses: Vec<EndpointAddress>,
    #[serde(deserialize_with = "list")]
    pub not_ready_addresses: Vec<EndpointAddress>,
    #[serde(deserialize_with = "list")]
    pub ports: Vec<EndpointPort>,
}

/// One address of a subset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct EndpointAddress {
    pub ip: CompactString,
    #[serde(deserialize_with = "null_to_default")]
    pub hostname: CompactString,
    pub node_name: Option<CompactString>,
    pub target_ref: Option<TargetRef>,
}

/// One port of a subset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct EndpointPort {
    #[serde(deserialize_with = "null_to_default")]
    pub name: CompactString,
    pub port: i32,
    #[serde(deserialize_with = "null_to_default")]
    pub protocol: CompactString,
}

object!(EndpointSlice = "EndpointSlice", Endpoints = "Endpoints");
