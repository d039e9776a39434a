//! Jobs on the way from a monitor to a scrape config that Prometheus would load.
//!
//! In: a scrape config as the operator generates it; out: the job, defaults filled in,
//! or why Prometheus' parser refuses it or the settings deny it.

use std::ops::Range;

use super::assets::Assets;
use super::certificate::NotLoadable;
use super::finding::{Finding, Within, chain};
use super::{Settings, certificate, relabeling};
use crate::objects::monitoring::ScrapeClass;
use crate::relabel::{RelabelConfig, RelabelError};
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::globals::Globals;
use crate::scrape_config::secret::WithSecrets;
use crate::scrape_config::shard::{self, ShardError};
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

/// Which files of a collector a monitor may name (`prometheus_cr.deny_fs_access_through_sms`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Files {
    /// The key is absent: no file of a TLS config except [`SERVICE_ACCOUNT_CA`]. A collector that cannot read such a file
    /// applies no change of any job. A file with a token is read at each scrape and harms only its own job.
    /// DIFFERENCE(tls-files): the operator allows all files.
    #[default]
    WithoutTls,
    /// `true`: none.
    Denied,
    /// `false`: all, as with the operator.
    Allowed,
}

/// The file that each pod with a service account has, and that monitors of the API server and of the kubelet name.
pub const SERVICE_ACCOUNT_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

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

/// A job that Prometheus and a collector would load.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The job.
    pub draft: Draft,
    /// What its scrape config takes as JSON.
    pub bytes: usize,
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
    /// If Prometheus or a collector would not load the job, or if it reads files that the settings deny.
    pub fn finish(mut self, globals: &Globals, files: Files) -> Result<Finished, Finding> {
        let bytes = self.check(globals, files).within(&self.field)?;
        Ok(Finished { draft: self, bytes })
    }

    /// The bytes of the job in `/scrape_configs`.
    fn check(&mut self, globals: &Globals, files: Files) -> Result<usize, Finding> {
        self.config.validate(globals).map_err(|error| self.finding(&error))?;
        if files == Files::Denied
            && let Some(file) = file(&self.config)
        {
            return Err(Finding::left_out(format_args!(
                "reads a file, which prometheus_cr.deny_fs_access_through_sms denies: {file}"
            )));
        }
        certificate::check_loadable(&self.config.http_client.tls_config)
            .map_err(|NotLoadable { field, reason }| Finding::left_out(reason).within(field).within("tlsConfig"))?;
        let text = serde_json::to_string(&self.config).map_err(Finding::left_out)?;
        shard::check(&self.config, &text).map_err(|error| self.shard_finding(&error))?;
        // With `SECRETS=inline` collectors read the credentials too.
        let shown = serde_json::to_vec(&WithSecrets(&self.config)).map_err(Finding::left_out)?;
        Ok(shown.len())
    }

    fn shard_finding(&self, error: &ShardError) -> Finding {
        let field = match error {
            ShardError::Rule { field, source, .. } => self.own_rules(field).field(source.index),
            _ => None,
        };
        Finding::left_out(chain(error)).within(&field.unwrap_or_default())
    }

    fn own_rules(&self, field: &str) -> &OwnRules {
        if field == "relabel_configs" { &self.relabelings } else { &self.metric_relabelings }
    }

    fn finding(&self, error: &ScrapeConfigError) -> Finding {
        if let ScrapeConfigError::Relabel { field, source: RelabelError { index, refusal } } = error
            && let Some(field) = self.own_rules(field).field(*index)
        {
            return Finding::left_out(format_args!("cannot be used by prometheus: {}", chain(refusal))).within(&field);
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
