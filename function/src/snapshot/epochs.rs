//! How long a snapshot serves.
//!
//! Input: the TTL, and when a snapshot was taken. Environments do not know of each
//! other; they take their snapshots at nearly the same times because all of them go by
//! the same epochs of the wall clock, so that they give targets to the same collectors.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::moment::Moment;

/// Epochs as long as the TTL.
///
/// Those of one environment begin up to a fifth of the TTL earlier than those of
/// another: else all would read the cluster in the same second, and each request that
/// comes meanwhile would make Lambda start another environment, which reads it as well.
/// `docs/agreement.md` has the figures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epochs {
    ttl: Duration,
    ahead: Duration,
}

/// The part of the TTL within which the epochs of all environments begin.
const SPREAD: u32 = 5;
/// The part of the TTL that a snapshot serves at least, whenever it was taken.
const LEAST: u32 = 2;

impl Epochs {
    /// The epochs of this environment.
    pub(super) fn new(ttl: Duration) -> Self {
        let chance = u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or_default();
        Self { ttl, ahead: ttl / SPREAD * (chance % 1000) / 1000 }
    }

    /// How long a snapshot serves that was taken then: to the end of its epoch, but not
    /// less than half of the TTL.
    pub(super) fn serves(&self, taken: Moment) -> Duration {
        let Some(since_epoch) = (taken.since_1970() + self.ahead).as_nanos().checked_rem(self.ttl.as_nanos()) else {
            return Duration::ZERO;
        };
        // What is too large for 64 bits is of a TTL of centuries.
        let since_epoch = u64::try_from(since_epoch).map_or(Duration::ZERO, Duration::from_nanos);
        (self.ttl - since_epoch).max(self.ttl / LEAST)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_snapshot_serves_to_the_end_of_its_epoch() {
        let cases = [
            ("at its beginning", 15, 0, 1_500, 15_000),
            ("a moment later", 15, 0, 1_502, 13_000),
            ("in its second half", 15, 0, 1_513, 7_500),
            ("at its end, by clocks that begin it earlier", 15, 2, 1_498, 15_000),
            ("earlier than the others do", 15, 2, 1_500, 13_000),
            ("no TTL", 0, 0, 1_500, 0),
            ("a TTL longer than time is old", u64::from(u32::MAX), 0, 1_500, u64::from(u32::MAX) * 1000 - 1_500_000),
        ];
        for (name, ttl, ahead, taken, expected) in cases {
            let epochs = Epochs { ttl: SECOND * u32::try_from(ttl).unwrap(), ahead: SECOND * ahead };
            let taken = Moment::at(SECOND * taken);
            assert_eq!(epochs.serves(taken), Duration::from_millis(expected), "{name}");
        }
    }

    proptest! {
        #[test]
        fn environments_meet_and_no_snapshot_serves_too_long(
            ttl in 1_u32..4_000,
            first in 0_u64..10_000_000,
            later in 0_u64..100_000,
        ) {
            let ttl = SECOND * ttl;
            let spread = ttl / SPREAD;
            let (one, other) = (Epochs::new(ttl), Epochs::new(ttl));
            prop_assert!(one.ahead <= spread);
            // Asked without a pause, both take a snapshot at about the same time after two of them.
            let next = |epochs: Epochs, taken: Duration| {
                let serves = epochs.serves(Moment::at(taken));
                assert!(serves <= ttl && serves >= ttl / LEAST, "{serves:?}");
                taken + serves
            };
            let taken = Duration::from_millis(first);
            let (mut one_takes, mut other_takes) = (taken, taken + Duration::from_millis(later));
            for _ in 0..3 {
                one_takes = next(one, one_takes);
                other_takes = next(other, other_takes);
            }
            let apart = Duration::from_nanos(
                u64::try_from(one_takes.abs_diff(other_takes).as_nanos() % ttl.as_nanos()).unwrap(),
            );
            prop_assert!(apart <= spread || ttl - apart <= spread, "{apart:?} of {ttl:?}");
        }
    }
}
