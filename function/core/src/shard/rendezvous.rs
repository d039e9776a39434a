//! Rendezvous hashing (highest random weight) with bounded loads.
//!
//! Each target ranks the collectors by the hash of target and collector. A target applies to collectors in this order.
//! A full collector keeps the targets with the highest score and rejects the others (deferred acceptance, Gale and
//! Shapley 1962). The result does not depend on the order of the applications. A collector that joins or leaves moves
//! little more than its own share, wherever its name sorts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use xxhash_rust::xxh64::xxh64;

use super::{CollectorIndex, Members, TargetKey};

/// The options of rendezvous hashing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rendezvous {
    /// Maximum load of a collector, in thousandths of the mean load. At least 1000.
    pub bound: u32,
    /// Whether a target ranks the collectors in its zone before all others.
    pub same_zone_first: bool,
    /// Whether the load of a target is its scrapes per hour. If not, each target has load one.
    pub by_scrape_rate: bool,
}

/// The rank of a collector for a target: in the target's zone, then hash. Greater is better.
type Score = (bool, u64);

/// The targets that a collector holds: score, identity, position. The top of the heap is the target to reject first.
type HeldTargets = BinaryHeap<Reverse<(Score, u64, usize)>>;

/// The properties of the collectors that decide their ranks.
struct Ranking<'a> {
    seeds: Vec<u64>,
    zones: Vec<&'a str>,
    same_zone_first: bool,
}

impl Rendezvous {
    /// Assigns each target to a member. `members` must not be empty.
    pub(super) fn assign(self, members: &Members, targets: &[TargetKey<'_>]) -> Vec<CollectorIndex> {
        let collectors = members.collectors();
        let ranking = Ranking {
            seeds: collectors.iter().map(|collector| xxh64(collector.name.as_bytes(), 0)).collect(),
            zones: collectors.iter().map(|collector| collector.zone.as_str()).collect(),
            same_zone_first: self.same_zone_first,
        };
        let weight = |target: &TargetKey<'_>| if self.by_scrape_rate { u64::from(target.weight.max(1)) } else { 1 };
        let total: u64 = targets.iter().map(weight).sum();
        let count = u64::try_from(collectors.len()).unwrap_or(u64::MAX);
        let capacity = total.saturating_mul(u64::from(self.bound)).div_ceil(count.saturating_mul(1000));
        let mut held: Vec<HeldTargets> = vec![HeldTargets::new(); collectors.len()];
        let mut loads = vec![0_u64; collectors.len()];
        // The order matters only if targets have different loads. Sorting makes it independent of the input order.
        let mut order: Vec<usize> = (0..targets.len()).collect();
        order.sort_by_key(|position| (targets[*position].identity, targets[*position].address));
        let mut owners = vec![0; targets.len()];
        for first in order {
            let mut applicants = vec![(first, None)];
            while let Some((position, rejected_by)) = applicants.pop() {
                let target = &targets[position];
                let Some((score, collector)) = ranking.next(target, rejected_by) else {
                    // No collector has room for the whole load of this target. The one with the lowest load takes it.
                    let least = (0..).zip(&loads).min_by_key(|(_, load)| **load).map_or(0, |(index, _)| index);
                    loads[least as usize] += weight(target);
                    owners[position] = least;
                    continue;
                };
                let index = collector as usize;
                held[index].push(Reverse((score, target.identity, position)));
                loads[index] += weight(target);
                owners[position] = collector;
                while loads[index] > capacity {
                    let Some(Reverse((score, _, rejected))) = held[index].pop() else { break };
                    loads[index] -= weight(&targets[rejected]);
                    applicants.push((rejected, Some((score, collector))));
                }
            }
        }
        owners
    }
}

impl Ranking<'_> {
    /// The best collector for a target, among those that rank below the one that rejected it last.
    fn next(
        &self,
        target: &TargetKey<'_>,
        rejected_by: Option<(Score, CollectorIndex)>,
    ) -> Option<(Score, CollectorIndex)> {
        let identity = target.identity.to_le_bytes();
        let scored = (0..).zip(self.seeds.iter().zip(&self.zones)).map(|(index, (seed, zone))| {
            let near = self.same_zone_first && !zone.is_empty() && *zone == target.zone;
            ((near, xxh64(&identity, *seed)), index)
        });
        scored.filter(|scored| rejected_by.is_none_or(|rejected_by| *scored < rejected_by)).max()
    }
}
