//! Scrape classes: settings that monitors use by name or by default.

use serde::Deserialize;

use super::common::{AttachMetadata, Reference};
use super::http::{Authorization, TlsConfig};
use super::relabeling::Relabeling;
use crate::objects::null_to_default;

/// An element of `prometheus_cr.scrape_classes` in the allocator config.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct ScrapeClass {
    #[serde(deserialize_with = "null_to_default")]
    pub name: String,
    #[serde(deserialize_with = "null_to_default")]
    pub default: bool,
    pub fallback_scrape_protocol: Option<String>,
    pub tls_config: Option<TlsConfig>,
    pub authorization: Option<Authorization>,
    #[serde(deserialize_with = "null_to_default")]
    pub relabelings: Vec<Relabeling>,
    #[serde(deserialize_with = "null_to_default")]
    pub metric_relabelings: Vec<Relabeling>,
    pub attach_metadata: Option<AttachMetadata>,
}

impl ScrapeClass {
    /// All references to secrets and config maps, in the namespace of the monitor that uses the class.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        let authorization =
            self.authorization.iter().filter_map(|authorization| authorization.safe.credentials.as_ref());
        let tls = self.tls_config.iter().flat_map(|tls| tls.safe.references());
        authorization.map(Reference::Secret).chain(tls)
    }
}
