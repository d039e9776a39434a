//! The answers that a snapshot holds: scrape configs, jobs, targets, the report.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use target_allocator_core::allocation::{Allocation, Job};
use target_allocator_core::explain::{self, Question, QuestionError};
use target_allocator_core::shard::Members;
use target_allocator_core::targets::Target;

use super::answer::{Answer, Status};
use super::event::Asked;
use super::route::{self, Route, UnknownJob};
use crate::snapshot::Snapshot;

const NO_COLLECTORS: &str = "the allocator config does not say who the collectors are: \
    set collector_selector and collector_namespace, or collectors";

/// Answers a request for what `snapshot` holds.
pub fn answer(snapshot: &Snapshot, route: &Route<'_>, asked: &Asked) -> Answer {
    let allocation = &snapshot.allocation;
    match route {
        Route::Live | Route::Ready => Answer::text(""),
        Route::Index => Answer::json(index(snapshot)),
        Route::ScrapeConfigs => Answer::shared_json(&snapshot.scrape_configs, asked),
        Route::Jobs => Answer::json(jobs(allocation)),
        Route::Report => Answer::json(report(allocation)),
        Route::Explain => explain(snapshot, asked),
        // Answered by pages alone.
        Route::Page(_) => Answer::error(Status::NotFound, "there is only a page at this path"),
        Route::Targets(rests) => targets(allocation, rests, asked),
    }
}

fn targets(allocation: &Allocation, rests: &[&str], asked: &Asked) -> Answer {
    let found = match route::job(rests, asked.decoded, allocation.jobs()) {
        Ok((name, job)) => Some((name, job)),
        Err(UnknownJob::NoSuchJob) => None,
        Err(error @ (UnknownJob::NoSuchRoute | UnknownJob::Ambiguous(..))) => {
            return Answer::error(Status::NotFound, error);
        }
    };
    if let Some((name, Job { unknown: Some(reason), .. })) = found {
        let message = format!("the targets of the job are not known yet: {name}: {reason}");
        return Answer::error(Status::Unavailable, message);
    }
    if allocation.members().is_none() {
        return Answer::error(Status::Internal, NO_COLLECTORS);
    }
    match (&asked.collector_id, found) {
        (Some(collector), Some((_, job))) => Answer::json(share(allocation, job, collector)),
        (Some(_), None) => Answer::json(b"[]".to_vec()),
        (None, Some((name, job))) => Answer::json(all_shares(allocation, name, Some(job))),
        (None, None) => {
            let asked_for = rests.first().and_then(|rest| rest.strip_suffix("/targets")).unwrap_or_default();
            Answer::json(all_shares(allocation, asked_for, None))
        }
    }
}

/// The HTTP SD list of one collector.
fn share(allocation: &Allocation, job: &Job, collector: &str) -> Vec<u8> {
    list(allocation.share(job, collector))
}

fn list<'a>(targets: impl Iterator<Item = &'a Target>) -> Vec<u8> {
    let mut body = vec![b'['];
    for target in targets {
        if body.len() > 1 {
            body.push(b',');
        }
        body.extend_from_slice(&target.rendered);
    }
    body.push(b']');
    body
}

/// Every collector's list, with a link to it.
fn all_shares(allocation: &Allocation, name: &str, job: Option<&Job>) -> Vec<u8> {
    let collectors = allocation.members().map(Members::collectors).unwrap_or_default();
    let mut body = vec![b'{'];
    for collector in collectors {
        if body.len() > 1 {
            body.push(b',');
        }
        let link = format!("{}?collector_id={}", link(name), collector.name);
        body.extend_from_slice(
            format!("{}:{{\"_link\":{},\"targets\":", json!(collector.name), json!(link)).as_bytes(),
        );
        body.extend(job.map_or_else(|| b"[]".to_vec(), |job| share(allocation, job, &collector.name)));
        body.push(b'}');
    }
    body.push(b'}');
    body
}

/// The jobs that have targets, or may have some, with links to them.
fn jobs(allocation: &Allocation) -> Vec<u8> {
    let with_targets = allocation.jobs().iter().filter(|(_, job)| !job.targets.is_empty() || job.unknown.is_some());
    let links: BTreeMap<_, _> = with_targets.map(|(name, _)| (name, json!({ "_link": link(name) }))).collect();
    json!(links).to_string().into_bytes()
}

fn explain(snapshot: &Snapshot, asked: &Asked) -> Answer {
    match question(asked) {
        Ok(question) => Answer::json(json!(explain::explain(snapshot.world(), &question)).to_string().into_bytes()),
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

fn report(allocation: &Allocation) -> Vec<u8> {
    json!(allocation.report()).to_string().into_bytes()
}

fn index(snapshot: &Snapshot) -> Vec<u8> {
    let (targets, unassigned) = snapshot.allocation.counts();
    let collectors = snapshot.allocation.members().map(|members| members.collectors().len());
    json!({
        "age_seconds": snapshot.age().as_secs(),
        "jobs": snapshot.allocation.jobs().len(),
        "targets": targets,
        "unassigned_targets": unassigned,
        "collectors": collectors,
        "skipped": snapshot.allocation.report().entries().len(),
        "links": ["scrape_configs", "jobs", "explain", "debug/report", "livez", "readyz"],
    })
    .to_string()
    .into_bytes()
}

/// What Go's `url.QueryEscape` leaves as it is, spaces apart.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

fn link(job: &str) -> String {
    let job = utf8_percent_encode(job, ESCAPED).to_string().replace(' ', "+");
    format!("/jobs/{job}/targets")
}
