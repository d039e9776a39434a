//! Types that several kinds of monitors use: references, selectors, limits, histograms and protocols.

use std::borrow::Cow;

use serde::Deserialize;

use super::quantity::Quantity;
use crate::objects::null_to_default;

/// A reference to one value of a secret or config map in the namespace of the monitor.
///
/// `optional` has no effect, as in the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct KeySelector {
    #[serde(deserialize_with = "null_to_default")]
    pub name: String,
    #[serde(deserialize_with = "null_to_default")]
    pub key: String,
    pub optional: Option<bool>,
}

impl KeySelector {
    /// Whether no field is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A reference to a value of either a secret or a config map.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct SecretOrConfigMap {
    pub secret: Option<KeySelector>,
    pub config_map: Option<KeySelector>,
}

impl SecretOrConfigMap {
    /// Whether neither reference is set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.secret.is_none() && self.config_map.is_none()
    }

    /// The reference that is set. If both are set, the reference to the secret.
    #[must_use]
    pub fn reference(&self) -> Option<Reference<'_>> {
        let config_map = || self.config_map.as_ref().map(Reference::ConfigMap);
        self.secret.as_ref().map(Reference::Secret).or_else(config_map)
    }
}

/// A reference from a monitor to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "one variant per kind")]
pub enum Reference<'a> {
    Secret(&'a KeySelector),
    ConfigMap(&'a KeySelector),
}

/// The namespaces in which a monitor selects objects. If no field is set, the namespace of the monitor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct NamespaceSelector {
    #[serde(deserialize_with = "null_to_default")]
    pub any: bool,
    #[serde(deserialize_with = "null_to_default")]
    pub match_names: Vec<String>,
}

/// The further objects whose labels discovery attaches to a target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct AttachMetadata {
    pub node: Option<bool>,
}

/// How the label selector of a monitor is applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum SelectorMechanism {
    /// As relabelling rules: discovery gives all objects, and rules drop the others.
    #[default]
    RelabelConfig,
    /// As a label selector of the service discovery.
    RoleSelector,
}

/// The scheme of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub enum Scheme {
    #[serde(rename = "http", alias = "HTTP")]
    Http,
    #[serde(rename = "https", alias = "HTTPS")]
    Https,
}

impl Scheme {
    /// The scheme as in a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A port by its name or number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "one variant per form")]
pub enum Port {
    Number(i32),
    Name(String),
}

impl Port {
    /// The port as text.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Name(name) => Cow::Borrowed(name),
        }
    }
}

/// The limits of a scrape. Zero means no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct Limits {
    pub sample_limit: Option<i64>,
    pub target_limit: Option<i64>,
    pub label_limit: Option<i64>,
    pub label_name_length_limit: Option<i64>,
    pub label_value_length_limit: Option<i64>,
    pub keep_dropped_targets: Option<i64>,
}

/// How Prometheus scrapes histograms.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct NativeHistograms {
    pub scrape_native_histograms: Option<bool>,
    pub scrape_classic_histograms: Option<bool>,
    pub native_histogram_bucket_limit: Option<i64>,
    pub native_histogram_min_bucket_factor: Option<Quantity>,
    #[serde(rename = "convertClassicHistogramsToNHCB")]
    pub convert_classic_histograms_to_nhcb: Option<bool>,
}

/// The formats of metrics that a scrape accepts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct Protocols {
    #[serde(deserialize_with = "null_to_default")]
    pub scrape_protocols: Vec<String>,
    pub fallback_scrape_protocol: Option<String>,
}
