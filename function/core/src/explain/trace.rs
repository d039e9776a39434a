//! One target on its way through the rules of its job.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::owner::Owner;
use crate::allocation::PlannedJob;
use crate::labels::{LabelSet, META_PREFIX};
use crate::relabel::{Action, MOST_WRITTEN, RelabelConfig, Verdict, allocator_rules};
use crate::targets::Maker;

/// A target, what each rule did to it, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetTrace {
    /// The job that found it.
    pub job: String,
    /// What it was found by: an object, a URL, a place in the config.
    pub source: String,
    /// Which of the targets of its source it is, from 0.
    pub place: usize,
    /// Its address as discovered.
    pub address: String,
    /// What became of it.
    pub fate: Fate,
    /// Its labels before the first rule: as discovered, and what Prometheus sets.
    pub before: BTreeMap<String, String>,
    /// The rules that saw it, in their order.
    pub rules: Vec<RuleTrace>,
    /// Its labels after the last rule, without `__meta_` ones; none if it was dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<BTreeMap<String, String>>,
    /// What makes it itself, of its job.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hexadecimal")]
    pub identity: Option<u64>,
}

#[allow(clippy::ref_option, reason = "serde hands over a reference")]
fn hexadecimal<S: Serializer>(identity: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match identity {
        Some(identity) => serializer.serialize_str(&format!("{identity:016x}")),
        None => serializer.serialize_none(),
    }
}

/// Names a discovered target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(missing_docs, reason = "named as in the trace")]
pub struct Name {
    pub source: String,
    pub place: usize,
    pub address: String,
}

/// What became of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Fate {
    /// The last rule that saw it dropped it.
    Dropped {
        /// Which rule, and what it found.
        reason: String,
    },
    /// After the rules it equals a target that was found later, which is served in its place.
    Merged {
        /// That one.
        into: Name,
    },
    /// These collectors have it.
    Served {
        /// Each with the reason.
        by: Vec<Owner>,
        /// Earlier targets that equal it after the rules.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        merged: Vec<Name>,
    },
    /// It is a target, but no collector has it.
    Unassigned {
        /// Why.
        reason: String,
        /// Earlier targets that equal it after the rules.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        merged: Vec<Name>,
    },
}

/// Who made a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The allocator, around those of the job.
    Allocator,
    /// The operator, of the monitor's selector, ports, labels and scrape class; its index in `relabel_configs`.
    Generated(usize),
    /// Somebody who wrote it; the field.
    Written(String),
}

/// A rule and what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleTrace {
    /// Who made it.
    pub from: Origin,
    /// What it says, in one line.
    pub text: String,
    /// The rule as it is served.
    pub rule: RelabelConfig,
    /// The labels that it reads by name, with the values that it found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Read>,
    /// The labels that it changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Whether it dropped the target.
    pub dropped: bool,
}

/// A label that a rule read; an absent one reads as empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct Read {
    pub label: String,
    pub value: String,
}

/// A label before and after a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct Change {
    pub label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl TargetTrace {
    /// What people look for comes first: what is served, and then what a rule dropped that somebody wrote.
    pub(super) fn rank(&self) -> u8 {
        match (&self.fate, self.rules.last().map(|rule| &rule.from)) {
            (Fate::Served { .. }, _) => 0,
            (Fate::Unassigned { .. }, _) => 1,
            (Fate::Merged { .. }, _) => 2,
            (Fate::Dropped { .. }, Some(Origin::Written(_))) => 3,
            (Fate::Dropped { .. }, _) => 4,
        }
    }
}

/// The rules of a job, as the compiled ones stand: those of the allocator around those of the scrape config.
pub(super) fn rules_of(job: &PlannedJob) -> Vec<(Origin, RelabelConfig)> {
    let [first, last] = allocator_rules();
    let own = job.scrape_config.relabel_configs.iter().cloned().enumerate().map(|(index, rule)| {
        let written = &job.written;
        let origin = if written.range.contains(&index) {
            Origin::Written(format!("{}[{}]", written.field, index - written.range.start))
        } else {
            Origin::Generated(index)
        };
        (origin, rule)
    });
    [(Origin::Allocator, first)].into_iter().chain(own).chain([(Origin::Allocator, last)]).collect()
}

/// Follows a target through the rules. Its fate is that of a dropped one, or still open.
pub(super) fn follow(
    job: &PlannedJob,
    maker: &Maker<'_>,
    rules: &[(Origin, RelabelConfig)],
    name: Name,
    discovered: &LabelSet<'_>,
) -> TargetTrace {
    let mut before = None;
    let mut current = texts(discovered);
    let mut seen = Vec::new();
    let mut last = Verdict::Kept;
    let kept = maker.follow(discovered, |position, verdict, labels| {
        let Some((from, rule)) = rules.get(position) else { return };
        let after = texts(labels);
        if position == 0 {
            // What Prometheus sets is there before the first rule, which sets one label.
            current = after.clone();
            current.remove(&rule.target_label);
            before = Some(current.clone());
        }
        seen.push(RuleTrace {
            from: from.clone(),
            text: describe(rule),
            reads: reads(rule, &current),
            changes: changes(&current, &after),
            dropped: verdict != Verdict::Kept,
            rule: rule.clone(),
        });
        (current, last) = (after, verdict);
    });
    let identity = kept.as_ref().map(|kept| kept.identity);
    let after = kept.map(|kept| {
        let mut labels = texts(&kept.labels);
        labels.retain(|name, _| !name.starts_with(META_PREFIX));
        labels
    });
    let reason = match seen.last() {
        Some(rule) if last == Verdict::TooLarge => too_large(rule),
        Some(rule) => drop_reason(rule),
        None => String::new(),
    };
    TargetTrace {
        job: job.scrape_config.job_name.clone(),
        source: name.source,
        place: name.place,
        address: name.address,
        fate: Fate::Dropped { reason },
        before: before.unwrap_or_else(|| texts(discovered)),
        rules: seen,
        after,
        identity,
    }
}

/// Labels that have a value.
fn texts(labels: &LabelSet<'_>) -> BTreeMap<String, String> {
    let valued = labels.iter().filter(|(_, value)| !value.is_empty());
    valued.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn reads(rule: &RelabelConfig, labels: &BTreeMap<String, String>) -> Vec<Read> {
    let compared = matches!(rule.action, Action::KeepEqual | Action::DropEqual).then_some(&rule.target_label);
    let names = rule.source_labels.iter().chain(compared);
    names.map(|name| Read { label: name.clone(), value: labels.get(name).cloned().unwrap_or_default() }).collect()
}

fn changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Change> {
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name));
    let gone = gone.map(|(name, value)| Change { label: name.clone(), before: Some(value.clone()), after: None });
    let new = after.iter().filter(|(name, value)| before.get(*name) != Some(value)).map(|(name, value)| Change {
        label: name.clone(),
        before: before.get(name).cloned(),
        after: Some(value.clone()),
    });
    let mut changes: Vec<_> = gone.chain(new).collect();
    changes.sort_by(|one, other| one.label.cmp(&other.label));
    changes
}

/// Why the last rule dropped a target.
pub(super) fn drop_reason(trace: &RuleTrace) -> String {
    let found: Vec<_> = trace.reads.iter().map(|read| format!("{}={:?}", read.label, read.value)).collect();
    format!("{}: {}; found {}", place(&trace.from), trace.text, found.join(", "))
}

/// Why a target is left out that the last rule would have kept.
fn too_large(trace: &RuleTrace) -> String {
    let limit = MOST_WRITTEN >> 20;
    format!("{}: {}; up to this one the rules write more than {limit} MiB to it", place(&trace.from), trace.text)
}

/// Where a rule stands.
pub(super) fn place(origin: &Origin) -> String {
    match origin {
        Origin::Allocator => "rule of the allocator".to_owned(),
        Origin::Generated(index) => format!("relabel_configs[{index}], made of the monitor"),
        Origin::Written(field) => field.clone(),
    }
}

/// What a rule says, in one line.
pub(super) fn describe(rule: &RelabelConfig) -> String {
    let RelabelConfig { source_labels, separator, regex, modulus, target_label, replacement, action } = rule;
    let sources = source_labels.join(separator);
    let regex = regex.as_deref();
    let pattern = regex.unwrap_or("(.*)");
    match action {
        Action::Replace if source_labels.is_empty() && regex.is_none() => {
            format!("set {target_label} to {replacement:?}")
        }
        Action::Replace if regex.is_none() && matches!(replacement.as_str(), "$1" | "${1}") => {
            format!("set {target_label} to the value of {sources}")
        }
        Action::Replace => format!("where {sources} matches {pattern:?}, set {target_label} to {replacement:?}"),
        Action::Keep => format!("keep only where {sources} matches {pattern:?}"),
        Action::Drop => format!("drop where {sources} matches {pattern:?}"),
        Action::KeepEqual => format!("keep only where {sources} equals {target_label}"),
        Action::DropEqual => format!("drop where {sources} equals {target_label}"),
        Action::HashMod => format!("set {target_label} to the hash of {sources} modulo {modulus}"),
        Action::LabelMap => format!("copy the labels whose name matches {pattern:?} to {replacement:?}"),
        Action::LabelDrop => format!("remove the labels whose name matches {pattern:?}"),
        Action::LabelKeep => format!("remove the labels whose name does not match {pattern:?}"),
        Action::Lowercase => format!("set {target_label} to {sources} in lower case"),
        Action::Uppercase => format!("set {target_label} to {sources} in upper case"),
    }
}
