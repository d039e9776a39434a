//! The ways to send an answer: buffered, streamed, and several at once.

use std::time::Duration;

use serde_json::json;

use crate::events::{GATEWAYS, http_api};
use crate::function::Function;
use crate::kubernetes::{Behaviour, Gate, Kubernetes};

const SHARE: &str = "/jobs/big/targets?collector_id=c";

/// A function with one job whose list has about this size.
async fn with_share_of(bytes: usize, variables: &[(&str, &str)]) -> (tempfile::TempDir, Function) {
    let folder = tempfile::tempdir().unwrap();
    let filler = "x".repeat(10_000);
    let targets: Vec<_> = (0..bytes / filler.len()).map(|number| format!("10.0.0.1:{}", number + 1)).collect();
    let config = json!({
        "collectors": {"names": ["c"]},
        "config": {"scrape_configs": [
            {"job_name": "big", "static_configs": [{"targets": targets, "labels": {"filler": filler}}]},
            {"job_name": "small", "static_configs": [{"targets": ["10.0.0.1:80"]}]},
        ]}
    });
    let (manifests, file) = (folder.path().join("manifests"), folder.path().join("targetallocator.yaml"));
    std::fs::create_dir(&manifests).unwrap();
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    std::fs::write(manifests.join("namespace.yaml"), namespace).unwrap();
    std::fs::write(&file, config.to_string()).unwrap();
    let (cluster, file) = (format!("manifests:{}", manifests.display()), file.display().to_string());
    let mut all = vec![("CLUSTER", cluster.as_str()), ("ALLOCATOR_CONFIG_FILE", &file), ("SNAPSHOT_TTL", "600")];
    all.extend_from_slice(variables);
    let function = Function::start(&all).await;
    (folder, function)
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_an_error_with_advice() {
    for (bytes, fits) in [(5_000_000, true), (6_200_000, true), (6_400_000, false), (20_000_000, false)] {
        let (_folder, function) = with_share_of(bytes, &[]).await;
        for (gateway, event) in GATEWAYS {
            let answer = function.invoke(event(SHARE)).await;
            assert_eq!(answer.status, if fits { 200 } else { 500 }, "{gateway}: {bytes} bytes");
            if !fits {
                let message = answer.message();
                for part in ["use more collectors", "the merged view", "RESPONSE_MODE=stream"] {
                    assert!(message.contains(part), "{message}");
                }
            }
        }
        assert_eq!(function.get("/jobs/small/targets?collector_id=c").await.status, 200);
    }
}

#[tokio::test]
async fn a_stream_holds_fifty_megabytes() {
    let (_folder, function) = with_share_of(50_000_000, &[("RESPONSE_MODE", "stream")]).await;
    for (gateway, event) in GATEWAYS {
        let streams = matches!(gateway, "REST API" | "function URL");
        let answer = function.invoke(event(SHARE)).await;
        assert_eq!((answer.streamed, answer.status), (streams, if streams { 200 } else { 500 }), "{gateway}");
        if streams {
            assert_eq!(answer.headers["content-type"], "application/json", "{gateway}");
            assert_eq!(answer.json().as_array().unwrap().len(), 5_000, "{gateway}");
            assert!(answer.body.len() > 50_000_000, "{gateway}");
        }
        // Failures and other answers have the same form.
        let missing = function.invoke(event("/nothing/here")).await;
        assert_eq!((missing.streamed, missing.status), (streams, 404), "{gateway}");
        assert!(missing.message().contains("nothing at this path"), "{gateway}");
        let mut again = event(SHARE);
        again["headers"]["if-none-match"] = json!("*");
        let known = function.invoke(again).await;
        if streams {
            assert_eq!((known.streamed, known.status, known.body.len()), (true, 304, 0), "{gateway}");
        }
    }
}

#[tokio::test]
async fn wrong_settings_are_reported_in_the_format_that_the_gateway_expects() {
    let function = Function::start(&[("RESPONSE_MODE", "stream")]).await;
    let answer = function.invoke(crate::events::rest_api("/scrape_configs")).await;
    assert_eq!((answer.streamed, answer.status), (true, 500));
    assert!(answer.message().contains("CLUSTER is not set"));
}

/// Long enough to notice an answer that should wait.
const A_WHILE: Duration = Duration::from_millis(500);

#[tokio::test]
async fn one_environment_answers_concurrent_requests_if_lambda_sends_them() {
    let kubernetes = Kubernetes::start(&[]).await;
    for (most, at_once) in [("1", false), ("4", true)] {
        let gate = Gate::closed();
        kubernetes.set("*", Behaviour::Held(gate.clone(), Vec::new()));
        let variables = [("CLUSTER", kubernetes.cluster()), ("AWS_LAMBDA_MAX_CONCURRENCY", most.to_owned())];
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let function = Function::start(&variables).await;
        assert_eq!(function.get("/livez").await.status, 200);
        let before = kubernetes.requests();
        let held = async {
            while kubernetes.requests() == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let alive = function.invoke(http_api("/livez"));
            // An environment that answers one event at a time never answers this event.
            let alive = if at_once { Ok(alive.await) } else { tokio::time::timeout(A_WHILE, alive).await };
            gate.open();
            alive
        };
        let (slow, alive) = tokio::join!(function.invoke(http_api("/jobs")), held);
        assert_eq!(slow.status, 200);
        assert_eq!(alive.is_ok(), at_once, "{most} at once");
    }
}
