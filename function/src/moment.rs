//! Points in time whose distance can be trusted after a freeze.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// A point in time by both clocks.
///
/// Lambda freezes an environment between requests. The monotonic clock may stand
/// still meanwhile, and the wall clock may be set: the longer distance counts, so
/// that a snapshot never passes for younger than it is.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// How long ago it was.
    pub fn elapsed(&self) -> Duration {
        // A wall clock that was set back says nothing.
        self.monotonic.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }

    /// The wall clock's reading.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.since_1970()
    }

    /// The wall clock's distance from the beginning of 1970.
    pub fn since_1970(&self) -> Duration {
        self.wall.duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// The moment at which the wall clock has that distance from the beginning of 1970.
    #[cfg(test)]
    pub fn at(since_1970: Duration) -> Self {
        Self { monotonic: Instant::now(), wall: UNIX_EPOCH + since_1970 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_distance_counts() {
        let now = Moment::now();
        let hour = Duration::from_secs(3600);
        let frozen = Moment { monotonic: now.monotonic, wall: now.wall - hour };
        assert!(frozen.elapsed() >= hour, "the monotonic clock stood still");
        let set_back = Moment { monotonic: now.monotonic, wall: now.wall + hour };
        assert!(set_back.elapsed() < hour, "the wall clock was set back");
    }
}
