//! The answers that a snapshot holds: scrape configs, jobs, targets, the report.

use std::collections::BTreeMap;
use std::iter::{once, repeat};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use target_allocator_core::allocation::{Allocation, Form};
use target_allocator_core::explain::{self, Question, QuestionError};
use target_allocator_core::shard::Members;
use target_allocator_core::targets::{GroupTargets, Target, Text, Views, escape};

use super::answer::{Answer, Status};
use super::event::Asked;
use super::route::{self, Route, Routed, UnknownJob};
use crate::pages::Page;
use crate::snapshot::Snapshot;

const NO_COLLECTORS: &str = "the allocator config does not say who the collectors are: \
    set collector_selector and collector_namespace, or collectors";

/// The views that a route is answered from.
pub const fn views(routed: &Routed<'_>) -> Views {
    match (&routed.route, routed.merged) {
        (_, true) => Views::MERGED,
        (Route::ScrapeConfigs | Route::Jobs | Route::Targets(_) | Route::Page(Page::Targets), false) => Views::PLAIN,
        _ => Views::NONE,
    }
}

/// The collector whose share is asked for.
pub fn whose<'a>(routed: &Routed<'_>, asked: &'a Asked) -> Option<&'a str> {
    match routed.route {
        Route::Targets(_) | Route::PlainTargets => asked.collector_id.as_deref(),
        _ => None,
    }
}

/// Answers a request for what `snapshot` holds.
pub fn answer(snapshot: &Snapshot, routed: &Routed<'_>, asked: &Asked) -> Answer {
    let allocation = &snapshot.allocation;
    let listed = Listed { allocation, merged: routed.merged };
    match &routed.route {
        Route::Live | Route::Ready => Answer::empty(),
        Route::Index => Answer::json(index(snapshot)),
        Route::ScrapeConfigs => {
            let merged = snapshot.merged_scrape_configs.as_ref().filter(|_| routed.merged);
            let configs = merged.unwrap_or(&snapshot.scrape_configs);
            Answer::scrape_configs(configs.shown_to(&asked.caller))
        }
        Route::Jobs => Answer::json(listed.links()),
        Route::Report => Answer::json(report(allocation)),
        Route::Explain => explain(snapshot, asked),
        Route::Page(_) => Answer::error(Status::NotFound, "there is only a page at this path"),
        Route::PlainTargets => plain_targets(allocation, asked),
        Route::Targets(rests) => targets(listed, rests, asked),
    }
}

fn targets(listed: Listed<'_>, rests: &[&str], asked: &Asked) -> Answer {
    let name = match route::job(rests, asked.decoded, |name| listed.name(name), listed.names()) {
        Ok(name) => Some(name),
        Err(UnknownJob::NoSuchJob) => None,
        Err(error @ (UnknownJob::NoSuchRoute | UnknownJob::Ambiguous(..))) => {
            return Answer::error(Status::NotFound, error);
        }
    };
    if let Some(name) = name
        && let Some(reason) = listed.unknown(name)
    {
        let message = format!("the targets of the job are not known yet: {name}: {reason}");
        return Answer::error(Status::Unavailable, message);
    }
    if listed.allocation.members().is_none() {
        return Answer::error(Status::Internal, NO_COLLECTORS);
    }
    match (&asked.collector_id, name) {
        (Some(collector), Some(name)) => Answer::quoted_json(quoted(|body| listed.share(name, collector, body))),
        (Some(_), None) => Answer::json("[]".to_owned()),
        (None, Some(name)) => Answer::quoted_json(quoted(|body| listed.all_shares(name, body))),
        (None, None) => {
            let asked_for = rests.first().and_then(|rest| rest.strip_suffix("/targets")).unwrap_or_default();
            Answer::quoted_json(quoted(|body| listed.all_shares(asked_for, body)))
        }
    }
}

/// The targets of a collector that any scraper can scrape, whatever its settings are.
fn plain_targets(allocation: &Allocation, asked: &Asked) -> Answer {
    let unknown = allocation.jobs().find_map(|(name, job)| Some((name, job.unknown()?)));
    if let Some((name, reason)) = unknown {
        let message = format!("the targets of a job are not known yet: {name}: {reason}");
        return Answer::error(Status::Unavailable, message);
    }
    if allocation.members().is_none() {
        return Answer::error(Status::Internal, NO_COLLECTORS);
    }
    let Some(collector) = &asked.collector_id else {
        return Answer::error(Status::BadRequest, "name the collector whose targets are asked for: ?collector_id=ID");
    };
    let listed = Listed { allocation, merged: true };
    let plain = allocation.merged().values().filter(|job| job.form == Form::Relabelled { is_plain: true });
    let texts = || plain.clone().flat_map(|job| listed.texts(&job.scrape_config.job_name, collector));
    Answer::quoted_json(quoted(|body| list(texts, body)))
}

/// The jobs of one view.
#[derive(Clone, Copy)]
struct Listed<'a> {
    allocation: &'a Allocation,
    merged: bool,
}

impl<'a> Listed<'a> {
    /// The name of a job as it is held.
    fn name(self, name: &str) -> Option<&'a str> {
        if self.merged {
            self.allocation.merged().get_key_value(name).map(|(name, _)| name.as_str())
        } else {
            self.allocation.job(name).map(|job| job.scrape_config().job_name.as_str())
        }
    }

    fn names(self) -> impl Iterator<Item = &'a str> {
        let merged = self.allocation.merged().keys().map(String::as_str).filter(move |_| self.merged);
        let plain = self.allocation.jobs().map(|(name, _)| name).filter(move |_| !self.merged);
        merged.chain(plain)
    }

    /// Why the targets of a job are not known. A job of which that is so is never merged with others.
    fn unknown(self, name: &str) -> Option<&'a str> {
        self.allocation.job(name)?.unknown()
    }

    /// The texts of the targets that a collector has of a job.
    fn texts(self, name: &str, collector: &'a str) -> impl Iterator<Item = Text<'a>> {
        let merged = if self.merged { self.allocation.merged().get(name) } else { None };
        let relabelled = merged.is_some_and(|job| job.form != Form::Discovered);
        let text = move |(group, target): (&'a GroupTargets, &Target)| {
            if relabelled { group.merged(target) } else { group.plain(target) }
        };
        let plain = self.name(name).filter(|_| merged.is_none());
        let jobs = merged.into_iter().flat_map(|job| job.jobs.iter().map(String::as_str)).chain(plain);
        let texts = jobs.flat_map(move |job| self.allocation.share(job, collector)).map(text);
        // A collector would drop a target without an address.
        texts.filter(|text| !text.is_empty())
    }

    /// Writes the HTTP SD list of one collector.
    fn share(self, name: &str, collector: &str, body: &mut String) {
        list(|| self.texts(name, collector), body);
    }

    /// Writes every collector's list, with a link to it.
    fn all_shares(self, name: &str, body: &mut String) {
        let collectors = self.allocation.members().map(Members::collectors).unwrap_or_default();
        body.push('{');
        for (collector, separator) in collectors.iter().zip(separators()) {
            let link = format!("{}?collector_id={}", link(name), collector.name);
            body.push_str(separator);
            escape(&format!("{}:{{\"_link\":{},\"targets\":", json!(collector.name), json!(link)), body);
            self.share(name, &collector.name, body);
            body.push('}');
        }
        body.push('}');
    }

    /// The jobs that have targets, or may have some, with links to them.
    fn links(self) -> String {
        let has_targets =
            |name: &str| self.allocation.job(name).is_some_and(|job| !job.is_empty() || job.unknown().is_some());
        let listed = |name: &&str| match self.allocation.merged().get(*name).filter(|_| self.merged) {
            Some(merged) => merged.jobs.iter().any(|job| has_targets(job)),
            None => has_targets(name),
        };
        let links: BTreeMap<_, _> =
            self.names().filter(listed).map(|name| (name, json!({ "_link": link(name) }))).collect();
        json!(links).to_string()
    }
}

/// A JSON string of the document that `write` writes as it stands in one.
fn quoted(write: impl FnOnce(&mut String)) -> String {
    let mut body = String::from('"');
    write(&mut body);
    body.push('"');
    body
}

/// Writes a list of texts.
fn list<'a, T: Iterator<Item = Text<'a>>>(texts: impl Fn() -> T, body: &mut String) {
    // Growing would copy a large one again and again.
    body.reserve(texts().map(|text| text.pieces().map(str::len).iter().sum::<usize>() + 1).sum::<usize>() + 2);
    body.push('[');
    for (text, separator) in texts().zip(separators()) {
        body.push_str(separator);
        text.pieces().iter().for_each(|piece| body.push_str(piece));
    }
    body.push(']');
}

/// What stands before each item of a list.
fn separators() -> impl Iterator<Item = &'static str> {
    once("").chain(repeat(","))
}

fn explain(snapshot: &Snapshot, asked: &Asked) -> Answer {
    match question(asked) {
        Ok(question) => Answer::json(json!(explain::explain(snapshot.world(), &question)).to_string()),
        Err(error) => Answer::error(Status::BadRequest, error),
    }
}

/// The question that the parameters ask; a form asks it by the name of the parameter and its value.
pub fn question(asked: &Asked) -> Result<Question, QuestionError> {
    let get = |name: &str| asked.parameters.get(name).map(String::as_str);
    let by_form = get("by").map(|by| (by, get("name").unwrap_or_default()));
    let by_name = Question::PARAMETERS.iter().find_map(|name| Some((*name, get(name)?)));
    let (parameter, value) = by_form.or(by_name).unwrap_or_default();
    Question::parse(parameter, value)
}

fn report(allocation: &Allocation) -> String {
    json!(allocation.report()).to_string()
}

fn index(snapshot: &Snapshot) -> String {
    let (targets, unassigned) = snapshot.allocation.counts();
    let collectors = snapshot.allocation.members().map(|members| members.collectors().len());
    json!({
        "age_seconds": snapshot.age().as_secs(),
        "jobs": snapshot.allocation.jobs().len(),
        "targets": targets,
        "unassigned_targets": unassigned,
        "collectors": collectors,
        "skipped": snapshot.allocation.report().entries().len(),
        "links": ["scrape_configs", "jobs", "merged/scrape_configs", "explain", "debug/report", "livez", "readyz"],
    })
    .to_string()
}

/// What Go's `url.QueryEscape` leaves as it is, spaces apart.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

fn link(job: &str) -> String {
    let job = utf8_percent_encode(job, ESCAPED).to_string().replace(' ', "+");
    format!("/jobs/{job}/targets")
}
