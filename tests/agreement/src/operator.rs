//! Simulates the operator's allocator: one process that watches the cluster.
//!
//! The delays follow the sources of the operator (v0.15x) and of Prometheus:
//!
//! - A change of collectors takes effect at the next tick of five seconds (`internal/collector/collector.go`).
//! - A change of targets waits for the discovery manager of Prometheus. Its pauses grow from 0.1 to 5 seconds while
//!   there are many changes (`discovery/manager.go`).
//! - The change then waits for a tick of five seconds, unless the last tick had nothing to do
//!   (`internal/target/discovery.go`).

use fastrand::Rng;

use crate::shares::State;
use crate::{Millis, seconds};

/// The periodic tasks of the allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Reads the list of collectors.
    Collectors,
    /// Sends changed targets from the discovery manager to the allocator.
    Sender,
    /// Reloads targets that were sent.
    Reloader,
}

/// Time between two looks at the collectors, and at sent targets.
const TICK: Millis = seconds(5);
const SHORTEST_PAUSE: f64 = 100.0;
const LONGEST_PAUSE: f64 = 5_000.0;

/// The operator's allocator.
#[derive(Debug)]
pub struct Operator {
    rng: Rng,
    /// The state that responses come from.
    applied: State,
    changed: bool,
    pause: f64,
    last_sent: Option<Millis>,
    sent: Option<usize>,
    reloader: Reloader,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reloader {
    /// Does nothing until the next tick.
    Ticking,
    /// Reloads sent targets at once. `ticked` says whether another tick has come in the meantime.
    Waiting { ticked: bool },
}

impl Operator {
    /// An allocator that knows the current state of the cluster.
    #[must_use]
    pub const fn new(cluster: State, rng: Rng) -> Self {
        let reloader = Reloader::Waiting { ticked: true };
        Self { rng, applied: cluster, changed: false, pause: SHORTEST_PAUSE, last_sent: None, sent: None, reloader }
    }

    /// The first time of each periodic task.
    pub fn wakes(&mut self, now: Millis) -> [(Millis, Wake); 3] {
        let mut within_a_tick = || now + self.rng.u64(0..TICK);
        [(within_a_tick(), Wake::Collectors), (within_a_tick(), Wake::Reloader), (now, Wake::Sender)]
    }

    /// The state that responses come from.
    #[must_use]
    pub const fn applied(&self) -> &State {
        &self.applied
    }

    /// Records that targets have changed in the cluster.
    pub const fn targets_changed(&mut self) {
        self.changed = true;
    }

    /// Runs a periodic task, and returns the time of its next run.
    pub fn wake(&mut self, wake: Wake, cluster: &State, now: Millis) -> Millis {
        match wake {
            Wake::Collectors => {
                self.applied.collectors.clone_from(&cluster.collectors);
                for collector in &mut self.applied.collectors {
                    // The operator's allocator assigns targets to a collector until its pod is gone.
                    collector.is_terminating = false;
                }
                now + TICK
            }
            Wake::Sender => self.send(cluster, now),
            Wake::Reloader => {
                match &mut self.reloader {
                    Reloader::Waiting { ticked } => *ticked = true,
                    Reloader::Ticking => {
                        self.reloader = Reloader::Waiting { ticked: false };
                        self.reload();
                    }
                }
                now + TICK
            }
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 50 and 7500")]
    fn send(&mut self, cluster: &State, now: Millis) -> Millis {
        if std::mem::take(&mut self.changed) {
            self.sent = Some(cluster.replaced);
            self.last_sent = Some(now);
            self.reload();
        }
        if self.last_sent.is_none_or(|sent| now - sent > TICK) {
            self.pause = SHORTEST_PAUSE;
        }
        let pause = self.pause * (0.5 + self.rng.f64());
        self.pause = (self.pause * 1.5).min(LONGEST_PAUSE);
        now + pause as Millis
    }

    fn reload(&mut self) {
        let Reloader::Waiting { ticked } = self.reloader else { return };
        let Some(sent) = self.sent.take() else { return };
        self.applied.replaced = sent;
        self.reloader = if ticked { Reloader::Waiting { ticked: false } } else { Reloader::Ticking };
    }
}
