//! Benchmarks of a refresh after the objects are read: planning of jobs, discovery, and assignment.
//!
//! Run with `cargo bench -p target-allocator-core [-- FILTER]`. The arguments are numbers of pods. There are 200
//! monitors and 20 collectors.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up fails by panicking")]

use std::sync::Arc;

use divan::counter::ItemsCount;
use target_allocator_core::allocation::{Allocation, plan};
use target_allocator_core::config::Config;
use target_allocator_core::objects::Cluster;
use target_allocator_core::targets::Views;
use target_allocator_world::{World, allocation};

const MONITORS: usize = 200;

fn main() {
    divan::main();
}

fn cluster(world: World) -> Cluster {
    world.cluster().unwrap()
}

fn config() -> Config {
    allocation::config().unwrap()
}

fn allocate(config: &Config, cluster: &Cluster, views: Views, before: Option<&Allocation>) -> Allocation {
    let plan = before.map_or_else(|| Arc::new(plan(config, cluster, None)), |before| Arc::clone(before.plan()));
    allocation::allocate(config, &plan, cluster, views, before).unwrap()
}

#[divan::bench(args = [1_000, 10_000, 100_000, 1_000_000], max_time = 5)]
fn everything(bencher: divan::Bencher, pods: usize) {
    let (config, cluster) = (config(), cluster(World::new(pods, MONITORS)));
    bencher.counter(ItemsCount::new(pods)).bench_local(|| allocate(&config, &cluster, Views::PLAIN, None));
}

#[divan::bench(args = [10_000, 100_000], max_time = 5)]
fn everything_merged(bencher: divan::Bencher, pods: usize) {
    let (config, cluster) = (config(), cluster(World::new(pods, MONITORS)));
    bencher.counter(ItemsCount::new(pods)).bench_local(|| allocate(&config, &cluster, Views::MERGED, None));
}

#[divan::bench(args = [10_000, 100_000], max_time = 5)]
fn one_percent_of_pods_replaced(bencher: divan::Bencher, pods: usize) {
    let (config, first) = (config(), cluster(World::new(pods, MONITORS)));
    let before = allocate(&config, &first, Views::PLAIN, None);
    let mut later = first.clone();
    World::new(pods, MONITORS).replace_pods(pods / 100, &mut later).unwrap();
    bencher.bench_local(|| allocate(&config, &later, Views::PLAIN, Some(&before)));
}

#[divan::bench]
fn plan_200_monitors(bencher: divan::Bencher) {
    let (config, cluster) = (config(), cluster(World::new(0, MONITORS)));
    bencher.bench_local(|| plan(&config, &cluster, None));
}

#[divan::bench]
fn plan_one_monitor_changed(bencher: divan::Bencher) {
    let (config, cluster) = (config(), cluster(World::new(0, MONITORS)));
    let before = plan(&config, &cluster, None);
    bencher.bench_local(|| plan(&config, &cluster, Some(&before)));
}
