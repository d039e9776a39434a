//! Where the targets of a scrape config come from.
//!
//! One list a kind of discovery, as in a Prometheus config. Only kinds that are
//! served here exist; a job that uses another is left out by name before it gets here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::http_client::{HttpClientConfig, Secret};
use super::is_default;
use crate::duration::Duration;

/// The SD configs of a scrape config.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct ServiceDiscovery {
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "kubernetes_sd_configs")]
    pub kubernetes: Vec<KubernetesSd>,
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "static_configs")]
    pub r#static: Vec<StaticSd>,
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "http_sd_configs")]
    pub http: Vec<HttpSd>,
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "dns_sd_configs")]
    pub dns: Vec<DnsSd>,
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "ec2_sd_configs")]
    pub ec2: Vec<Ec2Sd>,
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "file_sd_configs")]
    pub file: Vec<FileSd>,
}

/// The kinds of discovery that Prometheus 3.14 knows and that are not served here, without `_sd_configs`.
pub const NOT_SERVED: [&str; 31] = [
    "aws",
    "azure",
    "consul",
    "digitalocean",
    "docker",
    "dockerswarm",
    "ecs",
    "elasticache",
    "eureka",
    "gce",
    "hetzner",
    "ionos",
    "kuma",
    "lightsail",
    "linode",
    "marathon",
    "msk",
    "nerve",
    "nomad",
    "oci",
    "openstack",
    "outscale",
    "ovhcloud",
    "puppetdb",
    "rds",
    "scaleway",
    "serverset",
    "stackit",
    "triton",
    "uyuni",
    "vultr",
];

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

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Node, Self::Pod, Self::Service, Self::Endpoints, Self::EndpointSlice, Self::Ingress];

    /// The name, as it stands in a scrape config.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Pod => "pod",
            Self::Service => "service",
            Self::Endpoints => "endpoints",
            Self::EndpointSlice => "endpointslice",
            Self::Ingress => "ingress",
        }
    }
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// A URL that answers with a list of targets. Follows `discovery/http/http.go`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct HttpSd {
    #[serde(flatten)]
    pub http_client: HttpClientConfig,
    #[serde(skip_serializing_if = "is_default")]
    pub refresh_interval: Duration,
    pub url: String,
}

impl HttpSd {
    /// Discovers what `url` answers, every minute.
    pub fn new(url: impl Into<String>) -> Self {
        Self { http_client: HttpClientConfig::default(), refresh_interval: Duration::from_secs(60), url: url.into() }
    }
}

/// Names whose DNS records are targets. Follows `discovery/dns/dns.go`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct DnsSd {
    pub names: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub refresh_interval: Duration,
    /// `SRV`, `A`, `AAAA`, `MX` or `NS`, in any case.
    pub r#type: String,
    /// Not read for `SRV`.
    pub port: i64,
}

impl Default for DnsSd {
    fn default() -> Self {
        Self { names: Vec::new(), refresh_interval: Duration::from_secs(30), r#type: "SRV".to_owned(), port: 0 }
    }
}

/// Instances of an AWS account. Follows `discovery/aws/ec2.go`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct Ec2Sd {
    pub endpoint: String,
    pub region: String,
    #[serde(skip_serializing_if = "is_default")]
    pub access_key: String,
    #[serde(skip_serializing_if = "is_default")]
    pub secret_key: Secret,
    #[serde(skip_serializing_if = "is_default")]
    pub profile: String,
    #[serde(skip_serializing_if = "is_default")]
    pub role_arn: String,
    #[serde(skip_serializing_if = "is_default")]
    pub external_id: String,
    #[serde(skip_serializing_if = "is_default")]
    pub refresh_interval: Duration,
    pub port: i64,
    pub filters: Vec<Ec2Filter>,
    #[serde(flatten)]
    pub http_client: HttpClientConfig,
}

impl Default for Ec2Sd {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            region: String::new(),
            access_key: String::new(),
            secret_key: Secret::default(),
            profile: String::new(),
            role_arn: String::new(),
            external_id: String::new(),
            refresh_interval: Duration::from_secs(60),
            port: 80,
            filters: Vec::new(),
            http_client: HttpClientConfig::default(),
        }
    }
}

/// Instances must have one of the values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct Ec2Filter {
    pub name: String,
    pub values: Vec<String>,
}

/// Files that hold lists of targets. Follows `discovery/file/file.go`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct FileSd {
    /// Paths; the last part may hold one `*`.
    pub files: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub refresh_interval: Duration,
}

impl Default for FileSd {
    fn default() -> Self {
        Self { files: Vec::new(), refresh_interval: Duration::from_secs(300) }
    }
}
