//! The pages of all targets, with a search on the server, and of one target.

use askama::Template;
use memchr::memmem::Finder;
use serde::Deserialize;
use target_allocator_core::explain::target_trace;
use target_allocator_core::targets::{Target as AllocatedTarget, escape};

use super::explanation::{TargetView, target_views};
use super::paging::{Paging, part};
use super::{Frame, NotShown, Page, Shown, href};

/// Number of targets on one page.
const TARGETS: usize = 100;

/// Value of `collector_id` that selects targets without a collector.
const UNASSIGNED: &str = "none";

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
    let mut searched = String::new();
    escape(query, &mut searched);
    let finder = Finder::new(&searched);
    let jobs = allocation.jobs().filter(|(name, _)| only_job.is_empty() || *name == only_job);
    let all = jobs.flat_map(|(name, job)| {
        let whole = query.is_empty() || name.contains(query);
        job.targets()
            .enumerate()
            .map(move |(position, (group, target))| (name, position, group.plain(target), target, whole))
    });
    // The search covers the whole rendered target, and therefore its labels too.
    let found = all.filter(|(name, position, text, _, whole)| {
        (*whole || finder.find(text.escaped().as_bytes()).is_some()) && is_assigned(shown, name, *position, collector)
    });
    let parameters = [("q", query), ("job_id", only_job), ("collector_id", collector)];
    let (found, paging) = part(found, shown.parameter("page"), TARGETS, root, "debug/targets", &parameters);
    let targets = found.into_iter().map(|(name, position, text, target, _)| TargetLine {
        address: address(&text.json()),
        link: target_href(root, name, target),
        job: name.to_owned(),
        job_link: href(root, "debug/job", &[("job_id", name)]),
        node: target.node.to_string(),
        collectors: allocation
            .owners(name, position)
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

/// Whether the target at `position` of `job` belongs to the requested collector.
fn is_assigned(shown: &Shown<'_>, job: &str, position: usize, collector: &str) -> bool {
    let mut owners = shown.snapshot.allocation.owners(job, position);
    match collector {
        "" => true,
        UNASSIGNED => owners.next().is_none(),
        collector => owners.any(|owner| owner.name == collector),
    }
}

/// The address in the rendered text of a target. Empty if the text is empty.
fn address(text: &str) -> String {
    #[derive(Deserialize)]
    struct Group {
        targets: [String; 1],
    }
    // The text is empty if the snapshot does not have this view.
    serde_json::from_str::<Group>(text).map(|group| group.targets.concat()).unwrap_or_default()
}

fn target_href(root: &str, job: &str, target: &AllocatedTarget) -> String {
    href(root, "debug/target", &[("job_id", job), ("target_hash", &target.identity.to_string())])
}

#[derive(Template)]
#[template(path = "target.html")]
struct Target {
    frame: Frame,
    view: TargetView,
}

pub(super) fn target(shown: &Shown<'_>) -> Result<String, NotShown> {
    let (hash, only_job) = (shown.required("target_hash")?, shown.parameter("job_id"));
    let identity = identity(hash)?;
    let unknown = || NotShown::Unknown(format!("no target has this target_hash: {hash:?}"));
    let job = holder(shown, only_job, identity).ok_or_else(unknown)?;
    let trace = target_trace(shown.snapshot.world(), job, identity).ok_or_else(unknown)?;
    let title = format!("Target {}", trace.address);
    let view = target_views(Page::Target.root(), vec![trace]).pop().ok_or_else(unknown)?;
    Ok(Target { frame: shown.frame(Page::Target, title), view }.render()?)
}

/// The hash of a target, as the operator's allocator reads it: a number, and not zero.
fn identity(hash: &str) -> Result<u64, NotShown> {
    let wrong = || {
        NotShown::Bad(format!(
            "target_hash must be the number of a target, as in /debug/target?target_hash=42: {hash:?}"
        ))
    };
    hash.parse().ok().filter(|identity| *identity != 0).ok_or_else(wrong)
}

/// The job that has a target of this hash. The hash is made of the job's name too, so it is one job only.
fn holder<'a>(shown: &Shown<'a>, only_job: &str, identity: u64) -> Option<&'a str> {
    let mut jobs = shown.snapshot.allocation.jobs().filter(|(name, _)| only_job.is_empty() || *name == only_job);
    jobs.find(|(_, job)| job.targets().any(|(_, target)| target.identity == identity)).map(|(name, _)| name)
}
