//! The pages of all jobs, one job, and the scrape configs.
//!
//! These pages always hide credentials, even if `SECRETS=inline` shows them to collectors.

use std::collections::BTreeMap;

use askama::Template;
use target_allocator_core::allocation::Job as AllocatedJob;
use target_allocator_core::explain::{JobTrace, job_trace};
use target_allocator_core::similar::similar;

use super::explanation::{TargetView, target_views};
use super::paging::{Paging, part};
use super::{Frame, NotShown, Page, Shown, explain_href, href};
use crate::snapshot::Served;

/// Number of jobs on one page.
const JOBS: usize = 200;

/// Number of scrape configs on one page. Fewer than jobs, because a config can have hundreds of lines.
const CONFIGS: usize = 50;

#[derive(Template)]
#[template(path = "jobs.html")]
struct Jobs {
    frame: Frame,
    path: String,
    query: String,
    jobs: Vec<JobLine>,
    paging: Paging,
}

struct JobLine {
    name: String,
    link: String,
    monitor: Option<TextWithLink>,
    targets: usize,
    unassigned: usize,
    unknown: bool,
}

/// A text that can be a link.
struct TextWithLink {
    text: String,
    link: Option<String>,
}

/// The path of a list below the base, for its search form and for the links to its other parts.
fn path(page: Page, served: Served<'_>) -> String {
    let own = match page {
        Page::JobsOfCollectors | Page::JobsOfPipeline => "jobs",
        Page::ScrapeConfigs => "debug/scrape_configs",
        Page::ScrapeConfigsOfCollectors | Page::ScrapeConfigsOfPipeline => "scrape_configs",
        _ => "debug/jobs",
    };
    format!("{}/{own}", served.path()).trim_start_matches('/').to_owned()
}

/// The title of a list of the jobs, or of the jobs of a pipeline.
fn title(title: &str, served: Served<'_>) -> String {
    served.pipeline.map_or_else(|| title.to_owned(), |name| format!("{title} of the pipeline {name}"))
}

fn matching<'a>(shown: &Shown<'a>, query: &str) -> impl Iterator<Item = (&'a str, &'a AllocatedJob)> + use<'a> {
    let query = query.to_lowercase();
    let jobs = shown.served.jobs.jobs(&shown.snapshot.allocation);
    jobs.filter(move |(name, _)| query.is_empty() || name.to_lowercase().contains(&query))
}

fn monitor(root: &str, job: &AllocatedJob) -> Option<TextWithLink> {
    job.monitor().map(|monitor| TextWithLink { text: monitor.to_string(), link: explain_href(root, monitor) })
}

pub(super) fn jobs(page: Page, shown: &Shown<'_>) -> Result<String, NotShown> {
    let (root, path, query) = (page.root(), path(page, shown.served), shown.parameter("q"));
    let allocation = &shown.snapshot.allocation;
    let parameters = [("q", query)];
    let (jobs, paging) = part(matching(shown, query), shown.parameter("page"), JOBS, root, &path, &parameters);
    let jobs = jobs.into_iter().map(|(name, job)| JobLine {
        name: name.to_owned(),
        link: href(root, "debug/job", &[("job_id", name)]),
        monitor: monitor(root, job),
        targets: job.len(),
        unassigned: allocation.unassigned(name),
        unknown: job.unknown().is_some(),
    });
    let frame = shown.frame(page, title("Jobs", shown.served));
    Ok(Jobs { frame, path, query: query.to_owned(), jobs: jobs.collect(), paging }.render()?)
}

#[derive(Template)]
#[template(path = "job.html")]
struct Job {
    frame: Frame,
    monitor: Option<TextWithLink>,
    trace: JobTrace,
    shares: Vec<ShareLine>,
    targets: String,
    config: String,
    examples: Vec<TargetView>,
}

struct ShareLine {
    name: String,
    link: String,
    targets: usize,
    list: String,
}

pub(super) fn job(shown: &Shown<'_>) -> Result<String, NotShown> {
    let root = Page::Job.root();
    let name = shown.required("job_id")?;
    let (Some(job), Some(mut trace)) = (shown.snapshot.allocation.job(name), job_trace(shown.snapshot.world(), name))
    else {
        let names: Vec<_> = shown.snapshot.allocation.jobs().map(|(name, _)| name).collect();
        let hint = similar(name, &names).map(|name| format!(" (did you mean {name}?)")).unwrap_or_default();
        return Err(NotShown::Unknown(format!("no job has this name: {name:?}{hint}")));
    };
    let examples = target_views(root, std::mem::take(&mut trace.examples));
    let shares = trace.collectors.iter().map(|(collector, targets)| ShareLine {
        name: collector.clone(),
        link: href(root, "debug/collector", &[("collector_id", collector)]),
        targets: *targets,
        list: href(root, "debug/targets", &[("job_id", name), ("collector_id", collector)]),
    });
    let page = Job {
        frame: shown.frame(Page::Job, format!("Job {name}")),
        monitor: monitor(root, job),
        shares: shares.collect(),
        targets: href(root, "debug/targets", &[("job_id", name)]),
        config: shown_config(job),
        trace,
        examples,
    };
    Ok(page.render()?)
}

/// A scrape config as JSON, with masked secrets.
fn shown_config(job: &AllocatedJob) -> String {
    // Sorted by name, as in the response to collectors.
    let fields: BTreeMap<String, serde_json::Value> =
        serde_json::to_value(job.scrape_config()).and_then(serde_json::from_value).unwrap_or_default();
    serde_json::to_string_pretty(&fields).unwrap_or_default()
}

#[derive(Template)]
#[template(path = "scrape_configs.html")]
struct ScrapeConfigs {
    frame: Frame,
    path: String,
    query: String,
    configs: Vec<Config>,
    paging: Paging,
}

struct Config {
    name: String,
    link: String,
    text: String,
}

pub(super) fn scrape_configs(page: Page, shown: &Shown<'_>) -> Result<String, NotShown> {
    let (root, path, query) = (page.root(), path(page, shown.served), shown.parameter("q"));
    let parameters = [("q", query)];
    let (jobs, paging) = part(matching(shown, query), shown.parameter("page"), CONFIGS, root, &path, &parameters);
    let configs = jobs.into_iter().map(|(name, job)| Config {
        name: name.to_owned(),
        link: href(root, "debug/job", &[("job_id", name)]),
        text: shown_config(job),
    });
    let frame = shown.frame(page, title("Scrape configs", shown.served));
    Ok(ScrapeConfigs { frame, path, query: query.to_owned(), configs: configs.collect(), paging }.render()?)
}
