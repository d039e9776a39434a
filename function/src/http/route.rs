//! The table of routes, and the search for the route of a path.
//!
//! Input: a path without stage and base path. If only one cluster is served, any path can precede the route. Output:
//! the row of [`ROUTES`], and the texts that can name a job. The table contains all differences between routes. To add
//! a route, add a row.

mod cluster;

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
    /// The path after the name of the cluster. `{job}` is a placeholder for the name of a job.
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
    /// The texts after each `/jobs/` of the path, if the route names a job. One of these texts names the job.
    pub rests: Vec<&'p str>,
}

use Permission::{Admitted, AllShares, Always, Anyone, Share};
use Shown::Never;

const NONE: Views = Views::NONE;
const PLAIN: Views = Views::PLAIN;
const MERGED: Views = Views::MERGED;

/// All routes. `docs/security.md` lists the permission of each route, and a test finds each pattern there.
pub const ROUTES: [Route; 20] = [
    row("/livez", "livez", Always, NONE, Never, lists::nothing),
    row("/readyz", "readyz", Anyone, NONE, Never, lists::nothing),
    row("/", "index", Admitted, NONE, html(Page::Overview), lists::index),
    row("/scrape_configs", "scrape_configs", Admitted, PLAIN, html(Page::ScrapeConfigsOfCollectors), lists::configs),
    row("/jobs", "jobs", Admitted, PLAIN, html(Page::JobsOfCollectors), lists::jobs),
    row("/jobs/{job}/targets", "jobs/targets", Share, PLAIN, Never, lists::job_targets),
    row("/merged/scrape_configs", "merged/scrape_configs", Admitted, MERGED, Never, lists::merged_configs),
    row("/merged/jobs", "merged/jobs", Admitted, MERGED, Never, lists::jobs),
    row("/merged/jobs/{job}/targets", "merged/jobs/targets", Share, MERGED, Never, lists::job_targets),
    row("/merged/targets", "merged/targets", Share, MERGED, Never, lists::all_targets),
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

    /// The position in a path where the route begins. `None` if the path does not contain the route.
    ///
    /// A route with a job matches all that follows, because a job can have the name of a route.
    fn start(&self, path: &str) -> Option<usize> {
        match self.pattern.split_once(JOB) {
            Some((before, _)) => path.find(before),
            None => path.strip_suffix(self.pattern).map(str::len),
        }
    }

    fn found<'p>(&'static self, path: &'p str, start: usize) -> Found<'p> {
        let (base, own) = path.split_at(start);
        let rests = if self.pattern.contains(JOB) { rests(own) } else { Vec::new() };
        Found { route: self, base, rests }
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
    let starts = ROUTES.iter().filter_map(|route| Some((route.start(path)?, route)));
    // If two routes begin at one position, the earlier row wins.
    starts.min_by_key(|(start, _)| *start).map(|(start, route)| route.found(path, start))
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
