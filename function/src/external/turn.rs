//! Which sources are asked, and read on, before others.
//!
//! A source that keeps others waiting in vain must not do so for ever: the next time it comes after those that it
//! kept waiting.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// How many answers that have grown large are read on at a time, in all clusters: of sources whose last turn was not
/// in vain, and of the others. So many of them are in memory at most.
static LARGE_AT_ONCE: Semaphore = Semaphore::const_new(3);
static LARGE_AFTER_FAILURE: Semaphore = Semaphore::const_new(1);

/// How fast a large answer has to come, in bytes a second, and how late it may be: others wait for it to end.
const LEAST_PER_SECOND: usize = 2 << 20;
const GRACE: Duration = Duration::from_millis(500);

/// The turn of one source.
#[derive(Debug)]
pub struct Turn {
    failed_last: bool,
    begun: AtomicBool,
    taken: AtomicBool,
}

impl Turn {
    /// Not taken yet. `failed_last` says whether the last one was in vain.
    pub const fn new(failed_last: bool) -> Self {
        Self { failed_last, begun: AtomicBool::new(false), taken: AtomicBool::new(false) }
    }

    /// From here on it is the source's own fault if there is no answer in time.
    pub fn take(&self) {
        self.begun.store(true, Ordering::Relaxed);
        self.taken.store(true, Ordering::Relaxed);
    }

    /// Waits until the source's answer, of which so many bytes have come, may grow large; if time runs out
    /// meanwhile others are at fault.
    pub async fn grow(&self, bytes: usize) -> Large {
        let large = if self.failed_last { &LARGE_AFTER_FAILURE } else { &LARGE_AT_ONCE };
        self.taken.store(false, Ordering::Relaxed);
        // The semaphores are never closed.
        let permit = large.acquire().await.ok();
        self.take();
        Large { _permit: permit, since: Instant::now(), bytes }
    }

    /// Whether the source was asked, even if it then waited for others.
    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether the source had its turn.
    pub fn was_taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }
}

/// That an answer may be large, until this is let go of.
#[derive(Debug)]
pub struct Large {
    _permit: Option<SemaphorePermit<'static>>,
    since: Instant,
    bytes: usize,
}

impl Large {
    /// When more has to have come of an answer of which so many bytes have.
    pub fn deadline(&self, bytes: usize) -> Instant {
        let come = bytes.saturating_sub(self.bytes) as f64 / LEAST_PER_SECOND as f64;
        self.since + GRACE + Duration::from_secs_f64(come)
    }
}
