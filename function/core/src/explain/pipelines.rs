//! Says which pipelines the jobs of a monitor are in, and which condition keeps them out of the others.

use serde::Serialize;

use super::{Explanation, JobTrace, Stage, World};
use crate::allocation::PlannedJob;
use crate::allocation::pipelines::membership;
use crate::config::Pipeline;
use crate::config::pipelines::NotInPipeline;

/// A pipeline of the config, and whether a job is in it. Part of the JSON of `/explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PipelineTrace {
    /// The name of the pipeline.
    pub pipeline: String,
    /// The first condition of the pipeline that the job does not meet. `None` if the job is in the pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmet: Option<String>,
}

/// All pipelines of the config, seen from one job.
pub(super) fn trace(world: World<'_>, planned: &PlannedJob) -> Vec<PipelineTrace> {
    let trace = |(pipeline, unmet): (&Pipeline, Option<NotInPipeline>)| PipelineTrace {
        pipeline: pipeline.name.clone(),
        unmet: unmet.map(|unmet| unmet.to_string()),
    };
    membership(world.config, planned, world.cluster).map(trace).collect()
}

/// Adds one line for each job. Without pipelines, there is nothing to say.
pub(super) fn note(jobs: &[JobTrace], explanation: &mut Explanation) {
    for job in jobs.iter().filter(|job| !job.pipelines.is_empty()) {
        let (inside, outside): (Vec<_>, Vec<_>) = job.pipelines.iter().partition(|trace| trace.unmet.is_none());
        let names: Vec<_> = inside.iter().map(|trace| trace.pipeline.as_str()).collect();
        let mut text = match names[..] {
            [] => format!("{}: in no pipeline", job.job),
            [name] => format!("{}: in the pipeline {name}", job.job),
            _ => format!("{}: in the pipelines {}", job.job, names.join(", ")),
        };
        for trace in outside {
            let unmet = trace.unmet.as_deref().unwrap_or_default();
            text.push_str(&format!("; not in {}: {unmet}", trace.pipeline));
        }
        explanation.note(Stage::Selection, text);
    }
}
