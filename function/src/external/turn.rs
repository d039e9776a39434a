//! The turn of one source: whether a request was sent, and when the source may send a large response.
//!
//! A source that fails comes after waiting sources in the next refresh. So a failure counts against a source only
//! during its turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Maximum number of large responses that are read at the same time, in all clusters. One limit is for sources whose
/// last request succeeded, one for all other sources. The limits bound the memory of responses.
static LARGE_AT_ONCE: Semaphore = Semaphore::const_new(3);
static LARGE_AFTER_FAILURE: Semaphore = Semaphore::const_new(1);

/// Minimum speed of a large response in bytes per second, and its maximum delay. Other sources wait for its end.
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
    /// A turn that has not begun. `failed_last` is whether the last request to the source failed.
    pub const fn new(failed_last: bool) -> Self {
        Self { failed_last, begun: AtomicBool::new(false), taken: AtomicBool::new(false) }
    }

    /// Begins or continues the turn. From now on, a timeout counts as a failure of the source.
    pub fn take(&self) {
        self.begun.store(true, Ordering::Relaxed);
        self.taken.store(true, Ordering::Relaxed);
    }

    /// Waits until the source may send a large response. `bytes` of the response have arrived. A timeout during this
    /// wait is not a failure of the source.
    pub async fn grow(&self, bytes: usize) -> Large {
        let large = if self.failed_last { &LARGE_AFTER_FAILURE } else { &LARGE_AT_ONCE };
        self.taken.store(false, Ordering::Relaxed);
        // The semaphores are never closed.
        let permit = large.acquire().await.ok();
        self.take();
        Large { _permit: permit, since: Instant::now(), bytes }
    }

    /// Whether a request was sent to the source, even if the source then waited for other sources.
    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether the source had its turn.
    pub fn was_taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }
}

/// The permission to read a large response. Dropping it gives the permission to the next source.
#[derive(Debug)]
pub struct Large {
    _permit: Option<SemaphorePermit<'static>>,
    since: Instant,
    bytes: usize,
}

impl Large {
    /// The deadline for the next part of a response, after `bytes` of it have arrived.
    pub fn deadline(&self, bytes: usize) -> Instant {
        let come = bytes.saturating_sub(self.bytes) as f64 / LEAST_PER_SECOND as f64;
        self.since + GRACE + Duration::from_secs_f64(come)
    }
}
