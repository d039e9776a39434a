//! Even shares: the counts of two collectors differ by at most one, in each job and over all jobs.
//!
//! The operator's strategy with this name assigns a target to the collector with the fewest targets of its job, then
//! with the fewest targets (`allocation/least_weighted.go`, since 0.145). The operator remembers earlier assignments.
//! DIFFERENCE(least-weighted): this strategy has no state. Its result depends only on members and targets.
//!
//! The strategy has two steps. [`extra_targets`] decides how many targets of each job each member gets. [`Job::spread`]
//! then builds the assignment of a job member by member. Each new member takes its share from the earlier members. It
//! takes the targets with the highest hash of target and member. A collector that is last in the order, such as the new
//! pod of a `StatefulSet`, therefore moves little more than its own share.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use xxhash_rust::xxh64::xxh64;

use super::{CollectorIndex, Members, TargetKey};

/// Assigns each target to a member. `members` must not be empty.
pub(super) fn assign(members: &Members, targets: &[TargetKey<'_>]) -> Vec<CollectorIndex> {
    let seeds: Vec<u64> = members.collectors().iter().map(|collector| xxh64(collector.name.as_bytes(), 0)).collect();
    let mut by_job: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (position, target) in targets.iter().enumerate() {
        by_job.entry(target.job).or_default().push(position);
    }
    let jobs: Vec<_> = by_job.into_iter().map(|(job, positions)| Job::new(job, positions, &seeds)).collect();
    let extra_targets = extra_targets(&jobs, seeds.len());
    let mut owners = vec![0; targets.len()];
    for (job, extra) in jobs.iter().zip(extra_targets) {
        for (owner, positions) in (0..).zip(job.spread(&extra, &seeds, targets)) {
            for position in positions {
                owners[position] = owner;
            }
        }
    }
    owners
}

/// The targets of one job, and the order in which members get its extra targets.
struct Job {
    /// The positions of the job's targets among all targets.
    positions: Vec<usize>,
    /// The members in the order in which they get an extra target: one that remains after an equal division.
    preference: Vec<usize>,
}

impl Job {
    fn new(job: u64, positions: Vec<usize>, seeds: &[u64]) -> Self {
        let mut preference: Vec<usize> = (0..seeds.len()).collect();
        preference.sort_by_cached_key(|member| (Reverse(xxh64(&job.to_le_bytes(), seeds[*member])), *member));
        Self { positions, preference }
    }

    /// The number of extra targets: the remainder of dividing the targets by `members`.
    fn remainder(&self, members: usize) -> usize {
        self.positions.len() % members
    }

    /// The positions of each member's targets. `extra` says which members get one target more than the others.
    fn spread(&self, extra: &[bool], seeds: &[u64], targets: &[TargetKey<'_>]) -> Vec<Vec<usize>> {
        let mut held: Vec<Vec<usize>> = vec![Vec::new(); seeds.len()];
        held[0].clone_from(&self.positions);
        let mut rank = vec![0; seeds.len()];
        for (position, member) in self.preference.iter().enumerate() {
            rank[*member] = position;
        }
        let mut ordered = vec![0];
        for member in 1..seeds.len() {
            let at = ordered.partition_point(|other: &usize| rank[*other] < rank[member]);
            ordered.insert(at, member);
            let (each, remainder) = (self.positions.len() / (member + 1), self.remainder(member + 1));
            if each == 0 && at >= remainder {
                // The new member gets no target, so no member gives one.
                continue;
            }
            // A new member never adds targets to earlier members. Each keeps at most as many as it has.
            for (place, other) in ordered.iter().enumerate().filter(|(_, other)| **other != member) {
                let keep = each + usize::from(place < remainder);
                let given = give(&mut held[*other], keep, |position| affinity(targets[position], seeds[member]));
                held[member].extend(given);
            }
        }
        self.move_extra(extra, seeds, targets, &mut held);
        held
    }

    /// Moves one target from each member with one too many to a member with one too few.
    fn move_extra(&self, extra: &[bool], seeds: &[u64], targets: &[TargetKey<'_>], held: &mut [Vec<usize>]) {
        let each = self.positions.len() / seeds.len();
        let wanted = |member: usize| each + usize::from(extra[member]);
        let (mut over, mut under) = (Vec::new(), Vec::new());
        for member in &self.preference {
            let (has, wanted) = (held[*member].len(), wanted(*member));
            over.extend((has > wanted).then_some(*member));
            under.extend((has < wanted).then_some(*member));
        }
        for (from, to) in over.into_iter().zip(under) {
            let given = give(&mut held[from], wanted(from), |position| affinity(targets[position], seeds[to]));
            held[to].extend(given);
        }
    }
}

/// The hash of a target and a member. A member takes the targets with the highest hashes. Identity and address break
/// ties.
fn affinity(target: TargetKey<'_>, seed: u64) -> (u64, u64, u64) {
    (xxh64(&target.identity.to_le_bytes(), seed), target.identity, target.address)
}

/// Removes all but `keep` positions and returns them. The positions with the highest affinity are removed.
fn give<K: Ord>(positions: &mut Vec<usize>, keep: usize, affinity: impl Fn(usize) -> K) -> Vec<usize> {
    if keep >= positions.len() {
        return Vec::new();
    }
    positions.select_nth_unstable_by_key(keep, |position| affinity(*position));
    positions.split_off(keep)
}

/// For each job, the members that get one target more than the others.
///
/// Each job orders the members by a hash, so a change of one job does not affect the others. Some members then have too
/// many extra targets. The jobs move these one by one to other members, until all totals differ by at most one.
fn extra_targets(jobs: &[Job], members: usize) -> Vec<Vec<bool>> {
    let mut extra = Vec::with_capacity(jobs.len());
    let mut counts = vec![0_usize; members];
    for job in jobs {
        let mut of_job = vec![false; members];
        for member in &job.preference[..job.remainder(members)] {
            of_job[*member] = true;
            counts[*member] += 1;
        }
        extra.push(of_job);
    }
    let limits = limits(&counts);
    for from in 0..members {
        // The jobs in which this member comes last in the order move their extra target first.
        let mut giving: Vec<usize> = (0..jobs.len()).filter(|job| extra[*job][from]).collect();
        let preferred = |job: usize| jobs[job].preference.iter().position(|member| *member == from);
        giving.sort_by_cached_key(|job| (Reverse(preferred(*job)), *job));
        for job in giving {
            if counts[from] <= limits[from] {
                break;
            }
            let takes = |member: &&usize| counts[**member] < limits[**member] && !extra[job][**member];
            let Some(to) = jobs[job].preference.iter().find(takes).copied() else { continue };
            (extra[job][from], extra[job][to]) = (false, true);
            counts[from] -= 1;
            counts[to] += 1;
        }
    }
    extra
}

/// The maximum number of extra targets of each member: an equal share, and one more for the members that have most now.
fn limits(counts: &[usize]) -> Vec<usize> {
    let total: usize = counts.iter().sum();
    let mut fullest: Vec<usize> = (0..counts.len()).collect();
    fullest.sort_by_key(|member| (Reverse(counts[*member]), *member));
    let mut limits = vec![total / counts.len(); counts.len()];
    for member in &fullest[..total % counts.len()] {
        limits[*member] += 1;
    }
    limits
}
