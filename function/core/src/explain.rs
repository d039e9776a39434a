//! Explains why a monitor, pod, service, target or collector is served or not.
//!
//! Input: an allocation, its inputs and a question. Output: each stage with its reason: selection, acceptance,
//! discovery, relabelling rules, merging and assignment. This module makes no decision. It calls the functions that
//! made the allocation and observes them, so an explanation cannot contradict the allocation.

mod any;
mod cause;
mod collector;
mod job;
mod job_trace;
mod monitor;
mod names;
mod near;
mod object;
mod owner;
mod pipelines;
mod question;
mod selected;
mod target;
#[cfg(test)]
mod tests;
mod trace;
mod verdict;
mod who;

use jiff::Timestamp;
use serde::Serialize;

use job::JobTracer;
pub use job_trace::{DiscoveryResult, DroppingRule, JobTrace, PipelineTrace, SkippedObject};
pub use names::Candidate;
pub use near::{NearMiss, SelectingMonitor};
pub use owner::Owner;
pub use question::{MonitorKind, Question, QuestionError};
pub use trace::{DiscoveredTarget, Fate, LabelChange, LabelRead, RuleOrigin, RuleTrace, TargetTrace};
pub use verdict::{About, Link, Problem, ProblemKind, Refresh, verdict};

use crate::allocation::{Allocation, Plan, PlannedJob};
use crate::config::Config;
use crate::discovery::Index;
use crate::discovery::SourceAnswers;
use crate::labels::ADDRESS;
use crate::objects::Cluster;
use crate::report::{Entry, ObjectRef};
use crate::targets::address_hash;

/// Maximum number of targets that one explanation traces rule by rule. More would make the page too long to read.
pub const MOST_TARGETS: usize = 40;

/// An allocation and the inputs that it was computed from.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "named as their types")]
pub struct World<'a> {
    pub config: &'a Config,
    pub cluster: &'a Cluster,
    pub external: &'a SourceAnswers,
    pub allocation: &'a Allocation,
    /// The time at which the cluster was read.
    pub now: Timestamp,
}

impl<'a> World<'a> {
    fn plan(self) -> &'a Plan {
        self.allocation.plan()
    }

    fn index(self) -> &'a Index {
        self.allocation.index()
    }
}

/// A stage on the way from an object to a collector's target, in the order of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "one variant per stage")]
pub enum Stage {
    Cluster,
    Selection,
    Acceptance,
    Discovery,
    Relabelling,
    Assignment,
}

/// The result of one stage for the object of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// The object continues to the next stage.
    Passed,
    /// The object, or a part of it, is not served because of this stage.
    Stopped,
    /// Additional information that decides nothing.
    Note,
}

/// One stage, its result, and the reason in `text`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as their types")]
pub struct Step {
    pub stage: Stage,
    pub progress: Progress,
    pub text: String,
}

/// The answer to a [`Question`]. Serialised as the JSON body of `/explain`; its field names are an interface.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The question.
    pub asked: Question,
    /// Whether at least one collector scrapes a target of the object.
    pub served: bool,
    /// The answer in one sentence.
    pub summary: String,
    /// The stages, in the order of the flow.
    pub steps: Vec<Step>,
    /// The report's entries about the monitor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Entry>,
    /// The jobs of a monitor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobTrace>,
    /// The monitors whose selectors match the pod or service, including monitors that the config does not select.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub monitors: Vec<SelectingMonitor>,
    /// The nearest candidates if nothing matches: monitors for a pod or service; services, pods or ingresses for a
    /// monitor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nearest: Vec<NearMiss>,
    /// The objects that the question can be about, if it names no object, or several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// Targets with the effect of each relabelling rule, at most [`MOST_TARGETS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetTrace>,
    /// The number of targets that are not in `targets` because of [`MOST_TARGETS`].
    #[serde(skip_serializing_if = "is_zero")]
    pub more_targets: usize,
    /// The collector's share: the number of its targets in each job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub share: Vec<JobShare>,
}

/// The number of targets of one job that are assigned to one collector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct JobShare {
    pub job: String,
    pub targets: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Answers a question.
#[must_use]
pub fn explain(world: World<'_>, question: &Question) -> Explanation {
    let mut explanation = Explanation::new(question.clone());
    let explained = &mut explanation;
    match question {
        Question::Any { name } => {
            if let Some(only) = any::resolve(world, name, explained) {
                return explain(world, &only);
            }
        }
        Question::Monitor { kind, namespace, name } => {
            monitor::explain(world, &ObjectRef::new(kind.as_str(), namespace, name), explained);
        }
        Question::Pod { namespace, name } => object::explain_pod(world, namespace, name, explained),
        Question::Service { namespace, name } => object::explain_service(world, namespace, name, explained),
        Question::Target { address } => target::explain(world, address, explained),
        Question::Collector { id } => collector::explain(world, id, explained),
    }
    explanation
}

/// Traces the targets of the job `name`. `None` if no job has this name.
#[must_use]
pub fn job_trace(world: World<'_>, name: &str) -> Option<JobTrace> {
    Some(cause::trace_job(&JobTracer::new(world, planned(world, name)?)))
}

/// Traces one target of a job rule by rule. `None` if no target of the job has this identity.
#[must_use]
pub fn target_trace(world: World<'_>, job: &str, identity: u64) -> Option<TargetTrace> {
    let mut targets = world.allocation.job(job)?.targets();
    let (_, target) = targets.find(|(_, target)| target.identity == identity)?;
    let tracer = JobTracer::new(world, planned(world, job)?);
    let traces = tracer.trace_targets(|_| true, |found| address_hash(found.get(ADDRESS)) == target.address);
    traces.into_iter().find(|trace| trace.identity == Some(identity) && !matches!(trace.fate, Fate::Merged { .. }))
}

/// Traces all targets of a job that its rules keep, rule by rule. Equal targets appear once.
#[must_use]
pub fn kept_targets(world: World<'_>, job: &str) -> Vec<TargetTrace> {
    let Some(planned) = planned(world, job) else { return Vec::new() };
    let traces = JobTracer::new(world, planned).trace_targets(|_| true, |_| true);
    traces.into_iter().filter(|trace| matches!(trace.fate, Fate::Served { .. } | Fate::Unassigned { .. })).collect()
}

fn planned<'a>(world: World<'a>, name: &str) -> Option<&'a PlannedJob> {
    world.plan().job(name).map(AsRef::as_ref)
}

impl Explanation {
    const fn new(asked: Question) -> Self {
        Self {
            asked,
            served: false,
            summary: String::new(),
            steps: Vec::new(),
            findings: Vec::new(),
            jobs: Vec::new(),
            monitors: Vec::new(),
            nearest: Vec::new(),
            candidates: Vec::new(),
            targets: Vec::new(),
            more_targets: 0,
            share: Vec::new(),
        }
    }

    fn passed(&mut self, stage: Stage, text: impl Into<String>) {
        self.steps.push(Step { stage, progress: Progress::Passed, text: text.into() });
    }

    fn stopped(&mut self, stage: Stage, text: impl Into<String>) {
        self.steps.push(Step { stage, progress: Progress::Stopped, text: text.into() });
    }

    fn note(&mut self, stage: Stage, text: impl Into<String>) {
        self.steps.push(Step { stage, progress: Progress::Note, text: text.into() });
    }

    /// Adds traces up to [`MOST_TARGETS`] and counts the rest in `more_targets`.
    fn add_targets(&mut self, targets: Vec<TargetTrace>) {
        let room = MOST_TARGETS.saturating_sub(self.targets.len());
        self.more_targets += targets.len().saturating_sub(room);
        self.targets.extend(targets.into_iter().take(room));
    }
}

/// A count with its noun: `1 target`, `2 targets`.
fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
