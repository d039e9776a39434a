//! The answers to `/scrape_configs`: one without credentials, and one with credentials
//! for collectors that an authorizer verified.

use std::sync::Arc;

use serde_json::{Map, Value, to_value};
use target_allocator_core::access::Reader;
use target_allocator_core::scrape_config::ScrapeConfig;
use target_allocator_core::scrape_config::secret::WithSecrets;
use xxhash_rust::xxh3::xxh3_64;

use super::Payload;
use crate::settings::{SecretRotation, Secrets};

/// Job name → scrape config, as JSON with sorted keys.
#[derive(Debug)]
pub struct ScrapeConfigs {
    hidden: Arc<Payload>,
    /// Where it differs.
    inlined: Option<Arc<Payload>>,
}

impl ScrapeConfigs {
    /// The answers for these jobs.
    ///
    /// # Errors
    /// When a config cannot be written as JSON.
    pub fn new<'a>(
        configs: impl Iterator<Item = &'a ScrapeConfig>,
        secrets: Secrets,
        rotation: SecretRotation,
    ) -> Result<Self, serde_json::Error> {
        let (mut hidden, mut inlined) = (Map::new(), Map::new());
        for config in configs {
            let masked = to_value(config)?;
            if secrets == Secrets::Inline && config.has_secrets() {
                inlined.insert(config.job_name.clone(), with_secrets(config, rotation)?);
            }
            hidden.insert(config.job_name.clone(), masked);
        }
        let payload = |jobs: &Map<String, Value>| serde_json::to_string(jobs).map(Payload::new).map(Arc::new);
        let hidden_payload = payload(&hidden)?;
        if inlined.is_empty() {
            return Ok(Self { hidden: hidden_payload, inlined: None });
        }
        hidden.extend(inlined);
        Ok(Self { hidden: hidden_payload, inlined: Some(payload(&hidden)?) })
    }

    /// The answer for this reader: only collectors see credentials.
    #[must_use]
    pub fn shown_to(&self, reader: Reader) -> &Arc<Payload> {
        match (reader, &self.inlined) {
            (Reader::Collector, Some(inlined)) => inlined,
            (Reader::Collector, None) | (Reader::Anonymous | Reader::Viewer, _) => &self.hidden,
        }
    }
}

/// The version is a hash of the whole config: only those see it who see the credentials, too.
fn with_secrets(config: &ScrapeConfig, rotation: SecretRotation) -> Result<Value, serde_json::Error> {
    match rotation {
        SecretRotation::Off => to_value(WithSecrets(config)),
        SecretRotation::On => {
            let version = xxh3_64(&serde_json::to_vec(&WithSecrets(config))?);
            let mut config = config.clone();
            config.add_version(&format!("{version:016x}"));
            to_value(WithSecrets(&config))
        }
    }
}
