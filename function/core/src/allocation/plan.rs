//! Which jobs there are, before anything is discovered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Kind;
use super::expressions::Expressions;
use super::kinds::kinds_of_discovery;
use super::pipelines::{self, Pipelines};
use super::planned_job::{Inputs, Origin, PlannedJob, WrittenRules, config_file, config_object};
use super::read_scope::{self, ReadScope};
use crate::config::Config;
use crate::monitors::bounds::{Bounds, Used};
use crate::monitors::{self, ReferencedObject, ScrapeJob};
use crate::objects::Cluster;
use crate::regex::RegexCache;
use crate::report::{Outcome, Report};
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::parse::ParseError;
use crate::scrape_config::shard::{self, SHARD};

/// The jobs to find targets for, in the order of their names.
#[derive(Debug)]
pub struct Plan {
    pub(super) jobs: Vec<Arc<PlannedJob>>,
    pub(super) pipelines: Pipelines,
    pub(super) report: Report,
    used: Used,
}

const REPLACED_NAME: &str = "holds $(SHARD), which collectors replace by a number, so that they ask for the targets of \
    another job, rename the job";

/// Leaves out jobs whose names become those of others when a collector replaces `$(SHARD)`, and notes that no collector
/// finds the targets of the others: it asks by the replaced name, as it asks the operator's allocator.
fn check_job_names(jobs: &mut BTreeMap<String, Arc<PlannedJob>>, report: &mut Report) {
    let (replaced, mut names): (Vec<String>, Vec<String>) = jobs.keys().cloned().partition(|name| name.contains(SHARD));
    for name in replaced {
        names.push(name);
        let same = shard::check_distinct(names.iter().map(String::as_str)).err();
        let Some(job) = names.last().and_then(|name| jobs.get(name)) else { continue };
        let object = job.object();
        match same {
            None => report.push(object, Outcome::Adjusted, "job_name", REPLACED_NAME),
            Some(error) => {
                report.push(object, Outcome::JobLeftOut, "job_name", error);
                names.pop().and_then(|name| jobs.remove(&name));
            }
        }
    }
}

/// The secrets and config maps that selected monitors name.
#[must_use]
pub fn references(config: &Config, cluster: &Cluster) -> BTreeSet<ReferencedObject> {
    config.monitors.as_ref().map(|settings| monitors::references(settings, cluster)).unwrap_or_default()
}

/// Whether both states of a cluster give the same jobs.
#[must_use]
pub fn is_planned_alike(before: &Cluster, now: &Cluster) -> bool {
    now.service_monitors.is_same(&before.service_monitors)
        && now.pod_monitors.is_same(&before.pod_monitors)
        && now.probes.is_same(&before.probes)
        && now.scrape_configs.is_same(&before.scrape_configs)
        && now.namespaces.is_same(&before.namespaces)
        && now.secrets.is_same(&before.secrets)
        && now.config_maps.is_same(&before.config_maps)
        && now.unreadable == before.unreadable
}

/// Makes jobs of the selected monitors and of `config.scrape_configs`. A job that is
/// the same as in `before` is not compiled again.
///
/// `cluster` must hold the monitors, the namespaces and what [`references`] names.
#[must_use]
pub fn plan(config: &Config, cluster: &Cluster, before: Option<&Plan>) -> Plan {
    let mut report = config_report(config);
    let inputs =
        Inputs { own_namespace: &config.namespace, scope: ReadScope::of(config), regexes: RegexCache::default() };
    let known = |scrape_config: &ScrapeConfig, origin: &Origin| {
        let job = before?.job(&scrape_config.job_name)?;
        let Origin { monitor, endpoint, written } = origin;
        let same_origin = job.monitor == *monitor && job.endpoint == *endpoint && job.written == *written;
        (same_origin && job.scrape_config == *scrape_config).then(|| Arc::clone(job))
    };
    let mut jobs = BTreeMap::new();
    let bounds = config.monitors.as_ref().map_or_else(Bounds::default, |settings| settings.bounds);
    let mut expressions = Expressions::within(bounds);
    let mut add = |scrape_config: ScrapeConfig, origin: Origin, report: &mut Report| {
        let object = origin.monitor.clone().unwrap_or_else(|| config_object(&scrape_config.job_name));
        // The jobs of the config are the operator's own.
        let tenant = origin.monitor.clone();
        let planned = match (
            tenant.as_ref().map_or(Ok(()), |tenant| expressions.admit(tenant)),
            known(&scrape_config, &origin),
        ) {
            (Err(too_large), _) => Err(too_large.into()),
            (Ok(()), Some(job)) => Ok(job),
            (Ok(()), None) => PlannedJob::within(&mut expressions, scrape_config, origin, &inputs).map(Arc::new),
        };
        match planned {
            Ok(job) => {
                let too_large = tenant.map(|tenant| expressions.add(&tenant, job.rules.size())).unwrap_or_default();
                job.report_not_read(report);
                let (name, monitor) = (job.scrape_config.job_name.clone(), job.monitor.clone());
                if jobs.insert(name.clone(), job).is_some_and(|earlier| earlier.monitor.is_none())
                    && let Some(monitor) = monitor
                {
                    let reason = format_args!("{monitor} makes a job of this name, which is served instead: rename it");
                    report.push(config_object(&name), Outcome::JobLeftOut, "job_name", reason);
                }
                for (object, reason) in too_large {
                    jobs.retain(|_, job: &mut Arc<PlannedJob>| job.monitor.as_ref() != Some(&object));
                    report.push(object, Outcome::JobLeftOut, "", reason);
                }
            }
            Err(unserved) => {
                report.push(object, Outcome::JobLeftOut, "", unserved);
            }
        }
    };
    for scrape_config in config.scrape_configs.iter().flatten().cloned() {
        let range = 0..scrape_config.relabel_configs.len();
        let written = WrittenRules { range, field: "relabel_configs".to_owned() };
        add(scrape_config, Origin { monitor: None, endpoint: None, written }, &mut report);
    }
    let mut used = Used::default();
    if let Some(settings) = &config.monitors {
        let generated = monitors::scrape_jobs(settings, cluster, &inputs.regexes);
        report.extend(generated.report);
        used = generated.used;
        for ScrapeJob { monitor, endpoint, own_relabelings, own_relabelings_field, scrape_config } in generated.jobs {
            let written = WrittenRules { range: own_relabelings, field: own_relabelings_field };
            add(scrape_config, Origin { monitor: Some(monitor), endpoint, written }, &mut report);
        }
    }
    check_job_names(&mut jobs, &mut report);
    let pipelines = pipelines::select(config, &jobs, cluster, &mut report);
    Plan { jobs: jobs.into_values().collect(), pipelines, report, used }
}

impl Plan {
    /// The job of that name.
    #[must_use]
    pub fn job(&self, name: &str) -> Option<&Arc<PlannedJob>> {
        let found = self.jobs.binary_search_by(|job| job.scrape_config.job_name.as_str().cmp(name));
        found.ok().and_then(|position| self.jobs.get(position))
    }

    /// The jobs, in the order of their names.
    #[must_use]
    pub fn jobs(&self) -> &[Arc<PlannedJob>] {
        &self.jobs
    }

    /// How much of each bound the scrape configs of monitors use.
    #[must_use]
    pub const fn used(&self) -> Used {
        self.used
    }

    /// The kinds of objects that the jobs discover, and those that tell who collects.
    #[must_use]
    pub fn kinds(&self, config: &Config) -> BTreeSet<Kind> {
        let configs = self.jobs.iter().flat_map(|job| &job.scrape_config.service_discovery.kubernetes);
        let mut kinds = kinds_of_discovery(configs, config.collectors.as_ref());
        if config.strategy.reads_zones() {
            kinds.insert(Kind::Node);
        }
        kinds
    }
}

/// Notes on the config itself: keys without effect, jobs that cannot be served.
fn config_report(config: &Config) -> Report {
    let mut report = Report::default();
    for note in &config.notes {
        report.push(config_file(), Outcome::Adjusted, &note.key, format_args!("has no effect here: {}", note.reason));
    }
    for unknown in &config.unknown {
        report.push(config_file(), Outcome::Adjusted, &unknown.path, unknown.reason());
    }
    for name in config.monitors.iter().flat_map(|settings| read_scope::invalid_names(&settings.namespaces)) {
        let reason = format_args!("no namespace can have this name, so nothing is read there: {name:?}");
        report.push(config_file(), Outcome::Adjusted, "prometheus_cr.allow_namespaces", reason);
    }
    for refused in config.scrape_configs.iter().filter_map(|job| job.as_ref().err()) {
        let ParseError { path, problem } = &refused.error;
        report.push(config_object(&refused.job_name), Outcome::JobLeftOut, path, problem);
    }
    report
}
