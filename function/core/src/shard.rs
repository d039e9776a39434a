//! Assigns targets to collectors.
//!
//! Input: the collectors, and the key of each target. Output: the owners of each target. The assignment has no state.
//! It depends only on the sets of collectors and targets, not on their order. Environments of the function can
//! therefore compute equal assignments without talking to each other.

pub mod consistent_hashing;
pub mod least_weighted;
mod per_node;
pub mod rendezvous;

use std::collections::BTreeMap;

use consistent_hashing::{Ring, RingError, Version};
use rendezvous::Rendezvous;

/// A collector that targets can be assigned to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Collector {
    /// The name of the collector. A collector sends this name as `collector_id`. For a pod, it is the name of the pod.
    pub name: String,
    /// The node of the collector's pod. Empty if the collector is not a pod.
    pub node: String,
    /// The zone of the node. Empty if unknown.
    pub zone: String,
}

/// Index of a collector in a [`Members`] list.
pub type CollectorIndex = u32;

/// The collectors in natural order of their names, without duplicates.
///
/// A number at the end of a name counts as a number: `collector-2` comes before `collector-10`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    collectors: Vec<Collector>,
    by_name: BTreeMap<String, CollectorIndex>,
}

impl Members {
    /// Sorts the collectors. If two have one name, the one whose node sorts first is kept.
    #[must_use]
    pub fn new(mut collectors: Vec<Collector>) -> Self {
        collectors.sort_by(|a, b| natural_key(&a.name).cmp(&natural_key(&b.name)).then_with(|| a.cmp(b)));
        collectors.dedup_by(|later, earlier| later.name == earlier.name);
        let by_name = (0..).zip(&collectors).map(|(index, collector)| (collector.name.clone(), index)).collect();
        Self { collectors, by_name }
    }

    /// The collectors in natural order of their names.
    #[must_use]
    pub fn collectors(&self) -> &[Collector] {
        &self.collectors
    }

    /// The index of the collector with this name. `None` if there is no such collector.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<CollectorIndex> {
        self.by_name.get(name).copied()
    }
}

/// Splits `otel-10` into (`otel-`, 10).
///
/// A StatefulSet that scales up then adds its collector at the end of the order, which moves the fewest targets.
fn natural_key(name: &str) -> (&str, u64) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    // The number overflows a u64 only in names that are not ordinals. Any fixed order is fine for them.
    (stem, name[stem.len()..].parse().unwrap_or(0))
}

/// The properties of a target that strategies use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetKey<'a> {
    /// xxhash64 of the discovered address, before relabelling. The operator's allocator hashes this address.
    pub address: u64,
    /// The node of the target. Empty if it has none.
    pub node: &'a str,
    /// The zone of the target. Empty if unknown.
    pub zone: &'a str,
    /// The number of scrapes per hour.
    pub weight: u32,
    /// Hash of the job and the labels after the rules. Identifies the target.
    pub identity: u64,
    /// Hash of the name of the job.
    pub job: u64,
}

/// How the per-node strategy assigns targets without a node, or without a collector on their node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// The strategy for these targets.
    pub strategy: Spread,
    /// Whether the fallback also applies to targets whose node has no collector.
    ///
    /// `false` is the default, as in the operator: only targets without a node fall back (operator issue 4133).
    pub also_without_collector: bool,
}

/// A strategy that spreads targets over all collectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// By the hash of the address, like the Go module `buraksezer/consistent`.
    ConsistentHashing(Version),
    /// Evenly: the counts of two collectors differ by at most one, in each job and over all jobs.
    LeastWeighted,
    /// By the hash of target and collector, with a maximum share.
    Rendezvous(Rendezvous),
}

/// The strategy that assigns targets to collectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Spreads targets over all collectors, each target to `replicas` collectors.
    Spread {
        /// The strategy.
        strategy: Spread,
        /// The number of collectors of each target, at least one.
        replicas: u32,
    },
    /// Assigns each target to the collector on its node.
    PerNode {
        /// How to assign targets without a node. `None` leaves them unassigned.
        fallback: Option<Fallback>,
    },
}

/// The owners of targets, in the order of the targets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// The number of slots of each target.
    replicas: usize,
    /// `replicas` slots for each target, in the order of the targets. `None` is an empty slot.
    slots: Vec<Option<CollectorIndex>>,
}

impl Owners {
    /// The owners of the target at `index`. Empty if the target is unassigned; several with replicas.
    pub fn of(&self, index: usize) -> impl Iterator<Item = CollectorIndex> {
        let from = index * self.replicas;
        self.slots[from..from + self.replicas].iter().flatten().copied()
    }

    fn single(slots: Vec<Option<CollectorIndex>>) -> Self {
        Self { replicas: 1, slots }
    }
}

/// Assigns `targets` to `members`.
///
/// # Errors
/// [`RingError`] if there are more collectors than the strategy supports.
pub fn assign(strategy: Strategy, members: &Members, targets: &[TargetKey<'_>]) -> Result<Owners, RingError> {
    match strategy {
        Strategy::Spread { strategy, replicas } => spread(strategy, replicas, members, targets),
        Strategy::PerNode { fallback } => per_node::assign(fallback, members, targets),
    }
}

fn spread(strategy: Spread, replicas: u32, members: &Members, targets: &[TargetKey<'_>]) -> Result<Owners, RingError> {
    // With more replicas than collectors, a collector would scrape a target twice.
    let replicas = usize::try_from(replicas).unwrap_or(usize::MAX).min(members.collectors.len());
    if replicas == 0 {
        return Ok(Owners::single(vec![None; targets.len()]));
    }
    let mut slots = Vec::with_capacity(targets.len() * replicas);
    match strategy {
        Spread::ConsistentHashing(version) => {
            let ring = Ring::new(version, members)?;
            match replicas {
                1 => slots.extend(targets.iter().map(|target| ring.owner(target.address))),
                _ => {
                    slots
                        .extend(targets.iter().flat_map(|target| ring.owners(target.address).take(replicas).map(Some)));
                }
            }
        }
        Spread::LeastWeighted => {
            push_copies(least_weighted::assign(members, targets), replicas, members, &mut slots);
        }
        Spread::Rendezvous(rendezvous) => {
            push_copies(rendezvous.assign(members, targets), replicas, members, &mut slots);
        }
    }
    Ok(Owners { replicas, slots })
}

/// Assigns the replicas of each target to the collectors after its owner. Replicas are then as even as the owners.
fn push_copies(
    owners: Vec<CollectorIndex>,
    replicas: usize,
    members: &Members,
    slots: &mut Vec<Option<CollectorIndex>>,
) {
    let count = u32::try_from(members.collectors.len()).unwrap_or(u32::MAX);
    for owner in owners {
        slots.extend((0..count).take(replicas).map(|step| Some((owner + step) % count)));
    }
}

impl Strategy {
    /// Whether the strategy uses the zones of targets and collectors. If not, nodes need not be read.
    #[must_use]
    pub const fn reads_zones(self) -> bool {
        let spread = match self {
            Self::Spread { strategy, .. } | Self::PerNode { fallback: Some(Fallback { strategy, .. }) } => strategy,
            Self::PerNode { fallback: None } => return false,
        };
        matches!(spread, Spread::Rendezvous(Rendezvous { same_zone_first: true, .. }))
    }
}

#[cfg(test)]
mod tests;
