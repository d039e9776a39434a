//! Compares the jobs that this crate generates from monitors with those of the operator's allocator.
//!
//! Argument: a folder that `tests/peers/record-goldens` or `tests/peers/differential` wrote (`cluster.json`,
//! `targetallocator.yaml`, `scrape_configs.json`). Prints the first disagreements, the number of monitors of each kind
//! that agree, and the number for which both sides have jobs. Fails if one disagrees. For a ScrapeConfig with an
//! unsupported service discovery, compares everything except the service discovery.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use target_allocator_core::config::Config;
use target_allocator_core::monitors::{Generated, Settings, scrape_jobs};
use target_allocator_core::objects::{Cluster, Collection, Object};
use target_allocator_core::regex::RegexCache;
use target_allocator_core::report::Report;
use target_allocator_core::scrape_config::secret::WithSecrets;

/// Maximum number of printed disagreements.
const SHOWN: usize = 20;

/// The fields of a ScrapeConfig with supported kinds of service discovery.
const SERVED: [&str; 6] =
    ["staticConfigs", "httpSDConfigs", "kubernetesSDConfigs", "dnsSDConfigs", "ec2SDConfigs", "fileSDConfigs"];

/// Scrape configs by the name of their job.
type Jobs = BTreeMap<String, Value>;

#[derive(Default)]
struct Count {
    total: usize,
    agreed: usize,
    with_jobs: usize,
    in_part: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: monitors_differential FOLDER")?;
    let folder = Path::new(&folder);
    let list: Value = serde_json::from_str(&read(folder, "cluster.json")?)?;
    let theirs: Jobs = serde_json::from_str(&read(folder, "scrape_configs.json")?)?;
    let config = Config::parse(&read(folder, "targetallocator.yaml")?, None)?;
    let settings = config.monitors.ok_or("prometheus_cr is not enabled")?;
    let items = list["items"].as_array().ok_or("cluster.json is not a list")?;

    let (ours, report) = jobs(&settings, items)?;
    let in_part: Vec<Value> = items.iter().map(without_unserved).collect();
    let (ours_in_part, _) = jobs(&settings, &in_part)?;

    let mut out = std::io::stdout().lock();
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    let mut shown = 0;
    for (item, stripped) in items.iter().zip(&in_part) {
        let Some((kind, prefix)) = prefix(item) else { continue };
        let count = counts.entry(kind).or_default();
        let (of_ours, of_theirs) = (of_monitor(&ours, &prefix), of_monitor(&theirs, &prefix));
        count.total += 1;
        // A refused object cannot be compared in part, because the removed part may be the invalid one.
        let partly = stripped != item && !of_theirs.is_empty();
        let difference = if partly {
            count.in_part += 1;
            let of_theirs = of_theirs.into_iter().map(|(name, job)| (name, without_discovery(job))).collect();
            let of_ours = of_monitor(&ours_in_part, &prefix).into_iter();
            difference(&of_ours.map(|(name, job)| (name, without_discovery(job))).collect(), &of_theirs)
        } else {
            count.with_jobs += usize::from(!of_theirs.is_empty());
            difference(&of_ours, &of_theirs)
        };
        match difference {
            None => count.agreed += 1,
            Some(difference) => {
                shown += 1;
                if shown <= SHOWN {
                    let findings = findings(&report, item);
                    writeln!(out, "{prefix} {difference}{findings}\n  {}", item["spec"])?;
                }
            }
        }
    }
    let unknown = ours.keys().filter(|job| !items.iter().any(|item| belongs(job, item))).count();
    for (kind, Count { total, agreed, with_jobs, in_part }) in &counts {
        writeln!(
            out,
            "{kind}: {agreed}/{total} agreed, {with_jobs} with jobs, {in_part} with jobs compared without service discovery"
        )?;
    }
    let (agreed, total) = counts.values().fold((0, 0), |sum, count| (sum.0 + count.agreed, sum.1 + count.total));
    writeln!(out, "monitors: {agreed}/{total} agreed")?;
    if agreed == total && total > 0 && unknown == 0 {
        Ok(())
    } else {
        Err(format!("{} monitors disagree, {unknown} jobs belong to none", total - agreed).into())
    }
}

fn read(folder: &Path, file: &str) -> Result<String, std::io::Error> {
    let mut text = String::new();
    File::open(folder.join(file))?.read_to_string(&mut text)?;
    Ok(text)
}

fn jobs(settings: &Settings, items: &[Value]) -> Result<(Jobs, Report), Box<dyn Error>> {
    let Generated { jobs, report, used: _ } = scrape_jobs(settings, &cluster(items)?, &RegexCache::default());
    let served = jobs.into_iter().map(|job| {
        let value = serde_json::to_value(WithSecrets(&job.scrape_config))?;
        Ok((job.scrape_config.job_name, value))
    });
    Ok((served.collect::<Result<_, serde_json::Error>>()?, report))
}

fn cluster(items: &[Value]) -> Result<Cluster, Box<dyn Error>> {
    fn add<T: Object + DeserializeOwned>(to: &mut Collection<T>, item: &Value) -> Result<(), Box<dyn Error>> {
        let read = serde_json::from_value::<T>(item.clone());
        to.insert(read.map_err(|error| format!("cannot be read: {error}: {item}"))?);
        Ok(())
    }
    let mut cluster = Cluster::default();
    for item in items {
        match item["kind"].as_str().unwrap_or_default() {
            "Namespace" => add(&mut cluster.namespaces, item)?,
            "Secret" => add(&mut cluster.secrets, item)?,
            "ConfigMap" => add(&mut cluster.config_maps, item)?,
            "ServiceMonitor" => add(&mut cluster.service_monitors, item)?,
            "PodMonitor" => add(&mut cluster.pod_monitors, item)?,
            "Probe" => add(&mut cluster.probes, item)?,
            "ScrapeConfig" => add(&mut cluster.scrape_configs, item)?,
            _ => {} // irrelevant for monitors
        }
    }
    Ok(cluster)
}

/// The kind of a monitor, and the prefix of the names of its jobs.
fn prefix(item: &Value) -> Option<(&'static str, String)> {
    let kind = match item["kind"].as_str()? {
        "ServiceMonitor" => "serviceMonitor",
        "PodMonitor" => "podMonitor",
        "Probe" => "probe",
        "ScrapeConfig" => "scrapeConfig",
        _ => return None,
    };
    let metadata = &item["metadata"];
    Some((kind, format!("{kind}/{}/{}", metadata["namespace"].as_str()?, metadata["name"].as_str()?)))
}

fn belongs(job: &str, item: &Value) -> bool {
    let rest = prefix(item).and_then(|(_, prefix)| job.strip_prefix(&prefix).map(str::to_owned));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn of_monitor(jobs: &Jobs, prefix: &str) -> Jobs {
    let own = jobs.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
    own.filter(|(name, _)| matches!(name.as_bytes().get(prefix.len()), None | Some(b'/')))
        .map(|(name, job)| (name.clone(), job.clone()))
        .collect()
}

/// A ScrapeConfig without unsupported kinds of service discovery.
fn without_unserved(item: &Value) -> Value {
    let mut item = item.clone();
    if item["kind"] == "ScrapeConfig"
        && let Some(spec) = item["spec"].as_object_mut()
    {
        spec.retain(|field, value| {
            let unserved = field.ends_with("SDConfigs") && !SERVED.contains(&field.as_str());
            !unserved || value.as_array().is_none_or(Vec::is_empty)
        });
    }
    item
}

fn without_discovery(mut job: Value) -> Value {
    if let Some(fields) = job.as_object_mut() {
        fields.retain(|field, _| !field.ends_with("_sd_configs") && field != "static_configs");
    }
    job
}

fn findings(report: &Report, item: &Value) -> String {
    let own = report.entries().iter().filter(|entry| {
        let object = &entry.object;
        item["kind"] == object.kind.as_str()
            && item["metadata"]["name"] == object.name.as_str()
            && item["metadata"]["namespace"] == object.namespace.as_str()
    });
    own.map(|entry| format!("\n  here: {entry}")).collect()
}

fn difference(ours: &Jobs, theirs: &Jobs) -> Option<String> {
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    names.into_iter().find_map(|name| match (ours.get(name), theirs.get(name)) {
        (Some(ours), Some(theirs)) => differ(name, ours, theirs),
        (Some(_), None) => Some(format!("{name}: only we have it")),
        (None, _) => Some(format!("{name}: only the peers have it")),
    })
}

fn differ(path: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => fields_differ(path, ours, theirs),
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            let mut items = ours.iter().zip(theirs).enumerate();
            items.find_map(|(at, (ours, theirs))| differ(&format!("{path}[{at}]"), ours, theirs))
        }
        (Value::Number(ours), Value::Number(theirs)) if ours.as_f64() == theirs.as_f64() => None,
        // Prometheus hides passwords in URLs even when it shows secrets. A collector could not use a hidden password.
        (Value::String(ours), Value::String(theirs)) if ours.replace(":word@", ":xxxxx@") == *theirs => None,
        _ if ours == theirs => None,
        _ => Some(format!("{path}: ours {ours}, theirs {theirs}")),
    }
}

fn fields_differ(path: &str, ours: &Map<String, Value>, theirs: &Map<String, Value>) -> Option<String> {
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    // The operator's allocator prints the path of its kubeconfig, which differs by machine.
    names.into_iter().filter(|name| *name != "kubeconfig_file").find_map(|name| {
        match (ours.get(name), theirs.get(name)) {
            (Some(ours), Some(theirs)) => differ(&format!("{path}.{name}"), ours, theirs),
            (ours, theirs) => Some(format!("{path}.{name}: ours {ours:?}, theirs {theirs:?}")),
        }
    })
}
