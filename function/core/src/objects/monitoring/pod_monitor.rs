//! `PodMonitor`: scrapes ports of pods, without a service.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::common::{
    AttachMetadata, Limits, NamespaceSelector, NativeHistograms, Port, Protocols, Reference, Scheme, SelectorMechanism,
};
use super::http::{HttpConfig, ProxyConfig, SafeTlsConfig};
use super::relabeling::Relabeling;
use crate::objects::LabelSelector;
use crate::objects::{Metadata, null_to_default};

/// A `PodMonitor`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct PodMonitor {
    #[serde(default)]
    pub metadata: Metadata,
    pub spec: PodMonitorSpec,
}

/// The field `spec` of a `PodMonitor`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct PodMonitorSpec {
    #[serde(deserialize_with = "null_to_default")]
    pub job_label: String,
    #[serde(deserialize_with = "null_to_default")]
    pub pod_target_labels: Vec<String>,
    #[serde(deserialize_with = "null_to_default")]
    pub pod_metrics_endpoints: Vec<PodMetricsEndpoint>,
    #[serde(deserialize_with = "null_to_default")]
    pub selector: LabelSelector,
    #[serde(deserialize_with = "null_to_default")]
    pub selector_mechanism: SelectorMechanism,
    #[serde(deserialize_with = "null_to_default")]
    pub namespace_selector: NamespaceSelector,
    pub attach_metadata: Option<AttachMetadata>,
    #[serde(rename = "scrapeClass")]
    pub scrape_class_name: Option<String>,
    pub body_size_limit: Option<String>,
    #[serde(flatten)]
    pub limits: Limits,
    #[serde(flatten)]
    pub native_histograms: NativeHistograms,
    #[serde(flatten)]
    pub protocols: Protocols,
}

/// One port of the pods. Each gives one job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct PodMetricsEndpoint {
    #[serde(deserialize_with = "null_to_default")]
    pub port: String,
    pub port_number: Option<i32>,
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
    pub tls_config: Option<SafeTlsConfig>,
    #[serde(flatten)]
    pub http: HttpConfig,
    #[serde(flatten)]
    pub proxy: ProxyConfig,
}

impl PodMetricsEndpoint {
    /// All references to secrets and config maps.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        let tls = self.tls_config.iter().flat_map(SafeTlsConfig::references);
        self.http.references().chain(tls).chain(self.proxy.references())
    }
}
