//! Secrets and ConfigMaps that monitors refer to. An unreadable object affects only the monitors that refer to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::faults::service;
use crate::function::Function;
use crate::kubernetes::{Behaviour, Kubernetes, Make, Wanted};

const CONFIG: &str = "collectors: {names: [c-0]}\nprometheus_cr: {enabled: true, service_monitor_selector: {}, \
    pod_monitor_selector: {}, probe_selector: {}, scrape_config_selector: {}}\n";
const GOOD: &str = "serviceMonitor/shop/web/0";

/// Starts a cluster with these monitors and a monitor without references.
async fn start(monitors: &[Value], secrets: Behaviour) -> (Kubernetes, Vec<Value>) {
    let endpoint = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": true}});
    let objects: Vec<_> = service(&[endpoint]).into_iter().chain(monitors.iter().cloned()).collect();
    let kubernetes = Kubernetes::start(&objects).await;
    kubernetes.set("secrets", secrets);
    (kubernetes, objects)
}

async fn function(kubernetes: &Kubernetes, max_stale: &str) -> Function {
    Function::start(&[
        ("CLUSTER", &kubernetes.cluster()),
        ("ALLOCATOR_CONFIG", CONFIG),
        ("SECRETS", "inline"),
        ("SNAPSHOT_TTL", "0"),
        ("SNAPSHOT_MAX_STALE", max_stale),
    ])
    .await
}

fn monitor(kind: &str, name: &str, spec: &Value) -> Value {
    let version = if kind == "ScrapeConfig" { "v1alpha1" } else { "v1" };
    json!({"apiVersion": format!("monitoring.coreos.com/{version}"), "kind": kind,
           "metadata": {"namespace": "shop", "name": name}, "spec": spec})
}

fn with_token(name: &str, secret: &str) -> Value {
    let endpoint = json!({"port": "http", "bearerTokenSecret": {"name": secret, "key": "token"}});
    monitor("ServiceMonitor", name, &json!({"selector": {"matchLabels": {"app": "web"}}, "endpoints": [endpoint]}))
}

fn secret(name: &str, version: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret",
           "metadata": {"namespace": "shop", "name": name, "resourceVersion": version}, "data": {"token": "dG9rZW4="}})
}

fn status(code: u16, message: &str) -> Response {
    let body = json!({"apiVersion": "v1", "kind": "Status", "code": code, "message": message}).to_string();
    (StatusCode::from_u16(code).unwrap(), body).into_response()
}

async fn jobs(function: &Function) -> Vec<String> {
    let answer = function.get("/scrape_configs").await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json().as_object().unwrap().keys().cloned().collect()
}

/// Checks that the monitor without references is served from a fresh snapshot, in both views.
async fn good_is_served(function: &Function, what: &str) {
    for path in ["/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets?collector_id=c-0", "/merged/targets?collector_id=c-0"] {
        let answer = function.get(path).await;
        assert_eq!(answer.status, 200, "{what}: {path}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.headers["age"], "0", "{what}: {path}");
        assert!(answer.json().to_string().contains("10.0.0.1:8080"), "{what}: {path}: {}", answer.json());
    }
}

/// Field and reason of each refused monitor.
async fn refused(function: &Function) -> Vec<(String, String, String)> {
    let report = function.get("/debug/report").await.json();
    let entries = report.as_array().unwrap().iter().filter(|entry| entry["outcome"] == "refused");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    entries.map(|entry| (text(&entry["object"]["name"]), text(&entry["field"]), text(&entry["reason"]))).collect()
}

#[tokio::test]
async fn invalid_object_names_are_refused_by_field_and_never_requested() {
    let long = "a".repeat(100_000);
    let names = ["%", "a/b", ".", "..", "%2e%2e", "../../pods", "a?b", "a#b", "A", "a b", "\u{e4}", &long];
    let key = |name: &str| json!({"name": name, "key": "k"});
    let mut monitors = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let fields = [
            json!({"basicAuth": {"username": key(name), "password": key(name)}}),
            json!({"authorization": {"credentials": key(name)}}),
            json!({"bearerTokenSecret": key(name)}),
            json!({"tlsConfig": {"ca": {"configMap": key(name)}}}),
            json!({"oauth2": {"clientId": {"configMap": key(name)}, "clientSecret": key(name), "tokenUrl": "http://a"}}),
        ];
        for (number, field) in fields.iter().enumerate() {
            let spec = json!({"selector": {"matchLabels": {"app": "web"}}, "endpoints": [field]});
            monitors.push(monitor("ServiceMonitor", &format!("s-{index}-{number}"), &spec));
            let spec = json!({"selector": {"matchLabels": {"app": "web"}}, "podMetricsEndpoints": [field]});
            monitors.push(monitor("PodMonitor", &format!("m-{index}-{number}"), &spec));
        }
        let probe = json!({"prober": {"url": "p"}, "targets": {"staticConfig": {"static": ["a"]}}, "authorization": {"credentials": key(name)}});
        monitors.push(monitor("Probe", &format!("p-{index}"), &probe));
        let scrape = json!({"staticConfigs": [{"targets": ["a:1"]}], "basicAuth": {"username": key(name), "password": key(name)}});
        monitors.push(monitor("ScrapeConfig", &format!("c-{index}"), &scrape));
    }
    let requested = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requested);
    let count = Make::new(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        status(404, "not found")
    });
    let (kubernetes, _) = start(&monitors, Behaviour::Made(count.clone())).await;
    kubernetes.set("configmaps", Behaviour::Made(count));
    let function = function(&kubernetes, "600").await;
    assert_eq!(jobs(&function).await, [GOOD]);
    good_is_served(&function, "names").await;
    let refused = refused(&function).await;
    assert_eq!(refused.len(), monitors.len());
    for (name, field, reason) in refused {
        assert!(field.starts_with("spec."), "{name}: {field}");
        assert!(reason.contains("whose name is not valid") && reason.len() < 500, "{name}: {reason}");
    }
    assert_eq!(requested.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_forbidden_object_refuses_only_the_monitors_that_refer_to_it() {
    let monitors = [with_token("with", "open"), with_token("without", "locked"), with_token("nowhere", "gone")];
    let narrowed = Make::new(|Wanted { object, .. }: &Wanted| match object.as_ref().map(|(_, name)| name.as_str()) {
        Some("open") => secret("open", "1").to_string().into_response(),
        Some("locked") => status(403, "secrets \"locked\" is forbidden"),
        Some(_) => status(404, "secrets \"gone\" not found"),
        None => status(403, "secrets is forbidden"),
    });
    let (kubernetes, _) = start(&monitors, Behaviour::Made(narrowed)).await;
    let function = function(&kubernetes, "600").await;
    assert_eq!(jobs(&function).await, ["serviceMonitor/shop/web/0", "serviceMonitor/shop/with/0"]);
    good_is_served(&function, "a narrowed role").await;
    let [(absent, _, absent_reason), (name, field, reason)] = &refused(&function).await[..] else {
        panic!("two monitors are refused")
    };
    assert_eq!((name.as_str(), field.as_str()), ("without", "spec.endpoints[0].bearerTokenSecret"));
    assert!(reason.contains("grant get on secrets in the namespace shop") && reason.contains("\"locked\""), "{reason}");
    assert_eq!(absent, "nowhere");
    assert!(absent_reason.contains("does not exist"), "{absent_reason}");
}

#[tokio::test]
async fn without_any_grant_only_monitors_with_references_are_refused() {
    let monitors: Vec<_> = (0..3).map(|n| with_token(&format!("m{n}"), &format!("s{n}"))).collect();
    let forbidden = Make::new(|_| status(403, "secrets is forbidden"));
    let (kubernetes, _) = start(&monitors, Behaviour::Made(forbidden)).await;
    let function = function(&kubernetes, "600").await;
    assert_eq!(jobs(&function).await, [GOOD]);
    good_is_served(&function, "no grant").await;
    assert_eq!(refused(&function).await.len(), 3);
}

#[tokio::test]
async fn a_secret_that_was_read_before_is_kept_while_it_is_forbidden() {
    let both = ["serviceMonitor/shop/m/0", GOOD];
    let (kubernetes, _) = start(&[with_token("m", "s")], Behaviour::Objects(vec![secret("s", "1")])).await;
    let function = function(&kubernetes, "2").await;
    assert_eq!(jobs(&function).await, both);
    kubernetes.set("secrets", Behaviour::Made(Make::new(|_| status(403, "no"))));
    assert_eq!(jobs(&function).await, both);
    good_is_served(&function, "forbidden").await;
    let report = function.get("/debug/report").await.json().to_string();
    assert!(report.contains("its last value is used for 2 s at most"), "{report}");
    sleep(Duration::from_millis(2_100)).await;
    assert_eq!(jobs(&function).await, [GOOD], "past SNAPSHOT_MAX_STALE the monitor is refused");
    good_is_served(&function, "forbidden for long").await;
    kubernetes.set("secrets", Behaviour::Objects(vec![secret("s", "1")]));
    assert_eq!(jobs(&function).await, both);
}

#[tokio::test]
async fn an_answer_with_another_secret_fails_the_refresh() {
    let other = |change: fn(&mut Value)| {
        let mut object = secret("s", "1");
        change(&mut object);
        object.to_string()
    };
    let cases = [
        ("empty", 200, String::new()),
        ("a page", 200, "<html>".to_owned()),
        ("no fields", 200, "{}".to_owned()),
        ("a status", 200, json!({"apiVersion": "v1", "kind": "Status", "metadata": {}}).to_string()),
        ("of another name", 200, other(|it| it["metadata"]["name"] = "t".into())),
        ("of another namespace", 200, other(|it| it["metadata"]["namespace"] = "web".into())),
        ("of another kind", 200, other(|it| it["kind"] = "ConfigMap".into())),
        ("a page that was not found", 404, "404 page not found".to_owned()),
        ("an error", 500, String::new()),
        ("too many requests", 429, String::new()),
        ("no credentials", 401, String::new()),
    ];
    for (what, code, body) in cases {
        let (kubernetes, _) = start(&[with_token("m", "s")], Behaviour::Objects(vec![secret("s", "1")])).await;
        let function = function(&kubernetes, "1").await;
        let before = function.get("/scrape_configs").await;
        assert!(before.json().to_string().contains("serviceMonitor/shop/m/0"), "{what}");
        kubernetes.set("secrets", Behaviour::Status(code, body));
        let stale = function.get("/scrape_configs").await;
        assert_eq!((stale.status, stale.body), (200, before.body), "{what}");
        sleep(Duration::from_millis(1_100)).await;
        let failed = function.get("/scrape_configs").await;
        assert_eq!(failed.status, 503, "{what}");
        assert!(failed.message().contains("cannot get secrets"), "{what}: {}", failed.message());
    }
}

#[tokio::test]
async fn a_monitor_with_too_many_references_is_refused_and_reads_nothing() {
    let endpoints: Vec<_> = (0..2_000)
        .map(|n| json!({"port": "http", "bearerTokenSecret": {"name": format!("s{n}"), "key": "t"}}))
        .collect();
    let many = monitor(
        "ServiceMonitor",
        "many",
        &json!({"selector": {"matchLabels": {"app": "web"}}, "endpoints": endpoints}),
    );
    let (kubernetes, _) = start(&[many], Behaviour::Objects(vec![secret("s", "1")])).await;
    let function = function(&kubernetes, "600").await;
    assert_eq!(jobs(&function).await, [GOOD]);
    good_is_served(&function, "many").await;
    let [(name, field, reason)] = &refused(&function).await[..] else { panic!("one monitor is refused") };
    assert_eq!((name.as_str(), field.as_str()), ("many", "spec"));
    assert!(reason.contains("too many references") && reason.contains("2000"), "{reason}");
    assert!(kubernetes.requests() < 200, "{}", kubernetes.requests());
}

#[tokio::test]
async fn many_secrets_take_few_connections_and_are_not_read_again_one_by_one() {
    const NUMBER: usize = 1_600;
    let monitors: Vec<_> = (0..NUMBER).map(|n| with_token(&format!("m{n}"), &format!("s{n}"))).collect();
    let secrets: Vec<_> = (0..NUMBER).map(|n| secret(&format!("s{n}"), "1")).collect();
    for may_list in [false, true] {
        let reads = Arc::new(AtomicUsize::new(0));
        let (counted, all) = (Arc::clone(&reads), secrets.clone());
        let serve = Make::new(move |Wanted { object, query }: &Wanted| {
            match object {
            Some((_, name)) => {
                counted.fetch_add(1, Ordering::Relaxed);
                secret(name, "1").to_string().into_response()
            }
            None if may_list && query == "resourceVersion=0" => json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {"resourceVersion": "1"}, "items": all})
                .to_string()
                .into_response(),
            None => status(403, "secrets is forbidden"),
        }
        });
        let (kubernetes, _) = start(&monitors, Behaviour::Made(serve)).await;
        let function = function(&kubernetes, "600").await;
        function.limit_time(Duration::from_secs(60)).await;
        assert_eq!(jobs(&function).await.len(), NUMBER + 1, "may list: {may_list}");
        assert_eq!(reads.swap(0, Ordering::Relaxed), NUMBER, "may list: {may_list}");
        assert!(kubernetes.most_at_a_time() <= 16, "{} requests at a time", kubernetes.most_at_a_time());
        assert_eq!(jobs(&function).await.len(), NUMBER + 1, "may list: {may_list}");
        let again = if may_list { 0 } else { NUMBER / 4 };
        assert_eq!(reads.load(Ordering::Relaxed), again, "may list: {may_list}");
    }
}
