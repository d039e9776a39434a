//! Counts that differ by at most one, moving few targets when a collector comes or goes.
//!
//! The peer's strategy of that name remembers where each target is; this one is
//! a function of members and targets alone. It grows the assignment member by
//! member: each new one takes its share from those before it, and takes the
//! targets that hash highest for the pair of them. So a collector that comes
//! last in the order, as a StatefulSet's do, moves its own share and nothing else.

use xxhash_rust::xxh64::xxh64;

use super::{CollectorIndex, Members, TargetKey};

/// The owner of each target. There must be at least one member.
pub(super) fn assign(members: &Members, targets: &[TargetKey<'_>]) -> Vec<CollectorIndex> {
    let mut held: Vec<Vec<usize>> = vec![(0..targets.len()).collect()];
    for (index, collector) in members.collectors().iter().enumerate().skip(1) {
        let seed = xxh64(collector.name.as_bytes(), 0);
        let share = targets.len() / (index + 1);
        let taken = take(&mut held, share, |position| affinity(targets[position], seed));
        held.push(taken);
    }
    let mut owners = vec![0; targets.len()];
    for (index, positions) in (0..).zip(held) {
        for position in positions {
            owners[position] = index;
        }
    }
    owners
}

/// How much a member wants a target. The address breaks the tie between equal identities.
fn affinity(target: TargetKey<'_>, seed: u64) -> (u64, u64, u64) {
    (xxh64(&target.identity.to_le_bytes(), seed), target.identity, target.address)
}

/// Takes `share` targets from the fullest of `held`, those of the highest affinity first.
fn take<K: Ord>(held: &mut [Vec<usize>], share: usize, affinity: impl Fn(usize) -> K) -> Vec<usize> {
    let mut taken = Vec::with_capacity(share);
    let left = held.iter().map(Vec::len).sum::<usize>() - share;
    let (each, mut extra) = (left / held.len(), left % held.len());
    // The fullest may keep the odd ones: fewer targets move.
    let mut order: Vec<usize> = (0..held.len()).collect();
    order.sort_by_key(|member| std::cmp::Reverse(held[*member].len()));
    for member in order {
        let keep = each + usize::from(extra > 0);
        extra = extra.saturating_sub(1);
        let positions = &mut held[member];
        if keep < positions.len() {
            positions.select_nth_unstable_by(keep, |a, b| affinity(*a).cmp(&affinity(*b)));
            taken.extend(positions.drain(keep..));
        }
    }
    taken
}
