//! The whole of the core on one cluster, and what must hold of the result.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use target_allocator_core::allocation::{self, Allocation, Plan};
use target_allocator_core::config::Config;
use target_allocator_core::discovery::external::External;
use target_allocator_core::objects::Cluster;
use target_allocator_core::targets::ServedLabels;

/// Allocates, and checks that each target is a well-formed group that goes to as
/// many collectors as the counts say.
///
/// # Panics
/// If something does not hold: that is what fuzzing looks for.
pub fn checked(config: &Config, plan: Plan, cluster: &Cluster, served: ServedLabels) {
    let allocation =
        allocation::allocate(config, plan, cluster, &External::default(), served, Timestamp::UNIX_EPOCH);
    let Ok(allocation) = allocation else { return };
    let (targets, unassigned) = allocation.counts();
    let assigned = assigned(&allocation);
    assert_eq!(targets - unassigned, assigned.len(), "targets that nobody lists are those that are counted so");
    for (name, job) in allocation.jobs() {
        assert_eq!(*name, job.scrape_config.job_name);
        let written = serde_json::to_value(&job.scrape_config).expect("a scrape config is written as JSON");
        assert_eq!(written["job_name"], **name);
        for target in &job.targets {
            let group: Value = serde_json::from_slice(&target.rendered).expect("a target is JSON");
            assert_eq!(group["targets"].as_array().map(Vec::len), Some(1), "{group}");
            let labels = group["labels"].as_object().expect("labels are an object");
            assert!(labels.values().all(Value::is_string), "{group}");
        }
    }
    serde_json::to_value(allocation.report()).expect("a report is written as JSON");
}

/// Positions of the targets that are in a collector's list.
fn assigned(allocation: &Allocation) -> BTreeSet<(&str, usize)> {
    let collectors = allocation.members().map(|members| members.collectors()).unwrap_or_default();
    let mut assigned = BTreeSet::new();
    for (name, job) in allocation.jobs() {
        for collector in collectors {
            for target in allocation.share(job, &collector.name) {
                assigned.insert((name.as_str(), std::ptr::from_ref(target) as usize));
            }
        }
    }
    assigned
}
