//! The allocation: jobs, their targets, and the collectors of each target.
//!
//! Input: the config, the objects of a cluster, and the previous allocation. Output: all data that answers need, and a
//! report. Unchanged parts are shared with the previous allocation. The stages are separate functions, because the
//! shell lists objects between them: first monitors and namespaces, then the secrets that monitors name, then the
//! objects that jobs discover.

mod collectors;
mod expressions;
mod former;
mod job;
mod job_set;
mod kinds;
mod list;
mod merged;
mod object_bytes;
pub(crate) mod pipelines;
mod place;
mod plan;
mod planned_job;
mod read_scope;
mod room;
mod shares;
mod sources;
#[cfg(test)]
mod tests;
mod unassigned;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use xxhash_rust::xxh64::xxh64;

pub use collectors::{NotCollecting, not_collecting};
pub use job::Job;
pub use job_set::JobSet;
pub use kinds::{Kind, kinds_of_monitors};
pub use list::PlainList;
pub use merged::{Form, MergedJob};
pub use plan::{Plan, is_planned_alike, plan, references};
pub use planned_job::{PlannedJob, WrittenRules};
pub use read_scope::{ReadNamespaces, ReadScope};
pub use room::{Part, too_large};
pub use sources::OwnedSource;

use crate::config::{Collectors, Config};
use crate::discovery::SourceAnswers;
use crate::discovery::{Changes, Index};
use crate::objects::Cluster;
use crate::report::Report;
use crate::shard::consistent_hashing::RingError;
use crate::shard::{self, Collector, Members, Owners, TargetKey};
use crate::targets::{GroupTargets, Locations, ServedLabels, Target, Views};
use collectors::zone_of_node;
use former::Keeping;
use job::CommonInputs;
use merged::Mergeable;
use object_bytes::ObjectBytes;
use shares::Shares;

/// Jobs, their targets, and the collectors of each target. All answers are built from it.
#[derive(Debug)]
pub struct Allocation {
    plan: Arc<Plan>,
    index: Index,
    places: Locations,
    views: Views,
    jobs: BTreeMap<String, Entry>,
    all: JobSet,
    pipelines: BTreeMap<String, JobSet>,
    members: Option<Members>,
    has_fixed_members: bool,
    report: Report,
    made: Timestamp,
}

#[derive(Debug)]
struct Entry {
    job: Arc<Job>,
    shares: Shares,
}

/// The inputs of an allocation.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The settings.
    pub config: &'a Config,
    /// The jobs, planned with these settings.
    pub plan: &'a Arc<Plan>,
    /// All objects of [`Plan::kinds`].
    pub cluster: &'a Cluster,
    /// The last answers of [`Plan::owned_sources`].
    pub external: &'a SourceAnswers,
    /// Which labels are served.
    pub served: ServedLabels,
    /// The views that are served.
    pub views: Views,
    /// The current time. It decides how long a collector has been unready, and how long the last targets of a failed
    /// job are kept.
    pub now: Timestamp,
}

impl Allocation {
    /// The jobs by name, including jobs without targets.
    pub fn jobs(&self) -> impl ExactSizeIterator<Item = (&str, &Job)> {
        self.jobs.iter().map(|(name, entry)| (name.as_str(), entry.job.as_ref()))
    }

    /// The job with this name.
    #[must_use]
    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.get(name).map(|entry| entry.job.as_ref())
    }

    /// The jobs of the merged view by name. Empty if the merged view was not requested.
    #[must_use]
    pub const fn merged(&self) -> &BTreeMap<String, MergedJob> {
        self.all.merged()
    }

    /// The jobs of `/merged/targets`. Empty if the merged view was not requested.
    #[must_use]
    pub const fn list(&self) -> &PlainList {
        self.all.list()
    }

    /// The set of all jobs.
    #[must_use]
    pub const fn all(&self) -> &JobSet {
        &self.all
    }

    /// The jobs of each pipeline of the config, by the name of the pipeline.
    #[must_use]
    pub const fn pipelines(&self) -> &BTreeMap<String, JobSet> {
        &self.pipelines
    }

    /// The views that are served.
    #[must_use]
    pub const fn views(&self) -> Views {
        self.views
    }

    /// The collectors; `None` if the config does not define any.
    #[must_use]
    pub const fn members(&self) -> Option<&Members> {
        self.members.as_ref()
    }

    /// The collectors, if the config names or counts them. A request for any other name is then an error.
    #[must_use]
    pub fn fixed_members(&self) -> Option<&Members> {
        self.members.as_ref().filter(|_| self.has_fixed_members)
    }

    /// The plan of the jobs.
    #[must_use]
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The index of the discovered objects.
    #[must_use]
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// The report of all skipped objects and jobs.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Adds entries about objects that an earlier stage skipped.
    pub fn add_to_report(&mut self, report: Report) {
        let mut all = std::mem::take(&mut self.report);
        all.extend(report);
        self.report = all.sorted();
    }

    /// The targets of a job that are assigned to a collector, each with its group. Empty if the job or the collector
    /// does not exist.
    pub fn share(&self, job: &str, collector: &str) -> impl Iterator<Item = (&GroupTargets, &Target)> {
        let index = self.members.as_ref().and_then(|members| members.index_of(collector));
        let share = self.jobs.get(job).zip(index);
        share.into_iter().flat_map(|(Entry { job, shares }, index)| {
            shares.of(index).iter().map(|position| job.target(*position as usize))
        })
    }

    /// The collectors of the target at `position` in the job, sorted.
    pub fn owners(&self, job: &str, position: usize) -> impl Iterator<Item = &Collector> {
        let collectors = self.members.as_ref().map(Members::collectors).unwrap_or_default();
        let shares = self.jobs.get(job).map(|entry| &entry.shares);
        let having =
            (0..).zip(collectors).filter(move |(index, _)| shares.is_some_and(|shares| shares.has(*index, position)));
        having.map(|(_, collector)| collector)
    }

    /// The number of targets of a job that no collector is assigned.
    #[must_use]
    pub fn unassigned(&self, job: &str) -> usize {
        self.jobs.get(job).map(|entry| entry.shares.unassigned).unwrap_or_default()
    }

    /// The number of targets of each collector, in the order of [`Members`]. Jobs with unknown targets do not count.
    #[must_use]
    pub fn targets_of_collectors(&self) -> Vec<usize> {
        let mut counts = vec![0; self.members.as_ref().map_or(0, |members| members.collectors().len())];
        for Entry { shares, .. } in self.jobs.values().filter(|entry| entry.job.unknown().is_none()) {
            for (index, count) in (0..).zip(&mut counts) {
                *count += shares.of(index).len();
            }
        }
        counts
    }

    /// The number of targets, and the number of targets that no collector is assigned.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let entries = self.jobs.values();
        entries.fold((0, 0), |(all, unassigned), entry| (all + entry.job.len(), unassigned + entry.shares.unassigned))
    }
}

/// Discovers the targets of the planned jobs and assigns them to the collectors. Jobs with unchanged inputs are taken
/// from `before`.
///
/// # Errors
/// [`RingError`] if the strategy does not support this number of collectors.
pub fn allocate(inputs: Inputs<'_>, before: Option<&Allocation>) -> Result<Allocation, RingError> {
    let Inputs { config, plan, cluster, external, served, views, now } = inputs;
    let mut report = plan.report.clone();
    let keeping = Keeping { now, before: before.map(|before| before.made), keep: config.keep_unknown };
    let members = config.collectors.as_ref().map(|wanted| collectors::members(wanted, cluster, now));
    let (index, changes) = match before {
        Some(before) => before.index.next(cluster),
        None => (Index::new(cluster), Changes::default()),
    };
    let mut places = before.map(|before| before.places.clone()).unwrap_or_default();
    let common = CommonInputs {
        index: &index,
        changes: &changes,
        external,
        unread_nodes: cluster.unread_nodes.as_deref(),
        filter: config.filter,
        served,
        most: config.most_of_a_job,
        left: usize::MAX,
        keeping,
    };
    let (mut jobs, mut bytes) = (BTreeMap::new(), ObjectBytes::new(config.most_of_a_job));
    for planned in &plan.jobs {
        let (name, monitor) = (&planned.scrape_config.job_name, planned.monitor.as_ref());
        let known = before.and_then(|before| before.jobs.get(name)).map(|entry| &entry.job);
        let common = CommonInputs { left: bytes.left(monitor), ..common };
        let job = Job::next(known, planned, views, &common, &mut places, &mut report);
        bytes.take(monitor, &job);
        jobs.insert(name.clone(), job);
    }
    let owners = owners(config, cluster, members.as_ref(), &jobs)?;
    let jobs = shared(jobs, members.as_ref(), &owners, &mut report);
    let plain = views.merged.then(|| merged::plain_settings(&config.globals()));
    let mergeable: Vec<_> = match plain {
        Some(_) => jobs.values().map(|entry| Mergeable::new(&entry.job)).collect(),
        None => Vec::new(),
    };
    let all = JobSet::new(None, &mergeable, plain.as_ref(), &mut report);
    let pipelines = plan.pipelines.iter().map(|(name, own)| {
        // The report already says which jobs `/merged/targets` lacks, and the reasons are the same in each set.
        let set = JobSet::new(Some(Arc::clone(own)), &mergeable, plain.as_ref(), &mut Report::default());
        (name.clone(), set)
    });
    let pipelines = pipelines.collect();
    let has_fixed_members = matches!(config.collectors, Some(Collectors::Named(_)));
    let plan = Arc::clone(plan);
    let mut allocation =
        Allocation { plan, index, places, views, jobs, all, pipelines, members, has_fixed_members, report, made: now };
    allocation.add_to_report(room::report(&allocation, config.most_of_a_list));
    Ok(allocation)
}

/// The collectors of all targets, in the order of the jobs.
fn owners(
    config: &Config,
    cluster: &Cluster,
    members: Option<&Members>,
    jobs: &BTreeMap<String, Arc<Job>>,
) -> Result<Owners, RingError> {
    let reads_zones = config.strategy.reads_zones();
    let mut keys = Vec::with_capacity(jobs.values().map(|job| job.len()).sum());
    for (name, job) in jobs {
        let (weight, name) = (scrapes_per_hour(job), xxh64(name.as_bytes(), 0));
        keys.extend(job.targets().map(|(_, target)| {
            let zone =
                if target.zone.is_empty() && reads_zones { zone_of_node(cluster, &target.node) } else { &target.zone };
            let Target { address, node, identity, .. } = target;
            TargetKey { address: *address, node, zone, weight, identity: *identity, job: name }
        }));
    }
    shard::assign(config.strategy, members.unwrap_or(&Members::default()), &keys)
}

fn scrapes_per_hour(job: &Job) -> u32 {
    let interval = job.scrape_config().scrape_interval.as_millis().max(1);
    u32::try_from(3_600_000 / interval).unwrap_or(u32::MAX)
}

/// Adds the shares to the jobs. Unassigned targets are reported if there are collectors.
fn shared(
    jobs: BTreeMap<String, Arc<Job>>,
    members: Option<&Members>,
    owners: &Owners,
    report: &mut Report,
) -> BTreeMap<String, Entry> {
    let collectors = members.map_or(0, |members| members.collectors().len());
    let mut first = 0;
    let with_shares = |(name, job): (String, Arc<Job>)| {
        let shares = Shares::new(&job, first, collectors, owners);
        if let Some(members) = members.filter(|_| shares.unassigned > 0) {
            unassigned::report(&job, first, owners, members, report);
        }
        first += job.len();
        (name, Entry { job, shares })
    };
    jobs.into_iter().map(with_shares).collect()
}
