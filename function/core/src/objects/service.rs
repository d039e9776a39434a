//! Services and ingresses.

use serde::Deserialize;

use super::{Metadata, null_to_default, object};

/// A service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Service {
    pub metadata: Metadata,
    #[serde(deserialize_with = "null_to_default")]
    pub spec: ServiceSpec,
}

/// How a service is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct ServiceSpec {
    #[serde(deserialize_with = "null_to_default")]
    pub r#type: String,
    #[serde(rename = "clusterIP", deserialize_with = "null_to_default")]
    pub cluster_ip: String,
    #[serde(deserialize_with = "null_to_default")]
    pub external_name: String,
    #[serde(rename = "loadBalancerIP", deserialize_with = "null_to_default")]
    pub load_balancer_ip: String,
    /// `SingleStack`, `PreferDualStack` or `RequireDualStack`.
    pub ip_family_policy: Option<String>,
    /// `IPv4`, `IPv6`; the primary one first.
    #[serde(deserialize_with = "null_to_default")]
    pub ip_families: Vec<String>,
    #[serde(deserialize_with = "null_to_default")]
    pub ports: Vec<ServicePort>,
}

/// One port of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct ServicePort {
    #[serde(deserialize_with = "null_to_default")]
    pub name: String,
    #[serde(deserialize_with = "null_to_default")]
    pub protocol: String,
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

/// Rules of an ingress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct IngressSpec {
    pub ingress_class_name: Option<String>,
    #[serde(deserialize_with = "null_to_default")]
    pub tls: Vec<IngressTls>,
    #[serde(deserialize_with = "null_to_default")]
    pub rules: Vec<IngressRule>,
}

/// Hosts of an ingress that are served with TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct IngressTls {
    #[serde(deserialize_with = "null_to_default")]
    pub hosts: Vec<String>,
}

/// One host of an ingress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct IngressRule {
    #[serde(deserialize_with = "null_to_default")]
    pub host: String,
    pub http: Option<IngressHttp>,
}

/// Paths of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct IngressHttp {
    #[serde(deserialize_with = "null_to_default")]
    pub paths: Vec<IngressPath>,
}

/// One path of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct IngressPath {
    #[serde(deserialize_with = "null_to_default")]
    pub path: String,
}

object!(Service = "Service", Ingress = "Ingress");
