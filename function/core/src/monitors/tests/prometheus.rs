//! What the settings of a `Prometheus` object change in jobs. The golden `enforced` has the jobs of the real generator.

use super::super::prometheus::{Excluded, JobLimits, NamespaceLabel, PrometheusSettings};
use super::*;
use crate::labels::LabelSet;
use crate::objects::monitoring::service_monitor::ServiceDiscoveryRole;
use crate::relabel::Rules;
use crate::scrape_config::NameValidation;
use crate::size::Size;

fn job_with(prometheus: PrometheusSettings, kind: &str, spec: &str) -> ScrapeConfig {
    let (mut jobs, report) = outcome(&Settings { prometheus, ..settings() }, kind, spec);
    assert_eq!(report, [] as [&str; 0], "{spec}");
    assert_eq!(jobs.len(), 1, "{spec}");
    jobs.remove(0).scrape_config
}

/// A monitor of each kind with `fields` in its endpoint, and `shared` beside its endpoints.
fn monitors(fields: &str, shared: &str) -> [(&'static str, String); 4] {
    [
        ("ServiceMonitor", format!("{{selector: {{}}, endpoints: [{{{fields}}}], {shared}}}")),
        ("PodMonitor", format!("{{selector: {{}}, podMetricsEndpoints: [{{{fields}}}], {shared}}}")),
        ("Probe", format!("{{prober: {{url: prober}}, targets: {{staticConfig: {{static: [a]}}}}, {shared}}}")),
        ("ScrapeConfig", format!("{{staticConfigs: [{{targets: [a]}}], {fields}{}{shared}}}", comma(fields))),
    ]
}

fn comma(fields: &str) -> &str {
    if fields.is_empty() { "" } else { ", " }
}

fn enforcing(label: &str) -> PrometheusSettings {
    PrometheusSettings {
        namespace_label: NamespaceLabel { name: label.to_owned(), ..NamespaceLabel::default() },
        ..PrometheusSettings::default()
    }
}

#[test]
fn no_rule_of_a_monitor_changes_the_enforced_label() {
    let rules = "[{targetLabel: tenant, replacement: other}, {targetLabel: __tmp_tenant, replacement: other}]";
    let metric_rules = "[{action: labelmap, regex: __name__, replacement: tenant}]";
    let specs = [
        (
            "ServiceMonitor",
            format!("{{selector: {{}}, endpoints: [{{relabelings: {rules}, metricRelabelings: {metric_rules}}}]}}"),
        ),
        (
            "PodMonitor",
            format!(
                "{{selector: {{}}, podMetricsEndpoints: [{{relabelings: {rules}, metricRelabelings: {metric_rules}}}]}}"
            ),
        ),
        (
            "Probe",
            format!(
                "{{prober: {{url: prober}}, targets: {{staticConfig: {{static: [a], labels: {{tenant: other}}, \
                 relabelingConfigs: {rules}}}}}, metricRelabelings: {metric_rules}}}"
            ),
        ),
        (
            "ScrapeConfig",
            format!(
                "{{staticConfigs: [{{targets: [a], labels: {{tenant: other}}}}], relabelings: {rules}, \
                 metricRelabelings: {metric_rules}}}"
            ),
        ),
    ];
    for (kind, spec) in specs {
        let job = job_with(enforcing("tenant"), kind, &spec);
        for (rules, field) in [(&job.relabel_configs, "targets"), (&job.metric_relabel_configs, "metrics")] {
            // The allocator keeps targets of any shard. A collector puts its number in place of the expression.
            let rules: Vec<_> =
                rules.iter().filter(|rule| !rule.source_labels.iter().any(|l| l == "__tmp_hash")).collect();
            let rules: Vec<RelabelConfig> = rules.into_iter().cloned().collect();
            let compiled = Rules::compile(&rules, NameValidation::Utf8, &RegexCache::default()).unwrap();
            let mut labels = LabelSet::new();
            for (name, value) in [("__address__", "a:80"), ("__name__", "requests"), ("tenant", "other")] {
                labels.set(name, value);
            }
            assert!(compiled.apply(&mut labels), "{kind} {field}");
            assert_eq!(labels.get("tenant"), "shop", "{kind} {field}");
        }
    }
}

#[test]
fn a_scrape_config_without_relabelings_gets_the_label_in_its_metrics_only() {
    let job = job_with(enforcing("tenant"), "ScrapeConfig", "{staticConfigs: [{targets: [a]}]}");
    assert_eq!(rules(&job.relabel_configs), "replace [job] -> __tmp_prometheus_job_name\n");
    assert_eq!(rules(&job.metric_relabel_configs), "replace [] -> tenant = shop\n");
}

#[test]
fn excluded_monitors_do_not_get_the_label() {
    let excluded =
        |kind, namespace: &str, name: &str| Excluded { kind, namespace: namespace.to_owned(), name: name.to_owned() };
    let cases = [
        (excluded("ServiceMonitor", "shop", "web"), true),
        (excluded("ServiceMonitor", "shop", ""), true),
        (excluded("ServiceMonitor", "shop", "web-2"), false),
        (excluded("ServiceMonitor", "other", "web"), false),
        (excluded("PodMonitor", "shop", "web"), false),
    ];
    for (entry, expected) in cases {
        let mut prometheus = enforcing("tenant");
        prometheus.namespace_label.excluded.insert(entry.clone());
        let job = job_with(prometheus, "ServiceMonitor", "{selector: {}, endpoints: [{}]}");
        assert_eq!(job.metric_relabel_configs.is_empty(), expected, "{entry:?}");
        let sets_label = job.relabel_configs.iter().any(|rule| rule.target_label == "tenant");
        assert_eq!(!sets_label, expected, "{entry:?}");
    }
}

#[test]
fn limits_are_capped_and_filled_in_for_every_kind() {
    // The limit of a monitor, the default, the enforced limit, and the limit of the job.
    let cases =
        [("", 0, 0, 0), ("5", 0, 7, 5), ("9", 0, 7, 7), ("", 5, 7, 5), ("", 9, 7, 7), ("9", 5, 0, 9), ("0", 5, 0, 5)];
    for (own, default, enforced, expected) in cases {
        let limits = |limit| JobLimits {
            samples: limit,
            targets: limit,
            labels: limit,
            label_name_length: limit,
            label_value_length: limit,
            keep_dropped_targets: limit,
            body_size: None,
        };
        let prometheus = PrometheusSettings {
            default_limits: limits(default),
            enforced_limits: limits(enforced),
            ..PrometheusSettings::default()
        };
        let names = [
            "sampleLimit",
            "targetLimit",
            "labelLimit",
            "labelNameLengthLimit",
            "labelValueLengthLimit",
            "keepDroppedTargets",
        ];
        let shared = if own.is_empty() { String::new() } else { names.map(|name| format!("{name}: {own}")).join(", ") };
        for (kind, spec) in monitors("", &shared) {
            let job = job_with(prometheus.clone(), kind, &spec);
            let got = [
                job.sample_limit,
                job.target_limit,
                job.label_limit,
                job.label_name_length_limit,
                job.label_value_length_limit,
                job.keep_dropped_targets,
            ];
            assert_eq!(got, [expected; 6], "{kind} {own:?} {default} {enforced}");
        }
    }
}

#[test]
fn sizes_of_responses_are_capped_as_in_the_operator() {
    let size = |bytes| Some(Size::from_bytes(bytes));
    // The limit of a monitor, the default, the enforced limit, and the limit of the job.
    let cases = [
        ("", None, size(7), 7),
        ("5B", None, size(7), 5),
        ("9B", None, size(7), 7),
        ("9B", size(3), None, 9),
        ("", size(3), None, 3),
        // The enforced limit wins over the default, and a zero falls back to the default.
        ("", size(3), size(7), 7),
        ("0", size(9), size(7), 9),
        ("9B", None, size(0), 0),
    ];
    for (own, default, enforced, expected) in cases {
        let prometheus = PrometheusSettings {
            default_limits: JobLimits { body_size: default, ..JobLimits::default() },
            enforced_limits: JobLimits { body_size: enforced, ..JobLimits::default() },
            ..PrometheusSettings::default()
        };
        let shared = if own.is_empty() { String::new() } else { format!("bodySizeLimit: '{own}'") };
        for (kind, spec) in monitors("", &shared) {
            // A Probe has no limit of its own.
            if kind != "Probe" {
                let job = job_with(prometheus.clone(), kind, &spec);
                assert_eq!(job.body_size_limit.as_bytes(), expected, "{kind} {own:?} {default:?} {enforced:?}");
            }
        }
    }
    let enforced_limits = JobLimits { body_size: size(7), ..JobLimits::default() };
    let (kind, spec) = &monitors("", "")[2];
    let job = job_with(PrometheusSettings { enforced_limits, ..PrometheusSettings::default() }, kind, spec);
    assert_eq!(job.body_size_limit.as_bytes(), 7);
}

#[test]
fn overrides_win_over_monitors() {
    let overrides = PrometheusSettings {
        override_honor_labels: true,
        override_honor_timestamps: true,
        ..PrometheusSettings::default()
    };
    let fields = "honorLabels: true, honorTimestamps: true";
    for (kind, spec) in monitors(fields, "") {
        let (with, without) = (job_with(overrides.clone(), kind, &spec), job(kind, &spec));
        assert!(!with.honor_labels && !with.honor_timestamps, "{kind}");
        assert!(without.honor_timestamps && without.honor_labels == (kind != "Probe"), "{kind}");
    }
    for (kind, spec) in monitors("", "") {
        let job = job_with(overrides.clone(), kind, &spec);
        // The override reaches only a ScrapeConfig that sets the field.
        assert_eq!(job.honor_timestamps, kind == "ScrapeConfig", "{kind}");
    }
}

#[test]
fn namespaces_roles_and_pod_labels_come_from_the_settings() {
    let prometheus = PrometheusSettings {
        ignore_namespace_selectors: true,
        service_discovery_role: ServiceDiscoveryRole::Endpoints,
        pod_target_labels: vec!["app/team".to_owned()],
        ..PrometheusSettings::default()
    };
    let ingress = "{prober: {url: prober}, targets: {ingress: {selector: {}, namespaceSelector: {matchNames: [a]}}}}";
    let mut specs: Vec<_> =
        monitors("", "namespaceSelector: {any: true}, podTargetLabels: [own]").into_iter().take(2).collect();
    specs.push(("Probe", ingress.to_owned()));
    for (kind, spec) in specs {
        let job = job_with(prometheus.clone(), kind, &spec);
        let discovery = &job.service_discovery.kubernetes[0];
        assert_eq!(discovery.namespaces.names, ["shop"], "{kind}");
        let copied = rules(&job.relabel_configs);
        let labels =
            "replace […pod_label_own] ~ (.+) -> own = ${1}\nreplace […pod_label_app_team] ~ (.+) -> app_team = ${1}\n";
        assert_eq!(copied.contains(labels), kind != "Probe", "{copied}");
        assert_eq!(copied.contains("…endpoint_address_target_kind"), kind == "ServiceMonitor", "{copied}");
    }
}

#[test]
fn the_scrape_timeout_is_at_most_the_interval_of_the_job() {
    let prometheus =
        PrometheusSettings { scrape_timeout: Some(Duration::from_secs(20)), ..PrometheusSettings::default() };
    for (fields, expected) in [("", "20s"), ("interval: 15s", "15s"), ("interval: 1m, scrapeTimeout: 40s", "40s")] {
        let spec = format!("{{selector: {{}}, endpoints: [{{{fields}}}]}}");
        assert_eq!(job_with(prometheus.clone(), "ServiceMonitor", &spec).scrape_timeout.to_string(), expected);
    }
}
