//! The example cluster through all four kinds of gateway.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::events::{GATEWAYS, http_api, rest_api};
use crate::function::{Answer, Function};

const COLLECTORS: [&str; 3] = ["otel-collector-0", "otel-collector-1", "otel-collector-2"];

async fn shop() -> Function {
    shop_with(&[]).await
}

pub async fn shop_with(more: &[(&str, &str)]) -> Function {
    let root = env!("CARGO_MANIFEST_DIR");
    let cluster = format!("manifests:{root}/examples/shop/cluster");
    let config = format!("{root}/examples/shop/targetallocator.yaml");
    let mut variables = vec![("CLUSTER", cluster.as_str()), ("ALLOCATOR_CONFIG_FILE", config.as_str())];
    variables.extend_from_slice(more);
    Function::start(&variables).await
}

fn addresses(answer: &Answer) -> BTreeSet<String> {
    let groups = answer.json();
    groups.as_array().unwrap().iter().map(|group| group["targets"][0].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_gateway_gives_the_same_answers() {
    let function = shop().await;
    let paths = [
        "/scrape_configs",
        "//scrape_configs",
        "/jobs",
        "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets",
        "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets?collector_id=otel-collector-1",
        "/jobs/no+such+job/targets?collector_id=otel-collector-1",
        "/base/path/jobs/serviceMonitor%2Fshop%2Fredis%2F0/targets?collector_id=otel-collector-0",
        "/debug/report",
        "/livez",
        "/readyz",
        "/nothing/here",
    ];
    for path in paths {
        let expected = function.get(path).await;
        for (gateway, event) in GATEWAYS {
            let answer = function.invoke(event(path)).await;
            assert_eq!(answer.status, expected.status, "{gateway}: {path}");
            assert_eq!(answer.body, expected.body, "{gateway}: {path}");
            assert_eq!(answer.headers["content-type"], expected.headers["content-type"], "{gateway}: {path}");
        }
    }
}

#[tokio::test]
async fn the_stage_is_removed_from_the_path() {
    let function = shop().await;
    let jobs = function.get("/jobs").await;
    let mut under_stage = http_api("/live/jobs");
    under_stage["requestContext"]["stage"] = json!("live");
    assert_eq!(function.invoke(under_stage).await.body, jobs.body);
    assert_eq!(function.invoke(rest_api("/jobs")).await.body, jobs.body);
}

#[tokio::test]
async fn answers_have_the_shapes_of_the_contract() {
    let function = shop().await;
    let configs = function.get("/scrape_configs").await;
    assert_eq!(configs.headers["content-type"], "application/json");
    for (name, config) in configs.json().as_object().unwrap() {
        assert_eq!(config["job_name"], json!(name));
    }
    let job = "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets";
    let jobs = function.get("/jobs").await.json();
    assert_eq!(jobs["serviceMonitor/shop/web/0"], json!({ "_link": job }));
    for (name, link) in jobs.as_object().unwrap() {
        assert_eq!(link, &json!({"_link": format!("/jobs/{}/targets", name.replace('/', "%2F"))}));
    }
    let nobody_has_any = COLLECTORS.map(|collector| {
        (
            collector.to_owned(),
            json!({"_link": format!("/jobs/nothing/targets?collector_id={collector}"), "targets": []}),
        )
    });
    assert_eq!(function.get("/jobs/nothing/targets").await.json(), Value::Object(nobody_has_any.into_iter().collect()));
    let all = function.get(job).await.json();
    let collectors: Vec<_> = all.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(collectors, COLLECTORS);
    for collector in COLLECTORS {
        let link = format!("{job}?collector_id={collector}");
        let share = function.get(&link).await;
        assert_eq!(all[collector], json!({"_link": link, "targets": share.json()}), "{collector}");
        for group in share.json().as_array().unwrap() {
            let fields: Vec<_> = group.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["labels", "targets"], "http_sd refuses any other field");
        }
    }
    for nobody in ["", "otel-collector-9"] {
        assert_eq!(function.get(&format!("{job}?collector_id={nobody}")).await.json(), json!([]));
    }
}

#[tokio::test]
async fn every_target_is_assigned_to_the_configured_number_of_collectors() {
    let config = |replicas| {
        format!(
            "collectors: {{count: 5, name: 'gw-{{ordinal}}'}}\nallocation_replicas: {replicas}\n\
             prometheus_cr: {{enabled: true, service_monitor_selector: {{}}}}\n"
        )
    };
    let root = env!("CARGO_MANIFEST_DIR");
    let cluster = format!("manifests:{root}/examples/shop/cluster");
    let mut totals = Vec::new();
    for replicas in [1, 2, 7] {
        let function = Function::start(&[("CLUSTER", &cluster), ("ALLOCATOR_CONFIG", &config(replicas))]).await;
        let mut owners: BTreeMap<(String, String), usize> = BTreeMap::new();
        for name in function.get("/jobs").await.json().as_object().unwrap().keys() {
            let all = function.get(&format!("/jobs/{name}/targets")).await.json();
            for target in all.as_object().unwrap().values().flat_map(|share| share["targets"].as_array().unwrap()) {
                *owners.entry((name.clone(), target.to_string())).or_default() += 1;
            }
        }
        assert!(owners.values().all(|count| *count == replicas.min(5)), "{replicas} copies: {owners:?}");
        totals.push(owners.len());
    }
    assert!(totals[0] > 20 && totals.iter().all(|total| *total == totals[0]), "{totals:?}");
}

#[tokio::test]
async fn a_share_without_collectors_in_the_config_is_an_error_with_advice() {
    let root = env!("CARGO_MANIFEST_DIR");
    let function = Function::start(&[("CLUSTER", &format!("manifests:{root}/examples/shop/cluster"))]).await;
    assert_eq!(function.get("/scrape_configs").await.status, 200);
    assert_eq!(function.get("/jobs").await.status, 200);
    for query in ["", "?collector_id=otel-collector-0"] {
        let answer = function.get(&format!("/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets{query}")).await;
        assert_eq!(answer.status, 500);
        assert!(answer.message().contains("set collector_selector and collector_namespace, or collectors"));
    }
}

#[tokio::test]
async fn a_refused_monitor_is_reported_and_harms_no_other() {
    let function = shop().await;
    let report = function.get("/debug/report").await.json();
    let refused: Vec<_> = report.as_array().unwrap().iter().filter(|entry| entry["outcome"] == "refused").collect();
    assert_eq!(refused.len(), 1, "{report}");
    assert_eq!(refused[0]["object"], json!({"kind": "ServiceMonitor", "namespace": "payments", "name": "refunds"}));
    assert!(refused[0]["field"].as_str().unwrap().starts_with("spec.endpoints[0].basicAuth"), "{report}");
    assert!(refused[0]["reason"].as_str().unwrap().contains("refunds-scrape"), "{report}");
    let jobs = function.get("/scrape_configs").await.json();
    assert!(jobs.get("serviceMonitor/payments/refunds/0").is_none());
    assert!(jobs.get("serviceMonitor/payments/payments/0").is_some());
}

#[tokio::test]
async fn referenced_labels_equal_the_operators_without_unread_labels() {
    let (all, referenced) = (shop_with(&[("TARGET_LABELS", "all")]).await, shop().await);
    let (mut bytes_all, mut bytes_referenced) = (0, 0);
    for name in all.get("/jobs").await.json().as_object().unwrap().keys() {
        for collector in COLLECTORS {
            let path = format!("/jobs/{name}/targets?collector_id={collector}");
            let (all, referenced) = (all.get(&path).await, referenced.get(&path).await);
            bytes_all += all.body.len();
            bytes_referenced += referenced.body.len();
            assert_eq!(addresses(&all), addresses(&referenced));
            let (all, referenced) = (all.json(), referenced.json());
            for (all, referenced) in all.as_array().unwrap().iter().zip(referenced.as_array().unwrap()) {
                let (all, referenced) = (&all["labels"], &referenced["labels"]);
                for (label, value) in referenced.as_object().unwrap() {
                    assert_eq!(all.get(label), Some(value), "{name}: {label}");
                }
                for (label, value) in all.as_object().unwrap().iter().filter(|(label, _)| !label.starts_with("__meta_"))
                {
                    assert_eq!(referenced.get(label), Some(value), "{name}: {label}");
                }
                // The receiver builds resource attributes from this label, even if no rule reads it.
                assert_eq!(referenced.get("__meta_kubernetes_pod_name"), all.get("__meta_kubernetes_pod_name"));
            }
        }
    }
    assert!(bytes_referenced * 2 < bytes_all, "{bytes_referenced} of {bytes_all} bytes");
}

#[tokio::test]
async fn answers_can_be_compressed_and_revalidated() {
    let function = shop().await;
    let plain = function.get("/scrape_configs").await;
    let with = |name: &str, value: &str| {
        let mut event = http_api("/scrape_configs");
        event["headers"][name] = json!(value);
        event
    };
    let compressed = function.invoke(with("accept-encoding", "gzip")).await;
    assert_eq!(compressed.headers["content-encoding"], "gzip");
    let mut decoder = flate2::read::GzDecoder::new(compressed.body.as_slice());
    let mut body = Vec::new();
    std::io::Read::read_to_end(&mut decoder, &mut body).unwrap();
    assert_eq!(body, plain.body);
    assert!(compressed.body.len() * 4 < plain.body.len());
    let known = function.invoke(with("if-none-match", &plain.headers["etag"])).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let changed = function.invoke(with("if-none-match", "\"other\"")).await;
    assert_eq!((changed.status, changed.body), (200, plain.body));
    assert!(!plain.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn only_get_and_head_are_allowed_and_no_event_stops_the_function() {
    let function = shop().await;
    let mut post = http_api("/scrape_configs");
    post["requestContext"]["http"]["method"] = json!("POST");
    assert_eq!(function.invoke(post).await.status, 405);
    let hostile_paths = [
        "",
        "x",
        ":99999999/",
        "/%",
        "/%ff%fe",
        "/a b",
        "/ü?/",
        "/jobs//targets",
        "/jobs/%00/targets",
        "//",
        "/jobs/\u{202e}/targets",
        "/#",
        "/jobs/\n/targets",
    ];
    let hostile_queries = ["collector_id=ü", "collector_id=a b", "%", "%ff", "a&&=&", "\"<>#{}", "collector_id"];
    let hostile_hosts = ["", "a b", "[", "x:99999999", "\u{fc}"];
    for path in hostile_paths {
        for (gateway, event) in GATEWAYS {
            let mut event = event("/jobs?collector_id=x");
            for pointer in ["/rawPath", "/path"] {
                if let Some(slot) = event.pointer_mut(pointer) {
                    *slot = json!(path);
                }
            }
            let answer =
                function.try_invoke(event).await.unwrap_or_else(|error| panic!("{gateway}: {path:?}: {error}"));
            assert!(matches!(answer.status, 200 | 404), "{gateway}: {path:?}: {answer:?}");
        }
    }
    for query in hostile_queries {
        let mut event = http_api("/jobs/x/targets");
        event["rawQueryString"] = json!(query);
        assert_eq!(function.invoke(event).await.status, 200, "{query:?}");
    }
    for host in hostile_hosts {
        for (_, event) in GATEWAYS {
            let mut event = event("/livez");
            for name in ["host", "Host"] {
                if event["headers"].get(name).is_some() {
                    event["headers"][name] = json!(host);
                }
            }
            event["requestContext"]["stage"] = json!("a b\"");
            assert!(function.try_invoke(event).await.is_ok_and(|answer| answer.status == 200), "{host:?}");
        }
    }
    assert!(function.try_invoke(json!({"Records": []})).await.is_err());
    assert_eq!(function.get("/livez").await.status, 200);
}

/// A collector encodes the name of a job with `url.QueryEscape`. Each gateway delivers the path in its own encoding.
#[tokio::test]
async fn jobs_with_a_space_and_a_plus_are_found_through_every_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = format!("manifests:{}", folder.path().display());
    let config = "collectors: {names: [c]}\nconfig:\n  scrape_configs:\n".to_owned()
        + &["c++ on k8s", "a b", "a+b", "100% +"]
            .map(|job| format!("  - {{job_name: \"{job}\", static_configs: [{{targets: [\"{}:1\"]}}]}}\n", job.len()))
            .concat();
    std::fs::write(folder.path().join("empty.yaml"), "apiVersion: v1\nkind: List\nitems: []\n").unwrap();
    let function = Function::start(&[("CLUSTER", &cluster), ("ALLOCATOR_CONFIG", &config)]).await;
    for (gateway, event) in GATEWAYS {
        let decodes = gateway == "HTTP API";
        for (escaped, address) in [("c%2B%2B+on+k8s", "10:1"), ("c%2B%2B%20on%20k8s", "10:1"), ("100%25+%2B", "6:1")] {
            let answer = function.invoke(event(&format!("/jobs/{escaped}/targets?collector_id=c"))).await;
            assert_eq!(answer.status, 200, "{gateway}: {escaped}");
            assert_eq!(answer.json()[0]["targets"][0], address, "{gateway}: {escaped}");
        }
        // After decoding, both names have this text.
        for escaped in ["a+b", "a%2Bb"] {
            let answer = function.invoke(event(&format!("/jobs/{escaped}/targets?collector_id=c"))).await;
            assert_eq!(answer.status, if decodes { 400 } else { 200 }, "{gateway}: {escaped}");
            if decodes {
                assert!(answer.message().contains("can mean several jobs"), "{}", answer.message());
            } else {
                assert_eq!(answer.json()[0]["targets"][0], "3:1", "{gateway}: {escaped}");
            }
        }
        let unknown = function.invoke(event("/jobs/a+c/targets?collector_id=c")).await;
        assert_eq!((unknown.status, unknown.json()), (200, json!([])), "{gateway}");
    }
}

#[tokio::test]
async fn several_clusters_are_served_under_their_names() {
    let root = env!("CARGO_MANIFEST_DIR");
    let cluster =
        format!("a=manifests:{root}/examples/shop/cluster,b=manifests:{root}/examples/shop/cluster/1-namespaces.yaml");
    let function = Function::start(&[("CLUSTER", &cluster), ("BASE_PATH", "/stage")]).await;
    assert!(!function.get("/a/jobs").await.json().as_object().unwrap().is_empty());
    assert_eq!(function.get("/stage/b/jobs").await.json(), json!({}));
    let answer = function.get("/jobs").await;
    assert_eq!(answer.status, 404);
    assert!(answer.message().ends_with("one of: a, b"), "{}", answer.message());
    let unknown: Value = function.get("/c/scrape_configs").await.json();
    assert!(unknown["message"].is_string());
}
