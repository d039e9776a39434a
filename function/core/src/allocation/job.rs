//! A job with its targets. Only the targets that changed since the allocation before are made again.

mod targets;

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};
use jiff::Timestamp;

use super::former::{Former, Keeping};
use super::merged::views_of;
use super::plan::PlannedJob;
use crate::discovery::external::{External, ExternalGroup};
use crate::discovery::{Changes, Index, LabelFilter, Touched};
use crate::objects::ObjectKey;
use crate::relabel::MOST_WRITTEN;
use crate::report::{ObjectRef, Outcome, Report};
use crate::scrape_config::ScrapeConfig;
use crate::targets::{GroupTargets, Locations, Maker, ServedLabels, Target, TooLarge, Views};

/// A job and its targets.
#[derive(Debug)]
pub struct Job {
    planned: Arc<PlannedJob>,
    wanted: LabelFilter,
    views: Views,
    discovered: Discovered,
    /// The targets of external sources and static configs.
    named: Vec<Arc<GroupTargets>>,
    answers: Vec<Arc<[ExternalGroup]>>,
    targets: Vec<Place>,
    /// The number of targets to which the rules write more than is allowed.
    too_large: usize,
    unknown: Option<String>,
    /// When the targets were last known, if they are kept from then.
    kept_since: Option<Timestamp>,
}

/// Targets of objects, by query and object.
type Discovered = BTreeMap<(usize, ObjectKey), Arc<GroupTargets>>;

/// The means by which a job makes the targets of objects.
struct Means<'a> {
    making: &'a Making<'a>,
    maker: Maker<'a>,
    wanted: LabelFilter,
    before: &'a Discovered,
}

/// Where a target is: its group among those of the job, and its position there.
#[derive(Debug, Clone)]
pub(super) struct Place {
    group: Arc<GroupTargets>,
    position: u32,
}

/// The inputs that all jobs have in common.
pub(super) struct Making<'a> {
    pub index: &'a Index,
    /// The differences from the index of the allocation before.
    pub changes: &'a Changes,
    pub external: &'a External,
    /// Why the function may not read nodes, if that is so.
    pub unread_nodes: Option<&'a str>,
    pub filter: bool,
    pub served: ServedLabels,
    /// How many bytes the targets of a job may take.
    pub most: usize,
    pub keeping: Keeping,
}

impl Job {
    /// The scrape config that collectors get.
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

    /// Why its targets are not known. Then a request for them fails: the job has no targets here, or those
    /// that shared lists keep (see [`Job::is_kept`]).
    #[must_use]
    pub fn unknown(&self) -> Option<&str> {
        self.unknown.as_deref()
    }

    /// Whether its targets are not known, but those from before are kept for lists that it shares with other jobs.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.kept_since.is_some()
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

    /// All targets that its rules kept, duplicates too, with the object that each comes from, if there is one.
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

    /// Whether the merged view can serve all its targets.
    pub(super) fn is_expressible(&self) -> bool {
        self.groups().all(|group| group.is_expressible())
    }

    /// How many of its targets the merged view cannot serve.
    pub(super) fn inexpressible(&self) -> usize {
        self.groups().map(|group| group.inexpressible()).sum()
    }

    /// Its targets as they would be kept if nothing were known of the job any more; `since` says when all
    /// jobs were looked at last.
    pub(super) fn former(&self, since: Timestamp) -> Option<Former> {
        let since = if self.unknown.is_some() { self.kept_since? } else { since };
        self.views.merged.then(|| Former { targets: self.targets.clone(), views: self.views, since })
    }

    /// The job with the targets of a later state; `before` itself if nothing changed.
    pub(super) fn next(
        before: Option<&Arc<Self>>,
        planned: &Arc<PlannedJob>,
        views: Views,
        making: &Making<'_>,
        places: &mut Locations,
        report: &mut Report,
    ) -> Arc<Self> {
        let answers = match planned.answers(making, report) {
            Ok(answers) => answers,
            Err(reason) => return Arc::new(Self::not_known(reason, before, planned, views, making)),
        };
        let job = Self::made_of(answers, before, planned, views, making, places).unwrap_or_else(|error| {
            let reason = error.to_string();
            report.push(planned.object(), Outcome::Unknown, "", &reason);
            Arc::new(Self::not_known(reason, before, planned, views, making))
        });
        job.report_too_large(making.filter, report);
        job
    }

    /// Reports the targets to which the rules write more than is allowed.
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

    /// A job without targets, or with those from before that shared lists keep.
    fn not_known(
        reason: String,
        before: Option<&Arc<Self>>,
        planned: &Arc<PlannedJob>,
        views: Views,
        making: &Making<'_>,
    ) -> Self {
        let nothing = Self { unknown: Some(reason), ..Self::nothing(planned, views) };
        let former = before.and_then(|before| making.keeping.former(before)).filter(|_| views.merged);
        match former {
            Some(Former { targets, views, since }) => Self { targets, views, kept_since: Some(since), ..nothing },
            None => nothing,
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
        let views = views_of(planned, views);
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
            kept_since: None,
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

    /// The job with the targets of changed objects made again.
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

    /// The job itself, unless its targets take more bytes than `most`.
    fn within(self, most: usize) -> Result<Self, TooLarge> {
        if self.groups().map(|group| group.size()).sum::<usize>() > most { Err(TooLarge::Job(most)) } else { Ok(self) }
    }

    /// Lists the targets, each identity once. Of several targets with one identity the last one is served, in
    /// the place of the first. The operator's allocator does so within a group; between groups it takes any.
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
