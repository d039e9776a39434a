//! Traces the targets of one job from discovery through its rules to its collectors.
//!
//! Input: a planned job and the [`World`]. Output: a [`JobTrace`] with counts, or the [`TargetTrace`]s of chosen
//! targets.

use std::collections::{BTreeMap, BTreeSet};

use super::job_trace::{DiscoveryResult, DroppingRule, JobTrace, SkippedObject};
use super::pipelines;
use super::trace::{self, DiscoveredTarget, Fate, RuleOrigin, TargetTrace};
use super::{World, owner};
use crate::allocation::{Job, PlannedJob};
use crate::discovery::SourceAnswer;
use crate::discovery::{self, Group, LabelFilter, PassedOver, TargetGroup, static_groups};
use crate::labels::{ADDRESS, LabelSet, Layers};
use crate::objects::Metadata;
use crate::relabel::{RelabelConfig, Verdict};
use crate::targets::{Maker, RuleFilter, ServedLabels, Views, address_hash};

/// Maximum number of skipped objects that a trace names. They are usually skipped for one reason.
const MOST_NAMED: usize = 10;

/// Maximum number of examples for each dropping rule, and for kept targets. One rule usually treats all of them alike.
const MOST_EXAMPLES: usize = 3;

/// What the rules do to one target. Whether the target is merged with an equal one is decided later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RuleResult {
    /// Dropped by the rule at this position.
    Dropped(usize),
    /// Kept, with this identity.
    Kept(u64),
}

/// Traces the targets of one job.
pub(super) struct JobTracer<'a> {
    world: World<'a>,
    planned: &'a PlannedJob,
    job: Option<&'a Job>,
    maker: Maker<'a>,
    rules: Vec<(RuleOrigin, RelabelConfig)>,
}

/// A discovered target. Its labels are still in two layers: merging them copies, and most targets are only counted or
/// compared by address.
pub(super) struct VisitedTarget<'g, 'a> {
    /// The object, URL or config that the target comes from.
    pub(super) source: &'g str,
    labels: Layers<'g, 'a>,
    /// The position among the targets of the source, from 0.
    place: usize,
}

impl<'a> VisitedTarget<'_, 'a> {
    pub(super) fn get(&self, name: &str) -> &str {
        self.labels.get(name)
    }

    fn labels(&self) -> LabelSet<'a> {
        self.labels.under.merged(self.labels.over)
    }

    fn name(&self) -> DiscoveredTarget {
        DiscoveredTarget { source: self.source.to_owned(), place: self.place, address: self.get(ADDRESS).to_owned() }
    }
}

/// The group with its targets, or why it has none.
fn target_group<'a>(group: Result<Group<'a, '_>, PassedOver>) -> Result<TargetGroup<'a>, PassedOver> {
    let group = group?;
    let is_second_family = group.is_second_family();
    let group = group.target_group()?;
    if is_second_family {
        Err(PassedOver::SecondFamily)
    } else if group.targets.is_empty() {
        Err(PassedOver::NoTargets)
    } else {
        Ok(group)
    }
}

impl<'a> JobTracer<'a> {
    pub(super) fn new(world: World<'a>, planned: &'a PlannedJob) -> Self {
        Self {
            world,
            planned,
            job: world.allocation.job(&planned.scrape_config.job_name),
            maker: Maker::new(
                &planned.scrape_config,
                &planned.rules,
                RuleFilter::new(world.config.filter),
                ServedLabels::All,
                Views::default(),
            ),
            rules: trace::rules_of(planned),
        }
    }

    /// Counts all targets of the job and traces a few of each outcome. `cause` adds why there are none.
    pub(super) fn trace_job(&self) -> JobTrace {
        let mut found = 0;
        let mut dropped: BTreeMap<usize, usize> = BTreeMap::new();
        let mut equals: BTreeMap<u64, Vec<DiscoveredTarget>> = BTreeMap::new();
        let mut alike: BTreeMap<RuleResult, usize> = BTreeMap::new();
        let mut examples = Vec::new();
        let looked_at = self.visit_targets(
            |_| true,
            |target| {
                found += 1;
                let labels = target.labels();
                let class = match self.rule_result(&labels) {
                    RuleResult::Dropped(rule) => {
                        *dropped.entry(rule).or_default() += 1;
                        RuleResult::Dropped(rule)
                    }
                    RuleResult::Kept(identity) => {
                        equals.entry(identity).or_default().push(target.name());
                        RuleResult::Kept(0)
                    }
                };
                let count = alike.entry(class).or_default();
                *count += 1;
                if *count <= MOST_EXAMPLES {
                    examples.push(self.trace(target.name(), &labels));
                }
            },
        );
        let targets = self.job.map(Job::len).unwrap_or_default();
        let name = &self.planned.scrape_config.job_name;
        let mut collectors: BTreeMap<String, usize> = BTreeMap::new();
        let mut unassigned = 0;
        for position in 0..targets {
            let mut is_unassigned = true;
            for collector in self.world.allocation.owners(name, position) {
                *collectors.entry(collector.name.clone()).or_default() += 1;
                is_unassigned = false;
            }
            unassigned += usize::from(is_unassigned);
        }
        let dropped = dropped.into_iter().filter_map(|(position, targets)| {
            let (from, rule) = self.rules.get(position)?;
            Some(DroppingRule { from: from.clone(), rule: trace::describe(rule), targets })
        });
        JobTrace {
            job: name.clone(),
            endpoint: self.planned.endpoint,
            pipelines: pipelines::trace(self.world, self.planned),
            looked_at,
            found,
            dropped: dropped.collect(),
            merged: equals.values().map(|equals| equals.len() - 1).sum(),
            targets,
            unassigned,
            collectors,
            why: None,
            unknown: self.job.and_then(Job::unknown).map(str::to_owned),
            examples: self.with_fates(examples, &equals),
        }
    }

    /// Traces the targets that `choose` accepts.
    ///
    /// `pick` selects the objects to look at. Sources outside of the cluster are always looked at. The rules run only
    /// on the chosen targets and on targets that may equal them.
    pub(super) fn trace_targets(
        &self,
        pick: impl Fn(&Metadata) -> bool,
        mut choose: impl FnMut(&VisitedTarget<'_, '_>) -> bool,
    ) -> Vec<TargetTrace> {
        let mut traces = Vec::new();
        self.visit_targets(pick, |target| {
            if choose(target) {
                traces.push(self.trace(target.name(), &target.labels()));
            }
        });
        let kept: BTreeSet<_> = traces.iter().filter_map(|trace| trace.identity).collect();
        let equals = self.equals(&kept);
        self.with_fates(traces, &equals)
    }

    /// All discovered targets that have one of the `identities` after the rules, in the order of discovery.
    ///
    /// The allocation says which objects they come from, so other objects need not be read.
    fn equals(&self, identities: &BTreeSet<u64>) -> BTreeMap<u64, Vec<DiscoveredTarget>> {
        let (mut objects, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        let made = self.job.into_iter().flat_map(Job::made);
        for (object, target) in made.filter(|(_, target)| identities.contains(&target.identity)) {
            objects.extend(object.map(|key| (&*key.namespace, &*key.name)));
            addresses.insert(target.address);
        }
        let mut equals: BTreeMap<u64, Vec<DiscoveredTarget>> = BTreeMap::new();
        let pick = |metadata: &Metadata| objects.contains(&(metadata.namespace.as_str(), metadata.name.as_str()));
        self.visit_targets(pick, |target| {
            if !addresses.contains(&address_hash(target.get(ADDRESS))) {
                return;
            }
            if let RuleResult::Kept(identity) = self.rule_result(&target.labels())
                && identities.contains(&identity)
            {
                equals.entry(identity).or_default().push(target.name());
            }
        });
        equals
    }

    pub(super) const fn world(&self) -> World<'a> {
        self.world
    }

    pub(super) const fn planned(&self) -> &'a PlannedJob {
        self.planned
    }

    /// The rule at this position, and where it comes from.
    pub(super) fn rule(&self, position: usize) -> Option<&(RuleOrigin, RelabelConfig)> {
        self.rules.get(position)
    }

    /// The rule that drops a target: its position, and the values of the labels that it reads. `None` if no rule does.
    pub(super) fn dropping_rule(&self, target: &VisitedTarget<'_, '_>) -> Option<(usize, Vec<String>)> {
        let mut dropping = None;
        let labels = target.labels();
        let kept = self.maker.follow(&labels, |position, verdict, labels| {
            if verdict != Verdict::Kept {
                let names = self.rules.get(position).map(|(_, rule)| trace::names_read(rule));
                let values = names.into_iter().flatten().map(|name| labels.get(name).to_owned());
                dropping = Some((position, values.collect()));
            }
        });
        if kept.is_some() { None } else { dropping }
    }

    /// The objects that `pick` accepts and that gave no target, with the reason.
    pub(super) fn passed_over(&self, pick: impl Fn(&Metadata) -> bool) -> Vec<(&'a Metadata, PassedOver)> {
        let mut passed_over = Vec::new();
        for query in &self.planned.queries {
            let looked_at = query.looked_at(self.world.index(), &LabelFilter::ALL, &pick);
            passed_over
                .extend(looked_at.filter_map(|looked| Some((looked.metadata, target_group(looked.group).err()?))));
        }
        passed_over
    }

    /// Calls `visit` for each discovered target. `pick` selects the objects; all other sources are always visited.
    pub(super) fn visit_targets(
        &self,
        pick: impl Fn(&Metadata) -> bool,
        mut visit: impl FnMut(&VisitedTarget<'_, '_>),
    ) -> Vec<DiscoveryResult> {
        // The number of targets of each source so far: several queries can give targets of one object.
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut visit_all = |group: &TargetGroup<'_>, looked_at: &mut DiscoveryResult| {
            looked_at.targets += group.targets.len();
            let place = places.entry(group.source.clone()).or_default();
            for own in &group.targets {
                let labels = Layers { under: &group.labels, over: own };
                visit(&VisitedTarget { source: &group.source, labels, place: *place });
                *place += 1;
            }
        };
        let mut all_looked_at = Vec::new();
        for query in &self.planned.queries {
            let mut looked_at = DiscoveryResult { place: query.scope().to_string(), ..DiscoveryResult::default() };
            for discovery::LookedAt { metadata, group } in query.looked_at(self.world.index(), &LabelFilter::ALL, &pick)
            {
                looked_at.objects += 1;
                let reason = match target_group(group) {
                    Ok(group) => {
                        visit_all(&group, &mut looked_at);
                        continue;
                    }
                    Err(reason) => reason,
                };
                looked_at.passed_over += 1;
                if looked_at.passed_over_objects.len() < MOST_NAMED {
                    let object = if metadata.namespace.is_empty() {
                        metadata.name.clone()
                    } else {
                        format!("{}/{}", metadata.namespace, metadata.name)
                    };
                    looked_at.passed_over_objects.push(SkippedObject { object, reason: reason.to_string() });
                }
            }
            all_looked_at.push(looked_at);
        }
        let configs = &self.planned.scrape_config.service_discovery.r#static;
        if !configs.is_empty() {
            let mut looked_at = DiscoveryResult { place: "static_configs".to_owned(), ..DiscoveryResult::default() };
            for mut group in static_groups(configs) {
                group.source = format!("static_configs[{}]", group.source);
                looked_at.objects += 1;
                visit_all(&group, &mut looked_at);
            }
            all_looked_at.push(looked_at);
        }
        for source in &self.planned.sources {
            let mut looked_at = DiscoveryResult { place: source.request.to_string(), ..DiscoveryResult::default() };
            let groups = match self.world.external.answers.get(&source.key) {
                Some(SourceAnswer::Known(groups) | SourceAnswer::Kept(groups, _)) => &groups[..],
                Some(SourceAnswer::Unknown(_)) | None => &[],
            };
            for group in groups {
                looked_at.objects += 1;
                visit_all(&group.target_group(|_| true), &mut looked_at);
            }
            all_looked_at.push(looked_at);
        }
        all_looked_at
    }

    fn trace(&self, name: DiscoveredTarget, labels: &LabelSet<'_>) -> TargetTrace {
        trace::follow(self.planned, &self.maker, &self.rules, name, labels)
    }

    /// Runs the rules on one target without recording their effects.
    fn rule_result(&self, discovered: &LabelSet<'_>) -> RuleResult {
        let mut last = 0;
        let kept = self.maker.follow(discovered, |position, verdict, _| {
            if verdict != Verdict::Kept {
                last = position;
            }
        });
        kept.map_or(RuleResult::Dropped(last), |kept| RuleResult::Kept(kept.identity))
    }

    /// Whether the target has such an address or instance after the rules.
    pub(super) fn relabels_to(&self, discovered: &VisitedTarget<'_, '_>, is_address: impl Fn(&str) -> bool) -> bool {
        let labels = discovered.labels();
        let relabelled = self.maker.follow(&labels, |_, _, _| {});
        relabelled.is_some_and(|target| [ADDRESS, "instance"].iter().any(|name| is_address(target.labels.get(name))))
    }

    /// Replaces the provisional fate of each target that no rule dropped.
    fn with_fates(
        &self,
        mut traces: Vec<TargetTrace>,
        equals: &BTreeMap<u64, Vec<DiscoveredTarget>>,
    ) -> Vec<TargetTrace> {
        let wanted: BTreeSet<_> = traces.iter().filter_map(|trace| trace.identity).collect();
        let targets = self.job.into_iter().flat_map(Job::targets).map(|(_, target)| target.identity).zip(0..);
        let positions: BTreeMap<u64, usize> = targets.filter(|(identity, _)| wanted.contains(identity)).collect();
        for trace in &mut traces {
            if let Some(identity) = trace.identity {
                let (source, address) = (trace.source.clone(), trace.address.clone());
                let name = DiscoveredTarget { source, place: trace.place, address };
                trace.fate = self.fate(&name, equals.get(&identity), positions.get(&identity).copied());
            }
        }
        traces
    }

    fn fate(&self, name: &DiscoveredTarget, equals: Option<&Vec<DiscoveredTarget>>, position: Option<usize>) -> Fate {
        let (Some(job), Some(position)) = (self.job, position) else {
            let reason = self.job.and_then(Job::unknown).map(str::to_owned);
            let reason = reason.unwrap_or_else(|| "the job is not served".to_owned());
            return Fate::Unassigned { reason, merged: Vec::new() };
        };
        // Of equal targets, the allocation serves the last discovered one.
        let (last, earlier) = equals.and_then(|equals| equals.split_last()).unwrap_or((name, &[]));
        if last != name {
            return Fate::Merged { into: last.clone() };
        }
        let merged = earlier.to_vec();
        let by = owner::owners(self.world, job, position, &name.address);
        if by.is_empty() {
            let reason = owner::why_unassigned(self.world, job.target(position).1);
            return Fate::Unassigned { reason, merged };
        }
        Fate::Served { by, merged }
    }
}
