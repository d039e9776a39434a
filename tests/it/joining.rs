//! A new collector gets its share with its first request. Other callers do not cause a refresh for it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::faults::service;
use crate::function::Function;
use crate::kubernetes::Kubernetes;

const CONFIG: &str = "collector_namespace: monitoring
collector_selector: {matchlabels: {app: otel}}
allocation_strategy: least-weighted
prometheus_cr: {enabled: true, service_monitor_selector: {}}
";

/// Slightly longer than the minimum age at which a request from an unknown collector triggers a refresh.
const YOUNG: Duration = Duration::from_millis(5_100);

/// A service with two pods, and collector pods, each with its node.
fn cluster(collectors: &[(&str, &str)]) -> Vec<Value> {
    let endpoint = |address: &str| json!({"addresses": [address], "conditions": {"ready": true}});
    let mut objects = service(&[endpoint("10.0.0.1"), endpoint("10.0.0.2")]);
    objects.extend(collectors.iter().map(|(name, node)| {
        json!({"apiVersion": "v1", "kind": "Pod",
               "metadata": {"namespace": "monitoring", "name": name, "labels": {"app": "otel"}},
               "spec": {"nodeName": node, "containers": []}, "status": {"phase": "Running"}})
    }));
    objects
}

async fn share(function: &Function, path: &str, collector: &str) -> usize {
    let answer = function.get(&format!("{path}?collector_id={collector}")).await;
    assert_eq!(answer.status, 200, "{path} {collector}");
    answer.json().as_array().unwrap().len()
}

#[tokio::test]
async fn a_new_collector_gets_its_share_with_its_first_request() {
    let (job, all) = ("/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets", "/merged/targets");
    let kubernetes = Kubernetes::start(&cluster(&[("otel-0", "a")])).await;
    let function = Function::start(&[
        ("CLUSTER", &kubernetes.cluster()),
        ("ALLOCATOR_CONFIG", CONFIG),
        ("SNAPSHOT_TTL", "600"),
        ("SNAPSHOT_MAX_STALE", "600"),
    ])
    .await;
    assert_eq!(share(&function, job, "otel-0").await, 2);
    kubernetes.put(&cluster(&[("otel-0", "a"), ("otel-1", "a"), ("otel-2", "")]));
    let read = kubernetes.requests();
    assert_eq!(share(&function, job, "otel-1").await, 0, "the snapshot is young");
    assert_eq!(kubernetes.requests(), read, "the snapshot is young");

    sleep(YOUNG).await;
    assert_eq!(share(&function, job, "otel-0").await, 2);
    assert_eq!(kubernetes.requests(), read, "a collector that is known has nothing read");
    assert_eq!(share(&function, job, "otel-1").await, 1, "it was not known, and is there");
    assert!(kubernetes.requests() > read);
    let read = kubernetes.requests();
    assert_eq!(share(&function, all, "otel-0").await, 1);
    assert_eq!(share(&function, job, "stranger").await, 0);
    assert_eq!(kubernetes.requests(), read, "strangers have nothing read at once");

    kubernetes.put(&cluster(&[("otel-0", "a"), ("otel-1", "a"), ("otel-2", "b")]));
    sleep(YOUNG).await;
    let shares = [share(&function, all, "otel-2").await, share(&function, all, "otel-0").await];
    assert_eq!(shares, [1, 1], "it was on no node before; two of three have one of two targets");
    assert!(kubernetes.requests() > read);

    let down = crate::kubernetes::Behaviour::Status(500, String::new());
    kubernetes.set("*", down);
    sleep(YOUNG).await;
    assert_eq!(share(&function, job, "otel-0").await, 1);
    assert_eq!(share(&function, job, "stranger").await, 0, "what is known still serves");
}
