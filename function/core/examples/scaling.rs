//! Measures an allocation of a whole cluster, from objects in memory to rendered targets.
//!
//! `cargo run --release -p target-allocator-core --example scaling -- PODS MONITORS` prints a line of JSON: the number
//! of targets, the mean CPU time of several runs in nanoseconds, and the memory of one allocation in bytes, without the
//! objects. Reads both from `/proc`, so it needs Linux.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "the program measures and prints")]

use std::sync::Arc;

use serde_json::json;
use target_allocator_core::allocation;
use target_allocator_core::targets::Views;
use target_allocator_world::World;
use target_allocator_world::allocation::{allocate, config};

/// Minimum CPU time of all runs together, in nanoseconds.
const MIN_TOTAL: u64 = 2_000_000_000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|number| number.parse()).collect::<Result<_, _>>()?;
    let [pods, monitors] = numbers[..] else { return Err("usage: scaling PODS MONITORS".into()) };
    let (config, cluster) = (config()?, World::new(pods, monitors).cluster()?);
    let plan = Arc::new(allocation::plan(&config, &cluster, None));
    let allocate = || allocate(&config, &plan, &cluster, Views::PLAIN, None);
    let before = resident()?;
    let allocation = allocate()?;
    let bytes = resident()?.saturating_sub(before);
    let (targets, _) = allocation.counts();
    let (mut runs, began) = (0, cpu()?);
    while cpu()? - began < MIN_TOTAL {
        drop(allocate()?);
        runs += 1;
    }
    let mean = (cpu()? - began) / runs;
    println!(
        "{}",
        json!({"pods": pods, "monitors": monitors, "targets": targets, "nanoseconds": mean, "bytes": bytes})
    );
    Ok(())
}

/// CPU time of this thread in nanoseconds.
fn cpu() -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().ok_or("no CPU time")?.parse()?)
}

/// Resident memory of this process in bytes.
fn resident() -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:")).ok_or("no resident memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
