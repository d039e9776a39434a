//! The API server answers 200 with wrong content. No collector loses a target: the last snapshot is served, and without
//! a snapshot the answer is 503.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::faults::{SHARE, addresses, start, web};
use crate::function::Function;
use crate::kubernetes::{Behaviour, Kubernetes, Make, list};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

const MONITORS: [&str; 4] = ["apis", "monitoring.coreos.com", "v1", "servicemonitors"];
const SLICES: [&str; 4] = ["apis", "discovery.k8s.io", "v1", "endpointslices"];

/// The objects of one kind in the test's cluster.
fn objects(kind: &str) -> Vec<Value> {
    web("web-1", "10.0.0.1").into_iter().filter(|object| object["kind"] == kind).collect()
}

fn json_page(body: &Value) -> Behaviour {
    Behaviour::Pages(JSON, vec![body.to_string().into_bytes()])
}

/// A valid list with one field replaced.
fn spoiled(segments: &[&str], kind: &str, field: &str, value: Value) -> Value {
    let mut body = list(segments, &json!(objects(kind)));
    body[field] = value;
    body
}

/// A valid first page, then another page.
fn then(segments: &[&str], kind: &str, page: &Value) -> Behaviour {
    let metadata = json!({"resourceVersion": "1", "continue": "1"});
    let first = spoiled(segments, kind, "metadata", metadata);
    Behaviour::Pages(JSON, vec![first.to_string().into_bytes(), page.to_string().into_bytes()])
}

fn field(number: u8, value: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(value.len()).unwrap()], value].concat()
}

/// A protobuf message in an envelope.
fn enveloped(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let type_meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
    [b"k8s\0", field(1, &type_meta).as_slice(), &field(2, message)].concat()
}

/// Wrong answers to a list of one kind, in JSON.
fn in_json(segments: &[&str], kind: &str) -> Vec<(&'static str, Behaviour)> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                        "message": "etcdserver: leader changed", "reason": "InternalError", "code": 500});
    let unnamed = json!([{"spec": {}}, {"metadata": {"namespace": "shop"}}]);
    let another = json!([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop", "name": "web"}}]);
    let spoiled = |field, value| spoiled(segments, kind, field, value);
    let versioned = |version: &str| {
        let mut page = list(segments, &json!([]));
        page["metadata"]["resourceVersion"] = version.into();
        page
    };
    vec![
        ("a Status", json_page(&status)),
        ("nothing", Behaviour::Pages(JSON, vec![Vec::new()])),
        ("null", json_page(&Value::Null)),
        ("an empty object", json_page(&json!({}))),
        ("a list in JSON's sense", json_page(&json!([]))),
        ("HTML", Behaviour::Pages("text/html", vec![b"<html>502</html>".to_vec()])),
        ("another kind's list", json_page(&list(&["api", "v1", "services"], &json!([])))),
        ("a list of any kind", json_page(&spoiled("kind", json!("List")))),
        ("another version's list", json_page(&spoiled("apiVersion", json!("v2")))),
        (
            "a table",
            json_page(
                &json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "1"}, "rows": []}),
            ),
        ),
        ("items that are null", json_page(&spoiled("items", Value::Null))),
        ("items that are an object", json_page(&spoiled("items", json!({})))),
        ("items that are a text", json_page(&spoiled("items", json!("[]")))),
        ("texts for items", json_page(&spoiled("items", json!(["web"])))),
        ("null for an item", json_page(&spoiled("items", json!([null])))),
        ("lists for items", json_page(&spoiled("items", json!([[]])))),
        ("empty objects for items", json_page(&spoiled("items", json!([{}])))),
        ("items without names", json_page(&spoiled("items", unnamed))),
        ("items of another kind", json_page(&spoiled("items", another))),
        ("no version", json_page(&spoiled("metadata", json!({})))),
        ("the version 0", json_page(&spoiled("metadata", json!({"resourceVersion": "0"})))),
        ("no item, and the version 0", json_page(&versioned("0"))),
        ("a version that is a number", json_page(&spoiled("metadata", json!({"resourceVersion": 1})))),
        ("no metadata", json_page(&spoiled("metadata", Value::Null))),
        ("a later page that is a Status", then(segments, kind, &status)),
        ("a later page of another version", then(segments, kind, &versioned("2"))),
        ("a later page without items", then(segments, kind, &json!({"metadata": {"resourceVersion": "1"}}))),
    ]
}

/// Wrong answers to a list of endpoint slices, in protobuf.
fn in_protobuf() -> Vec<(&'static str, Behaviour)> {
    let (api_version, versioned) = ("discovery.k8s.io/v1", field(1, &field(2, b"1")));
    let list = |message: &[u8]| enveloped(api_version, "EndpointSliceList", message);
    let unnamed = [versioned.clone(), field(2, &field(4, b"IPv4"))].concat();
    let next = field(1, &[field(2, b"1"), field(3, b"1")].concat());
    let bodies = [
        ("an empty body in protobuf", vec![Vec::new()]),
        ("JSON that is called protobuf", vec![b"{}".to_vec()]),
        ("an envelope without a message", vec![b"k8s\0".to_vec()]),
        ("an empty message", vec![list(b"")]),
        ("an envelope of another kind", vec![enveloped("v1", "ServiceList", &versioned)]),
        ("an envelope without a type", vec![enveloped("", "", &versioned)]),
        ("a Status in protobuf", vec![enveloped("v1", "Status", &field(3, b"no"))]),
        ("a nameless item in protobuf", vec![list(&unnamed)]),
        ("an item that is no message", vec![list(&[versioned.clone(), field(2, b"text")].concat())]),
        ("the version 0 in protobuf", vec![list(&field(1, &field(2, b"0")))]),
        ("half a list", vec![list(&versioned)[..30].to_vec()]),
        ("a later page of another kind", vec![list(&next), enveloped("v1", "ServiceList", &versioned)]),
    ];
    bodies.map(|(name, pages)| (name, Behaviour::Pages(PROTOBUF, pages))).into()
}

/// A function with a snapshot continues to serve it. A function without a snapshot answers 503.
async fn check(resource: &str, name: &str, wrong: Behaviour) {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    let warm = start(&kubernetes, "0", "600").await;
    let before = warm.get("/scrape_configs").await;
    assert_eq!(before.status, 200, "{resource}: {name}");
    kubernetes.set(resource, wrong);
    let asked = kubernetes.requests();
    assert_eq!(addresses(&warm.get(SHARE).await.json()), ["10.0.0.1:8080"], "{resource}: {name}");
    assert!(kubernetes.requests() > asked, "{resource}: {name}: the cluster is asked");
    assert_eq!(warm.get("/scrape_configs").await.body, before.body, "{resource}: {name}");
    assert_eq!(addresses(&warm.get(SHARE).await.json()), ["10.0.0.1:8080"], "{resource}: {name}");
    let cold = start(&kubernetes, "0", "600").await;
    for path in ["/scrape_configs", SHARE] {
        let failed = cold.get(path).await;
        assert_eq!(failed.status, 503, "{resource}: {name}: {path}");
        let expected = format!("cannot list {resource}: the answer is not what a Kubernetes API server sends");
        assert!(failed.message().contains(&expected), "{resource}: {name}: {}", failed.message());
    }
}

#[tokio::test]
async fn wrong_lists_of_monitors_cost_no_collector_its_targets() {
    for (name, wrong) in in_json(&MONITORS, "ServiceMonitor") {
        check("servicemonitors", name, wrong).await;
    }
}

#[tokio::test]
async fn wrong_lists_of_slices_cost_no_collector_its_targets() {
    let unreadable = json!([{"metadata": {"namespace": "shop", "name": "web-1"}, "endpoints": 7}]);
    let all_unreadable = json_page(&spoiled(&SLICES, "EndpointSlice", "items", unreadable));
    let cases = in_json(&SLICES, "EndpointSlice").into_iter().chain(in_protobuf());
    for (name, wrong) in cases.chain([("only unreadable items", all_unreadable)]) {
        check("endpointslices", name, wrong).await;
    }
}

#[tokio::test]
async fn an_error_status_for_any_list_costs_no_collector_its_targets() {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "code": 500});
    for resource in ["namespaces", "services", "pods"] {
        check(resource, "a Status", json_page(&status)).await;
    }
}

#[tokio::test]
async fn a_starting_function_does_not_trust_an_empty_watch_cache() {
    for (resource, kind) in [
        ("servicemonitors", "ServiceMonitor"),
        ("namespaces", "Namespace"),
        ("services", "Service"),
        ("endpointslices", "EndpointSlice"),
        ("pods", "Pod"),
    ] {
        let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
        let configs = start(&kubernetes, "0", "600").await.get("/scrape_configs").await.body;
        kubernetes.set(resource, Behaviour::EmptyCache(objects(kind)));
        let function = start(&kubernetes, "0", "600").await;
        assert_eq!(function.get("/scrape_configs").await.body, configs, "{resource}");
        assert_eq!(addresses(&function.get(SHARE).await.json()), ["10.0.0.1:8080"], "{resource}");
    }
}

/// A function that reads all kinds of monitors.
async fn start_with_all_kinds(kubernetes: &Kubernetes) -> Function {
    let config = "collectors: {names: [c-0]}\nprometheus_cr: {enabled: true, service_monitor_selector: {}, \
                  pod_monitor_selector: {}, probe_selector: {}, scrape_config_selector: {}}\n";
    Function::start(&[("CLUSTER", &kubernetes.cluster()), ("ALLOCATOR_CONFIG", config), ("SNAPSHOT_TTL", "0")]).await
}

/// 404 for a list, although API discovery has the kind.
fn not_found() -> Behaviour {
    Behaviour::Made(Make::new(|_| (StatusCode::NOT_FOUND, "404 page not found").into_response()))
}

fn group_list(groups: &Value) -> Behaviour {
    json_page(&json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
}

#[tokio::test]
async fn a_starting_function_does_not_trust_a_404_that_discovery_does_not_confirm() {
    let no_document = || Behaviour::Status(404, "404 page not found".to_owned());
    let doubtful = [
        ("discovery has the kind", vec![]),
        ("discovery is forbidden", vec![("v1", Behaviour::Status(403, String::new()))]),
        ("discovery fails", vec![("v1", Behaviour::Status(503, "<html>".to_owned()))]),
        ("discovery is garbage", vec![("v1", Behaviour::Pages(JSON, vec![b"garbage".to_vec()]))]),
        ("the group has no document, and is in the list of groups", vec![("v1", no_document())]),
        ("every path is not found", vec![("v1", no_document()), ("apis", no_document())]),
        (
            "the list of groups is forbidden",
            vec![("v1", no_document()), ("apis", Behaviour::Status(403, String::new()))],
        ),
        ("the list of groups is empty", vec![("v1", no_document()), ("apis", group_list(&json!([])))]),
        ("the list of groups is a page", vec![("v1", no_document()), ("apis", json_page(&json!({})))]),
    ];
    for (name, behaviours) in doubtful {
        let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
        kubernetes.set("servicemonitors", not_found());
        behaviours.into_iter().for_each(|(resource, behaviour)| kubernetes.set(resource, behaviour));
        let function = start(&kubernetes, "0", "600").await;
        let failed = function.get("/scrape_configs").await;
        assert_eq!(failed.status, 503, "{name}");
        let expected = "cannot list servicemonitors: 404 Not Found, and API discovery does not confirm";
        assert!(failed.message().contains(expected), "{name}: {}", failed.message());
        kubernetes.put(&web("web-1", "10.0.0.1"));
        assert_eq!(addresses(&function.get(SHARE).await.json()), ["10.0.0.1:8080"], "{name}");
    }
}

#[tokio::test]
async fn a_kind_that_discovery_does_not_have_is_absent() {
    let groups = json!([{"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}]}]);
    let gone = || Behaviour::Status(404, "404 page not found".to_owned());
    let absent = [
        ("the group lacks the kind", vec![("podmonitors", gone())]),
        (
            "the group lacks the version",
            vec![("scrapeconfigs", not_found()), ("v1alpha1", gone()), ("apis", group_list(&groups))],
        ),
    ];
    for (name, behaviours) in absent {
        let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
        behaviours.into_iter().for_each(|(resource, behaviour)| kubernetes.set(resource, behaviour));
        let function = start_with_all_kinds(&kubernetes).await;
        assert_eq!(addresses(&function.get(SHARE).await.json()), ["10.0.0.1:8080"], "{name}");
        let asked = || {
            kubernetes
                .take_paths()
                .iter()
                .filter(|path| path.starts_with("/apis/monitoring") && path.matches('/').count() == 3)
                .count()
        };
        assert_eq!(asked(), 1, "{name}: discovery is asked once");
        assert_eq!(function.get(SHARE).await.status, 200, "{name}");
        assert_eq!(asked(), 0, "{name}: nothing can be lost any more");
    }
}

#[tokio::test]
async fn a_404_of_a_running_function_costs_no_monitor_and_nobody_else_anything() {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    let function = start_with_all_kinds(&kubernetes).await;
    let before = function.get("/scrape_configs").await;
    // There were no probes, so no probe can be lost.
    kubernetes.set("probes", not_found());
    kubernetes.set("servicemonitors", not_found());
    let moved: Vec<_> =
        web("web-1", "10.0.0.2").into_iter().filter(|object| object["kind"] != "ServiceMonitor").collect();
    kubernetes.put(&moved);
    assert_eq!(addresses(&function.get(SHARE).await.json()), ["10.0.0.2:8080"]);
    assert_eq!(function.get("/scrape_configs").await.body, before.body);
    let report = function.get("/debug/report").await.json().to_string();
    assert!(report.contains("API discovery has the resource"), "{report}");
}

#[tokio::test]
async fn monitors_are_kept_while_the_state_of_their_definition_is_unknown() {
    let failures = [
        Behaviour::Status(403, r#"{"kind": "Status", "message": "forbidden"}"#.to_owned()),
        Behaviour::Status(404, "404 page not found".to_owned()),
        Behaviour::Status(429, String::new()),
        Behaviour::Status(503, "<html>".to_owned()),
        json_page(&json!({"kind": "List", "items": []})),
        Behaviour::Pages(JSON, vec![b"garbage".to_vec()]),
    ];
    for failure in failures {
        let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
        let function = start(&kubernetes, "0", "600").await;
        let before = function.get("/scrape_configs").await;
        kubernetes.set("v1", failure.clone());
        kubernetes.set("servicemonitors", Behaviour::Objects(Vec::new()));
        for _ in 0..3 {
            assert_eq!(function.get("/scrape_configs").await.body, before.body, "{failure:?}");
        }
        let report = function.get("/debug/report").await.json().to_string();
        assert!(report.contains("CustomResourceDefinition"), "{failure:?}: {report}");
    }
}

#[tokio::test]
async fn deleted_monitors_are_gone_once_discovery_answers_again() {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    let function = start(&kubernetes, "0", "600").await;
    let before = function.get("/scrape_configs").await;
    kubernetes.set("v1", Behaviour::Status(503, String::new()));
    kubernetes.set("servicemonitors", Behaviour::Objects(Vec::new()));
    assert_eq!(function.get("/scrape_configs").await.body, before.body);
    kubernetes.unset("v1");
    assert_eq!(function.get("/jobs").await.json(), json!({}));
}

#[tokio::test]
async fn the_only_monitor_of_a_kind_is_left_out_alone_when_it_cannot_be_read() {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    let bad = json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor",
                     "metadata": {"namespace": "shop", "name": "bad"}, "spec": 7});
    kubernetes.put(&[bad]);
    let function = Function::start(&[("CLUSTER", &kubernetes.cluster())]).await;
    let jobs = function.get("/jobs").await.json();
    assert!(jobs.get("serviceMonitor/shop/web/0").is_some(), "{jobs}");
    let report = function.get("/debug/report").await.json().to_string();
    assert!(report.contains(r#""name":"bad""#), "{report}");
}

#[tokio::test]
async fn a_list_in_which_all_monitors_become_unreadable_is_not_trusted() {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    let monitor = |name: &str, bad: bool| {
        let mut monitor = objects("ServiceMonitor").remove(0);
        monitor["metadata"]["name"] = name.into();
        if bad {
            monitor["spec"] = 7.into();
        }
        monitor
    };
    kubernetes.put(&[monitor("web", false), monitor("web-2", false)]);
    let function = start(&kubernetes, "0", "600").await;
    let before = function.get("/scrape_configs").await;
    kubernetes.put(&[monitor("web", true), monitor("web-2", true)]);
    for _ in 0..2 {
        assert_eq!(function.get("/scrape_configs").await.body, before.body);
    }
    kubernetes.put(&[monitor("web", false), monitor("web-2", true)]);
    let after = function.get("/jobs").await.json();
    assert_eq!(after.as_object().unwrap().len(), 1, "one bad object is left out alone: {after}");
}
