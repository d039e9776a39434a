//! Findings: errors in a monitor or in one of its jobs.
//!
//! A finding is created without a field. Each level that returns the finding adds its own field name in front.

use std::fmt;

pub(super) use crate::error::chain;
use crate::report::{ObjectRef, Outcome, Report};

/// One error, with its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// [`Outcome::Refused`] if the operator skips the whole monitor. [`Outcome::JobLeftOut`] if only one job is left
    /// out. [`Outcome::Adjusted`] if the job is served.
    pub outcome: Outcome,
    /// The wrong field. Empty for the whole object.
    pub field: String,
    /// The reason, and what to do about it.
    pub reason: String,
}

impl Finding {
    /// A finding that refuses the whole monitor.
    pub fn refused(reason: impl fmt::Display) -> Self {
        Self { outcome: Outcome::Refused, field: String::new(), reason: reason.to_string() }
    }

    /// A finding that leaves out one job.
    pub fn left_out(reason: impl fmt::Display) -> Self {
        Self { outcome: Outcome::JobLeftOut, ..Self::refused(reason) }
    }

    /// A finding about an ignored part of a job that is served.
    pub fn adjusted(reason: impl fmt::Display) -> Self {
        Self { outcome: Outcome::Adjusted, ..Self::refused(reason) }
    }

    /// Adds the finding about `object` to a report.
    pub fn report(self, object: &ObjectRef, report: &mut Report) {
        let Self { outcome, field, reason } = self;
        report.push(object.clone(), outcome, field, reason);
    }
}

/// Adds the name of a field to a finding.
pub trait Within {
    /// Prefixes the field of the finding with `parent`.
    #[must_use]
    fn within(self, parent: &str) -> Self;
}

impl Within for Finding {
    fn within(mut self, parent: &str) -> Self {
        let dot = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        self.field = format!("{parent}{dot}{}", self.field);
        self
    }
}

impl<T> Within for Result<T, Finding> {
    fn within(self, parent: &str) -> Self {
        self.map_err(|finding| finding.within(parent))
    }
}
