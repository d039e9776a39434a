//! Makes the targets of a job from its label sets.
//!
//! Input: the groups of discovery, one after the other. Output: the targets that the rules keep. This file loops over
//! the targets of a group. `part` relabels and renders each target.

use super::group::{GroupBuilder, GroupTargets};
use super::identity::LabelHasher;
use super::inputs::Inputs;
use super::location::Locations;
use super::part::Part;
use super::{RuleFilter, ServedLabels, TooLarge, Views};
use crate::discovery::Group;
use crate::labels::LabelSet;
use crate::relabel::{Rules, Stages, Verdict};
use crate::scrape_config::ScrapeConfig;

/// Makes the targets of a job.
#[derive(Debug)]
pub struct Maker<'a> {
    inputs: Inputs<'a>,
    /// Maximum size of the targets of a group, in bytes.
    limit: usize,
}

/// A relabelled target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relabelled<'l> {
    /// The labels that identify the target.
    pub labels: LabelSet<'l>,
    /// Hash of the labels and the job. Targets with equal identities are one target.
    pub identity: u64,
}

impl<'a> Maker<'a> {
    /// A maker for the job of `scrape_config`, with its compiled rules.
    #[must_use]
    pub fn new(
        scrape_config: &'a ScrapeConfig,
        rules: &'a Rules,
        filter: RuleFilter,
        served: ServedLabels,
        views: Views,
    ) -> Self {
        Self { inputs: Inputs::new(scrape_config, rules, filter, served, views), limit: usize::MAX }
    }

    /// This maker with a limit on the size of the targets of a group, in bytes.
    #[must_use]
    pub fn within(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Whether discovery must make the label with this name.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.inputs.wants(name)
    }

    /// Makes one target for each label set of `own`. Each target also has the labels of `shared`. A label of `own`
    /// replaces a shared label with the same name.
    ///
    /// # Errors
    /// The targets exceed the limit.
    pub fn make<'l>(
        &self,
        shared: &LabelSet<'l>,
        own: impl IntoIterator<Item = LabelSet<'l>>,
        locations: &mut Locations,
    ) -> Result<GroupTargets, TooLarge> {
        let mut group = GroupBuilder::new(None, self.limit);
        let mut part = Part::of_any_labels(&self.inputs, shared);
        for own in own {
            part.add(&own, locations, &mut group)?;
        }
        Ok(group.finish())
    }

    /// Makes the targets of a group of discovery. `stages` are the rules, divided for the query of the group. Targets
    /// of `before` are reused if their labels did not change. The same maker must have made them from the same object.
    ///
    /// # Errors
    /// There are too many targets, or they exceed the limit.
    pub fn make_group(
        &self,
        stages: &Stages,
        group: &Group<'_, '_>,
        before: Option<&GroupTargets>,
        locations: &mut Locations,
    ) -> Result<GroupTargets, TooLarge> {
        let mut made = GroupBuilder::new(before, self.limit);
        let labels: Vec<LabelSet<'_>> = group.parts().iter().map(|part| group.labels().merged(part)).collect();
        let mut parts: Vec<Part<'_>> = Vec::with_capacity(labels.len());
        for labels in &labels {
            parts.push(Part::specialised(&self.inputs, stages, labels, &mut made.hasher));
        }
        let kept: Vec<usize> = (0..parts.len()).filter(|part| parts[*part].is_kept()).collect();
        for target in group.targets_of_parts(&kept)? {
            parts[target.part].add(&target.labels, locations, &mut made)?;
        }
        Ok(made.finish())
    }

    /// Relabels one target. Calls `watch` after each rule with the position of the rule, its verdict and the labels.
    /// Returns `None` if a rule drops the target.
    pub fn follow<'l>(
        &'l self,
        labels: &'l LabelSet<'_>,
        watch: impl FnMut(usize, Verdict, &LabelSet<'l>),
    ) -> Option<Relabelled<'l>> {
        let labels = match self.inputs.filter {
            RuleFilter::On => self.inputs.relabel(labels, watch).labels()?,
            RuleFilter::Off => labels.iter().collect(),
        };
        let identity = LabelHasher::default().identity(labels.iter(), self.inputs.job_name);
        Some(Relabelled { labels, identity })
    }
}
