//! HTML pages for browsers: the content of a snapshot, and explanations.
//!
//! Input: a snapshot and the parameters of the URL. Output: one self-contained HTML document. Links are relative, so
//! they work under every stage, base path and cluster name. Style and script are inline, and the content security
//! policy allows them by their hashes. Every page works without the script. No page shows credentials.

mod collectors;
mod explanation;
mod jobs;
mod overview;
mod paging;
mod targets;
mod visible;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use target_allocator_core::explain::{MonitorKind, Question, QuestionError};
use target_allocator_core::report::ObjectRef;
use thiserror::Error;

use crate::snapshot::{Served, Snapshot, Snapshots};

const STYLE: &str = include_str!("../templates/style.css");
const SCRIPT: &str = include_str!("../templates/script.js");

/// A kind of page. Each has one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in the URL")]
pub enum Page {
    Overview,
    Explain,
    Jobs,
    Job,
    Targets,
    Target,
    Collectors,
    Collector,
    ScrapeConfigs,
    Report,
    /// The content of `Jobs` at `/jobs`, for a browser that opens the path of the collectors.
    JobsOfCollectors,
    /// The content of `ScrapeConfigs` at `/scrape_configs`, for a browser that opens the path of the collectors.
    ScrapeConfigsOfCollectors,
    /// The jobs of a pipeline, at the path of its collectors.
    JobsOfPipeline,
    /// The scrape configs of a pipeline, at the path of its collectors.
    ScrapeConfigsOfPipeline,
}

/// The inputs of a page.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// The snapshot to show.
    pub snapshot: &'a Snapshot,
    /// The jobs of the path: all, or those of a pipeline.
    pub served: Served<'a>,
    /// The cache that the snapshot comes from, for the history of refreshes.
    pub snapshots: &'a Snapshots,
    /// The parameters of the URL.
    pub parameters: &'a BTreeMap<String, String>,
    /// The names of parameters that have several values.
    pub repeated: &'a BTreeSet<String>,
    /// The question in the parameters, or why they contain none.
    pub question: &'a Result<Question, QuestionError>,
}

/// Why there is no page.
#[derive(Debug, Error)]
pub enum NotShown {
    /// A parameter is missing or wrong.
    #[error("{0}")]
    Bad(String),
    /// The job, target or collector of the URL does not exist.
    #[error("{0}")]
    Unknown(String),
    /// The object of the page does not exist, and this page says why.
    #[error("it does not exist")]
    Explained(String),
    /// The template failed.
    #[error("the page cannot be rendered")]
    Template(#[from] askama::Error),
}

/// The parts that every page has: header, title, style and script.
#[derive(Debug)]
struct Frame {
    /// Relative path from the page to the base of all routes.
    root: &'static str,
    title: String,
    style: &'static str,
    script: &'static str,
    /// Age of the snapshot in words. Empty on pages without data.
    age: String,
}

impl Page {
    /// Relative path from the page to the base of all routes.
    const fn root(self) -> &'static str {
        match self {
            Self::Overview | Self::Explain | Self::JobsOfCollectors | Self::ScrapeConfigsOfCollectors => "./",
            Self::Jobs
            | Self::Job
            | Self::Targets
            | Self::Target
            | Self::Collectors
            | Self::Collector
            | Self::ScrapeConfigs
            | Self::Report => "../",
            Self::JobsOfPipeline | Self::ScrapeConfigsOfPipeline => "../../",
        }
    }
}

impl Frame {
    fn new(page: Page, title: impl Into<String>) -> Self {
        Self { root: page.root(), title: title.into(), style: STYLE, script: SCRIPT, age: String::new() }
    }
}

impl<'a> Shown<'a> {
    fn frame(&self, page: Page, title: impl Into<String>) -> Frame {
        Frame { age: ago(self.snapshot.age()), ..Frame::new(page, title) }
    }

    fn parameter(&self, name: &str) -> &'a str {
        self.parameters.get(name).map(|value| value.trim()).unwrap_or_default()
    }

    /// A parameter that the page cannot do without. The operator's server wants exactly one value, too.
    fn required(&self, name: &str) -> Result<&'a str, NotShown> {
        let value = self.parameter(name);
        if value.is_empty() {
            return Err(NotShown::Bad(format!("the parameter {name} is missing: ?{name}=...")));
        }
        if self.repeated.contains(name) {
            return Err(NotShown::Bad(format!("the parameter {name} must have one value only")));
        }
        Ok(value)
    }
}

/// Renders a page.
///
/// # Errors
/// [`NotShown`] if a parameter is missing or wrong, the object of the page does not exist, or the template fails.
pub fn render(page: Page, shown: &Shown<'_>) -> Result<String, NotShown> {
    match page {
        Page::Overview => overview::overview(shown),
        Page::Report => overview::report(shown),
        Page::Explain => explanation::explanation(shown),
        Page::Jobs | Page::JobsOfCollectors | Page::JobsOfPipeline => jobs::jobs(page, shown),
        Page::Job => jobs::job(shown),
        Page::ScrapeConfigs | Page::ScrapeConfigsOfCollectors | Page::ScrapeConfigsOfPipeline => {
            jobs::scrape_configs(page, shown)
        }
        Page::Targets => targets::targets(shown),
        Page::Target => targets::target(shown),
        Page::Collectors => collectors::collectors(shown),
        Page::Collector => collectors::collector(shown),
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct Failure<'a> {
    frame: Frame,
    message: &'a str,
}

/// Renders a page with an error message.
///
/// # Errors
/// If the template fails.
pub fn failure(page: Page, message: &str) -> Result<String, askama::Error> {
    Failure { frame: Frame::new(page, "Not shown"), message }.render()
}

#[derive(Template)]
#[template(path = "clusters.html")]
struct Clusters<'a> {
    frame: Frame,
    /// Name and link of each cluster.
    clusters: Vec<(&'a str, String)>,
}

/// Renders a page with a link for each cluster.
///
/// # Errors
/// If the template fails.
pub fn clusters(names: &[&str]) -> Result<String, askama::Error> {
    let clusters = names.iter().map(|name| (*name, href("./", &format!("{name}/"), &[]))).collect();
    Clusters { frame: Frame::new(Page::Overview, "Clusters"), clusters }.render()
}

/// The content security policy of all pages. It allows the inline style and script, and forms to the same origin.
pub fn policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
        format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
            hash(STYLE),
            hash(SCRIPT)
        )
    })
}

/// A relative link with parameters.
fn href(root: &str, path: &str, parameters: &[(&str, &str)]) -> String {
    /// All characters except those that need no escape in the query of a URL.
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
    let mut link = format!("{root}{path}");
    for (at, (name, value)) in parameters.iter().enumerate() {
        link.push(if at == 0 { '?' } else { '&' });
        link.push_str(name);
        link.push('=');
        link.extend(utf8_percent_encode(value, PLAIN));
    }
    link
}

/// The link to the explanation of an object in the report. `None` if the object is not a monitor.
fn explain_href(root: &str, object: &ObjectRef) -> Option<String> {
    MonitorKind::of(object).is_some().then(|| href(root, "explain", &[("monitor", &object.to_string())]))
}

/// A short text for a time span: `12 s`, `3 min`, `2 h`.
fn ago(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// A bar of a chart.
#[derive(Debug)]
struct Bar {
    label: String,
    value: usize,
    /// Percent of the longest bar.
    width: usize,
    /// Distance from the top of the chart, in pixels.
    top: usize,
}

/// Height of a bar and the space below it, in pixels. `chart.html` draws bars of 20 pixels.
const BAR: usize = 24;

/// Maximum number of bars in a chart. More bars cannot be told apart.
const MOST_BARS: usize = 40;

fn bars(values: impl IntoIterator<Item = (String, usize)>) -> Vec<Bar> {
    let values: Vec<_> = values.into_iter().collect();
    let most = values.iter().map(|(_, value)| *value).max().unwrap_or_default().max(1);
    let bar =
        |(at, (label, value)): (usize, (String, usize))| Bar { label, value, width: value * 100 / most, top: at * BAR };
    values.into_iter().enumerate().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_escape_special_characters() {
        let cases = [
            (
                ("../", "debug/job", vec![("job_id", "serviceMonitor/a/b/0")]),
                "../debug/job?job_id=serviceMonitor/a/b/0",
            ),
            (
                ("./", "explain", vec![("pod", "a b"), ("q", "x&y=#\"<ü")]),
                "./explain?pod=a%20b&q=x%26y%3D%23%22%3C%C3%BC",
            ),
            (("./", "debug/jobs", vec![]), "./debug/jobs"),
        ];
        for ((root, path, parameters), expected) in cases {
            assert_eq!(href(root, path, &parameters), expected);
        }
    }

    #[test]
    fn time_spans_are_rounded_to_one_unit() {
        for (seconds, expected) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h")] {
            assert_eq!(ago(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn messages_with_markup_are_escaped() {
        let page = failure(Page::Job, "<script>alert(1)</script>\" onload='x'").unwrap();
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(page.contains("&#60;script&#62;alert(1)") || page.contains("&lt;script&gt;alert(1)"), "{page}");
        assert!(!page.contains("\" onload='x'"));
    }
}
