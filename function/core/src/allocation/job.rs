//! A job with its targets, made anew or of what was made before.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::merged::is_mergeable;
use super::plan::{self, PlannedJob};
use crate::discovery::external::{Answer, External, ExternalGroup};
use crate::discovery::{Changes, Group, Index, LabelFilter, Touched, static_groups};
use crate::labels::META_PREFIX;
use crate::objects::ObjectKey;
use crate::relabel::MOST_WRITTEN;
use crate::report::{ObjectRef, Outcome, Report};
use crate::scrape_config::ScrapeConfig;
use crate::targets::{GroupTargets, Locations, Maker, RuleFilter, ServedLabels, Target, TooLarge, Views};

/// A job and its targets.
#[derive(Debug)]
pub struct Job {
    planned: Arc<PlannedJob>,
    wanted: LabelFilter,
    views: Views,
    discovered: Discovered,
    /// Of external sources and static configs.
    named: Vec<Arc<GroupTargets>>,
    answers: Vec<Arc<[ExternalGroup]>>,
    targets: Vec<Place>,
    /// Targets to which the rules write more than they may.
    too_large: usize,
    unknown: Option<String>,
}

/// Targets of objects, by query and object.
type Discovered = BTreeMap<(usize, ObjectKey), Arc<GroupTargets>>;

/// What a job makes the targets of objects with.
struct Means<'a> {
    making: &'a Making<'a>,
    maker: Maker<'a>,
    wanted: LabelFilter,
    before: &'a Discovered,
}

/// Where a target is: its group among those of the job, and its position there.
#[derive(Debug, Clone)]
struct Place {
    group: Arc<GroupTargets>,
    position: u32,
}

/// What targets are made of.
pub(super) struct Making<'a> {
    pub index: &'a Index,
    /// What differs from the index that `before` was made of.
    pub changes: &'a Changes,
    pub external: &'a External,
    pub filter: bool,
    pub served: ServedLabels,
    /// How many bytes the targets of a job may take.
    pub most: usize,
}

impl Job {
    /// What collectors are told of it.
    #[must_use]
    pub fn scrape_config(&self) -> &ScrapeConfig {
        &self.planned.scrape_config
    }

    /// The monitor that it comes from; `None` for one of `config.scrape_configs`.
    #[must_use]
    pub fn monitor(&self) -> Option<&ObjectRef> {
        self.planned.monitor.as_ref()
    }

    /// How it was planned.
    #[must_use]
    pub fn planned(&self) -> &PlannedJob {
        &self.planned
    }

    /// Why its targets are not known; then it has none here, and nobody must be told so.
    #[must_use]
    pub fn unknown(&self) -> Option<&str> {
        self.unknown.as_deref()
    }

    /// How many targets it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether it has no targets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Its targets with the groups that hold their texts, in the order of discovery.
    pub fn targets(&self) -> impl ExactSizeIterator<Item = (&GroupTargets, &Target)> {
        self.targets.iter().map(Place::target)
    }

    /// All that its rules kept, equal ones too, with the object behind it, if there is one.
    pub fn made(&self) -> impl Iterator<Item = (Option<&ObjectKey>, &Target)> {
        let discovered = self.discovered.iter().map(|((_, key), group)| (Some(key), group));
        let groups = discovered.chain(self.named.iter().map(|group| (None, group)));
        groups.flat_map(|(key, group)| group.targets.iter().map(move |target| (key, target)))
    }

    /// The target at `position`, which must be one of the job's.
    #[must_use]
    pub fn target(&self, position: usize) -> (&GroupTargets, &Target) {
        self.targets[position].target()
    }

    /// Whether labels can say what relabelling made of its targets.
    pub(super) fn is_expressible(&self) -> bool {
        self.groups().all(|group| group.is_expressible())
    }

    /// The job with the targets of a later state; `before` itself if nothing of it changed.
    pub(super) fn next(
        before: Option<&Arc<Self>>,
        planned: &Arc<PlannedJob>,
        views: Views,
        making: &Making<'_>,
        places: &mut Locations,
        report: &mut Report,
    ) -> Arc<Self> {
        let answers = match planned.answers(making.external, report) {
            Ok(answers) => answers,
            Err(reason) => return Arc::new(Self { unknown: Some(reason), ..Self::nothing(planned, views) }),
        };
        let job = Self::made_of(answers, before, planned, views, making, places).unwrap_or_else(|error| {
            let reason = error.to_string();
            report.push(planned.object(), Outcome::Unknown, "", &reason);
            Arc::new(Self { unknown: Some(reason), ..Self::nothing(planned, views) })
        });
        job.report_too_large(making.filter, report);
        job
    }

    /// Reports the targets to which the rules write more than they may.
    fn report_too_large(&self, filter: bool, report: &mut Report) {
        let too_large = self.too_large;
        if too_large > 0 {
            let what = if filter { "are left out" } else { "cannot be merged" };
            let (name, limit) = (&self.scrape_config().job_name, MOST_WRITTEN >> 20);
            let reason =
                format_args!("{too_large} targets {what}: the relabelling rules write more than {limit} MiB to each");
            report.push(self.planned.object(), Outcome::Adjusted, name, reason);
        }
    }

    fn groups(&self) -> impl Iterator<Item = &Arc<GroupTargets>> + Clone {
        self.discovered.values().chain(&self.named)
    }

    fn made_of(
        answers: Vec<Arc<[ExternalGroup]>>,
        before: Option<&Arc<Self>>,
        planned: &Arc<PlannedJob>,
        views: Views,
        making: &Making<'_>,
        places: &mut Locations,
    ) -> Result<Arc<Self>, TooLarge> {
        let before = before.filter(|before| Arc::ptr_eq(&before.planned, planned) && before.unknown.is_none());
        // A job that cannot be merged is served as discovered in the merged view too.
        let views = if is_mergeable(&planned.scrape_config) { views } else { Views { plain: true, merged: false } };
        let job = match before.filter(|before| before.views.cover(views)) {
            Some(before) => before.updated(answers.clone(), making, places)?,
            None => Arc::new(Self::new(planned, views, answers.clone(), making, places)?),
        };
        if job.views.plain || job.is_expressible() {
            return Ok(job);
        }
        Self::new(planned, Views { plain: true, ..views }, answers, making, places).map(Arc::new)
    }

    fn nothing(planned: &Arc<PlannedJob>, views: Views) -> Self {
        Self {
            planned: Arc::clone(planned),
            wanted: LabelFilter::ALL,
            views,
            discovered: BTreeMap::new(),
            named: Vec::new(),
            answers: Vec::new(),
            targets: Vec::new(),
            too_large: 0,
            unknown: None,
        }
    }

    fn new(
        planned: &Arc<PlannedJob>,
        views: Views,
        answers: Vec<Arc<[ExternalGroup]>>,
        making: &Making<'_>,
        places: &mut Locations,
    ) -> Result<Self, TooLarge> {
        let maker = planned.maker(views, making);
        let wanted = match making.served {
            ServedLabels::All if views.plain => LabelFilter::ALL,
            _ => LabelFilter::new(making.index, |name| maker.wants(name)),
        };
        let (mut discovered, before) = (Discovered::new(), &Discovered::new());
        let means = Means { making, maker, wanted, before };
        for query in 0..planned.queries.len() {
            planned.discover_all(query, &means, places, &mut discovered)?;
        }
        let Means { maker, wanted, .. } = means;
        let named = planned.named(&maker, &answers, places)?;
        Self { wanted, discovered, named, answers, ..Self::nothing(planned, views) }.listed().within(making.most)
    }

    /// This job with what was touched made again.
    fn updated(
        self: &Arc<Self>,
        answers: Vec<Arc<[ExternalGroup]>>,
        making: &Making<'_>,
        places: &mut Locations,
    ) -> Result<Arc<Self>, TooLarge> {
        let planned = &self.planned;
        let touched: Vec<_> = planned.queries.iter().map(|query| query.touched(making.changes)).collect();
        let untouched = touched.iter().all(|touched| matches!(touched, Touched::Only(keys) if keys.is_empty()));
        let same_answers = same_answers(&self.answers, &answers);
        if untouched && same_answers {
            return Ok(Arc::clone(self));
        }
        let maker = planned.maker(self.views, making);
        let wanted = self.wanted.next(making.index, |name| maker.wants(name));
        let mut discovered = self.discovered.clone();
        let means = Means { making, maker, wanted, before: &self.discovered };
        for (query, touched) in touched.into_iter().enumerate() {
            match touched {
                Touched::All => {
                    discovered.retain(|(of, _), _| *of != query);
                    planned.discover_all(query, &means, places, &mut discovered)?;
                }
                Touched::Only(keys) => {
                    for (namespace, name) in keys {
                        let key = (query, ObjectKey { namespace: namespace.into(), name: name.into() });
                        let group = planned.queries[query].group(making.index, &means.wanted, namespace, name);
                        let made = group.map(|group| planned.make(&key, &group, &means, places));
                        match made.transpose()?.flatten() {
                            Some(targets) => discovered.insert(key, targets),
                            None => discovered.remove(&key),
                        };
                    }
                }
            }
        }
        let Means { maker, wanted, .. } = means;
        let named = if same_answers { self.named.clone() } else { planned.named(&maker, &answers, places)? };
        let rest = Self::nothing(planned, self.views);
        Self { wanted, discovered, named, answers, ..rest }.listed().within(making.most).map(Arc::new)
    }

    /// The job itself, unless it takes more than that.
    fn within(self, most: usize) -> Result<Self, TooLarge> {
        if self.groups().map(|group| group.size()).sum::<usize>() > most { Err(TooLarge::Job(most)) } else { Ok(self) }
    }

    /// Lists the targets, each identity once: of several the last one is served, in the
    /// place of the first. So the peer does within a group; between groups it takes any.
    fn listed(mut self) -> Self {
        let groups = self.groups();
        let count = groups.clone().map(|group| group.targets.len()).sum();
        let too_large = groups.clone().map(|group| group.too_large()).sum();
        let mut by_identity = HashMap::with_capacity(count);
        let mut targets: Vec<Place> = Vec::with_capacity(count);
        for group in groups {
            for (position, target) in (0..).zip(&group.targets) {
                let place = Place { group: Arc::clone(group), position };
                match by_identity.get(&target.identity) {
                    Some(at) => targets[*at] = place,
                    None => {
                        by_identity.insert(target.identity, targets.len());
                        targets.push(place);
                    }
                }
            }
        }
        (self.targets, self.too_large) = (targets, too_large);
        self
    }
}

impl Place {
    fn target(&self) -> (&GroupTargets, &Target) {
        (&self.group, &self.group.targets[self.position as usize])
    }
}

fn same_answers(one: &[Arc<[ExternalGroup]>], other: &[Arc<[ExternalGroup]>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
}

impl PlannedJob {
    fn maker(&self, views: Views, making: &Making<'_>) -> Maker<'_> {
        Maker::new(&self.scrape_config, &self.rules, RuleFilter::new(making.filter), making.served, views)
            .within(making.most)
    }

    fn discover_all(
        &self,
        query: usize,
        means: &Means<'_>,
        places: &mut Locations,
        discovered: &mut Discovered,
    ) -> Result<(), TooLarge> {
        let Means { making, wanted, .. } = means;
        let mut size = 0;
        for group in self.queries[query].groups(making.index, wanted) {
            let key = (query, group.key());
            if let Some(targets) = self.make(&key, &group, means, places)? {
                size += targets.size();
                if size > making.most {
                    return Err(TooLarge::Job(making.most));
                }
                discovered.insert(key, targets);
            }
        }
        Ok(())
    }

    /// The targets of a group, if any is kept. What is the same as before is taken over.
    fn make(
        &self,
        key: &(usize, ObjectKey),
        group: &Group<'_, '_>,
        Means { making, maker, before, .. }: &Means<'_>,
        places: &mut Locations,
    ) -> Result<Option<Arc<GroupTargets>>, TooLarge> {
        let query = key.0;
        if making.filter && !self.rules.keep_group(&self.stages[query], group.labels()) {
            return Ok(None);
        }
        let made = maker.make_group(&self.stages[query], group, before.get(key).map(AsRef::as_ref), places)?;
        Ok((!made.targets.is_empty() || made.too_large() > 0).then(|| Arc::new(made)))
    }

    /// The targets that the job itself names, and those of its sources.
    fn named(
        &self,
        maker: &Maker<'_>,
        answers: &[Arc<[ExternalGroup]>],
        places: &mut Locations,
    ) -> Result<Vec<Arc<GroupTargets>>, TooLarge> {
        let mut named = Vec::new();
        for group in static_groups(&self.scrape_config.service_discovery.r#static) {
            named.push(Arc::new(maker.make(&group.labels, group.targets, places)?));
        }
        let mut known = BTreeMap::new();
        for group in answers.iter().flat_map(|groups| groups.iter()) {
            let wants = |name: &str| match known.get(name) {
                Some(wants) => *wants,
                None => *known.entry(name.to_owned()).or_insert(!name.starts_with(META_PREFIX) || maker.wants(name)),
            };
            let group = group.target_group(wants);
            named.push(Arc::new(maker.make(&group.labels, group.targets, places)?));
        }
        Ok(named)
    }

    /// What the job's sources answered, or why one of them never did. Either is reported.
    fn answers(&self, external: &External, report: &mut Report) -> Result<Vec<Arc<[ExternalGroup]>>, String> {
        if let Some(reason) = self.not_asked {
            report.push(self.object(), Outcome::Unknown, "", reason);
            return Err(reason.to_owned());
        }
        let mut groups = Vec::new();
        let mut unknown = None;
        for source in &self.sources {
            match external.answers.get(&source.key) {
                Some(Answer::Known(known)) => groups.push(Arc::clone(known)),
                Some(Answer::Kept(known, reason)) => {
                    groups.push(Arc::clone(known));
                    let reason = format!("the last targets stay, the source does not answer: {reason}");
                    report.push(self.object(), Outcome::Adjusted, source.wanted.to_string(), reason);
                }
                Some(Answer::Unknown(reason)) => {
                    report.push(self.object(), Outcome::Unknown, source.wanted.to_string(), reason);
                    unknown.get_or_insert_with(|| format!("{}: {reason}", source.wanted));
                }
                None => {
                    unknown.get_or_insert_with(|| format!("{}: it was not asked", source.wanted));
                }
            }
        }
        unknown.map_or(Ok(groups), Err)
    }

    fn object(&self) -> ObjectRef {
        self.monitor.clone().unwrap_or_else(|| plan::config_object(&self.scrape_config.job_name))
    }
}
