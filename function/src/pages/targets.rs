//! Targets, found by the server however many there are, and one target.

use askama::Template;
use memchr::memmem::Finder;
use target_allocator_core::allocation::Job;
use target_allocator_core::explain::target_trace;
use target_allocator_core::targets::Target as AllocatedTarget;

use super::explanation::{TargetView, follow_views};
use super::paging::{Paging, part};
use super::{Frame, NotShown, Page, Shown, href};

/// Targets on one page.
const TARGETS: usize = 100;

/// What stands for no collector in a search.
const NOBODY: &str = "none";

#[derive(Template)]
#[template(path = "targets.html")]
struct Targets {
    frame: Frame,
    query: String,
    job: String,
    collector: String,
    targets: Vec<TargetLine>,
    paging: Paging,
}

struct TargetLine {
    address: String,
    link: String,
    job: String,
    job_link: String,
    node: String,
    collectors: Vec<(String, String)>,
}

pub(super) fn targets(shown: &Shown<'_>) -> Result<String, NotShown> {
    let root = Page::Targets.root();
    let allocation = &shown.snapshot.allocation;
    let (query, only_job) = (shown.parameter("q"), shown.parameter("job_id"));
    let collector = shown.parameter("collector_id");
    let finder = Finder::new(query);
    let jobs = allocation.jobs().iter().filter(|(name, _)| only_job.is_empty() || name.as_str() == only_job);
    let all = jobs.flat_map(|(name, job)| {
        let whole = query.is_empty() || name.contains(query);
        job.targets.iter().enumerate().map(move |(position, target)| (name, job, position, target, whole))
    });
    // Labels are found too, as they stand in an answer.
    let found = all.filter(|(_, job, position, target, whole)| {
        (*whole || finder.find(&target.rendered).is_some()) && is_of(shown, job, *position, collector)
    });
    let parameters = [("q", query), ("job_id", only_job), ("collector_id", collector)];
    let (found, paging) = part(found, shown.parameter("page"), TARGETS, root, "debug/targets", &parameters);
    let targets = found.into_iter().map(|(name, job, position, target, _)| TargetLine {
        address: target.address.to_string(),
        link: target_href(root, name, target),
        job: name.clone(),
        job_link: href(root, "debug/job", &[("job_id", name)]),
        node: target.node.to_string(),
        collectors: allocation
            .owners(job, position)
            .map(|owner| (owner.name.clone(), href(root, "debug/collector", &[("collector_id", &owner.name)])))
            .collect(),
    });
    let page = Targets {
        frame: shown.frame(Page::Targets, "Targets"),
        query: query.to_owned(),
        job: only_job.to_owned(),
        collector: collector.to_owned(),
        targets: targets.collect(),
        paging,
    };
    Ok(page.render()?)
}

fn is_of(shown: &Shown<'_>, job: &Job, position: usize, collector: &str) -> bool {
    let mut owners = shown.snapshot.allocation.owners(job, position);
    match collector {
        "" => true,
        NOBODY => owners.next().is_none(),
        collector => owners.any(|owner| owner.name == collector),
    }
}

fn target_href(root: &str, job: &str, target: &AllocatedTarget) -> String {
    href(root, "debug/target", &[("job_id", job), ("target_hash", &format!("{:016x}", target.identity))])
}

#[derive(Template)]
#[template(path = "target.html")]
struct Target {
    frame: Frame,
    view: TargetView,
}

pub(super) fn target(shown: &Shown<'_>) -> Result<String, NotShown> {
    let (job, hash) = (shown.parameter("job_id"), shown.parameter("target_hash"));
    let unknown = || NotShown::Unknown(format!("there is no such target: {hash:?} of the job {job:?}"));
    let identity = u64::from_str_radix(hash, 16).map_err(|_| unknown())?;
    let trace = target_trace(shown.snapshot.world(), job, identity).ok_or_else(unknown)?;
    let title = format!("Target {}", trace.address);
    let view = follow_views(Page::Target.root(), vec![trace]).pop().ok_or_else(unknown)?;
    Ok(Target { frame: shown.frame(Page::Target, title), view }.render()?)
}
