//! The first page, with the state of the allocator, and the page of the report.

use askama::Template;
use target_allocator_core::explain::{About, Problem, ProblemKind, Refresh, verdict};
use target_allocator_core::report::{Entry, Outcome};

use super::collectors::shares;
use super::{BAR, Bar, Frame, MOST_BARS, NotShown, Page, Shown, ago, bars, explain_href, href};

/// Maximum number of report entries on the first page. The page of the report has all.
const MOST_SKIPPED: usize = 12;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    /// Problems, the most severe one first. Empty if there is none.
    problems: Vec<ProblemView>,
    /// The verdict if there is no problem.
    healthy: String,
    tiles: Vec<Tile>,
    bars: Vec<Bar>,
    height: usize,
    more_collectors: usize,
    refreshes: Vec<RefreshLine>,
    skipped: Vec<SkippedLine>,
    more_skipped: usize,
}

struct ProblemView {
    text: String,
    /// The CSS class of its box.
    class: &'static str,
    /// Text and address of each link.
    links: Vec<(String, String)>,
}

struct Tile {
    name: &'static str,
    value: String,
    link: String,
}

struct RefreshLine {
    ago: String,
    took: u128,
    outcome: String,
    failed: bool,
}

/// A row of the table of skipped objects.
pub(super) struct SkippedLine {
    pub object: String,
    pub link: Option<String>,
    pub outcome: &'static str,
    pub field: String,
    pub reason: String,
}

impl SkippedLine {
    pub(super) fn new(root: &str, entry: &Entry) -> Self {
        let outcome = match entry.outcome {
            Outcome::Malformed => "malformed",
            Outcome::Refused => "refused",
            Outcome::JobLeftOut => "job left out",
            Outcome::Unknown => "unknown",
            Outcome::Unassigned => "unassigned",
            Outcome::Unlisted => "not in a shared list",
            Outcome::Adjusted => "adjusted",
        };
        Self {
            object: entry.object.to_string(),
            link: explain_href(root, &entry.object),
            outcome,
            field: entry.field.clone(),
            reason: entry.reason.clone(),
        }
    }
}

pub(super) fn overview(shown: &Shown<'_>) -> Result<String, NotShown> {
    let root = Page::Overview.root();
    let allocation = &shown.snapshot.allocation;
    let report = allocation.report().entries();
    let (targets, unassigned) = allocation.counts();
    let collectors = shares(root, shown);
    let tile = |name, value: usize, path: &str, parameters: &[(&str, &str)]| Tile {
        name,
        value: value.to_string(),
        link: href(root, path, parameters),
    };
    let tiles = vec![
        tile("jobs", allocation.jobs().len(), "debug/jobs", &[]),
        tile("targets", targets, "debug/targets", &[]),
        tile("unassigned", unassigned, "debug/targets", &[("collector_id", "none")]),
        tile("collectors", collectors.len(), "debug/collectors", &[]),
        tile("problems", report.len(), "debug/report", &[]),
    ];
    let history = shown.snapshots.history();
    let refreshes = history.iter().map(|refresh| RefreshLine {
        ago: ago(refresh.began.elapsed()),
        took: refresh.took.as_millis(),
        outcome: match &refresh.outcome {
            Ok(targets) => format!("{targets} targets"),
            Err(message) => message.clone(),
        },
        failed: refresh.outcome.is_err(),
    });
    let (more_collectors, values) = (
        collectors.len().saturating_sub(MOST_BARS),
        collectors.into_iter().take(MOST_BARS).map(|share| (share.name, share.targets)),
    );
    let bars = bars(values);
    let page = Overview {
        frame: shown.frame(Page::Overview, "Overview"),
        problems: problems(root, shown),
        healthy: format!("Healthy: collectors scrape all {targets} targets of {} jobs.", allocation.jobs().len()),
        tiles,
        height: bars.len() * BAR,
        bars,
        more_collectors,
        refreshes: refreshes.collect(),
        skipped: report.iter().take(MOST_SKIPPED).map(|entry| SkippedLine::new(root, entry)).collect(),
        more_skipped: report.len().saturating_sub(MOST_SKIPPED),
    };
    Ok(page.render()?)
}

/// The problems of the verdict, with links.
fn problems(root: &'static str, shown: &Shown<'_>) -> Vec<ProblemView> {
    let failure = shown.snapshots.history().into_iter().next().and_then(|refresh| refresh.outcome.err());
    let refresh = Refresh {
        age: shown.snapshot.age(),
        max_stale: shown.snapshots.freshness().max_stale,
        failure: failure.as_deref(),
    };
    let view = |problem: Problem| ProblemView {
        text: problem.text,
        // The first kinds leave targets without scrapes. The others leave something out, or warn.
        class: if problem.kind < ProblemKind::JobsWithoutTargets { "stopped" } else { "noted" },
        links: problem.links.into_iter().map(|link| (link.text, about(root, &link.about))).collect(),
    };
    verdict(shown.snapshot.world(), refresh).into_iter().map(view).collect()
}

fn about(root: &str, about: &About) -> String {
    match about {
        About::Refreshes => format!("{root}#refreshes"),
        About::Collectors => href(root, "debug/collectors", &[]),
        About::Jobs => href(root, "debug/jobs", &[]),
        About::Job(name) => href(root, "debug/job", &[("job_id", name)]),
        About::Unassigned => href(root, "debug/targets", &[("collector_id", "none")]),
        About::Report => href(root, "debug/report", &[]),
        About::Explanation(question) => {
            let (by, name) = question.parameter();
            href(root, "explain", &[(by, &name)])
        }
    }
}

#[derive(Template)]
#[template(path = "report.html")]
struct Report {
    frame: Frame,
    skipped: Vec<SkippedLine>,
}

pub(super) fn report(shown: &Shown<'_>) -> Result<String, NotShown> {
    let entries = shown.snapshot.allocation.report().entries().iter();
    let skipped = entries.map(|entry| SkippedLine::new(Page::Report.root(), entry)).collect();
    Ok(Report { frame: shown.frame(Page::Report, "Problems"), skipped }.render()?)
}
