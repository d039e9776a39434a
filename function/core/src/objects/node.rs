//! Nodes and namespaces.

use compact_str::CompactString;
use serde::Deserialize;

use super::{Metadata, list, null_to_default, object};

/// A node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Node {
    pub metadata: Metadata,
    #[serde(deserialize_with = "null_to_default")]
    pub spec: NodeSpec,
    #[serde(deserialize_with = "null_to_default")]
    pub status: NodeStatus,
}

/// The field `spec` of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct NodeSpec {
    #[serde(rename = "providerID", deserialize_with = "null_to_default")]
    pub provider_id: CompactString,
    #[serde(deserialize_with = "null_to_default")]
    pub unschedulable: bool,
}

/// The field `status` of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct NodeStatus {
    #[serde(deserialize_with = "list")]
    pub addresses: Vec<NodeAddress>,
    #[serde(deserialize_with = "list")]
    pub conditions: Vec<NodeCondition>,
    #[serde(deserialize_with = "null_to_default")]
    pub daemon_endpoints: DaemonEndpoints,
}

/// One address of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct NodeAddress {
    pub r#type: CompactString,
    pub address: CompactString,
}

/// One condition of a node, such as `Ready`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct NodeCondition {
    pub r#type: CompactString,
    pub status: CompactString,
}

/// The ports of daemons on a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct DaemonEndpoints {
    #[serde(deserialize_with = "null_to_default")]
    pub kubelet_endpoint: KubeletEndpoint,
}

/// The port of the kubelet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct KubeletEndpoint {
    /// The API writes this field as `Port`.
    #[serde(rename = "Port", deserialize_with = "null_to_default")]
    pub port: i32,
}

/// A namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Namespace {
    pub metadata: Metadata,
}

impl Namespace {
    /// The label with the name of the namespace. The API server sets it on every namespace.
    pub const NAME_LABEL: &'static str = "kubernetes.io/metadata.name";
}

object!(Node = "Node", Namespace = "Namespace");
