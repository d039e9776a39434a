//! What a refresh costs once the objects are there: jobs, targets, owners.
//!
//! `cargo bench -p target-allocator-core [-- FILTER]`. Sizes are pods; there are 200
//! monitors and 20 collectors.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use target_allocator_core::allocation::{self, Allocation};
use target_allocator_core::config::Config;
use target_allocator_core::discovery::external::External;
use target_allocator_core::objects::{Cluster, Collection, Object};
use target_allocator_core::targets::ServedLabels;
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

fn collected<T: Object + DeserializeOwned>(objects: impl Iterator<Item = String>) -> Collection<T> {
    objects.map(|text| serde_json::from_str::<T>(&text).unwrap()).collect()
}

fn cluster(world: World) -> Cluster {
    Cluster {
        namespaces: collected(world.namespaces()),
        services: collected(world.services()),
        endpoint_slices: collected(world.endpoint_slices()),
        pods: collected(world.pods()),
        service_monitors: collected(world.service_monitors()),
        ..Cluster::default()
    }
}

fn allocate(config: &Config, cluster: &Cluster, served: ServedLabels) -> Allocation {
    let plan = allocation::plan(config, cluster);
    allocation::allocate(config, plan, cluster, &External::default(), served, Timestamp::UNIX_EPOCH).unwrap()
}

#[divan::bench(args = [1_000, 10_000, 100_000, 1_000_000], max_time = 10)]
fn everything(bencher: divan::Bencher, pods: usize) {
    let (config, cluster) = (config(), cluster(World::new(pods, MONITORS)));
    bencher
        .counter(divan::counter::ItemsCount::new(pods))
        .bench_local(|| allocate(&config, &cluster, ServedLabels::Referenced));
}

#[divan::bench]
fn plan_200_monitors(bencher: divan::Bencher) {
    let (config, cluster) = (config(), cluster(World::new(0, MONITORS)));
    bencher.bench_local(|| allocation::plan(&config, &cluster));
}
