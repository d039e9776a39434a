//! The key `pipelines`: named subsets of the jobs, for different receivers of collectors.
//!
//! Input: the conditions of each pipeline. Output: [`Pipeline`]s that decide about one job. The operator has no such
//! key. Unknown fields are refused, because a pipeline with fewer conditions has more jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::ConfigError;
use super::glob::Glob;
use super::selector::Selector as SelectorKey;
use crate::monitors::selection::is_namespace_name;
use crate::objects::TextMap;
use crate::selector::{Gap, Selector};

/// A subset of the jobs. A job is in it if it meets every condition that is given. At least one is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// The name in paths: a DNS label.
    pub name: String,
    /// The condition on the labels of the monitor.
    monitors: Option<Selector>,
    /// The condition on the labels of the monitor's namespace.
    namespaces: Option<Selector>,
    /// The condition on the name of the job: one of the patterns matches.
    jobs: Option<Vec<Glob>>,
}

/// What the conditions of a pipeline read of a job.
#[derive(Debug, Clone)]
pub struct PipelineJob<'a> {
    /// The name of the job.
    pub name: &'a str,
    /// The labels of its monitor and of the monitor's namespace. `None` for a job of `config.scrape_configs`.
    pub monitor: Option<MonitorLabels>,
}

/// The labels of a monitor and of its namespace.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named as what they label")]
pub struct MonitorLabels {
    pub monitor: Arc<TextMap>,
    pub namespace: Arc<TextMap>,
}

/// The reason why a job is not in a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotInPipeline {
    /// The pipeline selects monitors, and the job stands in the config.
    #[error("a job of config.scrape_configs has no monitor, {0} selects monitors only")]
    NoMonitor(&'static str),
    /// The labels of the monitor do not match.
    #[error("the monitor's labels do not match monitor_selector: {0}")]
    MonitorLabels(Gap),
    /// The labels of the monitor's namespace do not match.
    #[error("the labels of the monitor's namespace do not match namespace_selector: {0}")]
    NamespaceLabels(Gap),
    /// No pattern matches the name of the job.
    #[error("the job's name matches no pattern of jobs: {0}")]
    Name(String),
}

/// A pipeline as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PipelineKey {
    monitor_selector: Option<SelectorKey>,
    namespace_selector: Option<SelectorKey>,
    jobs: Option<Vec<String>>,
}

/// `pipelines`.
pub(super) type PipelinesKey = BTreeMap<String, Option<PipelineKey>>;

pub(super) fn read(pipelines: PipelinesKey) -> Result<Vec<Pipeline>, ConfigError> {
    pipelines.into_iter().map(|(name, key)| Pipeline::read(name, key.unwrap_or_default())).collect()
}

const MONITOR_SELECTOR: &str = "monitor_selector";
const NAMESPACE_SELECTOR: &str = "namespace_selector";

impl Pipeline {
    fn read(name: String, key: PipelineKey) -> Result<Self, ConfigError> {
        let PipelineKey { monitor_selector, namespace_selector, jobs } = key;
        let wrong = |field: &str, message: String| {
            let path = if field.is_empty() { format!("pipelines.{name}") } else { format!("pipelines.{name}.{field}") };
            ConfigError::File { path, message }
        };
        // The name is one segment of a path, without a character that a gateway could write in another way.
        if !is_namespace_name(&name) {
            let reason = "the name of a pipeline has lower case letters, digits and -, at most 63 characters";
            return Err(wrong("", format!("{reason}: {name:?}")));
        }
        if monitor_selector.is_none() && namespace_selector.is_none() && jobs.is_none() {
            let reason = "give at least one of monitor_selector, namespace_selector and jobs, or jobs: [\"*\"] for all";
            return Err(wrong("", reason.to_owned()));
        }
        let selector = |field: &'static str, selector: Option<SelectorKey>| {
            let checked = selector.map(|selector| selector.0.selector()).transpose();
            checked.map_err(|error| wrong(field, error.to_string()))
        };
        let glob = |(at, text): (usize, &String)| {
            Glob::parse(text).map_err(|error| wrong(&format!("jobs[{at}]"), error.to_string()))
        };
        let patterns = jobs.map(|jobs| jobs.iter().enumerate().map(glob).collect::<Result<Vec<_>, _>>()).transpose()?;
        if patterns.as_ref().is_some_and(Vec::is_empty) {
            return Err(wrong("jobs", "list at least one pattern, such as \"serviceMonitor/shop/*\"".to_owned()));
        }
        let monitors = selector(MONITOR_SELECTOR, monitor_selector)?;
        let namespaces = selector(NAMESPACE_SELECTOR, namespace_selector)?;
        Ok(Self { name, monitors, namespaces, jobs: patterns })
    }

    /// The first condition that a job does not meet. `None` if the job is in the pipeline.
    #[must_use]
    pub fn unmet(&self, job: &PipelineJob<'_>) -> Option<NotInPipeline> {
        let Self { name: _, monitors, namespaces, jobs } = self;
        let given = [(MONITOR_SELECTOR, monitors), (NAMESPACE_SELECTOR, namespaces)];
        match &job.monitor {
            None => {
                if let Some((field, _)) = given.into_iter().find(|(_, selector)| selector.is_some()) {
                    return Some(NotInPipeline::NoMonitor(field));
                }
            }
            Some(MonitorLabels { monitor, namespace }) => {
                let gap = |selector: &Option<Selector>, labels: &TextMap| {
                    selector.as_ref().and_then(|selector| selector.gaps(labels).into_iter().next())
                };
                let unmet = gap(monitors, monitor).map(NotInPipeline::MonitorLabels);
                let unmet = unmet.or_else(|| gap(namespaces, namespace).map(NotInPipeline::NamespaceLabels));
                if unmet.is_some() {
                    return unmet;
                }
            }
        }
        let patterns = jobs.as_ref().filter(|patterns| !patterns.iter().any(|pattern| pattern.matches(job.name)))?;
        Some(NotInPipeline::Name(patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))
    }

    /// Whether labels of namespaces decide which jobs are in the pipeline.
    #[must_use]
    pub fn reads_namespace_labels(&self) -> bool {
        self.namespaces.as_ref().is_some_and(|selector| !selector.is_empty())
    }
}
