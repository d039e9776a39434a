//! Relabelling as Prometheus does it.
//!
//! Input: rules as they are written, and the labels of a target. Output: the labels after the rules, or that
//! the rules drop the target. Rules are checked and compiled once. `stages` divides them, so that most are
//! applied once for many targets. Follows `model/relabel/relabel.go` of Prometheus.

mod deserialize;
mod rule;
mod stages;
mod validate;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::labels::{LabelSet, NameValidation};
use crate::regex::RegexError;
pub use rule::{MOST_WRITTEN, Verdict};
use rule::{Rule, Run};
pub use stages::{Residual, Stages};

/// What a rule does. Follows `model/relabel/relabel.go` of Prometheus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub enum Action {
    #[default]
    Replace,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A relabelling rule as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct RelabelConfig {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_labels: Vec<String>,
    pub separator: String,
    /// `None` is the default, `(.*)`. Prometheus does not print the default, but prints the same text if it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    pub modulus: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target_label: String,
    pub replacement: String,
    pub action: Action,
}

impl Default for RelabelConfig {
    fn default() -> Self {
        Self {
            source_labels: Vec::new(),
            separator: ";".to_owned(),
            regex: None,
            modulus: 0,
            target_label: String::new(),
            replacement: "$1".to_owned(),
            action: Action::Replace,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Why a list of rules is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {index}: {refusal}")]
pub struct RelabelError {
    /// Where in the list the rule stands, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub refusal: Refusal,
}

/// Why a rule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Go refuses the regular expression, or it is too large.
    #[error("regex: {0:?}: {1}")]
    Regex(String, RegexError),
    /// A name that no label can have.
    #[error("source_labels: not the name of a label: {0:?}")]
    SourceLabel(String),
    /// The action writes to a label, and none is named.
    #[error("target_label: must be set for the action: {0}")]
    NoTargetLabel(Action),
    /// A name that no label can have.
    #[error("target_label: not the name of a label, for the action {0}: {1:?}")]
    TargetLabel(Action, String),
    /// The action needs a modulus. 0 also stands for an absent one.
    #[error("modulus: must be more than 0 for the action: hashmod")]
    NoModulus,
    /// The template of a `labelmap` cannot make the name of a label.
    #[error("replacement: cannot make the name of a label, for the action labelmap: {0:?}")]
    Replacement(String),
    /// The list has too many rules.
    #[error("there are more than {MOST_RULES} rules")]
    TooMany,
    /// The regular expressions up to this one take too much memory.
    #[error("regex: all up to this one take more than {} MiB", MOST_BYTES >> 20)]
    TooLarge,
    /// A field that the action does not read is set.
    #[error("{field}: must not be set for the action: {action}")]
    Unread {
        /// The field.
        field: &'static str,
        /// The action.
        action: Action,
    },
}

/// Most rules in a list. Each target runs through all of them.
pub const MOST_RULES: usize = 1000;

/// Most bytes that the compiled regular expressions of a list may take.
pub const MOST_BYTES: usize = 32 << 20;

/// Rules, checked and compiled.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    /// The labels that the rules read by name, sorted.
    read: Vec<Box<str>>,
    /// Whether a `labelmap` comes after another rule, so that it meets labels in the order in which they were set.
    order_matters: bool,
    /// Bytes that the regular expressions take.
    size: usize,
}

/// While this label is set, the operator's rules that select the targets of one shard keep all targets.
const DISABLE_SHARDING: &str = "__tmp_disable_sharding";

/// The two rules that the operator's allocator puts around those of a scrape config: the first and the last.
#[must_use]
pub fn allocator_rules() -> [RelabelConfig; 2] {
    let set = RelabelConfig {
        target_label: DISABLE_SHARDING.to_owned(),
        replacement: "true".to_owned(),
        ..RelabelConfig::default()
    };
    let drop = RelabelConfig {
        regex: Some(DISABLE_SHARDING.to_owned()),
        action: Action::LabelDrop,
        ..RelabelConfig::default()
    };
    [set, drop]
}

impl Rules {
    /// Compiles rules.
    ///
    /// # Errors
    /// If Prometheus refuses one of them, or if a regular expression is too large.
    pub fn compile(configs: &[RelabelConfig], names: NameValidation) -> Result<Self, RelabelError> {
        check_number(configs)?;
        let (mut rules, mut size) = (Vec::with_capacity(configs.len()), 0);
        for (index, config) in configs.iter().enumerate() {
            let rule = Rule::compile(config, names).map_err(|refusal| RelabelError { index, refusal })?;
            size += rule.size();
            if size > MOST_BYTES {
                return Err(RelabelError { index, refusal: Refusal::TooLarge });
            }
            rules.push(rule);
        }
        let order_matters = rules.iter().skip(1).any(|rule| matches!(rule, Rule::LabelMap { .. }));
        let read: BTreeSet<&str> = rules.iter().flat_map(Rule::reads).collect();
        let read = read.into_iter().map(Box::from).collect();
        Ok(Self { rules, read, order_matters, size })
    }

    /// Checks rules without compiling them. Sizes of regular expressions are not checked.
    ///
    /// # Errors
    /// If Prometheus refuses one of them, or if there are too many.
    pub fn check(configs: &[RelabelConfig], names: NameValidation) -> Result<(), RelabelError> {
        check_number(configs)?;
        let check = |(index, config)| Rule::check(config, names).map_err(|refusal| RelabelError { index, refusal });
        configs.iter().enumerate().try_for_each(check)
    }

    /// Bytes that the regular expressions take.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Compiles the rules of a scrape config between the two rules of [`allocator_rules`]. So all targets are
    /// assigned, not only those of one Prometheus shard.
    ///
    /// # Errors
    /// As [`Rules::compile`]; the index is that in `configs`.
    pub fn for_targets(configs: &[RelabelConfig], names: NameValidation) -> Result<Self, RelabelError> {
        let [set, drop] = allocator_rules();
        let bracketed: Vec<RelabelConfig> = [set].into_iter().chain(configs.iter().cloned()).chain([drop]).collect();
        Self::compile(&bracketed, names)
            .map_err(|error| RelabelError { index: error.index.saturating_sub(1), refusal: error.refusal })
    }

    /// Applies the rules in their order; false if one of them drops the target. Labels with an empty value count
    /// as absent, and are removed.
    #[must_use]
    pub fn apply<'a>(&'a self, labels: &mut LabelSet<'a>) -> bool {
        self.apply_watched(labels, |_, _, _| {}) == Verdict::Kept
    }

    /// Applies the rules in their order, and calls `watch` after each rule with its position, its verdict and
    /// the labels.
    ///
    /// If [`Rules::for_targets`] made the rules, the first and the last one are not from the scrape config.
    pub fn apply_watched<'a>(
        &'a self,
        labels: &mut LabelSet<'a>,
        mut watch: impl FnMut(usize, Verdict, &LabelSet<'a>),
    ) -> Verdict {
        labels.retain(|_, value| !value.is_empty());
        let mut run = Run::new(labels, self.order_matters);
        until_not_kept(self.rules.iter().enumerate().map(|(position, rule)| {
            let verdict = rule.apply(&mut run);
            watch(position, verdict, run.labels());
            verdict
        }))
    }

    /// Whether a rule can read the label, so that its value can change other labels or drop the target.
    #[must_use]
    pub fn may_read(&self, name: &str) -> bool {
        self.read.binary_search_by(|read| (**read).cmp(name)).is_ok() || self.rules.iter().any(|rule| rule.maps(name))
    }
}

/// The first verdict that is not [`Verdict::Kept`]; no rule runs after it.
fn until_not_kept(mut verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    verdicts.find(|verdict| *verdict != Verdict::Kept).unwrap_or(Verdict::Kept)
}

/// Refuses a list that is too long. The rules of the allocator do not count.
fn check_number(configs: &[RelabelConfig]) -> Result<(), RelabelError> {
    if configs.len() > MOST_RULES + allocator_rules().len() {
        return Err(RelabelError { index: MOST_RULES, refusal: Refusal::TooMany });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
