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

/// What a node was registered with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct NodeSpec {
    #[serde(rename = "providerID", deserialize_with = "null_to_default")]
    pub provider_id: CompactString,
    #[serde(deserialize_with = "null_to_default")]
    pub unschedulable: bool,
}

/// Addresses and conditions of a node.
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

/// Ports of the node's daemons.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct DaemonEndpoints {
    #[serde(deserialize_with = "null_to_default")]
    pub kubelet_endpoint: KubeletEndpoint,
}

/// Port of the kubelet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct KubeletEndpoint {
    /// Capitalised in the API.
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
    /// The label that holds its name.
    pub const NAME_LABEL: &'static str = "kubernetes.io/metadata.name";
}

object!(Node = "Node", Namespace = "Namespace");
