//! Services and ingresses.

use compact_str::CompactString;
use serde::Deserialize;

use super::{Metadata, list, null_to_default, object};

/// A service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Service {
    pub metadata: Metadata,
    #[serde(deserialize_with = "null_to_default")]
    pub spec: ServiceSpec,
}

/// The field `spec` of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct ServiceSpec {
    #[serde(deserialize_with = "null_to_default")]
    pub r#type: CompactString,
    #[serde(rename = "clusterIP", deserialize_with = "null_to_default")]
    pub cluster_ip: CompactString,
    #[serde(deserialize_with = "null_to_default")]
    pub external_name: CompactString,
    #[serde(rename = "loadBalancerIP", deserialize_with = "null_to_default")]
    pub load_balancer_ip: CompactString,
    /// `SingleStack`, `PreferDualStack` or `RequireDualStack`.
    pub ip_family_policy: Option<CompactString>,
    /// `IPv4` and `IPv6`, the primary family first.
    #[serde(deserialize_with = "list")]
    pub ip_families: Vec<CompactString>,
    #[serde(deserialize_with = "list")]
    pub ports: Vec<ServicePort>,
}

/// One port of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct ServicePort {
    #[serde(deserialize_with = "null_to_default")]
    pub name: CompactString,
    #[serde(deserialize_with = "null_to_default")]
    pub protocol: CompactString,
    pub port: i32,
}

/// An ingress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Ingress {
    pub metadata: Metadata,
    #[serde(deserialize_with = "null_to_default")]
    pub spec: IngressSpec,
}

/// The field `spec` of an ingress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct IngressSpec {
    pub ingress_class_name: Option<CompactString>,
    #[serde(deserialize_with = "list")]
    pub tls: Vec<IngressTls>,
    #[serde(deserialize_with = "list")]
    pub rules: Vec<IngressRule>,
}

/// Hosts of an ingress that use TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct IngressTls {
    #[serde(deserialize_with = "list")]
    pub hosts: Vec<CompactString>,
}

/// The rule for one host of an ingress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct IngressRule {
    #[serde(deserialize_with = "null_to_default")]
    pub host: CompactString,
    pub http: Option<IngressHttp>,
}

/// The paths of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct IngressHttp {
    #[serde(deserialize_with = "list")]
    pub paths: Vec<IngressPath>,
}

/// One path of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct IngressPath {
    #[serde(deserialize_with = "null_to_default")]
    pub path: CompactString,
}

object!(Service = "Service", Ingress = "Ingress");
