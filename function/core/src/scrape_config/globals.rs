//! The `global` section of a Prometheus config: the defaults of all scrape configs.
//!
//! Follows `GlobalConfig` in `config/config.go` of Prometheus. Contains only the fields that affect scraping, without
//! rules and external labels.

use super::NameValidation;
use crate::duration::Duration;
use crate::size::Size;

/// The values for fields that a scrape config does not set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of Prometheus' global section, by their names there")]
pub struct Globals {
    pub scrape_interval: Duration,
    pub scrape_timeout: Duration,
    /// Empty if unset.
    pub scrape_protocols: Vec<String>,
    pub scrape_failure_log_file: String,
    pub body_size_limit: Size,
    pub sample_limit: u64,
    pub target_limit: u64,
    pub label_limit: u64,
    pub label_name_length_limit: u64,
    pub label_value_length_limit: u64,
    pub keep_dropped_targets: u64,
    pub metric_name_validation_scheme: NameValidation,
    /// Empty if unset.
    pub metric_name_escaping_scheme: String,
    pub scrape_native_histograms: bool,
    pub convert_classic_histograms_to_nhcb: bool,
    pub always_scrape_classic_histograms: bool,
    pub extra_scrape_metrics: bool,
}

impl Default for Globals {
    /// The `DefaultGlobalConfig` of Prometheus.
    fn default() -> Self {
        Self {
            scrape_interval: Duration::from_secs(60),
            scrape_timeout: Duration::from_secs(10),
            scrape_protocols: Vec::new(),
            scrape_failure_log_file: String::new(),
            body_size_limit: Size::default(),
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            keep_dropped_targets: 0,
            metric_name_validation_scheme: NameValidation::Utf8,
            metric_name_escaping_scheme: ALLOW_UTF8.to_owned(),
            scrape_native_histograms: false,
            convert_classic_histograms_to_nhcb: false,
            always_scrape_classic_histograms: false,
            extra_scrape_metrics: false,
        }
    }
}

/// The escaping scheme that requests metric names without escaping.
pub(super) const ALLOW_UTF8: &str = "allow-utf-8";

/// The escaping scheme that replaces characters which legacy names cannot contain.
pub(super) const UNDERSCORES: &str = "underscores";

impl Globals {
    /// The globals with the limits of Prometheus' defaults: none.
    #[must_use]
    pub fn without_limits(&self) -> Self {
        Self {
            body_size_limit: Size::default(),
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            keep_dropped_targets: 0,
            ..self.clone()
        }
    }

    /// The escaping scheme. If unset, it is derived from the validation scheme.
    #[must_use]
    pub fn escaping_scheme(&self) -> &str {
        if self.metric_name_escaping_scheme.is_empty() {
            default_escaping(self.metric_name_validation_scheme)
        } else {
            &self.metric_name_escaping_scheme
        }
    }
}

/// The default escaping scheme for a validation scheme.
pub(super) const fn default_escaping(validation: NameValidation) -> &'static str {
    match validation {
        NameValidation::Utf8 => ALLOW_UTF8,
        NameValidation::Legacy => UNDERSCORES,
    }
}
