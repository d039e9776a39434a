//! Marked credentials and files. They must not appear in answers, pages, messages or logs, except where they belong.

use serde_json::{Value, json};

use crate::access::{Asker, TABLE};
use crate::events::http_api;
use crate::function::{Answer, Function};

const CANARY: &str = "canary";

const CONFIG: &str = "
viewers: ['system:serviceaccount:ops:*']
collector_namespace: monitoring
collector_selector: {matchLabels: {app.kubernetes.io/name: otel-collector}}
prometheus_cr:
  enabled: true
  service_monitor_selector: {}
  service_monitor_namespace_selector: {}
  pod_monitor_selector: {}
  pod_monitor_namespace_selector: {}
  probe_selector: {}
  probe_namespace_selector: {}
  scrape_config_selector: {}
  scrape_config_namespace_selector: {}
";

fn secret(key: &str) -> Value {
    json!({"name": "canary", "key": key})
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let version = if kind == "ScrapeConfig" { "v1alpha1" } else { "v1" };
    json!({"apiVersion": format!("monitoring.coreos.com/{version}"), "kind": kind,
        "metadata": {"namespace": "shop", "name": name}, "spec": spec})
}

/// Valid and invalid monitors, with a credential in each field that can contain one.
fn monitors() -> Vec<Value> {
    let endpoints = [
        ("basic", json!({"basicAuth": {"username": secret("user"), "password": secret("password")}})),
        ("token", json!({"authorization": {"credentials": secret("token")}})),
        ("bearer", json!({"bearerTokenSecret": secret("token")})),
        (
            "oauth2",
            json!({"oauth2": {"clientId": {"secret": secret("user")}, "clientSecret": secret("password"), "tokenUrl": "http://127.0.0.1:1/"}}),
        ),
        ("no-key", json!({"tlsConfig": {"cert": {"secret": secret("token")}, "keySecret": secret("token")}})),
        ("no-authority", json!({"tlsConfig": {"ca": {"secret": secret("token")}}})),
        ("lines", json!({"authorization": {"credentials": secret("lines")}})),
        ("no-text", json!({"authorization": {"credentials": secret("bytes")}})),
        ("absent", json!({"authorization": {"credentials": secret("absent")}})),
        ("proxy", json!({"proxyUrl": "http://proxy:1", "proxyConnectHeader": {"X-A": [secret("token")]}})),
    ];
    let mut monitors: Vec<_> = endpoints
        .into_iter()
        .map(|(name, endpoint)| object("ServiceMonitor", name, &json!({"selector": {}, "endpoints": [endpoint]})))
        .collect();
    let sd = |more: Value| {
        let mut sd = json!({"url": "http://127.0.0.1:1/sd"});
        sd.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"httpSDConfigs": [sd]})
    };
    let scrape_configs = [
        ("sd-token", sd(json!({"authorization": {"credentials": secret("token")}}))),
        ("sd-lines", sd(json!({"authorization": {"credentials": secret("lines")}}))),
        ("sd-url", sd(json!({"url": "http://u:canary-of-a-url@127.0.0.1:1/sd"}))),
        (
            "sd-proxy",
            sd(
                json!({"url": "http://sd.example/", "proxyUrl": "http://127.0.0.1:1", "proxyConnectHeader": {"X-A": [secret("lines")]}}),
            ),
        ),
        ("sd-key", sd(json!({"tlsConfig": {"cert": {"secret": secret("token")}, "keySecret": secret("token")}}))),
        (
            "ec2",
            json!({"ec2SDConfigs": [{"region": "nowhere", "accessKey": secret("user"), "secretKey": secret("password"), "proxyUrl": "http://127.0.0.1:1"}]}),
        ),
    ];
    monitors.extend(scrape_configs.map(|(name, spec)| object("ScrapeConfig", name, &spec)));
    monitors
}

/// The objects of the shop, with marked credentials.
fn cluster() -> (tempfile::TempDir, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    for file in std::fs::read_dir(format!("{root}/examples/shop/cluster")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "shop", "name": "canary"}, "data": {
        "user": "dXNlcg==", "password": "Y2FuYXJ5LXBhc3N3b3Jk", "token": "Y2FuYXJ5LXRva2Vu",
        "lines": "Y2FuYXJ5LWxpbmUNCng6IHk=", "bytes": "Y2FuYXJ5/w=="}});
    let monitors = monitors();
    let items: Vec<_> = [secret].into_iter().chain(monitors.clone()).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    std::fs::write(folder.path().join("canaries.json"), list).unwrap();
    (folder, monitors)
}

fn shows(answer: &Answer) -> bool {
    let bytes = String::from_utf8_lossy(&answer.body);
    bytes.contains(CANARY) && has_value(&bytes) || answer.headers.values().any(|value| value.contains(CANARY))
}

/// Whether the text contains the value of a marked secret. The name of the secret is allowed.
fn has_value(text: &str) -> bool {
    ["canary-password", "canary-token", "canary-line", "canary-of", "canary\\u00ff", "Y2FuYXJ5"]
        .iter()
        .any(|value| text.contains(value))
}

#[tokio::test]
async fn credentials_are_only_in_scrape_configs_for_verified_callers() {
    let (folder, monitors) = cluster();
    let log = folder.path().join("log");
    let source = format!("manifests:{}", folder.path().display());
    let config = format!("{CONFIG}pipelines: {{shop: {{jobs: ['*']}}}}\n");
    for (mode, rotation) in [("inline", "on"), ("omit", "off")] {
        let variables = [
            ("CLUSTER", source.as_str()),
            ("ALLOCATOR_CONFIG", config.as_str()),
            ("SECRETS", mode),
            ("SECRET_ROTATION", rotation),
            ("SNAPSHOT_TTL", "600"),
            ("RUST_LOG", "debug"),
        ];
        let function = Function::start_with_log(&variables, &log).await;
        let mut paths: Vec<String> = TABLE.iter().map(|(path, _)| (*path).to_owned()).collect();
        for monitor in &monitors {
            let (kind, name) = (monitor["kind"].as_str().unwrap(), monitor["metadata"]["name"].as_str().unwrap());
            paths.push(format!("/explain?monitor={kind}/shop/{name}"));
            let job = if kind == "ScrapeConfig" {
                format!("scrapeConfig/shop/{name}")
            } else {
                format!("serviceMonitor/shop/{name}/0")
            };
            paths.push(format!("/debug/job?job_id={job}"));
            paths.push(format!("/jobs/{}/targets?collector_id=otel-collector-0", job.replace('/', "%2F")));
        }
        let mut shown = 0;
        for path in &paths {
            for asker in Asker::ALL {
                for html in [false, true] {
                    let mut event = asker.event(http_api, path);
                    if html {
                        event["headers"]["accept"] = json!("text/html");
                    }
                    let answer = function.invoke(event).await;
                    let may = mode == "inline"
                        && path.ends_with("scrape_configs")
                        && !path.starts_with("/debug")
                        && asker.may_have_credentials();
                    let text = String::from_utf8_lossy(&answer.body).into_owned();
                    assert!(may || !shows(&answer), "{mode}: {path} for {asker:?}: {text}");
                    shown += usize::from(shows(&answer));
                }
            }
        }
        assert_eq!(shown > 0, mode == "inline", "whoever may have them has them");
        let log = std::fs::read_to_string(&log).unwrap();
        assert!(log.contains("refresh") || !log.is_empty(), "there is a log");
        let line = log.lines().find(|line| has_value(line));
        assert_eq!(line, None, "a credential is in the log");
    }
}

/// Names a file in each field that can name one, in each kind of monitor.
#[tokio::test]
async fn no_file_that_a_tenant_names_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret.json");
    std::fs::write(&secret, r#"[{"targets":["canary-file:80"]}]"#).unwrap();
    let path = secret.to_str().unwrap();
    let files = |more: Value| {
        let mut sd = json!({"url": "http://127.0.0.1:1/"});
        sd.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"httpSDConfigs": [sd]})
    };
    let tls = json!({"caFile": path, "certFile": path, "keyFile": path, "ca_file": path});
    let endpoint = json!({"port": "http", "bearerTokenFile": path, "tlsConfig": tls});
    let cases = [
        object("ServiceMonitor", "sm", &json!({"selector": {}, "endpoints": [endpoint]})),
        object("PodMonitor", "pm", &json!({"selector": {}, "podMetricsEndpoints": [endpoint]})),
        object(
            "Probe",
            "probe",
            &json!({"prober": {"url": "p"}, "tlsConfig": tls, "bearerTokenFile": path, "targets": {"staticConfig": {"static": ["a"]}}}),
        ),
        object("ScrapeConfig", "file", &json!({"fileSDConfigs": [{"files": [path]}]})),
        object("ScrapeConfig", "pattern", &json!({"fileSDConfigs": [{"files": [path.replace("secret", "*")]}]})),
        object("ScrapeConfig", "tls", &files(json!({"tlsConfig": tls}))),
        object(
            "ScrapeConfig",
            "token",
            &files(json!({"authorization": {"credentialsFile": path, "credentials_file": path}})),
        ),
        object("ScrapeConfig", "basic", &files(json!({"basicAuth": {"passwordFile": path, "password_file": path}}))),
        object(
            "ScrapeConfig",
            "oauth2",
            &files(json!({"oauth2": {"clientSecretFile": path, "tokenUrl": "http://127.0.0.1:1/", "tlsConfig": tls}})),
        ),
        object(
            "ScrapeConfig",
            "own",
            &json!({"tlsConfig": tls, "bearerTokenFile": path, "staticConfigs": [{"targets": ["a:1"]}]}),
        ),
        object("ScrapeConfig", "url", &files(json!({"url": format!("file://{path}")}))),
        object(
            "ScrapeConfig",
            "cluster",
            &json!({"kubernetesSDConfigs": [{"role": "Pod", "kubeconfigFile": path, "apiServer": format!("file://{path}")}]}),
        ),
    ];
    let names: Vec<_> = cases
        .iter()
        .map(|case| format!("{}/shop/{}", case["kind"].as_str().unwrap(), case["metadata"]["name"].as_str().unwrap()))
        .collect();
    let cluster = folder.path().join("cluster");
    std::fs::create_dir(&cluster).unwrap();
    std::fs::write(cluster.join("all.json"), json!({"apiVersion": "v1", "kind": "List", "items": cases}).to_string())
        .unwrap();
    let source = format!("manifests:{}", cluster.display());
    let log = folder.path().join("log");
    let config = CONFIG.replace(
        "collector_selector: {matchLabels: {app.kubernetes.io/name: otel-collector}}",
        "collectors: {names: [c]}",
    );
    let variables = [
        ("CLUSTER", source.as_str()),
        ("ALLOCATOR_CONFIG", config.as_str()),
        ("LAMBDA_TASK_ROOT", folder.path().to_str().unwrap()),
        ("RUST_LOG", "debug"),
    ];
    let function = Function::start_with_log(&variables, &log).await;
    let mut paths = vec![
        "/scrape_configs".to_owned(),
        "/jobs".to_owned(),
        "/debug/report".to_owned(),
        "/metrics".to_owned(),
        "/merged/scrape_configs".to_owned(),
    ];
    paths.extend(names.iter().map(|name| format!("/explain?monitor={name}")));
    let jobs = function.get("/scrape_configs").await.json();
    paths.extend(
        jobs.as_object().unwrap().keys().map(|job| format!("/jobs/{}/targets?collector_id=c", job.replace('/', "%2F"))),
    );
    for path in paths {
        let body = function.get(&path).await.body;
        assert!(!String::from_utf8_lossy(&body).contains("canary-file"), "{path}");
    }
    assert!(!std::fs::read_to_string(log).unwrap().contains("canary-file"));
}

/// A reference always selects a secret of the monitor's own namespace.
#[tokio::test]
async fn no_secret_of_another_namespace_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "payments", "name": "canary"},
        "data": {"token": "Y2FuYXJ5LXRva2Vu"}});
    let names = ["canary", "payments/canary", "../payments/canary", "payments%2Fcanary"];
    let monitors = names.iter().enumerate().map(|(at, name)| {
        let endpoint =
            json!({"authorization": {"credentials": {"name": name, "key": "token", "namespace": "payments"}}});
        object("ServiceMonitor", &format!("m{at}"), &json!({"selector": {}, "endpoints": [endpoint]}))
    });
    let items: Vec<_> = [secret].into_iter().chain(monitors).collect();
    std::fs::write(
        folder.path().join("all.json"),
        json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string(),
    )
    .unwrap();
    let source = format!("manifests:{}", folder.path().display());
    let function = Function::start(&[("CLUSTER", &source), ("ALLOCATOR_CONFIG", CONFIG), ("SECRETS", "inline")]).await;
    let answer = function.invoke(Asker::Collector.event(http_api, "/scrape_configs")).await;
    assert_eq!(answer.json(), json!({}));
    let report = function.get("/debug/report").await.json();
    assert_eq!(report.as_array().unwrap().len(), names.len(), "{report}");
}
