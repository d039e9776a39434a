//! The table of routes, and the search for the route of a path.
//!
//! Input: a path without stage and base path. If only one cluster is served, any path can precede the route. Output:
//! the row of [`ROUTES`], the name of the pipeline, and the texts that can name a job. The table contains all
//! differences between routes. To add a route, add a row.

mod cluster;
mod pipeline;

use target_allocator_core::targets::Views;

use super::answer::Answer;
use super::event::Asked;
use super::lists;
use super::request::Request;
use crate::pages::Page;
pub use cluster::{Located, locate};

/// A route.
#[derive(Debug)]
pub struct Route {
    /// The path after the name of the cluster. `{job}` and `{pipeline}` are placeholders for names.
    pub pattern: &'static str,
    /// The name in the metrics. Several routes may share a name.
    pub name: &'static str,
    /// The permission that a caller needs.
    pub permission: Permission,
    /// The views that the snapshot must contain for the answer.
    pub views: Views,
    /// When the answer is a page.
    pub page: Shown,
    /// The handler of the route, if the answer is not a page.
    pub answer: fn(&Request<'_>) -> Answer,
}

/// The permission that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Anyone, even if no cluster can be read. The answer contains no data.
    Always,
    /// Anyone, if a snapshot exists. The answer contains no data.
    Anyone,
    /// Callers that the config admits.
    Admitted,
    /// Admitted callers that may see all shares.
    AllShares,
    /// Admitted callers, for their own share. `collector_id` can name the share.
    Share,
}

/// When a route shows a page for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Never.
    Never,
    /// If the client accepts HTML.
    ToBrowsers(Page),
    /// Always.
    Always(Page),
}

/// The route of a path.
#[derive(Debug, Clone)]
pub struct Found<'p> {
    /// The row of the table.
    pub route: &'static Route,
    /// The part of the path before the route.
    pub base: &'p str,
    /// The name of the pipeline, if the route belongs to a pipeline. The config may have no such pipeline.
    pub pipeline: Option<&'p str>,
    /// The texts after each `/jobs/` of the path, if the route names a job. One of these texts names the job.
    pub rests: Vec<&'p str>,
}

use Permission::{Admitted, AllShares, Always, Anyone, Share};
use Shown::Never;

const NONE: Views = Views::NONE;
const PLAIN: Views = Views::PLAIN;
const MERGED: Views = Views::MERGED;

/// All routes. `docs/security.md` lists the permission of each route, and a test finds each pattern there.
pub const ROUTES: [Route; 27] = [
    row("/livez", "livez", Always, NONE, Never, lists::nothing),
    row("/readyz", "readyz", Anyone, NONE, Never, lists::ready),
    row("/", "index", Admitted, NONE, html(Page::Overview), lists::index),
    row("/scrape_configs", "scrape_configs", Admitted, PLAIN, html(Page::ScrapeConfigsOfCollectors), lists::configs),
    row("/jobs", "jobs", Admitted, PLAIN, html(Page::JobsOfCollectors), lists::jobs),
    row("/jobs/{job}/targets", "jobs/targets", Share, PLAIN, Never, lists::job_targets),
    row("/merged/scrape_configs", "merged/scrape_configs", Admitted, MERGED, Never, lists::merged_configs),
    row("/merged/jobs", "merged/jobs", Admitted, MERGED, Never, lists::jobs),
    row("/merged/jobs/{job}/targets", "merged/jobs/targets", Share, MERGED, Never, lists::job_targets),
    row("/merged/targets", "merged/targets", Share, MERGED, Never, lists::all_targets),
    row(
        "/pipelines/{pipeline}/scrape_configs",
        "pipelines/scrape_configs",
        Admitted,
        PLAIN,
        html(Page::ScrapeConfigsOfPipeline),
        lists::configs,
    ),
    row("/pipelines/{pipeline}/jobs", "pipelines/jobs", Admitted, PLAIN, html(Page::JobsOfPipeline), lists::jobs),
    row("/pipelines/{pipeline}/jobs/{job}/targets", "pipelines/jobs/targets", Share, PLAIN, Never, lists::job_targets),
    row(
        "/pipelines/{pipeline}/merged/scrape_configs",
        "pipelines/merged/scrape_configs",
        Admitted,
        MERGED,
        Never,
        lists::merged_configs,
    ),
    row("/pipelines/{pipeline}/merged/jobs", "pipelines/merged/jobs", Admitted, MERGED, Never, lists::jobs),
    row(
        "/pipelines/{pipeline}/merged/jobs/{job}/targets",
        "pipelines/merged/jobs/targets",
        Share,
        MERGED,
        Never,
        lists::job_targets,
    ),
    row("/pipelines/{pipeline}/merged/targets", "pipelines/merged/targets", Share, MERGED, Never, lists::all_targets),
    row("/explain", "explain", AllShares, NONE, html(Page::Explain), lists::explanation),
    row("/metrics", "metrics", Admitted, NONE, Never, lists::metrics),
    row("/debug/report", "debug/report", Admitted, NONE, html(Page::Report), lists::findings),
    page("/debug/jobs", NONE, Page::Jobs),
    page("/debug/job", NONE, Page::Job),
    page("/debug/targets", PLAIN, Page::Targets),
    page("/debug/target", NONE, Page::Target),
    page("/debug/collectors", NONE, Page::Collectors),
    page("/debug/collector", NONE, Page::Collector),
    page("/debug/scrape_configs", NONE, Page::ScrapeConfigs),
];

const fn row(
    pattern: &'static str,
    name: &'static str,
    permission: Permission,
    views: Views,
    page: Shown,
    answer: fn(&Request<'_>) -> Answer,
) -> Route {
    Route { pattern, name, permission, views, page, answer }
}

/// A route that always answers with a page.
const fn page(pattern: &'static str, views: Views, page: Page) -> Route {
    row(pattern, "pages", AllShares, views, Shown::Always(page), lists::only_a_page)
}

/// A page for browsers, and the handler of the route for programs.
const fn html(page: Page) -> Shown {
    Shown::ToBrowsers(page)
}

/// The placeholder for the name of a job in a pattern.
const JOB: &str = "{job}";
/// The text before the name of a job in a path.
const JOBS: &str = "/jobs/";

impl Route {
    /// Whether the route belongs to the merged view.
    pub const fn is_merged(&self) -> bool {
        self.views.merged
    }

    /// The route in a path. `None` if the path does not contain the route.
    ///
    /// A route with a job matches all that follows, because a job can have the name of a route.
    fn find<'p>(&'static self, path: &'p str) -> Option<Found<'p>> {
        let (start, pipeline, own) = match pipeline::after(self.pattern) {
            Some(pattern) => pipeline::find(path, pattern).map(|found| (found.start, Some(found.name), found.own))?,
            None => {
                let start = match self.pattern.split_once(JOB) {
                    Some((before, _)) => path.find(before)?,
                    None => path.strip_suffix(self.pattern)?.len(),
                };
                (start, None, path.get(start..)?)
            }
        };
        let rests = if self.pattern.contains(JOB) { rests(own) } else { Vec::new() };
        Some(Found { route: self, base: path.get(..start)?, pipeline, rests })
    }
}

/// The texts after each `/jobs/`.
fn rests(path: &str) -> Vec<&str> {
    path.match_indices(JOBS).map(|(start, _)| &path[start + JOBS.len()..]).filter(|rest| !rest.is_empty()).collect()
}

impl Found<'_> {
    /// The collector of the requested share.
    pub fn collector<'a>(&self, asked: &'a Asked) -> Option<&'a str> {
        match self.route.permission {
            Share => asked.collector_id.as_deref(),
            Always | Anyone | Admitted | AllShares => None,
        }
    }
}

/// Finds the route that begins first in a path. Any text can precede the route.
pub fn find(path: &str) -> Option<Found<'_>> {
    first(path, |_| true)
}

/// Finds the first of some routes. If two routes begin at one position, the route with the shorter name of a pipeline
/// wins, then the earlier row. A name has no slash, so a longer one contains a part of a route.
fn first(path: &str, choose: impl Fn(&Route) -> bool) -> Option<Found<'_>> {
    let found = ROUTES.iter().filter(|route| choose(route)).filter_map(|route| route.find(path));
    found.min_by_key(|found| {
        let name = found.pipeline.unwrap_or_default();
        (found.base.len(), found.pipeline == Some(""), name.len())
    })
}

/// Finds the route that begins first in a path, outside of pipelines.
fn find_outside_pipelines(path: &str) -> Option<Found<'_>> {
    first(path, |route| pipeline::after(route.pattern).is_none())
}

/// Finds the route that matches the whole path.
fn find_exactly(path: &str) -> Option<Found<'_>> {
    let mut found = find(path).filter(|found| found.base.is_empty())?;
    // A later `/jobs/` belongs to the name of the job.
    found.rests.truncate(1);
    Some(found)
}

#[cfg(test)]
mod tests;
