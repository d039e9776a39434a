//! Decides how long a snapshot serves.
//!
//! Input: the TTL, and the time at which a snapshot was taken. Output: the time for which the snapshot serves.
//! Environments cannot talk to each other, but should assign targets to equal collectors. All of them therefore divide
//! the wall clock into equal epochs, and refresh at nearly equal times.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::moment::Moment;

/// The epochs of one environment. Each is as long as the TTL.
///
/// Epochs start up to a fifth of the TTL earlier in one environment than in another. Otherwise, all environments would
/// read the cluster in one second. Each request in this second would make Lambda start another environment, which would
/// read the cluster too. `docs/agreement.md` has the figures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epochs {
    ttl: Duration,
    offset: Duration,
}

/// The epochs of all environments start within the TTL divided by this number.
const SPREAD: u32 = 5;

/// A snapshot serves at least for the TTL divided by this number, even if its epoch ends earlier.
const MIN_SERVED: u32 = 2;

impl Epochs {
    /// The epochs of this environment, with a random offset.
    pub(super) fn new(ttl: Duration) -> Self {
        let chance = u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or_default();
        Self { ttl, offset: ttl / SPREAD * (chance % 1000) / 1000 }
    }

    /// The time for which a snapshot serves: to the end of its epoch, but at least half of the TTL. Zero for a TTL of
    /// zero.
    pub(super) fn lifetime(&self, taken: Moment) -> Duration {
        let Some(since_epoch) = (taken.since_1970() + self.offset).as_nanos().checked_rem(self.ttl.as_nanos()) else {
            return Duration::ZERO;
        };
        // The value overflows 64 bits only if the TTL is centuries long. The snapshot then serves for the whole TTL.
        let since_epoch = u64::try_from(since_epoch).map_or(Duration::ZERO, Duration::from_nanos);
        (self.ttl - since_epoch).max(self.ttl / MIN_SERVED)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_snapshot_serves_until_the_end_of_its_epoch() {
        let cases = [
            ("taken at the start of the epoch", 15, 0, 1_500, 15_000),
            ("taken shortly after the start", 15, 0, 1_502, 13_000),
            ("taken in the second half", 15, 0, 1_513, 7_500),
            ("taken before the start, with an offset that starts the epoch earlier", 15, 2, 1_498, 15_000),
            ("epoch ends earlier because of the offset", 15, 2, 1_500, 13_000),
            ("TTL of zero", 0, 0, 1_500, 0),
            (
                "TTL longer than the time since 1970",
                u64::from(u32::MAX),
                0,
                1_500,
                u64::from(u32::MAX) * 1000 - 1_500_000,
            ),
        ];
        for (name, ttl, offset, taken, expected) in cases {
            let epochs = Epochs { ttl: SECOND * u32::try_from(ttl).unwrap(), offset: SECOND * offset };
            let taken = Moment::at(SECOND * taken);
            assert_eq!(epochs.lifetime(taken), Duration::from_millis(expected), "{name}");
        }
    }

    proptest! {
        #[test]
        fn environments_refresh_at_nearly_equal_times(
            ttl in 1_u32..4_000,
            first in 0_u64..10_000_000,
            later in 0_u64..100_000,
        ) {
            let ttl = SECOND * ttl;
            let spread = ttl / SPREAD;
            let (one, other) = (Epochs::new(ttl), Epochs::new(ttl));
            prop_assert!(one.offset <= spread);
            // With requests at all times, both environments refresh in one spread after two refreshes.
            let next = |epochs: Epochs, taken: Duration| {
                let lifetime = epochs.lifetime(Moment::at(taken));
                assert!(lifetime <= ttl && lifetime >= ttl / MIN_SERVED, "{lifetime:?}");
                taken + lifetime
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
