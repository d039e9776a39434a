//! A job: what it looked at, what it found, and what became of that.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::trace::{self, Fate, Name, Origin, TargetTrace};
use super::{World, owner};
use crate::allocation::{Job, PlannedJob};
use crate::discovery::external::Answer;
use crate::discovery::{Group, PassedOver, TargetGroup, Wanted, static_groups};
use crate::labels::{ADDRESS, LabelSet};
use crate::objects::Metadata;
use crate::relabel::{Outcome, RelabelConfig};
use crate::targets::{Maker, ServedLabels, Views};

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

/// What a walk gathers.
#[derive(Default)]
struct Walk {
    looked_at: Vec<LookedAt>,
    found: usize,
    dropped: BTreeMap<usize, usize>,
    /// How many targets each source gave so far.
    places: BTreeMap<String, usize>,
    /// All that became one target, in the order of discovery.
    equals: BTreeMap<u64, Vec<Name>>,
    examples: Vec<TargetTrace>,
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
                world.config.filter,
                ServedLabels::All,
                Views::default(),
            ),
            rules: trace::rules_of(planned),
        }
    }

    /// Walks through all that the job finds and follows a few targets of each fate.
    pub(super) fn all(&self) -> JobTrace {
        let mut alike: BTreeMap<Found, usize> = BTreeMap::new();
        let walk = self.walk(
            |_| true,
            |found, _, _| {
                let class = match found {
                    Found::Dropped(rule) => Found::Dropped(rule),
                    Found::Kept(_) => Found::Kept(0),
                };
                let count = alike.entry(class).or_default();
                *count += 1;
                *count <= MOST_ALIKE
            },
        );
        self.finish(walk)
    }

    /// Walks through what objects that `pick` approves of, and sources outside of the cluster, give,
    /// and follows the targets that `choose` approves of, given their source and their labels.
    pub(super) fn some(
        &self,
        pick: impl Fn(&Metadata) -> bool,
        mut choose: impl FnMut(&str, &LabelSet<'_>) -> bool,
    ) -> Vec<TargetTrace> {
        let narrow = self.walk(&pick, |_, source, labels| choose(source, labels));
        let kept: BTreeSet<_> = narrow.examples.iter().filter_map(|trace| trace.identity).collect();
        if kept.is_empty() {
            return self.finish(narrow).examples;
        }
        // Whatever equals them may stand anywhere in the job.
        let everything = self.walk(|_| true, |_, _, _| false);
        self.finish(Walk { equals: everything.equals, ..narrow }).examples
    }

    fn walk(
        &self,
        pick: impl Fn(&Metadata) -> bool,
        mut choose: impl FnMut(Found, &str, &LabelSet<'_>) -> bool,
    ) -> Walk {
        let mut walk = Walk::default();
        for query in &self.planned.queries {
            let mut looked_at = LookedAt { place: query.scope().to_string(), ..LookedAt::default() };
            for (metadata, group) in query.looked_at(self.world.index(), &Wanted::ALL, &pick) {
                looked_at.objects += 1;
                let reason = match group.map(Group::target_group) {
                    Ok(group) if group.targets.is_empty() => PassedOver::NoTargets,
                    Ok(group) => {
                        looked_at.targets += group.targets.len();
                        self.add(&group, &mut walk, &mut choose);
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
                    looked_at.passed_over_objects.push(PassedOverObject { object, reason: reason.to_string() });
                }
            }
            walk.looked_at.push(looked_at);
        }
        let configs = &self.planned.scrape_config.service_discovery.r#static;
        if !configs.is_empty() {
            let mut looked_at = LookedAt { place: "static_configs".to_owned(), ..LookedAt::default() };
            for mut group in static_groups(configs) {
                group.source = format!("static_configs[{}]", group.source);
                looked_at.objects += 1;
                looked_at.targets += group.targets.len();
                self.add(&group, &mut walk, &mut choose);
            }
            walk.looked_at.push(looked_at);
        }
        for source in &self.planned.sources {
            let mut looked_at = LookedAt { place: source.wanted.to_string(), ..LookedAt::default() };
            let groups = match self.world.external.answers.get(&source.key) {
                Some(Answer::Known(groups) | Answer::Kept(groups, _)) => &groups[..],
                Some(Answer::Unknown(_)) | None => &[],
            };
            for group in groups {
                let group = group.target_group(|_| true);
                looked_at.objects += 1;
                looked_at.targets += group.targets.len();
                self.add(&group, &mut walk, &mut choose);
            }
            walk.looked_at.push(looked_at);
        }
        walk
    }

    fn add(
        &self,
        group: &TargetGroup<'_>,
        walk: &mut Walk,
        choose: &mut impl FnMut(Found, &str, &LabelSet<'_>) -> bool,
    ) {
        for discovered in group.label_sets() {
            walk.found += 1;
            let place = walk.places.entry(group.source.clone()).or_default();
            let name =
                Name { source: group.source.clone(), place: *place, address: discovered.get(ADDRESS).to_owned() };
            *place += 1;
            let found = self.found(&discovered);
            match found {
                Found::Dropped(rule) => *walk.dropped.entry(rule).or_default() += 1,
                Found::Kept(identity) => walk.equals.entry(identity).or_default().push(name.clone()),
            }
            if choose(found, &group.source, &discovered) {
                walk.examples.push(trace::follow(self.planned, &self.maker, &self.rules, name, &discovered));
            }
        }
    }

    /// What the rules make of a target.
    fn found(&self, discovered: &LabelSet<'_>) -> Found {
        let mut last = 0;
        let kept = self.maker.follow(discovered, |position, outcome, _| {
            if outcome == Outcome::Dropped {
                last = position;
            }
        });
        kept.map_or(Found::Dropped(last), |(_, identity)| Found::Kept(identity))
    }

    /// Whether rules make that address, or instance, of a target.
    pub(super) fn makes(&self, discovered: &LabelSet<'_>, address: &str) -> bool {
        let relabelled = self.maker.follow(discovered, |_, _, _| {});
        relabelled.is_some_and(|(labels, _)| [ADDRESS, "instance"].iter().any(|name| labels.get(name) == address))
    }

    fn finish(&self, walk: Walk) -> JobTrace {
        let Walk { looked_at, found, dropped, places: _, equals, mut examples } = walk;
        let targets = self.job.into_iter().flat_map(Job::targets);
        let positions: BTreeMap<u64, usize> = targets.map(|(_, target)| target.identity).zip(0..).collect();
        let name = &self.planned.scrape_config.job_name;
        let mut collectors: BTreeMap<String, usize> = BTreeMap::new();
        let mut unassigned = 0;
        for position in positions.values() {
            let mut nobody = true;
            for collector in self.world.allocation.owners(name, *position) {
                *collectors.entry(collector.name.clone()).or_default() += 1;
                nobody = false;
            }
            unassigned += usize::from(nobody);
        }
        for example in &mut examples {
            if let Some(identity) = example.identity {
                let (source, address) = (example.source.clone(), example.address.clone());
                let name = Name { source, place: example.place, address };
                example.fate = self.fate(&name, equals.get(&identity), positions.get(&identity).copied());
            }
        }
        let dropped = dropped.into_iter().filter_map(|(position, targets)| {
            let (from, rule) = self.rules.get(position)?;
            Some(DroppedBy { from: from.clone(), rule: trace::describe(rule), targets })
        });
        JobTrace {
            job: self.planned.scrape_config.job_name.clone(),
            endpoint: self.planned.endpoint,
            looked_at,
            found,
            dropped: dropped.collect(),
            merged: equals.values().map(|equals| equals.len() - 1).sum(),
            targets: positions.len(),
            unassigned,
            collectors,
            unknown: self.job.and_then(Job::unknown).map(str::to_owned),
            examples,
        }
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
