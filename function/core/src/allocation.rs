//! The whole of it: jobs, their targets, and who scrapes which.
//!
//! Input: the config, the objects of a cluster, and the allocation before. Output:
//! everything that an answer needs, and a report; what did not change is shared with
//! the allocation before. The stages are separate functions because the shell lists
//! objects between them: first what decides which monitors are selected, then the
//! secrets that those name, then what their jobs discover.

mod collectors;
mod job;
mod kinds;
mod merged;
mod plan;
mod shares;
#[cfg(test)]
mod tests;
mod unassigned;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

pub use collectors::{NotCollecting, not_collecting};
pub use job::Job;
pub use kinds::{Kind, kinds_of_monitors};
pub use merged::{Form, MergedJob};
pub use plan::{Plan, PlannedJob, WrittenRules, is_planned_alike, plan, references};

use crate::config::Config;
use crate::discovery::external::External;
use crate::discovery::{Changes, Index};
use crate::objects::Cluster;
use crate::report::Report;
use crate::shard::consistent_hashing::RingError;
use crate::shard::{self, Collector, Members, Owners, TargetKey};
use crate::targets::{GroupTargets, Locations, ServedLabels, Target, Views};
use collectors::zone_of_node;
use job::Making;
use shares::Shares;

/// Jobs, targets and owners: what answers are made of.
#[derive(Debug)]
pub struct Allocation {
    plan: Arc<Plan>,
    index: Index,
    places: Locations,
    views: Views,
    jobs: BTreeMap<String, Entry>,
    merged: BTreeMap<String, MergedJob>,
    members: Option<Members>,
    report: Report,
}

#[derive(Debug)]
struct Entry {
    job: Arc<Job>,
    shares: Shares,
}

/// What an allocation is made of.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The settings.
    pub config: &'a Config,
    /// The jobs; must be made of these settings.
    pub plan: &'a Arc<Plan>,
    /// All objects of [`Plan::kinds`].
    pub cluster: &'a Cluster,
    /// What is known of [`Plan::external`].
    pub external: &'a External,
    /// Which labels are served.
    pub served: ServedLabels,
    /// In which forms targets are served.
    pub views: Views,
    /// Decides how long a collector has not been ready.
    pub now: Timestamp,
}

impl Allocation {
    /// The jobs by name, those without targets too.
    pub fn jobs(&self) -> impl ExactSizeIterator<Item = (&str, &Job)> {
        self.jobs.iter().map(|(name, entry)| (name.as_str(), entry.job.as_ref()))
    }

    /// The job of that name.
    #[must_use]
    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.get(name).map(|entry| entry.job.as_ref())
    }

    /// The jobs of the merged view by name; none if that view was not asked for.
    #[must_use]
    pub const fn merged(&self) -> &BTreeMap<String, MergedJob> {
        &self.merged
    }

    /// The forms in which targets are served.
    #[must_use]
    pub const fn views(&self) -> Views {
        self.views
    }

    /// The collectors; `None` if the config does not say who they are.
    #[must_use]
    pub const fn members(&self) -> Option<&Members> {
        self.members.as_ref()
    }

    /// The jobs as they were planned.
    #[must_use]
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The objects that targets were discovered in.
    #[must_use]
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// Everything that was left out.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Adds what was left out before the objects came here.
    pub fn add_to_report(&mut self, report: Report) {
        let mut all = std::mem::take(&mut self.report);
        all.extend(report);
        self.report = all.sorted();
    }

    /// The targets of the job of that name that belong to the collector of that name,
    /// with the groups that hold their texts; none if there is no such job or collector.
    pub fn share(&self, job: &str, collector: &str) -> impl Iterator<Item = (&GroupTargets, &Target)> {
        let index = self.members.as_ref().and_then(|members| members.index_of(collector));
        let share = self.jobs.get(job).zip(index);
        share.into_iter().flat_map(|(Entry { job, shares }, index)| {
            shares.of(index).iter().map(|position| job.target(*position as usize))
        })
    }

    /// The collectors that have the target at that position of the job of that name, in their order.
    pub fn owners(&self, job: &str, position: usize) -> impl Iterator<Item = &Collector> {
        let collectors = self.members.as_ref().map(Members::collectors).unwrap_or_default();
        let shares = self.jobs.get(job).map(|entry| &entry.shares);
        let having =
            (0..).zip(collectors).filter(move |(index, _)| shares.is_some_and(|shares| shares.has(*index, position)));
        having.map(|(_, collector)| collector)
    }

    /// How many targets of the job of that name nobody has.
    #[must_use]
    pub fn unassigned(&self, job: &str) -> usize {
        self.jobs.get(job).map(|entry| entry.shares.unassigned).unwrap_or_default()
    }

    /// How many targets there are, and how many of them nobody scrapes.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let entries = self.jobs.values();
        entries.fold((0, 0), |(all, unassigned), entry| (all + entry.job.len(), unassigned + entry.shares.unassigned))
    }
}

/// Finds the targets of the planned jobs and gives them to the collectors. What
/// `before` was made of and did not change since is not made again.
///
/// # Errors
/// When the strategy cannot handle that many collectors.
pub fn allocate(inputs: Inputs<'_>, before: Option<&Allocation>) -> Result<Allocation, RingError> {
    let Inputs { config, plan, cluster, external, served, views, now } = inputs;
    let mut report = plan.report.clone();
    let members = config.collectors.as_ref().map(|wanted| collectors::members(wanted, cluster, now));
    let (index, changes) = match before {
        Some(before) => before.index.next(cluster),
        None => (Index::new(cluster), Changes::default()),
    };
    let mut places = before.map(|before| before.places.clone()).unwrap_or_default();
    let making = Making {
        index: &index,
        changes: &changes,
        external,
        filter: config.filter,
        served,
        most: config.most_of_a_job,
    };
    let mut jobs = BTreeMap::new();
    for planned in &plan.jobs {
        let name = &planned.scrape_config.job_name;
        let known = before.and_then(|before| before.jobs.get(name)).map(|entry| &entry.job);
        jobs.insert(name.clone(), Job::next(known, planned, views, &making, &mut places, &mut report));
    }
    let owners = owners(config, cluster, members.as_ref(), &jobs)?;
    let jobs = shared(jobs, members.as_ref(), &owners, &mut report);
    let merged = if views.merged {
        merged::merge(jobs.values().map(|entry| entry.job.as_ref()), &config.globals())
    } else {
        BTreeMap::new()
    };
    Ok(Allocation { plan: Arc::clone(plan), index, places, views, jobs, merged, members, report: report.sorted() })
}

/// The owners of all targets, in the order of the jobs.
fn owners(
    config: &Config,
    cluster: &Cluster,
    members: Option<&Members>,
    jobs: &BTreeMap<String, Arc<Job>>,
) -> Result<Owners, RingError> {
    let reads_zones = config.strategy.reads_zones();
    let mut keys = Vec::with_capacity(jobs.values().map(|job| job.len()).sum());
    for job in jobs.values() {
        let weight = scrapes_per_hour(job);
        keys.extend(job.targets().map(|(_, target)| {
            let zone =
                if target.zone.is_empty() && reads_zones { zone_of_node(cluster, &target.node) } else { &target.zone };
            TargetKey { address: target.address, node: &target.node, zone, weight, identity: target.identity }
        }));
    }
    shard::assign(config.strategy, members.unwrap_or(&Members::default()), &keys)
}

fn scrapes_per_hour(job: &Job) -> u32 {
    let interval = job.scrape_config().scrape_interval.as_millis().max(1);
    u32::try_from(3_600_000 / interval).unwrap_or(u32::MAX)
}

/// The jobs with their shares; targets that nobody has are reported if there are collectors.
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
        if members.is_some() && shares.unassigned > 0 {
            unassigned::report(&job, first, owners, report);
        }
        first += job.len();
        (name, Entry { job, shares })
    };
    jobs.into_iter().map(with_shares).collect()
}
