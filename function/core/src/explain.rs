//! Why something is scraped, or is not.
//!
//! Input: everything that an allocation was made of, and a question. Output: each step
//! with its reason: selection, acceptance, discovery, every relabelling rule, merging,
//! owners. The functions that make answers are asked, watched; nothing is decided here.

mod collector;
mod job;
mod monitor;
mod near;
mod object;
mod owner;
mod question;
mod target;
#[cfg(test)]
mod tests;
mod trace;

use jiff::Timestamp;
use serde::Serialize;

use job::Walker;
pub use job::{DroppedBy, JobTrace, LookedAt, PassedOverObject};
pub use near::{Match, NearMiss};
pub use owner::Owner;
pub use question::{Question, QuestionError};
pub use trace::{Change, Fate, Name, Origin, Read, RuleTrace, TargetTrace};

use crate::allocation::{Allocation, Plan, PlannedJob};
use crate::config::Config;
use crate::discovery::Index;
use crate::discovery::SourceAnswers;
use crate::labels::ADDRESS;
use crate::objects::Cluster;
use crate::report::{Entry, ObjectRef};
use crate::targets::address_hash;

/// Most targets that one answer follows rule by rule.
pub const MOST_TARGETS: usize = 40;

/// All that an allocation was made of, and the allocation.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "named as their types")]
pub struct World<'a> {
    pub config: &'a Config,
    pub cluster: &'a Cluster,
    pub external: &'a SourceAnswers,
    pub allocation: &'a Allocation,
    /// When the cluster was read.
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

/// Where on its way something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "one variant a stage")]
pub enum Stage {
    Cluster,
    Selection,
    Acceptance,
    Discovery,
    Relabelling,
    Assignment,
}

/// What a stage does to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// It goes on.
    Passed,
    /// It ends here.
    Stopped,
    /// Good to know; decides nothing.
    Note,
}

/// One stage, what it does, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as their types")]
pub struct Step {
    pub stage: Stage,
    pub progress: Progress,
    pub text: String,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// What was asked.
    pub asked: Question,
    /// Whether anything of it is served.
    pub served: bool,
    /// The answer in one sentence.
    pub summary: String,
    /// Stage by stage.
    pub steps: Vec<Step>,
    /// What the report says of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Entry>,
    /// The jobs of a monitor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobTrace>,
    /// The monitors that mean a pod or service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub monitors: Vec<Match>,
    /// What comes nearest where nothing is meant: monitors for a pod or service, services or pods for a monitor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nearest: Vec<NearMiss>,
    /// Targets, rule by rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetTrace>,
    /// How many further targets there are that are not followed here.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_targets: usize,
    /// What a collector has, by job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub share: Vec<ShareOfJob>,
}

/// How many targets of a job a collector has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct ShareOfJob {
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
    match question {
        Question::Monitor { kind, namespace, name } => {
            monitor::explain(world, &ObjectRef::new(kind.as_str(), namespace, name), &mut explanation);
        }
        Question::Pod { namespace, name } => object::explain_pod(world, namespace, name, &mut explanation),
        Question::Service { namespace, name } => object::explain_service(world, namespace, name, &mut explanation),
        Question::Target { address } => target::explain(world, address, &mut explanation),
        Question::Collector { id } => collector::explain(world, id, &mut explanation),
    }
    explanation
}

/// What became of the targets of a job; `None` if there is no such job.
#[must_use]
pub fn job_trace(world: World<'_>, name: &str) -> Option<JobTrace> {
    Some(Walker::new(world, planned(world, name)?).all())
}

/// A target of a job, rule by rule; `None` if the job has none of that identity.
#[must_use]
pub fn target_trace(world: World<'_>, job: &str, identity: u64) -> Option<TargetTrace> {
    let mut targets = world.allocation.job(job)?.targets();
    let (_, target) = targets.find(|(_, target)| target.identity == identity)?;
    let walker = Walker::new(world, planned(world, job)?);
    let traces = walker.some(|_| true, |found| address_hash(found.get(ADDRESS)) == target.address);
    traces.into_iter().find(|trace| trace.identity == Some(identity) && !matches!(trace.fate, Fate::Merged { .. }))
}

/// All targets of a job that its rules keep, rule by rule, equal ones once.
#[must_use]
pub fn kept_targets(world: World<'_>, job: &str) -> Vec<TargetTrace> {
    let Some(planned) = planned(world, job) else { return Vec::new() };
    let traces = Walker::new(world, planned).some(|_| true, |_| true);
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

    /// Takes targets while there is room for them.
    fn add_targets(&mut self, targets: Vec<TargetTrace>) {
        let room = MOST_TARGETS.saturating_sub(self.targets.len());
        self.more_targets += targets.len().saturating_sub(room);
        self.targets.extend(targets.into_iter().take(room));
    }
}

/// `1 target`, `2 targets`.
fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
