//! The page of `/explain`, and the trace of a target that several pages show.

use std::collections::BTreeSet;

use askama::Template;
use target_allocator_core::explain::{
    DiscoveredTarget, Explanation, Fate, JobTrace, Owner, Progress, Question, RuleOrigin, RuleTrace, Stage,
    TargetTrace, explain,
};

use super::{Frame, NotShown, Page, Shown, explain_href, href};

#[derive(Template)]
#[template(path = "explain.html")]
struct Explained {
    frame: Frame,
    by: &'static str,
    name: String,
    /// Why the parameters are not a question. `None` if there are no parameters.
    error: Option<String>,
    answer: Option<ExplanationView>,
}

/// An explanation with links to other pages.
struct ExplanationView {
    explanation: Explanation,
    jobs: Vec<JobView>,
    targets: Vec<TargetView>,
    monitors: Vec<MonitorView>,
    nearest: Vec<NearView>,
    /// Name and link of each object that the question can be about.
    candidates: Vec<(String, String)>,
}

/// The trace of a job, with links.
pub(super) struct JobView {
    pub trace: JobTrace,
    pub link: String,
    pub examples: Vec<TargetView>,
}

struct MonitorView {
    name: String,
    link: Option<String>,
    by: String,
    trouble: Vec<String>,
}

struct NearView {
    name: String,
    link: Option<String>,
    to: String,
    to_link: Option<String>,
    gaps: Vec<String>,
}

/// The trace of a target, with links.
pub(super) struct TargetView {
    pub trace: TargetTrace,
    pub job_link: String,
    pub fate: &'static str,
    pub reason: String,
    pub owners: Vec<(Owner, String)>,
    pub merged: Vec<DiscoveredTarget>,
    /// The labels without `__meta_` labels: the final ones, and those that rules removed.
    pub labels: Vec<LabelLine>,
    /// The `__meta_` labels of discovery.
    pub discovered: Vec<LabelLine>,
    /// The rules that changed or dropped the target.
    pub rules: Vec<RuleView>,
    /// The rules that did nothing to the target.
    pub idle: Vec<RuleView>,
}

/// A row of the table of labels.
pub(super) struct LabelLine {
    pub name: String,
    pub before: String,
    pub after: String,
    pub changed: bool,
}

/// A row of the table of rules.
pub(super) struct RuleView {
    /// The position among the rules of the job, from 1.
    pub position: usize,
    pub trace: RuleTrace,
    pub from: String,
    pub effect: &'static str,
}

pub(super) fn explanation(shown: &Shown<'_>) -> Result<String, NotShown> {
    let root = Page::Explain.root();
    let has_parameters = !shown.parameters.is_empty();
    let (by, name, error, answer) = match shown.question {
        Ok(question) => {
            let answer = answer(root, explain(shown.snapshot.world(), question));
            let (by, name) = answer.explanation.asked.parameter();
            (by, name, None, Some(answer))
        }
        Err(error) => {
            let by = Question::PARAMETERS.into_iter().find(|by| *by == shown.parameter("by"));
            let asked = |by: &str| shown.parameters.get(by).cloned();
            let name = asked("name").or_else(|| Question::PARAMETERS.into_iter().find_map(asked)).unwrap_or_default();
            let other = Question::PARAMETERS.into_iter().find(|by| shown.parameters.contains_key(*by));
            (by.or(other).unwrap_or("any"), name, has_parameters.then(|| error.to_string()), None)
        }
    };
    let title = match &answer {
        Some(answer) => match &answer.explanation.asked {
            asked @ Question::Any { .. } => format!("What is {asked}?"),
            asked @ Question::Collector { .. } => format!("What does {asked} scrape?"),
            asked => format!("Is {asked} scraped?"),
        },
        None => "Explain".to_owned(),
    };
    Ok(Explained { frame: shown.frame(Page::Explain, title), by, name, error, answer }.render()?)
}

fn answer(root: &'static str, mut explanation: Explanation) -> ExplanationView {
    let jobs = std::mem::take(&mut explanation.jobs).into_iter().map(|mut trace| JobView {
        link: href(root, "debug/job", &[("job_id", &trace.job)]),
        examples: target_views(root, std::mem::take(&mut trace.examples)),
        trace,
    });
    let monitors = explanation.monitors.iter().map(|found| MonitorView {
        name: found.monitor.to_string(),
        link: explain_href(root, &found.monitor),
        by: found.by.to_string(),
        trouble: found.not_selected.iter().chain(&found.refused).cloned().collect(),
    });
    let nearest = explanation.nearest.iter().map(|near| NearView {
        name: near.object.to_string(),
        link: explain_href(root, &near.object),
        to: near.to.to_string(),
        to_link: object_href(root, &near.to.kind, &near.to.namespace, &near.to.name),
        gaps: near
            .gaps
            .iter()
            .map(ToString::to_string)
            .chain(near.namespaces.iter().map(|names| format!("the monitor selects only in the namespaces {names}")))
            .collect(),
    });
    let targets = target_views(root, std::mem::take(&mut explanation.targets));
    let candidates = explanation.candidates.iter();
    let candidates =
        candidates.map(|found| (found.words(), href(root, "explain", &[(found.by, &found.name)]))).collect();
    let (jobs, monitors, nearest) = (jobs.collect(), monitors.collect(), nearest.collect());
    ExplanationView { jobs, targets, monitors, nearest, candidates, explanation }
}

/// The link to the explanation of a pod or service. `None` for other kinds.
fn object_href(root: &str, kind: &str, namespace: &str, name: &str) -> Option<String> {
    let by = match kind {
        "Pod" => "pod",
        "Service" => "service",
        _ => return None,
    };
    Some(href(root, "explain", &[(by, &format!("{namespace}/{name}"))]))
}

/// The traces of targets, with links.
pub(super) fn target_views(root: &'static str, traces: Vec<TargetTrace>) -> Vec<TargetView> {
    traces.into_iter().map(|trace| view(root, trace)).collect()
}

fn view(root: &'static str, mut trace: TargetTrace) -> TargetView {
    let (fate, reason, owners, merged) = match &trace.fate {
        Fate::Dropped { reason } => ("dropped", reason.clone(), Vec::new(), Vec::new()),
        Fate::Merged { into } => {
            let reason = format!(
                "the target equals {} of {} after the rules, and that target is served",
                into.address, into.source
            );
            ("merged", reason, Vec::new(), Vec::new())
        }
        Fate::Unassigned { reason, merged } => ("unassigned", reason.clone(), Vec::new(), merged.clone()),
        Fate::Served { by, merged } => ("served", String::new(), by.clone(), merged.clone()),
    };
    let owners = owners.into_iter().map(|owner| {
        let link = href(root, "debug/collector", &[("collector_id", &owner.collector)]);
        (owner, link)
    });
    let rules = (1..).zip(std::mem::take(&mut trace.rules)).map(|(position, rule)| RuleView {
        position,
        from: match &rule.from {
            RuleOrigin::Allocator => "allocator".to_owned(),
            RuleOrigin::Generated(index) => format!("generated from the monitor, relabel_configs[{index}]"),
            RuleOrigin::Written(field) => field.clone(),
        },
        effect: match (rule.dropped, rule.changes.is_empty()) {
            (true, _) => "drops",
            (false, false) => "changes",
            (false, true) => "",
        },
        trace: rule,
    });
    let (idle, rules) = rules.partition(|rule: &RuleView| !rule.trace.dropped && rule.trace.changes.is_empty());
    let (discovered, labels) = labels(&trace).into_iter().partition(|label| label.name.starts_with("__meta_"));
    TargetView {
        job_link: href(root, "debug/job", &[("job_id", &trace.job)]),
        fate,
        reason,
        owners: owners.collect(),
        merged,
        labels,
        discovered,
        rules,
        idle,
        trace,
    }
}

fn labels(trace: &TargetTrace) -> Vec<LabelLine> {
    let nothing = Default::default();
    let after = trace.after.as_ref().unwrap_or(&nothing);
    let names: BTreeSet<_> = trace.before.keys().chain(after.keys()).collect();
    let lines = names.into_iter().map(|name| {
        let (before, after) = (trace.before.get(name), after.get(name));
        LabelLine {
            name: name.clone(),
            before: before.cloned().unwrap_or_default(),
            after: after.cloned().unwrap_or_default(),
            changed: before != after && (after.is_some() || !name.starts_with("__meta_")),
        }
    });
    // The labels that reach the collector's samples come first.
    let mut lines: Vec<_> = lines.collect();
    lines.sort_by_key(|line| (line.name.starts_with("__"), line.after.is_empty()));
    lines
}

impl ExplanationView {
    /// The CSS class and text of a step's mark.
    fn mark(progress: &Progress) -> &'static str {
        match progress {
            Progress::Passed => "passed",
            Progress::Stopped => "stopped",
            Progress::Note => "note",
        }
    }

    /// The name of a stage, as in the JSON of `/explain`.
    fn stage(stage: &Stage) -> String {
        serde_json::to_value(stage).ok().and_then(|stage| stage.as_str().map(str::to_owned)).unwrap_or_default()
    }
}
