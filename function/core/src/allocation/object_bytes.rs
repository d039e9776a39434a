//! The memory that the targets of each monitor may still take.
//!
//! Input: the jobs, one after the other. Output: the bytes that are left for the next job of the same monitor. A monitor has
//! up to 200 jobs. Each of them is bounded, and together they could fill the memory.

use std::collections::BTreeMap;

use super::job::Job;
use crate::report::ObjectRef;

/// A job that is too large counts a part of the bound, because nearly all of its targets were made to find that out. So
/// a monitor can have this number of jobs that are too large before its other jobs are not made any more.
const FAILURES: usize = 4;

/// The bytes that are left for each monitor.
pub struct ObjectBytes<'p> {
    most: usize,
    left: BTreeMap<&'p ObjectRef, usize>,
}

impl<'p> ObjectBytes<'p> {
    /// `most` bytes for each monitor.
    pub const fn new(most: usize) -> Self {
        Self { most, left: BTreeMap::new() }
    }

    /// The bytes that are left for another job of `monitor`. Jobs of the config are the operator's own.
    pub fn left(&self, monitor: Option<&'p ObjectRef>) -> usize {
        monitor.map_or(usize::MAX, |monitor| self.left.get(monitor).copied().unwrap_or(self.most))
    }

    /// Subtracts what a job of `monitor` takes.
    pub fn take(&mut self, monitor: Option<&'p ObjectRef>, job: &Job) {
        let Some(monitor) = monitor else { return };
        let taken = if job.is_too_large() { self.most.div_ceil(FAILURES) } else { job.held() };
        let left = self.left.entry(monitor).or_insert(self.most);
        *left = left.saturating_sub(taken);
    }
}
