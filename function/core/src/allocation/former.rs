//! The last targets of jobs whose targets are not known any more.
//!
//! Input: a job of the allocation before. Output: the targets that lists which several jobs share keep, so
//! that the fault of one job costs no scraper its targets. A list of one job needs nothing kept: a request
//! for it fails, and the scraper keeps what it has.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::place::Place;
use crate::targets::Views;

/// The targets of a job as they were when they were last known.
#[derive(Debug)]
pub(super) struct Former {
    pub targets: Vec<Place>,
    pub views: Views,
    /// When they were last known.
    pub since: Timestamp,
}

/// Which targets are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keeping {
    pub now: Timestamp,
    /// When the allocation before was made; `None` for the first one of an environment.
    pub before: Option<Timestamp>,
    /// How long targets are kept.
    pub keep: Duration,
}

impl Keeping {
    /// The former targets, unless they are too old.
    pub(super) fn kept(self, former: Former) -> Option<Former> {
        let age = self.now.duration_since(former.since);
        let keep = SignedDuration::try_from(self.keep).unwrap_or(SignedDuration::MAX);
        (age <= keep).then_some(former)
    }
}
