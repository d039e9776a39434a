//! The table of routes, and how a path finds its row.
//!
//! Input: a path without stage and base path, or with any path before the route where only one
//! cluster is served. Output: the row of [`ROUTES`], and the texts that may name a job. All that
//! differs from route to route stands in the table: to add a route, add a row.

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
    /// The path below the cluster's. `{job}` stands for the name of a job.
    pub pattern: &'static str,
    /// The name in the metrics. Several routes may share a name.
    pub name: &'static str,
    /// Who may ask.
    pub permission: Permission,
    /// The forms of targets that a snapshot must hold for the answer.
    pub views: Views,
    /// When the answer is a page.
    pub page: Shown,
    /// The answer where it is not a page.
    pub answer: fn(&Request<'_>) -> Answer,
}

/// Who may ask for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Anyone, even if no cluster can be read. The answer says nothing.
    Always,
    /// Anyone, if a snapshot is there. The answer says nothing else.
    Anyone,
    /// Callers that the config admits.
    Admitted,
    /// Admitted callers that may see all shares.
    AllShares,
    /// Admitted callers, for a share that is theirs. The share may be named by `collector_id`.
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

/// The row of a path.
#[derive(Debug, Clone)]
pub struct Found<'p> {
    /// The row.
    pub route: &'static Route,
    /// What stands before the route in the path.
    pub base: &'p str,
    /// What follows each `/jobs/` of the path, if the route names a job. One of these texts names it.
    pub rests: Vec<&'p str>,
}

use Permission::{Admitted, AllShares, Always, Anyone, Share};
use Shown::Never;

const NONE: Views = Views::NONE;
const PLAIN: Views = Views::PLAIN;
const MERGED: Views = Views::MERGED;

/// All routes. `docs/security.md` shows who is answered what, and a test finds each pattern there.
pub const ROUTES: [Route; 19] = [
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

/// A page at an address of the operator's allocator, or of ours.
const fn page(pattern: &'static str, views: Views, page: Page) -> Route {
    row(pattern, "pages", AllShares, views, Shown::Always(page), lists::only_a_page)
}

/// A page for browsers, and the route's own answer for programs.
const fn html(page: Page) -> Shown {
    Shown::ToBrowsers(page)
}

/// What stands for the name of a job in a pattern.
const JOB: &str = "{job}";
/// What stands before the name of a job in a path.
const JOBS: &str = "/jobs/";

impl Route {
    /// Whether the answer is of the merged view.
    pub const fn is_merged(&self) -> bool {
        self.views.merged
    }

    /// Where the route begins in a path, if the path has it.
    ///
    /// A job may be named like a route, so a route with a job takes all that follows.
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

/// What follows each `/jobs/`.
fn rests(path: &str) -> Vec<&str> {
    path.match_indices(JOBS).map(|(start, _)| &path[start + JOBS.len()..]).filter(|rest| !rest.is_empty()).collect()
}

impl Found<'_> {
    /// The collector that is asked for.
    pub fn collector<'a>(&self, asked: &'a Asked) -> Option<&'a str> {
        match self.route.permission {
            Share => asked.collector_id.as_deref(),
            Always | Anyone | Admitted | AllShares => None,
        }
    }
}

/// Finds the route of a path, whatever stands before the route: the route that begins first.
pub fn find(path: &str) -> Option<Found<'_>> {
    let starts = ROUTES.iter().filter_map(|route| Some((route.start(path)?, route)));
    // Of two that begin at the same place, the earlier row.
    starts.min_by_key(|(start, _)| *start).map(|(start, route)| route.found(path, start))
}

/// Finds the route that is the whole path.
fn find_exactly(path: &str) -> Option<Found<'_>> {
    let mut found = find(path).filter(|found| found.base.is_empty())?;
    // What follows a later /jobs/ belongs to the job's name.
    found.rests.truncate(1);
    Some(found)
}

#[cfg(test)]
mod tests;
