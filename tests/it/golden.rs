//! Compares answers with recorded answers of the real peers.
//!
//! A recording is a folder with `cluster.json` (the objects), `targetallocator.yaml`, `scrape_configs.json` and, if
//! targets were recorded, `targets.json` (job → collector → HTTP SD list). `tests/peers/record-goldens` creates
//! recordings. `GOLDEN_DIR` names an additional folder of recordings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::events::{COLLECTOR, http_api, verified};
use crate::function::Function;

/// Job → collector → targets.
type Targets = BTreeMap<String, BTreeMap<String, Vec<Value>>>;

fn recordings() -> Vec<PathBuf> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let others = std::env::var_os("GOLDEN_DIR").map(PathBuf::from);
    let folders = [Some(ours), others].into_iter().flatten().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut folders: Vec<_> = folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(!folders.is_empty(), "there are no recordings");
    folders
}

async fn start(recording: &Path) -> Function {
    let cluster = format!("manifests:{}", recording.join("cluster.json").display());
    let config = recording.join("targetallocator.yaml").display().to_string();
    Function::start(&[
        ("CLUSTER", &cluster),
        ("ALLOCATOR_CONFIG_FILE", &config),
        ("SECRETS", "inline"),
        ("TARGET_LABELS", "all"),
        ("SNAPSHOT_TTL", "3600"),
        ("SNAPSHOT_MAX_STALE", "3600"),
        // The recordings contain no instances, so no request reaches AWS.
        ("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:1"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ])
    .await
}

/// The settings with which secrets are served. The recordings contain them.
fn with_secrets() -> Value {
    verified(http_api("/scrape_configs"), COLLECTOR, None)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

/// Compares all names and prints each difference, so that one run shows all of them.
fn compare<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &BTreeMap<String, T>,
    found: &BTreeMap<String, T>,
    difference: impl Fn(&T, &T) -> String,
) -> Vec<String> {
    let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let total = names.len();
    let differences: Vec<_> = names
        .into_iter()
        .filter_map(|name| match (expected.get(name), found.get(name)) {
            (Some(expected), Some(found)) if expected == found => None,
            (Some(expected), Some(found)) => Some(format!("{what} {name}: {}", difference(expected, found))),
            (Some(_), None) => Some(format!("{what} {name}: the peer has it, we do not")),
            (None, _) => Some(format!("{what} {name}: we have it, the peer does not")),
        })
        .collect();
    println!("{what}: {}/{total} equal", total - differences.len());
    differences
}

/// The supported kinds of service discovery. Jobs with another kind, another cluster or an unsupported client are left
/// out and reported.
const SERVED: [&str; 5] =
    ["kubernetes_sd_configs", "http_sd_configs", "dns_sd_configs", "ec2_sd_configs", "consul_sd_configs"];

/// Removes jobs with unsupported service discovery. Returns those that the report does not name.
fn take_unserved(expected: &mut BTreeMap<String, Value>, report: &Value) -> Vec<String> {
    let is_served = |config: &Value| {
        let kinds = config.as_object().unwrap().iter().filter(|(field, _)| field.ends_with("_sd_configs"));
        let elsewhere = |sd: &Value| {
            let text = |field: &str| sd[field].as_str().unwrap_or_default();
            let proxy = text("proxy_url");
            let old_tls = matches!(sd["tls_config"]["max_version"].as_str(), Some("TLS10" | "TLS11"));
            let long_separator = text("tag_separator").len() > 8;
            !text("api_server").is_empty()
                || !(proxy.is_empty() || proxy.starts_with("http"))
                || old_tls
                || long_separator
        };
        kinds
            .into_iter()
            .all(|(field, sds)| SERVED.contains(&field.as_str()) && !sds.as_array().unwrap().iter().any(elsewhere))
    };
    let unserved: Vec<_> =
        expected.iter().filter(|(_, config)| !is_served(config)).map(|(job, _)| job.clone()).collect();
    let is_reported = |job: &str| {
        let [_, namespace, name] = job.split('/').collect::<Vec<_>>()[..] else { return false };
        report.as_array().unwrap().iter().any(|entry| {
            let object = &entry["object"];
            object["kind"] == "ScrapeConfig"
                && object["namespace"] == namespace
                && object["name"] == name
                && entry["outcome"] == "job-left-out"
        })
    };
    println!("not served here, and reported: {}", unserved.len());
    let silent = unserved.iter().filter(|job| !is_reported(job));
    let silent = silent.map(|job| format!("{job} is not served, and the report does not say so")).collect();
    expected.retain(|job, _| !unserved.contains(job));
    silent
}

/// Removes the path of the kubeconfig, which the peer prints and no recording contains.
fn without_kubeconfig(mut configs: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    for config in configs.values_mut() {
        for sd in config.get_mut("kubernetes_sd_configs").and_then(Value::as_array_mut).into_iter().flatten() {
            sd.as_object_mut().unwrap().remove("kubeconfig_file");
        }
    }
    configs
}

/// Replaces passwords of proxies as Prometheus does, even where it shows secrets. `docs/differences.md` has the reason.
fn with_hidden_proxy_passwords(mut configs: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    fn hide(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    match field {
                        Value::String(url) if name == "proxy_url" => *url = url.replace(":word@", ":xxxxx@"),
                        _ => hide(field),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(hide),
            _ => {}
        }
    }
    configs.values_mut().for_each(hide);
    configs
}

fn first_differing_field(expected: &Value, found: &Value) -> String {
    let (Some(expected), Some(found)) = (expected.as_object(), found.as_object()) else { return String::new() };
    let fields: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let differing = fields.into_iter().find(|field| expected.get(*field) != found.get(*field));
    differing.map_or_else(String::new, |field| {
        format!("{field}: expected {:?}, found {:?}", expected.get(field), found.get(field))
    })
}

#[tokio::test]
async fn recordings_are_reproduced() {
    let mut differences = Vec::new();
    for recording in recordings() {
        println!("{}", recording.display());
        let function = start(&recording).await;
        let expected: BTreeMap<String, Value> = read(&recording.join("scrape_configs.json"));
        let found: BTreeMap<String, Value> =
            serde_json::from_value(function.invoke(with_secrets()).await.json()).unwrap();
        let (mut expected, found) =
            (without_kubeconfig(expected), without_kubeconfig(with_hidden_proxy_passwords(found)));
        differences.extend(take_unserved(&mut expected, &function.get("/debug/report").await.json()));
        differences.extend(compare("scrape config", &expected, &found, first_differing_field));
        let targets = recording.join("targets.json");
        if targets.exists() {
            differences.extend(compare_targets(&function, read(&targets)).await);
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

async fn compare_targets(function: &Function, expected: Targets) -> Vec<String> {
    let (mut expected_shares, mut found_shares) = (BTreeMap::new(), BTreeMap::new());
    let mut with_targets = BTreeSet::new();
    for (job, shares) in &expected {
        let escaped = utf8_percent_encode(job, NON_ALPHANUMERIC).to_string();
        // The entry `all` only lists the collectors.
        for (collector, targets) in shares.iter().filter(|(collector, _)| *collector != "all") {
            let path = format!("/jobs/{escaped}/targets?collector_id={collector}");
            let found = function.get(&path).await.json();
            let share = format!("{job} of {collector}");
            expected_shares.insert(share.clone(), sorted(targets.clone()));
            found_shares.insert(share, sorted(found.as_array().expect("a list").clone()));
            if !targets.is_empty() {
                with_targets.insert(job.clone());
            }
        }
    }
    let jobs: BTreeSet<String> = function.get("/jobs").await.json().as_object().unwrap().keys().cloned().collect();
    let missing = with_targets.difference(&jobs).map(|job| format!("/jobs does not name {job}"));
    let mut differences: Vec<_> = missing.collect();
    differences.extend(compare("share", &expected_shares, &found_shares, |expected, found| {
        let only = |ours: &[Value], theirs: &[Value]| {
            ours.iter().find(|target| !theirs.contains(target)).map(ToString::to_string)
        };
        format!(
            "expected {} targets, found {}; only expected: {:?}; only found: {:?}",
            expected.len(),
            found.len(),
            only(expected, found),
            only(found, expected)
        )
    }));
    differences
}

fn sorted(mut targets: Vec<Value>) -> Vec<Value> {
    targets.sort_by_key(ToString::to_string);
    targets
}
