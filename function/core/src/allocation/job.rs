//! A job with its targets. Only the targets of changed objects are rebuilt.

mod targets;

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};
use jiff::Timestamp;

use super::former::{Former, Keeping};
use super::merged::views_of;
use super::place::Place;
use super::planned_job::PlannedJob;
use crate::discovery::{Changes, Index, LabelFilter, SourceAnswers, SourceGroup, Touched};
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
    answers: Vec<Arc<[SourceGroup]>>,
    targets: Vec<Place>,
    /// The number of targets whose labels exceed the size limit after relabelling.
    too_large: usize,
    unknown: Option<String>,
    /// Whether the targets are unknown because they take too many bytes.
    is_too_large: bool,
    /// The time when the targets were last known. `None` if they are known now.
    kept_since: Option<Timestamp>,
}

/// The targets of Kubernetes objects, by query and object.
type Discovered = BTreeMap<(usize, ObjectKey), Arc<GroupTargets>>;

/// The inputs for the targets of one job.
struct JobInputs<'a> {
    common: &'a CommonInputs<'a>,
    maker: Maker<'a>,
    wanted: LabelFilter,
    before: &'a Discovered,
}

/// The inputs that all jobs share.
#[derive(Clone, Copy)]
pub(super) struct CommonInputs<'a> {
    pub index: &'a Index,
    /// The differences from the index of the previous allocation.
    pub changes: &'a Changes,
    pub external: &'a SourceAnswers,
    /// Why the function may not read nodes, if that is so.
    pub unread_nodes: Option<&'a str>,
    pub filter: bool,
    pub served: ServedLabels,
    /// The maximum size of the targets of a job, in bytes.
    pub most: usize,
    /// The bytes that are left for this job, if its monitor has several.
    pub left: usize,
    pub keeping: Keeping,
}

impl Job {
    /// The scrape config that collectors receive.
    #[must_use]
    pub fn scrape_config(&self) -> &ScrapeConfig {
        &self.planned.scrape_config
    }

    /// The monitor of the job. `None` for a job of `config.scrape_configs`.
    #[must_use]
    pub fn monitor(&self) -> Option<&ObjectRef> {
        self.planned.monitor.as_ref()
    }

    /// The plan of the job.
    #[must_use]
    pub fn planned(&self) -> &PlannedJob {
        &self.planned
    }

    /// The reason why the targets are unknown. A request for them then fails. The job has no targets here, or the
    /// targets that shared lists keep (see [`Job::is_kept`]).
    #[must_use]
    pub fn unknown(&self) -> Option<&str> {
        self.unknown.as_deref()
    }

    /// Whether the targets are unknown, and shared lists keep the last known targets.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.kept_since.is_some()
    }

    /// Whether the targets are unknown because they take too many bytes.
    pub(super) const fn is_too_large(&self) -> bool {
        self.is_too_large
    }

    /// Bytes of the targets in memory.
    pub(super) fn held(&self) -> usize {
        self.groups().map(|group| group.held()).sum()
    }

    /// The number of targets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether the job has no targets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The size of the targets in responses, in bytes. [`Config::most_of_a_job`](crate::config::Config) limits it.
    #[must_use]
    pub fn size(&self) -> usize {
        self.groups().map(|group| group.size()).sum()
    }

    /// The targets with their groups, in the order of discovery.
    pub fn targets(&self) -> impl ExactSizeIterator<Item = (&GroupTargets, &Target)> {
        self.targets.iter().map(Place::target)
    }

    /// All targets that the rules keep, including duplicates. Each has the object that it comes from, if there is one.
    pub fn made(&self) -> impl Iterator<Item = (Option<&ObjectKey>, &Target)> {
        let discovered = self.discovered.iter().map(|((_, key), group)| (Some(key), group));
        let groups = discovered.chain(self.named.iter().map(|group| (None, group)));
        groups.flat_map(|(key, group)| group.targets.iter().map(move |target| (key, target)))
    }

    /// The number of targets that the rules keep, including duplicates.
    #[must_use]
    pub fn kept_by_rules(&self) -> usize {
        self.groups().map(|group| group.targets.len()).sum()
    }

    /// The target at `position`, which must be less than the number of targets.
    #[must_use]
    pub fn target(&self, position: usize) -> (&GroupTargets, &Target) {
        self.targets[position].target()
    }

    /// Whether the merged view can serve all targets of the job.
    pub(super) fn is_expressible(&self) -> bool {
        self.groups().all(|group| group.is_expressible())
    }

    /// The number of targets that the merged view cannot serve.
    pub(super) fn inexpressible(&self) -> usize {
        self.groups().map(|group| group.inexpressible()).sum()
    }

    /// The targets to keep if the job becomes unknown. `since` is the time of the previous allocation.
    pub(super) fn former(&self, since: Timestamp) -> Option<Former> {
        let since = if self.unknown.is_some() { self.kept_since? } else { since };
        self.views.merged.then(|| Former { targets: self.targets.clone(), views: self.views, since })
    }

    /// The job with the targets of the new state. Returns `before` if nothing changed.
    pub(super) fn next(
        before: Option<&Arc<Self>>,
        planned: &Arc<PlannedJob>,
        views: Views,
        common: &CommonInputs<'_>,
        places: &mut Locations,
        report: &mut Report,
    ) -> Arc<Self> {
        let answers = match planned.answers(common, report) {
            Ok(answers) => answers,
            Err(reason) => return Arc::new(Self::with_unknown_targets(reason, before, planned, views, common)),
        };
        let known = match common.left {
            // Making targets takes time that all others need.
            0 => Err(TooLarge::Jobs(common.most)),
            _ => Self::with_known_targets(answers, before, planned, views, common, places)
                .and_then(|job| if job.held() > common.left { Err(TooLarge::Jobs(common.most)) } else { Ok(job) }),
        };
        let job = known.unwrap_or_else(|error| {
            let reason = error.to_string();
            report.push(planned.object(), Outcome::Unknown, "", &reason);
            let unknown = Self::with_unknown_targets(reason, before, planned, views, common);
            Arc::new(Self { is_too_large: true, ..unknown })
        });
        job.report_too_large(common.filter, report);
        job
    }

    /// Reports the targets whose labels exceed the size limit after relabelling.
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

    /// A job with unknown targets. It has no targets, or the last known targets that shared lists keep.
    fn with_unknown_targets(
        reason: String,
        before: Option<&Arc<Self>>,
        planned: &Arc<PlannedJob>,
        views: Views,
        common: &CommonInputs<'_>,
    ) -> Self {
        let nothing = Self { unknown: Some(reason), ..Self::nothing(planned, views) };
        let former = before
            .and_then(|before| before.former(common.keeping.before?))
            .and_then(|former| common.keeping.kept(former))
            .filter(|_| views.merged);
        match former {
            Some(Former { targets, views, since }) => Self { targets, views, kept_since: Some(since), ..nothing },
            None => nothing,
        }
    }

    fn groups(&self) -> impl Iterator<Item = &Arc<GroupTargets>> + Clone {
        self.discovered.values().chain(&self.named)
    }

    fn with_known_targets(
        answers: Vec<Arc<[SourceGroup]>>,
        before: Option<&Arc<Self>>,
        planned: &Arc<PlannedJob>,
        views: Views,
        common: &CommonInputs<'_>,
        places: &mut Locations,
    ) -> Result<Arc<Self>, TooLarge> {
        let before = before.filter(|before| Arc::ptr_eq(&before.planned, planned) && before.unknown.is_none());
        let views = views_of(planned, views);
        let job = match before.filter(|before| before.views.cover(views)) {
            Some(before) => before.updated(answers.clone(), common, places)?,
            None => Arc::new(Self::new(planned, views, answers.clone(), common, places)?),
        };
        if job.views.plain || job.is_expressible() {
            return Ok(job);
        }
        Self::new(planned, Views { plain: true, ..views }, answers, common, places).map(Arc::new)
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
            is_too_large: false,
            kept_since: None,
        }
    }

    fn new(
        planned: &Arc<PlannedJob>,
        views: Views,
        answers: Vec<Arc<[SourceGroup]>>,
        common: &CommonInputs<'_>,
        places: &mut Locations,
    ) -> Result<Self, TooLarge> {
        let maker = planned.maker(views, common);
        let wanted = match common.served {
            ServedLabels::All if views.plain => LabelFilter::ALL,
            _ => LabelFilter::new(common.index, |name| maker.wants(name)),
        };
        let (mut discovered, before) = (Discovered::new(), &Discovered::new());
        let inputs = JobInputs { common, maker, wanted, before };
        let mut size = Size::within(common.most);
        for query in 0..planned.queries.len() {
            planned.discover_all(query, &inputs, places, &mut size, &mut discovered)?;
        }
        let JobInputs { maker, wanted, .. } = inputs;
        let named = planned.named(&maker, &answers, places, &mut size)?;
        Self { wanted, discovered, named, answers, ..Self::nothing(planned, views) }.listed().within(common.most)
    }

    /// The job with the targets of changed objects rebuilt.
    fn updated(
        self: &Arc<Self>,
        answers: Vec<Arc<[SourceGroup]>>,
        common: &CommonInputs<'_>,
        places: &mut Locations,
    ) -> Result<Arc<Self>, TooLarge> {
        let planned = &self.planned;
        let touched: Vec<_> = planned.queries.iter().map(|query| query.touched(common.changes)).collect();
        let untouched = touched.iter().all(|touched| matches!(touched, Touched::Only(keys) if keys.is_empty()));
        let same_answers = same_answers(&self.answers, &answers);
        if untouched && same_answers {
            return Ok(Arc::clone(self));
        }
        let maker = planned.maker(self.views, common);
        let wanted = self.wanted.next(common.index, |name| maker.wants(name));
        let mut discovered = self.discovered.clone();
        let inputs = JobInputs { common, maker, wanted, before: &self.discovered };
        let mut size = Size::within(common.most);
        for (query, touched) in touched.into_iter().enumerate() {
            match touched {
                Touched::All => {
                    discovered.retain(|(of, _), _| *of != query);
                    planned.discover_all(query, &inputs, places, &mut size, &mut discovered)?;
                }
                Touched::Only(keys) => {
                    for (namespace, name) in keys {
                        let key = (query, ObjectKey { namespace: namespace.into(), name: name.into() });
                        let group = planned.queries[query].group(common.index, &inputs.wanted, namespace, name);
                        let made = group.map(|group| planned.make(&key, &group, &inputs, places));
                        match made.transpose()?.flatten() {
                            Some(targets) => {
                                size.add(&targets)?;
                                discovered.insert(key, targets)
                            }
                            None => discovered.remove(&key),
                        };
                    }
                }
            }
        }
        let JobInputs { maker, wanted, .. } = inputs;
        let named =
            if same_answers { self.named.clone() } else { planned.named(&maker, &answers, places, &mut size)? };
        let rest = Self::nothing(planned, self.views);
        Self { wanted, discovered, named, answers, ..rest }.listed().within(common.most).map(Arc::new)
    }

    /// Returns the job, unless its targets take more than `most` bytes.
    fn within(self, most: usize) -> Result<Self, TooLarge> {
        if self.size() > most { Err(TooLarge::Job(most)) } else { Ok(self) }
    }

    /// Lists the targets without duplicates. Of several targets with one identity, the last one is served at the
    /// position of the first. The operator's allocator does so within a group, and picks any target between groups.
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

/// The size of the groups that were made, so that a job is given up before it fills the memory.
struct Size {
    most: usize,
    bytes: usize,
}

impl Size {
    const fn within(most: usize) -> Self {
        Self { most, bytes: 0 }
    }

    fn add(&mut self, group: &GroupTargets) -> Result<(), TooLarge> {
        self.bytes += group.size();
        if self.bytes > self.most { Err(TooLarge::Job(self.most)) } else { Ok(()) }
    }
}

fn same_answers(one: &[Arc<[SourceGroup]>], other: &[Arc<[SourceGroup]>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
}
