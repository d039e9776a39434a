//! Secrets and config maps. Monitors refer to their values.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer};

use super::{Metadata, null_to_default, object};

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

object!(Secret = "Secret", ConfigMap = "ConfigMap");
