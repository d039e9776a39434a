//! A fault never costs a collector its targets. The last complete snapshot is served, or a failure that no collector
//! reads as a list.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::function::{Function, TIMEOUT};
use crate::kubernetes::{Behaviour, Gate, Kubernetes};

pub const SHARE: &str = "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets?collector_id=c-0";

/// A service with a monitor and endpoints.
pub fn service(endpoints: &[Value]) -> Vec<Value> {
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        json!({"apiVersion": "v1", "kind": "Service",
               "metadata": {"namespace": "shop", "name": "web", "labels": {"app": "web"}},
               "spec": {"ports": [{"name": "http", "port": 8080}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
               "metadata": {"namespace": "shop", "name": "web-1", "labels": {"kubernetes.io/service-name": "web", "app": "web"}},
               "addressType": "IPv4", "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
               "endpoints": endpoints}),
        json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor",
               "metadata": {"namespace": "shop", "name": "web"},
               "spec": {"selector": {"matchLabels": {"app": "web"}}, "endpoints": [{"port": "http"}]}}),
    ]
}

pub fn web(name: &str, address: &str) -> Vec<Value> {
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "shop", "name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}]},
        "status": {"phase": "Running", "podIP": address}});
    let endpoint = json!({"addresses": [address], "conditions": {"ready": true},
        "targetRef": {"kind": "Pod", "namespace": "shop", "name": name}});
    [pod].into_iter().chain(service(&[endpoint])).collect()
}

const CONFIG: &str = "collectors: {names: [c-0]}\nprometheus_cr: {enabled: true, service_monitor_selector: {}}\n";

pub async fn start(kubernetes: &Kubernetes, ttl: &str, max_stale: &str) -> Function {
    Function::start(&[
        ("CLUSTER", &kubernetes.cluster()),
        ("ALLOCATOR_CONFIG", CONFIG),
        ("SNAPSHOT_TTL", ttl),
        ("SNAPSHOT_MAX_STALE", max_stale),
    ])
    .await
}

/// The addresses in an HTTP SD answer.
pub fn addresses(answer: &Value) -> Vec<&str> {
    answer.as_array().unwrap().iter().map(|group| group["targets"][0].as_str().unwrap()).collect()
}

#[tokio::test]
async fn changes_are_read_after_the_ttl_and_not_before() {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    let function = start(&kubernetes, "1", "600").await;
    assert_eq!(addresses(&function.get(SHARE).await.json()), ["10.0.0.1:8080"]);
    let asked = kubernetes.requests();
    kubernetes.put(&web("web-2", "10.0.0.2"));
    assert_eq!(addresses(&function.get(SHARE).await.json()), ["10.0.0.1:8080"]);
    assert_eq!(kubernetes.requests(), asked, "within the TTL the cluster is not asked");
    sleep(Duration::from_millis(1_100)).await;
    let answer = function.get(SHARE).await;
    assert_eq!(addresses(&answer.json()), ["10.0.0.2:8080"]);
    assert_eq!(answer.headers["age"], "0");
}

#[tokio::test]
async fn during_every_fault_the_last_snapshot_is_served_until_it_is_too_old() {
    let forbidden = json!({"kind": "Status", "message": "pods is forbidden: no"}).to_string();
    let slices = ["apis", "discovery.k8s.io", "v1", "endpointslices"];
    let truncated = crate::kubernetes::list(&slices, &json!(web("web-1", "10.0.0.1"))).to_string();
    let cases = [
        ("pods", Behaviour::Status(500, String::new()), "cannot list pods: 500 Internal Server Error"),
        (
            "pods",
            Behaviour::Status(403, forbidden),
            "cannot list pods: 403 Forbidden: pods is forbidden: no, grant the verb",
        ),
        ("services", Behaviour::Status(401, "{}".to_owned()), "cannot list services: 401 Unauthorized"),
        ("services", Behaviour::Status(429, String::new()), "cannot list services: 429 Too Many Requests"),
        ("services", Behaviour::Status(404, String::new()), "cannot list services: 404 Not Found"),
        (
            "endpointslices",
            Behaviour::Status(200, truncated[..200].to_owned()),
            "cannot list endpointslices: the answer is not",
        ),
        ("endpointslices", Behaviour::Status(200, String::new()), "cannot list endpointslices: the answer is not"),
        ("endpointslices", Behaviour::Status(200, "{}".to_owned()), "cannot list endpointslices: the answer is not"),
        (
            "namespaces",
            Behaviour::Status(503, "<html>".to_owned()),
            "cannot list namespaces: 503 Service Unavailable: <html>",
        ),
        ("servicemonitors", Behaviour::Status(500, String::new()), "cannot list servicemonitors: 500"),
    ];
    for (resource, fault, expected) in cases {
        let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
        let function = start(&kubernetes, "0", "2").await;
        let before = function.get("/scrape_configs").await;
        assert_eq!(before.status, 200, "{resource}");
        kubernetes.set(resource, fault);
        let stale = function.get(SHARE).await;
        assert_eq!(stale.status, 200, "{expected}");
        assert_eq!(addresses(&stale.json()), ["10.0.0.1:8080"], "{expected}");
        assert_eq!(function.get("/scrape_configs").await.body, before.body, "{expected}");
        sleep(Duration::from_millis(2_100)).await;
        for path in [SHARE, "/scrape_configs", "/jobs", "/readyz", "/jobs/x/targets", "/debug/report", "/metrics"] {
            let failed = function.get(path).await;
            assert_eq!(failed.status, 503, "{path}: {expected}");
            assert!(failed.message().contains(expected), "{path}: {}", failed.message());
        }
        assert_eq!(function.get("/livez").await.status, 200);
    }
}

#[tokio::test]
async fn a_function_recovers_when_the_fault_is_over() {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    kubernetes.set("*", Behaviour::Status(500, String::new()));
    let function = start(&kubernetes, "0", "600").await;
    assert_eq!(function.get(SHARE).await.status, 503, "there never was a snapshot");
    kubernetes.unset("*");
    assert_eq!(addresses(&function.get(SHARE).await.json()), ["10.0.0.1:8080"]);
}

#[tokio::test]
async fn a_slow_cluster_does_not_delay_an_answer_from_a_young_snapshot() {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    let function = start(&kubernetes, "600", "600").await;
    assert_eq!(function.get(SHARE).await.status, 200);
    kubernetes.set("*", Behaviour::Held(Gate::closed(), Vec::new()));
    assert_eq!(function.get(SHARE).await.status, 200);
}

#[tokio::test]
async fn requests_that_time_out_do_not_start_a_second_refresh() {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    let function = start(&kubernetes, "600", "600").await;
    let monitor = web("web-1", "10.0.0.1").pop().unwrap();
    let gate = Gate::closed();
    kubernetes.set("servicemonitors", Behaviour::Held(gate.clone(), vec![monitor]));
    function.limit_time(Duration::from_millis(1_500)).await;
    for _ in 0..5 {
        let answer = function.get(SHARE).await;
        assert_eq!(answer.status, 503);
        assert!(answer.message().contains("longer than the function may run"), "{}", answer.message());
    }
    let asked = kubernetes.requests();
    assert!(asked <= 2, "the monitors and the namespaces are asked for once: {asked} requests");
    gate.open();
    function.limit_time(TIMEOUT).await;
    assert_eq!(addresses(&function.get(SHARE).await.json()), ["10.0.0.1:8080"]);
}

#[tokio::test]
async fn the_last_snapshot_is_served_while_the_cluster_does_not_answer() {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    let function = start(&kubernetes, "0", "600").await;
    assert_eq!(function.get(SHARE).await.status, 200);
    kubernetes.set("*", Behaviour::Held(Gate::closed(), Vec::new()));
    // The API server never answers. Each request is answered from the snapshot, or with a failure.
    for _ in 0..3 {
        assert_eq!(addresses(&function.get(SHARE).await.json()), ["10.0.0.1:8080"]);
    }
}

#[tokio::test]
async fn monitors_whose_definition_is_deleted_are_kept_for_a_while() {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    let function = start(&kubernetes, "0", "3").await;
    let before = function.get("/scrape_configs").await;
    let undefined = || Behaviour::Status(404, "404 page not found".to_owned());
    kubernetes.set("servicemonitors", undefined());
    assert_eq!(function.get("/scrape_configs").await.body, before.body);
    let report = function.get("/debug/report").await.json().to_string();
    assert!(report.contains("CustomResourceDefinition") && report.contains("kept for 3 s"), "{report}");
    // The definition is installed again, but its objects are absent.
    kubernetes.set("servicemonitors", Behaviour::Objects(Vec::new()));
    assert_eq!(function.get("/scrape_configs").await.body, before.body);
    sleep(Duration::from_millis(3_100)).await;
    assert_eq!(function.get("/jobs").await.json(), json!({}), "they are gone for good");
    assert_eq!(function.get("/debug/report").await.json(), json!([]));
}

#[tokio::test]
async fn monitors_that_are_deleted_are_gone_with_the_next_snapshot() {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    let function = start(&kubernetes, "0", "600").await;
    assert_eq!(function.get(SHARE).await.status, 200);
    kubernetes.set("servicemonitors", Behaviour::Objects(Vec::new()));
    assert_eq!(function.get("/jobs").await.json(), json!({}));
}

#[tokio::test]
async fn a_missing_crd_is_an_empty_list_and_a_malformed_object_is_skipped_alone() {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    kubernetes.set("podmonitors", Behaviour::Status(404, "404 page not found".to_owned()));
    let mut pods: Vec<_> = web("web-1", "10.0.0.1").into_iter().filter(|object| object["kind"] == "Pod").collect();
    pods.push(json!({"metadata": {"namespace": "shop", "name": "broken"}, "spec": {"containers": 7}}));
    kubernetes.set("pods", Behaviour::Objects(pods));
    let function = Function::start(&[("CLUSTER", &kubernetes.cluster())]).await;
    let report = function.get("/debug/report").await.json();
    let broken: Vec<_> = report.as_array().unwrap().iter().filter(|entry| entry["outcome"] == "malformed").collect();
    assert_eq!(broken.len(), 1, "{report}");
    assert_eq!(broken[0]["object"], json!({"kind": "Pod", "namespace": "shop", "name": "broken"}));
    let jobs = function.get("/jobs").await.json();
    assert_eq!(jobs, json!({"serviceMonitor/shop/web/0": {"_link": "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets"}}));
}

#[tokio::test]
async fn wrong_settings_are_reported_in_every_answer() {
    let cases = [
        (vec![], "CLUSTER is not set"),
        (vec![("CLUSTER", "kubeconfig:/nonexistent/file")], "the kubeconfig cannot be used"),
        (vec![("CLUSTER", "manifests:x"), ("SECRETS", "maybe")], "SECRETS must be omit or inline"),
        // The Lambda runtime panics on values that it cannot parse.
        (
            vec![("CLUSTER", "manifests:x"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "lots")],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE must be the function's memory in MB, Lambda sets it: \"lots\"",
        ),
        (
            vec![("CLUSTER", "manifests:x"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "99999999999")],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE must be the function's memory in MB",
        ),
        (
            vec![
                ("CLUSTER", "manifests:x"),
                ("ALLOCATOR_CONFIG", "prometheus_cr: {enabled: true, service_monitor_selector: []}"),
            ],
            "prometheus_cr.service_monitor_selector: a selector is a map such as",
        ),
    ];
    for (variables, expected) in cases {
        let function = Function::start(&variables).await;
        for path in ["/scrape_configs", "/jobs", "/jobs/a/targets?collector_id=c", "/readyz", "/"] {
            let answer = function.get(path).await;
            assert_eq!(answer.status, 500, "{path}");
            assert!(answer.message().contains(expected), "{path}: {}", answer.message());
        }
        assert_eq!(function.get("/livez").await.status, 200);
    }
}

#[tokio::test]
async fn manifests_that_cannot_be_read_are_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = format!("manifests:{}", folder.path().display());
    let function = Function::start(&[("CLUSTER", &cluster), ("SNAPSHOT_TTL", "0")]).await;
    std::fs::write(folder.path().join("a.yaml"), "a: [").unwrap();
    let answer = function.get("/scrape_configs").await;
    assert_eq!(answer.status, 503);
    assert!(answer.message().contains("a.yaml"), "{}", answer.message());
}

/// Without collectors there are no shares. Scrape configs are still served, so that only readiness shows it.
#[tokio::test]
async fn a_function_that_cannot_answer_shares_is_not_ready() {
    let cluster = format!("manifests:{}/examples/shop/cluster", env!("CARGO_MANIFEST_DIR"));
    let config = r#"{"prometheus_cr": {"enabled": true, "service_monitor_selector": {}}}"#;
    let function = Function::start(&[("CLUSTER", &cluster), ("ALLOCATOR_CONFIG", config)]).await;
    let jobs = function.get("/jobs").await.json();
    let job = jobs.as_object().unwrap().keys().next().unwrap().replace('/', "%2F");
    let share = function.get(&format!("/jobs/{job}/targets?collector_id=a")).await;
    let ready = function.get("/readyz").await;
    assert_eq!((share.status, ready.status), (500, 503));
    assert!(ready.message().contains("set collector_selector"), "{}", ready.message());
    assert_eq!(function.get("/scrape_configs").await.status, 200);
    assert_eq!(function.get("/livez").await.status, 200);
}
