//! The merged view: jobs that agree on what a scrape config alone can say, as one.
//!
//! A job has two kinds of settings. Prometheus takes some of them from a target's labels: the job's name,
//! the path, the scheme, parameters, interval, timeout, and all that relabelling makes. The others belong to
//! the scrape config: credentials, TLS, limits, metric relabelling. Jobs whose settings of the second kind
//! are equal are served as one job whose targets are relabelled already.

use std::collections::BTreeMap;

use serde_json::Value;
use xxhash_rust::xxh64::xxh64;

use super::Job;
use super::plan::PlannedJob;
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::discovery::ServiceDiscovery;
use crate::scrape_config::globals::Globals;
use crate::scrape_config::secret::WithSecrets;
use crate::targets::Views;

/// A job of the merged view.
#[derive(Debug)]
pub struct MergedJob {
    /// The scrape config that collectors get.
    pub scrape_config: ScrapeConfig,
    /// The jobs whose targets it has.
    pub jobs: Vec<String>,
    /// How its targets are served.
    pub form: Form,
}

/// How the targets of a job of the merged view are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Relabelled.
    Relabelled {
        /// Whether a scraper without any job-level setting scrapes them the same way.
        is_plain: bool,
    },
    /// As discovered: it is a job that cannot be merged, under its own name and with its own rules.
    Discovered,
}

/// The jobs of the merged view by name.
pub(super) fn merge<'j>(jobs: impl Iterator<Item = &'j Job>, plain: &ScrapeConfig) -> BTreeMap<String, MergedJob> {
    let mut merged = BTreeMap::new();
    let mut by_settings: BTreeMap<String, Vec<&Job>> = BTreeMap::new();
    for job in jobs {
        match settings_text(job) {
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

/// The forms in which the targets of a job are needed, where `views` are requested.
pub(super) fn views_of(planned: &PlannedJob, views: Views) -> Views {
    if !is_mergeable(&planned.scrape_config) {
        // The merged view serves such a job as discovered, too.
        Views { plain: true, merged: false }
    } else if is_foreign(planned) {
        // The same for collectors, but `/merged/targets` has its relabelled targets.
        Views { plain: true, ..views }
    } else {
        views
    }
}

/// Whether a job could be merged with others if its targets allow for it.
const fn is_mergeable(config: &ScrapeConfig) -> bool {
    // Both limits count the targets of a whole job.
    config.target_limit == 0 && config.keep_dropped_targets == 0
}

/// Whether targets come from outside of the cluster, or from nodes that the function may do without. Such a source can
/// fail at any time and in any environment. The failure must concern its job alone, so collectors have that job under
/// its own name.
const fn is_foreign(planned: &PlannedJob) -> bool {
    !planned.sources.is_empty() || planned.not_asked.is_some() || planned.nodes_are_optional
}

/// The settings that must be equal in jobs that are merged, as text; `None` if the job cannot be merged.
fn settings_text(job: &Job) -> Option<String> {
    let can_be_merged = is_mergeable(job.scrape_config()) && job.is_expressible() && !is_foreign(job.planned());
    // A job whose last targets are kept stays where it is: elsewhere it would lose them.
    let has_targets = job.unknown().is_none() || job.is_kept();
    (can_be_merged && has_targets).then(|| serde_json::to_string(&WithSecrets(&settings(job.scrape_config()))).ok())?
}

/// The settings that labels cannot express, as a scrape config without a name. Interval and timeout must
/// be there, though each target has its own.
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

/// Whether labels can express all parameters: a label holds one value, which is not empty.
fn has_simple_params(config: &ScrapeConfig) -> bool {
    config.params.values().all(|values| matches!(values.as_slice(), [value] if !value.is_empty()))
}

/// The settings of a job that sets nothing itself.
pub(super) fn plain_settings(globals: &Globals) -> ScrapeConfig {
    let mut config = ScrapeConfig::with_globals("plain", globals);
    // Only a name is needed for a config without service discovery to be valid.
    let _ = config.validate(globals);
    settings(&config)
}

/// A name that stays the same as long as the settings do. Credentials are not part of the hash, since a short
/// one could be guessed from it. Where there are credentials, the name of the first job is part of it.
fn name(settings: &ScrapeConfig, first: &str) -> String {
    let mut text = serde_json::to_value(settings).unwrap_or(Value::Null).to_string();
    if settings.has_secrets() {
        text.push_str(first);
    }
    format!("merged-{:016x}", xxh64(text.as_bytes(), 0))
}
