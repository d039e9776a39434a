//! Points in time whose distance is right even after Lambda froze the process.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// A point in time, read from the monotonic clock and the wall clock.
///
/// Lambda freezes an environment between requests. The monotonic clock may stop during the freeze, and the wall clock
/// may be set. [`Moment::elapsed`] therefore takes the longer distance, so a snapshot never looks younger than it is.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    /// The current time.
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// The time since this moment, by the clock that shows more.
    pub fn elapsed(&self) -> Duration {
        // A wall clock that was set back gives an error. The monotonic clock is then right.
        self.monotonic.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }

    /// The time of the wall clock.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.since_1970()
    }

    /// The time of the wall clock since the start of 1970.
    pub fn since_1970(&self) -> Duration {
        self.wall.duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// A moment with this time of the wall clock since the start of 1970.
    #[cfg(test)]
    pub fn at(since_1970: Duration) -> Self {
        Self { monotonic: Instant::now(), wall: UNIX_EPOCH + since_1970 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_takes_the_clock_that_shows_more() {
        let now = Moment::now();
        let hour = Duration::from_secs(3600);
        let frozen = Moment { monotonic: now.monotonic, wall: now.wall - hour };
        assert!(frozen.elapsed() >= hour, "the monotonic clock stood still");
        let set_back = Moment { monotonic: now.monotonic, wall: now.wall + hour };
        assert!(set_back.elapsed() < hour, "the wall clock was set back");
    }
}
