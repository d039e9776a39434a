//! Why a collector has a target, or none has.

use serde::Serialize;

use super::World;
use crate::allocation::Job;
use crate::shard::consistent_hashing::partition;
use crate::shard::{Members, Spread, Strategy};
use crate::targets::Target;

/// A collector that has a target, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct Owner {
    pub collector: String,
    pub reason: String,
}

/// The collectors that have the target at that position of a job.
pub(super) fn owners(world: World<'_>, job: &Job, position: usize, address: &str) -> Vec<Owner> {
    let (_, target) = job.target(position);
    let owners = world.allocation.owners(&job.scrape_config().job_name, position);
    owners
        .map(|collector| {
            let on_node = !target.node.is_empty() && *collector.node == *target.node;
            let reason = match world.config.strategy {
                Strategy::PerNode { .. } if on_node => format!("it runs on the target's node: {}", target.node),
                Strategy::PerNode { fallback: Some(fallback) } => {
                    let why = if target.node.is_empty() {
                        "the target has no node".to_owned()
                    } else {
                        format!("no collector is on the target's node {}", target.node)
                    };
                    format!("{why}, so the fallback decides: {}", by_spread(fallback.strategy, 1, target, address))
                }
                Strategy::PerNode { fallback: None } => format!("it runs on the target's node: {}", target.node),
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
            format!("the hash of {address} falls into partition {partition}, which is this collector's")
        }
        (Spread::ConsistentHashing(_), _) => format!(
            "the hash of {address} falls into partition {partition}, and it is among the first {replicas} collectors from there on"
        ),
        (Spread::LeastWeighted, 1) => "the shares are balanced: they differ by at most one target".to_owned(),
        (Spread::LeastWeighted, _) => {
            format!("the shares are balanced, and copies go to the next of {replicas} collectors in order")
        }
        (Spread::Rendezvous(rendezvous), _) => {
            let zone = if rendezvous.same_zone_first { ", those of its zone first" } else { "" };
            let copies = if replicas > 1 { ", and copies go to the collectors that follow" } else { "" };
            let bound = f64::from(rendezvous.bound) / 1000.0;
            format!(
                "of the collectors that are not full at {bound} times the mean, the target's hash ranks it highest{zone}{copies}"
            )
        }
    }
}

/// Why nobody has a target.
pub(super) fn nobody(world: World<'_>, target: &Target) -> String {
    let Some(members) = world.allocation.members() else {
        return "the allocator config does not say who the collectors are".to_owned();
    };
    if members.collectors().is_empty() {
        return "there is no collector that could have it".to_owned();
    }
    match world.config.strategy {
        Strategy::PerNode { .. } if target.node.is_empty() => {
            "per-node: the target has no node, and there is no allocation_fallback_strategy".to_owned()
        }
        Strategy::PerNode { fallback } => {
            let advice = match fallback {
                Some(_) => "set allocation_fallback_without_collector",
                None => "run one there",
            };
            format!("per-node: no collector is on the target's node {}, {advice}", target.node)
        }
        Strategy::Spread { .. } => "the strategy gives it to nobody".to_owned(),
    }
}

/// How targets are given out, in one line.
pub(super) fn strategy(world: World<'_>, members: &Members) -> String {
    let count = super::counted(members.collectors().len(), "collector");
    let name = |spread| match spread {
        Spread::ConsistentHashing(_) => "by the hash of their addresses",
        Spread::LeastWeighted => "in balanced shares",
        Spread::Rendezvous(_) => "by rendezvous hashing, within bounds",
    };
    match world.config.strategy {
        Strategy::Spread { strategy, replicas: 1 } => format!("targets are given to {count} {}", name(strategy)),
        Strategy::Spread { strategy, replicas } => {
            format!("targets are given to {count} {}, each to {replicas} of them", name(strategy))
        }
        Strategy::PerNode { fallback: None } => format!("targets are given to {count} by their nodes"),
        Strategy::PerNode { fallback: Some(fallback) } => {
            format!("targets are given to {count} by their nodes, the rest {}", name(fallback.strategy))
        }
    }
}
