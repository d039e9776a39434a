//! A job: what it looked at, what it found, and what became of that.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::trace::{self, Fate, Name, Origin, TargetTrace};
use super::{World, owner};
use crate::allocation::{Job, PlannedJob};
use crate::discovery::external::Answer;
use crate::discovery::{self, Group, LabelFilter, PassedOver, TargetGroup, static_groups};
use crate::labels::{ADDRESS, LabelSet, Layers};
use crate::objects::Metadata;
use crate::relabel::{RelabelConfig, Verdict};
use crate::targets::{Maker, RuleFilter, ServedLabels, Views, address_hash};

/// Most objects that are named as passed over.
const MOST_NAMED: usize = 10;

/// Most targets of one fate that are followed rule by rule.
const MOST_ALIKE: usize = 3;

/// What became of the targets of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobTrace {
    /// Its name.
    pub job: String,
    /// Which endpoint of the monitor it is, if it can have several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<usize>,
    /// Where it looked for targets.
    pub looked_at: Vec<LookedAt>,
    /// How many targets it found.
    pub found: usize,
    /// The rules that dropped some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<DroppedBy>,
    /// How many equal another after the rules.
    pub merged: usize,
    /// How many are left.
    pub targets: usize,
    /// How many of them nobody has.
    pub unassigned: usize,
    /// How many of them each collector has.
    pub collectors: BTreeMap<String, usize>,
    /// Why its targets are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// Some of what it found, rule by rule: a few of each fate.
    pub examples: Vec<TargetTrace>,
}

/// A place where a job looked for targets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LookedAt {
    /// Which.
    pub place: String,
    /// How many objects, or groups of targets, there are.
    pub objects: usize,
    /// How many targets they gave.
    pub targets: usize,
    /// How many objects gave none.
    pub passed_over: usize,
    /// The first of those, with the reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over_objects: Vec<PassedOverObject>,
}

/// An object that gave no targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct PassedOverObject {
    pub object: String,
    pub reason: String,
}

/// A rule that dropped targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct DroppedBy {
    pub from: Origin,
    pub rule: String,
    pub targets: usize,
}

/// What became of one target, before its equals are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    /// The position of the rule that dropped it.
    Dropped(usize),
    /// Its identity.
    Kept(u64),
}

/// A job that can be walked through.
pub(super) struct Walker<'a> {
    world: World<'a>,
    planned: &'a PlannedJob,
    job: Option<&'a Job>,
    maker: Maker<'a>,
    rules: Vec<(Origin, RelabelConfig)>,
}

/// A target as it was found, before its labels are put together.
pub(super) struct Discovered<'g, 'a> {
    /// What it was found by.
    pub(super) source: &'g str,
    labels: Layers<'g, 'a>,
    /// Which of the targets of its source it is.
    place: usize,
}

impl<'a> Discovered<'_, 'a> {
    pub(super) fn get(&self, name: &str) -> &str {
        self.labels.get(name)
    }

    fn labels(&self) -> LabelSet<'a> {
        self.labels.under.merged(self.labels.over)
    }

    fn name(&self) -> Name {
        Name { source: self.source.to_owned(), place: self.place, address: self.get(ADDRESS).to_owned() }
    }
}

impl<'a> Walker<'a> {
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

    /// Walks through all that the job finds and follows a few targets of each fate.
    pub(super) fn all(&self) -> JobTrace {
        let mut found = 0;
        let mut dropped: BTreeMap<usize, usize> = BTreeMap::new();
        let mut equals: BTreeMap<u64, Vec<Name>> = BTreeMap::new();
        let mut alike: BTreeMap<Found, usize> = BTreeMap::new();
        let mut examples = Vec::new();
        let looked_at = self.walk(
            |_| true,
            |target| {
                found += 1;
                let labels = target.labels();
                let class = match self.found(&labels) {
                    Found::Dropped(rule) => {
                        *dropped.entry(rule).or_default() += 1;
                        Found::Dropped(rule)
                    }
                    Found::Kept(identity) => {
                        equals.entry(identity).or_default().push(target.name());
                        Found::Kept(0)
                    }
                };
                let count = alike.entry(class).or_default();
                *count += 1;
                if *count <= MOST_ALIKE {
                    examples.push(self.follow(target.name(), &labels));
                }
            },
        );
        let targets = self.job.map(Job::len).unwrap_or_default();
        let name = &self.planned.scrape_config.job_name;
        let mut collectors: BTreeMap<String, usize> = BTreeMap::new();
        let mut unassigned = 0;
        for position in 0..targets {
            let mut nobody = true;
            for collector in self.world.allocation.owners(name, position) {
                *collectors.entry(collector.name.clone()).or_default() += 1;
                nobody = false;
            }
            unassigned += usize::from(nobody);
        }
        let dropped = dropped.into_iter().filter_map(|(position, targets)| {
            let (from, rule) = self.rules.get(position)?;
            Some(DroppedBy { from: from.clone(), rule: trace::describe(rule), targets })
        });
        JobTrace {
            job: name.clone(),
            endpoint: self.planned.endpoint,
            looked_at,
            found,
            dropped: dropped.collect(),
            merged: equals.values().map(|equals| equals.len() - 1).sum(),
            targets,
            unassigned,
            collectors,
            unknown: self.job.and_then(Job::unknown).map(str::to_owned),
            examples: self.with_fates(examples, &equals),
        }
    }

    /// Follows the targets that `choose` approves of, of those that objects that `pick` approves of, and
    /// sources outside of the cluster, give. The rules run on no others but those that may equal them.
    pub(super) fn some(
        &self,
        pick: impl Fn(&Metadata) -> bool,
        mut choose: impl FnMut(&Discovered<'_, '_>) -> bool,
    ) -> Vec<TargetTrace> {
        let mut traces = Vec::new();
        self.walk(pick, |target| {
            if choose(target) {
                traces.push(self.follow(target.name(), &target.labels()));
            }
        });
        let kept: BTreeSet<_> = traces.iter().filter_map(|trace| trace.identity).collect();
        let equals = self.equals(&kept);
        self.with_fates(traces, &equals)
    }

    /// All that became those targets, in the order of discovery. The allocation knows in which objects they are.
    fn equals(&self, identities: &BTreeSet<u64>) -> BTreeMap<u64, Vec<Name>> {
        let (mut objects, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        let made = self.job.into_iter().flat_map(Job::made);
        for (object, target) in made.filter(|(_, target)| identities.contains(&target.identity)) {
            objects.extend(object.map(|key| (&*key.namespace, &*key.name)));
            addresses.insert(target.address);
        }
        let mut equals: BTreeMap<u64, Vec<Name>> = BTreeMap::new();
        let pick = |metadata: &Metadata| objects.contains(&(metadata.namespace.as_str(), metadata.name.as_str()));
        self.walk(pick, |target| {
            if !addresses.contains(&address_hash(target.get(ADDRESS))) {
                return;
            }
            if let Found::Kept(identity) = self.found(&target.labels())
                && identities.contains(&identity)
            {
                equals.entry(identity).or_default().push(target.name());
            }
        });
        equals
    }

    /// Shows `visit` the targets that objects that `pick` approves of give, and those of all other sources.
    fn walk(&self, pick: impl Fn(&Metadata) -> bool, mut visit: impl FnMut(&Discovered<'_, '_>)) -> Vec<LookedAt> {
        // How many targets each source gave so far.
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut visit_all = |group: &TargetGroup<'_>, looked_at: &mut LookedAt| {
            looked_at.targets += group.targets.len();
            let place = places.entry(group.source.clone()).or_default();
            for own in &group.targets {
                let labels = Layers { under: &group.labels, over: own };
                visit(&Discovered { source: &group.source, labels, place: *place });
                *place += 1;
            }
        };
        let mut all_looked_at = Vec::new();
        for query in &self.planned.queries {
            let mut looked_at = LookedAt { place: query.scope().to_string(), ..LookedAt::default() };
            for discovery::LookedAt { metadata, group } in query.looked_at(self.world.index(), &LabelFilter::ALL, &pick)
            {
                looked_at.objects += 1;
                let is_second_family = group.as_ref().is_ok_and(Group::is_second_family);
                let reason = match group.map(Group::target_group) {
                    Ok(Ok(_)) if is_second_family => PassedOver::SecondFamily,
                    Ok(Ok(group)) if group.targets.is_empty() => PassedOver::NoTargets,
                    Ok(Ok(group)) => {
                        visit_all(&group, &mut looked_at);
                        continue;
                    }
                    Ok(Err(reason)) => reason.into(),
                    Err(reason) => reason,
                };
                looked_at.passed_over += 1;
                if looked_at.passed_over_objects.len() < MOST_NAMED {
                    let object = if metadata.namespace.is_empty() {
                        metadata.name.clone()
                    } else {
                        format!("{}/{}", metadata.namespace, metadata.name)
                    };
                    looked_at.passed_over_objects.push(PassedOverObject { object, reason: reason.to_string() });
                }
            }
            all_looked_at.push(looked_at);
        }
        let configs = &self.planned.scrape_config.service_discovery.r#static;
        if !configs.is_empty() {
            let mut looked_at = LookedAt { place: "static_configs".to_owned(), ..LookedAt::default() };
            for mut group in static_groups(configs) {
                group.source = format!("static_configs[{}]", group.source);
                looked_at.objects += 1;
                visit_all(&group, &mut looked_at);
            }
            all_looked_at.push(looked_at);
        }
        for source in &self.planned.sources {
            let mut looked_at = LookedAt { place: source.wanted.to_string(), ..LookedAt::default() };
            let groups = match self.world.external.answers.get(&source.key) {
                Some(Answer::Known(groups) | Answer::Kept(groups, _)) => &groups[..],
                Some(Answer::Unknown(_)) | None => &[],
            };
            for group in groups {
                looked_at.objects += 1;
                visit_all(&group.target_group(|_| true), &mut looked_at);
            }
            all_looked_at.push(looked_at);
        }
        all_looked_at
    }

    fn follow(&self, name: Name, labels: &LabelSet<'_>) -> TargetTrace {
        trace::follow(self.planned, &self.maker, &self.rules, name, labels)
    }

    /// What the rules make of a target.
    fn found(&self, discovered: &LabelSet<'_>) -> Found {
        let mut last = 0;
        let kept = self.maker.follow(discovered, |position, verdict, _| {
            if verdict != Verdict::Kept {
                last = position;
            }
        });
        kept.map_or(Found::Dropped(last), |kept| Found::Kept(kept.identity))
    }

    /// Whether rules make that address, or instance, of a target.
    pub(super) fn makes(&self, discovered: &Discovered<'_, '_>, address: &str) -> bool {
        let labels = discovered.labels();
        let relabelled = self.maker.follow(&labels, |_, _, _| {});
        relabelled.is_some_and(|target| [ADDRESS, "instance"].iter().any(|name| target.labels.get(name) == address))
    }

    /// The traces with what became of the targets that no rule dropped.
    fn with_fates(&self, mut traces: Vec<TargetTrace>, equals: &BTreeMap<u64, Vec<Name>>) -> Vec<TargetTrace> {
        let wanted: BTreeSet<_> = traces.iter().filter_map(|trace| trace.identity).collect();
        let targets = self.job.into_iter().flat_map(Job::targets).map(|(_, target)| target.identity).zip(0..);
        let positions: BTreeMap<u64, usize> = targets.filter(|(identity, _)| wanted.contains(identity)).collect();
        for trace in &mut traces {
            if let Some(identity) = trace.identity {
                let (source, address) = (trace.source.clone(), trace.address.clone());
                let name = Name { source, place: trace.place, address };
                trace.fate = self.fate(&name, equals.get(&identity), positions.get(&identity).copied());
            }
        }
        traces
    }

    fn fate(&self, name: &Name, equals: Option<&Vec<Name>>, position: Option<usize>) -> Fate {
        let (Some(job), Some(position)) = (self.job, position) else {
            let reason = self.job.and_then(Job::unknown).map(str::to_owned);
            let reason = reason.unwrap_or_else(|| "the job is not served".to_owned());
            return Fate::Unassigned { reason, merged: Vec::new() };
        };
        let (last, earlier) = equals.and_then(|equals| equals.split_last()).unwrap_or((name, &[]));
        if last != name {
            return Fate::Merged { into: last.clone() };
        }
        let merged = earlier.to_vec();
        let by = owner::owners(self.world, job, position, &name.address);
        if by.is_empty() {
            let reason = owner::nobody(self.world, job.target(position).1);
            return Fate::Unassigned { reason, merged };
        }
        Fate::Served { by, merged }
    }
}
