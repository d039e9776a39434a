//! Compares Kubernetes service discovery in this crate with Prometheus.
//!
//! Arguments: a file of cases (lines of JSON, each with a cluster and SD configs), and a file with the answers of
//! `tests/peers/discovery`. Prints the first disagreements and the number of configs that agree. Fails if one
//! disagrees.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use target_allocator_core::discovery::{Index, LabelFilter, discover};
use target_allocator_core::objects::{Cluster, Collection, Object};
use target_allocator_core::scrape_config::parse::parse;

/// Maximum number of printed disagreements.
const SHOWN: usize = 10;

/// Labels and targets of groups, by source.
type Groups = BTreeMap<String, (Value, Vec<String>)>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(cases), Some(answers)) = (arguments.next(), arguments.next()) else {
        return Err("usage: discovery_differential CASES ANSWERS".into());
    };
    let cases = BufReader::new(File::open(cases)?).lines();
    let answers = BufReader::new(File::open(answers)?).lines();
    let (mut clusters, mut agreed, mut refused, mut disagreed, mut targets) = (0, 0, 0, 0, 0);
    let mut out = std::io::stdout().lock();
    for (case, answer) in cases.zip(answers) {
        let (case, answer): (Value, Value) = (serde_json::from_str(&case?)?, serde_json::from_str(&answer?)?);
        let index = Index::new(&cluster(&case["cluster"])?);
        clusters += 1;
        for (config, answer) in list(&case["configs"]).iter().zip(list(&answer)) {
            match (ours(config, &index), answer.get("refused")) {
                (Err(_), Some(_)) => refused += 1,
                (Ok(groups), None) if groups == theirs(answer) => {
                    agreed += 1;
                    targets += groups.values().map(|(_, targets)| targets.len()).sum::<usize>();
                }
                (ours, _) => {
                    disagreed += 1;
                    if disagreed <= SHOWN {
                        writeln!(out, "cluster {clusters}, {config}: {}", difference(ours, answer))?;
                    }
                }
            }
        }
    }
    let total = agreed + refused + disagreed;
    writeln!(
        out,
        "{}/{total} configs agreed in {clusters} clusters: {agreed} with {targets} targets, {refused} refused",
        agreed + refused
    )?;
    if disagreed > 0 { Err(format!("{disagreed} configs disagree").into()) } else { Ok(()) }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn cluster(of: &Value) -> Result<Cluster, Box<dyn Error>> {
    fn add<T: Object + DeserializeOwned>(to: &mut Collection<T>, item: &Value) -> Result<(), serde_json::Error> {
        to.insert(serde_json::from_value::<T>(item.clone())?);
        Ok(())
    }
    let mut cluster = Cluster::default();
    for item in list(&of["items"]) {
        match item["kind"].as_str().unwrap_or_default() {
            "Namespace" => add(&mut cluster.namespaces, item)?,
            "Node" => add(&mut cluster.nodes, item)?,
            "Pod" => add(&mut cluster.pods, item)?,
            "Service" => add(&mut cluster.services, item)?,
            "Endpoints" => add(&mut cluster.endpoints, item)?,
            "EndpointSlice" => add(&mut cluster.endpoint_slices, item)?,
            "Ingress" => add(&mut cluster.ingresses, item)?,
            "ReplicaSet" => add(&mut cluster.replica_sets, item)?,
            "Job" => add(&mut cluster.jobs, item)?,
            kind => return Err(format!("no such kind: {kind}").into()),
        }
    }
    Ok(cluster)
}

fn ours(config: &Value, index: &Index) -> Result<Groups, Box<dyn Error>> {
    let job = json!({"job_name": "job", "kubernetes_sd_configs": [config]});
    let parsed = parse(&json!({"scrape_configs": [job]}))?;
    let mut groups = Groups::new();
    for job in parsed.jobs {
        for config in &job?.service_discovery.kubernetes {
            for group in
                discover(config, None, index, &LabelFilter::ALL)?.iter().filter(|group| !group.targets.is_empty())
            {
                let mut targets = group.targets.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
                targets.sort_unstable();
                groups.insert(group.source.clone(), (serde_json::to_value(&group.labels)?, targets));
            }
        }
    }
    Ok(groups)
}

fn theirs(answer: &Value) -> Groups {
    let group = |group: &Value| {
        let mut targets: Vec<String> = list(&group["targets"]).iter().map(Value::to_string).collect();
        targets.sort_unstable();
        (group["source"].as_str().unwrap_or_default().to_owned(), (group["labels"].clone(), targets))
    };
    list(&answer["groups"]).iter().map(group).collect()
}

fn difference(ours: Result<Groups, Box<dyn Error>>, answer: &Value) -> String {
    match (ours, answer.get("refused")) {
        (Err(error), _) => format!("only we refuse: {error}"),
        (Ok(_), Some(refusal)) => format!("only Prometheus refuses: {refusal}"),
        (Ok(ours), None) => {
            let theirs = theirs(answer);
            let sources = ours.keys().chain(theirs.keys());
            let differing = sources.filter(|source| ours.get(*source) != theirs.get(*source));
            let show = |source: &String| format!("{source}: {:?}\n  theirs {:?}", ours.get(source), theirs.get(source));
            differing.take(1).map(show).collect()
        }
    }
}
