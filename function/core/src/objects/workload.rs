//! Replica sets and jobs, which link a pod to its deployment or cron job. Only their metadata is used.

use serde::Deserialize;

use super::{Metadata, object};

/// A replica set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct ReplicaSet {
    pub metadata: Metadata,
}

/// A job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub struct Job {
    pub metadata: Metadata,
}

object!(ReplicaSet = "ReplicaSet", Job = "Job");
