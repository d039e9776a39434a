//! One compiled rule, and what it does to labels.
//!
//! The labels behave like Prometheus' `labels.Builder`, down to the order in
//! which `labelmap` meets them: those that came in by name, then those that rules
//! have set, in the order in which they were set.

use std::borrow::Cow;

use md5::{Digest, Md5};

use super::validate::validate;
use super::{Action, Refusal, RelabelConfig};
use crate::labels::{LabelSet, NameValidation, is_valid_label_name};
use crate::regex::{GoRegex, Groups, MOST_EXPANDED, Purpose, Template, to_lower, to_upper};

/// What a rule decides about a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The target goes on to the next rule.
    Kept,
    /// The rule drops the target.
    Dropped,
    /// The rules up to this one wrote more to the target than they may. No further rule runs.
    TooLarge,
}

/// Which labels a rule can change.
#[derive(Debug, Clone, Copy)]
pub(super) enum Effect<'r> {
    /// None: the rule keeps or drops the target.
    Decides,
    /// It can set this label.
    Sets(&'r str),
    /// It drops these labels.
    Removes(&'r [String]),
    /// It can set or drop any label.
    Changes,
}

#[derive(Debug, Clone)]
pub(super) enum Rule {
    Replace {
        input: Input,
        regex: GoRegex,
        target: TargetLabel,
        value: Template,
    },
    Keep {
        input: Input,
        regex: GoRegex,
    },
    Drop {
        input: Input,
        regex: GoRegex,
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
        regex: GoRegex,
        name: Template,
    },
    LabelDrop {
        regex: GoRegex,
    },
    /// A `labeldrop` of nothing but these names.
    Remove {
        names: Vec<String>,
    },
    LabelKeep {
        regex: GoRegex,
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

/// Labels whose values are joined.
#[derive(Debug, Clone)]
pub(super) struct Input {
    labels: Vec<String>,
    separator: String,
}

/// The label that a rule writes.
#[derive(Debug, Clone)]
pub(super) enum TargetLabel {
    Fixed(String),
    Made { name: Template, names: NameValidation },
}

/// The labels of one target while rules are applied, and buffers that each rule uses again.
pub(super) struct Run<'r, 'a> {
    labels: &'r mut LabelSet<'a>,
    /// The labels that rules have set, in that order; `None` if no rule depends on the order.
    set: Option<Vec<Cow<'a, str>>>,
    groups: Groups,
    joined: String,
    /// What rules have written, in bytes. Each label counts [`PRICE_OF_LABEL`] beside its text.
    written: usize,
}

/// Most bytes that the rules of a job may write to one target. Each rule can double a label, so 40 rules could
/// fill the memory.
pub const MOST_WRITTEN: usize = 1 << 20;

/// Bytes that a label counts beside its text: a rule can write a thousand short labels.
const PRICE_OF_LABEL: usize = 256;

impl Rule {
    pub(super) fn compile(config: &RelabelConfig, names: NameValidation) -> Result<Self, Refusal> {
        validate(config, names)?;
        let RelabelConfig { source_labels, separator, regex, modulus, target_label, replacement, action } = config;
        let refers = match action {
            Action::Replace => replacement.contains('$') || target_label.contains('$'),
            Action::LabelMap => true,
            _ => false,
        };
        let purpose = if refers { Purpose::Groups } else { Purpose::Match };
        let regex = match regex {
            Some(text) => GoRegex::new(text, purpose).map_err(|error| Refusal::Regex(text.clone(), error))?,
            None => GoRegex::anything(purpose),
        };
        let input = Input { labels: source_labels.clone(), separator: separator.clone() };
        let target = target_label.clone();
        Ok(match action {
            Action::Replace => {
                let (name, value) = (Template::new(&target, &regex), Template::new(replacement, &regex));
                let target = match name.as_text() {
                    Some(name) if is_valid_label_name(name, names) => TargetLabel::Fixed(name.to_owned()),
                    _ => TargetLabel::Made { name, names },
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

    /// Checks a rule without compiling it. The size of its regular expression is not checked.
    pub(super) fn check(config: &RelabelConfig, names: NameValidation) -> Result<(), Refusal> {
        validate(config, names)?;
        let Some(text) = &config.regex else { return Ok(()) };
        GoRegex::check(text).map_err(|error| Refusal::Regex(text.clone(), error))
    }

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
        if run.joined.len() > MOST_EXPANDED {
            run.written = MOST_WRITTEN + 1;
        }
        run.verdict()
    }

    /// The verdict of a rule that changes no label. Any other rule keeps the target.
    pub(super) fn decide(&self, labels: &LabelSet<'_>, joined: &mut String) -> Verdict {
        let keeps = match self {
            Self::Keep { input, regex } => regex.is_match(input.value(labels, joined).text),
            Self::Drop { input, regex } => !regex.is_match(input.value(labels, joined).text),
            Self::KeepEqual { input, target } => labels.get(target) == input.value(labels, joined).text,
            Self::DropEqual { input, target } => labels.get(target) != input.value(labels, joined).text,
            _ => true,
        };
        match keeps {
            _ if joined.len() > MOST_EXPANDED => Verdict::TooLarge,
            true => Verdict::Kept,
            false => Verdict::Dropped,
        }
    }

    /// Bytes that the rule's regular expression takes.
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

    /// Which labels the rule can change.
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

    /// The labels that a rule reads by their names.
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

/// The last eight bytes of the MD5 sum.
fn hash(value: &str) -> u64 {
    let sum: [u8; 16] = Md5::digest(value.as_bytes()).into();
    sum[8..].iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// A text, and the same text with the longer lifetime of the objects, if it is borrowed from them.
#[derive(Clone, Copy)]
struct Value<'l, 'a> {
    text: &'l str,
    shared: Option<&'a str>,
}

impl<'l, 'a> Value<'l, 'a> {
    const EMPTY: Self = Self { text: "", shared: Some("") };

    fn of(value: &'l Cow<'a, str>) -> Self {
        let shared = match value {
            Cow::Borrowed(text) => Some(*text),
            Cow::Owned(_) => None,
        };
        Self { text: value, shared }
    }

    /// The template with the groups of a match in this text filled in. A part of this text is borrowed, not copied.
    fn expand(self, template: &'a Template, groups: &Groups) -> Cow<'a, str> {
        if let Some(text) = template.as_text() {
            return Cow::Borrowed(text);
        }
        if let Some(group) = template.as_group() {
            let Some((start, end)) = groups.get(group) else { return Cow::Borrowed("") };
            return match self.shared {
                Some(text) => Cow::Borrowed(&text[start..end]),
                None => Cow::Owned(self.text[start..end].to_owned()),
            };
        }
        let mut expanded = String::new();
        template.expand(self.text, groups, &mut expanded);
        Cow::Owned(expanded)
    }
}

impl Input {
    fn value<'l, 'a>(&self, labels: &'l LabelSet<'a>, joined: &'l mut String) -> Value<'l, 'a> {
        match self.labels.as_slice() {
            [] => Value::EMPTY,
            [label] => labels.held(label).map_or(Value::EMPTY, Value::of),
            [first, others @ ..] => {
                joined.clear();
                joined.push_str(labels.get(first));
                for label in others {
                    if joined.len() > MOST_EXPANDED {
                        break;
                    }
                    joined.push_str(&self.separator);
                    joined.push_str(labels.get(label));
                }
                Value { text: joined, shared: None }
            }
        }
    }
}

impl<'r, 'a> Run<'r, 'a> {
    pub(super) const fn labels(&self) -> &LabelSet<'a> {
        self.labels
    }

    pub(super) fn new(labels: &'r mut LabelSet<'a>, order_matters: bool) -> Self {
        Self { labels, set: order_matters.then(Vec::new), groups: Groups::default(), joined: String::new(), written: 0 }
    }

    /// Bytes that rules have written so far.
    pub(super) const fn written(&self) -> usize {
        self.written
    }

    /// Whether rules have written too much. Nobody can scrape so large a target, and there may be many of them.
    pub(super) const fn verdict(&self) -> Verdict {
        if self.written > MOST_WRITTEN { Verdict::TooLarge } else { Verdict::Kept }
    }

    /// This run, after other rules that have written so many bytes.
    pub(super) fn after(self, written: usize) -> Self {
        Self { written, ..self }
    }

    fn map(&mut self, input: &Input, map: impl FnOnce(&str) -> String) -> String {
        map(input.value(self.labels, &mut self.joined).text)
    }

    fn replacement(
        &mut self,
        input: &Input,
        regex: &GoRegex,
        target: &'a TargetLabel,
        replacement: &'a Template,
    ) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        let value = input.value(self.labels, &mut self.joined);
        match (target, replacement.as_text()) {
            (TargetLabel::Fixed(target), Some(text)) => {
                regex.is_match(value.text).then_some((Cow::Borrowed(target.as_str()), Cow::Borrowed(text)))
            }
            (target, _) => {
                if !regex.captures(value.text, &mut self.groups) {
                    return None;
                }
                let target = match target {
                    TargetLabel::Fixed(target) => Cow::Borrowed(target.as_str()),
                    TargetLabel::Made { name, names } => {
                        let name = value.expand(name, &self.groups);
                        is_valid_label_name(&name, *names).then_some(name)?
                    }
                };
                Some((target, value.expand(replacement, &self.groups)))
            }
        }
    }

    fn map_labels(&mut self, regex: &GoRegex, template: &'a Template) {
        let Self { labels, set, groups, .. } = self;
        let set_names = set.as_deref().unwrap_or_default();
        let came_in = labels.entries().filter(|(name, _)| !set_names.contains(name));
        let were_set = set_names.iter().filter_map(|name| labels.held(name).map(|value| (name, value)));
        let (mut mapped, mut price) = (Vec::new(), 0);
        for (name, value) in came_in.map(|(name, value)| (name, value)).chain(were_set) {
            if !regex.captures(name, groups) {
                continue;
            }
            let whole = groups.get(0) == Some((0, name.len()));
            let name = if whole {
                Value::of(name).expand(template, groups)
            } else {
                Cow::Owned(regex.replace_all(name, template, groups))
            };
            price += PRICE_OF_LABEL + name.len() + value.len();
            if price > MOST_WRITTEN {
                break;
            }
            mapped.push((name, value.clone()));
        }
        if price > MOST_WRITTEN {
            self.written += price;
            return;
        }
        for (name, value) in mapped {
            self.set(name, value);
        }
    }

    fn remove(&mut self, name: &str) {
        self.labels.remove(name);
        if let Some(set) = &mut self.set {
            set.retain(|other| other != name);
        }
    }

    fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.labels.retain(|name, _| keep(name));
        if let Some(set) = &mut self.set {
            set.retain(|name| self.labels.contains(name));
        }
    }

    fn set(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) {
        self.written += PRICE_OF_LABEL + name.len() + value.len();
        if let Some(set) = &mut self.set {
            if value.is_empty() {
                set.retain(|other| *other != name);
            } else if !set.contains(&name) {
                set.push(name.clone());
            }
        }
        self.labels.set(name, value);
    }
}
