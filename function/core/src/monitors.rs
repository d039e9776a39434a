//! Generates scrape jobs from monitors.
//!
//! Input: the settings, and the monitors, secrets and config maps of a cluster. Output: scrape configs with the
//! defaults of Prometheus filled in, and a report of all skipped objects and jobs.
//!
//! Follows the resource selector and the config generator of the Prometheus operator. The operator's allocator drives
//! both with the EndpointSlice role, inline TLS and the newest version of Prometheus.
//!
//! A job that Prometheus or a collector cannot load is left out alone. In the operator, a single bad job breaks the
//! whole config. An object whose scrape configs exceed a bound is refused alone.

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
pub mod prometheus;
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
use crate::regex::RegexCache;
use crate::report::{ObjectRef, Report};
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::globals::Globals;
use assets::{Assets, Budget};
use bounds::{Bounds, Kept, Used};
use draft::{Context, Files};
use finding::Finding;
use object_jobs::Builder;
use prometheus::PrometheusSettings;
use references::Refers;
pub use references::references;
use scrape_class::ScrapeClasses;
use selection::{KindSelection, NamespaceRules, select};

/// The inputs of selection and generation, besides the objects.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "named as in prometheus_cr")]
pub struct Settings {
    pub namespaces: NamespaceRules,
    pub service_monitors: KindSelection,
    pub pod_monitors: KindSelection,
    pub probes: KindSelection,
    pub scrape_configs: KindSelection,
    /// The scrape interval of jobs that do not set one.
    pub scrape_interval: Duration,
    /// The scrape protocols of jobs that do not set any. Empty means the default of Prometheus.
    pub scrape_protocols: Vec<String>,
    pub scrape_classes: ScrapeClasses,
    /// The settings of a `Prometheus` object.
    pub prometheus: PrometheusSettings,
    /// The files of a collector that monitors may name (`deny_fs_access_through_sms`).
    pub files: Files,
    /// The bounds on the scrape configs that objects can produce.
    pub bounds: Bounds,
}

impl Settings {
    /// The `global` section of the Prometheus config that contains the jobs.
    #[must_use]
    pub fn globals(&self) -> Globals {
        let defaults = Globals::default();
        let interval = self.scrape_interval;
        let scrape_interval = if interval.is_zero() { defaults.scrape_interval } else { interval };
        let mut globals = Globals {
            scrape_interval,
            scrape_timeout: defaults.scrape_timeout.min(scrape_interval),
            scrape_protocols: self.scrape_protocols.clone(),
            ..defaults
        };
        self.prometheus.set_globals(&mut globals);
        globals
    }
}

/// One scrape job with the monitor that it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapeJob {
    /// The monitor.
    pub monitor: ObjectRef,
    /// The index of the endpoint in the monitor. `None` for kinds with a single job.
    pub endpoint: Option<usize>,
    /// The range of relabelling rules that the monitor itself contains.
    pub own_relabelings: Range<usize>,
    /// The field of the monitor that contains its own relabelling rules.
    pub own_relabelings_field: String,
    /// The scrape config, with the defaults filled in.
    pub scrape_config: ScrapeConfig,
}

/// The output of the generation.
#[derive(Debug, Default)]
pub struct Generated {
    /// The jobs, in the order of their monitors.
    pub jobs: Vec<ScrapeJob>,
    /// Each skipped object and job.
    pub report: Report,
    /// How much of each bound the jobs use.
    pub used: Used,
}

/// Generates the jobs of all selected monitors, and reports each skipped object and job. `regexes` keeps the regular
/// expressions that were accepted, so that each is parsed only once.
#[must_use]
pub fn scrape_jobs(settings: &Settings, cluster: &Cluster, regexes: &RegexCache) -> Generated {
    let globals = settings.globals();
    let mut jobs = Jobs {
        settings,
        cluster,
        globals: &globals,
        regexes,
        kept: Kept::new(settings.bounds),
        report: Report::default(),
    };
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
    let used = kept.used();
    Generated { jobs: kept.finish(&mut report), report, used }
}

/// The jobs and the report during generation.
struct Jobs<'a> {
    settings: &'a Settings,
    cluster: &'a Cluster,
    globals: &'a Globals,
    regexes: &'a RegexCache,
    kept: Kept,
    report: Report,
}

impl<'a> Jobs<'a> {
    /// Builds the jobs of one object. As in the operator, an invalid endpoint refuses the whole object.
    fn add<T: Refers>(
        &mut self,
        monitor: &'a T,
        build: impl for<'b> FnOnce(&T, &mut Context<'b>, &mut Builder<'b>) -> Result<(), Finding>,
    ) {
        let object = monitor.object_ref();
        let budget = Budget::new(self.settings.bounds.object_bytes);
        let assets = Assets::new(self.cluster, &monitor.metadata().namespace, &budget);
        let mut context = Context { settings: self.settings, assets, notes: Vec::new() };
        let mut builder = Builder::new(object.clone(), self.settings, self.globals, self.regexes);
        let built = references::check_number(monitor).and_then(|()| build(monitor, &mut context, &mut builder));
        match built {
            Ok(()) => self.kept.add(builder.finish(context.notes)),
            Err(finding) => finding.report(&object, &mut self.report),
        }
    }
}

#[cfg(test)]
mod tests;
