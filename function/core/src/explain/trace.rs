//! Traces one target through the rules of its job.
//!
//! Input: a discovered target, and the rules with their origins. Output: what each rule read and changed.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::owner::Owner;
use crate::allocation::PlannedJob;
use crate::labels::{LabelSet, META_PREFIX};
use crate::relabel::{Action, MOST_WRITTEN, RelabelConfig, Verdict, allocator_rules};
use crate::targets::Maker;

/// A target, the effect of each rule on it, and its fate. Part of the JSON of `/explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetTrace {
    /// The job that discovered the target.
    pub job: String,
    /// Where the target comes from: an object, a URL, or a field of the config.
    pub source: String,
    /// The position among the targets of the source, from 0.
    pub place: usize,
    /// The address as discovered, before the rules.
    pub address: String,
    /// The fate of the target.
    pub fate: Fate,
    /// The labels before the first rule: as discovered, with the labels that Prometheus adds, such as `job`.
    pub before: BTreeMap<String, String>,
    /// The rules up to the one that dropped the target, in order.
    pub rules: Vec<RuleTrace>,
    /// The labels after the last rule, without `__meta_` labels. `None` if the target was dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<BTreeMap<String, String>>,
    /// Hash of the labels after the rules, unique within the job; 16 hexadecimal digits in JSON. `None` if dropped.
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

/// Identifies a discovered target within its job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(missing_docs, reason = "named as in the trace")]
pub struct DiscoveredTarget {
    pub source: String,
    pub place: usize,
    pub address: String,
}

/// The fate of a target after discovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Fate {
    /// The last rule in [`TargetTrace::rules`] dropped the target.
    Dropped {
        /// The rule, and the labels that it read.
        reason: String,
    },
    /// After the rules, the target equals one that was discovered later. The later target is served.
    Merged {
        /// The later target.
        into: DiscoveredTarget,
    },
    /// At least one collector is assigned the target.
    Served {
        /// The collectors, each with the reason.
        by: Vec<Owner>,
        /// Earlier targets that equal it after the rules.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        merged: Vec<DiscoveredTarget>,
    },
    /// No rule dropped the target, but no collector is assigned it.
    Unassigned {
        /// Why no collector is assigned the target.
        reason: String,
        /// Earlier targets that equal it after the rules.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        merged: Vec<DiscoveredTarget>,
    },
}

/// Where a rule comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleOrigin {
    /// The allocator adds this rule before or after the rules of the job.
    Allocator,
    /// Generated from the monitor's selector, ports, labels and scrape class. Has the index in `relabel_configs`.
    Generated(usize),
    /// Written by a user in this field.
    Written(String),
}

/// A rule and its effect on one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleTrace {
    /// Where the rule comes from.
    pub from: RuleOrigin,
    /// The rule in words, on one line.
    pub text: String,
    /// The rule as served to collectors.
    pub rule: RelabelConfig,
    /// The labels that the rule reads by name, with their values before the rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<LabelRead>,
    /// The labels that the rule changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<LabelChange>,
    /// Whether the rule dropped the target.
    pub dropped: bool,
}

/// A label that a rule read. The value of an absent label is empty, as in Prometheus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct LabelRead {
    pub label: String,
    pub value: String,
}

/// A label before and after a rule, or before and after a change of the cluster. `None` means absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct LabelChange {
    pub label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl TargetTrace {
    /// Order of traces in an explanation, smallest first: served targets, then targets that a user's own rule dropped
    /// before targets that a generated rule dropped. Users look for the first kinds.
    pub(super) fn rank(&self) -> u8 {
        match (&self.fate, self.rules.last().map(|rule| &rule.from)) {
            (Fate::Served { .. }, _) => 0,
            (Fate::Unassigned { .. }, _) => 1,
            (Fate::Merged { .. }, _) => 2,
            (Fate::Dropped { .. }, Some(RuleOrigin::Written(_))) => 3,
            (Fate::Dropped { .. }, _) => 4,
        }
    }
}

/// The rules of a job in the order of the compiled rules: one rule of the allocator, the scrape config's rules, and
/// another rule of the allocator.
pub(super) fn rules_of(job: &PlannedJob) -> Vec<(RuleOrigin, RelabelConfig)> {
    let [first, last] = allocator_rules();
    let own = job.scrape_config.relabel_configs.iter().cloned().enumerate().map(|(index, rule)| {
        let written = &job.written;
        let origin = if written.range.contains(&index) {
            RuleOrigin::Written(format!("{}[{}]", written.field, index - written.range.start))
        } else {
            RuleOrigin::Generated(index)
        };
        (origin, rule)
    });
    [(RuleOrigin::Allocator, first)].into_iter().chain(own).chain([(RuleOrigin::Allocator, last)]).collect()
}

/// Traces a target through the rules. If no rule dropped the target, its fate is a placeholder that the caller
/// replaces.
pub(super) fn follow(
    job: &PlannedJob,
    maker: &Maker<'_>,
    rules: &[(RuleOrigin, RelabelConfig)],
    name: DiscoveredTarget,
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
            // The maker adds the defaults of Prometheus before the first rule, which sets exactly one label.
            // Labels before the rule are therefore the labels after it, without this label.
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

/// The labels with a value. An empty value means absent in Prometheus.
fn texts(labels: &LabelSet<'_>) -> BTreeMap<String, String> {
    let valued = labels.iter().filter(|(_, value)| !value.is_empty());
    valued.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The names of the labels that a rule reads.
pub(super) fn names_read(rule: &RelabelConfig) -> impl Iterator<Item = &String> {
    let compared = matches!(rule.action, Action::KeepEqual | Action::DropEqual).then_some(&rule.target_label);
    rule.source_labels.iter().chain(compared)
}

fn reads(rule: &RelabelConfig, labels: &BTreeMap<String, String>) -> Vec<LabelRead> {
    names_read(rule)
        .map(|name| LabelRead { label: name.clone(), value: labels.get(name).cloned().unwrap_or_default() })
        .collect()
}

fn changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<LabelChange> {
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name));
    let gone = gone.map(|(name, value)| LabelChange { label: name.clone(), before: Some(value.clone()), after: None });
    let new = after.iter().filter(|(name, value)| before.get(*name) != Some(value)).map(|(name, value)| LabelChange {
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

/// Why a target is dropped after a rule that keeps it: the rules write too many bytes.
fn too_large(trace: &RuleTrace) -> String {
    let limit = MOST_WRITTEN >> 20;
    format!(
        "{}: {}; the rules up to this one write more than {limit} MiB to the target",
        place(&trace.from),
        trace.text
    )
}

/// Where a rule is written, in words.
pub(super) fn place(origin: &RuleOrigin) -> String {
    match origin {
        RuleOrigin::Allocator => "rule of the allocator".to_owned(),
        RuleOrigin::Generated(index) => format!("relabel_configs[{index}], generated from the monitor"),
        RuleOrigin::Written(field) => field.clone(),
    }
}

/// A rule in words, on one line.
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
