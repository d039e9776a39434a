//! The whole of the core on one cluster, and what must hold of the result.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use target_allocator_core::allocation::{self, Allocation, Inputs};
use target_allocator_core::config::Config;
use target_allocator_core::discovery::SourceAnswers;
use target_allocator_core::objects::Cluster;
use target_allocator_core::targets::{ServedLabels, Views};

/// Plans and allocates, taking over from the allocation before, and checks that each
/// target is a well-formed group that goes to as many collectors as the counts say,
/// and that all is as if there were no allocation before.
///
/// # Panics
/// If something does not hold: that is what fuzzing looks for.
pub fn checked(
    config: &Config,
    cluster: &Cluster,
    served: ServedLabels,
    before: Option<&Allocation>,
) -> Option<Allocation> {
    let external = SourceAnswers::default();
    let allocate = |before: Option<&Allocation>| {
        let plan = allocation::plan(config, cluster, before.map(|before| before.plan().as_ref()));
        let inputs = Inputs {
            config,
            plan: &Arc::new(plan),
            cluster,
            external: &external,
            served,
            views: Views { plain: true, merged: true },
            now: Timestamp::UNIX_EPOCH,
        };
        allocation::allocate(inputs, before).ok()
    };
    let allocation = allocate(before)?;
    let (targets, unassigned) = allocation.counts();
    let assigned = assigned(&allocation);
    assert_eq!(targets - unassigned, assigned.len(), "targets that nobody lists are those that are counted so");
    for (name, job) in allocation.jobs() {
        assert_eq!(name, job.scrape_config().job_name);
        let written = serde_json::to_value(job.scrape_config()).expect("a scrape config is written as JSON");
        assert_eq!(written["job_name"], *name);
        for (group, target) in job.targets() {
            is_group(&group.plain(target).json());
            if !group.merged(target).is_empty() {
                is_group(&group.merged(target).json());
            }
        }
    }
    for (name, job) in allocation.merged() {
        let written = serde_json::to_value(&job.scrape_config).expect("a scrape config is written as JSON");
        assert_eq!(written["job_name"], **name);
    }
    serde_json::to_value(allocation.report()).expect("a report is written as JSON");
    if before.is_some() {
        let anew = allocate(None).expect("it was allocated before");
        assert_eq!(lists(&anew), lists(&allocation));
        assert_eq!(anew.report().entries(), allocation.report().entries());
    }
    Some(allocation)
}

fn is_group(text: &str) {
    let group: Value = serde_json::from_str(text).expect("a target is JSON");
    assert_eq!(group["targets"].as_array().map(Vec::len), Some(1), "{group}");
    let labels = group["labels"].as_object().expect("labels are an object");
    assert!(labels.values().all(Value::is_string), "{group}");
}

/// Positions of the targets that are in a collector's list.
fn assigned(allocation: &Allocation) -> BTreeSet<(&str, usize)> {
    let collectors = allocation.members().map(|members| members.collectors()).unwrap_or_default();
    let mut assigned = BTreeSet::new();
    for (name, _) in allocation.jobs() {
        for collector in collectors {
            for (_, target) in allocation.share(name, &collector.name) {
                assigned.insert((name, std::ptr::from_ref(target) as usize));
            }
        }
    }
    assigned
}

/// What every collector is told of every job.
fn lists(allocation: &Allocation) -> BTreeMap<(&str, &str), Vec<(String, String)>> {
    let collectors = allocation.members().map(|members| members.collectors()).unwrap_or_default();
    let mut lists = BTreeMap::new();
    for (name, _) in allocation.jobs() {
        for collector in collectors {
            let share = allocation.share(name, &collector.name);
            let texts = share.map(|(group, target)| (group.plain(target).json(), group.merged(target).json()));
            lists.insert((name, collector.name.as_str()), texts.collect());
        }
    }
    lists
}
