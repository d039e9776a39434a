//! Compares parsed and validated scrape configs of this crate with those of Prometheus.
//!
//! Arguments: a file of cases (lines of JSON, each with the text of a YAML document), and a file with the answers of
//! `tests/peers/scrapeconfig`. Prints the first disagreements and the number of cases that agree. Fails if one
//! disagrees.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use serde_json::{Map, Value};
use target_allocator_core::error::chain;
use target_allocator_core::scrape_config::parse::{ParseError, Problem, PrometheusConfig, parse};
use target_allocator_core::scrape_config::secret::WithSecrets;
use target_allocator_core::yaml;

/// Maximum number of printed disagreements.
const SHOWN: usize = 20;

/// The result of comparing one case.
enum Verdict {
    Accepted,
    Refused,
    NotServed,
    Disagreed(String),
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(cases), Some(answers)) = (arguments.next(), arguments.next()) else {
        return Err("usage: scrape_config_differential CASES ANSWERS".into());
    };
    let cases = BufReader::new(File::open(cases)?).lines();
    let answers = BufReader::new(File::open(answers)?).lines();
    let (mut accepted, mut refused, mut not_served, mut disagreed) = (0, 0, 0, 0);
    let mut out = std::io::stdout().lock();
    for (case, answer) in cases.zip(answers) {
        let text: String = serde_json::from_str(&case?)?;
        match compare(&text, &serde_json::from_str(&answer?)?) {
            Verdict::Accepted => accepted += 1,
            Verdict::Refused => refused += 1,
            Verdict::NotServed => not_served += 1,
            Verdict::Disagreed(how) => {
                disagreed += 1;
                if disagreed <= SHOWN {
                    writeln!(out, "{text}\n  {how}")?;
                }
            }
        }
    }
    let agreed = accepted + refused + not_served;
    writeln!(
        out,
        "{agreed}/{total} agreed: {accepted} accepted, {refused} refused, {not_served} of a kind not served here",
        total = agreed + disagreed
    )?;
    if disagreed > 0 { Err(format!("{disagreed} cases disagree").into()) } else { Ok(()) }
}

fn compare(text: &str, answer: &Value) -> Verdict {
    let refusal = answer.get("refused").and_then(Value::as_str);
    match (ours(text), refusal) {
        (Err(_), Some(_)) => Verdict::Refused,
        (Err(Failure::Job(ParseError { problem: Problem::NotServed { .. }, .. })), None) => Verdict::NotServed,
        (Err(failure), None) => Verdict::Disagreed(format!("only we refuse: {}", failure.chain())),
        (Ok(_), Some(refusal)) => Verdict::Disagreed(format!("only Prometheus refuses: {refusal}")),
        (Ok(config), None) => compare_jobs(config, answer),
    }
}

fn compare_jobs(config: PrometheusConfig, answer: &Value) -> Verdict {
    let (mut shown, mut hidden) = (Map::new(), Map::new());
    for job in config.jobs.into_iter().flatten() {
        shown.insert(job.job_name.clone(), served(&WithSecrets(&job)));
        hidden.insert(job.job_name.clone(), served(&job));
    }
    let empty = Value::Object(Map::new());
    let theirs = |name| answer.get(name).unwrap_or(&empty);
    let mut differences = Vec::new();
    // Prometheus hides passwords in URLs even when it shows secrets. A collector could not use a hidden password.
    differ("shown", &redacted(Value::Object(shown)), theirs("shown"), &mut differences);
    differ("hidden", &Value::Object(hidden), theirs("hidden"), &mut differences);
    if differences.is_empty() { Verdict::Accepted } else { Verdict::Disagreed(differences.join("; ")) }
}

fn served<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn redacted(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(text) if matches!(name.as_str(), "proxy_url" | "api_server") => {
                    (name, Value::String(text.replace(":hunter2@", ":xxxxx@")))
                }
                value => (name, redacted(value)),
            })
            .collect(),
        Value::Array(list) => list.into_iter().map(redacted).collect(),
        value => value,
    }
}

fn differ(path: &str, ours: &Value, theirs: &Value, differences: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for name in ours.keys().chain(theirs.keys().filter(|name| !ours.contains_key(*name))) {
                let (ours, theirs) = (ours.get(name), theirs.get(name));
                let path = format!("{path}.{name}");
                match (ours, theirs) {
                    (Some(ours), Some(theirs)) => differ(&path, ours, theirs, differences),
                    _ => differences.push(format!("{path}: ours {ours:?}, theirs {theirs:?}")),
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                differ(&format!("{path}[{at}]"), ours, theirs, differences);
            }
        }
        (Value::Number(ours), Value::Number(theirs)) if ours.as_f64() == theirs.as_f64() => {}
        _ if ours == theirs => {}
        _ => differences.push(format!("{path}: ours {ours}, theirs {theirs}")),
    }
}

/// Why this crate refuses a document.
enum Failure {
    Text(yaml::YamlError),
    Job(ParseError),
}

impl Failure {
    fn chain(&self) -> String {
        match self {
            Self::Text(error) => chain(error),
            Self::Job(error) => chain(error),
        }
    }
}

/// Parses a document. Like Prometheus, fails if one job is invalid. The function would leave out only this job.
fn ours(text: &str) -> Result<PrometheusConfig, Failure> {
    let value = yaml::parse(text).map_err(Failure::Text)?;
    let config = parse(&value).map_err(Failure::Job)?;
    match config.jobs.iter().find_map(|job| job.as_ref().err()) {
        Some(refused) => Err(Failure::Job(refused.error.clone())),
        None => Ok(config),
    }
}
