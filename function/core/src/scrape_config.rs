//! Scrape configs as Prometheus prints them, with the defaults filled in.
//!
//! Scrape configs are generated from monitors or parsed from `config.scrape_configs`, and served at `/scrape_configs`.
//! The serialised text equals the output of Prometheus, including the omission of empty fields. Follows
//! `config/config.go` of Prometheus.

pub mod discovery;
pub mod fields;
pub mod globals;
pub mod http_client;
pub mod parse;
pub mod secret;
pub mod shard;
pub mod url;
pub mod validation;
pub mod yaml_text;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::duration::Duration;
pub use crate::labels::NameValidation;
use crate::relabel::RelabelConfig;
use crate::size::Size;
use discovery::ServiceDiscovery;
use globals::Globals;
use http_client::HttpClientConfig;
use secret::WithSecrets;

/// One scrape config: how Prometheus discovers and scrapes the targets of one job.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of Prometheus' scrape_config, by their names there")]
pub struct ScrapeConfig {
    pub job_name: String,
    #[serde(skip_serializing_if = "is_default")]
    pub honor_labels: bool,
    pub honor_timestamps: bool,
    pub track_timestamps_staleness: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub params: BTreeMap<String, Vec<String>>,
    pub scrape_interval: Duration,
    pub scrape_timeout: Duration,
    pub scrape_protocols: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub fallback_scrape_protocol: String,
    pub scrape_native_histograms: bool,
    pub always_scrape_classic_histograms: bool,
    pub convert_classic_histograms_to_nhcb: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub scrape_failure_log_file: String,
    #[serde(skip_serializing_if = "is_default")]
    pub metrics_path: String,
    #[serde(skip_serializing_if = "is_default")]
    pub scheme: String,
    pub enable_compression: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub body_size_limit: Size,
    #[serde(skip_serializing_if = "is_default")]
    pub sample_limit: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub target_limit: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub label_limit: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub label_name_length_limit: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub label_value_length_limit: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub native_histogram_bucket_limit: u64,
    #[serde(skip_serializing_if = "is_default", serialize_with = "number")]
    pub native_histogram_min_bucket_factor: f64,
    #[serde(skip_serializing_if = "is_default")]
    pub keep_dropped_targets: u64,
    pub metric_name_validation_scheme: NameValidation,
    pub metric_name_escaping_scheme: String,
    pub extra_scrape_metrics: bool,
    #[serde(flatten)]
    pub service_discovery: ServiceDiscovery,
    #[serde(flatten)]
    pub http_client: HttpClientConfig,
    #[serde(skip_serializing_if = "is_default")]
    pub relabel_configs: Vec<RelabelConfig>,
    #[serde(skip_serializing_if = "is_default")]
    pub metric_relabel_configs: Vec<RelabelConfig>,
}

impl ScrapeConfig {
    /// A scrape config with the defaults of Prometheus (`DefaultScrapeConfig`) and default globals.
    pub fn new(job_name: impl Into<String>) -> Self {
        Self::with_globals(job_name, &Globals::default())
    }

    /// A scrape config with the defaults of Prometheus.
    ///
    /// [`Self::validate`] fills in the fields that are zero or empty. For booleans and name validation, an unset value
    /// looks like a chosen one. These fields therefore start with the values of the globals.
    pub fn with_globals(job_name: impl Into<String>, globals: &Globals) -> Self {
        Self {
            job_name: job_name.into(),
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            params: BTreeMap::new(),
            scrape_interval: Duration::default(),
            scrape_timeout: Duration::default(),
            scrape_protocols: Vec::new(),
            fallback_scrape_protocol: String::new(),
            scrape_native_histograms: globals.scrape_native_histograms,
            always_scrape_classic_histograms: globals.always_scrape_classic_histograms,
            convert_classic_histograms_to_nhcb: globals.convert_classic_histograms_to_nhcb,
            scrape_failure_log_file: String::new(),
            metrics_path: "/metrics".to_owned(),
            scheme: "http".to_owned(),
            enable_compression: true,
            body_size_limit: Size::default(),
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            native_histogram_bucket_limit: 0,
            native_histogram_min_bucket_factor: 0.0,
            keep_dropped_targets: 0,
            metric_name_validation_scheme: globals.metric_name_validation_scheme,
            metric_name_escaping_scheme: String::new(),
            extra_scrape_metrics: globals.extra_scrape_metrics,
            service_discovery: ServiceDiscovery::default(),
            http_client: HttpClientConfig::default(),
            relabel_configs: Vec::new(),
            metric_relabel_configs: Vec::new(),
        }
    }

    /// Sets the name validation scheme explicitly. An unset escaping scheme is then derived from `scheme`, not from the
    /// globals.
    pub fn set_name_validation(&mut self, scheme: NameValidation) {
        self.metric_name_validation_scheme = scheme;
        if self.metric_name_escaping_scheme.is_empty() {
            globals::default_escaping(scheme).clone_into(&mut self.metric_name_escaping_scheme);
        }
    }

    /// Whether the config contains a secret that is masked in an answer without secrets.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        let text = |config: Result<String, serde_json::Error>| config.unwrap_or_default();
        text(serde_json::to_string(self)) != text(serde_json::to_string(&WithSecrets(self)))
    }

    /// Adds a rule that contains `version` and has no effect: it sets a label to its own value. Collectors ignore
    /// secrets when they compare scrape configs. The rule makes them notice a changed secret.
    pub fn add_version(&mut self, version: &str) {
        self.relabel_configs.push(RelabelConfig {
            source_labels: vec![VERSION.to_owned()],
            regex: Some(version.to_owned()),
            target_label: VERSION.to_owned(),
            replacement: version.to_owned(),
            ..RelabelConfig::default()
        });
    }
}

const VERSION: &str = "__tmp_credentials_version";

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Prints a whole number without a fraction, as Go does.
fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and within the range in which f64 is exact"
    )]
    if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}
