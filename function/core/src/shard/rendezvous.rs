//! Rendezvous hashing (highest random weight) with bounded loads.
//!
//! Each target ranks the collectors by the hash of the pair, and each collector takes
//! at most its bound: those that rank it highest by score, whatever the order in which
//! they ask (deferred acceptance, Gale and Shapley 1962). So the assignment depends on
//! nothing but members and targets, and a collector that comes or goes, wherever it
//! stands among the names, moves little more than its own share.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use xxhash_rust::xxh64::xxh64;

use super::{CollectorIndex, Members, TargetKey};

/// How targets are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rendezvous {
    /// The most that a collector takes, in thousandths of the mean; at least 1000.
    pub bound: u32,
    /// Whether collectors of a target's own zone come before all others.
    pub same_zone_first: bool,
    /// Whether a target counts as often as it is scraped, and not once.
    pub by_scrape_rate: bool,
}

/// What a target thinks of a collector: better ones are greater.
type Score = (bool, u64);

/// What a collector holds; the one that it would give up first is the greatest.
type Held = BinaryHeap<Reverse<(Score, u64, usize)>>;

struct Side<'a> {
    seeds: Vec<u64>,
    zones: Vec<&'a str>,
    same_zone_first: bool,
}

impl Rendezvous {
    /// The owner of each target. There must be at least one member.
    pub(super) fn assign(self, members: &Members, targets: &[TargetKey<'_>]) -> Vec<CollectorIndex> {
        let collectors = members.collectors();
        let side = Side {
            seeds: collectors.iter().map(|collector| xxh64(collector.name.as_bytes(), 0)).collect(),
            zones: collectors.iter().map(|collector| collector.zone.as_str()).collect(),
            same_zone_first: self.same_zone_first,
        };
        let weight = |target: &TargetKey<'_>| if self.by_scrape_rate { u64::from(target.weight.max(1)) } else { 1 };
        let total: u64 = targets.iter().map(weight).sum();
        let count = u64::try_from(collectors.len()).unwrap_or(u64::MAX);
        let capacity = total.saturating_mul(u64::from(self.bound)).div_ceil(count.saturating_mul(1000));
        let mut held: Vec<Held> = vec![Held::new(); collectors.len()];
        let mut loads = vec![0_u64; collectors.len()];
        // In the order of identities, which decides only between targets of different weights.
        let mut order: Vec<usize> = (0..targets.len()).collect();
        order.sort_by_key(|position| (targets[*position].identity, targets[*position].address));
        let mut owners = vec![0; targets.len()];
        for first in order {
            let mut asking = vec![(first, None)];
            while let Some((position, refused_by)) = asking.pop() {
                let target = &targets[position];
                let Some((score, collector)) = side.next(target, refused_by) else {
                    // Everybody is full but for a remainder that is less than its weight.
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
                    let Some(Reverse((score, _, given_up))) = held[index].pop() else { break };
                    loads[index] -= weight(&targets[given_up]);
                    asking.push((given_up, Some((score, collector))));
                }
            }
        }
        owners
    }
}

impl Side<'_> {
    /// The best collector for a target of those that are worse than the one that refused it.
    fn next(
        &self,
        target: &TargetKey<'_>,
        refused_by: Option<(Score, CollectorIndex)>,
    ) -> Option<(Score, CollectorIndex)> {
        let identity = target.identity.to_le_bytes();
        let scored = (0..).zip(self.seeds.iter().zip(&self.zones)).map(|(index, (seed, zone))| {
            let near = self.same_zone_first && !zone.is_empty() && *zone == target.zone;
            ((near, xxh64(&identity, *seed)), index)
        });
        scored.filter(|scored| refused_by.is_none_or(|refused_by| *scored < refused_by)).max()
    }
}
