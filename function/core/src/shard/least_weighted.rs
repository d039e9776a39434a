//! Equal shares: of each job, and of all jobs together, the counts of two collectors differ by at most one.
//!
//! The operator's strategy of this name gives a target to the collector that has the fewest targets of its job, then
//! the fewest at all (`allocation/least_weighted.go`, since 0.145). It remembers where targets are. This one
//! remembers nothing: its answer is a function of members and targets.
//!
//! It works in two steps. [`odd_ones`] decides how many targets of each job each member has. [`Job::spread`] then
//! grows the assignment of a job member by member: each new member takes its share from the members before it, and
//! takes the targets that hash highest for the pair of them. So a collector that comes last in the order, as the
//! new pod of a `StatefulSet` does, moves its own share and little else.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use xxhash_rust::xxh64::xxh64;

use super::{CollectorIndex, Members, TargetKey};

/// The owner of each target. There must be at least one member.
pub(super) fn assign(members: &Members, targets: &[TargetKey<'_>]) -> Vec<CollectorIndex> {
    let seeds: Vec<u64> = members.collectors().iter().map(|collector| xxh64(collector.name.as_bytes(), 0)).collect();
    let mut by_job: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (position, target) in targets.iter().enumerate() {
        by_job.entry(target.job).or_default().push(position);
    }
    let jobs: Vec<_> = by_job.into_iter().map(|(job, positions)| Job::new(job, positions, &seeds)).collect();
    let odd_ones = odd_ones(&jobs, seeds.len());
    let mut owners = vec![0; targets.len()];
    for (job, odd) in jobs.iter().zip(odd_ones) {
        for (owner, positions) in (0..).zip(job.spread(&odd, &seeds, targets)) {
            for position in positions {
                owners[position] = owner;
            }
        }
    }
    owners
}

/// A job whose targets are spread.
struct Job {
    /// The positions of its targets among all targets.
    positions: Vec<usize>,
    /// The members in the order in which they get one of the targets that are left when all have equally many.
    preference: Vec<usize>,
}

impl Job {
    fn new(job: u64, positions: Vec<usize>, seeds: &[u64]) -> Self {
        let mut preference: Vec<usize> = (0..seeds.len()).collect();
        preference.sort_by_cached_key(|member| (Reverse(xxh64(&job.to_le_bytes(), seeds[*member])), *member));
        Self { positions, preference }
    }

    /// How many targets are left when all of so many members have equally many.
    fn left(&self, members: usize) -> usize {
        self.positions.len() % members
    }

    /// The positions of each member's targets; `odd` tells which members have one more than the others.
    fn spread(&self, odd: &[bool], seeds: &[u64], targets: &[TargetKey<'_>]) -> Vec<Vec<usize>> {
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
            let (each, left) = (self.positions.len() / (member + 1), self.left(member + 1));
            if each == 0 && at >= left {
                // The new member gets nothing, and so nobody has to give anything.
                continue;
            }
            // The members before it never gain by a new one: each keeps at most as many as it has.
            for (place, other) in ordered.iter().enumerate().filter(|(_, other)| **other != member) {
                let keep = each + usize::from(place < left);
                let given = give(&mut held[*other], keep, |position| affinity(targets[position], seeds[member]));
                held[member].extend(given);
            }
        }
        self.settle(odd, seeds, targets, &mut held);
        held
    }

    /// Moves one target each from the members that have one too many to those that have one too few.
    fn settle(&self, odd: &[bool], seeds: &[u64], targets: &[TargetKey<'_>], held: &mut [Vec<usize>]) {
        let each = self.positions.len() / seeds.len();
        let wanted = |member: usize| each + usize::from(odd[member]);
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

/// How strongly a member attracts a target. Identity and address break ties between equal hashes.
fn affinity(target: TargetKey<'_>, seed: u64) -> (u64, u64, u64) {
    (xxh64(&target.identity.to_le_bytes(), seed), target.identity, target.address)
}

/// Takes all but `keep` of the positions, those of the highest affinity first.
fn give<K: Ord>(positions: &mut Vec<usize>, keep: usize, affinity: impl Fn(usize) -> K) -> Vec<usize> {
    if keep >= positions.len() {
        return Vec::new();
    }
    positions.select_nth_unstable_by_key(keep, |position| affinity(*position));
    positions.split_off(keep)
}

/// For each job, which members have one target more than the others.
///
/// Each job prefers members by a hash, so that a change of one job leaves the others alone. The members that come out
/// with too many are then relieved, one target at a time, until the totals of all members differ by at most one.
fn odd_ones(jobs: &[Job], members: usize) -> Vec<Vec<bool>> {
    let mut odd = Vec::with_capacity(jobs.len());
    let mut counts = vec![0_usize; members];
    for job in jobs {
        let mut of_job = vec![false; members];
        for member in &job.preference[..job.left(members)] {
            of_job[*member] = true;
            counts[*member] += 1;
        }
        odd.push(of_job);
    }
    let limits = limits(&counts);
    for from in 0..members {
        // The jobs that prefer this member least give first.
        let mut giving: Vec<usize> = (0..jobs.len()).filter(|job| odd[*job][from]).collect();
        let preferred = |job: usize| jobs[job].preference.iter().position(|member| *member == from);
        giving.sort_by_cached_key(|job| (Reverse(preferred(*job)), *job));
        for job in giving {
            if counts[from] <= limits[from] {
                break;
            }
            let takes = |member: &&usize| counts[**member] < limits[**member] && !odd[job][**member];
            let Some(to) = jobs[job].preference.iter().find(takes).copied() else { continue };
            (odd[job][from], odd[job][to]) = (false, true);
            counts[from] -= 1;
            counts[to] += 1;
        }
    }
    odd
}

/// How many odd targets each member may have: equally many, and those that have most may have one more.
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
