//! Explains why a target is assigned to a collector, or to none.

use serde::Serialize;

use super::World;
use crate::allocation::Job;
use crate::shard::consistent_hashing::partition;
use crate::shard::{Members, Spread, Strategy};
use crate::targets::Target;

/// A collector that a target is assigned to, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct Owner {
    pub collector: String,
    pub reason: String,
}

/// The collectors of the target at `position` of a job.
pub(super) fn owners(world: World<'_>, job: &Job, position: usize, address: &str) -> Vec<Owner> {
    let (_, target) = job.target(position);
    let owners = world.allocation.owners(&job.scrape_config().job_name, position);
    owners
        .map(|collector| {
            let on_node = !target.node.is_empty() && *collector.node == *target.node;
            let reason = match world.config.strategy {
                Strategy::PerNode { .. } if on_node => {
                    format!("the collector runs on the target's node: {}", target.node)
                }
                Strategy::PerNode { fallback: Some(fallback) } => {
                    let why = if target.node.is_empty() {
                        "the target has no node".to_owned()
                    } else {
                        format!("no collector is on the target's node {}", target.node)
                    };
                    format!(
                        "{why}, so the fallback strategy applies: {}",
                        by_spread(fallback.strategy, 1, target, address)
                    )
                }
                Strategy::PerNode { fallback: None } => {
                    format!("the collector runs on the target's node: {}", target.node)
                }
                Strategy::Spread { strategy, replicas } => by_spread(strategy, replicas, target, address),
            };
            Owner { collector: collector.name.clone(), reason }
        })
        .collect()
}

fn by_spread(strategy: Spread, replicas: u32, target: &Target, address: &str) -> String {
    let partition = partition(target.address);
    match (strategy, replicas) {
        (Spread::ConsistentHashing(_), 1) => {
            format!("the hash of {address} selects partition {partition}, which this collector owns")
        }
        (Spread::ConsistentHashing(_), _) => format!(
            "the hash of {address} selects partition {partition}, and this collector is among the first {replicas} owners from there on"
        ),
        (Spread::LeastWeighted, 1) => "shares are balanced: they differ by at most one target".to_owned(),
        (Spread::LeastWeighted, _) => {
            format!("shares are balanced, and each target goes to {replicas} successive collectors")
        }
        (Spread::Rendezvous(rendezvous), _) => {
            let zone = if rendezvous.same_zone_first { ", collectors in its zone first" } else { "" };
            let copies = if replicas > 1 { ", and copies go to the next collectors in the list" } else { "" };
            let bound = f64::from(rendezvous.bound) / 1000.0;
            format!(
                "the target's hash ranks this collector highest among those below {bound} times the mean share{zone}{copies}"
            )
        }
    }
}

/// Why a target is assigned to no collector, and what to do about it.
pub(super) fn why_unassigned(world: World<'_>, target: &Target) -> String {
    let Some(members) = world.allocation.members() else {
        return "the allocator config does not say who the collectors are".to_owned();
    };
    if members.collectors().is_empty() {
        return "there is no collector".to_owned();
    }
    match world.config.strategy {
        Strategy::PerNode { .. } if target.node.is_empty() => {
            "per-node: the target has no node, and there is no allocation_fallback_strategy".to_owned()
        }
        Strategy::PerNode { fallback } => {
            let advice = match fallback {
                Some(_) => "set allocation_fallback_without_collector",
                None => "run a collector there",
            };
            format!("per-node: no collector is on the target's node {}, {advice}", target.node)
        }
        Strategy::Spread { .. } => "the strategy assigns the target to no collector".to_owned(),
    }
}

/// The strategy and the number of collectors, in one line.
pub(super) fn strategy(world: World<'_>, members: &Members) -> String {
    let count = super::counted(members.collectors().len(), "collector");
    let name = |spread| match spread {
        Spread::ConsistentHashing(_) => "by the hash of the address",
        Spread::LeastWeighted => "in balanced shares",
        Spread::Rendezvous(_) => "by rendezvous hashing, within bounds",
    };
    match world.config.strategy {
        Strategy::Spread { strategy, replicas: 1 } => format!("targets are assigned to {count} {}", name(strategy)),
        Strategy::Spread { strategy, replicas } => {
            format!("targets are assigned to {count} {}, each target to {replicas}", name(strategy))
        }
        Strategy::PerNode { fallback: None } => format!("targets are assigned to {count} by node"),
        Strategy::PerNode { fallback: Some(fallback) } => {
            format!("targets are assigned to {count} by node, targets without a match {}", name(fallback.strategy))
        }
    }
}
