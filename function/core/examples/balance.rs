//! Measures how evenly strategies spread targets, how many targets stay in their zone, and how many move.
//!
//! `cargo run --release -p target-allocator-core --example balance` prints a line of JSON for each world and strategy.
//! The output has no times, so it is equal on every machine.

#![allow(clippy::print_stdout, reason = "the program prints its results")]

use serde_json::json;
use target_allocator_core::shard::consistent_hashing::{RingError, Version};
use target_allocator_core::shard::rendezvous::Rendezvous;
use target_allocator_core::shard::{Collector, CollectorIndex, Members, Spread, Strategy, TargetKey, assign};
use target_allocator_core::targets::address_hash;

const TARGETS: u32 = 10_000;
const ZONES: [&str; 3] = ["a", "b", "c"];

/// How targets and collectors are spread over the zones a, b and c. `[3, 1, 1]`: of every five, three are in zone a.
struct World {
    name: &'static str,
    targets: [usize; 3],
    collectors: [usize; 3],
}

const WORLDS: [World; 5] = [
    World { name: "even zones, 6 collectors", targets: [1, 1, 1], collectors: [2, 2, 2] },
    World { name: "even zones, 20 collectors", targets: [1, 1, 1], collectors: [7, 7, 6] },
    World { name: "60 % of the targets in one zone, 20 collectors", targets: [3, 1, 1], collectors: [7, 7, 6] },
    World {
        name: "60 % of the targets in one zone, 20 collectors, 12 of them in that zone",
        targets: [3, 1, 1],
        collectors: [12, 4, 4],
    },
    World { name: "a zone without collectors, 20 in the others", targets: [1, 1, 1], collectors: [10, 10, 0] },
];

/// Maximum loads of a collector in thousandths of the mean, for the runs with zones.
const BOUNDS: [u32; 6] = [1000, 1030, 1100, 1200, 1500, 2000];

fn main() -> Result<(), RingError> {
    let peers = [
        ("consistent-hashing", Spread::ConsistentHashing(Version::V1_0)),
        ("consistent-hashing-v0.10", Spread::ConsistentHashing(Version::V0_10)),
        ("least-weighted", Spread::LeastWeighted),
    ];
    for world in &WORLDS {
        for (name, strategy) in peers {
            println!("{}", json!({"strategy": name, "measured": world.measure(strategy)?, "world": world.name}));
        }
        for (bound, same_zone_first) in [(1030, false)].into_iter().chain(BOUNDS.map(|bound| (bound, true))) {
            let strategy = Spread::Rendezvous(Rendezvous { bound, same_zone_first, by_scrape_rate: false });
            let possible = same_zone_first.then(|| world.most_at_home(f64::from(bound) / 1000.0));
            println!(
                "{}",
                json!({"strategy": "rendezvous-hashing", "bound": bound, "same_zone_first": same_zone_first,
                    "possible": possible, "measured": world.measure(strategy)?, "world": world.name})
            );
        }
    }
    Ok(())
}

impl World {
    fn measure(&self, strategy: Spread) -> Result<serde_json::Value, RingError> {
        let (collectors, addresses) = (self.collectors(), (0..TARGETS).map(address).collect::<Vec<_>>());
        let targets: Vec<_> = (0..).zip(&addresses).map(|(number, address)| self.target(number, address)).collect();
        let strategy = Strategy::Spread { strategy, replicas: 1 };
        let members = Members::new(collectors.clone());
        let owners = owners(strategy, &members, &targets)?;
        let (mut shares, mut at_home) = (vec![0_u32; collectors.len()], 0_u32);
        for (owner, target) in owners.iter().zip(&targets) {
            shares[*owner as usize] += 1;
            at_home += u32::from(members.collectors()[*owner as usize].zone == target.zone);
        }
        let of_zone = |zone: &&str| {
            let shares = shares.iter().zip(members.collectors());
            shares.filter(|(_, collector)| collector.zone == **zone).map(|(share, _)| *share).sum::<u32>()
        };
        Ok(json!({
            "at_home": f64::from(at_home) / f64::from(TARGETS),
            "largest_share": f64::from(shares.iter().copied().max().unwrap_or_default()) / self.mean(),
            "largest_zone": f64::from(ZONES.iter().map(of_zone).max().unwrap_or_default()) / f64::from(TARGETS),
            "moved": moved(strategy, &members, &owners, &targets)?,
        }))
    }

    /// The maximum fraction of targets in their zone, if no collector has more than `bound` times the mean load.
    fn most_at_home(&self, bound: f64) -> f64 {
        let most_of_a_collector = (bound * self.mean()).ceil();
        let at_home = (0..ZONES.len()).map(|zone| {
            let targets = (0..TARGETS).filter(|number| place(&self.targets, *number as usize) == zone).count();
            small(targets).min(most_of_a_collector * small(self.collectors[zone]))
        });
        at_home.sum::<f64>() / f64::from(TARGETS)
    }

    fn mean(&self) -> f64 {
        f64::from(TARGETS) / small(self.collectors.iter().sum())
    }

    /// Collectors with random names, like the pods of a Deployment.
    fn collectors(&self) -> Vec<Collector> {
        let collector = |ordinal: usize| Collector {
            name: format!("gateway-{:010x}", address_hash(&ordinal.to_string()) >> 24),
            node: String::new(),
            zone: ZONES[place(&self.collectors, ordinal)].to_owned(),
        };
        (0..self.collectors.iter().sum()).map(collector).collect()
    }

    fn target<'a>(&self, number: u32, address: &'a str) -> TargetKey<'a> {
        let identity = address_hash(&format!("job/{address}"));
        let zone = ZONES[place(&self.targets, number as usize)];
        TargetKey { address: address_hash(address), node: "", zone, weight: 120, identity, job: 0 }
    }
}

/// The zone of a target or collector, by its number and the pattern of zones.
fn place(counts: &[usize; 3], number: usize) -> usize {
    let mut left = number % counts.iter().sum::<usize>();
    counts
        .iter()
        .position(|count| {
            left < *count || {
                left -= count;
                false
            }
        })
        .unwrap_or_default()
}

fn address(number: u32) -> String {
    format!("10.0.{}.{}:9090", number >> 8, number & 255)
}

/// The collector of each target.
fn owners(strategy: Strategy, members: &Members, targets: &[TargetKey<'_>]) -> Result<Vec<CollectorIndex>, RingError> {
    let owners = assign(strategy, members, targets)?;
    Ok((0..targets.len()).filter_map(|target| owners.of(target).next()).collect())
}

/// The fraction of targets that change their collector when one more collector joins, relative to its share.
///
/// Each of the collectors joins once, as the last one. The result has the mean and the maximum. 1 means that exactly
/// one share moves.
fn moved(
    strategy: Strategy,
    members: &Members,
    with_all: &[CollectorIndex],
    targets: &[TargetKey<'_>],
) -> Result<serde_json::Value, RingError> {
    let all = members.collectors();
    let mut moved = Vec::with_capacity(all.len());
    for joining in all {
        let before = Members::new(all.iter().filter(|collector| *collector != joining).cloned().collect());
        let owners = owners(strategy, &before, targets)?;
        let name = |members: &'_ Members, owner: CollectorIndex| members.collectors()[owner as usize].name.clone();
        let changed = owners.iter().zip(with_all);
        moved.push(small(changed.filter(|(old, new)| name(&before, **old) != name(members, **new)).count()));
    }
    let shares = small(all.len()) / f64::from(TARGETS);
    let (sum, most) = (moved.iter().sum::<f64>(), moved.iter().copied().fold(0.0, f64::max));
    Ok(json!({"mean": sum / small(all.len()) * shares, "most": most * shares}))
}

fn small(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
