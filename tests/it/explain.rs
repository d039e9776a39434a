//! Explanations against what is served: in the recordings, and in the example cluster.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::events::{GATEWAYS, http_api};
use crate::function::Function;

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Everything that is served: job → address → collectors.
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
async fn questions_come_through_every_gateway() {
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
        ("/explain", "set one of the parameters monitor="),
        ("/explain?pod=web", "pod must be NAMESPACE/NAME: \"web\""),
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
    let missing = function.get("/debug/job?job_id=nothing").await;
    assert_eq!((missing.status, missing.headers["content-type"].as_str()), (404, "text/html; charset=utf-8"));
}
