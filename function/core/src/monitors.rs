//! Monitors become scrape jobs.
//!
//! In: settings, and the monitors, secrets and config maps of a cluster; out: scrape
//! configs as Prometheus holds them after it has loaded what the operator generates, and
//! a report of all that is left out. Follows the resource selector and the config generator
//! of the Prometheus operator, as its allocator drives them: EndpointSlice role, TLS inline,
//! the operator's newest Prometheus version.
//!
//! A job that Prometheus would not load is left out alone; there it breaks the whole config.

pub mod assets;
mod certificate;
pub mod draft;
pub mod endpoint;
pub mod finding;
pub mod http_client;
pub mod job_settings;
mod pod_monitor;
mod probe;
pub mod references;
pub mod relabeling;
pub mod scrape_class;
mod scrape_config;
pub mod selection;
mod service_monitor;

use std::ops::Range;

use crate::duration::Duration;
use crate::objects::Cluster;
pub use crate::objects::ReferencedObject;
use crate::report::{ObjectRef, Outcome, Report};
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::globals::Globals;
use assets::Assets;
use draft::{Context, Draft};
use finding::{Finding, Within};
use references::Refers;
pub use references::references;
use scrape_class::ScrapeClasses;
use selection::{KindSelection, NamespaceRules, select};

/// What selection and generation depend on.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "named as in prometheus_cr")]
pub struct Settings {
    pub namespaces: NamespaceRules,
    pub service_monitors: KindSelection,
    pub pod_monitors: KindSelection,
    pub probes: KindSelection,
    pub scrape_configs: KindSelection,
    /// The interval of jobs that name none.
    pub scrape_interval: Duration,
    /// The protocols of jobs that name none; empty stands for Prometheus' own.
    pub scrape_protocols: Vec<String>,
    pub scrape_classes: ScrapeClasses,
    pub deny_fs_access_through_sms: bool,
}

impl Settings {
    /// The global section that Prometheus reads beside the jobs.
    #[must_use]
    pub fn globals(&self) -> Globals {
        let defaults = Globals::default();
        let interval = self.scrape_interval;
        let scrape_interval = if interval.is_zero() { defaults.scrape_interval } else { interval };
        Globals {
            scrape_interval,
            scrape_timeout: defaults.scrape_timeout.min(scrape_interval),
            scrape_protocols: self.scrape_protocols.clone(),
            ..defaults
        }
    }
}

/// One job, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapeJob {
    /// The monitor.
    pub monitor: ObjectRef,
    /// Which endpoint of the monitor it is, if it can have several.
    pub endpoint: Option<usize>,
    /// Which of the relabelling rules stand in the monitor itself.
    pub own_relabelings: Range<usize>,
    /// The field of the monitor that holds them.
    pub own_relabelings_field: String,
    /// The scrape config, defaults filled in.
    pub scrape_config: ScrapeConfig,
}

/// The jobs of all selected monitors, and what became of those that are missing.
#[must_use]
pub fn scrape_jobs(settings: &Settings, cluster: &Cluster) -> (Vec<ScrapeJob>, Report) {
    let mut jobs = Jobs { settings, cluster, globals: settings.globals(), jobs: Vec::new(), report: Report::default() };
    let Settings { namespaces, service_monitors, pod_monitors, probes, scrape_configs, .. } = settings;
    for monitor in select(service_monitors, namespaces, &cluster.service_monitors, cluster) {
        jobs.add(monitor, endpoint::drafts);
    }
    for monitor in select(pod_monitors, namespaces, &cluster.pod_monitors, cluster) {
        jobs.add(monitor, endpoint::drafts);
    }
    for monitor in select(probes, namespaces, &cluster.probes, cluster) {
        jobs.add(monitor, probe::drafts);
    }
    for monitor in select(scrape_configs, namespaces, &cluster.scrape_configs, cluster) {
        jobs.add(monitor, scrape_config::drafts);
    }
    (jobs.jobs, jobs.report)
}

/// Jobs and report while they grow.
struct Jobs<'a> {
    settings: &'a Settings,
    cluster: &'a Cluster,
    globals: Globals,
    jobs: Vec<ScrapeJob>,
    report: Report,
}

impl<'a> Jobs<'a> {
    fn add<T: Refers>(
        &mut self,
        monitor: &'a T,
        drafts: impl FnOnce(&T, &mut Context<'a>) -> Result<Vec<Result<Draft, Finding>>, Finding>,
    ) {
        let object = monitor.object_ref();
        let assets = Assets::new(self.cluster, &monitor.metadata().namespace);
        let mut context = Context { settings: self.settings, assets, notes: Vec::new() };
        let drafts =
            references::check_number(monitor).and_then(|()| drafts(monitor, &mut context)).and_then(refuse_as_a_whole);
        match drafts {
            Ok(drafts) => {
                drafts.into_iter().for_each(|draft| self.finish(&object, draft));
                context.notes.into_iter().for_each(|note| note.report(&object, &mut self.report));
            }
            Err(finding) => finding.report(&object, &mut self.report),
        }
    }

    fn finish(&mut self, object: &ObjectRef, draft: Result<Draft, Finding>) {
        let finished = draft.and_then(|mut draft| {
            draft.finish(&self.globals, self.settings.deny_fs_access_through_sms).within(&draft.field)?;
            Ok(draft)
        });
        match finished {
            Ok(Draft { field, endpoint, config, relabelings, metric_relabelings: _ }) => self.jobs.push(ScrapeJob {
                monitor: object.clone(),
                endpoint,
                own_relabelings: relabelings.range,
                own_relabelings_field: format!("{field}.{}", relabelings.field),
                scrape_config: config,
            }),
            Err(finding) => finding.report(object, &mut self.report),
        }
    }
}

/// The operator passes over a monitor if one of its endpoints breaks a rule.
fn refuse_as_a_whole(drafts: Vec<Result<Draft, Finding>>) -> Result<Vec<Result<Draft, Finding>>, Finding> {
    let refusal =
        drafts.iter().find_map(|draft| draft.as_ref().err().filter(|error| error.outcome == Outcome::Refused));
    match refusal {
        Some(refusal) => Err(refusal.clone()),
        None => Ok(drafts),
    }
}

#[cfg(test)]
mod tests;
