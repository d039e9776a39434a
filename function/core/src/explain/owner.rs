//! Explains why a target is assigned to a collector, or to none.

use serde::Serialize;

use super::{JobTrace, World};
use crate::allocation::{Job, NotCollecting, not_collecting};
use crate::config::Collectors;
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
    if let Some(why) = why_no_collector(world) {
        return why;
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

/// Why the first unassigned target of some jobs is assigned to no collector.
pub(super) fn why_of_jobs(world: World<'_>, jobs: &[JobTrace]) -> String {
    let unassigned = jobs.iter().filter(|job| job.unassigned > 0).find_map(|trace| {
        let job = world.allocation.job(&trace.job)?;
        let position = (0..job.len()).find(|at| world.allocation.owners(&trace.job, *at).next().is_none())?;
        Some(why_unassigned(world, job.target(position).1))
    });
    unassigned.unwrap_or_default()
}

/// Why there is no collector. `None` if there is at least one.
pub(super) fn why_no_collector(world: World<'_>) -> Option<String> {
    let Some(members) = world.allocation.members() else {
        return Some(
            "the allocator config does not say who the collectors are: set collector_selector and \
             collector_namespace, or collectors"
                .to_owned(),
        );
    };
    if !members.collectors().is_empty() {
        return None;
    }
    let Some(Collectors::Pods(wanted)) = &world.config.collectors else {
        return Some("there is no collector: collectors names none".to_owned());
    };
    let pods: Vec<_> = world.cluster.pods.in_namespace(&wanted.namespace).collect();
    // A pod that the selector matches says more than any other pod.
    let nearest = pods.iter().min_by_key(|pod| wanted.selector.gaps(&pod.metadata.labels).len());
    let why = match nearest.map(|pod| (pod, not_collecting(pod, wanted, world.now))) {
        None => format!("the namespace {} has no pods", wanted.namespace),
        Some((pod, Some(NotCollecting::Labels))) => {
            let gaps = wanted.selector.gaps(&pod.metadata.labels);
            let gap = gaps.first().map(ToString::to_string).unwrap_or_default();
            format!(
                "collector_selector matches no pod in {}; the nearest is {}: {gap}",
                wanted.namespace, pod.metadata.name
            )
        }
        Some((pod, Some(reason))) => format!("Pod {}/{}: {reason}", wanted.namespace, pod.metadata.name),
        Some((_, None)) => "a pod became a collector after this snapshot".to_owned(),
    };
    Some(format!("there is no collector: {why}"))
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
