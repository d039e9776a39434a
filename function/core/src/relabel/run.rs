//! The labels of one target while rules are applied.
//!
//! Input: the labels before the rules, and what each rule reads and writes. Output: the labels after the rules. The
//! labels behave like `labels.Builder` of Prometheus, down to the order in which `labelmap` visits them: first the
//! labels that the target had before the rules, by name, then the labels that rules have set, in the order in which
//! they were set.

use std::borrow::Cow;

use crate::labels::{LabelSet, NameValidation, is_valid_label_name};
use crate::regex::{GoRegex, Groups, MOST_EXPANDED, Template};

/// Maximum number of bytes that the rules of a job may write to one target. Each rule can double a label, so 40 rules
/// could fill the memory.
pub const MOST_WRITTEN: usize = 1 << 20;

/// Number of bytes that a written label counts in addition to its text. A rule can write a thousand short labels.
const PRICE_OF_LABEL: usize = 256;

/// The decision of a rule about a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The rule keeps the target. The next rule runs.
    Kept,
    /// The rule drops the target.
    Dropped,
    /// The rules so far wrote more than [`MOST_WRITTEN`] bytes to the target. No further rule runs.
    TooLarge,
}

/// The input of a rule: the values of some labels, joined by a separator.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) labels: Vec<String>,
    pub(super) separator: String,
}

/// The name of the label that a rule writes.
#[derive(Debug, Clone)]
pub(super) enum TargetLabel {
    Fixed(String),
    /// The name contains groups of the regular expression, so it differs from target to target.
    Expanded {
        name: Template,
        names: NameValidation,
    },
}

/// The labels of one target while rules are applied, with buffers that all rules share.
pub(super) struct Run<'r, 'a> {
    pub(super) labels: &'r mut LabelSet<'a>,
    /// The labels that rules have set, in the order in which they were set. `None` if no rule depends on the order.
    set: Option<Vec<Cow<'a, str>>>,
    groups: Groups,
    /// The last joined input.
    pub(super) joined: String,
    /// The number of bytes that rules have written. Each label counts [`PRICE_OF_LABEL`] in addition to its text.
    written: usize,
}

/// A text. `shared` is the same text with the longer lifetime of the discovered objects, if the text borrows from them.
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

    /// Fills the groups of a match in this text into a template. A part of this text is borrowed, not copied.
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
    /// The joined values.
    pub(super) fn text<'l>(&self, labels: &'l LabelSet<'_>, joined: &'l mut String) -> &'l str {
        self.value(labels, joined).text
    }

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

    /// The number of bytes that rules have written so far.
    pub(super) const fn written(&self) -> usize {
        self.written
    }

    /// [`Verdict::TooLarge`] if rules have written too much. Many large targets would fill the memory.
    pub(super) const fn verdict(&self) -> Verdict {
        if self.written > MOST_WRITTEN { Verdict::TooLarge } else { Verdict::Kept }
    }

    /// The verdict after a rule that changes labels.
    pub(super) fn verdict_after_change(&mut self) -> Verdict {
        if self.joined.len() > MOST_EXPANDED {
            self.written = MOST_WRITTEN + 1;
        }
        self.verdict()
    }

    /// A run that continues after other rules, which have written this number of bytes.
    pub(super) fn after(self, written: usize) -> Self {
        Self { written, ..self }
    }

    /// Converts the joined input.
    pub(super) fn map(&mut self, input: &Input, map: impl FnOnce(&str) -> String) -> String {
        map(input.text(self.labels, &mut self.joined))
    }

    /// The name and the value that a rule `replace` sets. `None` if the regular expression does not match.
    pub(super) fn replacement(
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
                    TargetLabel::Expanded { name, names } => {
                        let name = value.expand(name, &self.groups);
                        is_valid_label_name(&name, *names).then_some(name)?
                    }
                };
                Some((target, value.expand(replacement, &self.groups)))
            }
        }
    }

    /// Copies each label whose name matches to the label that the template names (`labelmap`).
    pub(super) fn map_labels(&mut self, regex: &GoRegex, template: &'a Template) {
        let Self { labels, set, groups, .. } = self;
        let set_names = set.as_deref().unwrap_or_default();
        let initial = labels.entries().filter(|(name, _)| !set_names.contains(name));
        let were_set = set_names.iter().filter_map(|name| labels.held(name).map(|value| (name, value)));
        let (mut mapped, mut price) = (Vec::new(), 0);
        for (name, value) in initial.map(|(name, value)| (name, value)).chain(were_set) {
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

    pub(super) fn remove(&mut self, name: &str) {
        self.labels.remove(name);
        if let Some(set) = &mut self.set {
            set.retain(|other| other != name);
        }
    }

    /// Removes each label whose name `keep` does not accept.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.labels.retain(|name, _| keep(name));
        if let Some(set) = &mut self.set {
            set.retain(|name| self.labels.contains(name));
        }
    }

    /// Sets a label. An empty value removes it.
    pub(super) fn set(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) {
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
