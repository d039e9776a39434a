//! Compares explanations with served targets, in the recordings and in the example cluster.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::events::{GATEWAYS, http_api};
use crate::function::Function;

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// All served targets: job → address → collectors.
async fn served(function: &Function) -> BTreeMap<String, Vec<(String, String)>> {
    let mut served = BTreeMap::new();
    for job in function.get("/scrape_configs").await.json().as_object().unwrap().keys() {
        let shares = function.get(&format!("/jobs/{}/targets", escaped(job))).await.json();
        let targets = shares.as_object().unwrap().iter().flat_map(|(collector, share)| {
            let targets = share["targets"].as_array().unwrap().iter();
            targets.map(|target| (target["targets"][0].as_str().unwrap().to_owned(), collector.clone()))
        });
        served.insert(job.clone(), targets.collect());
    }
    served
}

#[tokio::test]
async fn monitors_are_explained_as_they_are_served() {
    let (mut agreed, mut total) = (0, 0);
    for recording in ["shop", "cluster-consistent-hashing", "cluster-per-node"] {
        let folder = format!("{}/tests/golden/{recording}", env!("CARGO_MANIFEST_DIR"));
        let function = Function::start(&[
            ("CLUSTER", &format!("manifests:{folder}/cluster.json")),
            ("ALLOCATOR_CONFIG_FILE", &format!("{folder}/targetallocator.yaml")),
            ("SNAPSHOT_TTL", "600"),
        ])
        .await;
        let served = served(&function).await;
        let objects: Value = serde_json::from_slice(&std::fs::read(format!("{folder}/cluster.json")).unwrap()).unwrap();
        let kinds = ["ServiceMonitor", "PodMonitor", "Probe", "ScrapeConfig"];
        let monitors =
            objects["items"].as_array().unwrap().iter().filter(|item| kinds.iter().any(|kind| item["kind"] == *kind));
        for monitor in monitors {
            let text = |field: &str| monitor["metadata"][field].as_str().unwrap();
            let kind = monitor["kind"].as_str().unwrap();
            let asked = format!("{kind}/{}/{}", text("namespace"), text("name"));
            let explained = function.get(&format!("/explain?monitor={}", escaped(&asked))).await.json();
            let mut names = BTreeSet::new();
            for job in explained["jobs"].as_array().into_iter().flatten() {
                let name = job["job"].as_str().unwrap();
                names.insert(name.to_owned());
                let mut collectors: BTreeMap<&str, u64> = BTreeMap::new();
                for (_, collector) in &served[name] {
                    *collectors.entry(collector).or_default() += 1;
                }
                let told: BTreeMap<&str, u64> = job["collectors"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(collector, count)| (collector.as_str(), count.as_u64().unwrap()))
                    .collect();
                assert_eq!(told, collectors, "{recording}: {name}");
            }
            let prefix = format!("{}{}/{}/{}", kind[..1].to_lowercase(), &kind[1..], text("namespace"), text("name"));
            let expected: BTreeSet<_> = served
                .keys()
                .filter(|job| **job == prefix || job.starts_with(&format!("{prefix}/")))
                .cloned()
                .collect();
            total += 1;
            agreed += usize::from(names == expected);
            let any = expected.iter().any(|job| !served[job].is_empty());
            assert_eq!((&names, explained["served"] == true), (&expected, any), "{recording}: {asked}: {explained}");
            if !any {
                let steps = explained["steps"].as_array().unwrap();
                assert!(steps.iter().any(|step| step["progress"] == "stopped"), "no reason: {explained}");
            }
        }
    }
    println!("explained as served: {agreed}/{total} monitors");
    assert!(total > 50, "{total} monitors");
}

#[tokio::test]
async fn questions_are_answered_through_every_gateway() {
    let folder = format!("{}/examples/shop", env!("CARGO_MANIFEST_DIR"));
    let function = Function::start(&[
        ("CLUSTER", &format!("manifests:{folder}/cluster")),
        ("ALLOCATOR_CONFIG_FILE", &format!("{folder}/targetallocator.yaml")),
    ])
    .await;
    let paths = [
        "/explain?monitor=ServiceMonitor%2Fshop%2Fweb",
        "/base/explain?by=service&name=shop%2Fweb",
        "/explain?collector=otel-collector-1",
        "/explain?any=shop%2Fweb",
        "/explain?target=10.9.9.9%3A80",
    ];
    for path in paths {
        let expected = function.get(path).await;
        assert_eq!(expected.status, 200, "{path}");
        for (gateway, event) in GATEWAYS {
            assert_eq!(function.invoke(event(path)).await.json(), expected.json(), "{gateway}: {path}");
        }
    }
    let wrong = [
        ("/explain", "set one of the parameters any=NAME, monitor="),
        ("/explain?pod=a/b/c", "pod must be NAMESPACE/NAME: \"a/b/c\""),
        ("/explain?by=node&name=n1", "set one of the parameters"),
    ];
    for (path, message) in wrong {
        let answer = function.get(path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.message().contains(message), "{}", answer.message());
        let mut event = http_api(path);
        event["headers"]["accept"] = "text/html".into();
        let page = function.invoke(event).await;
        assert!(page.headers["content-type"].starts_with("text/html"), "{path}");
    }
}

/// The statuses of the operator's own server, at its addresses.
#[tokio::test]
async fn pages_have_the_statuses_of_the_operators_server() {
    let folder = format!("{}/examples/shop", env!("CARGO_MANIFEST_DIR"));
    let function = Function::start(&[
        ("CLUSTER", &format!("manifests:{folder}/cluster")),
        ("ALLOCATOR_CONFIG_FILE", &format!("{folder}/targetallocator.yaml")),
    ])
    .await;
    let cases = [
        ("/debug/job", 400, "the parameter job_id is missing"),
        ("/debug/job?job_id=", 400, "the parameter job_id is missing"),
        ("/debug/job?job_id=nothing", 404, "no job has this name"),
        ("/debug/job?job_id=serviceMonitor/shop/backend/0", 404, "did you mean serviceMonitor/shop/backends/0?"),
        ("/debug/collector", 400, "the parameter collector_id is missing"),
        ("/debug/collector?collector_id=", 400, "the parameter collector_id is missing"),
        ("/debug/collector?collector_id=nobody", 404, "has no pod nobody"),
        ("/debug/job?job_id=a&job_id=b", 400, "the parameter job_id must have one value only"),
        ("/debug/target", 400, "the parameter target_hash is missing"),
        ("/debug/target?target_hash=0", 400, "target_hash must be the number of a target"),
        ("/debug/target?target_hash=web", 400, "target_hash must be the number of a target"),
        ("/debug/target?target_hash=-1", 400, "target_hash must be the number of a target"),
        ("/debug/target?target_hash=42", 404, "no target has this target_hash"),
    ];
    for (path, status, message) in cases {
        let page = function.get(path).await;
        let text = String::from_utf8(page.body).unwrap();
        assert_eq!(
            (page.status, page.headers["content-type"].as_str()),
            (status, "text/html; charset=utf-8"),
            "{path}"
        );
        assert!(text.contains(message), "{path}: {text}");
    }
}

#[tokio::test]
async fn a_target_is_shown_by_its_hash_alone() {
    let folder = format!("{}/examples/shop", env!("CARGO_MANIFEST_DIR"));
    let function = Function::start(&[
        ("CLUSTER", &format!("manifests:{folder}/cluster")),
        ("ALLOCATOR_CONFIG_FILE", &format!("{folder}/targetallocator.yaml")),
    ])
    .await;
    let list = String::from_utf8(function.get("/debug/targets").await.body).unwrap();
    let hashes: BTreeSet<_> = list
        .split("target_hash=")
        .skip(1)
        .map(|rest| rest.split(|letter: char| !letter.is_ascii_digit()).next().unwrap())
        .collect();
    assert!(hashes.len() > 10, "{list}");
    for hash in hashes.iter().take(5) {
        let alone = function.get(&format!("/debug/target?target_hash={hash}")).await;
        let text = String::from_utf8(alone.body).unwrap();
        assert!(alone.status == 200 && text.contains("Target 10."), "{hash}: {text}");
        let other = function.get(&format!("/debug/target?target_hash={hash}&job_id=nothing")).await;
        assert_eq!(other.status, 404, "{hash} is of another job");
    }
}
