//! `targetallocator.yaml`: what is allocated, to whom, and how.
//!
//! Input: the text of the operator's own config file, with a few keys of ours
//! beside the operator's. Output: typed settings, notes on keys that have no effect in a
//! serverless function, and the unknown keys, which are ignored as the operator ignores them.
//! Follows `cmd/otel-allocator/internal/config/config.go` of the operator.

pub mod access;
mod collectors;
pub mod egress;
mod file;
mod sections;
mod selector;
mod strategy;

use std::net::SocketAddr;

use serde_json::{Map, Value};

pub use access::AccessRules;
pub use collectors::{CollectorPods, Collectors};
pub use egress::Egress;
pub use sections::known_keys;

use crate::duration::Duration;
use crate::monitors;
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::globals::Globals;
use crate::scrape_config::parse::{ParseError, RefusedJob};
use crate::shard::consistent_hashing::Version;
use crate::shard::{Spread, Strategy};
use crate::unknown_key::UnknownKey;
use crate::yaml::{self, YamlError};

/// What is allocated, to whom, and how.
#[derive(Debug, Clone)]
pub struct Config {
    /// The collectors' namespace; empty if the config does not say.
    pub namespace: String,
    /// Who the targets are given to; `None` if the config does not say.
    pub collectors: Option<Collectors>,
    /// Who may ask for what.
    pub access: AccessRules,
    /// How they are given out.
    pub strategy: Strategy,
    /// Whether targets that a job's relabelling drops are left out (`filter_strategy: relabel-config`).
    pub filter: bool,
    /// Which monitors are selected; `None` if `prometheus_cr` is not enabled.
    pub monitors: Option<monitors::Settings>,
    /// The jobs of `config.scrape_configs`, or why one of them is left out.
    pub scrape_configs: Vec<Result<ScrapeConfig, RefusedJob>>,
    /// What `http_sd_configs` may be fetched from.
    pub egress: Egress,
    /// Who is asked for `dns_sd_configs`; whom the system asks if empty.
    pub dns_servers: Vec<SocketAddr>,
    /// How many bytes the targets of a job may take, rendered.
    pub most_of_a_job: usize,
    /// How many bytes a list that several jobs share may take, as it stands in an answer.
    pub most_of_a_list: usize,
    /// How long shared lists keep the last targets of a job whose targets are not known any more.
    pub keep_unknown: std::time::Duration,
    /// Keys that are accepted but change nothing here.
    pub notes: Vec<Note>,
    /// Keys that nobody knows. They are ignored, and reported.
    pub unknown: Vec<UnknownKey>,
}

/// What the targets of a job may take where nothing is known of the function's memory.
const MOST_OF_A_JOB: usize = 512 << 20;

/// The default of `SNAPSHOT_MAX_STALE`.
const KEEP_UNKNOWN: std::time::Duration = std::time::Duration::from_secs(600);

/// A key that is accepted but changes nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The key, such as `https`.
    pub key: String,
    /// Why it changes nothing.
    pub reason: &'static str,
}

/// Why a config is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// An unknown key or a value of the wrong type.
    #[error("{path}: {message}")]
    File {
        /// The key at fault, such as `prometheus_cr.scrape_interval`; `.` for the whole file.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// The section of Prometheus' own settings is wrong.
    #[error("the Prometheus config is not valid")]
    Prometheus(#[from] ParseError),
    /// The config writes jobs, and none of them can be served. The source is the first one.
    #[error("none of the jobs of config.scrape_configs can be served")]
    NoJobs(#[source] RefusedJob),
    /// A value that is not one of those known, or keys that exclude each other.
    #[error("{key}: {reason}")]
    Key {
        /// The key at fault.
        key: &'static str,
        /// What is wrong and what to write instead.
        reason: String,
    },
}

impl ConfigError {
    pub(crate) fn key(key: &'static str, reason: impl Into<String>) -> Self {
        Self::Key { key, reason: reason.into() }
    }
}

impl Default for Config {
    /// Without any config: all monitors of all namespaces.
    fn default() -> Self {
        Self {
            namespace: String::new(),
            collectors: None,
            access: AccessRules::default(),
            strategy: Strategy::Spread { strategy: Spread::ConsistentHashing(Version::default()), replicas: 1 },
            filter: true,
            monitors: Some(monitors::Settings::selecting_all()),
            scrape_configs: Vec::new(),
            egress: Egress::default(),
            dns_servers: Vec::new(),
            most_of_a_job: MOST_OF_A_JOB,
            most_of_a_list: usize::MAX,
            keep_unknown: KEEP_UNKNOWN,
            notes: Vec::new(),
            unknown: Vec::new(),
        }
    }
}

impl Config {
    /// What jobs take that say nothing for themselves.
    #[must_use]
    pub fn globals(&self) -> Globals {
        self.monitors.as_ref().map(monitors::Settings::globals).unwrap_or_default()
    }

    /// Reads the text of a `targetallocator.yaml`.
    ///
    /// `collector_namespace`, where given, goes before the file's own, as the
    /// peer's `OTELCOL_NAMESPACE` does.
    ///
    /// # Errors
    /// When the text is not YAML, a value is wrong, or a selector has an unknown field; the error names the key.
    pub fn parse(text: &str, collector_namespace: Option<&str>) -> Result<Self, ConfigError> {
        let mut value = match yaml::parse(text)? {
            Value::Null => Value::Object(Map::new()),
            value => value,
        };
        let unknown = sections::take_unknown(&mut value)?;
        let mut file: file::File = serde_path_to_error::deserialize(value).map_err(|error| ConfigError::File {
            path: error.path().to_string(),
            message: error.inner().to_string(),
        })?;
        if let Some(namespace) = collector_namespace {
            file.collector_namespace = Some(namespace.to_owned());
        }
        file.into_config(unknown)
    }
}

/// The peer's default for pods that are not ready.
const NOT_READY_GRACE_PERIOD: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
