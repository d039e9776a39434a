//! What a change changes: jobs, targets, labels, shares, and what is refused.
//!
//! Input: two states, each with its allocation. Output: the differences, in an order that
//! depends on nothing but the states. Targets are compared by what they are after the rules.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::allocation::{Allocation, Job};
use crate::explain::{Change, World, kept_targets};
use crate::report::Entry;
use crate::scrape_config::secret::WithSecrets;
use crate::shard::Members;

/// The differences of two states.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Jobs that are new.
    pub jobs_added: Vec<String>,
    /// Jobs that are gone.
    pub jobs_removed: Vec<String>,
    /// Jobs whose scrape config changes.
    pub jobs_changed: Vec<JobChange>,
    /// Targets that are new.
    pub targets_added: Vec<TargetName>,
    /// Targets that are gone.
    pub targets_removed: Vec<TargetName>,
    /// Targets whose labels change.
    pub targets_changed: Vec<TargetChange>,
    /// How many targets another collector gets.
    pub targets_moved: usize,
    /// The shares that change.
    pub shares: Vec<ShareChange>,
    /// What is left out now and was not before.
    pub skipped: Vec<Entry>,
    /// What was left out and no longer is.
    pub no_longer_skipped: Vec<Entry>,
    /// How many targets there were, and are.
    pub targets: (usize, usize),
}

/// A job whose scrape config changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct JobChange {
    pub job: String,
    /// The names of the fields.
    pub fields: Vec<String>,
}

/// A target of a job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct TargetName {
    pub job: String,
    pub address: String,
    /// Its labels after the rules, without those that begin with two underscores.
    pub labels: BTreeMap<String, String>,
}

/// A target whose labels change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct TargetChange {
    pub job: String,
    pub address: String,
    pub labels: Vec<Change>,
}

/// A collector whose share changes; a collector that is not there has none.
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
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self { targets: self.targets, ..Self::default() }
    }

    /// Whether something is lost: targets vanish, or something is left out.
    #[must_use]
    pub fn loses(&self) -> bool {
        !(self.jobs_removed.is_empty() && self.targets_removed.is_empty() && self.skipped.is_empty())
    }
}

/// Targets of a job by identity: address and labels.
type Kept = BTreeMap<u64, (String, BTreeMap<String, String>)>;

/// Compares two states.
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
    /// Targets of one address, one of them gone and one new, are one whose labels change.
    fn compare_targets(&mut self, job: &str, mut before: Kept, mut after: Kept) {
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

fn kept(world: World<'_>, job: &str) -> Kept {
    let traces = kept_targets(world, job).into_iter();
    traces.filter_map(|trace| Some((trace.identity?, (trace.address, trace.after.unwrap_or_default())))).collect()
}

fn label_changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Change> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    changed
        .map(|name| Change { label: name.clone(), before: before.get(name).cloned(), after: after.get(name).cloned() })
        .collect()
}

/// The fields of the scrape config that differ.
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

/// How many targets both have, but other collectors.
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
