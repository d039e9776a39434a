//! Relabelling as Prometheus does it.
//!
//! Input: rules of a scrape config, and the labels of a target. Output: the labels after the rules, or the decision
//! that the rules drop the target. Rules are checked and compiled once. `stages` divides the rules, so that most of
//! them are applied once for many targets. Follows `model/relabel/relabel.go` of Prometheus.

mod deserialize;
mod rule;
mod run;
mod stages;
mod validate;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::labels::{LabelSet, NameValidation};
use crate::regex::{RegexCache, RegexError};
use rule::Rule;
use run::Run;
pub use run::{MOST_WRITTEN, Verdict};
pub use stages::{Residual, Stages};

/// The action of a rule.
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

/// A relabelling rule of a scrape config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct RelabelConfig {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_labels: Vec<String>,
    pub separator: String,
    /// `None` is the default, `(.*)`. Prometheus does not print the default. It prints a regular expression that the
    /// scrape config sets, even if it is `(.*)`.
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
    /// The index of the rule in the list.
    pub index: usize,
    /// The reason.
    pub refusal: Refusal,
}

/// Why a rule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Go refuses the regular expression, or it is too large.
    #[error("regex: {0:?}: {1}")]
    Regex(String, RegexError),
    /// A source label has an invalid name.
    #[error("source_labels: not the name of a label: {0:?}")]
    SourceLabel(String),
    /// The action needs a target label, and the rule names none.
    #[error("target_label: must be set for the action: {0}")]
    NoTargetLabel(Action),
    /// The target label has an invalid name.
    #[error("target_label: not the name of a label, for the action {0}: {1:?}")]
    TargetLabel(Action, String),
    /// The action needs a modulus. An absent modulus is 0.
    #[error("modulus: must be more than 0 for the action: hashmod")]
    NoModulus,
    /// The replacement of a `labelmap` cannot expand to the name of a label.
    #[error("replacement: cannot make the name of a label, for the action labelmap: {0:?}")]
    Replacement(String),
    /// The list has too many rules.
    #[error("there are more than {MOST_RULES} rules")]
    TooMany,
    /// The regular expressions of the list, up to this rule, take too much memory.
    #[error("regex: all up to this one take more than {} MiB", MOST_BYTES >> 20)]
    TooLarge,
    /// The rule sets a field that the action does not read.
    #[error("{field}: must not be set for the action: {action}")]
    Unread {
        /// The field.
        field: &'static str,
        /// The action.
        action: Action,
    },
}

/// Maximum number of rules in a list. Each rule is applied to each target.
pub const MOST_RULES: usize = 1000;

/// Maximum memory of the compiled regular expressions of a list, in bytes.
pub const MOST_BYTES: usize = 32 << 20;

/// The checked and compiled rules of a job.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    /// The sorted names of the labels that the rules read by name.
    read: Vec<Box<str>>,
    /// Whether a `labelmap` comes after another rule. It visits labels in the order in which earlier rules set them.
    order_matters: bool,
    /// Memory of the regular expressions, in bytes.
    size: usize,
}

/// A label that disables the sharding rules of the operator. While a target has this label, these rules keep it.
const DISABLE_SHARDING: &str = "__tmp_disable_sharding";

/// The two rules that the operator's allocator adds to the rules of a scrape config: one before them, one after them.
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
    /// Compiles rules. Equal regular expressions are compiled once for all rules that share `regexes`.
    ///
    /// # Errors
    /// [`RelabelError`] if Prometheus refuses a rule, or if a regular expression is too large.
    pub fn compile(
        configs: &[RelabelConfig],
        names: NameValidation,
        regexes: &RegexCache,
    ) -> Result<Self, RelabelError> {
        check_number(configs.len())?;
        Self::compile_each(configs.iter(), names, regexes)
    }

    fn compile_each<'c>(
        configs: impl Iterator<Item = &'c RelabelConfig>,
        names: NameValidation,
        regexes: &RegexCache,
    ) -> Result<Self, RelabelError> {
        let (mut rules, mut size) = (Vec::with_capacity(configs.size_hint().0), 0);
        for (index, config) in configs.enumerate() {
            let rule = Rule::compile(config, names, regexes).map_err(|refusal| RelabelError { index, refusal })?;
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

    /// Checks rules without compiling them. Does not check the size of regular expressions.
    ///
    /// # Errors
    /// [`RelabelError`] if Prometheus refuses a rule, or if there are too many rules.
    pub fn check(configs: &[RelabelConfig], names: NameValidation, regexes: &RegexCache) -> Result<(), RelabelError> {
        check_number(configs.len())?;
        let check =
            |(index, config)| Rule::check(config, names, regexes).map_err(|refusal| RelabelError { index, refusal });
        configs.iter().enumerate().try_for_each(check)
    }

    /// Memory of the regular expressions, in bytes.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Compiles the rules of a scrape config between the two rules of [`allocator_rules`]. These two rules keep the
    /// targets of all shards of Prometheus.
    ///
    /// # Errors
    /// As for [`Rules::compile`]. The index in the error is an index of `configs`.
    pub fn for_targets(
        configs: &[RelabelConfig],
        names: NameValidation,
        regexes: &RegexCache,
    ) -> Result<Self, RelabelError> {
        let [set, drop] = allocator_rules();
        let with_allocator_rules = std::iter::once(&set).chain(configs).chain([&drop]);
        check_number(configs.len() + 2)
            .and_then(|()| Self::compile_each(with_allocator_rules, names, regexes))
            .map_err(|error| RelabelError { index: error.index.saturating_sub(1), refusal: error.refusal })
    }

    /// Applies the rules in their order. Returns false if a rule drops the target. Labels with an empty value are
    /// removed before the first rule.
    #[must_use]
    pub fn apply<'a>(&'a self, labels: &mut LabelSet<'a>) -> bool {
        self.apply_watched(labels, |_, _, _| {}) == Verdict::Kept
    }

    /// Applies the rules in their order, as [`Rules::apply`]. Calls `watch` after each rule with the position of the
    /// rule, its verdict and the labels.
    ///
    /// The first and the last rule of [`Rules::for_targets`] are not part of the scrape config.
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

    /// Whether a rule can read the label. If so, its value can change other labels or drop the target.
    #[must_use]
    pub fn may_read(&self, name: &str) -> bool {
        self.read.binary_search_by(|read| (**read).cmp(name)).is_ok() || self.rules.iter().any(|rule| rule.maps(name))
    }
}

/// The first verdict that is not [`Verdict::Kept`]. No rule runs after this verdict.
fn until_not_kept(mut verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    verdicts.find(|verdict| *verdict != Verdict::Kept).unwrap_or(Verdict::Kept)
}

/// Refuses a list with too many rules. The rules of [`allocator_rules`] do not count.
fn check_number(count: usize) -> Result<(), RelabelError> {
    if count > MOST_RULES + allocator_rules().len() {
        return Err(RelabelError { index: MOST_RULES, refusal: Refusal::TooMany });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
