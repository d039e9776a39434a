//! The answers to `/scrape_configs`: one without credentials, and one with credentials
//! for collectors that an authorizer verified.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::to_value;
use target_allocator_core::access::Reader;
use target_allocator_core::scrape_config::ScrapeConfig;
use target_allocator_core::scrape_config::secret::WithSecrets;
use target_allocator_core::scrape_config::yaml_text::escape;
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
    /// The answers for these jobs. Each job is written before the next one is looked at, which takes less memory
    /// than values of all of them.
    ///
    /// # Errors
    /// When a config cannot be written as JSON.
    pub fn new<'a>(
        configs: impl Iterator<Item = &'a ScrapeConfig>,
        secrets: Secrets,
        rotation: SecretRotation,
    ) -> Result<Self, serde_json::Error> {
        let configs: BTreeMap<&str, &ScrapeConfig> = configs.map(|config| (config.job_name.as_str(), config)).collect();
        let (mut hidden, mut inlined, mut differs) = (Writer::default(), Writer::default(), false);
        for (name, config) in configs {
            let text = sorted_json(config)?;
            hidden.write(name, &text)?;
            if secrets == Secrets::Inline {
                let has_secrets = config.has_secrets();
                differs |= has_secrets;
                let shown = if has_secrets { with_secrets(config, rotation)? } else { text };
                inlined.write(name, &shown)?;
            }
        }
        Ok(Self { hidden: hidden.finish(), inlined: differs.then(|| inlined.finish()) })
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

/// A JSON object while it is written. Collectors read it as YAML.
#[derive(Default)]
struct Writer {
    text: String,
}

impl Writer {
    fn write(&mut self, name: &str, value: &str) -> Result<(), serde_json::Error> {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        self.text.push_str(&escape(&serde_json::to_string(name)?));
        self.text.push(':');
        self.text.push_str(&escape(value));
        Ok(())
    }

    fn finish(mut self) -> Arc<Payload> {
        if self.text.is_empty() {
            self.text.push('{');
        }
        self.text.push('}');
        Arc::new(Payload::new(self.text))
    }
}

/// JSON with sorted keys.
fn sorted_json(config: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(&to_value(config)?)
}

/// The version is a hash of the whole config: only callers who see the credentials see it too.
fn with_secrets(config: &ScrapeConfig, rotation: SecretRotation) -> Result<String, serde_json::Error> {
    match rotation {
        SecretRotation::Off => sorted_json(&WithSecrets(config)),
        SecretRotation::On => {
            let version = xxh3_64(&serde_json::to_vec(&WithSecrets(config))?);
            let mut config = config.clone();
            config.add_version(&format!("{version:016x}"));
            sorted_json(&WithSecrets(&config))
        }
    }
}
