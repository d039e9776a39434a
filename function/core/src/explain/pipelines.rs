//! Says which pipelines the jobs of a monitor are in, and which condition keeps them out of the others.

use super::job_trace::PipelineTrace;
use super::{Explanation, JobTrace, Stage, World};
use crate::allocation::PlannedJob;
use crate::allocation::pipelines::membership;
use crate::config::Pipeline;
use crate::config::pipelines::NotInPipeline;

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
