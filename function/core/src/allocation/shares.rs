//! The targets of a job, sorted by collector.

use super::Job;
use crate::shard::{CollectorIndex, Owners};

/// The shares of all collectors in the targets of one job.
#[derive(Debug, Default)]
pub struct Shares {
    /// The start of the share of each collector in `positions`, and the end of the last share.
    starts: Box<[u32]>,
    /// Positions of targets in the job, ascending within a share.
    positions: Box<[u32]>,
    /// The number of targets that no collector is assigned.
    pub unassigned: usize,
}

impl Shares {
    /// Sorts the targets of a job by collector. `first` is the position of its first target among the targets of all
    /// jobs.
    pub(super) fn new(job: &Job, first: usize, collectors: usize, owners: &Owners) -> Self {
        let mut starts = vec![0_u32; collectors + 1];
        let mut unassigned = 0;
        for position in 0..job.len() {
            let mut nobody = true;
            for owner in owners.of(first + position) {
                starts[owner as usize + 1] += 1;
                nobody = false;
            }
            unassigned += usize::from(nobody);
        }
        for collector in 0..collectors {
            starts[collector + 1] += starts[collector];
        }
        let mut next = starts.clone();
        let mut positions = vec![0; starts[collectors] as usize];
        for (position, number) in (0..job.len()).zip(0..) {
            for owner in owners.of(first + position) {
                positions[next[owner as usize] as usize] = number;
                next[owner as usize] += 1;
            }
        }
        Self { starts: starts.into(), positions: positions.into(), unassigned }
    }

    /// Whether the target at this position is assigned to the collector.
    pub(super) fn has(&self, collector: CollectorIndex, position: usize) -> bool {
        u32::try_from(position).is_ok_and(|position| self.of(collector).binary_search(&position).is_ok())
    }

    /// The positions of the targets that are assigned to a collector.
    pub(super) fn of(&self, collector: CollectorIndex) -> &[u32] {
        let collector = collector as usize;
        let range = self.starts.get(collector).zip(self.starts.get(collector + 1));
        range.and_then(|(start, end)| self.positions.get(*start as usize..*end as usize)).unwrap_or_default()
    }
}
