//! The report: everything that is skipped, refused or adjusted, with the reason.
//!
//! Input: findings of all stages. Output: one sorted list. The list is part of the allocation. The function logs each
//! new entry once and serves the list at `/debug/report`.

use std::fmt;

use serde::{Serialize, Serializer};

/// Names an object of the cluster: `ServiceMonitor/namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectRef {
    /// The kind, as in a manifest.
    pub kind: String,
    /// The namespace; empty for cluster-scoped objects.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectRef {
    /// Names an object; `namespace` is empty for cluster-scoped kinds.
    pub fn new(kind: impl Into<String>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name } = self;
        if namespace.is_empty() { write!(f, "{kind}/{name}") } else { write!(f, "{kind}/{namespace}/{name}") }
    }
}

/// What happens to the object of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The object cannot be read and counts as absent.
    Malformed,
    /// The object is selected but invalid. None of its jobs is served.
    Refused,
    /// One job of the object is left out. Its other jobs are served.
    JobLeftOut,
    /// The targets of the job are unknown. A request for them fails, so that a collector keeps its targets.
    Unknown,
    /// Targets exist, but no collector is assigned them.
    Unassigned,
    /// A list that several jobs share (`/merged/targets`, a job of `/merged/scrape_configs`) lacks the job, or some
    /// of its targets. The plain view serves them.
    Unlisted,
    /// The object is served, but a part of it is ignored or replaced.
    Adjusted,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::Refused,
        Self::JobLeftOut,
        Self::Unknown,
        Self::Unassigned,
        Self::Unlisted,
        Self::Adjusted,
    ];

    /// The name in the report, such as `job-left-out`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Refused => "refused",
            Self::JobLeftOut => "job-left-out",
            Self::Unknown => "unknown",
            Self::Unassigned => "unassigned",
            Self::Unlisted => "unlisted",
            Self::Adjusted => "adjusted",
        }
    }

    /// Whether targets are missing that the object asks for. `Unassigned` targets are counted by themselves.
    #[must_use]
    pub const fn loses_targets(self) -> bool {
        match self {
            Self::Malformed | Self::Refused | Self::JobLeftOut | Self::Unknown => true,
            Self::Unassigned | Self::Unlisted | Self::Adjusted => false,
        }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One finding about one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Entry {
    /// The object.
    pub object: ObjectRef,
    /// What happens to the object.
    pub outcome: Outcome,
    /// Path of the wrong field, such as `spec.endpoints[0].basicAuth.password`. Empty if the whole object is wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// The reason, and what to do about it. Lower case, without a full stop.
    pub reason: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, outcome: _, field, reason } = self;
        if field.is_empty() { write!(f, "{object}: {reason}") } else { write!(f, "{object}: {field}: {reason}") }
    }
}

/// A list of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Report {
    entries: Vec<Entry>,
}

impl Report {
    /// Adds an entry.
    pub fn push(&mut self, object: ObjectRef, outcome: Outcome, field: impl Into<String>, reason: impl fmt::Display) {
        self.entries.push(Entry { object, outcome, field: field.into(), reason: reason.to_string() });
    }

    /// Adds all entries of `other`.
    pub fn extend(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// The report with its entries sorted by object, outcome and field, without duplicates.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.entries.sort();
        self.entries.dedup();
        self
    }

    /// The entries.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_has_the_name_that_the_report_serves() {
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.name());
        }
    }
}
