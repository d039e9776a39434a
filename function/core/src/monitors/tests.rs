//! Manifests of monitors, and the jobs or findings that they produce.

mod findings;
mod prometheus;
mod rules;
mod scrape_classes;

use std::fmt::Write as _;

use serde::Deserialize as _;

use super::*;
use crate::objects::monitoring::{self, PodMonitor, Probe, ServiceMonitor};
use crate::regex::RegexCache;
use crate::relabel::RelabelConfig;
use crate::scrape_config::secret::WithSecrets;

/// The secrets and config maps that the monitors below refer to.
const ASSETS: &str = "
kind: Secret
metadata: {namespace: shop, name: auth}
stringData: {user: ann, password: p&w, token: t0ken, empty: ''}
---
kind: ConfigMap
metadata: {namespace: shop, name: settings}
data: {client: id}
";

fn cluster(manifests: &str) -> Cluster {
    let mut cluster = Cluster::default();
    for document in serde_norway::Deserializer::from_str(manifests) {
        let value = serde_json::Value::deserialize(document).unwrap();
        match value["kind"].as_str().unwrap() {
            "Secret" => cluster.secrets.insert(serde_json::from_value::<crate::objects::Secret>(value).unwrap()),
            "ConfigMap" => {
                cluster.config_maps.insert(serde_json::from_value::<crate::objects::ConfigMap>(value).unwrap());
            }
            "ServiceMonitor" => {
                cluster.service_monitors.insert(serde_json::from_value::<ServiceMonitor>(value).unwrap());
            }
            "PodMonitor" => cluster.pod_monitors.insert(serde_json::from_value::<PodMonitor>(value).unwrap()),
            "Probe" => cluster.probes.insert(serde_json::from_value::<Probe>(value).unwrap()),
            "ScrapeConfig" => {
                cluster.scrape_configs.insert(serde_json::from_value::<monitoring::ScrapeConfig>(value).unwrap());
            }
            kind => panic!("{kind}"),
        }
    }
    cluster
}

fn settings() -> Settings {
    Settings {
        service_monitors: KindSelection::all(),
        pod_monitors: KindSelection::all(),
        probes: KindSelection::all(),
        scrape_configs: KindSelection::all(),
        scrape_interval: Duration::from_secs(30),
        ..Settings::default()
    }
}

/// The jobs and the report of one monitor.
fn outcome(settings: &Settings, kind: &str, spec: &str) -> (Vec<ScrapeJob>, Vec<String>) {
    let cluster =
        cluster(&format!("{ASSETS}\n---\nkind: {kind}\nmetadata: {{namespace: shop, name: web}}\nspec: {spec}\n"));
    let Generated { jobs, report, used: _ } = scrape_jobs(settings, &cluster, &RegexCache::default());
    let entry = |entry: &crate::report::Entry| {
        assert_eq!(entry.object, ObjectRef::new(kind, "shop", "web"));
        let outcome = serde_json::to_value(entry.outcome).unwrap();
        format!("{} {}: {}", outcome.as_str().unwrap(), entry.field, entry.reason)
    };
    (jobs, report.entries().iter().map(entry).collect())
}

fn job(kind: &str, spec: &str) -> ScrapeConfig {
    let (mut jobs, report) = outcome(&settings(), kind, spec);
    assert_eq!(report, [] as [&str; 0], "{spec}");
    assert_eq!(jobs.len(), 1, "{spec}");
    jobs.remove(0).scrape_config
}

/// Rules in a short notation: `action [sources] regex target = replacement`. Default values are omitted.
fn rules(rules: &[RelabelConfig]) -> String {
    let mut text = String::new();
    for RelabelConfig { source_labels, separator, regex, modulus, target_label, replacement, action } in rules {
        write!(text, "{action} {source_labels:?}").unwrap();
        if separator != ";" {
            write!(text, " by {separator:?}").unwrap();
        }
        if let Some(regex) = regex {
            write!(text, " ~ {regex}").unwrap();
        }
        if *modulus > 0 {
            write!(text, " % {modulus}").unwrap();
        }
        if !target_label.is_empty() {
            write!(text, " -> {target_label}").unwrap();
        }
        if replacement != "$1" {
            write!(text, " = {replacement}").unwrap();
        }
        text.push('\n');
    }
    text.replace("__meta_kubernetes_", "…").replace('"', "")
}

#[test]
fn settings_of_an_endpoint_reach_the_job() {
    let spec = "{sampleLimit: 5, bodySizeLimit: 10MB, nativeHistogramMinBucketFactor: '1.1', \
                scrapeProtocols: [PrometheusText0.0.4], attachMetadata: {node: true}, \
                namespaceSelector: {matchNames: [a, b]}, selector: {matchLabels: {app: web}}, \
                selectorMechanism: RoleSelector, serviceDiscoveryRole: Endpoints, endpoints: [{\
                interval: 1m, scrapeTimeout: 20s, path: /m, scheme: HTTPS, params: {a: [b]}, honorLabels: true, \
                honorTimestamps: false, trackTimestampsStaleness: true, followRedirects: false, enableHttp2: false, \
                filterRunning: false, proxyUrl: 'http://proxy', noProxy: a, \
                proxyConnectHeader: {X: [{name: auth, key: token}]}, \
                oauth2: {clientId: {configMap: {name: settings, key: client}}, \
                clientSecret: {name: auth, key: password}, tokenUrl: 'http://token', scopes: [s]}}]}";
    let mut served = serde_json::to_value(WithSecrets(&job("ServiceMonitor", spec))).unwrap();
    let rules = served.as_object_mut().unwrap().remove("relabel_configs").unwrap();
    assert!(!rules.to_string().contains("pod_phase") && !rules.to_string().contains("service_label"));
    let expected = serde_json::json!({
        "job_name": "serviceMonitor/shop/web/0",
        "honor_labels": true,
        "honor_timestamps": false,
        "track_timestamps_staleness": true,
        "params": {"a": ["b"]},
        "scrape_interval": "1m",
        "scrape_timeout": "20s",
        "scrape_protocols": ["PrometheusText0.0.4"],
        "scrape_native_histograms": false,
        "always_scrape_classic_histograms": false,
        "convert_classic_histograms_to_nhcb": false,
        "metrics_path": "/m",
        "scheme": "https",
        "enable_compression": true,
        "body_size_limit": "10MiB",
        "sample_limit": 5,
        "native_histogram_min_bucket_factor": 1.1,
        "metric_name_validation_scheme": "utf8",
        "metric_name_escaping_scheme": "allow-utf-8",
        "extra_scrape_metrics": false,
        "kubernetes_sd_configs": [{
            "kubeconfig_file": "",
            "role": "endpoints",
            "follow_redirects": true,
            "enable_http2": true,
            "namespaces": {"own_namespace": false, "names": ["a", "b"]},
            "selectors": [{"role": "endpoints", "label": "app=web"}, {"role": "service", "label": "app=web"}],
            "attach_metadata": {"node": true, "namespace": false, "deployment": false, "job": false, "cronjob": false},
        }],
        "follow_redirects": false,
        "enable_http2": false,
        "proxy_url": "http://proxy",
        "no_proxy": "a",
        "proxy_connect_header": {"X": ["t0ken"]},
        "oauth2": {
            "client_id": "id",
            "client_secret": "p&w",
            "token_url": "http://token",
            "scopes": ["s"],
        },
    });
    let oauth2 = served["oauth2"].as_object_mut().unwrap();
    oauth2.retain(|name, _| expected["oauth2"].get(name).is_some());
    oauth2.remove("proxy_from_environment");
    served.as_object_mut().unwrap().remove("proxy_from_environment");
    assert_eq!(served, expected);
}

fn with_classes(classes: &str) -> Settings {
    let classes = serde_norway::from_str(classes).unwrap();
    Settings { scrape_classes: ScrapeClasses::new(classes).unwrap(), ..settings() }
}

#[test]
fn only_objects_that_selected_monitors_refer_to_are_read() {
    let manifests = "
kind: ServiceMonitor
metadata: {namespace: shop, name: a, labels: {team: x}}
spec:
  endpoints:
  - basicAuth: {username: {name: s1, key: a}, password: {name: s2, key: a}}
    tlsConfig: {ca: {configMap: {name: c1, key: a}}, cert: {secret: {name: s3, key: a}}, keySecret: {name: s4, key: a}}
  - oauth2:
      clientId: {configMap: {name: c2, key: a}}
      clientSecret: {name: s5, key: a}
      tokenUrl: a
      tlsConfig: {ca: {secret: {name: s6, key: a}}}
      proxyConnectHeader: {X: [{name: s7, key: a}]}
    proxyConnectHeader: {X: [{name: s8, key: a}, {key: a}]}
---
kind: PodMonitor
metadata: {namespace: pods, name: a, labels: {team: x}}
spec: {podMetricsEndpoints: [{authorization: {credentials: {name: s9, key: a}}}]}
---
kind: Probe
metadata: {namespace: web, name: a, labels: {team: x}}
spec: {scrapeClass: b, prober: {url: a, proxyConnectHeader: {X: [{name: s10, key: a}]}}, bearerTokenSecret: {name: s11, key: a}}
---
kind: Probe
metadata: {namespace: web, name: b}
spec: {bearerTokenSecret: {name: unselected, key: a}}
";
    let selector = serde_norway::from_str("{matchLabels: {team: x}}").unwrap();
    let selection = KindSelection::new(Some(&selector), Some(&crate::selector::LabelSelector::default())).unwrap();
    let settings = Settings {
        service_monitors: selection.clone(),
        pod_monitors: selection.clone(),
        probes: selection,
        ..with_classes(
            "[{name: b, authorization: {credentials: {name: of-class, key: a}}}, {name: other, tlsConfig: {ca: {secret: {name: unused, key: a}}}}]",
        )
    };
    let found: Vec<String> = references(&settings, &cluster(manifests))
        .into_iter()
        .map(|found| match found {
            ReferencedObject::Secret { namespace, name } => format!("{namespace}/{name}"),
            ReferencedObject::ConfigMap { namespace, name } => format!("cm {namespace}/{name}"),
        })
        .collect();
    let expected = [
        "pods/s9",
        "shop/s1",
        "shop/s2",
        "shop/s3",
        "shop/s4",
        "shop/s5",
        "shop/s6",
        "shop/s7",
        "shop/s8",
        "web/of-class",
        "web/s10",
        "web/s11",
        "cm shop/c1",
        "cm shop/c2",
    ];
    assert_eq!(found, expected);
}
