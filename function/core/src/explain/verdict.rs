//! The state of the allocator: healthy, or a list of problems in order of harm.
//!
//! Input: the [`World`] and the state of its refreshes. Output: each problem with its reason, and links to explanations.

use std::collections::BTreeSet;
use std::time::Duration;

use super::question::{MonitorKind, Question};
use super::selected::why_none_is_selected;
use super::{World, counted, owner};
use crate::allocation::Job;
use crate::objects::Object;
use crate::report::{Entry, ObjectRef, Outcome};
use crate::shard::{Members, Strategy};

/// Maximum number of explanations that one problem links to.
const MOST_LINKS: usize = 3;

/// A job is near the limit of a response from this share of it on, in percent.
const NEAR_PERCENT: usize = 80;

/// Shares are uneven if the largest has more than this percentage of the mean.
const UNEVEN_PERCENT: usize = 150;

/// Shares that differ by fewer targets are never uneven. Hashing cannot balance small numbers.
const UNEVEN_TARGETS: usize = 10;

/// The state of the refreshes of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct Refresh<'a> {
    /// The age of the snapshot.
    pub age: Duration,
    /// The age up to which a snapshot serves if refreshes fail.
    pub max_stale: Duration,
    /// Why the last refresh failed. `None` if it succeeded.
    pub failure: Option<&'a str>,
}

/// A kind of problem. The order is the order of harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named as what is wrong")]
pub enum ProblemKind {
    Stale,
    NoCollectors,
    NoMonitors,
    Unassigned,
    UnknownTargets,
    JobsWithoutTargets,
    Refused,
    NearLimit,
    UnevenShares,
}

/// What a link of a problem leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The history of refreshes.
    Refreshes,
    /// The page of all collectors.
    Collectors,
    /// The page of all jobs.
    Jobs,
    /// The page of one job.
    Job(String),
    /// The list of the targets that no collector is assigned.
    Unassigned,
    /// The page of the report.
    Report,
    /// An explanation.
    Explanation(Question),
}

/// A link of a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as what they hold")]
pub struct Link {
    pub text: String,
    pub about: About,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The kind of the problem.
    pub kind: ProblemKind,
    /// What is wrong and why, in one sentence without a full stop.
    pub text: String,
    /// Where to read more. The first link explains the problem best.
    pub links: Vec<Link>,
}

impl Link {
    fn new(text: impl Into<String>, about: About) -> Self {
        Self { text: text.into(), about }
    }
}

/// What is wrong, the most harmful problem first. Empty if the allocator is healthy.
#[must_use]
pub fn verdict(world: World<'_>, refresh: Refresh<'_>) -> Vec<Problem> {
    let found = [
        stale(refresh),
        no_collectors(world),
        no_monitors(world),
        unassigned(world),
        unknown_targets(world),
        jobs_without_targets(world),
        refused(world),
        near_limit(world),
        uneven_shares(world),
    ];
    found.into_iter().flatten().collect()
}

fn stale(refresh: Refresh<'_>) -> Option<Problem> {
    let message = refresh.failure?;
    let (age, most) = (words(refresh.age), words(refresh.max_stale));
    Some(Problem {
        kind: ProblemKind::Stale,
        text: format!(
            "the last refresh failed; the snapshot is {age} old and serves until it is {most} old: {message}"
        ),
        links: vec![Link::new("refreshes", About::Refreshes)],
    })
}

/// A short text for a time span: `12 s`, `3 min`, `2 h`.
fn words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

fn no_collectors(world: World<'_>) -> Option<Problem> {
    let text = format!("no target is scraped: {}", owner::why_no_collector(world)?);
    Some(Problem { kind: ProblemKind::NoCollectors, text, links: vec![Link::new("collectors", About::Collectors)] })
}

/// A config without monitors is healthy if it has jobs of its own.
fn no_monitors(world: World<'_>) -> Option<Problem> {
    if world.config.monitors.is_none() && !world.plan().jobs().is_empty() {
        return None;
    }
    let text = why_none_is_selected(world)?;
    let cluster = world.cluster;
    let first = [
        cluster.service_monitors.iter().next().map(|monitor| monitor.object_ref()),
        cluster.pod_monitors.iter().next().map(|monitor| monitor.object_ref()),
        cluster.probes.iter().next().map(|monitor| monitor.object_ref()),
        cluster.scrape_configs.iter().next().map(|monitor| monitor.object_ref()),
    ];
    let links = first.iter().flatten().take(1).filter_map(explanation).collect();
    Some(Problem { kind: ProblemKind::NoMonitors, text, links })
}

fn unassigned(world: World<'_>) -> Option<Problem> {
    let (all, unassigned) = world.allocation.counts();
    if unassigned == 0 || owner::why_no_collector(world).is_some() {
        return None;
    }
    let allocation = world.allocation;
    let mut jobs = allocation.jobs().filter(|(name, _)| allocation.unassigned(name) > 0);
    let first = jobs.next().and_then(|(name, job)| {
        let position = (0..job.len()).find(|at| allocation.owners(name, *at).next().is_none())?;
        Some(owner::why_unassigned(world, job.target(position).1))
    });
    Some(Problem {
        kind: ProblemKind::Unassigned,
        text: format!(
            "no collector is assigned {unassigned} of {}: {}",
            counted(all, "target"),
            first.unwrap_or_default()
        ),
        links: vec![Link::new("unassigned targets", About::Unassigned)],
    })
}

fn unknown_targets(world: World<'_>) -> Option<Problem> {
    let jobs: Vec<_> = world.allocation.jobs().filter(|(_, job)| job.unknown().is_some()).collect();
    let (_, first) = jobs.first()?;
    let (count, why) = (counted(jobs.len(), "job"), first.unknown().unwrap_or_default());
    let text = format!("the targets of {count} are not known: {why}");
    Some(Problem { kind: ProblemKind::UnknownTargets, text, links: links_of_jobs(&jobs) })
}

fn jobs_without_targets(world: World<'_>) -> Option<Problem> {
    let all = world.allocation.jobs();
    let count = all.len();
    let jobs: Vec<_> = all.filter(|(_, job)| job.is_empty() && job.unknown().is_none()).collect();
    if jobs.is_empty() {
        return None;
    }
    let verb = if jobs.len() == 1 { "has" } else { "have" };
    let text = format!("{} of {} {verb} no targets", jobs.len(), counted(count, "job"));
    Some(Problem { kind: ProblemKind::JobsWithoutTargets, text, links: links_of_jobs(&jobs) })
}

/// Links to the first jobs, or to the explanations of their monitors, and to the page of all jobs.
fn links_of_jobs(jobs: &[(&str, &Job)]) -> Vec<Link> {
    let mut monitors: BTreeSet<&ObjectRef> = BTreeSet::new();
    let mut links = Vec::new();
    for (name, job) in jobs {
        match job.monitor() {
            Some(monitor) if monitors.insert(monitor) => links.extend(explanation(monitor)),
            Some(_) => {}
            None => links.push(Link::new(*name, About::Job((*name).to_owned()))),
        }
        if links.len() == MOST_LINKS {
            break;
        }
    }
    if jobs.len() > links.len() {
        links.push(Link::new("all jobs", About::Jobs));
    }
    links
}

fn refused(world: World<'_>) -> Option<Problem> {
    let is_refused = |entry: &&Entry| {
        matches!(entry.outcome, Outcome::Malformed | Outcome::Refused | Outcome::JobLeftOut | Outcome::Unlisted)
    };
    let entries: Vec<_> = world.allocation.report().entries().iter().filter(is_refused).collect();
    let first = entries.first()?;
    let mut objects: Vec<&ObjectRef> = entries.iter().map(|entry| &entry.object).collect();
    objects.dedup();
    let (count, verb) = (counted(objects.len(), "object"), if objects.len() == 1 { "is" } else { "are" });
    let mut links: Vec<_> = objects.iter().take(MOST_LINKS).filter_map(|object| explanation(object)).collect();
    links.push(Link::new("all problems", About::Report));
    Some(Problem {
        kind: ProblemKind::Refused,
        text: format!("{count} {verb} refused, in full or in part: {first}"),
        links,
    })
}

fn near_limit(world: World<'_>) -> Option<Problem> {
    let most = world.config.most_of_a_job;
    if most == usize::MAX {
        return None;
    }
    let sizes = world.allocation.jobs().map(|(name, job)| (job.size(), name));
    let (size, name) = sizes.max().filter(|(size, _)| size.saturating_mul(100) >= most.saturating_mul(NEAR_PERCENT))?;
    let percent = size.saturating_mul(100) / most.max(1);
    Some(Problem {
        kind: ProblemKind::NearLimit,
        text: format!(
            "the targets of the job {name} take {percent} % of the {most} bytes that a response can have; a job above \
             the limit is not served"
        ),
        links: vec![Link::new(name, About::Job(name.to_owned()))],
    })
}

/// Shares by node are as uneven as the nodes, so they are no problem.
fn uneven_shares(world: World<'_>) -> Option<Problem> {
    let Strategy::Spread { .. } = world.config.strategy else { return None };
    let allocation = world.allocation;
    let collectors = allocation.members().map(Members::collectors).unwrap_or_default();
    let share = |name: &str| allocation.jobs().map(|(job, _)| allocation.share(job, name).count()).sum::<usize>();
    let shares: Vec<_> = collectors.iter().map(|collector| (share(&collector.name), &collector.name)).collect();
    let all: usize = shares.iter().map(|(share, _)| share).sum();
    let (largest, name) = shares.iter().max()?;
    let mean = all / shares.len();
    if *largest <= mean + UNEVEN_TARGETS || largest * 100 <= mean * UNEVEN_PERCENT {
        return None;
    }
    Some(Problem {
        kind: ProblemKind::UnevenShares,
        text: format!("shares are uneven: {name} has {largest} targets, and the mean is {mean}"),
        links: vec![
            Link::new(*name, About::Explanation(Question::Collector { id: (*name).clone() })),
            Link::new("collectors", About::Collectors),
        ],
    })
}

/// The link to the explanation of a monitor. `None` for other objects.
fn explanation(object: &ObjectRef) -> Option<Link> {
    let ObjectRef { namespace, name, .. } = object;
    let question =
        Question::Monitor { kind: MonitorKind::of(object)?, namespace: namespace.clone(), name: name.clone() };
    Some(Link::new(object.to_string(), About::Explanation(question)))
}
