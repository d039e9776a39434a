//! Compares two states of a cluster or config: jobs, targets, labels, shares and refused objects.
//!
//! Input: two states, each with its allocation. Output: their differences in a stable order. Targets are compared by
//! their labels after the relabelling rules, because these labels decide which series a target has.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::allocation::{Allocation, Job};
use crate::discovery::Query;
use crate::explain::{LabelChange, World, kept_targets};
use crate::objects::Cluster;
use crate::report::Entry;
use crate::scrape_config::discovery::Role;
use crate::scrape_config::secret::WithSecrets;
use crate::shard::Members;

/// The differences between an old and a new state. Serialised as the JSON of `scripts/preview`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Jobs that only the new state has.
    pub jobs_added: Vec<String>,
    /// Jobs that only the old state has.
    pub jobs_removed: Vec<String>,
    /// Jobs with a different scrape config.
    pub jobs_changed: Vec<JobChange>,
    /// Targets that only the new state has.
    pub targets_added: Vec<TargetName>,
    /// Targets that only the old state has.
    pub targets_removed: Vec<TargetName>,
    /// Targets with different labels.
    pub targets_changed: Vec<TargetChange>,
    /// The number of equal targets that another collector is assigned.
    pub targets_moved: usize,
    /// Collectors with a different number of targets.
    pub shares: Vec<ShareChange>,
    /// Report entries that only the new state has.
    pub skipped: Vec<Entry>,
    /// Report entries that only the old state has.
    pub no_longer_skipped: Vec<Entry>,
    /// The number of all targets in the old and the new state.
    pub targets: (usize, usize),
}

/// A job with a different scrape config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct JobChange {
    pub job: String,
    /// The names of the fields that differ.
    pub fields: Vec<String>,
}

/// A target of one job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct TargetName {
    pub job: String,
    pub address: String,
    /// The labels after the rules, without labels that begin with `__`: collectors remove those from series.
    pub labels: BTreeMap<String, String>,
}

/// A target with different labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct TargetChange {
    pub job: String,
    pub address: String,
    pub labels: Vec<LabelChange>,
}

/// A collector with a different number of targets. `None` if the state does not have the collector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct ShareChange {
    pub collector: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<usize>,
}

impl Preview {
    /// Whether the states are equal, apart from the number of targets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self { targets: self.targets, ..Self::default() }
    }

    /// Whether the new state lacks a job or a target, or has a new report entry.
    #[must_use]
    pub fn loses(&self) -> bool {
        !(self.jobs_removed.is_empty() && self.targets_removed.is_empty() && self.skipped.is_empty())
    }
}

/// The number of jobs whose targets come from pods, if neither state has a pod with an address or an endpoint.
///
/// A folder of a Git repository often has monitors and services only. The comparison would then say "0 targets before,
/// 0 after" about a change that drops every target.
#[must_use]
pub fn jobs_without_pods(old: World<'_>, new: World<'_>) -> Option<usize> {
    let has_addresses = |world: World<'_>| {
        let Cluster { pods, endpoints, endpoint_slices, .. } = world.cluster;
        let has_address = pods.iter().any(|pod| !pod.status.pod_ip.is_empty());
        has_address || !endpoints.is_empty() || !endpoint_slices.is_empty()
    };
    let needs_pods = |world: World<'_>| {
        let jobs = world.allocation.plan().jobs().iter();
        let is_of_pods = |query: &Query| matches!(query.role(), Role::Pod | Role::Endpoints | Role::EndpointSlice);
        jobs.filter(|job| job.queries.iter().any(is_of_pods)).count()
    };
    let jobs = needs_pods(old).max(needs_pods(new));
    (jobs > 0 && !has_addresses(old) && !has_addresses(new)).then_some(jobs)
}

/// The targets of a job by identity, each with its address and labels.
type KeptTargets = BTreeMap<u64, (String, BTreeMap<String, String>)>;

/// Compares an old and a new state.
#[must_use]
pub fn compare(old: World<'_>, new: World<'_>) -> Preview {
    let (before, after) = (old.allocation, new.allocation);
    let mut preview = Preview { targets: (old.allocation.counts().0, new.allocation.counts().0), ..Preview::default() };
    let names: BTreeSet<&str> = before.jobs().chain(after.jobs()).map(|(name, _)| name).collect();
    for name in names {
        let (one, other) = (before.job(name), after.job(name));
        match (one, other) {
            (None, _) => preview.jobs_added.push(name.to_owned()),
            (_, None) => preview.jobs_removed.push(name.to_owned()),
            (Some(one), Some(other)) => {
                let fields = changed_fields(one, other);
                if !fields.is_empty() {
                    preview.jobs_changed.push(JobChange { job: name.to_owned(), fields });
                }
                preview.targets_moved += moved(before, one, after, other);
            }
        }
        let identities = |job: Option<&Job>| -> BTreeSet<u64> {
            job.into_iter().flat_map(Job::targets).map(|(_, target)| target.identity).collect()
        };
        if identities(one) != identities(other) {
            preview.compare_targets(name, kept(old, name), kept(new, name));
        }
    }
    preview.shares = shares(old.allocation, new.allocation);
    let (was, is) = (old.allocation.report().entries(), new.allocation.report().entries());
    preview.skipped = is.iter().filter(|entry| !was.contains(entry)).cloned().collect();
    preview.no_longer_skipped = was.iter().filter(|entry| !is.contains(entry)).cloned().collect();
    preview
}

impl Preview {
    /// Adds the differences of one job's targets.
    ///
    /// A removed and an added target with one address count as one target with different labels.
    fn compare_targets(&mut self, job: &str, mut before: KeptTargets, mut after: KeptTargets) {
        before.retain(|identity, _| after.remove(identity).is_none());
        let mut gone: BTreeMap<String, Vec<BTreeMap<String, String>>> = BTreeMap::new();
        for (address, labels) in before.into_values() {
            gone.entry(address).or_default().push(labels);
        }
        let mut came: Vec<_> = after.into_values().collect();
        gone.values_mut().for_each(|labels| labels.sort());
        came.sort();
        let name = |address: String, mut labels: BTreeMap<String, String>| {
            labels.retain(|name, _| !name.starts_with("__"));
            TargetName { job: job.to_owned(), address, labels }
        };
        for (address, labels) in came {
            match gone.get_mut(&address).filter(|gone| !gone.is_empty()) {
                Some(gone) => {
                    let labels = label_changes(&gone.remove(0), &labels);
                    self.targets_changed.push(TargetChange { job: job.to_owned(), address, labels });
                }
                None => self.targets_added.push(name(address, labels)),
            }
        }
        for (address, labels) in gone {
            self.targets_removed.extend(labels.into_iter().map(|labels| name(address.clone(), labels)));
        }
    }
}

fn kept(world: World<'_>, job: &str) -> KeptTargets {
    let traces = kept_targets(world, job).into_iter();
    traces.filter_map(|trace| Some((trace.identity?, (trace.address, trace.after.unwrap_or_default())))).collect()
}

fn label_changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<LabelChange> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    changed
        .map(|name| LabelChange {
            label: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect()
}

/// The names of the fields of the scrape config that differ. Secrets are compared in plain, but only names are
/// returned.
fn changed_fields(before: &Job, after: &Job) -> Vec<String> {
    if before.scrape_config() == after.scrape_config() {
        return Vec::new();
    }
    let fields = |job: &Job| match serde_json::to_value(WithSecrets(job.scrape_config())) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (fields(before), fields(after));
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// The number of targets that both states have, with different collectors.
fn moved(old: &Allocation, before: &Job, new: &Allocation, after: &Job) -> usize {
    let name = &before.scrape_config().job_name;
    let owners = |allocation: &Allocation, position: usize| -> Vec<String> {
        allocation.owners(name, position).map(|owner| owner.name.clone()).collect()
    };
    let positions: BTreeMap<u64, usize> = before.targets().map(|(_, target)| target.identity).zip(0..).collect();
    let targets = after.targets().enumerate();
    let both = targets.filter_map(|(at, (_, target))| Some((at, *positions.get(&target.identity)?)));
    both.filter(|(now, then)| owners(new, *now) != owners(old, *then)).count()
}

fn shares(old: &Allocation, new: &Allocation) -> Vec<ShareChange> {
    let counts = |allocation: &Allocation| -> BTreeMap<String, usize> {
        let collectors = allocation.members().into_iter().flat_map(Members::collectors);
        let share = |name: &str| allocation.jobs().map(|(job, _)| allocation.share(job, name).count()).sum();
        collectors.map(|collector| (collector.name.clone(), share(&collector.name))).collect()
    };
    let (before, after) = (counts(old), counts(new));
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let change = |name: &String| ShareChange {
        collector: name.clone(),
        before: before.get(name).copied(),
        after: after.get(name).copied(),
    };
    names.into_iter().map(change).filter(|change| change.before != change.after).collect()
}
