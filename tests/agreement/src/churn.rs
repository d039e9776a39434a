//! The kinds of churn, and the times of their changes.

use fastrand::Rng;

use crate::{Millis, seconds};

/// A change of the cluster at one point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This number of pods is replaced by others.
    Replace(usize),
    /// The scheduler assigns a collector's pod to a node.
    Schedule(String),
    /// The process of a collector starts.
    Start(String),
    /// The deletion of a collector's pod starts.
    Delete(String),
    /// The process of a collector ends.
    Stop(String),
    /// The pod of a collector is removed.
    Remove(String),
}

/// A kind of churn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Churn {
    /// One pod of a hundred is replaced in a minute, for ten minutes.
    Pods,
    /// One pod of ten is replaced within a minute, a few at a time.
    Rollout,
    /// A collector joins.
    ScaleUp,
    /// The last collector of a `StatefulSet` leaves.
    ScaleDown,
    /// Four pods of a `StatefulSet` of collectors restart, one after the other.
    Restart,
    /// Four pods of a `Deployment` of collectors are replaced, one after the other.
    Replacement,
}

/// The changes of one run.
#[derive(Debug)]
pub struct Timeline {
    /// The changes in the order of their times.
    pub changes: Vec<(Millis, Change)>,
    /// The end of the run, [`SETTLING`] after the last change.
    pub ends: Millis,
    /// The number of pods or collectors that were added, removed or replaced.
    pub units: usize,
}

/// Time without changes at the start and at the end of a run. All collectors poll several times in this time.
pub const SETTLING: Millis = seconds(120);

impl Churn {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Pods, Self::Rollout, Self::ScaleUp, Self::ScaleDown, Self::Restart, Self::Replacement];

    /// The name in the tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pods => "pods, 1 % a minute",
            Self::Rollout => "pods, 10 % in a minute",
            Self::ScaleUp => "a collector joins",
            Self::ScaleDown => "a collector leaves",
            Self::Restart => "a StatefulSet restarts",
            Self::Replacement => "a Deployment rolls out",
        }
    }

    /// Whether scraped pods are replaced. If not, collectors are.
    #[must_use]
    pub const fn is_of_pods(self) -> bool {
        matches!(self, Self::Pods | Self::Rollout)
    }

    /// A random timeline for a cluster of this size.
    #[must_use]
    pub fn timeline(self, pods: usize, collectors: usize, rng: &mut Rng) -> Timeline {
        let mut now = SETTLING + rng.u64(0..seconds(60));
        let mut changes = Vec::new();
        let units = match self {
            Self::Pods => {
                let count = pods / 10;
                for _ in 0..count {
                    // The random steps add up to 600 seconds on average.
                    now += rng.u64(0..=2 * seconds(600) / count as u64);
                    changes.push((now, Change::Replace(1)));
                }
                count
            }
            Self::Rollout => {
                let batches = 12;
                for _ in 0..batches {
                    now += seconds(5);
                    changes.push((now, Change::Replace(pods / 10 / batches)));
                }
                pods / 10 / batches * batches
            }
            Self::ScaleUp => {
                join(name(collectors), &mut now, &mut changes, rng);
                1
            }
            Self::ScaleDown => {
                leave(name(collectors - 1), &mut now, &mut changes, rng);
                1
            }
            Self::Restart => {
                for collector in (0..collectors).rev().take(REPLACED) {
                    leave(name(collector), &mut now, &mut changes, rng);
                    now += rng.u64(200..2_000);
                    join(name(collector), &mut now, &mut changes, rng);
                }
                REPLACED
            }
            Self::Replacement => {
                for collector in 0..REPLACED {
                    join(format!("otel-collector-next-{collector}"), &mut now, &mut changes, rng);
                    leave(name(collector), &mut now, &mut changes, rng);
                }
                REPLACED
            }
        };
        Timeline { changes, ends: now + SETTLING, units }
    }
}

/// The number of collectors that a restart or a rollout replaces.
const REPLACED: usize = 4;

/// The name of a collector that exists from the start.
#[must_use]
pub fn name(collector: usize) -> String {
    format!("otel-collector-{collector}")
}

/// Adds a collector: its pod is scheduled, runs 5 to 15 seconds later, and is ready 1 to 11 seconds after that.
fn join(name: String, now: &mut Millis, changes: &mut Vec<(Millis, Change)>, rng: &mut Rng) {
    changes.push((*now, Change::Schedule(name.clone())));
    *now += rng.u64(seconds(5)..seconds(15));
    changes.push((*now, Change::Start(name)));
    *now += rng.u64(seconds(1)..seconds(11));
}

/// Removes a collector: its deletion starts, its process ends 1 to 3 seconds later, and its pod is gone after one more.
fn leave(name: String, now: &mut Millis, changes: &mut Vec<(Millis, Change)>, rng: &mut Rng) {
    changes.push((*now, Change::Delete(name.clone())));
    *now += rng.u64(seconds(1)..seconds(3));
    changes.push((*now, Change::Stop(name.clone())));
    *now += seconds(1);
    changes.push((*now, Change::Remove(name)));
}
