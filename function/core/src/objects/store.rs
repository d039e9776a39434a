//! Secrets and config maps. Monitors refer to their values.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::{Metadata, Object, null_to_default, object};

/// A secret. `Debug` does not show its values.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Secret {
    pub metadata: Metadata,
    /// The values in base64, as the API server sends them.
    #[serde(deserialize_with = "null_to_default")]
    pub data: BTreeMap<String, String>,
    /// The values in plain text. Only manifests have this field: an API server moves it to `data`.
    #[serde(deserialize_with = "null_to_default")]
    pub string_data: BTreeMap<String, String>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

/// A config map.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct ConfigMap {
    pub metadata: Metadata,
    #[serde(deserialize_with = "null_to_default")]
    pub data: BTreeMap<String, String>,
    /// The keys of `binaryData`. Monitors cannot use its values, so the values are not stored.
    #[serde(rename = "binaryData", deserialize_with = "keys")]
    pub binary_keys: Vec<String>,
}

fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let map = Option::<BTreeMap<String, serde::de::IgnoredAny>>::deserialize(deserializer)?;
    Ok(map.unwrap_or_default().into_keys().collect())
}

/// Names a Secret or a ConfigMap that a monitor refers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[allow(missing_docs, reason = "one variant a kind")]
pub enum ReferencedObject {
    Secret { namespace: String, name: String },
    ConfigMap { namespace: String, name: String },
}

impl ReferencedObject {
    /// The kind, as in a manifest.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Secret { .. } => Secret::KIND,
            Self::ConfigMap { .. } => ConfigMap::KIND,
        }
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        let (Self::Secret { namespace, .. } | Self::ConfigMap { namespace, .. }) = self;
        namespace
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        let (Self::Secret { name, .. } | Self::ConfigMap { name, .. }) = self;
        name
    }
}

object!(Secret = "Secret", ConfigMap = "ConfigMap");
