//! `${env:NAME}` in the allocator config, with the variables of the running function.

use serde_json::json;

use crate::function::Function;

const CONFIG: &str = "
collectors:
  names: ['${env:FIRST}', '${env:SECOND:-two}']
allocation_replicas: ${env:REPLICAS}
config:
  scrape_configs:
  - job_name: node
    static_configs: [{targets: ['a:1']}]
    relabel_configs:
    - {source_labels: [__address__], regex: '(.*):(.*)', target_label: x, replacement: '$1-${2}-$$-${env:FIRST}'}
prometheus_cr: {enabled: true, scrape_config_selector: {}}
";

/// A monitor of a tenant. Its texts are never replaced.
const MONITOR: &str = "
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
- apiVersion: monitoring.coreos.com/v1alpha1
  kind: ScrapeConfig
  metadata: {namespace: shop, name: m}
  spec:
    staticConfigs: [{targets: ['b:1'], labels: {tenant: '${env:FIRST}'}}]
    metricsPath: '/${env:FIRST}'
";

async fn start(variables: &[(&str, &str)]) -> (Function, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cluster.yaml");
    std::fs::write(&file, MONITOR).unwrap();
    let cluster = format!("manifests:{}", file.display());
    let variables = [&[("CLUSTER", cluster.as_str()), ("ALLOCATOR_CONFIG", CONFIG)], variables].concat();
    (Function::start(&variables).await, folder)
}

#[tokio::test]
async fn variables_are_replaced_in_the_config_and_not_in_monitors() {
    let (function, _folder) = start(&[("FIRST", "one"), ("REPLICAS", "2")]).await;
    let shares = function.get("/jobs/node/targets").await.json();
    let collectors: Vec<_> = shares.as_object().unwrap().keys().cloned().collect();
    assert_eq!(collectors, ["one", "two"]);
    assert!(shares.as_object().unwrap().values().all(|share| share["targets"].as_array().unwrap().len() == 1));
    let configs = function.get("/scrape_configs").await.json();
    assert_eq!(configs["node"]["relabel_configs"][0]["replacement"], json!("$1-${2}-$$-one"));
    assert_eq!(configs["scrapeConfig/shop/m"]["metrics_path"], json!("/${env:FIRST}"));
    let targets = function.get("/jobs/scrapeConfig%2Fshop%2Fm/targets?collector_id=one").await.json();
    assert_eq!(targets[0]["labels"]["tenant"], json!("${env:FIRST}"));
}

#[tokio::test]
async fn a_variable_without_a_value_stops_the_start_by_name() {
    for (variables, expected) in [
        (&[("REPLICAS", "2")][..], "FIRST"),
        (&[("FIRST", "one")], "REPLICAS"),
        (&[("FIRST", " "), ("REPLICAS", "2")], "FIRST"),
    ] {
        let (function, _folder) = start(variables).await;
        for path in ["/scrape_configs", "/merged/targets?collector_id=one"] {
            let answer = function.get(path).await;
            assert_eq!(answer.status, 500, "{variables:?}");
            let message = answer.message();
            assert!(message.ends_with(&format!("for the text itself: {expected}")), "{variables:?}: {message}");
        }
    }
}

/// Lambda gives the function credentials in variables.
#[tokio::test]
async fn the_config_cannot_read_credentials_of_the_function() {
    let config = "{collectors: {names: ['${env:AWS_SESSION_TOKEN}']}, prometheus_cr: {enabled: true}}";
    let variables = [("AWS_SESSION_TOKEN", "canary-token"), ("ALLOCATOR_CONFIG", config)];
    let (function, _folder) = start(&variables).await;
    let answer = function.get("/jobs/x/targets").await;
    assert_eq!(answer.status, 500);
    assert!(
        answer.message().contains("AWS_SESSION_TOKEN") && !answer.message().contains("canary"),
        "{}",
        answer.message()
    );
}
