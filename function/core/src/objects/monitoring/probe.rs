//! `Probe`: scrapes static targets or ingresses through a prober.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::common::{Limits, NamespaceSelector, NativeHistograms, Protocols, Reference, Scheme};
use super::http::{HttpConfig, ProxyConfig, SafeTlsConfig};
use super::relabeling::Relabeling;
use crate::objects::LabelSelector;
use crate::objects::{Metadata, null_to_default};

/// A `Probe`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct Probe {
    #[serde(default)]
    pub metadata: Metadata,
    pub spec: ProbeSpec,
}

/// The field `spec` of a `Probe`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct ProbeSpec {
    #[serde(deserialize_with = "null_to_default")]
    pub job_name: String,
    #[serde(deserialize_with = "null_to_default")]
    pub prober: Prober,
    #[serde(deserialize_with = "null_to_default")]
    pub module: String,
    #[serde(deserialize_with = "null_to_default")]
    pub targets: ProbeTargets,
    #[serde(deserialize_with = "null_to_default")]
    pub interval: String,
    #[serde(deserialize_with = "null_to_default")]
    pub scrape_timeout: String,
    #[serde(deserialize_with = "null_to_default")]
    pub metric_relabelings: Vec<Relabeling>,
    #[serde(rename = "scrapeClass")]
    pub scrape_class_name: Option<String>,
    #[serde(deserialize_with = "null_to_default")]
    pub params: Vec<ProbeParam>,
    pub tls_config: Option<SafeTlsConfig>,
    #[serde(flatten)]
    pub http: HttpConfig,
    #[serde(flatten)]
    pub limits: Limits,
    #[serde(flatten)]
    pub native_histograms: NativeHistograms,
    #[serde(flatten)]
    pub protocols: Protocols,
}

impl ProbeSpec {
    /// All references to secrets and config maps.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        let tls = self.tls_config.iter().flat_map(SafeTlsConfig::references);
        self.http.references().chain(tls).chain(self.prober.proxy.references())
    }
}

/// A parameter of the request to the prober.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct ProbeParam {
    pub name: String,
    #[serde(deserialize_with = "null_to_default")]
    pub values: Vec<String>,
}

/// The prober that requests are sent to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct Prober {
    #[serde(deserialize_with = "null_to_default")]
    pub url: String,
    pub scheme: Option<Scheme>,
    pub path: String,
    #[serde(flatten)]
    pub proxy: ProxyConfig,
}

impl Default for Prober {
    fn default() -> Self {
        Self { url: String::new(), scheme: None, path: "/probe".to_owned(), proxy: ProxyConfig::default() }
    }
}

/// The targets of a probe. Static targets take precedence over ingresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct ProbeTargets {
    pub static_config: Option<StaticTargets>,
    pub ingress: Option<IngressTargets>,
}

/// Static targets with labels and relabelling rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct StaticTargets {
    #[serde(deserialize_with = "null_to_default")]
    pub r#static: Vec<String>,
    #[serde(deserialize_with = "null_to_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_to_default")]
    pub relabeling_configs: Vec<Relabeling>,
}

/// Selects ingresses. Each of their hosts and paths is a target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct IngressTargets {
    #[serde(deserialize_with = "null_to_default")]
    pub selector: LabelSelector,
    #[serde(deserialize_with = "null_to_default")]
    pub namespace_selector: NamespaceSelector,
    #[serde(deserialize_with = "null_to_default")]
    pub relabeling_configs: Vec<Relabeling>,
}
