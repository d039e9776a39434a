//! Compares service discovery outside of a cluster with Prometheus: HTTP, DNS, EC2 and files.
//!
//! Arguments: a file of cases (lines of JSON, each `{"KIND_sd_configs": [CONFIG]}`), and a file with the answers of
//! `tests/peers/external`. The servers in the configs must be running. Prints the first disagreements and the number of
//! configs that agree. Fails if one disagrees.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use target_allocator::external::{Externals, Place};
use target_allocator_core::allocation::OwnedSource;
use target_allocator_core::config::Config;
use target_allocator_core::discovery::proxy::EnvironmentProxies;
use target_allocator_core::discovery::{SourceAnswer, SourceGroup, sources};
use target_allocator_core::scrape_config::parse::parse;

/// Maximum number of printed disagreements.
const SHOWN: usize = 10;

/// The result of one SD config.
#[derive(Debug, PartialEq)]
enum Outcome {
    Groups(Value),
    Failed(String),
    Refused(String),
}

impl Outcome {
    /// Whether both results agree. Reasons are not compared, because Prometheus words them differently.
    fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Groups(one), Self::Groups(other)) => one == other,
            (Self::Failed(_), Self::Failed(_)) | (Self::Refused(_), Self::Refused(_)) => true,
            _ => false,
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: external_differential CASES ANSWERS";
    let mut lines = || Ok::<_, anyhow::Error>(BufReader::new(File::open(arguments.next().context(usage)?)?).lines());
    let (cases, answers) = (lines()?, lines()?);
    let config = Config::parse("{http_sd_allow: [127.0.0.1/32], prometheus_cr: {enabled: true}}", None)?;
    let place = Place { folder: PathBuf::from("."), runtime_api: None, proxies: EnvironmentProxies::default() };
    let externals = Externals::new(&config, place);
    let (mut agreed, mut failed, mut refused, mut targets, mut disagreed) = (0, 0, 0, 0, 0);
    let mut out = std::io::stdout().lock();
    for (case, answer) in cases.zip(answers) {
        let (case, answer): (Value, Value) = (serde_json::from_str(&case?)?, serde_json::from_str(&answer?)?);
        let (ours, theirs) = (ours(&case, &externals).await?, theirs(&answer));
        if !ours.agrees(&theirs) {
            disagreed += 1;
            if disagreed <= SHOWN {
                writeln!(out, "{case}:{}", difference(&ours, &theirs))?;
            }
            continue;
        }
        match ours {
            Outcome::Groups(groups) => {
                agreed += 1;
                let of = |group: &Value| group["targets"].as_array().map_or(0, Vec::len);
                targets += groups.as_array().into_iter().flatten().map(of).sum::<usize>();
            }
            Outcome::Failed(_) => failed += 1,
            Outcome::Refused(_) => refused += 1,
        }
    }
    let same = agreed + failed + refused;
    writeln!(
        out,
        "{same}/{} configs agreed: {agreed} with {targets} targets, {failed} whose server failed, {refused} refused",
        same + disagreed
    )?;
    ensure!(disagreed == 0, "{disagreed} configs disagree");
    Ok(())
}

/// The first difference between two results.
fn difference(ours: &Outcome, theirs: &Outcome) -> String {
    let (Outcome::Groups(one), Outcome::Groups(other)) = (ours, theirs) else {
        let short = |outcome: &Outcome| format!("{outcome:?}").chars().take(300).collect::<String>();
        return format!("\n  ours:   {}\n  theirs: {}", short(ours), short(theirs));
    };
    let mut place = (String::new(), one, other);
    loop {
        let (path, one, other) = place;
        let fields: Vec<String> = match (one, other) {
            (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
                (0..one.len()).map(|at| format!("/{at}")).collect()
            }
            (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => {
                one.keys().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect()
            }
            _ => Vec::new(),
        };
        let both = fields.iter().filter_map(|field| Some((field, one.pointer(field)?, other.pointer(field)?)));
        let first = both.clone().find(|(_, one, other)| one != other);
        match first {
            Some((field, one, other)) => place = (path + field, one, other),
            None => return format!("\n  at {path}\n  ours:   {one}\n  theirs: {other}"),
        }
    }
}

async fn ours(case: &Value, externals: &Externals) -> Result<Outcome> {
    let mut job = case.clone();
    job["job_name"] = "job".into();
    let parsed = parse(&json!({ "scrape_configs": [job] }))?;
    let job = match parsed.jobs.into_iter().next().context("there is a job")? {
        Ok(job) => job,
        Err(refused) => return Ok(Outcome::Refused(refused.error.to_string())),
    };
    let owned = |source| OwnedSource { source, owners: BTreeSet::new() };
    let sources: Vec<_> = sources(&job.service_discovery)?.into_iter().map(owned).collect();
    let answers = externals.answers(&sources).await.answers;
    Ok(match answers.into_values().next().context("there is a source")? {
        SourceAnswer::Known(groups) => Outcome::Groups(groups.iter().map(group).collect()),
        SourceAnswer::Kept(_, reason) | SourceAnswer::Unknown(reason) => Outcome::Failed(reason),
    })
}

fn group(group: &SourceGroup) -> Value {
    let SourceGroup { source, labels, targets } = group;
    json!({"source": source, "labels": labels, "targets": targets})
}

/// Parses an answer of Prometheus. Go writes an empty list as `null`.
fn theirs(answer: &Value) -> Outcome {
    let reason = |name: &str| answer[name].as_str().map(str::to_owned);
    if let Some(reason) = reason("refused") {
        return Outcome::Refused(reason);
    }
    if let Some(reason) = reason("failed") {
        return Outcome::Failed(reason);
    }
    let empty = |value: &Value, instead: Value| if value.is_null() { instead } else { value.clone() };
    let groups = answer["groups"].as_array().into_iter().flatten().map(|group| {
        json!({"source": group["source"], "labels": empty(&group["labels"], json!({})),
            "targets": empty(&group["targets"], json!([]))})
    });
    Outcome::Groups(groups.collect())
}
