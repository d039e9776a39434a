//! Pods with their containers, ports, addresses and state.

use std::sync::Arc;

use compact_str::CompactString;
use serde::Deserialize;

use super::{Metadata, Object, list, null_to_default, share, shared_list};

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

impl Object for Pod {
    const KIND: &'static str = "Pod";

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn share_with(&mut self, other: &Self) {
        self.metadata.share_with(&other.metadata);
        share(&mut self.spec.containers, &other.spec.containers);
        share(&mut self.spec.init_containers, &other.spec.init_containers);
    }
}

/// The field `spec` of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct PodSpec {
    #[serde(deserialize_with = "null_to_default")]
    pub node_name: CompactString,
    #[serde(deserialize_with = "null_to_default")]
    pub host_network: bool,
    #[serde(deserialize_with = "null_to_default")]
    pub restart_policy: CompactString,
    #[serde(deserialize_with = "null_to_default")]
    pub scheduler_name: CompactString,
    #[serde(deserialize_with = "null_to_default")]
    pub service_account_name: CompactString,
    #[serde(deserialize_with = "shared_list")]
    pub containers: Arc<Vec<Container>>,
    #[serde(deserialize_with = "shared_list")]
    pub init_containers: Arc<Vec<Container>>,
}

/// One container of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Container {
    pub name: CompactString,
    #[serde(deserialize_with = "null_to_default")]
    pub image: CompactString,
    #[serde(deserialize_with = "list")]
    pub ports: Vec<ContainerPort>,
    /// The value `Always` makes an init container a sidecar.
    pub restart_policy: Option<CompactString>,
}

/// A port that a container declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct ContainerPort {
    #[serde(deserialize_with = "null_to_default")]
    pub name: CompactString,
    #[serde(deserialize_with = "null_to_default")]
    pub container_port: i32,
    #[serde(deserialize_with = "null_to_default")]
    pub protocol: CompactString,
}

/// The field `status` of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct PodStatus {
    #[serde(deserialize_with = "null_to_default")]
    pub phase: CompactString,
    #[serde(rename = "podIP", deserialize_with = "null_to_default")]
    pub pod_ip: CompactString,
    #[serde(rename = "podIPs", deserialize_with = "null_to_default")]
    pub pod_ips: Vec<PodIp>,
    #[serde(rename = "hostIP", deserialize_with = "null_to_default")]
    pub host_ip: CompactString,
    #[serde(deserialize_with = "null_to_default")]
    pub nominated_node_name: CompactString,
    /// Time in RFC 3339.
    pub start_time: Option<CompactString>,
    #[serde(rename = "conditions", deserialize_with = "null_to_default")]
    pub ready: Ready,
    #[serde(deserialize_with = "list")]
    pub container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "list")]
    pub init_container_statuses: Vec<ContainerStatus>,
}

/// One address of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct PodIp {
    pub ip: CompactString,
}

/// The condition `Ready` of a pod. The other conditions are not used and not stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<Condition>")]
pub struct Ready(Option<Condition>);

impl Ready {
    /// The condition. `None` if the pod does not have it.
    #[must_use]
    pub const fn condition(&self) -> Option<&Condition> {
        self.0.as_ref()
    }

    /// Stores a condition if it is the first one of the type `Ready`.
    pub fn add(&mut self, condition: Condition) {
        if self.0.is_none() && condition.r#type == "Ready" {
            self.0 = Some(condition);
        }
    }
}

impl From<Vec<Condition>> for Ready {
    fn from(conditions: Vec<Condition>) -> Self {
        let mut ready = Self::default();
        conditions.into_iter().for_each(|condition| ready.add(condition));
        ready
    }
}

/// One condition of a pod, such as `Ready`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Condition {
    pub r#type: CompactString,
    pub status: CompactString,
    /// Time in RFC 3339.
    pub last_transition_time: Option<CompactString>,
}

/// The status of a container that was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct ContainerStatus {
    pub name: CompactString,
    #[serde(rename = "containerID", deserialize_with = "null_to_default")]
    pub container_id: CompactString,
}
