//! The merged view: jobs with equal job-level settings are served as one job.
//!
//! A job has two kinds of settings. Prometheus reads some of them from the labels of a target: job name, path, scheme,
//! parameters, interval, timeout and all results of relabelling. Other settings exist only in the scrape config:
//! credentials, TLS, limits, metric relabelling. Jobs with equal settings of the second kind are served as one job with
//! relabelled targets.

use std::collections::BTreeMap;

use serde_json::Value;
use xxhash_rust::xxh64::xxh64;

use super::Job;
use super::planned_job::PlannedJob;
use crate::regex::RegexCache;
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::discovery::ServiceDiscovery;
use crate::scrape_config::globals::Globals;
use crate::scrape_config::secret::WithSecrets;
use crate::targets::Views;

/// A job of the merged view.
#[derive(Debug)]
pub struct MergedJob {
    /// The scrape config that collectors receive.
    pub scrape_config: ScrapeConfig,
    /// The jobs that are merged into this one.
    pub jobs: Vec<String>,
    /// The form in which its targets are served.
    pub form: Form,
}

/// The form of the targets of a job in the merged view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// After relabelling.
    Relabelled {
        /// Whether a scraper without job-level settings scrapes the targets in the same way.
        is_plain: bool,
    },
    /// As discovered. The job cannot be merged, and keeps its own name and rules.
    Discovered,
}

/// A job with the settings that merged jobs must share.
#[derive(Debug)]
pub(super) struct Mergeable<'j> {
    pub job: &'j Job,
    /// The settings as text. `None` if the job cannot be merged. Made once, because a job can be in several sets.
    settings: Option<String>,
}

impl<'j> Mergeable<'j> {
    pub(super) fn new(job: &'j Job) -> Self {
        Self { job, settings: settings_text(job) }
    }
}

/// The jobs of the merged view by name.
pub(super) fn merge<'m>(
    jobs: impl Iterator<Item = &'m Mergeable<'m>>,
    plain: &ScrapeConfig,
) -> BTreeMap<String, MergedJob> {
    let mut merged = BTreeMap::new();
    let mut by_settings: BTreeMap<&str, Vec<&Job>> = BTreeMap::new();
    for Mergeable { job, settings } in jobs {
        match settings {
            Some(text) => by_settings.entry(text).or_default().push(job),
            None => {
                let scrape_config = job.scrape_config().clone();
                let name = scrape_config.job_name.clone();
                merged.insert(name.clone(), MergedJob { scrape_config, jobs: vec![name], form: Form::Discovered });
            }
        }
    }
    for jobs in by_settings.into_values() {
        let Some(first) = jobs.first() else { continue };
        let mut scrape_config = settings(first.scrape_config());
        let form = Form::Relabelled { is_plain: scrape_config == *plain };
        scrape_config.job_name = name(&scrape_config, &first.scrape_config().job_name);
        let jobs = jobs.iter().map(|job| job.scrape_config().job_name.clone()).collect();
        merged.insert(scrape_config.job_name.clone(), MergedJob { scrape_config, jobs, form });
    }
    merged
}

/// The views in which the targets of a job are needed, if `views` are requested.
pub(super) fn views_of(planned: &PlannedJob, views: Views) -> Views {
    if !is_mergeable(&planned.scrape_config) {
        // The merged view serves a job that cannot be merged as discovered.
        Views { plain: true, merged: false }
    } else if is_foreign(planned) {
        // Collectors receive such a job as discovered. `/merged/targets` needs its relabelled targets, too.
        Views { plain: true, ..views }
    } else {
        views
    }
}

/// Whether the settings of a job allow merging. Its targets can still prevent it.
const fn is_mergeable(config: &ScrapeConfig) -> bool {
    // Both limits apply to the targets of a whole job.
    config.target_limit == 0 && config.keep_dropped_targets == 0
}

/// Whether the job has external sources, or discovers nodes that the function can do without. Such a source can fail at
/// any time, in one environment only. The job keeps its own name for collectors, so that a failure affects only this
/// job.
const fn is_foreign(planned: &PlannedJob) -> bool {
    !planned.sources.is_empty() || planned.not_requested.is_some() || planned.nodes_are_optional
}

/// The settings that merged jobs must share, as text. `None` if the job cannot be merged.
fn settings_text(job: &Job) -> Option<String> {
    let can_be_merged = is_mergeable(job.scrape_config()) && job.is_expressible() && !is_foreign(job.planned());
    // A job with kept targets stays in its merged job. Under another name it would lose its targets.
    let has_targets = job.unknown().is_none() || job.is_kept();
    (can_be_merged && has_targets).then(|| serde_json::to_string(&WithSecrets(&settings(job.scrape_config()))).ok())?
}

/// The settings that labels cannot express, as a scrape config without a name. Interval and timeout are required
/// fields, although each target has its own.
pub(super) fn settings(config: &ScrapeConfig) -> ScrapeConfig {
    let defaults = ScrapeConfig::new(String::new());
    let Globals { scrape_interval, scrape_timeout, .. } = Globals::default();
    ScrapeConfig {
        job_name: String::new(),
        params: if has_simple_params(config) { BTreeMap::new() } else { config.params.clone() },
        scrape_interval,
        scrape_timeout,
        metrics_path: defaults.metrics_path,
        scheme: defaults.scheme,
        service_discovery: ServiceDiscovery::default(),
        relabel_configs: Vec::new(),
        ..config.clone()
    }
}

/// Whether labels can express all parameters: each parameter has one non-empty value.
fn has_simple_params(config: &ScrapeConfig) -> bool {
    config.params.values().all(|values| matches!(values.as_slice(), [value] if !value.is_empty()))
}

/// The settings of a job that sets nothing. A scraper without settings does not know the limits of the globals, so a
/// job with such a limit is not plain.
pub(super) fn plain_settings(globals: &Globals) -> ScrapeConfig {
    let globals = &globals.without_limits();
    let mut config = ScrapeConfig::with_globals("plain", globals);
    // Validation fills in the defaults. A config without service discovery is valid if it has a name.
    let _ = config.validate(globals, &RegexCache::default());
    settings(&config)
}

/// The name of a merged job. It changes only with the settings. Credentials are not part of the hash, because weak
/// credentials could be guessed from it. The name of the first job distinguishes jobs with credentials.
fn name(settings: &ScrapeConfig, first: &str) -> String {
    let mut text = serde_json::to_value(settings).unwrap_or(Value::Null).to_string();
    if settings.has_secrets() {
        text.push_str(first);
    }
    format!("merged-{:016x}", xxh64(text.as_bytes(), 0))
}
