//! A function that may read only some namespaces: `prometheus_cr.allow_namespaces`.

use serde_json::{Value, json};

use crate::faults::addresses;
use crate::function::Function;
use crate::kubernetes::{Behaviour, Kubernetes};

const NAMESPACES: &str = "prometheus_cr: {enabled: true, allow_namespaces: [shop, pay], service_monitor_selector: {}, \
    pod_monitor_selector: {}, probe_selector: {}, scrape_config_selector: {}}\n";
const COLLECTOR_PODS: &str = "collector_namespace: otel\ncollector_selector: {matchLabels: {app: otel}}\n";
const NAMED_COLLECTOR: &str = "collectors: {names: [c-0]}\n";

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": name}}})
}

fn pod(namespace: &str, name: &str, app: &str, address: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
           "metadata": {"namespace": namespace, "name": name, "labels": {"app": app}},
           "spec": {"nodeName": "node-1", "containers": [
               {"name": "web", "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}
           ]},
           "status": {"phase": "Running", "podIP": address}})
}

/// A PodMonitor of the pods `app=web`, in its own namespace or elsewhere.
fn monitor(namespace: &str, selector: &Value) -> Value {
    json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor",
           "metadata": {"namespace": namespace, "name": "web"},
           "spec": {"selector": {"matchLabels": {"app": "web"}}, "namespaceSelector": selector,
                    "podMetricsEndpoints": [{"port": "http"}]}})
}

/// Discovers all pods or nodes.
fn scrape_config(name: &str, role: &str, namespaces: &Value) -> Value {
    json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "ScrapeConfig",
           "metadata": {"namespace": "shop", "name": name},
           "spec": {"kubernetesSDConfigs": [{"role": role, "namespaces": namespaces}]}})
}

/// A cluster with pods in three namespaces, of which the config allows two, and with a collector in a fourth.
fn objects() -> Vec<Value> {
    let mut objects: Vec<_> = ["shop", "pay", "other", "otel"].into_iter().map(namespace).collect();
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1", "labels": {"zone": "a"}},
                      "status": {"addresses": [{"type": "InternalIP", "address": "10.9.0.1"}]}});
    objects.extend([
        node,
        pod("shop", "web-1", "web", "10.0.0.1"),
        pod("pay", "web-2", "web", "10.0.0.2"),
        pod("other", "web-3", "web", "10.0.0.3"),
        pod("otel", "c-0", "otel", "10.0.0.4"),
        monitor("shop", &json!({})),
        monitor("pay", &json!({"matchNames": ["pay", "other"]})),
        monitor("other", &json!({})),
        scrape_config("pods", "Pod", &Value::Null),
        scrape_config("elsewhere", "Pod", &json!({"names": ["other"]})),
        scrape_config("nodes", "Node", &Value::Null),
    ]);
    objects
}

/// A cluster whose roles grant only these namespaces.
async fn start(granted: &[&str]) -> Kubernetes {
    let kubernetes = Kubernetes::start(&objects()).await;
    kubernetes.grant_only(granted);
    kubernetes
}

async fn function(kubernetes: &Kubernetes, config: &str, max_stale: &str) -> Function {
    Function::start(&[
        ("CLUSTER", &kubernetes.cluster()),
        ("ALLOCATOR_CONFIG", config),
        ("SNAPSHOT_TTL", "0"),
        ("SNAPSHOT_MAX_STALE", max_stale),
    ])
    .await
}

/// The addresses of the collector's targets of a job, or the message of a failure.
async fn targets(function: &Function, job: &str) -> Result<Vec<String>, String> {
    let answer = function.get(&format!("/jobs/{}/targets?collector_id=c-0", job.replace('/', "%2F"))).await;
    if answer.status != 200 {
        return Err(answer.message());
    }
    let mut addresses: Vec<_> = addresses(&answer.json()).into_iter().map(str::to_owned).collect();
    addresses.sort();
    Ok(addresses)
}

async fn report(function: &Function) -> String {
    let report = function.get("/debug/report").await.json();
    let line = |entry: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (object, field) = (&entry["object"], text(&entry["field"]));
        let (kind, namespace, name) = (text(&object["kind"]), text(&object["namespace"]), text(&object["name"]));
        format!("{kind}/{namespace}/{name} {field}: {}\n", text(&entry["reason"]))
    };
    report.as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn roles_in_the_allowed_namespaces_are_enough() {
    let kubernetes = start(&["shop", "pay", "otel"]).await;
    let function = function(&kubernetes, &[COLLECTOR_PODS, NAMESPACES].concat(), "600").await;
    let expected: [(&str, &[&str]); 4] = [
        ("podMonitor/shop/web/0", &["10.0.0.1:8080"]),
        ("podMonitor/pay/web/0", &["10.0.0.2:8080"]),
        ("scrapeConfig/shop/pods", &["10.0.0.1:8080", "10.0.0.2:8080"]),
        ("scrapeConfig/shop/elsewhere", &[]),
    ];
    for (job, expected) in expected {
        assert_eq!(targets(&function, job).await.unwrap(), expected, "{job}");
    }
    let jobs: Vec<_> = function.get("/scrape_configs").await.json().as_object().unwrap().keys().cloned().collect();
    assert!(!jobs.contains(&"podMonitor/other/web/0".to_owned()), "{jobs:?}");
    let report = report(&function).await;
    for entry in [
        "PodMonitor/pay/web spec.namespaceSelector: prometheus_cr.allow_namespaces limits what the function reads: the job gets no targets of other namespaces, add them to allow_namespaces: other",
        "ScrapeConfig/shop/elsewhere spec.kubernetesSDConfigs[0].namespaces: ",
        "ScrapeConfig/shop/pods spec.kubernetesSDConfigs[0].namespaces: prometheus_cr.allow_namespaces limits what the function reads: the job asks for all namespaces",
        "ClusterRole//nodes : the labels and zones of nodes are absent, grant list and watch on nodes",
    ] {
        assert!(report.contains(entry), "{entry}: {report}");
    }
}

#[tokio::test]
async fn no_request_leaves_the_allowed_namespaces() {
    let kubernetes = Kubernetes::start(&objects()).await;
    let function = function(&kubernetes, &[COLLECTOR_PODS, NAMESPACES].concat(), "600").await;
    for _ in 0..3 {
        assert_eq!(targets(&function, "podMonitor/shop/web/0").await.unwrap(), ["10.0.0.1:8080"]);
    }
    let paths = kubernetes.take_paths();
    let inside = |path: &String| {
        ["/namespaces/shop", "/namespaces/pay", "/namespaces/otel/pods?", "/api/v1/nodes?"]
            .iter()
            .any(|part| path.contains(part))
            || path == "/apis/monitoring.coreos.com/v1"
    };
    let outside: Vec<_> = paths.iter().filter(|path| !inside(path)).collect();
    assert!(outside.is_empty(), "{outside:?}");
    for expected in ["/api/v1/namespaces/shop", "/api/v1/namespaces/pay"] {
        assert!(paths.iter().any(|path| path == expected), "{expected}: {paths:?}");
    }
    assert!(paths.iter().any(|path| path.starts_with("/api/v1/namespaces/otel/pods?")), "{paths:?}");
}

#[tokio::test]
async fn nodes_are_optional_and_a_job_that_discovers_nodes_fails_alone() {
    let kubernetes = Kubernetes::start(&objects()).await;
    let function = function(&kubernetes, &[NAMED_COLLECTOR, NAMESPACES].concat(), "600").await;
    assert_eq!(targets(&function, "scrapeConfig/shop/nodes").await.unwrap(), ["10.9.0.1:0"]);
    kubernetes.grant_only(&["shop", "pay"]);
    assert_eq!(targets(&function, "scrapeConfig/shop/nodes").await.unwrap(), ["10.9.0.1:0"], "nodes from before");
    assert!(report(&function).await.contains("the last nodes are used for a while"));
    let starting = self::function(&kubernetes, &[NAMED_COLLECTOR, NAMESPACES].concat(), "600").await;
    let message = targets(&starting, "scrapeConfig/shop/nodes").await.unwrap_err();
    assert!(message.contains("nodes cannot be read, grant list and watch on nodes by a ClusterRole"), "{message}");
    assert_eq!(targets(&starting, "podMonitor/shop/web/0").await.unwrap(), ["10.0.0.1:8080"]);
}

#[tokio::test]
async fn without_allow_namespaces_a_403_for_nodes_is_a_failure() {
    let kubernetes = Kubernetes::start(&objects()).await;
    kubernetes.set("nodes", Behaviour::Status(403, json!({"kind": "Status", "message": "no"}).to_string()));
    let config = NAMESPACES.replace("allow_namespaces: [shop, pay], ", "");
    let function = function(&kubernetes, &[NAMED_COLLECTOR, &config].concat(), "600").await;
    let message = targets(&function, "podMonitor/shop/web/0").await.unwrap_err();
    assert!(message.contains("cannot list nodes: 403 Forbidden"), "{message}");
}

#[tokio::test]
async fn a_namespace_that_does_not_exist_costs_nobody_anything() {
    let kubernetes = start(&["shop"]).await;
    let function = function(&kubernetes, &[NAMED_COLLECTOR, NAMESPACES].concat(), "600").await;
    let message = targets(&function, "podMonitor/shop/web/0").await.unwrap_err();
    assert!(
        message.contains("in the namespace pay: 403 Forbidden: forbidden by the test, grant the verb by a Role"),
        "a namespace that may not be read is not an empty one: {message}"
    );
    // The store says that the namespace is gone. No Role can exist there, so all lists are refused.
    let others =
        objects().into_iter().filter(|object| object["kind"] == "Namespace" && object["metadata"]["name"] != "pay");
    kubernetes.put(&others.collect::<Vec<_>>());
    kubernetes.grant_get_of_namespaces();
    assert_eq!(targets(&function, "podMonitor/shop/web/0").await.unwrap(), ["10.0.0.1:8080"]);
    let report = report(&function).await;
    assert!(report.contains("Namespace//pay : the namespace does not exist, create it or remove it"), "{report}");
}

#[tokio::test]
async fn labels_of_a_namespace_that_cannot_be_read_are_absent_unless_a_selector_reads_them() {
    let forbidden = json!({"kind": "Status", "message": "no labels"}).to_string();
    let selecting = NAMESPACES.replace(
        "pod_monitor_selector: {}",
        "pod_monitor_selector: {}, pod_monitor_namespace_selector: {matchLabels: {team: shop}}",
    );
    for (config, reads_labels) in [(NAMESPACES, false), (selecting.as_str(), true)] {
        let kubernetes = start(&["shop", "pay"]).await;
        let config = [NAMED_COLLECTOR, config].concat();
        let before = function(&kubernetes, &config, "600").await;
        assert_eq!(targets(&before, "podMonitor/shop/web/0").await.unwrap(), ["10.0.0.1:8080"]);
        kubernetes.set("namespaces", Behaviour::Status(403, forbidden.clone()));
        assert_eq!(targets(&before, "podMonitor/shop/web/0").await.unwrap(), ["10.0.0.1:8080"], "labels from before");
        assert!(report(&before).await.contains("Namespace//shop : its last labels are used for a while"));
        let starting = function(&kubernetes, &config, "600").await;
        match (targets(&starting, "podMonitor/shop/web/0").await, reads_labels) {
            (Ok(addresses), false) => {
                assert_eq!(addresses, ["10.0.0.1:8080"]);
                assert!(report(&starting).await.contains("Namespace//shop : its labels are absent"));
            }
            (Err(message), true) => assert!(message.contains("cannot get namespaces in the namespace"), "{message}"),
            (answer, _) => panic!("{config}: {answer:?}"),
        }
    }
}
