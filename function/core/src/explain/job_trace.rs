//! The trace of one job: counts from discovery to assignment. Part of the JSON of `/explain`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::trace::{RuleOrigin, TargetTrace};

/// The counts of one job, from discovery to assignment, and some traced targets. Part of the JSON of `/explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobTrace {
    /// The name of the job.
    pub job: String,
    /// The index of the monitor's endpoint. `None` for kinds of monitors that have one endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<usize>,
    /// The pipelines of the config, and whether the job is in each. Empty if the config has no pipelines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pipelines: Vec<PipelineTrace>,
    /// The result of each service discovery of the job.
    pub looked_at: Vec<DiscoveryResult>,
    /// The number of discovered targets.
    pub found: usize,
    /// The rules that dropped targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<DroppingRule>,
    /// The number of targets that were merged because they equal another target after the rules.
    pub merged: usize,
    /// The number of targets that the job serves.
    pub targets: usize,
    /// The number of served targets that no collector is assigned.
    pub unassigned: usize,
    /// The number of served targets by collector. With replicas, one target counts for several collectors.
    pub collectors: BTreeMap<String, usize>,
    /// Why the targets are unknown, for example because a URL has never answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// Why the job has no targets, in one sentence. `None` if the job has targets, or if they are unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Some of the discovered targets, traced rule by rule: a few for each outcome.
    pub examples: Vec<TargetTrace>,
}

/// The result of one service discovery of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DiscoveryResult {
    /// The service discovery in words, for example the kind of object and its namespaces.
    pub place: String,
    /// The number of objects, or of target groups for a source outside of the cluster.
    pub objects: usize,
    /// The number of targets that they gave.
    pub targets: usize,
    /// The number of objects that gave no target.
    pub passed_over: usize,
    /// The first ten of the objects that gave no target.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over_objects: Vec<SkippedObject>,
}

/// An object that gave no target, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct SkippedObject {
    pub object: String,
    pub reason: String,
}

/// A rule that dropped targets, and the number of these targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct DroppingRule {
    pub from: RuleOrigin,
    pub rule: String,
    pub targets: usize,
}

/// A pipeline of the config, and whether a job is in it. Part of the JSON of `/explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PipelineTrace {
    /// The name of the pipeline.
    pub pipeline: String,
    /// The first condition of the pipeline that the job does not meet. `None` if the job is in the pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmet: Option<String>,
}
