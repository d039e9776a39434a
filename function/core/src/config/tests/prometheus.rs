//! The keys of `prometheus_cr` that are fields of a `Prometheus` object.

use super::super::*;
use super::parse;
use crate::monitors::prometheus::{Excluded, JobLimits, NamespaceLabel, PrometheusSettings};
use crate::objects::monitoring::service_monitor::ServiceDiscoveryRole;
use crate::size::Size;

fn with_keys(keys: &str) -> Result<Config, ConfigError> {
    parse(&format!("prometheus_cr: {{enabled: true, {keys}}}"))
}

fn settings(keys: &str) -> PrometheusSettings {
    with_keys(keys).unwrap().monitors.unwrap().prometheus
}

#[test]
fn each_key_is_read() {
    let read = settings(
        "scrape_timeout: 5s, override_honor_labels: true, override_honor_timestamps: true, \
         ignore_namespace_selectors: true, pod_target_labels: [team, app.kubernetes.io/name], \
         service_discovery_role: Endpoints, enforced_namespace_label: tenant, \
         excluded_from_enforcement: [{resource: probes, namespace: shop}, \
         {group: monitoring.coreos.com, resource: podmonitors, namespace: web, name: a}], \
         sample_limit: 1, target_limit: 2, label_limit: 3, label_name_length_limit: 4, label_value_length_limit: 5, \
         keep_dropped_targets: 6, body_size_limit: 7KB, enforced_sample_limit: 11, enforced_target_limit: 12, \
         enforced_label_limit: 13, enforced_label_name_length_limit: 14, enforced_label_value_length_limit: 15, \
         enforced_keep_dropped_targets: 16, enforced_body_size_limit: 0",
    );
    let excluded =
        |kind, namespace: &str, name: &str| Excluded { kind, namespace: namespace.to_owned(), name: name.to_owned() };
    let expected = PrometheusSettings {
        scrape_timeout: Some(Duration::from_secs(5)),
        override_honor_labels: true,
        override_honor_timestamps: true,
        ignore_namespace_selectors: true,
        pod_target_labels: vec!["team".to_owned(), "app.kubernetes.io/name".to_owned()],
        service_discovery_role: ServiceDiscoveryRole::Endpoints,
        namespace_label: NamespaceLabel {
            name: "tenant".to_owned(),
            excluded: [excluded("Probe", "shop", ""), excluded("PodMonitor", "web", "a")].into_iter().collect(),
        },
        default_limits: JobLimits {
            samples: 1,
            targets: 2,
            labels: 3,
            label_name_length: 4,
            label_value_length: 5,
            keep_dropped_targets: 6,
            body_size: Some(Size::from_bytes(7 << 10)),
        },
        enforced_limits: JobLimits {
            samples: 11,
            targets: 12,
            labels: 13,
            label_name_length: 14,
            label_value_length: 15,
            keep_dropped_targets: 16,
            body_size: Some(Size::from_bytes(0)),
        },
    };
    assert_eq!(read, expected);
}

#[test]
fn absent_null_and_empty_keys_set_nothing() {
    let keys = [
        "",
        "scrape_timeout: null, sample_limit: null, enforced_body_size_limit: null, pod_target_labels: null",
        "enforced_namespace_label: '', enforced_body_size_limit: '', excluded_from_enforcement: [], sample_limit: 0",
        "override_honor_labels: false, service_discovery_role: EndpointSlice, pod_target_labels: []",
    ];
    for keys in keys {
        assert_eq!(settings(keys), PrometheusSettings::default(), "{keys}");
    }
}

#[test]
fn a_wrong_value_is_an_error_that_names_the_key() {
    let cases = [
        ("scrape_timeout: 31s", "scrape_timeout", "is greater than scrape_interval"),
        ("scrape_timeout: 11s, scrape_interval: 10s", "scrape_timeout", "11s > 10s"),
        ("scrape_timeout: soon", "scrape_timeout", "duration"),
        ("override_honor_labels: sometimes", "override_honor_labels", "invalid type"),
        ("override_honor_timestamps: 1", "override_honor_timestamps", "invalid type"),
        ("ignore_namespace_selectors: [a]", "ignore_namespace_selectors", "invalid type"),
        ("pod_target_labels: team", "pod_target_labels", "invalid type"),
        ("pod_target_labels: [team, '']", "pod_target_labels[1]", "is not the name of a pod label"),
        ("service_discovery_role: endpoints", "service_discovery_role", "expected `Endpoints` or `EndpointSlice`"),
        ("enforced_namespace_label: __tenant", "enforced_namespace_label", "without $ and without __"),
        ("enforced_namespace_label: $tenant", "enforced_namespace_label", "without $ and without __"),
        ("enforced_namespace_label: [a]", "enforced_namespace_label", "invalid type"),
        ("sample_limit: -1", "sample_limit", "a whole number, 0 means no limit: -1"),
        ("target_limit: 1.5", "target_limit", "a whole number"),
        ("label_limit: '10'", "label_limit", "a whole number"),
        ("label_name_length_limit: 9223372036854775808", "label_name_length_limit", "a whole number"),
        ("enforced_sample_limit: many", "enforced_sample_limit", "a whole number"),
        ("enforced_keep_dropped_targets: true", "enforced_keep_dropped_targets", "a whole number"),
        ("body_size_limit: 10", "body_size_limit", "a size such as 10MB: 10"),
        ("enforced_body_size_limit: 10 MB", "enforced_body_size_limit", "a size such as 10MB"),
        ("enforced_body_size_limit: -1MB", "enforced_body_size_limit", "a size such as 10MB"),
        ("enforced_body_size_limit: [a]", "enforced_body_size_limit", "a size such as 10MB"),
        ("excluded_from_enforcement: {}", "excluded_from_enforcement", "invalid type"),
        ("excluded_from_enforcement: [{namespace: a}]", "excluded_from_enforcement[0].resource", "must be set"),
        (
            "excluded_from_enforcement: [{resource: Probe, namespace: a}]",
            "excluded_from_enforcement[0].resource",
            "use one of servicemonitors, podmonitors, probes, scrapeconfigs",
        ),
        ("excluded_from_enforcement: [{resource: probes}]", "excluded_from_enforcement[0].namespace", "must be set"),
        (
            "excluded_from_enforcement: [{resource: probes, namespace: a}, {resource: probes, namespace: '*'}]",
            "excluded_from_enforcement[1].namespace",
            "the name of a namespace",
        ),
        (
            "excluded_from_enforcement: [{group: apps, resource: probes, namespace: a}]",
            "excluded_from_enforcement[0].group",
            "monitoring.coreos.com",
        ),
        // Without the name, the entry would exclude the whole namespace.
        (
            "excluded_from_enforcement: [{resource: probes, namespace: a, names: [b]}]",
            "excluded_from_enforcement[0].names",
            "unknown field",
        ),
    ];
    for (keys, key, reason) in cases {
        let error = with_keys(keys).expect_err(keys).to_string();
        assert!(error.starts_with(&format!("prometheus_cr.{key}: ")), "{keys}: {error}");
        assert!(error.contains(reason), "{keys}: {error}");
    }
}

#[test]
fn keys_that_another_key_makes_useless_are_noted() {
    let noted =
        |keys: &str| -> Vec<String> { with_keys(keys).unwrap().notes.into_iter().map(|note| note.key).collect() };
    let exclusion = "excluded_from_enforcement: [{resource: probes, namespace: a}]";
    let cases = [
        (exclusion.to_owned(), "prometheus_cr.excluded_from_enforcement"),
        (format!("enforced_namespace_label: a, {exclusion}"), ""),
        ("sample_limit: 10, enforced_sample_limit: 9".to_owned(), "prometheus_cr.sample_limit"),
        ("sample_limit: 9, enforced_sample_limit: 9".to_owned(), ""),
        ("keep_dropped_targets: 10, enforced_keep_dropped_targets: 0".to_owned(), ""),
        ("body_size_limit: 1KB, enforced_body_size_limit: 1MB".to_owned(), "prometheus_cr.body_size_limit"),
    ];
    for (keys, expected) in cases {
        assert_eq!(noted(&keys).join(" "), expected, "{keys}");
    }
}
