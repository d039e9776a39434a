//! The whole of it: jobs, their targets, and who scrapes which.
//!
//! Input: the config and the objects of a cluster. Output: everything that an
//! answer needs, and a report. The stages are separate functions because the
//! shell lists objects between them: first what decides which monitors are
//! selected, then the secrets that those name, then what their jobs discover.

mod collectors;
mod kinds;
mod plan;
mod unassigned;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use collectors::{NotCollecting, not_collecting};
pub use kinds::{Kind, kinds_of_monitors};
pub use plan::{Plan, PlannedJob, WrittenRules, plan, references};

use crate::config::Config;
use crate::discovery::external::{Answer, External, ExternalGroup};
use crate::discovery::{Group, Index, Wanted, static_groups};
use crate::labels::META_PREFIX;
use crate::objects::Cluster;
use crate::report::{ObjectRef, Outcome, Report};
use crate::scrape_config::ScrapeConfig;
use crate::shard::consistent_hashing::RingError;
use crate::shard::{self, Collector, Members, Owners};
use crate::targets::{Maker, ServedLabels, Target};

/// Jobs, targets and owners: what answers are made of.
#[derive(Debug)]
pub struct Allocation {
    jobs: BTreeMap<String, Job>,
    members: Option<Members>,
    owners: Owners,
    report: Report,
}

/// A job and its targets.
#[derive(Debug)]
pub struct Job {
    /// What collectors are told of it.
    pub scrape_config: ScrapeConfig,
    /// The monitor that it comes from; `None` for one of `config.scrape_configs`.
    pub monitor: Option<ObjectRef>,
    /// Its targets, in the order of discovery.
    pub targets: Vec<Target>,
    /// Why its targets are not known; then there are none here, and nobody must be told so.
    pub unknown: Option<String>,
    /// Position of its first target among those of all jobs.
    first: usize,
}

impl Allocation {
    /// The jobs by name, those without targets too.
    #[must_use]
    pub const fn jobs(&self) -> &BTreeMap<String, Job> {
        &self.jobs
    }

    /// The collectors; `None` if the config does not say who they are.
    #[must_use]
    pub const fn members(&self) -> Option<&Members> {
        self.members.as_ref()
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

    /// The targets of `job` that belong to the collector of that name; none if there is no such collector.
    pub fn share<'a>(&'a self, job: &'a Job, collector: &str) -> impl Iterator<Item = &'a Target> {
        let collector = self.members.as_ref().and_then(|members| members.index_of(collector));
        job.targets.iter().enumerate().filter_map(move |(position, target)| {
            let mut owners = self.owners.of(job.first + position);
            owners.any(|owner| Some(owner) == collector).then_some(target)
        })
    }

    /// The collectors that have the target at that position of the job.
    pub fn owners<'a>(&'a self, job: &Job, position: usize) -> impl Iterator<Item = &'a Collector> {
        let collectors = self.members.as_ref().map(Members::collectors).unwrap_or_default();
        self.owners.of(job.first + position).filter_map(|owner| collectors.get(owner as usize))
    }

    /// How many targets there are, and how many of them nobody scrapes.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let targets = self.jobs.values().map(|job| job.targets.len()).sum();
        (targets, (0..targets).filter(|position| self.owners.of(*position).next().is_none()).count())
    }
}

/// Finds the targets of the planned jobs and gives them to the collectors.
///
/// `cluster` must hold all objects of [`Plan::kinds`], `external` what is known of
/// [`Plan::external`]; `now` decides how long a collector has not been ready.
///
/// # Errors
/// When the strategy cannot handle that many collectors.
pub fn allocate(
    config: &Config,
    plan: Plan,
    cluster: &Cluster,
    external: &External,
    served: ServedLabels,
    now: Timestamp,
) -> Result<Allocation, RingError> {
    let Plan { jobs: planned, mut report } = plan;
    let members = config.collectors.as_ref().map(|wanted| collectors::members(wanted, cluster, now));
    let index = Index::new(cluster);
    let mut jobs = BTreeMap::new();
    for planned in planned {
        let (targets, unknown) = match planned.external_groups(external, &mut report) {
            Ok(groups) => (planned.targets(&index, &groups, config.filter, served), None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        let PlannedJob { scrape_config, monitor, .. } = planned;
        jobs.insert(scrape_config.job_name.clone(), Job { scrape_config, monitor, targets, unknown, first: 0 });
    }
    let mut first = 0;
    for job in jobs.values_mut() {
        job.first = first;
        first += job.targets.len();
    }
    let keys: Vec<_> = jobs.values().flat_map(|job| &job.targets).map(Target::key).collect();
    let owners = shard::assign(config.strategy, members.as_ref().unwrap_or(&Members::default()), &keys)?;
    drop(keys);
    if members.is_some() {
        unassigned::report(&jobs, &owners, &mut report);
    }
    Ok(Allocation { jobs, members, owners, report: report.sorted() })
}

impl PlannedJob {
    /// What the job's sources answered, or why one of them never did. Either is reported.
    fn external_groups<'a>(
        &self,
        external: &'a External,
        report: &mut Report,
    ) -> Result<Vec<&'a ExternalGroup>, String> {
        let mut groups = Vec::new();
        let mut unknown = None;
        for source in &self.sources {
            match external.answers.get(&source.key) {
                Some(Answer::Known(known)) => groups.extend(known.iter()),
                Some(Answer::Kept(known, reason)) => {
                    groups.extend(known.iter());
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

    /// Finds the targets of the job.
    fn targets(&self, index: &Index, external: &[&ExternalGroup], filter: bool, served: ServedLabels) -> Vec<Target> {
        let mut maker = Maker::new(&self.scrape_config, &self.rules, filter, served);
        let wanted = match served {
            ServedLabels::All => Wanted::ALL,
            ServedLabels::Referenced => Wanted::new(index, |name| maker.wants(name)),
        };
        for query in &self.queries {
            for group in query.groups(index, &wanted).map(Group::target_group) {
                maker.add(group.label_sets());
            }
        }
        for group in static_groups(&self.scrape_config.service_discovery.r#static) {
            maker.add(group.label_sets());
        }
        let mut known = BTreeMap::new();
        for group in external {
            let wants = |name: &str| match known.get(name) {
                Some(wants) => *wants,
                None => *known.entry(name.to_owned()).or_insert(!name.starts_with(META_PREFIX) || maker.wants(name)),
            };
            let group = group.target_group(wants);
            maker.add(group.label_sets());
        }
        maker.finish()
    }
}
