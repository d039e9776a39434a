//! Which route a path means.
//!
//! Paths come encoded or decoded, under a stage, a base path or a cluster's name,
//! and jobs may be called anything: routes are told by how a path ends, and jobs
//! by comparing with those that exist.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::pages::Page;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route<'a> {
    /// `/`.
    Index,
    /// `/scrape_configs`.
    ScrapeConfigs,
    /// `/jobs`.
    Jobs,
    /// `/merged/targets`.
    PlainTargets,
    /// `/jobs/{job}/targets`: what follows each `/jobs/` in the path, `/targets` included.
    Targets(Vec<&'a str>),
    /// `/debug/report`.
    Report,
    /// `/explain`.
    Explain,
    /// A page under `/debug/`, at the addresses that the operator's allocator has and a few more.
    Page(Page),
    /// `/livez`.
    Live,
    /// `/readyz`.
    Ready,
}

/// A route and what stands before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed<'a> {
    /// Stage, base path, cluster name: whatever comes before the route.
    pub base: &'a str,
    /// Whether it is one of the merged view.
    pub merged: bool,
    /// What is asked for.
    pub route: Route<'a>,
}

impl Routed<'_> {
    /// How the route is counted.
    pub const fn name(&self) -> &'static str {
        match (&self.route, self.merged) {
            (Route::Index, _) => "index",
            (Route::ScrapeConfigs, false) => "scrape_configs",
            (Route::ScrapeConfigs, true) => "merged/scrape_configs",
            (Route::Jobs, false) => "jobs",
            (Route::Jobs, true) => "merged/jobs",
            (Route::PlainTargets, _) => "merged/targets",
            (Route::Targets(_), false) => "jobs/targets",
            (Route::Targets(_), true) => "merged/jobs/targets",
            (Route::Report, _) => "debug/report",
            (Route::Explain, _) => "explain",
            (Route::Page(_), _) => "pages",
            (Route::Live, _) => "livez",
            (Route::Ready, _) => "readyz",
        }
    }
}

const JOBS: &str = "/jobs/";
const TARGETS: &str = "/targets";
/// Before the routes of the merged view; no cluster can have that name.
pub const MERGED: &str = "merged";

/// Finds the route of a path.
pub fn find(path: &str) -> Option<Routed<'_>> {
    let routed = targets(path).or_else(|| fixed(path))?;
    let base = routed.base.strip_suffix(MERGED).and_then(|base| base.strip_suffix('/'));
    match (base, &routed.route) {
        (Some(base), Route::ScrapeConfigs | Route::Jobs | Route::Targets(_) | Route::PlainTargets) => {
            Some(Routed { base, merged: true, ..routed })
        }
        (None, Route::PlainTargets) => None,
        _ => Some(routed),
    }
}

fn fixed(path: &str) -> Option<Routed<'_>> {
    let routes = [
        ("/debug/jobs", Route::Page(Page::Jobs)),
        ("/debug/job", Route::Page(Page::Job)),
        ("/debug/targets", Route::Page(Page::Targets)),
        ("/debug/target", Route::Page(Page::Target)),
        ("/debug/collectors", Route::Page(Page::Collectors)),
        ("/debug/collector", Route::Page(Page::Collector)),
        ("/debug/scrape_configs", Route::Page(Page::ScrapeConfigs)),
        ("/explain", Route::Explain),
        ("/scrape_configs", Route::ScrapeConfigs),
        ("/jobs", Route::Jobs),
        (TARGETS, Route::PlainTargets),
        ("/debug/report", Route::Report),
        ("/livez", Route::Live),
        ("/readyz", Route::Ready),
        ("/", Route::Index),
    ];
    routes
        .into_iter()
        .find_map(|(suffix, route)| Some(Routed { base: path.strip_suffix(suffix)?, merged: false, route }))
}

fn targets(path: &str) -> Option<Routed<'_>> {
    let starts: Vec<_> = path.match_indices(JOBS).map(|(start, _)| start).collect();
    let base = &path[..*starts.first()?];
    let rests = starts.into_iter().map(|start| &path[start + JOBS.len()..]).filter(|rest| !rest.is_empty());
    Some(Routed { base, merged: false, route: Route::Targets(rests.collect()) })
}

/// The job that the texts after `/jobs/` mean: `exists` knows those of `all` by name.
///
/// # Errors
/// [`UnknownJob`] when there is none.
pub fn job<'a>(
    rests: &[&str],
    decoded: bool,
    exists: impl Fn(&str) -> Option<&'a str>,
    all: impl Iterator<Item = &'a str>,
) -> Result<&'a str, UnknownJob> {
    let texts = || rests.iter().filter_map(|rest| rest.strip_suffix(TARGETS));
    if let Some(found) = texts().flat_map(|text| names(text, decoded)).find_map(|name| exists(&name)) {
        return Ok(found);
    }
    if decoded && let Some(found) = cut_job(rests, all)? {
        return Ok(found);
    }
    Err(if texts().next().is_some() { UnknownJob::NoSuchJob } else { UnknownJob::NoSuchRoute })
}

/// A gateway that decodes paths cuts them at a `?`, and with it the end of a
/// job's name and `/targets`: what is left may still tell the job.
fn cut_job<'a>(rests: &[&str], all: impl Iterator<Item = &'a str>) -> Result<Option<&'a str>, UnknownJob> {
    let begins = |name: &str| name.split_once('?').is_some_and(|(before, _)| rests.contains(&before));
    let mut found = all.filter(|name| begins(name));
    match (found.next(), found.next()) {
        (Some(first), Some(second)) => Err(UnknownJob::Ambiguous(first.to_owned(), second.to_owned())),
        (found, _) => Ok(found),
    }
}

/// Why a path names no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownJob {
    /// The path has the form, but there is no such job: nobody has targets of it.
    #[error("there is no such job")]
    NoSuchJob,
    /// The path does not have the form.
    #[error("there is nothing at this path, the targets of a job are at /jobs/JOB/targets")]
    NoSuchRoute,
    /// Only the part before a `?` arrived, and several jobs begin with it.
    #[error(
        "the gateway cuts the path at the ? in the job's name, and several jobs begin so, rename one: {0:?}, {1:?}"
    )]
    Ambiguous(String, String),
}

/// The names that a text in a path may mean, likeliest first.
fn names(text: &str, decoded: bool) -> impl Iterator<Item = Cow<'_, str>> {
    // `+` is a space in what collectors send; it survives a gateway's decoding.
    let spaced = text.replace('+', " ");
    let unescaped = percent_decode_str(&spaced).decode_utf8().ok().map(|name| Cow::Owned(name.into_owned()));
    let (as_it_is, spaced) = (Some(Cow::Borrowed(text)), Some(Cow::Owned(spaced)));
    let likeliest_first = if decoded { [as_it_is, spaced, unescaped] } else { [unescaped, as_it_is, spaced] };
    likeliest_first.into_iter().flatten()
}

/// The cluster that a base means: the only one if it has no name, else the one
/// whose name the base ends with.
pub fn cluster_of<'a, C>(base: &str, clusters: &'a [C], name: impl Fn(&C) -> Option<&str>) -> Option<&'a C> {
    match clusters {
        [only] if name(only).is_none() => Some(only),
        _ => {
            let last = base.rsplit('/').next().filter(|last| !last.is_empty())?;
            clusters.iter().find(|cluster| name(cluster) == Some(last))
        }
    }
}

#[cfg(test)]
mod tests;
