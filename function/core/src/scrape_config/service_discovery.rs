//! Where the targets of a scrape config come from.
//!
//! One list a kind of discovery, as in a Prometheus config. Only kinds that are
//! served here exist; a job that uses another is left out by name before it gets here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::http_client::HttpClientConfig;
use super::is_default;

/// The SD configs of a scrape config.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct ServiceDiscovery {
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "kubernetes_sd_configs")]
    pub kubernetes: Vec<KubernetesSd>,
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "static_configs")]
    pub r#static: Vec<StaticSd>,
}

/// Which objects of the cluster become targets. Follows `SDConfig` of Prometheus' `discovery/kubernetes/kubernetes.go`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct KubernetesSd {
    #[serde(skip_serializing_if = "is_default")]
    pub api_server: String,
    /// Always empty here, but the peer prints it.
    pub kubeconfig_file: String,
    pub role: Role,
    #[serde(flatten)]
    pub http_client: HttpClientConfig,
    #[serde(skip_serializing_if = "is_default")]
    pub namespaces: Namespaces,
    #[serde(skip_serializing_if = "is_default")]
    pub selectors: Vec<Selector>,
    #[serde(skip_serializing_if = "is_default")]
    pub attach_metadata: AttachMetadata,
}

impl KubernetesSd {
    /// Discovers objects of `role` in all namespaces.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self {
            api_server: String::new(),
            kubeconfig_file: String::new(),
            role,
            http_client: HttpClientConfig::default(),
            namespaces: Namespaces::default(),
            selectors: Vec::new(),
            attach_metadata: AttachMetadata::default(),
        }
    }
}

/// What kind of object is discovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub enum Role {
    Node,
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    Ingress,
}

/// Namespaces to look in; all of them if empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct Namespaces {
    pub own_namespace: bool,
    pub names: Vec<String>,
}

/// Label and field selectors, as texts, for the objects of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct Selector {
    pub role: Role,
    #[serde(default, skip_serializing_if = "is_default")]
    pub label: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub field: String,
}

/// Which further objects lend their labels to a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct AttachMetadata {
    pub node: bool,
    pub namespace: bool,
    pub deployment: bool,
    pub job: bool,
    pub cronjob: bool,
}

/// Targets that are written out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct StaticSd {
    pub targets: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
}
