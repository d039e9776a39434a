//! Targets that no collector has, for the report.

use std::collections::{BTreeMap, BTreeSet};

use super::Job;
use crate::report::{ObjectRef, Outcome, Report};
use crate::shard::Owners;

/// Most nodes that one entry names.
const NAMED: usize = 5;

/// An entry for each job that has targets nobody scrapes.
pub(super) fn report(jobs: &BTreeMap<String, Job>, owners: &Owners, report: &mut Report) {
    for (name, job) in jobs {
        let nobody = |position: usize| owners.of(job.first + position).next().is_none();
        let unassigned = job.targets.iter().enumerate().filter(|(position, _)| nobody(*position));
        let (mut count, mut nodes) = (0_usize, BTreeSet::new());
        for (_, target) in unassigned {
            count += 1;
            nodes.insert(if target.node.is_empty() { "none" } else { &*target.node });
        }
        if count == 0 {
            continue;
        }
        let more = if nodes.len() > NAMED { ", ..." } else { "" };
        let nodes = nodes.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
        let object = job.monitor.clone().unwrap_or_else(|| ObjectRef::new("Config", "", name));
        let reason = format!(
            "no collector has {count} of its {} targets, run one on their nodes or set a fallback strategy: nodes {nodes}{more}",
            job.targets.len()
        );
        report.push(object, Outcome::Unassigned, name, reason);
    }
}
