//! One job of the plan: its rules compiled, its discovery checked.

use std::ops::Range;

use super::Kind;
use super::expressions::{Expressions, TooLarge};
use super::read_scope::{ReadNamespaces, ReadScope};
use crate::discovery::{Author, NotRead, Query, QueryError, Source, SourceRefusal, check_sources, sources};
use crate::error::chain;
use crate::monitors::certificate::{self, NotLoadable};
use crate::regex::RegexCache;
use crate::relabel::{RelabelError, Rules, Stages};
use crate::report::{ObjectRef, Outcome, Report};
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::discovery::Role;
use crate::scrape_config::secret::WithSecrets;
use crate::scrape_config::shard::{self, ShardError};

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

/// What all jobs of a plan are compiled with.
pub(super) struct Inputs<'a> {
    /// The namespace of the collectors.
    pub(super) own_namespace: &'a str,
    pub(super) scope: ReadScope,
    /// The regular expressions of the jobs before, so that each is parsed once.
    pub(super) regexes: RegexCache,
}

/// Where a job comes from.
pub(super) struct Origin {
    pub(super) monitor: Option<ObjectRef>,
    pub(super) endpoint: Option<usize>,
    pub(super) written: WrittenRules,
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
pub(super) enum Unserved {
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

/// Refuses a job of `config.scrape_configs` that no collector could load: it would refuse all other jobs too.
/// The jobs of monitors have been checked.
fn check_loadable(config: &ScrapeConfig) -> Result<(), Unserved> {
    certificate::check_loadable(&config.http_client.tls_config)?;
    Ok(shard::check(config, &serde_json::to_string(&WithSecrets(config))?)?)
}

impl PlannedJob {
    /// Compiles a job, if the bounds on expressions allow it.
    pub(super) fn within(
        expressions: &mut Expressions,
        scrape_config: ScrapeConfig,
        origin: Origin,
        inputs: &Inputs<'_>,
    ) -> Result<Self, Unserved> {
        let Some(tenant) = origin.monitor.clone() else {
            return Self::new(scrape_config, origin, inputs);
        };
        expressions.admit_compilation(&tenant)?;
        let planned = Self::new(scrape_config, origin, inputs);
        match &planned {
            Ok(job) => expressions.compile(&tenant, job.rules.size()),
            Err(Unserved::Rules(_)) => expressions.fail(&tenant),
            Err(_) => {}
        }
        planned
    }

    fn new(scrape_config: ScrapeConfig, origin: Origin, inputs: &Inputs<'_>) -> Result<Self, Unserved> {
        let Origin { monitor, endpoint, written } = origin;
        let Inputs { own_namespace, scope, regexes } = inputs;
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
    pub(super) fn report_not_read(&self, report: &mut Report) {
        for (index, not_read) in &self.not_read {
            // The operator makes the SD configs of monitors from their namespace selector.
            let field = match self.monitor.as_ref().map(|monitor| monitor.kind.as_str()) {
                Some("ScrapeConfig") => format!("spec.kubernetesSDConfigs[{index}].namespaces"),
                Some("Probe") => "spec.targets.ingress.namespaceSelector".to_owned(),
                Some(_) => "spec.namespaceSelector".to_owned(),
                None => format!("kubernetes_sd_configs[{index}].namespaces"),
            };
            report.push(self.object(), Outcome::Adjusted, field, not_read);
        }
    }

    /// The object that report entries about the job name.
    pub(super) fn object(&self) -> ObjectRef {
        self.monitor.clone().unwrap_or_else(|| config_object(&self.scrape_config.job_name))
    }
}

/// How reports name a job of `config.scrape_configs`.
pub(super) fn config_object(job_name: &str) -> ObjectRef {
    ObjectRef::new("Config", "", job_name)
}

/// How reports name the config as a whole.
pub(super) fn config_file() -> ObjectRef {
    config_object("targetallocator.yaml")
}
