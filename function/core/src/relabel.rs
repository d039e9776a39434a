//! Relabelling as Prometheus does it.
//!
//! In: rules as they are written, and the labels of a target; out: the labels
//! after the rules, or that the target is dropped. Rules are checked and compiled
//! once. Follows `model/relabel/relabel.go` of Prometheus.

mod deserialize;
mod rule;
mod validate;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::labels::{LabelSet, NameValidation};
use crate::regex::RegexError;
use rule::{Effect, Rule, Run};
pub use rule::{MOST_WRITTEN, Outcome};

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
    /// `None` is the default, `(.*)`: Prometheus tells it from the same text written out, and leaves it out.
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
    /// Go does not take the regular expression, or it is too large.
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
    /// The action does not take a modulus of 0, which is also what stands for none.
    #[error("modulus: must be more than 0 for the action: hashmod")]
    NoModulus,
    /// What `labelmap` makes cannot be the name of a label.
    #[error("replacement: cannot make the name of a label, for the action labelmap: {0:?}")]
    Replacement(String),
    /// The list is longer than it may be.
    #[error("there are more than {MOST_RULES} rules")]
    TooMany,
    /// The regular expressions up to this one take more than they may.
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

/// Most rules in a list.
pub const MOST_RULES: usize = 1000;

/// Most that the regular expressions of a list may take.
pub const MOST_BYTES: usize = 32 << 20;

/// Rules, checked and compiled.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    /// The labels that they read by their names, in order.
    read: Vec<Box<str>>,
    /// Whether a `labelmap` comes late enough to see what other rules have set.
    order_matters: bool,
    /// What the regular expressions take.
    size: usize,
}

/// The rules of a job that decide on several targets at once; made by [`Rules::gate`].
#[derive(Debug, Clone, Default)]
pub struct Gate {
    positions: Vec<usize>,
}

/// The rules that are left to be applied to each of several targets; made by [`Rules::settle`].
#[derive(Debug, Clone)]
pub struct Rest {
    positions: Vec<usize>,
    /// What the rules that were applied have written.
    written: usize,
}

/// While it is set, the operator's rules that choose the targets of one shard let all targets pass.
const DISABLE_SHARDING: &str = "__tmp_disable_sharding";

/// What the operator's allocator puts before and after the rules of a scrape config.
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

    /// Refuses what [`Rules::compile`] refuses, but for what is only too large, without compiling it.
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

    /// Compiles the rules of a scrape config between the two that the operator's
    /// allocator adds: it assigns all targets, not those of one Prometheus shard.
    ///
    /// # Errors
    /// As [`Rules::compile`]; the index is that in `configs`.
    pub fn for_targets(configs: &[RelabelConfig], names: NameValidation) -> Result<Self, RelabelError> {
        let [set, drop] = allocator_rules();
        let bracketed: Vec<RelabelConfig> = [set].into_iter().chain(configs.iter().cloned()).chain([drop]).collect();
        Self::compile(&bracketed, names)
            .map_err(|error| RelabelError { index: error.index.saturating_sub(1), refusal: error.refusal })
    }

    /// Applies the rules in their order; false if one of them drops the target.
    /// A label with an empty value counts as absent and is gone afterwards.
    #[must_use]
    pub fn apply<'a>(&'a self, labels: &mut LabelSet<'a>) -> bool {
        self.apply_watched(labels, |_, _, _| {}) == Outcome::Kept
    }

    /// The same, telling `watch` after each rule its position, what it made of the target, and the labels.
    ///
    /// Of rules made by [`Rules::for_targets`] the first and the last are not those of the scrape config.
    pub fn apply_watched<'a>(
        &'a self,
        labels: &mut LabelSet<'a>,
        mut watch: impl FnMut(usize, Outcome, &LabelSet<'a>),
    ) -> Outcome {
        labels.retain(|_, value| !value.is_empty());
        let mut run = Run::new(labels, self.order_matters);
        until_not_kept(self.rules.iter().enumerate().map(|(position, rule)| {
            let outcome = rule.apply(&mut run);
            watch(position, outcome, run.labels());
            outcome
        }))
    }

    /// The rules that decide by labels that are `shared` between several targets and
    /// that no rule before them can have changed: they decide on all those targets at once.
    #[must_use]
    pub fn gate(&self, shared: impl Fn(&str) -> bool) -> Gate {
        let (mut positions, mut set) = (Vec::new(), Vec::new());
        for (position, rule) in self.rules.iter().enumerate() {
            match rule.effect() {
                Effect::Decides if rule.reads().all(|name| shared(name) && !set.contains(&name)) => {
                    positions.push(position);
                }
                Effect::Decides => {}
                Effect::Sets(name) => set.push(name),
                Effect::Removes(names) => set.extend(names.iter().map(String::as_str)),
                Effect::Changes => break,
            }
        }
        Gate { positions }
    }

    /// Whether the rules of the gate keep targets that share these labels, or can tell only target by target.
    #[must_use]
    pub fn passes(&self, gate: &Gate, shared: &LabelSet<'_>) -> bool {
        let mut joined = String::new();
        let mut rules = gate.positions.iter().filter_map(|position| self.rules.get(*position));
        rules.all(|rule| rule.decide(shared, &mut joined) != Outcome::Dropped)
    }

    /// Applies to labels that several targets share all rules that make the same of each of
    /// those targets, and returns the others; `None` if the targets are dropped.
    ///
    /// A target whose own labels, all of them names that are not `shared`, are put over these
    /// comes out of [`Rules::apply_rest`] as it would come out of [`Rules::apply`].
    pub fn settle<'a>(&'a self, labels: &mut LabelSet<'a>, shared: impl Fn(&str) -> bool) -> Option<Rest> {
        if self.order_matters {
            return Some(Rest { positions: (0..self.rules.len()).collect(), written: 0 });
        }
        labels.retain(|_, value| !value.is_empty());
        let mut run = Run::new(labels, false);
        let mut positions = Vec::new();
        // What differs from target to target, and what a rule reads that is not applied yet.
        let (mut varying, mut awaited): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for (position, rule) in self.rules.iter().enumerate() {
            let known = |name: &str| shared(name) && !varying.contains(&name);
            let free = |name: &str| known(name) && !awaited.contains(&name);
            let changes_known = match rule.effect() {
                Effect::Decides => true,
                Effect::Sets(name) => free(name),
                Effect::Removes(names) => names.iter().all(|name| free(name)),
                Effect::Changes => {
                    positions.extend(position..self.rules.len());
                    break;
                }
            };
            if changes_known && rule.reads().all(known) {
                match rule.apply(&mut run) {
                    Outcome::Kept => continue,
                    Outcome::Dropped => return None,
                    // Unless a rule before it drops the target.
                    Outcome::TooLarge => return Some(Rest { positions, written: MOST_WRITTEN + 1 }),
                }
            }
            positions.push(position);
            awaited.extend(rule.reads());
            match rule.effect() {
                Effect::Sets(name) => varying.push(name),
                Effect::Removes(names) => varying.extend(names.iter().map(String::as_str)),
                Effect::Decides | Effect::Changes => {}
            }
        }
        Some(Rest { positions, written: run.written() })
    }

    /// Applies what [`Rules::settle`] left.
    pub fn apply_rest<'a>(&'a self, rest: &Rest, labels: &mut LabelSet<'a>) -> Outcome {
        labels.retain(|_, value| !value.is_empty());
        let mut run = Run::new(labels, self.order_matters).after(rest.written);
        let rules = rest.positions.iter().filter_map(|position| self.rules.get(*position));
        match until_not_kept(rules.map(|rule| rule.apply(&mut run))) {
            Outcome::Kept => run.outcome(),
            other => other,
        }
    }

    /// Whether a rule can read the label, so that its value or its presence can
    /// change what comes out of the other labels.
    #[must_use]
    pub fn may_read(&self, name: &str) -> bool {
        self.read.binary_search_by(|read| (**read).cmp(name)).is_ok() || self.rules.iter().any(|rule| rule.maps(name))
    }
}

/// The first outcome that ends it for a target.
fn until_not_kept(mut outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    outcomes.find(|outcome| *outcome != Outcome::Kept).unwrap_or(Outcome::Kept)
}

/// Those of the allocator come on top of what is written.
fn check_number(configs: &[RelabelConfig]) -> Result<(), RelabelError> {
    if configs.len() > MOST_RULES + allocator_rules().len() {
        return Err(RelabelError { index: MOST_RULES, refusal: Refusal::TooMany });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
