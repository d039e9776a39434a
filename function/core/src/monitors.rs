//! Monitors become scrape jobs.
//!
//! In: settings, and the monitors, secrets and config maps of a cluster; out: scrape
//! configs as Prometheus holds them after it has loaded what the operator generates, and
//! a report of all that is left out. Follows the resource selector and the config generator
//! of the Prometheus operator, as its allocator drives them: EndpointSlice role, TLS inline,
//! the operator's newest Prometheus version.
//!
//! A job that Prometheus or a collector would not load is left out alone; with the peers it breaks the whole config.
//! An object that makes more scrape configs than it may is refused alone.

pub mod assets;
pub mod bounds;
pub mod certificate;
pub mod draft;
pub mod endpoint;
pub mod finding;
pub mod http_client;
pub mod job_settings;
pub mod object_jobs;
pub mod object_name;
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
use crate::report::{ObjectRef, Report};
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::globals::Globals;
use assets::{Assets, Budget};
use bounds::{Bounds, Kept};
use draft::{Context, Files};
use finding::Finding;
use object_jobs::Builder;
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
    /// Which files of a collector monitors may name (`deny_fs_access_through_sms`).
    pub files: Files,
    /// How much monitors may make.
    pub bounds: Bounds,
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
    let globals = settings.globals();
    let mut jobs =
        Jobs { settings, cluster, globals: &globals, kept: Kept::new(settings.bounds), report: Report::default() };
    let Settings { namespaces, service_monitors, pod_monitors, probes, scrape_configs, .. } = settings;
    for monitor in select(service_monitors, namespaces, &cluster.service_monitors, cluster) {
        jobs.add(monitor, endpoint::build);
    }
    for monitor in select(pod_monitors, namespaces, &cluster.pod_monitors, cluster) {
        jobs.add(monitor, endpoint::build);
    }
    for monitor in select(probes, namespaces, &cluster.probes, cluster) {
        jobs.add(monitor, probe::build);
    }
    for monitor in select(scrape_configs, namespaces, &cluster.scrape_configs, cluster) {
        jobs.add(monitor, scrape_config::build);
    }
    let Jobs { kept, mut report, .. } = jobs;
    (kept.finish(&mut report), report)
}

/// Jobs and report while they grow.
struct Jobs<'a> {
    settings: &'a Settings,
    cluster: &'a Cluster,
    globals: &'a Globals,
    kept: Kept,
    report: Report,
}

impl<'a> Jobs<'a> {
    /// Builds the jobs of an object; where one of its endpoints breaks a rule, the operator passes over the object.
    fn add<T: Refers>(
        &mut self,
        monitor: &'a T,
        build: impl for<'b> FnOnce(&T, &mut Context<'b>, &mut Builder<'b>) -> Result<(), Finding>,
    ) {
        let object = monitor.object_ref();
        let budget = Budget::new(self.settings.bounds.object_bytes);
        let assets = Assets::new(self.cluster, &monitor.metadata().namespace, &budget);
        let mut context = Context { settings: self.settings, assets, notes: Vec::new() };
        let mut builder = Builder::new(object.clone(), self.settings, self.globals);
        let built = references::check_number(monitor).and_then(|()| build(monitor, &mut context, &mut builder));
        match built {
            Ok(()) => self.kept.add(builder.finish(context.notes)),
            Err(finding) => finding.report(&object, &mut self.report),
        }
    }
}

#[cfg(test)]
mod tests;
