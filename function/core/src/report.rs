//! What was skipped, refused or passed over, and why.
//!
//! Every stage adds to the report what it leaves out; it is part of the result,
//! is logged once per change and served under `/debug/report`.

use std::fmt;

use serde::Serialize;

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

/// What became of the object that an entry names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The object could not be read and is treated as absent.
    Malformed,
    /// The object is selected but breaks a rule: none of its jobs are served.
    Refused,
    /// One job of the object is left out; its other jobs are served.
    JobLeftOut,
    /// The job's targets are not known: asking for them is a failure, its other answers are not.
    Unknown,
    /// Targets are known but no collector has them.
    Unassigned,
    /// A list that several jobs share (`/merged/targets`, a job of `/merged/scrape_configs`) does not have
    /// the job, or some of its targets. The plain view serves them as ever.
    Unlisted,
    /// Served, but something about it was passed over or replaced.
    Adjusted,
}

/// One thing that was left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Entry {
    /// The object concerned.
    pub object: ObjectRef,
    /// What became of it.
    pub outcome: Outcome,
    /// Path of the field at fault, such as `spec.endpoints[0].basicAuth.password`; empty if the whole object is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// Why, and what to do about it; lower case, no full stop.
    pub reason: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, outcome: _, field, reason } = self;
        if field.is_empty() { write!(f, "{object}: {reason}") } else { write!(f, "{object}: {field}: {reason}") }
    }
}

/// Everything that was left out, in the order of the objects.
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

    /// The entries sorted by object and field, each once.
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
