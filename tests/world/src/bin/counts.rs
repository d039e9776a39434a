//! Runs each case once, so that `scripts/counts` can count its instructions and find regressions.
//!
//! `counts CASE...` runs these cases. Without arguments, it prints the names of all cases. Callgrind counts only the
//! instructions in [`counted`], not the setup before it.

#![allow(clippy::print_stdout, reason = "the program prints the names of the cases")]

use std::any::Any;
use std::hint::black_box;
use std::sync::Arc;

use target_allocator_core::allocation::{Plan, plan};
use target_allocator_core::config::Config;
use target_allocator_core::objects::Cluster;
use target_allocator_core::shard::consistent_hashing::Version;
use target_allocator_core::shard::rendezvous::Rendezvous;
use target_allocator_core::shard::{Collector, Members, Spread, Strategy, TargetKey, assign};
use target_allocator_core::targets::{Views, address_hash};
use target_allocator_world::World;
use target_allocator_world::allocation::{allocate, config};

const WORLD: World = World::new(10_000, 200);
const RENDEZVOUS: Rendezvous = Rendezvous { bound: 1030, same_zone_first: false, by_scrape_rate: false };

type Failure = Box<dyn std::error::Error>;
struct Input {
    config: Config,
    plan: Arc<Plan>,
    cluster: Cluster,
}

/// The result of a case. It is dropped outside of [`counted`], so that the count does not include the drop.
type CaseResult = Result<Box<dyn Any>, Failure>;

type Case = fn(&Input) -> CaseResult;

const CASES: [(&str, Case); 6] = [
    ("plan 200 monitors", plan_200_monitors),
    ("allocate 10000 pods", |input| allocate_all(input, Views::PLAIN)),
    ("allocate 10000 pods, merged view", |input| allocate_all(input, Views::MERGED)),
    ("allocate after 1 % of the pods were replaced", allocate_after_1_percent_was_replaced),
    ("consistent hashing of 10000 targets", |_| shares(Spread::ConsistentHashing(Version::V1_0))),
    ("rendezvous hashing of 10000 targets", |_| shares(Spread::Rendezvous(RENDEZVOUS))),
];

fn main() -> Result<(), Failure> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        CASES.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    let (config, cluster) = (config()?, WORLD.cluster()?);
    let input = Input { plan: Arc::new(plan(&config, &cluster, None)), config, cluster };
    for name in names {
        let (_, case) = CASES.iter().find(|(known, _)| *known == name).ok_or("no such case")?;
        black_box(case(&input)?);
    }
    Ok(())
}

#[inline(never)]
fn counted(work: &dyn Fn() -> CaseResult) -> CaseResult {
    work()
}

fn plan_200_monitors(input: &Input) -> CaseResult {
    counted(&|| Ok(Box::new(plan(&input.config, &input.cluster, None))))
}

fn allocate_all(Input { config, plan, cluster }: &Input, views: Views) -> CaseResult {
    counted(&|| Ok(Box::new(allocate(config, plan, cluster, views, None)?)))
}

fn allocate_after_1_percent_was_replaced(Input { config, plan, cluster }: &Input) -> CaseResult {
    let before = allocate(config, plan, cluster, Views::PLAIN, None)?;
    let mut later = cluster.clone();
    WORLD.replace_pods(WORLD.pods / 100, &mut later)?;
    counted(&|| Ok(Box::new(allocate(config, plan, &later, Views::PLAIN, Some(&before))?)))
}

fn shares(strategy: Spread) -> CaseResult {
    let collector =
        |ordinal| Collector { name: format!("otel-collector-{ordinal}"), node: String::new(), zone: String::new() };
    let members = Members::new((0..WORLD.collectors).map(collector).collect());
    let key = |number: usize| {
        let address = address_hash(&format!("10.0.{}.{}:9090", number >> 8, number & 255));
        TargetKey { address, node: "", zone: "", weight: 120, identity: address, job: 0 }
    };
    let targets: Vec<_> = (0..WORLD.pods).map(key).collect();
    let strategy = Strategy::Spread { strategy, replicas: 1 };
    counted(&|| Ok(Box::new(assign(strategy, &members, &targets)?)))
}
