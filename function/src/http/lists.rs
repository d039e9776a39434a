//! Answers from a snapshot: scrape configs, jobs, targets, metrics and the report.

mod metrics;
mod shared;
mod text;

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use target_allocator_core::allocation::{Allocation, Form, JobSet};
use target_allocator_core::explain::{self, Question, QuestionError};
use target_allocator_core::shard::Members;
use target_allocator_core::targets::{GroupTargets, Target, Text, escape};

pub use metrics::metrics;
use shared::LeftOut;
pub use shared::Room;
use text::{list, quoted, separators};

use super::answer::{Answer, Status};
use super::event::Asked;
use super::job_path::{UnknownJob, job};
use super::request::Request;
use crate::snapshot::{Served, Snapshot};

const NO_COLLECTORS: &str = "the allocator config does not say who the collectors are: \
    set collector_selector and collector_namespace, or collectors";

/// An empty answer. The status contains all information.
pub fn nothing(_: &Request<'_>) -> Answer {
    Answer::empty()
}

/// An empty answer if shares can be answered.
pub fn ready(request: &Request<'_>) -> Answer {
    match request.snapshot.allocation.members() {
        Some(_) => Answer::empty(),
        None => Answer::error(Status::Unavailable, NO_COLLECTORS),
    }
}

/// A failure for a route that answers only with a page.
pub fn only_a_page(_: &Request<'_>) -> Answer {
    Answer::error(Status::NotFound, "there is only a page at this path")
}

/// The counts of a snapshot, and links to the other routes.
pub fn index(request: &Request<'_>) -> Answer {
    Answer::json(counts(request.snapshot))
}

/// The scrape configs.
pub fn configs(request: &Request<'_>) -> Answer {
    Answer::scrape_configs(request.served.configs.plain.shown_to(request.asked.reader))
}

/// The scrape configs of the merged view.
pub fn merged_configs(request: &Request<'_>) -> Answer {
    let configs = request.served.configs.merged.as_ref();
    configs.map_or_else(
        || Answer::error(Status::Unavailable, "the snapshot does not hold the merged view: ask again"),
        |configs| Answer::scrape_configs(configs.shown_to(request.asked.reader)),
    )
}

/// The jobs with targets.
pub fn jobs(request: &Request<'_>) -> Answer {
    Answer::json(Listed::of(request).links())
}

/// The report of skipped objects and jobs.
pub fn findings(request: &Request<'_>) -> Answer {
    Answer::json(report(&request.snapshot.allocation))
}

/// The explanation why an object is or is not a target.
pub fn explanation(request: &Request<'_>) -> Answer {
    explain(request.snapshot, request.asked)
}

/// The targets of one job.
pub fn job_targets(request: &Request<'_>) -> Answer {
    targets(Listed::of(request), request.rests, request.asked, Room::of(request))
}

/// The targets of all jobs that need no settings of their own.
pub fn all_targets(request: &Request<'_>) -> Answer {
    plain_targets(&request.snapshot.allocation, request.served.jobs, request.asked, Room::of(request))
}

fn targets(listed: Listed<'_>, rests: &[&str], asked: &Asked, room: Room) -> Answer {
    let name = match job(rests, asked.decoded, |name| listed.name(name), || listed.names()) {
        Ok(name) => Some(name),
        Err(UnknownJob::NoSuchJob) => None,
        Err(error @ UnknownJob::NoSuchRoute) => return Answer::error(Status::NotFound, error),
        Err(error @ UnknownJob::Ambiguous(..)) => return Answer::error(Status::BadRequest, error),
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
        (Some(collector), Some(name)) => match listed.sharing(name) {
            Some(jobs) => {
                let left_out = LeftOut::of_merged(listed.allocation, jobs);
                let list = shared::answer(listed.allocation, jobs, collector, room, left_out);
                list.unwrap_or_else(|| Answer::json("[]".to_owned()).leaving_out(left_out.header()))
            }
            None => Answer::quoted_json(quoted(|body| listed.share(name, collector, body))),
        },
        (Some(_), None) => Answer::json("[]".to_owned()),
        (None, Some(name)) => Answer::quoted_json(quoted(|body| listed.all_shares(name, body))),
        (None, None) => {
            let asked_for = rests.first().and_then(|rest| rest.strip_suffix("/targets")).unwrap_or_default();
            Answer::quoted_json(quoted(|body| listed.all_shares(asked_for, body)))
        }
    }
}

/// The targets of a collector that a scraper without settings of its own can scrape.
fn plain_targets(allocation: &Allocation, jobs: &JobSet, asked: &Asked, room: Room) -> Answer {
    if allocation.members().is_none() {
        return Answer::error(Status::Internal, NO_COLLECTORS);
    }
    let Some(collector) = &asked.collector_id else {
        return Answer::error(Status::BadRequest, "name the collector of the requested targets: ?collector_id=ID");
    };
    // With a wrong name, a plain scraper would silently scrape nothing.
    if let Some(members) = allocation.fixed_members().filter(|members| members.index_of(collector).is_none()) {
        return Answer::error(Status::NotFound, no_such_collector(collector, members));
    }
    let list = jobs.list();
    let left_out = LeftOut::of(list);
    if let Some(answer) = shared::answer(allocation, &list.jobs, collector, room, left_out) {
        return answer;
    }
    // An empty list would remove the last targets that the scraper has of an unknown job.
    let unknown = list.unknown.first().and_then(|name| Some((name, allocation.job(name)?.unknown()?)));
    match unknown {
        Some((name, reason)) => {
            let message = format!("the targets of a job are not known yet: {name}: {reason}");
            Answer::error(Status::Unavailable, message)
        }
        None => Answer::json("[]".to_owned()).leaving_out(left_out.header()),
    }
}

/// The maximum number of names in a message.
const NAMED: usize = 20;

fn no_such_collector(collector: &str, members: &Members) -> String {
    let all = members.collectors();
    let names: Vec<_> = all.iter().take(NAMED).map(|collector| collector.name.as_str()).collect();
    let more = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("no such collector, the config has {}{more}: {collector:?}", names.join(", "))
}

/// The jobs of a route: a set of jobs in one view.
#[derive(Clone, Copy)]
struct Listed<'a> {
    allocation: &'a Allocation,
    served: Served<'a>,
    merged: bool,
}

impl<'a> Listed<'a> {
    fn of(request: &Request<'a>) -> Self {
        Self { allocation: &request.snapshot.allocation, served: request.served, merged: request.merged }
    }

    /// The name of a job, borrowed from the snapshot.
    fn name(self, name: &str) -> Option<&'a str> {
        if self.merged {
            self.served.jobs.merged().get_key_value(name).map(|(name, _)| name.as_str())
        } else {
            self.served.jobs.job(self.allocation, name).map(|job| job.scrape_config().job_name.as_str())
        }
    }

    fn names(self) -> impl Iterator<Item = &'a str> {
        let jobs = self.served.jobs;
        let merged = jobs.merged().keys().map(String::as_str).filter(move |_| self.merged);
        let plain = jobs.jobs(self.allocation).map(|(name, _)| name).filter(move |_| !self.merged);
        merged.chain(plain)
    }

    /// The reason why the targets of a job are unknown. An unknown job is never merged with others, unless its last
    /// known targets are kept.
    fn unknown(self, name: &str) -> Option<&'a str> {
        self.allocation.job(name)?.unknown()
    }

    /// The jobs that are merged into this job. `None` if the job is served as discovered.
    fn sharing(self, name: &str) -> Option<&'a [String]> {
        let merged = self.served.jobs.merged().get(name).filter(|_| self.merged)?;
        (merged.form != Form::Discovered).then_some(&merged.jobs)
    }

    /// The JSON texts of the targets of a job that are assigned to a collector.
    fn texts(self, name: &str, collector: &'a str) -> impl Iterator<Item = Text<'a>> {
        let merged = if self.merged { self.served.jobs.merged().get(name) } else { None };
        let relabelled = merged.is_some_and(|job| job.form != Form::Discovered);
        let text = move |(group, target): (&'a GroupTargets, &Target)| {
            if relabelled { group.merged(target) } else { group.plain(target) }
        };
        let plain = self.name(name).filter(|_| merged.is_none());
        let jobs = merged.into_iter().flat_map(|job| job.jobs.iter().map(String::as_str)).chain(plain);
        let texts = jobs.flat_map(move |job| self.allocation.share(job, collector)).map(text);
        // The text of a target without an address is empty. Collectors drop a target without an address, so it is not
        // served.
        texts.filter(|text| !text.is_empty())
    }

    /// Writes the HTTP SD list of one collector.
    fn share(self, name: &str, collector: &str, body: &mut String) {
        let size = |text: Text<'_>| text.pieces().map(str::len).iter().sum::<usize>() + 1;
        list(self.texts(name, collector), self.texts(name, collector).map(size).sum(), body);
    }

    /// Writes the lists of all collectors, each with a link.
    fn all_shares(self, name: &str, body: &mut String) {
        let collectors = self.allocation.members().map(Members::collectors).unwrap_or_default();
        body.push('{');
        for (collector, separator) in collectors.iter().zip(separators()) {
            let link = format!("{}?collector_id={}", self.link(name), collector.name);
            body.push_str(separator);
            escape(&format!("{}:{{\"_link\":{},\"targets\":", json!(collector.name), json!(link)), body);
            self.share(name, &collector.name, body);
            body.push('}');
        }
        body.push('}');
    }

    /// The jobs with links to their targets. Includes jobs with unknown targets.
    fn links(self) -> String {
        let has_targets =
            |name: &str| self.allocation.job(name).is_some_and(|job| !job.is_empty() || job.unknown().is_some());
        let listed = |name: &&str| match self.served.jobs.merged().get(*name).filter(|_| self.merged) {
            Some(merged) => merged.jobs.iter().any(|job| has_targets(job)),
            None => has_targets(name),
        };
        let links: BTreeMap<_, _> =
            self.names().filter(listed).map(|name| (name, json!({ "_link": self.link(name) }))).collect();
        json!(links).to_string()
    }

    /// The path of the targets of a job.
    fn link(self, job: &str) -> String {
        let job = utf8_percent_encode(job, ESCAPED).to_string().replace(' ', "+");
        let view = if self.merged { "/merged" } else { "" };
        format!("{}{view}/jobs/{job}/targets", self.served.path())
    }
}

fn explain(snapshot: &Snapshot, asked: &Asked) -> Answer {
    match question(asked) {
        Ok(question) => Answer::json(json!(explain::explain(snapshot.world(), &question)).to_string()),
        Err(error) => Answer::error(Status::BadRequest, error),
    }
}

/// The question in the parameters of a request. A form sends the name of the parameter in `by`, and its value in
/// `name`.
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

fn counts(snapshot: &Snapshot) -> String {
    let (targets, unassigned) = snapshot.allocation.counts();
    let collectors = snapshot.allocation.members().map(|members| members.collectors().len());
    let pipelines: Vec<_> = snapshot.allocation.pipelines().keys().collect();
    let mut counts = json!({
        "age_seconds": snapshot.age().as_secs(),
        "jobs": snapshot.allocation.jobs().len(),
        "targets": targets,
        "unassigned_targets": unassigned,
        "collectors": collectors,
        "skipped": snapshot.allocation.report().entries().len(),
        "links": [
            "scrape_configs", "jobs", "merged/scrape_configs", "explain", "metrics", "debug/report", "livez", "readyz",
        ],
    });
    if !pipelines.is_empty() {
        counts["pipelines"] = json!(pipelines);
    }
    counts.to_string()
}

/// The characters that Go's `url.QueryEscape` keeps. Spaces are replaced separately.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');
