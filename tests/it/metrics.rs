//! `/metrics`: its text, and the documents, dashboard and alerts that use its names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use target_allocator_core::metric_families;

use crate::clusters::two;
use crate::documents::{read, section};
use crate::events::{GATEWAYS, function_url, http_api};
use crate::faults::web;
use crate::function::{Answer, Function};
use crate::kubernetes::{Behaviour, Kubernetes};
use crate::shop::shop_with;

const AGE: &str = "target_allocator_snapshot_age_seconds ";

/// The metrics, and the age of the snapshot.
fn parts(answer: &Answer) -> (String, f64) {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = std::str::from_utf8(&answer.body).unwrap();
    let (ages, others): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with(AGE));
    assert_eq!(ages.len(), 1, "{text}");
    (others.join("\n"), ages[0][AGE.len()..].parse().unwrap())
}

async fn metrics(function: &Function) -> String {
    parts(&function.get("/metrics").await).0
}

/// The values of a metric, by the text of their labels.
fn values<'t>(text: &'t str, name: &str) -> BTreeMap<&'t str, f64> {
    let of_line = |line: &'t str| {
        let (series, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
        let labels = if series.is_empty() { "" } else { series.strip_prefix('{')?.strip_suffix('}')? };
        Some((labels, value.parse().unwrap()))
    };
    text.lines().filter_map(of_line).collect()
}

#[tokio::test]
async fn the_shop_has_these_metrics() {
    let function = shop_with(&[]).await;
    let (text, age) = parts(&function.get("/metrics").await);
    assert_eq!(text, read("tests/it/metrics.txt").trim_end());
    assert!((0.0..60.0).contains(&age), "{age}");
    // The counts are those of the other routes.
    let targets = values(&text, "opentelemetry_allocator_targets");
    for name in function.get("/jobs").await.json().as_object().unwrap().keys() {
        let shares = function.get(&format!("/jobs/{name}/targets")).await.json();
        let groups = shares.as_object().unwrap().values().map(|share| share["targets"].as_array().unwrap().len());
        let labels = format!("job_name=\"{name}\",otel_scope_name=\"targetallocator\"");
        #[allow(clippy::cast_precision_loss, reason = "a few targets")]
        let expected = groups.sum::<usize>() as f64;
        assert_eq!(targets[labels.as_str()], expected, "{name}");
    }
}

#[tokio::test]
async fn every_instance_serves_the_same_whatever_was_requested_before() {
    let (one, other) = (shop_with(&[]).await, shop_with(&[]).await);
    let expected = metrics(&one).await;
    for path in ["/scrape_configs", "/merged/scrape_configs", "/merged/targets?collector_id=otel-collector-0"] {
        assert_eq!(other.get(path).await.status, 200);
        assert_eq!(metrics(&other).await, expected, "after {path}");
    }
    for (gateway, event) in GATEWAYS {
        assert_eq!(parts(&other.invoke(event("/metrics")).await).0, expected, "{gateway}");
    }
    let mut browser = http_api("/metrics");
    browser["headers"]["accept"] = json!("text/html");
    assert_eq!(parts(&other.invoke(browser).await).0, expected);
    let mut prometheus = function_url("/metrics");
    prometheus["headers"]["accept-encoding"] = json!("gzip");
    let compressed = other.invoke(prometheus).await;
    assert_eq!((compressed.status, compressed.headers["content-encoding"].as_str()), (200, "gzip"));
}

#[tokio::test]
async fn names_of_jobs_are_escaped() {
    let config = r#"
collectors: {names: ["c\"} 1\nx"]}
config:
  scrape_configs:
  - {job_name: "quote \" line\nend \\ } 7", static_configs: [{targets: ['a:1']}]}
  - {job_name: "\u00e9", static_configs: [{targets: ['a:1']}]}
"#;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("namespace.yaml"), "{apiVersion: v1, kind: Namespace, metadata: {name: a}}")
        .unwrap();
    let cluster = format!("manifests:{}", folder.path().display());
    let function = Function::start(&[("CLUSTER", &cluster), ("ALLOCATOR_CONFIG", config)]).await;
    let text = metrics(&function).await;
    for line in [
        r#"opentelemetry_allocator_targets{job_name="quote \" line\nend \\ } 7",otel_scope_name="targetallocator"} 1"#,
        "opentelemetry_allocator_targets{job_name=\"\u{e9}\",otel_scope_name=\"targetallocator\"} 1",
        r#"opentelemetry_allocator_targets_per_collector{collector_name="c\"} 1\nx",otel_scope_name="targetallocator",strategy="consistent-hashing"} 2"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn without_a_snapshot_the_answer_is_a_failure() {
    let kubernetes = Kubernetes::start(&web("web-1", "10.0.0.1")).await;
    kubernetes.set("*", Behaviour::Status(500, String::new()));
    let function = crate::faults::start(&kubernetes, "0", "600").await;
    let failed = function.get("/metrics").await;
    assert_eq!((failed.status, failed.headers["content-type"].as_str()), (503, "application/json"));
    assert!(failed.message().contains("no snapshot of the cluster"), "{}", failed.message());
    kubernetes.unset("*");
    let text = metrics(&function).await;
    assert_eq!(values(&text, "opentelemetry_allocator_targets_remaining").into_values().collect::<Vec<_>>(), [1.0]);
}

#[tokio::test]
async fn each_cluster_has_its_own_metrics() {
    let function = two(&[]).await;
    let expected = metrics(&shop_with(&[]).await).await;
    for cluster in ["prod", "dev"] {
        assert_eq!(parts(&function.get(&format!("/{cluster}/metrics")).await).0, expected, "{cluster}");
    }
    for path in ["/metrics", "/nothing/metrics"] {
        let answer = function.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.message().contains("prod, dev"), "{path}: {}", answer.message());
    }
}

#[tokio::test]
async fn the_used_part_of_a_limit_is_known_before_it_is_passed() {
    let monitors = async |limits: &[(&str, &str)]| {
        let text = metrics(&shop_with(limits).await).await;
        let limits = values(&text, "target_allocator_limit_used_ratio");
        let refused = values(&text, "target_allocator_skipped_objects")[r#"kind="ServiceMonitor",reason="refused""#];
        let ratio = |name: &str| limits[format!("limit=\"{name}\"").as_str()];
        (ratio("TOTAL_LIMIT_BYTES"), ratio("OBJECT_LIMIT_ENDPOINTS"), refused)
    };
    let (total, endpoints, refused) = monitors(&[]).await;
    assert!(total > 0.0 && total < 0.01, "{total}");
    assert!(endpoints > 0.0 && endpoints < 0.1, "{endpoints}");
    let (near, all_endpoints, same) =
        monitors(&[("TOTAL_LIMIT_BYTES", "100000"), ("OBJECT_LIMIT_ENDPOINTS", "2")]).await;
    assert!(near > 10.0 * total && near <= 1.0, "{near}");
    assert!(all_endpoints > endpoints, "{all_endpoints}");
    assert_eq!(same, refused);
    let (after, _, more) = monitors(&[("TOTAL_LIMIT_BYTES", "5000")]).await;
    assert!(after <= 1.0, "{after}");
    assert!(more > refused, "{more} of {refused}");
}

/// The names of our metrics in a text.
fn used(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_name(c));
    words.filter(|word| word.starts_with("opentelemetry_allocator_") || word.starts_with("target_allocator_")).collect()
}

#[test]
fn the_document_has_a_row_for_each_metric() {
    let page = read("docs/metrics.md");
    let rows = |heading: &str| {
        let rows = section(&page, heading).lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        rows.map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>()
    };
    let (same, ours, absent) =
        (rows("Metrics of the operator's allocator"), rows("Our own metrics"), rows("Metrics that cannot be had"));
    let served: BTreeSet<_> = metric_families::names().map(str::to_owned).collect();
    assert_eq!(same.union(&ours).cloned().collect::<BTreeSet<_>>(), served);
    assert!(same.iter().all(|name| name.starts_with("opentelemetry_allocator_")), "{same:?}");
    assert!(ours.iter().all(|name| name.starts_with("target_allocator_")), "{ours:?}");
    assert!(absent.len() > 5 && absent.is_disjoint(&served), "{absent:?}");
}

const DASHBOARD: &str = "examples/monitoring/dashboard.json";
const ALERTS: &str = "examples/monitoring/alerts.yaml";

/// The labels in each `name{...}` of a text, with the name of the metric.
fn selected<'t>(text: &'t str, name: &str) -> BTreeSet<&'t str> {
    let start = format!("{name}{{");
    let selectors = text.split(start.as_str()).skip(1).filter_map(|rest| rest.split('}').next());
    let labels = selectors.flat_map(|selector| selector.split(','));
    labels.filter_map(|label| label.split(['=', '!']).next()).map(str::trim).collect()
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_use_only_names_that_are_served() {
    let text = metrics(&shop_with(&[]).await).await;
    let served: BTreeSet<_> = metric_families::names().collect();
    for path in [DASHBOARD, ALERTS] {
        let file = read(path);
        let names = used(&file);
        assert!(names.len() > 5, "{path}: {names:?}");
        for name in names {
            assert!(served.contains(name), "{path} uses a metric that is not served: {name}");
            let labels = values(&text, name);
            for label in selected(&file, name) {
                // Prometheus adds the labels `job` and `instance`, and the example config adds `cluster`.
                let is_known = matches!(label, "job" | "instance" | "cluster")
                    || labels.keys().any(|labels| labels.split(',').any(|pair| pair.starts_with(&format!("{label}="))));
                assert!(is_known, "{path}: {name} has no label {label}");
            }
        }
    }
}

#[test]
fn the_dashboard_shows_each_metric() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries: Vec<_> = queries.map(|target| target["expr"].as_str().unwrap()).collect();
    let shown = queries.join("\n");
    assert_eq!(used(&shown), metric_families::names().collect());
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has its own id");
}
