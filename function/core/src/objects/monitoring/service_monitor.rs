//! `ServiceMonitor`: scrapes the endpoints of services.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::common::{
    AttachMetadata, Limits, NamespaceSelector, NativeHistograms, Port, Protocols, Reference, Scheme, SelectorMechanism,
};
use super::http::{HttpConfig, ProxyConfig, TlsConfig};
use super::relabeling::Relabeling;
use crate::objects::LabelSelector;
use crate::objects::{Metadata, null_to_default};

/// A `ServiceMonitor`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct ServiceMonitor {
    #[serde(default)]
    pub metadata: Metadata,
    pub spec: ServiceMonitorSpec,
}

/// The field `spec` of a `ServiceMonitor`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct ServiceMonitorSpec {
    #[serde(default, deserialize_with = "null_to_default")]
    pub job_label: String,
    #[serde(default, deserialize_with = "null_to_default")]
    pub target_labels: Vec<String>,
    #[serde(default, deserialize_with = "null_to_default")]
    pub pod_target_labels: Vec<String>,
    #[serde(deserialize_with = "null_to_default")]
    pub endpoints: Vec<Endpoint>,
    #[serde(default, deserialize_with = "null_to_default")]
    pub selector: LabelSelector,
    #[serde(default, deserialize_with = "null_to_default")]
    pub selector_mechanism: SelectorMechanism,
    #[serde(default, deserialize_with = "null_to_default")]
    pub namespace_selector: NamespaceSelector,
    pub attach_metadata: Option<AttachMetadata>,
    #[serde(rename = "scrapeClass")]
    pub scrape_class_name: Option<String>,
    pub body_size_limit: Option<String>,
    pub service_discovery_role: Option<ServiceDiscoveryRole>,
    #[serde(flatten)]
    pub limits: Limits,
    #[serde(flatten)]
    pub native_histograms: NativeHistograms,
    #[serde(flatten)]
    pub protocols: Protocols,
}

/// The kind of object from which the endpoints of a service are discovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub enum ServiceDiscoveryRole {
    Endpoints,
    EndpointSlice,
}

/// One endpoint of the services. Each gives one job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct Endpoint {
    #[serde(deserialize_with = "null_to_default")]
    pub port: String,
    pub target_port: Option<Port>,
    #[serde(deserialize_with = "null_to_default")]
    pub path: String,
    pub scheme: Option<Scheme>,
    #[serde(deserialize_with = "null_to_default")]
    pub params: BTreeMap<String, Vec<String>>,
    #[serde(deserialize_with = "null_to_default")]
    pub interval: String,
    #[serde(deserialize_with = "null_to_default")]
    pub scrape_timeout: String,
    #[serde(deserialize_with = "null_to_default")]
    pub honor_labels: bool,
    pub honor_timestamps: Option<bool>,
    pub track_timestamps_staleness: Option<bool>,
    #[serde(deserialize_with = "null_to_default")]
    pub metric_relabelings: Vec<Relabeling>,
    #[serde(deserialize_with = "null_to_default")]
    pub relabelings: Vec<Relabeling>,
    pub filter_running: Option<bool>,
    #[serde(deserialize_with = "null_to_default")]
    pub bearer_token_file: String,
    pub tls_config: Option<TlsConfig>,
    #[serde(flatten)]
    pub http: HttpConfig,
    #[serde(flatten)]
    pub proxy: ProxyConfig,
}

impl Endpoint {
    /// All references to secrets and config maps.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        let tls = self.tls_config.iter().flat_map(|tls| tls.safe.references());
        self.http.references().chain(tls).chain(self.proxy.references())
    }
}
