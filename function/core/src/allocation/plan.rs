//! Which jobs there are, before anything is discovered.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::Kind;
use super::expressions::{Expressions, TooLarge};
use super::kinds::kinds_of_discovery;
use super::pipelines::{self, Pipelines};
use super::read_scope::{self, ReadNamespaces, ReadScope};
use crate::config::Config;
use crate::discovery::{Author, NotRead, Query, QueryError, Source, SourceRefusal, check_sources, sources};
use crate::error::chain;
use crate::monitors::bounds::{Bounds, Used};
use crate::monitors::certificate::{self, NotLoadable};
use crate::monitors::{self, ReferencedObject, ScrapeJob};
use crate::objects::Cluster;
use crate::regex::RegexCache;
use crate::relabel::{RelabelError, Rules, Stages};
use crate::report::{ObjectRef, Outcome, Report};
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::discovery::Role;
use crate::scrape_config::parse::ParseError;
use crate::scrape_config::secret::WithSecrets;
use crate::scrape_config::shard::{self, SHARD, ShardError};

/// The jobs to find targets for, in the order of their names.
#[derive(Debug)]
pub struct Plan {
    pub(super) jobs: Vec<Arc<PlannedJob>>,
    pub(super) pipelines: Pipelines,
    pub(super) report: Report,
    used: Used,
}

/// A job with its rules compiled.
#[derive(Debug)]
pub struct PlannedJob {
    /// What collectors are told of it.
    pub scrape_config: ScrapeConfig,
    /// The monitor that it comes from; `None` for one of `config.scrape_configs`.
    pub monitor: Option<ObjectRef>,
    /// Which endpoint of the monitor it is, if it can have several.
    pub endpoint: Option<usize>,
    /// Which of its rules somebody wrote; the operator makes the others.
    pub written: WrittenRules,
    /// Its target relabelling.
    pub rules: Rules,
    /// Where its targets are looked for in the cluster.
    pub queries: Vec<Query>,
    /// For each query, the rules divided by what they read: labels of a group, of a part, or of one target.
    pub stages: Vec<Stages>,
    /// The sources outside the cluster that its targets come from.
    pub sources: Vec<Source>,
    /// Why no request is sent to its sources. Then its targets are unknown.
    pub not_requested: Option<String>,
    /// For each SD config that names namespaces that are not read: its position and the namespaces.
    pub not_read: Vec<(usize, NotRead)>,
    /// Whether the job discovers nodes, and the function may do without nodes.
    pub nodes_are_optional: bool,
}

/// Where a job comes from.
struct Origin {
    monitor: Option<ObjectRef>,
    endpoint: Option<usize>,
    written: WrittenRules,
}

/// The rules of a job that stand in a monitor or in the config.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenRules {
    /// Where among the job's rules.
    pub range: Range<usize>,
    /// The field that holds them, such as `spec.endpoints[0].relabelings`.
    pub field: String,
}

/// Why a job cannot be served although Prometheus would take it.
#[derive(Debug, thiserror::Error)]
enum Unserved {
    #[error("relabel_configs: {0}")]
    Rules(#[from] RelabelError),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("{}", chain(.0))]
    Shard(#[from] ShardError),
    #[error("tls_config.{0}")]
    NotLoadable(#[from] NotLoadable),
    #[error("kubernetes_sd_configs: {}", chain(.0))]
    Query(#[from] QueryError),
    #[error(transparent)]
    Source(#[from] SourceRefusal),
    #[error("it cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

const REPLACED_NAME: &str = "holds $(SHARD), which collectors replace by a number, so that they ask for the targets of \
    another job, rename the job";

/// Refuses a job of `config.scrape_configs` that no collector could load: it would refuse all other jobs too.
/// The jobs of monitors have been checked.
fn check_loadable(config: &ScrapeConfig) -> Result<(), Unserved> {
    certificate::check_loadable(&config.http_client.tls_config)?;
    Ok(shard::check(config, &serde_json::to_string(&WithSecrets(config))?)?)
}

/// Leaves out jobs whose names become those of others when a collector replaces `$(SHARD)`, and notes that no collector
/// finds the targets of the others: it asks by the replaced name, as it asks the operator's allocator.
fn check_job_names(jobs: &mut BTreeMap<String, Arc<PlannedJob>>, report: &mut Report) {
    let (replaced, mut names): (Vec<String>, Vec<String>) = jobs.keys().cloned().partition(|name| name.contains(SHARD));
    for name in replaced {
        names.push(name);
        let same = shard::check_distinct(names.iter().map(String::as_str)).err();
        let Some(job) = names.last().and_then(|name| jobs.get(name)) else { continue };
        let object = job.monitor.clone().unwrap_or_else(|| config_object(&job.scrape_config.job_name));
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
    let (mut report, scope, regexes) = (config_report(config), ReadScope::of(config), RegexCache::default());
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
            (Ok(()), None) => {
                PlannedJob::within(&mut expressions, scrape_config, origin, &config.namespace, &scope, &regexes)
                    .map(Arc::new)
            }
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
        let generated = monitors::scrape_jobs(settings, cluster, &regexes);
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

impl PlannedJob {
    /// Compiles a job, if the bounds on expressions allow it.
    fn within(
        expressions: &mut Expressions,
        scrape_config: ScrapeConfig,
        origin: Origin,
        own_namespace: &str,
        scope: &ReadScope,
        regexes: &RegexCache,
    ) -> Result<Self, Unserved> {
        let Some(tenant) = origin.monitor.clone() else {
            return Self::new(scrape_config, origin, own_namespace, scope, regexes);
        };
        expressions.admit_compilation(&tenant)?;
        let planned = Self::new(scrape_config, origin, own_namespace, scope, regexes);
        match &planned {
            Ok(job) => expressions.compile(&tenant, job.rules.size()),
            Err(Unserved::Rules(_)) => expressions.fail(&tenant),
            Err(_) => {}
        }
        planned
    }

    fn new(
        scrape_config: ScrapeConfig,
        origin: Origin,
        own_namespace: &str,
        scope: &ReadScope,
        regexes: &RegexCache,
    ) -> Result<Self, Unserved> {
        let Origin { monitor, endpoint, written } = origin;
        if monitor.is_none() {
            check_loadable(&scrape_config)?;
        }
        let discovery = &scrape_config.service_discovery;
        let author = if monitor.is_some() { Author::Tenant } else { Author::Operator };
        let not_requested = check_sources(discovery, author)?;
        let sources = if not_requested.is_some() { Vec::new() } else { sources(discovery)? };
        let names = scrape_config.metric_name_validation_scheme;
        let rules = Rules::for_targets(&scrape_config.relabel_configs, names, regexes)?;
        let mut queries: Vec<_> =
            discovery.kubernetes.iter().map(|sd| Query::new(sd, Some(own_namespace))).collect::<Result<_, _>>()?;
        let mut not_read = Vec::new();
        if let ReadScope::Namespaces(ReadNamespaces { names, .. }) = scope {
            let narrowed = queries.iter_mut().enumerate();
            not_read.extend(narrowed.filter_map(|(index, query)| Some((index, query.narrow(names)?))));
        }
        let nodes_are_optional =
            scope.is_optional(Kind::Node) && queries.iter().any(|query| query.role() == Role::Node);
        let stages = queries.iter().map(|query| rules.stages(|name| query.level(name))).collect();
        Ok(Self {
            scrape_config,
            monitor,
            endpoint,
            written,
            rules,
            queries,
            stages,
            sources,
            not_requested,
            not_read,
            nodes_are_optional,
        })
    }

    /// Reports the namespaces that the job asks for and that are not read.
    fn report_not_read(&self, report: &mut Report) {
        for (index, not_read) in &self.not_read {
            let object = self.monitor.clone().unwrap_or_else(|| config_object(&self.scrape_config.job_name));
            // The operator makes the SD configs of monitors from their namespace selector.
            let field = match self.monitor.as_ref().map(|monitor| monitor.kind.as_str()) {
                Some("ScrapeConfig") => format!("spec.kubernetesSDConfigs[{index}].namespaces"),
                Some("Probe") => "spec.targets.ingress.namespaceSelector".to_owned(),
                Some(_) => "spec.namespaceSelector".to_owned(),
                None => format!("kubernetes_sd_configs[{index}].namespaces"),
            };
            report.push(object, Outcome::Adjusted, field, not_read);
        }
    }
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
        let object = ObjectRef::new("Config", "", "targetallocator.yaml");
        report.push(object, Outcome::Adjusted, &note.key, format_args!("has no effect here: {}", note.reason));
    }
    for unknown in &config.unknown {
        let object = ObjectRef::new("Config", "", "targetallocator.yaml");
        report.push(object, Outcome::Adjusted, &unknown.path, unknown.reason());
    }
    for name in config.monitors.iter().flat_map(|settings| read_scope::invalid_names(&settings.namespaces)) {
        let object = ObjectRef::new("Config", "", "targetallocator.yaml");
        let reason = format_args!("no namespace can have this name, so nothing is read there: {name:?}");
        report.push(object, Outcome::Adjusted, "prometheus_cr.allow_namespaces", reason);
    }
    for refused in config.scrape_configs.iter().filter_map(|job| job.as_ref().err()) {
        let ParseError { path, problem } = &refused.error;
        report.push(config_object(&refused.job_name), Outcome::JobLeftOut, path, problem);
    }
    report
}

/// How reports name a job of `config.scrape_configs`.
pub(super) fn config_object(job_name: &str) -> ObjectRef {
    ObjectRef::new("Config", "", job_name)
}
