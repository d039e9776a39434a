//! Limits the targets that one object can have, and the labels of these targets.
//!
//! An endpoint slice of 1 MB can describe twenty million targets, each with all labels of its pod. Without limits, one
//! object could fill the memory.

use crate::labels::LabelSet;

/// Maximum number of targets of one object. An API server accepts at most a thousand endpoints in a slice, so the
/// objects of real clusters are far below this limit.
pub const MOST_TARGETS: usize = 250_000;

/// Maximum number of labels that the targets of one object have in addition to the labels of their group and part. This
/// number of labels takes about 400 MB.
pub const MOST_LABELS: usize = 8_000_000;

/// An object exceeds a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has more than {MOST_TARGETS} targets, or more than {MOST_LABELS} labels on them")]
pub struct TooMany;

/// A target of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartTarget<'a> {
    /// The position of the target's part in the group.
    pub part: usize,
    /// The labels that the target has in addition to the labels of its part and group.
    pub labels: LabelSet<'a>,
}

impl<'a> PartTarget<'a> {
    /// The targets of an object with a single part.
    pub(super) fn of_one_part(targets: Vec<LabelSet<'a>>) -> Vec<Self> {
        targets.into_iter().map(|labels| Self { part: 0, labels }).collect()
    }
}

/// Collects targets up to the limits.
#[derive(Debug, Default)]
pub(super) struct Bounded<'a> {
    targets: Vec<PartTarget<'a>>,
    labels: usize,
}

impl<'a> Bounded<'a> {
    /// Adds a target. Does nothing after a limit is exceeded.
    pub(super) fn push(&mut self, part: usize, labels: LabelSet<'a>) {
        if !self.is_over() {
            self.labels += labels.len();
            self.targets.push(PartTarget { part, labels });
        }
    }

    /// The number of labels of the last target. The next one has about as many.
    pub(super) fn usual(&self) -> usize {
        self.targets.last().map_or(0, |target| target.labels.len())
    }

    /// Whether a limit is exceeded. The caller can then stop making targets.
    pub(super) const fn is_over(&self) -> bool {
        self.targets.len() > MOST_TARGETS || self.labels > MOST_LABELS
    }

    pub(super) fn finish(self) -> Result<Vec<PartTarget<'a>>, TooMany> {
        if self.is_over() { Err(TooMany) } else { Ok(self.targets) }
    }
}
