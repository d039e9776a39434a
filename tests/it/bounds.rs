//! Monitors that no collector could load, or that exceed a bound, beside a valid monitor. Each is refused by name, and
//! the valid monitor is served in both views.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::certificates::Authority;
use crate::events::{function_url, http_api};
use crate::external::addresses;
use crate::function::Function;

const CONFIG: &str = "collectors: {names: [c]}
prometheus_cr: {enabled: true, service_monitor_selector: {}, scrape_config_selector: {}}
";

const GOOD: &str = "serviceMonitor/shop/good/0";

/// The maximum memory of the function in a debug build. Without bounds, the monitors below take from 190 MB to 3 GB.
const MOST_MEMORY: u64 = 150 << 20;

fn good() -> Vec<Value> {
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"namespace": "shop", "name": "good", "labels": {"app": "good"}},
            "spec": {"ports": [{"name": "http", "port": 80}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"namespace": "shop", "name": "good", "labels": {"kubernetes.io/service-name": "good"}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}]}),
        json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor",
            "metadata": {"namespace": "shop", "name": "good"},
            "spec": {"selector": {"matchLabels": {"app": "good"}}, "endpoints": [{"port": "http"}]}}),
    ]
}

fn monitor(name: &str, endpoints: &[Value], more: &Value) -> Value {
    let mut monitor = json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor",
        "metadata": {"namespace": "tenant", "name": name},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, "endpoints": endpoints}});
    monitor["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    monitor
}

fn repeated(endpoint: &Value, times: usize) -> Vec<Value> {
    vec![endpoint.clone(); times]
}

fn static_targets(count: usize) -> Value {
    let targets: Vec<_> = (0..count).map(|n| format!("h{n}.example:80")).collect();
    json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "ScrapeConfig",
        "metadata": {"namespace": "tenant", "name": "bad"}, "spec": {"staticConfigs": [{"targets": targets}]}})
}

/// A scrape config that refers to one secret many times, and the secret.
fn large_secret(references: usize) -> Value {
    let reference = json!({"name": "large", "key": "k"});
    let scrape_config = json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "ScrapeConfig",
        "metadata": {"namespace": "tenant", "name": "bad"},
        "spec": {"staticConfigs": [{"targets": ["h:80"]}], "proxyUrl": "http://proxy:1",
            "proxyConnectHeader": {"x-large": repeated(&reference, references)}}});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "tenant", "name": "large"},
        "stringData": {"k": "x".repeat(1_000_000)}});
    json!({"apiVersion": "v1", "kind": "List", "items": [scrape_config, secret]})
}

async fn start(objects: Vec<Value>, config: &str, variables: &[(&str, &str)]) -> (tempfile::TempDir, Function) {
    let folder = tempfile::tempdir().unwrap();
    let items = [good(), objects].concat();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    std::fs::write(folder.path().join("cluster.json"), list.to_string()).unwrap();
    let cluster = format!("manifests:{}", folder.path().display());
    let mut all = vec![("CLUSTER", cluster.as_str()), ("ALLOCATOR_CONFIG", config), ("SNAPSHOT_TTL", "600")];
    all.extend_from_slice(variables);
    let function = Function::start(&all).await;
    (folder, function)
}

/// Waits until the function has its first snapshot. Large regular expressions take long on a busy machine.
async fn is_ready(function: &Function) {
    let ready = async {
        while function.get("/readyz").await.status != 200 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(180), ready).await.unwrap();
}

/// Checks that the valid monitor is served in both views, and returns the names of all jobs.
async fn jobs_beside_the_good_one(function: &Function, case: &str) -> Vec<String> {
    let configs = function.invoke(http_api("/scrape_configs")).await;
    assert_eq!(configs.status, 200, "{case}");
    let share = function.get("/jobs/serviceMonitor%2Fshop%2Fgood%2F0/targets?collector_id=c").await;
    assert_eq!(addresses(&share), ["10.0.0.1:80"], "{case}");
    assert_eq!(function.get("/merged/scrape_configs").await.status, 200, "{case}");
    let merged = function.invoke(function_url("/merged/targets?collector_id=c")).await;
    assert_eq!(addresses(&merged), ["10.0.0.1:80"], "{case}");
    let mut jobs: Vec<_> = configs.json().as_object().unwrap().keys().cloned().collect();
    assert!(jobs.contains(&GOOD.to_owned()), "{case}: {jobs:?}");
    jobs.retain(|job| job != GOOD);
    jobs
}

/// The entries of the report, in the form `object outcome field: reason`.
async fn report(function: &Function) -> Vec<String> {
    let report = function.get("/debug/report").await.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entry = |entry: &Value| {
        let [object, outcome] = [&entry["object"]["name"], &entry["outcome"]].map(text);
        format!("{object} {outcome} {}: {}", text(&entry["field"]), text(&entry["reason"]))
    };
    // Jobs with settings of their own are never in /merged/targets. The report has an entry about each.
    let is_left_out = |entry: &&Value| entry["outcome"] != "unlisted";
    report.as_array().unwrap().iter().filter(is_left_out).map(entry).collect()
}

#[tokio::test]
async fn monitors_over_a_bound_are_refused_and_the_others_are_served() {
    let labels: Vec<_> = (0..900).map(|n| format!("label-{n}")).collect();
    let namespaces: Vec<_> = (0..9_000).map(|n| format!("{}{n}", "n".repeat(60))).collect();
    let http = json!({"port": "http"});
    let cases = [
        (
            "400 endpoints with 900 labels",
            monitor("bad", &repeated(&http, 400), &json!({"podTargetLabels": labels})),
            "bad refused spec.endpoints: an object may have 200 endpoints",
        ),
        (
            "200 endpoints with 900 labels",
            monitor("bad", &repeated(&http, 200), &json!({"podTargetLabels": labels})),
            "bad refused spec.endpoints[1",
        ),
        ("3,000 endpoints", monitor("bad", &repeated(&json!({}), 3_000), &json!({})), "bad refused spec.endpoints: "),
        (
            "9,000 namespaces",
            monitor("bad", &repeated(&http, 200), &json!({"namespaceSelector": {"matchNames": namespaces}})),
            "bad refused spec.endpoints[3]: the scrape configs of this object take more than 2097152 bytes",
        ),
        // Before, this monitor took 2.5 GB, and nobody got an answer.
        (
            "2,500 references to one secret of 1 MB",
            large_secret(2_500),
            "bad refused spec.proxyConnectHeader[x-large][2]: the values that the object takes of secrets and configmaps",
        ),
        ("150,000 static targets", static_targets(150_000), "bad refused spec: the scrape configs of this object"),
    ];
    for (case, object, expected) in cases {
        let (_folder, function) = start(vec![object], CONFIG, &[]).await;
        assert_eq!(jobs_beside_the_good_one(&function, case).await, [""; 0], "{case}");
        let report = report(&function).await;
        assert!(matches!(report.as_slice(), [entry] if entry.starts_with(expected)), "{case}: {report:?}");
        let (took, memory) = (function.processor_time(), function.peak_memory());
        println!("{case}: {} ms, {} MiB", took.as_millis(), memory >> 20);
        assert!(memory < MOST_MEMORY, "{case} took {} MiB", memory >> 20);
    }
}

#[tokio::test]
async fn the_largest_monitors_of_a_namespace_are_refused_until_the_others_fit() {
    let endpoint = json!({"port": "http"});
    let monitors = [("small", 1), ("medium", 2), ("large", 8)];
    let monitors = monitors.map(|(name, count)| monitor(name, &repeated(&endpoint, count), &json!({})));
    let cases = [
        ("NAMESPACE_LIMIT_BYTES", "10000", vec!["large"], vec!["medium/0", "medium/1", "small/0"]),
        ("NAMESPACE_LIMIT_BYTES", "6000", vec!["large", "medium"], vec!["small/0"]),
        ("TOTAL_LIMIT_BYTES", "7500", vec!["large", "medium"], vec!["small/0"]),
        ("OBJECT_LIMIT_ENDPOINTS", "1", vec!["large", "medium"], vec!["small/0"]),
    ];
    for (setting, value, refused, served) in cases {
        let (_folder, function) = start(monitors.to_vec(), CONFIG, &[(setting, value)]).await;
        let jobs = jobs_beside_the_good_one(&function, setting).await;
        let served: Vec<_> = served.iter().map(|job| format!("serviceMonitor/tenant/{job}")).collect();
        let report = report(&function).await;
        assert_eq!(jobs, served, "{setting}={value}: {report:?}");
        let names: Vec<_> = report.iter().map(|entry| entry.split(' ').next().unwrap()).collect();
        assert_eq!(names, refused, "{setting}={value}: {report:?}");
        assert!(report.iter().all(|entry| entry.contains(setting)), "{report:?}");
    }
}

/// Twenty monitors of 250 bytes, whose regular expressions take about 2 MiB each.
#[tokio::test]
async fn the_regular_expressions_of_many_small_monitors_are_bounded_together() {
    let with = |regex: &str| {
        let rule = json!({"action": "keep", "sourceLabels": ["__address__"], "regex": regex});
        [json!({"port": "http", "relabelings": [rule]})]
    };
    let large = (0..20).map(|n| monitor(&format!("large-{n:02}"), &with(r"\pL{50}|x*"), &json!({})));
    let monitors: Vec<_> = large.chain([monitor("small", &with(r"[a-z]+\d{1,3}.*"), &json!({}))]).collect();
    for setting in ["NAMESPACE_LIMIT_BYTES", "TOTAL_LIMIT_BYTES"] {
        let (_folder, function) = start(monitors.clone(), CONFIG, &[(setting, "2000000")]).await;
        is_ready(&function).await;
        let jobs = jobs_beside_the_good_one(&function, setting).await;
        let report = report(&function).await;
        println!("{setting}: {jobs:?}, {} MiB", function.peak_memory() >> 20);
        assert!(jobs.contains(&"serviceMonitor/tenant/small/0".to_owned()), "{setting}: {jobs:?}: {report:?}");
        assert!((2..10).contains(&jobs.len()), "{setting}: {jobs:?}");
        assert_eq!(report.len(), 21 - jobs.len(), "{setting}: {report:?}");
        let expected = |entry: &String| entry.contains("regular expressions") && entry.contains(setting);
        assert!(report.iter().all(expected), "{setting}: {report:?}");
        assert!(function.peak_memory() < MOST_MEMORY, "{setting}");
    }
}

/// One monitor with 40 endpoints, whose 1,000 targets have a label of 4 KiB: 160 MiB of targets.
#[tokio::test]
async fn the_targets_of_all_jobs_of_one_monitor_are_bounded_together() {
    let metadata = json!({"namespace": "tenant", "name": "bad", "annotations": {"text": "x".repeat(4 << 10)},
        "labels": {"app": "x", "kubernetes.io/service-name": "bad"}});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"name": "http", "port": 80}]}});
    let endpoints: Vec<_> =
        (0..1_000).map(|n| json!({"addresses": [format!("10.1.{}.{}", n / 250, n % 250)]})).collect();
    let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata, "addressType": "IPv4",
        "ports": [{"name": "http", "port": 80}], "endpoints": endpoints});
    let rule = json!({"sourceLabels": ["__meta_kubernetes_service_annotation_text"], "targetLabel": "text"});
    let endpoint = json!({"port": "http", "honorLabels": true, "relabelings": [rule]});
    let objects = vec![service, slice, monitor("bad", &repeated(&endpoint, 40), &json!({}))];
    let (_folder, function) = start(objects, CONFIG, &[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")]).await;
    is_ready(&function).await;
    assert_eq!(jobs_beside_the_good_one(&function, "").await.len(), 40);
    let mut statuses = std::collections::BTreeMap::new();
    for n in 0..40 {
        let share = function
            .invoke(function_url(&format!("/jobs/serviceMonitor%2Ftenant%2Fbad%2F{n}/targets?collector_id=c")))
            .await;
        *statuses.entry(share.status).or_insert(0) += 1;
    }
    assert!((1..12).contains(&statuses[&200]) && statuses[&503] >= 25, "{statuses:?}");
    let report = report(&function).await;
    let expected = "bad unknown : the targets of all jobs of this object take more than 32 MiB";
    // The report joins entries that are the same.
    assert_eq!(report.iter().filter(|entry| entry.starts_with(expected)).count(), 1, "{report:?}");
    println!("{statuses:?}, {} MiB", function.peak_memory() >> 20);
}

#[tokio::test]
async fn jobs_that_collectors_cannot_load_are_left_out_alone() {
    let pem = Authority::new("authority").pem;
    let trusted = pem.replace("CERTIFICATE", "TRUSTED CERTIFICATE");
    let with_header = pem.replacen("-----\n", "-----\nName: value\n\n", 1);
    let secret = |text: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "tenant", "name": "ca"},
            "stringData": {"ca": text}})
    };
    let with_ca = json!({"port": "http", "tlsConfig": {"ca": {"secret": {"name": "ca", "key": "ca"}}}});
    let rule = json!({"action": "drop", "sourceLabels": ["__name__"], "regex": "x{2,$(SHARD)}"});
    let cases = [
        ("a good certificate", with_ca.clone(), secret(&pem), None),
        ("a trusted certificate", with_ca.clone(), secret(&trusted), Some(".tlsConfig.ca: holds no certificate that")),
        (
            "a certificate with a header",
            with_ca,
            secret(&with_header),
            Some(".tlsConfig.ca: holds no certificate that"),
        ),
        (
            "a parameter with a long name",
            json!({"port": "http", "params": {"x".repeat(1_023): ["a"]}}),
            secret(""),
            Some(": a name has more than 1000 characters, which no collector can read"),
        ),
        // YAML does not take these characters as they stand.
        (
            "characters that are escaped",
            json!({"port": "http", "params": {"\u{7f}": ["\u{80}\u{2028}\u{ffff}"]}}),
            secret(""),
            None,
        ),
        (
            "a file",
            json!({"port": "http", "tlsConfig": {"caFile": "/does/not/exist"}}),
            secret(""),
            Some(".tlsConfig.caFile: names a file"),
        ),
        (
            "a shard in a repetition",
            json!({"port": "http", "metricRelabelings": [rule]}),
            secret(""),
            Some(".metricRelabelings[0]: metric_relabel_configs holds a rule that a collector cannot use"),
        ),
    ];
    for (case, endpoint, secret, expected) in cases {
        let objects = vec![monitor("bad", &[endpoint, json!({"port": "other"})], &json!({})), secret];
        let (_folder, function) = start(objects, CONFIG, &[]).await;
        let jobs = jobs_beside_the_good_one(&function, case).await;
        let report = report(&function).await;
        assert_eq!(jobs.len(), 2 - usize::from(expected.is_some()), "{case}: {report:?}");
        let expected: Vec<_> =
            expected.iter().map(|reason| format!("bad job-left-out spec.endpoints[0]{reason}")).collect();
        let body = function.invoke(http_api("/scrape_configs")).await.body;
        let text = String::from_utf8(body).unwrap();
        assert!(!text.contains(['\u{7f}', '\u{80}', '\u{2028}', '\u{ffff}']), "{case}: {text}");
        let is_expected = report.iter().zip(&expected).all(|(entry, expected)| entry.starts_with(expected));
        assert!(report.len() == expected.len() && is_expected, "{case}: {report:?}");
    }
}

#[tokio::test]
async fn jobs_of_the_config_that_collectors_cannot_load_are_left_out_alone() {
    let config = json!({
        "collectors": {"names": ["c"]},
        "prometheus_cr": {"enabled": true, "service_monitor_selector": {}},
        "config": {"scrape_configs": [
            {"job_name": "sharded", "relabel_configs": [
                {"source_labels": ["__address__"], "modulus": 4, "action": "hashmod", "target_label": "__tmp_hash"},
                {"source_labels": ["__tmp_hash"], "regex": "$(SHARD)", "action": "keep"}]},
            {"job_name": "repeated", "metric_relabel_configs": [{"regex": "x{2,$(SHARD)}", "action": "labeldrop"}]},
            {"job_name": "named-0"},
            {"job_name": "named-$(SHARD)"},
            {"job_name": "other-$(SHARD)"},
            {"job_name": "trusted", "tls_config": {"ca": "-----BEGIN TRUSTED CERTIFICATE-----\n"}},
        ]}
    });
    let (_folder, function) = start(Vec::new(), &config.to_string(), &[]).await;
    assert_eq!(jobs_beside_the_good_one(&function, "config").await, ["named-0", "other-$(SHARD)", "sharded"]);
    let report = report(&function).await;
    let names: Vec<_> = report.iter().map(|entry| entry.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["named-$(SHARD)", "other-$(SHARD)", "repeated", "trusted"], "{report:?}");
    assert!(report[1].starts_with("other-$(SHARD) adjusted job_name: holds $(SHARD)"), "{report:?}");
}

#[tokio::test]
async fn scrape_configs_that_do_not_fit_are_an_error_with_advice() {
    let labels: Vec<_> = (0..90).map(|n| format!("label-{n}")).collect();
    let endpoints = repeated(&json!({"port": "http"}), 100);
    let monitors = (0..6).map(|n| monitor(&format!("m{n}"), &endpoints, &json!({"podTargetLabels": labels})));
    let (_folder, function) = start(monitors.collect(), CONFIG, &[]).await;
    is_ready(&function).await;
    let plain = function.get("/scrape_configs").await;
    assert_eq!(plain.status, 500, "{}", plain.body.len());
    for part in ["Accept-Encoding: gzip", "merged view", "RESPONSE_MODE=stream"] {
        assert!(plain.message().contains(part), "{}", plain.message());
    }
    assert!(!plain.message().contains("more collectors"), "{}", plain.message());
    let mut event = http_api("/scrape_configs");
    event["headers"]["accept-encoding"] = json!("gzip");
    let compressed = function.invoke(event).await;
    assert_eq!((compressed.status, compressed.headers["content-encoding"].as_str()), (200, "gzip"));
}
