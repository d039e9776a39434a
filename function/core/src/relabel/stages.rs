//! The rules of a job, divided by what they read: labels of a group, of a part, or of one target.
//!
//! Input: compiled rules, and the level of each label. Output: the rules that run once for a group, once for a part,
//! and once for each target. The rules of a job are divided once and applied many times.

use super::Rules;
use super::rule::Effect;
use super::run::{MOST_WRITTEN, Run, Verdict};
use crate::labels::{LabelSet, Level};

/// The rules of a job, divided for one of its service discoveries. Made by [`Rules::stages`].
#[derive(Debug, Clone, Default)]
pub struct Stages {
    /// The positions of rules that keep or drop a whole group. They read only labels of the group that no earlier rule
    /// can change.
    prefilter: Vec<usize>,
    /// The positions of rules that have the same effect on all targets of a part.
    of_part: Vec<usize>,
    /// The positions of all other rules. They are applied to each target.
    residual: Vec<usize>,
}

/// The rules that remain for the targets of one part. Made by [`Rules::specialise`].
#[derive(Debug, Clone, Copy)]
pub struct Residual {
    /// Only rules before this position remain.
    end: usize,
    /// The number of bytes that the rules of the part have written.
    written: usize,
}

/// Divides the rules of a job into stages, in the order of the rules.
struct Divider<'r, F> {
    level: F,
    stages: Stages,
    /// Labels that an earlier rule can change.
    changed: Vec<&'r str>,
    /// Labels that a residual rule can set, so that their value can differ from target to target.
    varying: Vec<&'r str>,
    /// Labels that a residual rule reads. Rules of the part must not change them.
    awaited: Vec<&'r str>,
}

impl Rules {
    /// Divides the rules. `level` returns the level at which service discovery sets a label, or `None` for a label that
    /// service discovery never sets.
    #[must_use]
    pub fn stages(&self, level: impl Fn(&str) -> Option<Level>) -> Stages {
        let mut divider =
            Divider { level, stages: Stages::default(), changed: Vec::new(), varying: Vec::new(), awaited: Vec::new() };
        divider.find_prefilter(self);
        if self.order_matters {
            divider.stages.residual = (0..self.rules.len()).collect();
        } else {
            divider.divide(self);
        }
        divider.stages
    }

    /// Whether the prefilter keeps a group with these labels. A kept group can still lose all its targets.
    #[must_use]
    pub fn keep_group(&self, stages: &Stages, labels: &LabelSet<'_>) -> bool {
        let mut joined = String::new();
        let mut rules = stages.prefilter.iter().filter_map(|position| self.rules.get(*position));
        rules.all(|rule| rule.decide(labels, &mut joined) != Verdict::Dropped)
    }

    /// Applies the rules of a part to the labels that all targets of the part share. Returns the rules that remain, or
    /// `None` if the rules drop all targets of the part.
    ///
    /// To finish a target, add its own labels to `labels` and call [`Rules::finish`]. The result equals that of
    /// [`Rules::apply`] for all labels of the target.
    pub fn specialise<'a>(&'a self, stages: &Stages, labels: &mut LabelSet<'a>) -> Option<Residual> {
        if stages.of_part.is_empty() {
            return Some(Residual { end: self.rules.len(), written: 0 });
        }
        labels.retain(|_, value| !value.is_empty());
        let mut run = Run::new(labels, false);
        for position in &stages.of_part {
            match self.rules.get(*position).map(|rule| rule.apply(&mut run)) {
                Some(Verdict::Dropped) => return None,
                // An earlier residual rule can still drop the target.
                Some(Verdict::TooLarge) => return Some(Residual { end: *position, written: MOST_WRITTEN + 1 }),
                Some(Verdict::Kept) | None => {}
            }
        }
        Some(Residual { end: self.rules.len(), written: run.written() })
    }

    /// Applies the rules that remain after [`Rules::specialise`] to all labels of one target.
    pub fn finish<'a>(&'a self, stages: &Stages, residual: Residual, labels: &mut LabelSet<'a>) -> Verdict {
        labels.retain(|_, value| !value.is_empty());
        let mut run = Run::new(labels, self.order_matters).after(residual.written);
        let positions = stages.residual.iter().take_while(|position| **position < residual.end);
        let rules = positions.filter_map(|position| self.rules.get(*position));
        match super::until_not_kept(rules.map(|rule| rule.apply(&mut run))) {
            Verdict::Kept => run.verdict(),
            other => other,
        }
    }
}

impl<'r, F: Fn(&str) -> Option<Level>> Divider<'r, F> {
    fn find_prefilter(&mut self, rules: &'r Rules) {
        for (position, rule) in rules.rules.iter().enumerate() {
            let decides = |name: &str| (self.level)(name) == Some(Level::Group) && !self.changed.contains(&name);
            match rule.effect() {
                Effect::Decides if rule.reads().all(&decides) => self.stages.prefilter.push(position),
                Effect::Decides => {}
                Effect::Sets(name) => self.changed.push(name),
                Effect::Removes(names) => self.changed.extend(names.iter().map(String::as_str)),
                Effect::Changes => break,
            }
        }
    }

    fn divide(&mut self, rules: &'r Rules) {
        for (position, rule) in rules.rules.iter().enumerate() {
            let is_shared = match rule.effect() {
                Effect::Decides => true,
                Effect::Sets(name) => self.is_free(name),
                Effect::Removes(names) => names.iter().all(|name| self.is_free(name)),
                // This rule can change any label. All later rules are therefore residual.
                Effect::Changes => {
                    self.stages.residual.extend(position..rules.rules.len());
                    return;
                }
            };
            if is_shared && rule.reads().all(|name| self.is_known(name)) {
                self.stages.of_part.push(position);
                continue;
            }
            self.stages.residual.push(position);
            self.awaited.extend(rule.reads());
            match rule.effect() {
                Effect::Sets(name) => self.varying.push(name),
                Effect::Removes(names) => self.varying.extend(names.iter().map(String::as_str)),
                Effect::Decides | Effect::Changes => {}
            }
        }
    }

    /// Whether the label has the same value in all targets of a part.
    fn is_known(&self, name: &str) -> bool {
        (self.level)(name) != Some(Level::Target) && !self.varying.contains(&name)
    }

    /// Whether a rule of the part may change the label. A residual rule must not read it earlier.
    fn is_free(&self, name: &str) -> bool {
        self.is_known(name) && !self.awaited.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::NameValidation;
    use crate::regex::RegexCache;
    use crate::relabel::RelabelConfig;

    /// Labels that begin with `g` belong to groups, those with `p` to parts, those with `t` to targets.
    fn level(name: &str) -> Option<Level> {
        match name.as_bytes().first() {
            Some(b'g') => Some(Level::Group),
            Some(b'p') => Some(Level::Part),
            Some(b't') => Some(Level::Target),
            _ => None,
        }
    }

    /// Rules, and the positions that each stage must have.
    type Case = (&'static str, &'static [usize], &'static [usize], &'static [usize]);

    #[test]
    fn each_rule_runs_at_the_earliest_stage_that_knows_all_its_labels() {
        let cases: [Case; 9] = [
            ("[{action: keep, source_labels: [g]}]", &[0], &[0], &[]),
            ("[{action: keep, source_labels: [g, p]}]", &[], &[0], &[]),
            ("[{action: keep, source_labels: [g, t]}]", &[], &[], &[0]),
            // The group does not have labels that rules set or that Prometheus sets, so its prefilter cannot read them.
            ("[{action: keep, source_labels: [job]}]", &[], &[0], &[]),
            ("[{source_labels: [p], target_label: g}, {action: keep, source_labels: [g]}]", &[], &[0, 1], &[]),
            // A label that a target's own rule sets differs from target to target.
            ("[{source_labels: [t], target_label: a}, {action: keep, source_labels: [a]}]", &[], &[], &[0, 1]),
            // The first rule must read the label before the second one changes it.
            ("[{source_labels: [t, a], target_label: b}, {target_label: a}]", &[], &[], &[0, 1]),
            // A rule that can change any label ends the stages of group and part.
            ("[{action: labelkeep, regex: x}, {action: keep, source_labels: [g]}]", &[], &[], &[0, 1]),
            ("[{target_label: a}, {action: labelmap, regex: x}]", &[], &[], &[0, 1]),
        ];
        for (yaml, prefilter, of_part, residual) in cases {
            let configs: Vec<RelabelConfig> = serde_norway::from_str(yaml).unwrap();
            let stages = Rules::compile(&configs, NameValidation::Utf8, &RegexCache::default()).unwrap().stages(level);
            assert_eq!(stages.prefilter, prefilter, "{yaml}");
            assert_eq!(stages.of_part, of_part, "{yaml}");
            assert_eq!(stages.residual, residual, "{yaml}");
        }
    }
}
