//! One compiled relabelling rule.
//!
//! Input: a rule of a scrape config. Output: the rule with its compiled regular expression, which labels it reads and
//! changes, and its effect on the labels of a target.

use std::borrow::Cow;
use std::sync::Arc;

use md5::{Digest, Md5};

use super::run::{Input, Run, TargetLabel, Verdict};
use super::validate::validate;
use super::{Action, Refusal, RelabelConfig};
use crate::labels::{LabelSet, NameValidation, is_valid_label_name};
use crate::regex::{GoRegex, MOST_EXPANDED, Purpose, RegexCache, Template, to_lower, to_upper};

/// The labels that a rule can change.
#[derive(Debug, Clone, Copy)]
pub(super) enum Effect<'r> {
    /// The rule changes no label. It keeps or drops the target.
    Decides,
    /// The rule can set this label.
    Sets(&'r str),
    /// The rule removes these labels.
    Removes(&'r [String]),
    /// The rule can set or remove any label.
    Changes,
}

/// The regular expression of a rule that does not set one.
const DEFAULT_REGEX: &str = "(.*)";

#[derive(Debug, Clone)]
pub(super) enum Rule {
    Replace {
        input: Input,
        regex: Arc<GoRegex>,
        target: TargetLabel,
        value: Template,
    },
    Keep {
        input: Input,
        regex: Arc<GoRegex>,
    },
    Drop {
        input: Input,
        regex: Arc<GoRegex>,
    },
    KeepEqual {
        input: Input,
        target: String,
    },
    DropEqual {
        input: Input,
        target: String,
    },
    HashMod {
        input: Input,
        target: String,
        modulus: u64,
    },
    LabelMap {
        regex: Arc<GoRegex>,
        name: Template,
    },
    LabelDrop {
        regex: Arc<GoRegex>,
    },
    /// A `labeldrop` whose regular expression is a list of fixed names.
    Remove {
        names: Vec<String>,
    },
    LabelKeep {
        regex: Arc<GoRegex>,
    },
    Lowercase {
        input: Input,
        target: String,
    },
    Uppercase {
        input: Input,
        target: String,
    },
}

impl Rule {
    /// Checks and compiles a rule.
    pub(super) fn compile(
        config: &RelabelConfig,
        names: NameValidation,
        regexes: &RegexCache,
    ) -> Result<Self, Refusal> {
        validate(config, names)?;
        let RelabelConfig { source_labels, separator, regex, modulus, target_label, replacement, action } = config;
        let refers = match action {
            Action::Replace => replacement.contains('$') || target_label.contains('$'),
            Action::LabelMap => true,
            _ => false,
        };
        let purpose = if refers { Purpose::Groups } else { Purpose::Match };
        let pattern = regex.as_deref().unwrap_or(DEFAULT_REGEX);
        let regex = regexes.compile(pattern, purpose).map_err(|error| Refusal::Regex(pattern.to_owned(), error))?;
        let input = Input { labels: source_labels.clone(), separator: separator.clone() };
        let target = target_label.clone();
        Ok(match action {
            Action::Replace => {
                let (name, value) = (Template::new(&target, &regex), Template::new(replacement, &regex));
                let target = match name.as_text() {
                    Some(name) if is_valid_label_name(name, names) => TargetLabel::Fixed(name.to_owned()),
                    _ => TargetLabel::Expanded { name, names },
                };
                Self::Replace { input, regex, target, value }
            }
            Action::Keep => Self::Keep { input, regex },
            Action::Drop => Self::Drop { input, regex },
            Action::KeepEqual => Self::KeepEqual { input, target },
            Action::DropEqual => Self::DropEqual { input, target },
            Action::HashMod => Self::HashMod { input, target, modulus: *modulus },
            Action::LabelMap => Self::LabelMap { name: Template::new(replacement, &regex), regex },
            Action::LabelDrop => match regex.texts() {
                Some(names) => Self::Remove { names: names.into_iter().map(str::to_owned).collect() },
                None => Self::LabelDrop { regex },
            },
            Action::LabelKeep => Self::LabelKeep { regex },
            Action::Lowercase => Self::Lowercase { input, target },
            Action::Uppercase => Self::Uppercase { input, target },
        })
    }

    /// Checks a rule without compiling it. Does not check the size of the regular expression.
    pub(super) fn check(config: &RelabelConfig, names: NameValidation, regexes: &RegexCache) -> Result<(), Refusal> {
        validate(config, names)?;
        let Some(text) = &config.regex else { return Ok(()) };
        regexes.check(text).map_err(|error| Refusal::Regex(text.clone(), error))
    }

    /// Applies the rule to the labels of a target.
    pub(super) fn apply<'a>(&'a self, run: &mut Run<'_, 'a>) -> Verdict {
        match self {
            Self::Keep { .. } | Self::Drop { .. } | Self::KeepEqual { .. } | Self::DropEqual { .. } => {
                return self.decide(run.labels, &mut run.joined);
            }
            Self::Replace { input, regex, target, value } => {
                if let Some((target, value)) = run.replacement(input, regex, target, value) {
                    run.set(target, value);
                }
            }
            Self::HashMod { input, target, modulus } => {
                let value = run.map(input, |value| hash(value).checked_rem(*modulus).unwrap_or_default().to_string());
                run.set(Cow::Borrowed(target), value.into());
            }
            Self::Lowercase { input, target } => {
                let value = run.map(input, to_lower);
                run.set(Cow::Borrowed(target), value.into());
            }
            Self::Uppercase { input, target } => {
                let value = run.map(input, to_upper);
                run.set(Cow::Borrowed(target), value.into());
            }
            Self::LabelMap { regex, name } => run.map_labels(regex, name),
            Self::LabelDrop { regex } => run.retain(|name| !regex.is_match(name)),
            Self::Remove { names } => names.iter().for_each(|name| run.remove(name)),
            Self::LabelKeep { regex } => run.retain(|name| regex.is_match(name)),
        }
        run.verdict_after_change()
    }

    /// The verdict of a rule that changes no label. All other rules keep the target.
    pub(super) fn decide(&self, labels: &LabelSet<'_>, joined: &mut String) -> Verdict {
        let keeps = match self {
            Self::Keep { input, regex } => regex.is_match(input.text(labels, joined)),
            Self::Drop { input, regex } => !regex.is_match(input.text(labels, joined)),
            Self::KeepEqual { input, target } => labels.get(target) == input.text(labels, joined),
            Self::DropEqual { input, target } => labels.get(target) != input.text(labels, joined),
            _ => true,
        };
        match keeps {
            _ if joined.len() > MOST_EXPANDED => Verdict::TooLarge,
            true => Verdict::Kept,
            false => Verdict::Dropped,
        }
    }

    /// Memory of the regular expression, in bytes.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Replace { regex, .. }
            | Self::Keep { regex, .. }
            | Self::Drop { regex, .. }
            | Self::LabelMap { regex, .. }
            | Self::LabelDrop { regex, .. }
            | Self::LabelKeep { regex } => regex.size(),
            Self::KeepEqual { .. }
            | Self::DropEqual { .. }
            | Self::HashMod { .. }
            | Self::Remove { .. }
            | Self::Lowercase { .. }
            | Self::Uppercase { .. } => 0,
        }
    }

    /// The labels that the rule can change.
    pub(super) fn effect(&self) -> Effect<'_> {
        match self {
            Self::Keep { .. } | Self::Drop { .. } | Self::KeepEqual { .. } | Self::DropEqual { .. } => Effect::Decides,
            Self::Replace { target: TargetLabel::Fixed(target), .. }
            | Self::HashMod { target, .. }
            | Self::Lowercase { target, .. }
            | Self::Uppercase { target, .. } => Effect::Sets(target),
            Self::Remove { names } => Effect::Removes(names),
            Self::Replace { .. } | Self::LabelMap { .. } | Self::LabelDrop { .. } | Self::LabelKeep { .. } => {
                Effect::Changes
            }
        }
    }

    /// The labels that the rule reads by name.
    pub(super) fn reads(&self) -> impl Iterator<Item = &str> {
        let (input, target) = match self {
            Self::KeepEqual { input, target } | Self::DropEqual { input, target } => (Some(input), Some(target)),
            Self::Replace { input, .. }
            | Self::Keep { input, .. }
            | Self::Drop { input, .. }
            | Self::HashMod { input, .. }
            | Self::Lowercase { input, .. }
            | Self::Uppercase { input, .. } => (Some(input), None),
            Self::LabelMap { .. } | Self::LabelDrop { .. } | Self::Remove { .. } | Self::LabelKeep { .. } => {
                (None, None)
            }
        };
        input.into_iter().flat_map(|input| &input.labels).chain(target).map(String::as_str)
    }

    /// Whether the rule is a `labelmap` that copies the label.
    pub(super) fn maps(&self, name: &str) -> bool {
        matches!(self, Self::LabelMap { regex, .. } if regex.is_match(name))
    }
}

/// The last eight bytes of the MD5 sum, as Prometheus hashes for `hashmod`.
fn hash(value: &str) -> u64 {
    let sum: [u8; 16] = Md5::digest(value.as_bytes()).into();
    sum[8..].iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}
