//! What happens to a cluster.

use fastrand::Rng;

use crate::{Millis, seconds};

/// Something that happens at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// That many pods are replaced by others.
    Replace(usize),
    /// A collector's pod is put on a node.
    Schedule(String),
    /// Its process starts.
    Start(String),
    /// It is being deleted.
    Delete(String),
    /// Its process ends.
    Stop(String),
    /// It is gone.
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

/// Churn that happens at these times.
#[derive(Debug)]
pub struct Timeline {
    /// In order.
    pub changes: Vec<(Millis, Change)>,
    /// When all is as it stays.
    pub ends: Millis,
    /// How many pods or collectors came, went, or were replaced.
    pub units: usize,
}

/// How long collectors are given to settle before and after.
pub const SETTLING: Millis = seconds(120);

impl Churn {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Pods, Self::Rollout, Self::ScaleUp, Self::ScaleDown, Self::Restart, Self::Replacement];

    /// What it is called.
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

    /// Whether pods that are scraped come and go, and no collectors.
    #[must_use]
    pub const fn is_of_pods(self) -> bool {
        matches!(self, Self::Pods | Self::Rollout)
    }

    /// When what happens to a cluster of that many pods and collectors.
    #[must_use]
    pub fn timeline(self, pods: usize, collectors: usize, rng: &mut Rng) -> Timeline {
        let mut now = SETTLING + rng.u64(0..seconds(60));
        let mut changes = Vec::new();
        let units = match self {
            Self::Pods => {
                let count = pods / 10;
                for _ in 0..count {
                    // 600 seconds for all of them on average, at any distance from each other.
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

/// How many collectors are replaced.
const REPLACED: usize = 4;

/// The name of a collector that was there from the beginning.
#[must_use]
pub fn name(collector: usize) -> String {
    format!("otel-collector-{collector}")
}

/// On a node, running 5 to 15 seconds later, ready 1 to 11 seconds after that.
fn join(name: String, now: &mut Millis, changes: &mut Vec<(Millis, Change)>, rng: &mut Rng) {
    changes.push((*now, Change::Schedule(name.clone())));
    *now += rng.u64(seconds(5)..seconds(15));
    changes.push((*now, Change::Start(name)));
    *now += rng.u64(seconds(1)..seconds(11));
}

/// Told to end, ended 1 to 3 seconds later, gone after one more.
fn leave(name: String, now: &mut Millis, changes: &mut Vec<(Millis, Change)>, rng: &mut Rng) {
    changes.push((*now, Change::Delete(name.clone())));
    *now += rng.u64(seconds(1)..seconds(3));
    changes.push((*now, Change::Stop(name.clone())));
    *now += seconds(1);
    changes.push((*now, Change::Remove(name)));
}
