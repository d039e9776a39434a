//! What one refresh may take of the API server's answers.
//!
//! An API server, or a proxy before it, can send an answer without an end: pages that always name a next
//! page, bookmarks that do not stop, or one byte at a time. Past a limit the refresh fails, and the last
//! snapshot goes on answering.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::sleep;

/// The longest time of one refresh.
///
/// A cluster of 10,000 pods takes one to two seconds. With an API server that answers each request
/// after 10 s, a refresh takes 30 to 40 s. A refresh that takes longer is too late for most requests:
/// a gateway waits 30 s.
const MOST_TIME: Duration = Duration::from_secs(60);

/// The most bytes of answers in one refresh.
///
/// A pod has 3.1 kB in protobuf. Kubernetes supports 150,000 pods in a cluster: 465 MB.
const MOST_BYTES: usize = 768 << 20;

/// The most pages of one list. A page has 500 objects: 2,000 pages have a million.
pub const MOST_PAGES: usize = 2_000;

/// The most bytes that are held in memory at a time: one object of a list, one event of a watch, an error.
///
/// An API server stores 1.5 MiB of an object. As JSON that is 9 MiB at most.
pub const MOST_WHOLE: usize = 16 << 20;

/// What is left of the limits of one refresh. Clones share it.
#[derive(Debug, Clone)]
pub struct Limits {
    seconds_left: Arc<AtomicU64>,
    bytes_left: Arc<AtomicUsize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(MOST_TIME, MOST_BYTES)
    }
}

impl Limits {
    fn new(time: Duration, bytes: usize) -> Self {
        Self { seconds_left: Arc::new(time.as_secs().into()), bytes_left: Arc::new(bytes.into()) }
    }

    /// Ends when the time is over. Time for which Lambda freezes the environment does not count: however long
    /// a pause takes, the clock that counts in pauses of a second loses one of them.
    pub async fn time_is_over(&self) {
        while self.seconds_left.load(Ordering::Relaxed) > 0 {
            sleep(Duration::from_secs(1)).await;
            self.seconds_left.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Takes bytes off what is left; says which limit was reached if that is too much.
    pub fn take(&self, bytes: usize) -> Result<(), Exceeded> {
        let left = self.bytes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        left.map(drop).map_err(|_| Exceeded::Bytes)
    }
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// [`MOST_TIME`].
    #[error("a refresh may take {} s", MOST_TIME.as_secs())]
    Time,
    /// [`MOST_BYTES`].
    #[error("a refresh may read {} MiB", MOST_BYTES >> 20)]
    Bytes,
    /// [`MOST_PAGES`].
    #[error("a list may have {MOST_PAGES} pages")]
    Pages,
    /// [`MOST_WHOLE`].
    #[error("one object may have {} MiB", MOST_WHOLE >> 20)]
    Whole,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_taken_by_all_clones_until_none_are_left() {
        let limits = Limits::new(MOST_TIME, 10);
        let other = limits.clone();
        let steps = [
            (&limits, 4, Ok(())),
            (&other, 7, Err(Exceeded::Bytes)),
            (&other, 6, Ok(())),
            (&limits, 1, Err(Exceeded::Bytes)),
        ];
        for (limits, bytes, expected) in steps {
            assert_eq!(limits.take(bytes), expected, "{bytes}");
        }
    }
}
