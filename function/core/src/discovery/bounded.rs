//! How much one object may lend.
//!
//! An endpoint slice of 1 MB can stand for twenty million targets, each with all the labels of its pod.

use crate::labels::LabelSet;

/// Most targets of one object. An API server takes a thousand endpoints in a slice.
pub const MOST_TARGETS: usize = 250_000;

/// Most labels that the targets of one object have beyond those that they share.
pub const MOST_LABELS: usize = 8_000_000;

/// An object that would lend more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has more than {MOST_TARGETS} targets, or more than {MOST_LABELS} labels on them")]
pub struct TooMany;

/// Targets in the making.
#[derive(Debug, Default)]
pub(super) struct Bounded<'a> {
    targets: Vec<(usize, LabelSet<'a>)>,
    labels: usize,
}

impl<'a> Bounded<'a> {
    /// Adds a target of a part, unless there are too many.
    pub(super) fn push(&mut self, part: usize, target: LabelSet<'a>) {
        if !self.is_over() {
            self.labels += target.len();
            self.targets.push((part, target));
        }
    }

    /// How many labels the last target has: the next one has about as many.
    pub(super) fn usual(&self) -> usize {
        self.targets.last().map_or(0, |(_, target)| target.len())
    }

    /// Whether there is no use in making any more.
    pub(super) const fn is_over(&self) -> bool {
        self.targets.len() > MOST_TARGETS || self.labels > MOST_LABELS
    }

    pub(super) fn finish(self) -> Result<Vec<(usize, LabelSet<'a>)>, TooMany> {
        if self.is_over() { Err(TooMany) } else { Ok(self.targets) }
    }
}
