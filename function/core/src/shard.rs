//! Which collector scrapes which target.
//!
//! Input: the collectors and, for each target, what the strategies look at.
//! Output: the owners of each target. Pure and stateless: the same members and
//! targets always give the same owners, in whatever order they are named.

pub mod consistent_hashing;
pub mod least_weighted;
mod per_node;
pub mod rendezvous;

use std::collections::BTreeMap;

use consistent_hashing::{Ring, RingError, Version};
use rendezvous::Rendezvous;

/// A collector that targets can be given to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Collector {
    /// Its name: the pod's, and what it sends as `collector_id`.
    pub name: String,
    /// The node that it runs on; empty if it is not a pod.
    pub node: String,
    /// The zone of that node; empty if it is not known.
    pub zone: String,
}

/// Index of a collector in a [`Members`] list.
pub type CollectorIndex = u32;

/// The collectors, each once, in the order of their names; numbers at the end
/// of a name count as numbers (`collector-2` before `collector-10`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    collectors: Vec<Collector>,
    by_name: BTreeMap<String, CollectorIndex>,
}

impl Members {
    /// Orders the collectors; of two with one name the first by node counts.
    #[must_use]
    pub fn new(mut collectors: Vec<Collector>) -> Self {
        collectors.sort_by(|a, b| natural_key(&a.name).cmp(&natural_key(&b.name)).then_with(|| a.cmp(b)));
        collectors.dedup_by(|later, earlier| later.name == earlier.name);
        let by_name = (0..).zip(&collectors).map(|(index, collector)| (collector.name.clone(), index)).collect();
        Self { collectors, by_name }
    }

    /// The collectors in order.
    #[must_use]
    pub fn collectors(&self) -> &[Collector] {
        &self.collectors
    }

    /// The position of the collector of that name.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<CollectorIndex> {
        self.by_name.get(name).copied()
    }
}

/// `otel-10` as (`otel-`, 10), so that a scaled-up StatefulSet adds its collector at the end.
fn natural_key(name: &str) -> (&str, u64) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    // More digits than a u64 holds: names of that kind need no natural order.
    (stem, name[stem.len()..].parse().unwrap_or(0))
}

/// What a strategy looks at in a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetKey<'a> {
    /// xxhash64 of the address as discovered, before relabelling.
    pub address: u64,
    /// The node that the target is on; empty if it has none.
    pub node: &'a str,
    /// The zone that the target is in; empty if it is not known.
    pub zone: &'a str,
    /// How many times an hour it is scraped.
    pub weight: u32,
    /// Hash of the job and the relabelled labels: what makes the target itself.
    pub identity: u64,
    /// Hash of the job's name.
    pub job: u64,
}

/// How targets that have no node, or no collector on their node, are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// The strategy; never per-node itself.
    pub strategy: Spread,
    /// Whether targets whose node has no collector go there too. In the peer, and
    /// by default here, only targets without any node do (operator issue 4133).
    pub also_without_collector: bool,
}

/// A strategy that spreads targets over all collectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// By the hash of the address, as `buraksezer/consistent` does it.
    ConsistentHashing(Version),
    /// Counts that differ by at most one, in each job and in all jobs together.
    LeastWeighted,
    /// By the hash of target and collector, within bounds.
    Rendezvous(Rendezvous),
}

/// How targets are given to collectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Over all collectors, each target to `replicas` of them.
    Spread {
        /// The strategy.
        strategy: Spread,
        /// To how many collectors each target goes; at least one.
        replicas: u32,
    },
    /// To the collector on the target's node.
    PerNode {
        /// What happens to targets without a node.
        fallback: Option<Fallback>,
    },
}

/// The owners of targets, in the order of the targets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// How many slots a target has.
    replicas: usize,
    /// `replicas` slots a target.
    slots: Vec<Option<CollectorIndex>>,
}

impl Owners {
    /// The owners of the target at `index`: one, several if targets are replicated, none if nobody takes it.
    pub fn of(&self, index: usize) -> impl Iterator<Item = CollectorIndex> {
        let from = index * self.replicas;
        self.slots[from..from + self.replicas].iter().flatten().copied()
    }

    fn single(slots: Vec<Option<CollectorIndex>>) -> Self {
        Self { replicas: 1, slots }
    }
}

/// Finds the owners of `targets`.
///
/// # Errors
/// When the strategy cannot handle that many collectors.
pub fn assign(strategy: Strategy, members: &Members, targets: &[TargetKey<'_>]) -> Result<Owners, RingError> {
    match strategy {
        Strategy::Spread { strategy, replicas } => spread(strategy, replicas, members, targets),
        Strategy::PerNode { fallback } => per_node::assign(fallback, members, targets),
    }
}

fn spread(strategy: Spread, replicas: u32, members: &Members, targets: &[TargetKey<'_>]) -> Result<Owners, RingError> {
    // More copies than collectors would give a collector the same target twice.
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

/// Copies go to the collectors that follow the owner: as evenly as the targets themselves.
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
    /// Whether it matters which zone a target or a collector is in.
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
