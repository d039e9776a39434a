//! Parses `targetallocator.yaml`: the selected jobs, the collectors and the strategy.
//!
//! Input: the text of the operator's config file, with a few additional keys. Output: typed settings, notes about keys
//! without effect in a serverless function, and unknown keys. As in the operator, unknown keys are ignored. Follows
//! `cmd/otel-allocator/internal/config/config.go` of the operator.

pub mod access;
mod collectors;
pub mod egress;
mod file;
pub mod glob;
mod go_duration;
pub mod pipelines;
mod prometheus;
mod sections;
mod selector;
mod strategy;

use std::net::SocketAddr;

use serde_json::{Map, Value};

pub use access::AccessRules;
pub use collectors::{CollectorPods, Collectors};
pub use egress::Egress;
pub use pipelines::Pipeline;
pub use sections::known_keys;

use crate::duration::Duration;
use crate::monitors;
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::globals::Globals;
use crate::scrape_config::parse::{ParseError, RefusedJob};
use crate::shard::consistent_hashing::Version;
use crate::shard::{Spread, Strategy};
use crate::unknown_key::UnknownKey;
use crate::yaml::{self, Variables, YamlError};

/// The settings of one cluster.
#[derive(Debug, Clone)]
pub struct Config {
    /// The namespace of the collectors. Empty if the config does not set it.
    pub namespace: String,
    /// The collectors. `None` if the config does not define them.
    pub collectors: Option<Collectors>,
    /// The access rules.
    pub access: AccessRules,
    /// The strategy that assigns targets to collectors.
    pub strategy: Strategy,
    /// Whether dropped targets are left out (`filter_strategy: relabel-config`). Relabelling drops them.
    pub filter: bool,
    /// The settings that select monitors. `None` if `prometheus_cr` is not enabled.
    pub monitors: Option<monitors::Settings>,
    /// The jobs of `config.scrape_configs`. An error is the reason why a job is left out.
    pub scrape_configs: Vec<Result<ScrapeConfig, RefusedJob>>,
    /// The named subsets of the jobs, in the order of their names.
    pub pipelines: Vec<Pipeline>,
    /// The addresses that `http_sd_configs` may be fetched from.
    pub egress: Egress,
    /// The DNS servers for `dns_sd_configs`. If empty, the servers of the system.
    pub dns_servers: Vec<SocketAddr>,
    /// The maximum size of the rendered targets of a job, in bytes.
    pub most_of_a_job: usize,
    /// The maximum size of a shared list in an answer, in bytes.
    pub most_of_a_list: usize,
    /// The time for which shared lists keep the last targets of a job whose targets are unknown.
    pub keep_unknown: std::time::Duration,
    /// Keys that are accepted but have no effect.
    pub notes: Vec<Note>,
    /// Unknown keys. They are ignored and reported.
    pub unknown: Vec<UnknownKey>,
}

/// The default of `most_of_a_job`, for functions with unknown memory.
const MOST_OF_A_JOB: usize = 512 << 20;

/// The default of `SNAPSHOT_MAX_STALE`.
const KEEP_UNKNOWN: std::time::Duration = std::time::Duration::from_secs(600);

/// A key that is accepted but has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The key, such as `https`.
    pub key: String,
    /// The reason why the key has no effect.
    pub reason: &'static str,
}

/// The reason why a config is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text is not YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// An unknown key or a value of the wrong type.
    #[error("{path}: {message}")]
    File {
        /// The path of the key, such as `prometheus_cr.scrape_interval`. `.` is the whole file.
        path: String,
        /// The error.
        message: String,
    },
    /// The section with Prometheus' own settings is invalid.
    #[error("the Prometheus config is not valid")]
    Prometheus(#[from] ParseError),
    /// The config contains jobs, and none of them can be served. The source is the error of the first job.
    #[error("none of the jobs of config.scrape_configs can be served")]
    NoJobs(#[source] RefusedJob),
    /// An unknown value, or keys that exclude each other.
    #[error("{key}: {reason}")]
    Key {
        /// The key.
        key: &'static str,
        /// The error, and what to write instead.
        reason: String,
    },
}

impl ConfigError {
    pub(crate) fn key(key: &'static str, reason: impl Into<String>) -> Self {
        Self::Key { key, reason: reason.into() }
    }
}

impl Default for Config {
    /// The settings without a config file: all monitors of all namespaces are selected.
    fn default() -> Self {
        Self {
            namespace: String::new(),
            collectors: None,
            access: AccessRules::default(),
            strategy: Strategy::Spread { strategy: Spread::ConsistentHashing(Version::default()), replicas: 1 },
            filter: true,
            monitors: Some(monitors::Settings::selecting_all()),
            scrape_configs: Vec::new(),
            pipelines: Vec::new(),
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
    /// The `global` section that applies to generated jobs.
    #[must_use]
    pub fn globals(&self) -> Globals {
        self.monitors.as_ref().map(monitors::Settings::globals).unwrap_or_default()
    }

    /// Parses the text of a `targetallocator.yaml` without environment variables.
    ///
    /// `collector_namespace` overrides the namespace in the file, as `OTELCOL_NAMESPACE` does in the operator.
    ///
    /// # Errors
    /// [`ConfigError`] if the text is not YAML, if a value is invalid, or if a selector has an unknown field. The error
    /// names the key.
    pub fn parse(text: &str, collector_namespace: Option<&str>) -> Result<Self, ConfigError> {
        Self::parse_with(text, collector_namespace, &|_| None)
    }

    /// Parses the text of a `targetallocator.yaml`. `variable` gives the value of an environment variable to which the
    /// text refers by `${env:NAME}`.
    ///
    /// # Errors
    /// As [`Config::parse`], and if a variable has no value.
    pub fn parse_with(
        text: &str,
        collector_namespace: Option<&str>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let variables = Variables { lookup: variable, except: &WITHOUT_VARIABLES };
        let mut value = match yaml::parse_with(text, variables)? {
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

/// Sections that have no effect here. The operator itself expands `${env:NAME}` in `telemetry`, for tokens that this
/// function does not have and does not need.
const WITHOUT_VARIABLES: [&str; 2] = ["https", "telemetry"];

/// The operator's default of the grace period for collectors that are not ready.
const NOT_READY_GRACE_PERIOD: Duration = Duration::from_secs(30);

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
