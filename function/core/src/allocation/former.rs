//! The last known targets of jobs whose targets are unknown now.
//!
//! Input: a job of the previous allocation. Output: the targets that shared lists keep. A failure of one job thereby
//! does not remove targets from a list of several jobs. A list of a single job keeps nothing: its request fails, and
//! the scraper keeps its own targets.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::place::Place;
use crate::targets::Views;

/// The targets of a job at the time when they were last known.
#[derive(Debug)]
pub(super) struct Former {
    pub targets: Vec<Place>,
    pub views: Views,
    /// The time when the targets were last known.
    pub since: Timestamp,
}

/// The rule for how long targets are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keeping {
    pub now: Timestamp,
    /// The time of the previous allocation. `None` for the first allocation of an environment.
    pub before: Option<Timestamp>,
    /// The time for which targets are kept.
    pub keep: Duration,
}

impl Keeping {
    /// Returns the targets, unless they are too old.
    pub(super) fn kept(self, former: Former) -> Option<Former> {
        let age = self.now.duration_since(former.since);
        let keep = SignedDuration::try_from(self.keep).unwrap_or(SignedDuration::MAX);
        (age <= keep).then_some(former)
    }
}
