//! Makes a target from its labels: relabels, hashes and renders it.
//!
//! Input: the labels that the targets of a part share, and the own labels of each target. Output: targets. The hash and
//! the text of the shared labels are computed once, and rules that read only shared labels are applied once.

use std::ops::Range;

use super::group::GroupBuilder;
use super::identity::{LabelHasher, address_hash};
use super::inputs::{Applied, Inputs, is_expressible, is_read_after_relabelling};
use super::location::Locations;
use super::{RESOURCE_LABELS, RuleFilter, Target, TooLarge, render};
use crate::discovery::differs_between_targets;
use crate::labels::{ADDRESS, LabelSet, Layers};
use crate::relabel::{Residual, Stages};

/// A part of a group: the labels that its targets share, and all results that depend only on them.
pub(super) struct Part<'l> {
    inputs: &'l Inputs<'l>,
    labels: &'l LabelSet<'l>,
    hash: u64,
    rules: PartRules<'l>,
    /// The text of the shared labels, after the first target has written it.
    tail: Option<Range<u32>>,
}

/// The rules that remain for the targets of a part.
enum PartRules<'l> {
    /// No view needs the relabelled labels.
    Unused,
    /// The rules drop all targets of the part.
    Dropped,
    /// All rules are applied to each target.
    All,
    /// The rules that read only shared labels have been applied. The residual rules remain.
    Specialised { labels: LabelSet<'l>, stages: &'l Stages, residual: Residual },
}

impl<'l> Part<'l> {
    /// A part in which no own label of a target has the name of a shared label. Kubernetes discovery makes such parts.
    pub(super) fn specialised(
        inputs: &'l Inputs<'l>,
        stages: &'l Stages,
        labels: &'l LabelSet<'l>,
        hasher: &mut LabelHasher,
    ) -> Self {
        let rules = if inputs.relabels() { specialise(inputs, stages, labels) } else { PartRules::Unused };
        Self { inputs, labels, hash: hasher.source(0, labels.iter()), rules, tail: None }
    }

    /// A part in which own labels of a target can replace shared labels. Static configs and external sources can have
    /// such targets.
    pub(super) fn of_any_labels(inputs: &'l Inputs<'l>, labels: &'l LabelSet<'l>) -> Self {
        let rules = if inputs.relabels() { PartRules::All } else { PartRules::Unused };
        Self { inputs, labels, hash: 0, rules, tail: None }
    }

    /// Whether targets of the part must be made.
    pub(super) fn is_kept(&self) -> bool {
        self.inputs.filter == RuleFilter::Off || !matches!(self.rules, PartRules::Dropped)
    }

    /// Adds a target with its own labels, unless the rules drop it.
    pub(super) fn add(
        &mut self,
        own: &LabelSet<'_>,
        locations: &mut Locations,
        group: &mut GroupBuilder<'_>,
    ) -> Result<(), TooLarge> {
        let source_hash = group.hasher.source(self.hash, own.iter());
        if !group.take_over(source_hash, &mut self.tail) {
            self.make(own, source_hash, locations, group);
        }
        group.check()
    }

    fn make(&mut self, own: &LabelSet<'_>, source_hash: u64, locations: &mut Locations, group: &mut GroupBuilder<'_>) {
        let Self { inputs, labels: shared, rules, tail, .. } = self;
        let whole;
        let applied = match rules {
            PartRules::Unused | PartRules::Dropped => Applied::Nothing,
            PartRules::All => {
                whole = shared.merged(own);
                inputs.relabel(&whole, |_, _, _| {})
            }
            PartRules::Specialised { labels, stages, residual } => {
                let mut labels = labels.overlaid(own);
                Applied::new(inputs.rules.finish(stages, *residual, &mut labels), labels)
            }
        };
        if matches!(applied, Applied::TooLarge) {
            // A collector could still keep the target, so the merged view cannot serve the group.
            group.too_large += 1;
        }
        let labels = Layers { under: shared, over: own };
        let Some(identity) = identity(inputs, labels, &applied, &mut group.hasher) else { return };
        let [own, shared, tail] =
            if inputs.views.plain { write_plain(inputs, labels, tail, group) } else { [0..0, 0..0, 0..0] };
        let merged = match &applied {
            Applied::Labels(relabelled) if inputs.views.merged && !is_expressible(relabelled) => {
                group.inexpressible += 1;
                0..0
            }
            Applied::Labels(relabelled) if inputs.views.merged => {
                group.text.write(|text| write_merged(inputs, labels, relabelled, text))
            }
            _ => 0..0,
        };
        group.push(Target {
            identity,
            address: address_hash(labels.get(ADDRESS)),
            node: locations.node(labels),
            zone: locations.zone(labels),
            source_hash,
            own,
            shared,
            tail,
            merged,
        });
    }
}

/// The identity of a target. `None` if the rules drop the target.
fn identity(
    inputs: &Inputs<'_>,
    labels: Layers<'_, '_>,
    applied: &Applied<'_>,
    hasher: &mut LabelHasher,
) -> Option<u64> {
    match (inputs.filter, applied) {
        (RuleFilter::Off, _) => Some(hasher.identity(labels.iter(), inputs.job_name)),
        (RuleFilter::On, Applied::Labels(relabelled)) => Some(hasher.identity(relabelled.iter(), inputs.job_name)),
        (RuleFilter::On, Applied::Nothing | Applied::TooLarge) => None,
    }
}

/// Writes the labels as discovered. Returns the ranges of the three pieces: own labels, shared labels, and the end.
fn write_plain(
    inputs: &Inputs<'_>,
    labels: Layers<'_, '_>,
    tail: &mut Option<Range<u32>>,
    group: &mut GroupBuilder<'_>,
) -> [Range<u32>; 3] {
    let is_served = |(name, _): &(&str, &str)| !inputs.hidden.contains(name);
    if !labels.over.contains(ADDRESS) || labels.overlap() {
        return [group.text.write(|text| render::target(labels.iter().filter(is_served), text)), 0..0, 0..0];
    }
    let (under, over) = (labels.under.iter().filter(is_served), labels.over.iter().filter(is_served));
    let tail = group.tail(tail, |text| render::end(under, text));
    let alike = over.clone().filter(|(name, _)| !differs_between_targets(name));
    let shared = group.text.write_shared(|text| render::more(alike, text));
    let own = over.filter(|(name, _)| differs_between_targets(name));
    let own = group.text.write(|text| render::beginning(own, text));
    [own, shared, tail]
}

/// Applies the rules that read only shared labels.
fn specialise<'l>(inputs: &'l Inputs<'l>, stages: &'l Stages, labels: &'l LabelSet<'l>) -> PartRules<'l> {
    let mut labels = inputs.seeds.overlaid(labels);
    match inputs.rules.specialise(stages, &mut labels) {
        Some(residual) => PartRules::Specialised { labels, stages, residual },
        None => PartRules::Dropped,
    }
}

/// Writes the relabelled labels that a collector needs: to scrape the target, to name its series, and for resource
/// attributes. Writes nothing for a target without an address, because a collector drops it.
fn write_merged(inputs: &Inputs<'_>, labels: Layers<'_, '_>, relabelled: &LabelSet<'_>, out: &mut String) {
    if relabelled.get(ADDRESS).is_empty() {
        return;
    }
    let mut read: LabelSet<'_> = relabelled.iter().filter(|(name, _)| is_read_after_relabelling(name)).collect();
    for (name, value) in inputs.parameters() {
        if !read.contains(name) {
            read.set(name, value);
        }
    }
    for name in RESOURCE_LABELS {
        read.set(name, labels.get(name));
    }
    render::target(read.iter(), out);
}
