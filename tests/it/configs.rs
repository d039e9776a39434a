//! Configs of users: which are served, which are reported, and which prevent the start.

use serde_json::Value;

use crate::function::Function;

/// A cluster without objects.
const EMPTY: &str = "{apiVersion: v1, kind: List, items: []}";

async fn start(folder: &std::path::Path, config: &str, strict: &str) -> Function {
    let file = folder.join("cluster.yaml");
    std::fs::write(&file, EMPTY).unwrap();
    let cluster = format!("manifests:{}", file.display());
    Function::start(&[
        ("CLUSTER", cluster.as_str()),
        ("ALLOCATOR_CONFIG", config),
        ("ALLOCATOR_CONFIG_STRICT", strict),
        ("SNAPSHOT_TTL", "0"),
    ])
    .await
}

const UNKNOWN_IN_JOB: &str = "collectors: {names: [c]}\nconfig:\n  scrape_configs:\n  \
    - {job_name: node, scrape_classic_histograms: true, static_configs: [{targets: ['n:9100']}]}\n";
const HELM_CHART: &str = "collectors: {names: [c]}\n\
    prometheus_cr: {enabled: true, scrapeInterval: 30s, service_monitor_selector: {}}\n";
const NEWER_FALLBACK: &str = "collectors: {names: [c]}\nallocation_strategy: per-node\n\
    allocation_strategy_config: {per_node: {fallback_strategy: {name: consistent-hashing}}}\n\
    prometheus_cr: {enabled: true, service_monitor_selector: {}}\n";
const SCALARS: &str = "collectors: {names: [c]}\n\
    prometheus_cr: {enabled: true, service_monitor_selector: {matchlabels: {release: 5, on: true}}}\n";

#[tokio::test]
async fn configs_of_the_operator_are_served_and_unknown_keys_reported() {
    let cases = [
        (UNKNOWN_IN_JOB, 1, "did you mean always_scrape_classic_histograms?"),
        (HELM_CHART, 0, "did you mean scrape_interval?"),
        (NEWER_FALLBACK, 0, ""),
        (SCALARS, 0, ""),
    ];
    for (config, jobs, reported) in cases {
        let folder = tempfile::tempdir().unwrap();
        let function = start(folder.path(), config, "off").await;
        let answer = function.get("/scrape_configs").await;
        assert_eq!(answer.status, 200, "{config}");
        assert_eq!(answer.json().as_object().unwrap().len(), jobs, "{config}");
        let report = function.get("/debug/report").await.json().to_string();
        assert!(report.contains(reported), "{config}: {report}");
        assert_eq!(report.contains("unknown key"), !reported.is_empty(), "{config}: {report}");
    }
}

#[tokio::test]
async fn a_config_that_would_select_everything_or_serve_nothing_is_a_failure() {
    let bad_job = "config: {scrape_configs: [{job_name: a, scrape_interval: often}]}\n";
    let cases = [
        (
            "collector_namespace: monitoring\ncollector_selector: {matchlabel: {app: otel-collector}}\n\
             prometheus_cr: {enabled: true, service_monitor_selector: {}}\n"
                .to_owned(),
            "off",
            500,
            "collector_selector: unknown field matchlabel, did you mean matchlabels or matchLabels",
        ),
        (bad_job.to_owned(), "off", 500, "none of the jobs of config.scrape_configs can be served"),
        (
            format!("{bad_job}prometheus_cr: {{enabled: true, service_monitor_selector: {{}}}}\n"),
            "off",
            503,
            "the config has jobs, and none of them can be served",
        ),
        (HELM_CHART.to_owned(), "on", 500, "prometheus_cr.scrapeInterval (did you mean scrape_interval?)"),
        (UNKNOWN_IN_JOB.to_owned(), "on", 500, "config.scrape_configs[0].scrape_classic_histograms"),
    ];
    for (config, strict, status, message) in cases {
        let folder = tempfile::tempdir().unwrap();
        let function = start(folder.path(), &config, strict).await;
        for path in ["/scrape_configs", "/jobs"] {
            let answer = function.get(path).await;
            assert_eq!(answer.status, status, "{config}");
            assert!(answer.message().contains(message), "{config}: {}", answer.message());
        }
    }
}

#[tokio::test]
async fn a_static_job_with_the_name_of_a_monitors_job_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let config = "collectors: {names: [c]}\nprometheus_cr: {enabled: true, probe_selector: {}}\n\
                  config: {scrape_configs: [{job_name: probe/n/p, static_configs: [{targets: [a]}]}]}\n";
    let function = start(folder.path(), config, "on").await;
    let probe = "apiVersion: monitoring.coreos.com/v1\nkind: Probe\nmetadata: {name: p, namespace: n}\n\
                 spec: {prober: {url: blackbox}, targets: {staticConfig: {static: [a.example]}}}\n";
    std::fs::write(folder.path().join("cluster.yaml"), probe).unwrap();
    let configs = function.get("/scrape_configs").await.json();
    assert_eq!(configs["probe/n/p"]["metrics_path"], "/probe", "{configs}");
    let report = function.get("/debug/report").await.json().to_string();
    assert!(report.contains("Probe/n/p makes a job of this name, which is served instead"), "{report}");
}

#[tokio::test]
async fn receivers_before_0_120_get_only_the_protocols_that_they_support() {
    let folder = tempfile::tempdir().unwrap();
    let config = "prometheus_cr: {enabled: true}\n\
                  config:\n  global: {scrape_protocols: [OpenMetricsText1.0.0, OpenMetricsText0.0.1, PrometheusText0.0.4]}\n  \
                  scrape_configs: [{job_name: a}]\n";
    let function = start(folder.path(), config, "on").await;
    let protocols = &function.get("/scrape_configs").await.json()["a"]["scrape_protocols"];
    assert!(
        protocols.as_array().is_some_and(|list| !list.contains(&Value::from("PrometheusText1.0.0"))),
        "{protocols}"
    );
}

/// While a file is incomplete, collectors keep their targets.
#[tokio::test]
async fn a_manifest_that_is_half_written_is_a_failure_and_not_fewer_targets() {
    let folder = tempfile::tempdir().unwrap();
    let monitor = |name: &str| {
        format!(
            "apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {{name: {name}, namespace: shop}}\n\
             spec: {{selector: {{}}, podMetricsEndpoints: [{{port: http}}]}}\n"
        )
    };
    let whole = format!("{}---\n{}", monitor("a"), monitor("b"));
    let config = "prometheus_cr: {enabled: true, pod_monitor_selector: {}}\n";
    let function = start(folder.path(), config, "off").await;
    let file = folder.path().join("cluster.yaml");
    std::fs::write(&file, &whole).unwrap();
    let jobs = async || {
        let answer = function.get("/scrape_configs").await;
        assert_eq!(answer.status, 200, "{}", answer.message());
        answer.json().as_object().unwrap().len()
    };
    assert_eq!(jobs().await, 2);
    let halves = [String::new(), monitor("a"), format!("{}---\n", monitor("a")), "<html></html>".to_owned()];
    for half in halves {
        std::fs::write(&file, &half).unwrap();
        assert_eq!(jobs().await, 2, "the last snapshot serves: {half}");
    }
    std::fs::write(&file, format!("{whole}---\n{}", monitor("c"))).unwrap();
    assert_eq!(jobs().await, 3);
}
