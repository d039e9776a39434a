//! Report entries about targets that no collector is assigned.

use std::collections::BTreeSet;

use super::Job;
use crate::report::{ObjectRef, Outcome, Report};
use crate::shard::{Members, Owners};

/// The maximum number of nodes that one entry names.
const NAMED: usize = 5;

/// Adds an entry for a job with unassigned targets. `first` is the position of its first target among the targets of
/// all jobs.
pub(super) fn report(job: &Job, first: usize, owners: &Owners, members: &Members, report: &mut Report) {
    let nobody = |position: usize| owners.of(first + position).next().is_none();
    let unassigned = job.targets().enumerate().filter(|(position, _)| nobody(*position));
    let (mut count, mut nodes) = (0_usize, BTreeSet::new());
    for (_, (_, target)) in unassigned {
        count += 1;
        nodes.insert(if target.node.is_empty() { "none" } else { &*target.node });
    }
    let more = if nodes.len() > NAMED { ", ..." } else { "" };
    let nodes = nodes.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
    let name = &job.scrape_config().job_name;
    let object = job.monitor().cloned().unwrap_or_else(|| ObjectRef::new("Config", "", name));
    let all = job.len();
    // Without collectors, no strategy assigns a target. With collectors, only `per-node` leaves targets unassigned.
    let reason = if members.collectors().is_empty() {
        format!("no collector exists for {count} of its {all} targets, run collectors that collector_selector selects")
    } else {
        format!(
            "no collector has {count} of its {all} targets, run a collector on their nodes, or set \
             allocation_fallback_strategy for targets without a node, and allocation_fallback_without_collector too \
             for nodes without a collector: nodes {nodes}{more}"
        )
    };
    report.push(object, Outcome::Unassigned, name, reason);
}
