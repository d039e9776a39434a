//! Assigns each target to the collector on its node.
//!
//! Follows `allocation/per_node.go` of the operator's target allocator.

use std::collections::BTreeMap;

use super::consistent_hashing::RingError;
use super::{Fallback, Members, Owners, TargetKey, spread};

/// Assigns the targets. A target on a node without a collector is unassigned, unless the fallback covers it.
pub(super) fn assign(
    fallback: Option<Fallback>,
    members: &Members,
    targets: &[TargetKey<'_>],
) -> Result<Owners, RingError> {
    // DIFFERENCE(per-node-tie): if a node has several collectors, the first by name gets the targets. The
    // operator takes any of them.
    // The choice is fixed here because all environments must agree.
    let mut by_node = BTreeMap::new();
    for (index, collector) in (0..).zip(members.collectors()) {
        by_node.entry(collector.node.as_str()).or_insert(index);
    }
    let owner_on_node = |node: &str| if node.is_empty() { None } else { by_node.get(node).copied() };
    let mut slots: Vec<_> = targets.iter().map(|target| owner_on_node(target.node)).collect();
    if let Some(Fallback { strategy, also_without_collector }) = fallback {
        let (positions, rest): (Vec<_>, Vec<_>) = targets
            .iter()
            .enumerate()
            .filter(|(position, target)| {
                target.node.is_empty() || (also_without_collector && slots[*position].is_none())
            })
            .unzip();
        let rest: Vec<_> = rest.into_iter().copied().collect();
        let owners = spread(strategy, 1, members, &rest)?;
        for (index, position) in positions.into_iter().enumerate() {
            slots[position] = owners.of(index).next();
        }
    }
    Ok(Owners::single(slots))
}
