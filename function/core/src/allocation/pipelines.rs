//! The jobs of each pipeline.
//!
//! Input: the pipelines of the config, the planned jobs, the monitors and the namespaces. Output: the names of the jobs
//! of each pipeline, and report entries about jobs without a pipeline and pipelines without a job. The assignment of
//! targets to collectors does not depend on pipelines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::planned_job::{PlannedJob, config_file, config_object};
use crate::config::Config;
use crate::config::pipelines::{MonitorLabels, NotInPipeline, Pipeline, PipelineJob};
use crate::monitors::selection::namespace_labels;
use crate::objects::{Cluster, TextMap};
use crate::report::{Outcome, Report};

/// The jobs of one pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineJobs {
    /// The names of the jobs.
    pub names: BTreeSet<String>,
    /// Why requests for the pipeline fail: `config.scrape_configs` has jobs for it, and no job can be served. An answer
    /// `{}` would stop all scraping of the receiver.
    pub refused: Option<String>,
}

/// The jobs of each pipeline by its name.
pub(super) type Pipelines = BTreeMap<String, Arc<PipelineJobs>>;

/// Selects the jobs of each pipeline. Reports each job that is in no pipeline, and each pipeline without a job.
pub(super) fn select(
    config: &Config,
    jobs: &BTreeMap<String, Arc<PlannedJob>>,
    cluster: &Cluster,
    report: &mut Report,
) -> Pipelines {
    if config.pipelines.is_empty() {
        return Pipelines::new();
    }
    let mut selected: BTreeMap<&str, PipelineJobs> =
        config.pipelines.iter().map(|pipeline| (pipeline.name.as_str(), PipelineJobs::default())).collect();
    let mut namespaces = BTreeMap::new();
    for job in jobs.values() {
        let name = &job.scrape_config.job_name;
        let read = conditions_read(job, cluster, &mut namespaces);
        let mut is_in_any = false;
        for pipeline in config.pipelines.iter().filter(|pipeline| pipeline.unmet(&read).is_none()) {
            is_in_any = true;
            selected.entry(&pipeline.name).or_default().names.insert(name.clone());
        }
        if !is_in_any {
            let reason = "in no pipeline, only the routes without /pipelines/ serve the job: change the conditions of a \
                pipeline, or add a pipeline for the job";
            report.push(job.object(), Outcome::Unlisted, name, reason);
        }
    }
    for pipeline in &config.pipelines {
        let Some(jobs) = selected.get_mut(pipeline.name.as_str()).filter(|jobs| jobs.names.is_empty()) else {
            continue;
        };
        jobs.refused = refused(config, pipeline);
        let reason = jobs.refused.clone().unwrap_or_else(|| {
            "the pipeline has no job, so its receivers scrape nothing: check its conditions, and whether its monitors \
             are refused, /explain?monitor=KIND/NAMESPACE/NAME names the reason"
                .to_owned()
        });
        report.push(config_file(), Outcome::Adjusted, format!("pipelines.{}", pipeline.name), reason);
    }
    selected.into_iter().map(|(name, jobs)| (name.to_owned(), Arc::new(jobs))).collect()
}

/// The pipelines that a job is in, and for each other pipeline the first condition that the job does not meet.
pub(crate) fn membership<'c>(
    config: &'c Config,
    job: &PlannedJob,
    cluster: &Cluster,
) -> impl Iterator<Item = (&'c Pipeline, Option<NotInPipeline>)> {
    let read = conditions_read(job, cluster, &mut BTreeMap::new());
    let name = job.scrape_config.job_name.clone();
    let monitor = read.monitor;
    config.pipelines.iter().map(move |pipeline| {
        let job = PipelineJob { name: &name, monitor: monitor.clone() };
        (pipeline, pipeline.unmet(&job))
    })
}

/// What conditions read of a job. `namespaces` keeps the labels of each namespace for the next job.
fn conditions_read<'j>(
    job: &'j PlannedJob,
    cluster: &Cluster,
    namespaces: &mut BTreeMap<String, Arc<TextMap>>,
) -> PipelineJob<'j> {
    let monitor = job.monitor.as_ref().map(|monitor| {
        let namespace = match namespaces.get(&monitor.namespace) {
            Some(known) => Arc::clone(known),
            None => {
                let labels = namespace_labels(&monitor.namespace, cluster);
                namespaces.insert(monitor.namespace.clone(), Arc::clone(&labels));
                labels
            }
        };
        let labels = cluster.monitor(monitor).map(|metadata| Arc::clone(&metadata.labels)).unwrap_or_default();
        MonitorLabels { monitor: labels, namespace }
    });
    PipelineJob { name: &job.scrape_config.job_name, monitor }
}

/// Why a pipeline without jobs fails, if jobs of the config would be in it. As without pipelines: a mistake in the
/// config must not look like an empty list of jobs.
fn refused(config: &Config, pipeline: &Pipeline) -> Option<String> {
    let names = config.scrape_configs.iter().map(|job| match job {
        Ok(config) => config.job_name.as_str(),
        Err(refused) => refused.job_name.as_str(),
    });
    let wanted: Vec<_> = names
        .filter(|name| pipeline.unmet(&PipelineJob { name, monitor: None }).is_none())
        .map(config_object)
        .collect();
    let wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
    (!wanted.is_empty()).then(|| {
        let names = wanted.join(", ");
        format!("the pipeline has jobs, and none of them can be served, /debug/report names the reasons: {names}")
    })
}
