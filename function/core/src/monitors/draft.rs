//! Job drafts: the stage between a monitor and a scrape config that Prometheus can load.
//!
//! Input: a scrape config as the operator generates it. Output: the job with defaults filled in, or the reason why
//! Prometheus or the settings reject it.

use std::ops::Range;

use super::assets::Assets;
use super::certificate::NotLoadable;
use super::finding::{Finding, Within, chain};
use super::{Settings, certificate, relabeling};
use crate::objects::Object;
use crate::objects::monitoring::ScrapeClass;
use crate::regex::RegexCache;
use crate::relabel::{RelabelConfig, RelabelError};
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::globals::Globals;
use crate::scrape_config::secret::WithSecrets;
use crate::scrape_config::shard::{self, ShardError};
use crate::scrape_config::validation::ScrapeConfigError;

/// The inputs of a job, besides the monitor.
#[derive(Debug)]
pub struct Context<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The secrets and config maps that the monitor can refer to.
    pub assets: Assets<'a>,
    /// Findings about ignored parts of the monitor.
    pub notes: Vec<Finding>,
}

/// The files of a collector that a monitor may name (`prometheus_cr.deny_fs_access_through_sms`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Files {
    /// The key is absent. A TLS config may name no file except [`SERVICE_ACCOUNT_CA`]. A collector that cannot read
    /// such a file ignores all later changes of all jobs. A token file is allowed, because the collector reads it at
    /// each scrape and a failure harms only its own job.
    /// DIFFERENCE(tls-files): the operator allows all files.
    #[default]
    WithoutTls,
    /// The key is `true`: no file is allowed.
    Denied,
    /// The key is `false`: all files are allowed, as in the operator.
    Allowed,
}

/// The CA file of service accounts. Every pod with a service account has it, and monitors of the API server and the
/// kubelet use it.
pub const SERVICE_ACCOUNT_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// The rules of a job that come from the monitor itself.
#[derive(Debug, Clone, Default)]
pub struct OwnRules {
    /// The indexes of the rules in the rule list of the job.
    pub range: Range<usize>,
    /// The field of the rules in the monitor, relative to the field of the job.
    pub field: &'static str,
}

impl OwnRules {
    /// Appends the rules of a monitor to `rules`.
    pub fn append(rules: &mut Vec<RelabelConfig>, own: Vec<RelabelConfig>, field: &'static str) -> Self {
        let start = rules.len();
        rules.extend(own);
        Self { range: start..rules.len(), field }
    }

    /// The field of the rule with this index in the rule list of the job. `None` if the rule does not come from the
    /// monitor.
    #[must_use]
    pub fn field(&self, index: usize) -> Option<String> {
        self.range.contains(&index).then(|| format!("{}[{}]", self.field, index - self.range.start))
    }
}

/// A job as the operator generates it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The field of the monitor that defines the job, such as `spec.endpoints[0]`.
    pub field: String,
    /// The index of the endpoint in the monitor. `None` for kinds with a single job.
    pub endpoint: Option<usize>,
    /// The generated scrape config.
    pub config: ScrapeConfig,
    /// The relabelling rules that come from the monitor.
    pub relabelings: OwnRules,
    /// The metric relabelling rules that come from the monitor.
    pub metric_relabelings: OwnRules,
    /// The rule of `enforced_namespace_label`. It follows the rules of the monitor, so that they cannot undo it.
    pub namespace_rule: Option<RelabelConfig>,
}

/// A job that Prometheus and a collector can load.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The job.
    pub draft: Draft,
    /// The size of the scrape config, in bytes of JSON.
    pub bytes: usize,
}

impl Draft {
    /// A draft of a job of `monitor`, with the defaults of Prometheus.
    #[must_use]
    pub fn new<T: Object>(
        monitor: &T,
        settings: &Settings,
        job_name: String,
        field: String,
        endpoint: Option<usize>,
    ) -> Self {
        Self {
            field,
            endpoint,
            config: ScrapeConfig::new(job_name),
            relabelings: OwnRules::default(),
            metric_relabelings: OwnRules::default(),
            namespace_rule: settings.prometheus.namespace_label.rule(monitor),
        }
    }

    /// Sets the relabelling rules. The order is: generated rules, rules of the scrape class, rules of the monitor, the
    /// enforced namespace label, and the rules that select a shard by `shard_by`.
    ///
    /// # Errors
    /// [`Finding`] if Prometheus cannot parse a rule of the scrape class.
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
        rules.extend(self.namespace_rule.clone());
        rules.extend(relabeling::shard(shard_by));
        Ok(())
    }

    /// Sets the metric relabelling rules. The order is: rules of the scrape class, rules of the monitor, and the
    /// enforced namespace label.
    ///
    /// # Errors
    /// [`Finding`] if Prometheus cannot parse a rule of the scrape class.
    pub fn set_metric_relabelings(&mut self, class: &ScrapeClass, own: Vec<RelabelConfig>) -> Result<(), Finding> {
        let rules = &mut self.config.metric_relabel_configs;
        *rules = relabeling::converted(&class.metric_relabelings).within("spec.scrapeClass.metricRelabelings")?;
        self.metric_relabelings = OwnRules::append(rules, own, "metricRelabelings");
        rules.extend(self.namespace_rule.clone());
        Ok(())
    }

    /// Fills in the defaults and checks the job.
    ///
    /// # Errors
    /// [`Finding`] if Prometheus or a collector cannot load the job, or if it reads files that the settings deny.
    pub fn finish(mut self, globals: &Globals, files: Files, regexes: &RegexCache) -> Result<Finished, Finding> {
        let bytes = self.check(globals, files, regexes).within(&self.field)?;
        Ok(Finished { draft: self, bytes })
    }

    /// Checks the job. Returns its size in `/scrape_configs`, in bytes.
    fn check(&mut self, globals: &Globals, files: Files, regexes: &RegexCache) -> Result<usize, Finding> {
        self.config.validate(globals, regexes).map_err(|error| self.finding(&error))?;
        if files == Files::Denied
            && let Some(file) = file(&self.config)
        {
            return Err(Finding::left_out(format_args!(
                "reads a file, which prometheus_cr.deny_fs_access_through_sms denies: {file}"
            )));
        }
        certificate::check_loadable(&self.config.http_client.tls_config)
            .map_err(|NotLoadable { field, reason }| Finding::left_out(reason).within(field).within("tlsConfig"))?;
        // With `SECRETS=inline` collectors read the credentials too.
        let text = serde_json::to_string(&WithSecrets(&self.config)).map_err(Finding::left_out)?;
        shard::check(&self.config, &text).map_err(|error| self.shard_finding(&error))?;
        Ok(text.len())
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

/// The first file that a job names. As in the operator, only credentials and TLS files are checked.
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
