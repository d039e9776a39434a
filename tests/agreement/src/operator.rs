//! The operator's allocator: one process that watches the cluster.
//!
//! Its delays are those of its sources (v0.15x) and of Prometheus' discovery manager:
//! changes of collectors count from the next tick of five seconds on
//! (`internal/collector/collector.go`); changes of targets wait for the manager, whose
//! pauses grow from 0.1 to 5 seconds while much happens (`discovery/manager.go`), and
//! then for a tick of five seconds, unless the last one found nothing to do
//! (`internal/target/discovery.go`).

use fastrand::Rng;

use crate::shares::State;
use crate::{Millis, seconds};

/// What it wakes up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Looks at the collectors.
    Collectors,
    /// Sends the targets on, if they changed.
    Sender,
    /// Reloads the targets, if some were sent.
    Reloader,
}

/// How often it looks at the collectors and at targets that were sent.
const TICK: Millis = seconds(5);
const SHORTEST_PAUSE: f64 = 100.0;
const LONGEST_PAUSE: f64 = 5_000.0;

/// The allocator.
#[derive(Debug)]
pub struct Operator {
    rng: Rng,
    /// What it answers from.
    applied: State,
    changed: bool,
    pause: f64,
    last_sent: Option<Millis>,
    sent: Option<usize>,
    reloader: Reloader,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reloader {
    /// Until the next tick it does nothing.
    Ticking,
    /// The tick is over: what comes is reloaded at once. Another tick may have come meanwhile.
    Waiting { ticked: bool },
}

impl Operator {
    /// Knows the cluster as it is.
    #[must_use]
    pub const fn new(cluster: State, rng: Rng) -> Self {
        let reloader = Reloader::Waiting { ticked: true };
        Self { rng, applied: cluster, changed: false, pause: SHORTEST_PAUSE, last_sent: None, sent: None, reloader }
    }

    /// When it wakes up first, and for what.
    pub fn wakes(&mut self, now: Millis) -> [(Millis, Wake); 3] {
        let mut within_a_tick = || now + self.rng.u64(0..TICK);
        [(within_a_tick(), Wake::Collectors), (within_a_tick(), Wake::Reloader), (now, Wake::Sender)]
    }

    /// What it answers from.
    #[must_use]
    pub const fn applied(&self) -> &State {
        &self.applied
    }

    /// Targets have changed.
    pub const fn targets_changed(&mut self) {
        self.changed = true;
    }

    /// Wakes up; the answer is when it does so again for the same reason.
    pub fn wake(&mut self, wake: Wake, cluster: &State, now: Millis) -> Millis {
        match wake {
            Wake::Collectors => {
                self.applied.collectors.clone_from(&cluster.collectors);
                for collector in &mut self.applied.collectors {
                    // It has its share until it is gone.
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
