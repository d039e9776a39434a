//! How strategies assign targets, and how few targets move when collectors join or leave.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::consistent_hashing::Version;
use super::*;

fn members(names: impl IntoIterator<Item = String>) -> Members {
    Members::new(names.into_iter().map(|name| Collector { name, node: String::new(), zone: String::new() }).collect())
}

fn numbered(count: usize) -> Members {
    members((0..count).map(|ordinal| format!("otel-collector-{ordinal}")))
}

fn addresses(count: u32) -> Vec<String> {
    (0..count).map(|n| format!("10.{}.{}.{}:8080", n >> 16, (n >> 8) & 255, n & 255)).collect()
}

fn keys(addresses: &[String]) -> Vec<TargetKey<'_>> {
    let key = |(n, address): (u64, &String)| TargetKey {
        address: xxhash_rust::xxh64::xxh64(address.as_bytes(), 0),
        node: "",
        zone: "",
        weight: 120,
        identity: n.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        job: 0,
    };
    (0..).zip(addresses).map(key).collect()
}

fn spread_of(strategy: Spread, replicas: u32) -> Strategy {
    Strategy::Spread { strategy, replicas }
}

const RENDEZVOUS: Rendezvous = Rendezvous { bound: 1030, same_zone_first: false, by_scrape_rate: false };

const SPREADS: [Spread; 4] = [
    Spread::ConsistentHashing(Version::V1_0),
    Spread::ConsistentHashing(Version::V0_10),
    Spread::LeastWeighted,
    Spread::Rendezvous(RENDEZVOUS),
];

/// The first owner's name of each target.
fn owner_names(members: &Members, owners: &Owners, count: usize) -> Vec<Option<String>> {
    (0..count).map(|n| owners.of(n).next().map(|owner| members.collectors()[owner as usize].name.clone())).collect()
}

fn counts(members: &Members, owners: &Owners, targets: usize) -> Vec<usize> {
    let mut counts = vec![0; members.collectors().len()];
    for target in 0..targets {
        for owner in owners.of(target) {
            counts[owner as usize] += 1;
        }
    }
    counts
}

#[test]
fn members_have_natural_order_and_no_duplicates() {
    let names = ["c-10", "c-2", "c-1", "c-2", "b", "c-99999999999999999999999"];
    let members = members(names.map(str::to_owned));
    let ordered: Vec<_> = members.collectors().iter().map(|collector| collector.name.as_str()).collect();
    assert_eq!(ordered, ["b", "c-99999999999999999999999", "c-1", "c-2", "c-10"]);
    assert_eq!(members.index_of("c-10"), Some(4));
    assert_eq!(members.index_of("c-3"), None);
}

#[test]
fn a_target_goes_to_the_collector_on_its_node() {
    let on = |name: &str, node: &str| Collector { name: name.to_owned(), node: node.to_owned(), zone: String::new() };
    let members = Members::new(vec![on("c-0", "a"), on("c-1", "b"), on("c-2", "b"), on("c-3", "")]);
    let key = |node| TargetKey { address: 80, node, zone: "", weight: 120, identity: 7, job: 0 };
    let hashing = Spread::ConsistentHashing(Version::V1_0);
    let hashed = {
        let owners = assign(spread_of(hashing, 1), &members, &[key("")]).unwrap();
        owner_names(&members, &owners, 1)[0].clone().unwrap()
    };
    let fallback = |also_without_collector| Some(Fallback { strategy: hashing, also_without_collector });
    let cases = [
        (None, "a", Some("c-0")),
        (None, "b", Some("c-1")),
        (None, "z", None),
        (None, "", None),
        (fallback(false), "a", Some("c-0")),
        (fallback(false), "z", None),
        (fallback(false), "", Some(hashed.as_str())),
        (fallback(true), "z", Some(hashed.as_str())),
        (fallback(true), "a", Some("c-0")),
    ];
    for (fallback, node, expected) in cases {
        let owners = assign(Strategy::PerNode { fallback }, &members, &[key(node)]).unwrap();
        let names = owner_names(&members, &owners, 1);
        assert_eq!(names[0].as_deref(), expected, "node {node:?}, {fallback:?}");
    }
}

#[test]
fn without_collectors_all_targets_are_unassigned() {
    let addresses = addresses(3);
    for strategy in SPREADS {
        let owners = assign(spread_of(strategy, 1), &Members::default(), &keys(&addresses)).unwrap();
        assert_eq!((0..3).map(|n| owners.of(n).count()).sum::<usize>(), 0, "{strategy:?}");
    }
}

#[test]
fn consistent_hashing_v0_10_rejects_too_many_collectors() {
    for (strategy, accepted) in SPREADS.into_iter().zip([true, false, true, true]) {
        let result = assign(spread_of(strategy, 1), &numbered(1062), &[]);
        assert_eq!(result.is_ok(), accepted, "{strategy:?}");
    }
}

#[test]
fn a_new_collector_moves_about_its_own_share() {
    let addresses = addresses(20_000);
    let targets = keys(&addresses);
    for strategy in SPREADS {
        for count in [1, 2, 3, 9, 19] {
            let before = numbered(count);
            let after = numbered(count + 1);
            let names = |members: &Members| {
                let owners = assign(spread_of(strategy, 1), members, &targets).unwrap();
                owner_names(members, &owners, targets.len())
            };
            let moved = names(&before).iter().zip(names(&after)).filter(|(old, new)| **old != *new).count();
            let share = targets.len() / (count + 1);
            // A full member passes partitions on to the next one, so more than one share moves.
            let most = match strategy {
                Spread::LeastWeighted => share + 1,
                Spread::Rendezvous(_) => share * 11 / 10,
                Spread::ConsistentHashing(_) => share * 5 / 2,
            };
            assert!((share / 2..=most).contains(&moved), "{strategy:?}, {count}+1: moved {moved}, share {share}");
        }
    }
}

#[test]
fn least_weighted_moves_little_when_any_collector_leaves() {
    let addresses = addresses(10_000);
    let targets = keys(&addresses);
    let all: Vec<_> = (0..10).map(|n| format!("gateway-{:x}", xxhash_rust::xxh64::xxh64(&[n], 1))).collect();
    let names = |members: &Members| {
        let owners = assign(spread_of(Spread::LeastWeighted, 1), members, &targets).unwrap();
        owner_names(members, &owners, targets.len())
    };
    let before = names(&members(all.clone()));
    for gone in &all {
        let after = names(&members(all.iter().filter(|name| *name != gone).cloned()));
        let moved = before.iter().zip(&after).filter(|(old, new)| old != new).count();
        assert!((1_000..=2_500).contains(&moved), "without {gone}: moved {moved} of 10000, its share is 1000");
    }
}

#[test]
fn rendezvous_moves_little_when_any_collector_joins_or_leaves() {
    let addresses = addresses(10_000);
    let targets = keys(&addresses);
    let all: Vec<_> = (0..21).map(|n| format!("gateway-{:x}", xxhash_rust::xxh64::xxh64(&[n], 2))).collect();
    let names = |members: &Members| {
        let owners = assign(spread_of(Spread::Rendezvous(RENDEZVOUS), 1), members, &targets).unwrap();
        let counts = counts(members, &owners, targets.len());
        let most = (targets.len() * 1030).div_ceil(members.collectors().len() * 1000);
        assert!(counts.iter().all(|count| *count <= most), "{counts:?}");
        owner_names(members, &owners, targets.len())
    };
    let with_all = names(&members(all.clone()));
    let share = targets.len() / all.len();
    let mut moved_by_all = 0;
    for gone in &all {
        let without = names(&members(all.iter().filter(|name| *name != gone).cloned()));
        let moved = with_all.iter().zip(&without).filter(|(old, new)| old != new).count();
        assert!(moved * 100 <= share * 115, "{gone}: moved {moved} of 10000 with 21 collectors");
        moved_by_all += moved;
    }
    assert!(moved_by_all * 10 <= share * all.len() * 11, "{moved_by_all} targets moved with {} collectors", all.len());
}

#[test]
fn rendezvous_respects_the_bound_and_prefers_the_zone() {
    let addresses = addresses(6_000);
    let mut targets = keys(&addresses);
    for (position, target) in targets.iter_mut().enumerate() {
        target.weight = if position % 10 == 0 { 720 } else { 60 };
        // Half of the targets are in a zone that has a third of the collectors.
        target.zone = ["a", "a", "a", "b", "b", "c"][position % 6];
    }
    let in_zone = |ordinal: usize| Collector {
        name: format!("c-{ordinal}"),
        node: String::new(),
        zone: ["a", "b", "c"][ordinal % 3].to_owned(),
    };
    let members = Members::new((0..6).map(in_zone).collect());
    let cases = [(1000, false), (1030, false), (1030, true), (1200, true), (2000, true)];
    let mut near_before = 0;
    for (bound, same_zone_first) in cases {
        let strategy = Spread::Rendezvous(Rendezvous { bound, same_zone_first, by_scrape_rate: true });
        let owners = assign(spread_of(strategy, 1), &members, &targets).unwrap();
        let (mut loads, mut near) = (vec![0_u64; 6], 0);
        for (position, target) in targets.iter().enumerate() {
            let owner = owners.of(position).next().unwrap() as usize;
            loads[owner] += u64::from(target.weight);
            near += usize::from(members.collectors()[owner].zone == target.zone);
        }
        let mean = loads.iter().sum::<u64>() / 6;
        let most = loads.iter().max().unwrap();
        // Targets are not split, so a collector may exceed the bound by one target.
        assert!(*most <= mean * u64::from(bound) / 1000 + 720, "bound {bound}: {loads:?}");
        if same_zone_first {
            assert!(
                near >= near_before,
                "bound {bound}: {near} targets in their zone, {near_before} with the lower bound"
            );
            near_before = near;
        }
    }
    assert!(near_before > 5_500, "nearly all targets fit in their zone: {near_before}");
}

proptest! {
    #[test]
    fn each_target_has_the_same_owners_in_any_input_order(
        collectors in proptest::collection::btree_set("[a-z]{1,3}-[0-9]{1,2}", 1..30),
        count in 0_u32..300,
        replicas in 1_u32..4,
        seed in any::<u64>(),
    ) {
        let addresses = addresses(count);
        let targets = keys(&addresses);
        let ordered = members(collectors.iter().cloned());
        let mut shuffled: Vec<_> = collectors.into_iter().collect();
        shuffled.sort_by_key(|name| xxhash_rust::xxh64::xxh64(name.as_bytes(), seed));
        let shuffled = members(shuffled);
        let mut reversed = targets.clone();
        reversed.reverse();
        let most = replicas.min(u32::try_from(ordered.collectors().len()).unwrap()) as usize;
        for strategy in SPREADS {
            let owners = assign(spread_of(strategy, replicas), &ordered, &targets).unwrap();
            prop_assert_eq!(&owners, &assign(spread_of(strategy, replicas), &shuffled, &targets).unwrap());
            let mirrored = assign(spread_of(strategy, replicas), &ordered, &reversed).unwrap();
            for target in 0..targets.len() {
                let mut mine: Vec<_> = owners.of(target).collect();
                prop_assert_eq!(&mine, &mirrored.of(targets.len() - 1 - target).collect::<Vec<_>>());
                mine.sort_unstable();
                mine.dedup();
                prop_assert_eq!(mine.len(), most);
            }
        }
    }

    #[test]
    fn least_weighted_is_even_in_each_job_and_over_all_jobs(
        collectors in 1_usize..40,
        sizes in proptest::collection::vec(0_u32..130, 0..40),
    ) {
        let members = numbered(collectors);
        let addresses = addresses(sizes.iter().sum());
        let targets = of_jobs(keys(&addresses), &sizes);
        let owners = assign(spread_of(Spread::LeastWeighted, 1), &members, &targets).unwrap();
        let mut totals = vec![0_u32; collectors];
        for (job, size) in (0_u64..).zip(&sizes) {
            let mut of_job = vec![0_u32; collectors];
            for position in (0..targets.len()).filter(|position| targets[*position].job == job) {
                of_job[owners.of(position).next().unwrap() as usize] += 1;
            }
            prop_assert!(are_even(&of_job), "a job of {}: {:?}", size, of_job);
            of_job.iter().zip(&mut totals).for_each(|(count, total)| *total += count);
        }
        prop_assert!(are_even(&totals), "{:?}", totals);
    }
}

/// Assigns the targets to jobs with these numbers of targets.
fn of_jobs<'a>(mut targets: Vec<TargetKey<'a>>, sizes: &[u32]) -> Vec<TargetKey<'a>> {
    let jobs = (0_u64..).zip(sizes).flat_map(|(job, size)| (0..*size).map(move |_| job));
    targets.iter_mut().zip(jobs).for_each(|(target, job)| target.job = job);
    targets
}

fn are_even(counts: &[u32]) -> bool {
    counts.iter().max().unwrap_or(&0) - counts.iter().min().unwrap_or(&0) <= 1
}

/// A change of one job or one collector must not move the targets of all other jobs.
#[test]
fn least_weighted_moves_little_with_many_small_jobs() {
    let sizes: Vec<u32> = (0..400).map(|job| 1 + job % 7).collect();
    let count = sizes.iter().sum::<u32>();
    let addresses = addresses(count + 1);
    let mut with_one_more = of_jobs(keys(&addresses), &sizes);
    with_one_more[count as usize].job = 3;
    let (count, few) = (count as usize, &with_one_more[..count as usize]);
    let names = |collectors: usize, targets: &[TargetKey<'_>]| {
        let members = numbered(collectors);
        let owners = assign(spread_of(Spread::LeastWeighted, 1), &members, targets).unwrap();
        owner_names(&members, &owners, targets.len())
    };
    let moved = |before: Vec<Option<String>>, after: Vec<Option<String>>| {
        before.iter().zip(&after).filter(|(old, new)| old != new).count()
    };
    let by_a_target = moved(names(20, few), names(20, &with_one_more)[..count].to_vec());
    assert!(by_a_target <= count / 20, "a new target of one job moves {by_a_target} of {count}");
    let by_a_collector = moved(names(20, few), names(21, few));
    assert!(by_a_collector <= count / 21 * 2, "a new collector moves {by_a_collector} of {count}");
}
