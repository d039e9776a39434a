//! The turn of one source: whether it was asked, and when it may send a large answer.
//!
//! A source that fails while others wait comes after them the next time. So a failure counts against a source only
//! while it has its turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// How many large answers are read at a time, in all clusters: of sources that did not fail the last time, and of
/// the others. This bounds the memory that they take.
static LARGE_AT_ONCE: Semaphore = Semaphore::const_new(3);
static LARGE_AFTER_FAILURE: Semaphore = Semaphore::const_new(1);

/// How fast a large answer must arrive, in bytes a second, and how late it may be. Others wait for it to end.
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
    /// A turn that is not taken yet. `failed_last` says whether the source failed the last time.
    pub const fn new(failed_last: bool) -> Self {
        Self { failed_last, begun: AtomicBool::new(false), taken: AtomicBool::new(false) }
    }

    /// Begins the turn, or goes on with it. From here on it is the source's own fault if there is no answer in time.
    pub fn take(&self) {
        self.begun.store(true, Ordering::Relaxed);
        self.taken.store(true, Ordering::Relaxed);
    }

    /// Waits until the source's answer may grow large; `bytes` of it have arrived. If time runs out meanwhile,
    /// other sources are at fault.
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

/// The permission to read a large answer. Dropping it lets the next source read one.
#[derive(Debug)]
pub struct Large {
    _permit: Option<SemaphorePermit<'static>>,
    since: Instant,
    bytes: usize,
}

impl Large {
    /// By when more of an answer must arrive, after `bytes` of it have arrived.
    pub fn deadline(&self, bytes: usize) -> Instant {
        let come = bytes.saturating_sub(self.bytes) as f64 / LEAST_PER_SECOND as f64;
        self.since + GRACE + Duration::from_secs_f64(come)
    }
}
