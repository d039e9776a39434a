//! Pods: containers, ports, addresses and state.

use serde::Deserialize;

use super::{Metadata, null_to_default, object};

/// A pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Pod {
    pub metadata: Metadata,
    #[serde(deserialize_with = "null_to_default")]
    pub spec: PodSpec,
    #[serde(deserialize_with = "null_to_default")]
    pub status: PodStatus,
}

object!(Pod = "Pod");

/// What should run, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct PodSpec {
    #[serde(deserialize_with = "null_to_default")]
    pub node_name: String,
    #[serde(deserialize_with = "null_to_default")]
    pub host_network: bool,
    #[serde(deserialize_with = "null_to_default")]
    pub restart_policy: Box<str>,
    #[serde(deserialize_with = "null_to_default")]
    pub scheduler_name: Box<str>,
    #[serde(deserialize_with = "null_to_default")]
    pub service_account_name: Box<str>,
    #[serde(deserialize_with = "null_to_default")]
    pub containers: Vec<Container>,
    #[serde(deserialize_with = "null_to_default")]
    pub init_containers: Vec<Container>,
}

/// One container of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Container {
    pub name: String,
    #[serde(deserialize_with = "null_to_default")]
    pub image: String,
    #[serde(deserialize_with = "null_to_default")]
    pub ports: Vec<ContainerPort>,
    /// `Always` makes an init container a sidecar.
    pub restart_policy: Option<String>,
}

/// A port that a container declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct ContainerPort {
    #[serde(deserialize_with = "null_to_default")]
    pub name: String,
    #[serde(deserialize_with = "null_to_default")]
    pub container_port: i32,
    #[serde(deserialize_with = "null_to_default")]
    pub protocol: String,
}

/// What runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct PodStatus {
    #[serde(deserialize_with = "null_to_default")]
    pub phase: String,
    #[serde(rename = "podIP", deserialize_with = "null_to_default")]
    pub pod_ip: String,
    #[serde(rename = "podIPs", deserialize_with = "null_to_default")]
    pub pod_ips: Vec<PodIp>,
    #[serde(rename = "hostIP", deserialize_with = "null_to_default")]
    pub host_ip: String,
    #[serde(deserialize_with = "null_to_default")]
    pub nominated_node_name: Box<str>,
    /// RFC 3339.
    pub start_time: Option<String>,
    #[serde(deserialize_with = "null_to_default")]
    pub conditions: Vec<Condition>,
    #[serde(deserialize_with = "null_to_default")]
    pub container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "null_to_default")]
    pub init_container_statuses: Vec<ContainerStatus>,
}

/// One address of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct PodIp {
    pub ip: String,
}

/// One condition of a pod, such as `Ready`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Condition {
    pub r#type: String,
    pub status: String,
    /// RFC 3339.
    pub last_transition_time: Option<String>,
}

/// What is known of a container that was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct ContainerStatus {
    pub name: String,
    #[serde(rename = "containerID", deserialize_with = "null_to_default")]
    pub container_id: String,
}
