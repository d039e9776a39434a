//! Each target to the collector on its node. Follows `allocation/per_node.go` of the operator.

use std::collections::BTreeMap;

use super::consistent_hashing::RingError;
use super::{Fallback, Members, Owners, TargetKey, spread};

/// Finds the owners; a target on a node without a collector has none.
pub(super) fn assign(
    fallback: Option<Fallback>,
    members: &Members,
    targets: &[TargetKey<'_>],
) -> Result<Owners, RingError> {
    // Of several collectors on one node the first by name counts; the peer takes any.
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
