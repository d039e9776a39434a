//! Jobs on the way from a monitor to a scrape config that Prometheus would load.
//!
//! In: a scrape config as the operator generates it; out: the job, defaults filled in,
//! or why Prometheus' parser refuses it or the settings deny it.

use std::ops::Range;

use super::assets::Assets;
use super::finding::{Finding, Within, chain};
use super::{Settings, relabeling};
use crate::objects::monitoring::ScrapeClass;
use crate::relabel::{RelabelConfig, RelabelError};
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::globals::Globals;
use crate::scrape_config::validation::ScrapeConfigError;

/// What jobs are made with, besides the monitor.
#[derive(Debug)]
pub struct Context<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// What the monitor can refer to.
    pub assets: Assets<'a>,
    /// What was passed over while its jobs were made.
    pub notes: Vec<Finding>,
}

/// Which of the rules of a job stand in the monitor.
#[derive(Debug, Clone, Default)]
pub struct OwnRules {
    /// Where in the list they stand.
    pub range: Range<usize>,
    /// The field of the monitor, inside of that of the job.
    pub field: &'static str,
}

impl OwnRules {
    /// Adds the rules of a monitor to those that are there.
    pub fn append(rules: &mut Vec<RelabelConfig>, own: Vec<RelabelConfig>, field: &'static str) -> Self {
        let start = rules.len();
        rules.extend(own);
        Self { range: start..rules.len(), field }
    }

    /// The field of the rule with that index in the list of the job, if it stands in the monitor.
    #[must_use]
    pub fn field(&self, index: usize) -> Option<String> {
        self.range.contains(&index).then(|| format!("{}[{}]", self.field, index - self.range.start))
    }
}

/// A job as the operator generates it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The field of the monitor that makes the job, such as `spec.endpoints[0]`.
    pub field: String,
    /// Which endpoint of the monitor it is, if it can have several.
    pub endpoint: Option<usize>,
    /// What is generated.
    pub config: ScrapeConfig,
    /// Which of the relabelling rules stand in the monitor.
    pub relabelings: OwnRules,
    /// Which of the metric relabelling rules stand in the monitor.
    pub metric_relabelings: OwnRules,
}

impl Draft {
    /// Prometheus' defaults, to be filled in.
    #[must_use]
    pub fn new(job_name: String, field: String, endpoint: Option<usize>) -> Self {
        Self {
            field,
            endpoint,
            config: ScrapeConfig::new(job_name),
            relabelings: OwnRules::default(),
            metric_relabelings: OwnRules::default(),
        }
    }

    /// Sets the rules: those that the operator makes, those of the scrape class, those of the monitor,
    /// and last those that take a shard by `shard_by`.
    ///
    /// # Errors
    /// If Prometheus cannot read a rule of the scrape class.
    pub fn set_relabelings(
        &mut self,
        generated: Vec<RelabelConfig>,
        class: &ScrapeClass,
        own: Vec<RelabelConfig>,
        own_field: &'static str,
        shard_by: &str,
    ) -> Result<(), Finding> {
        let rules = &mut self.config.relabel_configs;
        *rules = generated;
        rules.extend(relabeling::converted(&class.relabelings).within("spec.scrapeClass.relabelings")?);
        self.relabelings = OwnRules::append(rules, own, own_field);
        rules.extend(relabeling::shard(shard_by));
        Ok(())
    }

    /// Sets the rules for metrics: those of the scrape class and those of the monitor.
    ///
    /// # Errors
    /// If Prometheus cannot read a rule of the scrape class.
    pub fn set_metric_relabelings(&mut self, class: &ScrapeClass, own: Vec<RelabelConfig>) -> Result<(), Finding> {
        let rules = &mut self.config.metric_relabel_configs;
        *rules = relabeling::converted(&class.metric_relabelings).within("spec.scrapeClass.metricRelabelings")?;
        self.metric_relabelings = OwnRules::append(rules, own, "metricRelabelings");
        Ok(())
    }

    /// Fills in what is unset.
    ///
    /// # Errors
    /// If Prometheus would not load it, or if it reads files and that is denied.
    pub fn finish(&mut self, globals: &Globals, deny_files: bool) -> Result<(), Finding> {
        self.config.validate(globals).map_err(|error| self.finding(&error))?;
        if deny_files && let Some(file) = file(&self.config) {
            return Err(Finding::left_out(format_args!(
                "reads a file, which prometheus_cr.deny_fs_access_through_sms denies: {file}"
            )));
        }
        Ok(())
    }

    fn finding(&self, error: &ScrapeConfigError) -> Finding {
        if let ScrapeConfigError::Relabel { field, source: RelabelError { index, refusal } } = error {
            let own = if *field == "relabel_configs" { &self.relabelings } else { &self.metric_relabelings };
            if let Some(field) = own.field(*index) {
                return Finding::left_out(format_args!("cannot be used by prometheus: {}", chain(refusal)))
                    .within(&field);
            }
        }
        Finding::left_out(format_args!("cannot be used by prometheus: {}", chain(error)))
    }
}

/// The files that a job names, as far as the peer looks.
fn file(config: &ScrapeConfig) -> Option<String> {
    let client = &config.http_client;
    let credentials = client.authorization.as_ref().map_or("", |authorization| &authorization.credentials_file);
    let tls = &client.tls_config;
    let files = [
        ("authorization.credentials_file", credentials),
        ("tls_config.ca_file", &tls.ca_file),
        ("tls_config.cert_file", &tls.cert_file),
        ("tls_config.key_file", &tls.key_file),
    ];
    files.into_iter().find(|(_, file)| !file.is_empty()).map(|(field, file)| format!("{field} {file:?}"))
}
