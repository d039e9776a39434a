//! What a refresh costs once the objects are there: jobs, targets, owners.
//!
//! `cargo bench -p target-allocator-core [-- FILTER]`. Sizes are pods; there are 200
//! monitors and 20 collectors.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up fails by panicking")]

use std::sync::Arc;

use divan::counter::ItemsCount;
use jiff::Timestamp;
use target_allocator_core::allocation::{self, Allocation, Inputs};
use target_allocator_core::config::Config;
use target_allocator_core::discovery::external::External;
use target_allocator_core::objects::Cluster;
use target_allocator_core::targets::{ServedLabels, Views};
use target_allocator_world::World;

const MONITORS: usize = 200;

fn main() {
    divan::main();
}

fn config() -> Config {
    let text = "collector_namespace: monitoring\n\
        collector_selector: {matchlabels: {app: otel-collector}}\n\
        prometheus_cr: {enabled: true, service_monitor_selector: {}}\n";
    Config::parse(text, None).unwrap()
}

fn cluster(world: World) -> Cluster {
    world.cluster().unwrap()
}

fn allocate(config: &Config, cluster: &Cluster, views: Views, before: Option<&Allocation>) -> Allocation {
    let plan = match before {
        Some(before) => Arc::clone(before.plan()),
        None => Arc::new(allocation::plan(config, cluster, None)),
    };
    let (external, now) = (External::default(), Timestamp::UNIX_EPOCH);
    let served = ServedLabels::Referenced;
    let inputs = Inputs { config, plan: &plan, cluster, external: &external, served, views, now };
    allocation::allocate(inputs, before).unwrap()
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
    let mut later = cluster(World { replaced: pods / 100, ..World::new(pods, MONITORS) });
    later.pods.share_with(&first.pods);
    later.services.share_with(&first.services);
    later.endpoint_slices.share_with(&first.endpoint_slices);
    bencher.bench_local(|| allocate(&config, &later, Views::PLAIN, Some(&before)));
}

#[divan::bench]
fn plan_200_monitors(bencher: divan::Bencher) {
    let (config, cluster) = (config(), cluster(World::new(0, MONITORS)));
    bencher.bench_local(|| allocation::plan(&config, &cluster, None));
}

#[divan::bench]
fn plan_one_monitor_changed(bencher: divan::Bencher) {
    let (config, cluster) = (config(), cluster(World::new(0, MONITORS)));
    let before = allocation::plan(&config, &cluster, None);
    bencher.bench_local(|| allocation::plan(&config, &cluster, Some(&before)));
}
