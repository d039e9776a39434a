//! The meaning of each key of `targetallocator.yaml`.

mod pipelines;
mod prometheus;
mod variables;

use super::*;
use crate::shard::rendezvous::Rendezvous;
use crate::shard::{Collector, Fallback};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, None)
}

/// The shortest valid config with monitors.
const ENABLED: &str = "prometheus_cr: {enabled: true}\n";

#[test]
fn strategies_are_read_by_name() {
    let spread = |strategy, replicas| Strategy::Spread { strategy, replicas };
    let hashing = Spread::ConsistentHashing(Version::V1_0);
    let rendezvous =
        |bound, same_zone_first| Spread::Rendezvous(Rendezvous { bound, same_zone_first, by_scrape_rate: false });
    let per_node = |fallback| Strategy::PerNode { fallback };
    let cases = [
        ("", spread(hashing, 1)),
        ("allocation_strategy: ''", spread(hashing, 1)),
        ("allocation_strategy: consistent-hashing", spread(hashing, 1)),
        ("allocation_strategy: consistent-hashing-v0.10", spread(Spread::ConsistentHashing(Version::V0_10), 1)),
        ("{allocation_strategy: least-weighted, allocation_replicas: 2}", spread(Spread::LeastWeighted, 2)),
        ("allocation_strategy: rendezvous-hashing", spread(rendezvous(1030, false), 1)),
        (
            "allocation_strategy: rendezvous-hashing\nrendezvous_hashing:\n  bound: 1.2\n  same_zone_first: true",
            spread(rendezvous(1200, true), 1),
        ),
        (
            "{allocation_strategy: least-weighted, allocation_fallback_strategy: consistent-hashing}",
            spread(Spread::LeastWeighted, 1),
        ),
        ("allocation_strategy: per-node", per_node(None)),
        (
            "{allocation_strategy: per-node, allocation_fallback_strategy: consistent-hashing}",
            per_node(Some(Fallback { strategy: hashing, also_without_collector: false })),
        ),
        ("{allocation_strategy: per-node, allocation_fallback_strategy: per-node}", per_node(None)),
        (
            "{allocation_strategy: least-weighted, allocation_fallback_strategy: per-node}",
            spread(Spread::LeastWeighted, 1),
        ),
        (
            "{allocation_strategy: per-node, allocation_strategy_config: {per_node: {fallback_strategy: {name: consistent-hashing}}}}",
            per_node(Some(Fallback { strategy: hashing, also_without_collector: false })),
        ),
        (
            "{allocation_strategy: per-node, allocation_strategy_config: {consistent_hashing: {}, per_node: null}}",
            per_node(None),
        ),
        (
            "{allocation_strategy: per-node, allocation_fallback_strategy: least-weighted, allocation_strategy_config: {per_node: {fallback_strategy: {name: least-weighted}}}}",
            per_node(Some(Fallback { strategy: Spread::LeastWeighted, also_without_collector: false })),
        ),
        (
            "{allocation_strategy: per-node, allocation_fallback_strategy: least-weighted, allocation_fallback_without_collector: true}",
            per_node(Some(Fallback { strategy: Spread::LeastWeighted, also_without_collector: true })),
        ),
    ];
    for (keys, expected) in cases {
        let keys = keys.strip_prefix('{').and_then(|keys| keys.strip_suffix('}')).unwrap_or(keys);
        let text = format!("{ENABLED}{}", keys.replace(", allocation", "\nallocation"));
        assert_eq!(parse(&text).unwrap().strategy, expected, "{keys}");
    }
}

#[test]
fn a_strategy_has_the_name_that_selects_it() {
    for name in ["consistent-hashing", "consistent-hashing-v0.10", "least-weighted", "rendezvous-hashing", "per-node"] {
        let config = parse(&format!("{ENABLED}allocation_strategy: {name}")).unwrap();
        assert_eq!(config.strategy.name(), name);
    }
    assert_eq!(parse(ENABLED).unwrap().strategy.name(), "consistent-hashing", "the default");
}

#[test]
fn collectors_are_pods_or_names_in_the_config() {
    let names = |text: &str| match parse(&format!("{ENABLED}{text}")).unwrap().collectors {
        Some(Collectors::Named(collectors)) => {
            collectors.into_iter().map(|Collector { name, .. }| name).collect::<Vec<_>>().join(" ")
        }
        Some(Collectors::Pods(pods)) => format!("pods of {} for {}", pods.namespace, pods.not_ready_grace_period),
        None => String::new(),
    };
    let cases = [
        ("", ""),
        ("collectors: {names: [b, a]}", "b a"),
        ("collectors: {count: 3, name: 'gw-{ordinal}.eu'}", "gw-0.eu gw-1.eu gw-2.eu"),
        ("{collector_selector: {matchlabels: {a: b}}, collector_namespace: m}", "pods of m for 30s"),
        (
            "{collector_selector: {matchLabels: {a: b}}, collector_namespace: m, collector_not_ready_grace_period: 1m30s}",
            "pods of m for 1m30s",
        ),
        (
            "{collector_selector: {}, collector_namespace: m, collector_not_ready_grace_period: 5000000000}",
            "pods of m for 5s",
        ),
    ];
    for (text, expected) in cases {
        let text = if let Some(inner) = text.strip_prefix("{collector_selector") {
            format!("collector_selector{}", inner.strip_suffix('}').unwrap().replace(", collector_", "\ncollector_"))
        } else {
            text.to_owned()
        };
        assert_eq!(names(&text), expected, "{text}");
    }
}

#[test]
fn keys_of_the_operator_without_effect_are_noted() {
    let text = "listen_addr: :8080\nkube_config_file_path: /k\nhttps: {enabled: true}\ntelemetry: {}\n\
                allow_insecure_auth_secrets: true\n\
                prometheus_cr: {enabled: true, secret_namespaces: [a], evaluation_interval: 30s}\n";
    let keys: Vec<_> = parse(text).unwrap().notes.into_iter().map(|note| note.key).collect();
    assert_eq!(
        keys,
        [
            "listen_addr",
            "kube_config_file_path",
            "https",
            "telemetry",
            "allow_insecure_auth_secrets",
            "prometheus_cr.secret_namespaces",
            "prometheus_cr.evaluation_interval"
        ]
    );
}

#[test]
fn absent_selectors_select_as_in_the_operator() {
    let with_config = parse(ENABLED).unwrap().monitors.unwrap();
    assert!(!with_config.service_monitors.selects_any(), "an absent selector selects nothing");
    let without = Config::default().monitors.unwrap();
    assert!(without.service_monitors.selects_any(), "without a config everything is selected");
    let all = parse("prometheus_cr: {enabled: true, allow_namespaces: [a, '']}").unwrap().monitors.unwrap();
    assert!(all.namespaces.allowed.is_empty(), "an empty name stands for all namespaces");
    let namespaced = Config::parse(ENABLED, Some("monitoring")).unwrap().monitors.unwrap();
    assert_eq!(namespaced.namespaces.own, "monitoring");
}

#[test]
fn a_wrong_key_is_an_error_that_names_it() {
    let cases = [
        ("[]", ".", "is not a map"),
        ("prometheus_cr: []", "prometheus_cr", "is not a map"),
        ("prometheus_cr: {enable: true}", "prometheus_cr.enabled", "there is nothing to scrape"),
        (
            "collector_namespace: m\ncollector_selector: {matchlabel: {app: otel-collector}}\nprometheus_cr: {enabled: true}",
            "collector_selector",
            "unknown field matchlabel, did you mean matchlabels or matchLabels",
        ),
        (
            "prometheus_cr: {enabled: true, service_monitor_selector: []}",
            "prometheus_cr.service_monitor_selector",
            "a selector is a map",
        ),
        (
            "prometheus_cr: {enabled: true, probe_namespace_selector: {matchExpressions: [{key: a, value: [b]}]}}",
            "prometheus_cr.probe_namespace_selector",
            "matchexpressions[0]: unknown field value, did you mean values",
        ),
        ("prometheus_cr: {enabled: true}\ncollectors: {nmes: [a]}", "collectors.nmes", "unknown field"),
        (
            "config: {scrape_configs: [{job_name: a, scrape_interval: x}, null]}",
            "none of the jobs of config.scrape_configs can be served",
            "",
        ),
        (
            "prometheus_cr: {enabled: true}\nallocation_strategy: per-node\nallocation_fallback_strategy: least-weighted\nallocation_strategy_config: {per_node: {fallback_strategy: {name: consistent-hashing}}}",
            "allocation_strategy_config.per_node.fallback_strategy.name",
            "contradicts",
        ),
        (
            "prometheus_cr: {enabled: true}\nallocation_strategy_config: {per_node: {fallback_strategy: {}}}",
            "allocation_strategy_config.per_node.fallback_strategy.name",
            "must be one of",
        ),
        ("prometheus_cr: {enabled: maybe}", "prometheus_cr.enabled", "invalid type"),
        ("prometheus_cr: {scrape_interval: 1d}", "prometheus_cr.scrape_interval", "duration"),
        ("{", "not valid yaml, line 2", ""),
        ("a: 1\na: 2", "yaml has a key twice, line 2", ""),
        ("", "prometheus_cr.enabled", "there is nothing to scrape"),
        (
            "prometheus_cr: {enabled: true, allow_namespaces: [a], deny_namespaces: [b]}",
            "prometheus_cr.deny_namespaces",
            "only one",
        ),
        ("prometheus_cr: {enabled: true}\nallocation_strategy: random", "allocation_strategy", "must be one of"),
        (
            "prometheus_cr: {enabled: true}\nallocation_fallback_strategy: random",
            "allocation_fallback_strategy",
            "must be one of",
        ),
        (
            "prometheus_cr: {enabled: true}\nallocation_strategy: per-node\nallocation_replicas: 2",
            "allocation_replicas",
            "the one collector",
        ),
        ("prometheus_cr: {enabled: true}\nallocation_replicas: 0", "allocation_replicas", "at least 1"),
        (
            "prometheus_cr: {enabled: true}\nrendezvous_hashing: {}",
            "rendezvous_hashing",
            "requires allocation_strategy",
        ),
        (
            "prometheus_cr: {enabled: true}\nallocation_strategy: rendezvous-hashing\nrendezvous_hashing: {bound: 0.9}",
            "rendezvous_hashing.bound",
            "from 1 to 100",
        ),
        (
            "prometheus_cr: {enabled: true}\nallocation_fallback_without_collector: true",
            "allocation_fallback_without_collector",
            "per-node",
        ),
        ("prometheus_cr: {enabled: true}\nfilter_strategy: labels", "filter_strategy", "must be relabel-config"),
        ("prometheus_cr: {enabled: true}\ncollector_selector: {}", "collector_namespace", "set it"),
        ("prometheus_cr: {enabled: true}\ncollectors: {count: 3}", "collectors", "give either"),
        (
            "prometheus_cr: {enabled: true}\ncollectors: {count: 0, name: 'a{ordinal}'}",
            "collectors.count",
            "1 to 10000",
        ),
        (
            "prometheus_cr: {enabled: true}\ncollectors: {count: 2, name: a}",
            "collectors.name",
            "must contain {ordinal}",
        ),
        ("prometheus_cr: {enabled: true}\ncollectors: {names: []}", "collectors.names", "at least one"),
        ("prometheus_cr: {enabled: true}\nallowed_subjects: []", "allowed_subjects", "the list is empty"),
        ("prometheus_cr: {enabled: true}\nallowed_subjects: [a, '']", "allowed_subjects", "a subject is empty"),
        ("prometheus_cr: {enabled: true}\nviewers: [a, '']", "viewers", "a subject is empty"),
        ("prometheus_cr: {enabled: true, probe_selector: []}", "prometheus_cr.probe_selector", "a selector is a map"),
        (
            "prometheus_cr: {enabled: true, scrape_protocols: [Text]}",
            "prometheus_cr.scrape_protocols",
            "names an unknown protocol",
        ),
        (
            "prometheus_cr: {enabled: true, scrape_protocols: [PrometheusProto, PrometheusProto]}",
            "prometheus_cr.scrape_protocols",
            "names a protocol twice",
        ),
        (
            "prometheus_cr: {enabled: true, scrape_classes: [{name: a, default: true, relabelings: [{action: nope}]}]}",
            "prometheus_cr.scrape_classes[0].relabelings[0].action",
            "is unknown",
        ),
        (
            "prometheus_cr: {enabled: true, pod_monitor_namespace_selector: all}",
            "prometheus_cr.pod_monitor_namespace_selector",
            "a selector is a map",
        ),
        ("prometheus_cr: {enabled: true}\ncollector_selector: [a]", "collector_selector", "a selector is a map"),
        ("prometheus_cr: {enabled: true}\ncollector_identity: podd", "collector_identity", "must be pod, any, or"),
        ("prometheus_cr: {enabled: true}\ncollector_identity: '{ip}'", "collector_identity", "must be pod, any, or"),
        ("prometheus_cr: {enabled: true}\ncollector_identity: '{pod'", "collector_identity", "must be pod, any, or"),
    ];
    for (text, key, reason) in cases {
        let error = parse(text).unwrap_err().to_string();
        let colon = if reason.is_empty() { "" } else { ": " };
        assert!(error.starts_with(&format!("{key}{colon}")) && error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn unknown_keys_are_ignored_and_reported() {
    let cases = [
        (
            "collectors: {names: [c]}\nprometheus_cr: {enabled: true, scrapeInterval: 30s, service_monitor_selector: {}}",
            vec!["prometheus_cr.scrapeInterval (did you mean scrape_interval?)"],
        ),
        ("prometheus_cr: {enabled: true}\nnonsense: {a: 1}", vec!["nonsense"]),
        (
            "prometheus_cr: {enabled: true}\nhttps: {enable: true}\ntelemetry: {metric: {}}",
            vec!["https.enable (did you mean enabled?)", "telemetry.metric (did you mean metrics?)"],
        ),
        (
            "prometheus_cr: {enabled: true}\nallocation_strategy_config: {pernode: {}, per_node: {fallback: {}}}",
            vec![
                "allocation_strategy_config.pernode (did you mean per_node?)",
                "allocation_strategy_config.per_node.fallback (did you mean fallback_strategy?)",
            ],
        ),
        (
            "config: {scrape_configs: [{job_name: node, scrape_classic_histograms: true, static_configs: [{targets: ['n:9100']}]}]}",
            vec!["config.scrape_configs[0].scrape_classic_histograms (did you mean always_scrape_classic_histograms?)"],
        ),
        // As in the operator, the case of a key does not matter.
        ("Prometheus_CR: {Enabled: true}", vec![]),
    ];
    for (text, expected) in cases {
        let config = parse(text).unwrap();
        assert_eq!(config.unknown.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{text}");
    }
}

/// Without these keys, more callers may ask for more. So a slip in their names is not only reported.
#[test]
fn a_slip_in_a_key_that_restricts_access_is_an_error() {
    let cases = [
        ("allowed_subject: [a]", "allowed_subject", "allowed_subjects"),
        ("allowedSubjects: [a]", "allowedSubjects", "allowed_subjects"),
        ("allow_subjects: [a]", "allow_subjects", "allowed_subjects"),
        ("subjects: [a]", "subjects", "allowed_subjects"),
        ("allowed_subjects: [a]\nAllowed_Subjects: [b]", "Allowed_Subjects", "allowed_subjects"),
        ("collector_identiy: pod", "collector_identiy", "collector_identity"),
        ("collector-identity: pod", "collector-identity", "collector_identity"),
        ("collectors_identity: pod", "collectors_identity", "collector_identity"),
        ("https: {allowed_subjects: [a]}", "https.allowed_subjects", "allowed_subjects"),
        ("telemetry: {metrics: {collector_identty: pod}}", "telemetry.metrics.collector_identty", "collector_identity"),
    ];
    for (text, path, name) in cases {
        assert_eq!(
            parse(&format!("{ENABLED}{text}")).unwrap_err().to_string(),
            format!(
                "{path}: unknown key, and access would be open without {name}: write {name} at the top of the file"
            ),
            "{text}"
        );
    }
    // Without `viewers` nobody gains access. The other keys resemble known keys more.
    for text in ["viewer: [a]", "collector: {}", "collector_selectors: {}", "collector_names: [a]"] {
        assert_eq!(parse(&format!("{ENABLED}{text}")).unwrap().unknown.len(), 1, "{text}");
    }
}

#[test]
fn null_is_read_as_an_absent_key() {
    let text = "prometheus_cr: null\nallocation_strategy: null\nallocation_strategy_config: null\nhttps: null\n\
                collector_selector: null\nconfig: {scrape_configs: [{job_name: a}]}";
    assert!(parse(text).unwrap().monitors.is_none());
    let text =
        "prometheus_cr: {enabled: true, service_monitor_selector: null, service_monitor_namespace_selector: null}";
    assert!(!parse(text).unwrap().monitors.unwrap().service_monitors.selects_any());
}
