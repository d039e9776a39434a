//! What is wrong with a monitor or with one job of it.
//!
//! A finding names the field at fault from the inside out: each level adds its own name.

use std::fmt;

use crate::report::{ObjectRef, Outcome, Report};

/// One thing that is wrong, and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// [`Outcome::Refused`] where the operator passes over the whole monitor, [`Outcome::JobLeftOut`]
    /// where only the job goes, [`Outcome::Adjusted`] where the job goes on.
    pub outcome: Outcome,
    /// The field at fault; empty for all of it.
    pub field: String,
    /// Why, and what to do.
    pub reason: String,
}

impl Finding {
    /// The whole monitor is refused.
    pub fn refused(reason: impl fmt::Display) -> Self {
        Self { outcome: Outcome::Refused, field: String::new(), reason: reason.to_string() }
    }

    /// One job is left out.
    pub fn left_out(reason: impl fmt::Display) -> Self {
        Self { outcome: Outcome::JobLeftOut, ..Self::refused(reason) }
    }

    /// The job goes on without something.
    pub fn adjusted(reason: impl fmt::Display) -> Self {
        Self { outcome: Outcome::Adjusted, ..Self::refused(reason) }
    }

    /// Adds the finding to a report.
    pub fn report(self, object: &ObjectRef, report: &mut Report) {
        let Self { outcome, field, reason } = self;
        report.push(object.clone(), outcome, field, reason);
    }
}

/// Says in which field something is.
pub trait Within {
    /// The same, with its field inside of `parent`.
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

/// An error and what caused it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
