//! Configs that the operator's allocator read, and how. `tests/peers/record-configs` recorded them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::monitors::draft::Files;
use crate::monitors::selection::KindSelection;
use crate::shard::Fallback;

const RECORDED: &str = include_str!("../../../../tests/golden/configs.json");

/// A config, and either the error of the allocator or the settings that it starts with.
#[derive(Deserialize)]
struct Recorded {
    text: String,
    refused: Option<String>,
    settings: Option<Settings>,
}

/// The settings that decide which targets are served to which collector.
#[derive(Debug, Clone, Deserialize, PartialEq)]
struct Settings {
    collector_namespace: String,
    /// `None` if the key is absent.
    collector_selector: Option<String>,
    collector_not_ready_grace_period: String,
    allocation_strategy: String,
    allocation_fallback_strategy: String,
    filter: bool,
    /// Whether monitors are read. Without this, the following settings have no effect.
    prometheus_cr: bool,
    allow_namespaces: Option<Vec<String>>,
    deny_namespaces: Option<Vec<String>>,
    /// The selector of each key, in the canonical form of Kubernetes.
    selectors: BTreeMap<String, Option<String>>,
    scrape_interval: String,
    scrape_protocols: Option<Vec<String>>,
    deny_fs_access_through_sms: bool,
    jobs: Option<Vec<String>>,
}

/// The settings that have an effect, in one form for both sides.
#[derive(Debug, PartialEq)]
struct Effective {
    namespace: String,
    collectors: Option<(String, Duration)>,
    strategy: Strategy,
    filter: bool,
    monitors: Option<Monitors>,
    jobs: Vec<String>,
}

#[derive(Debug, PartialEq)]
struct Monitors {
    allowed: Vec<String>,
    denied: Vec<String>,
    selectors: BTreeMap<String, (Option<String>, Option<String>)>,
    scrape_interval: Duration,
    scrape_protocols: Vec<String>,
    files_are_denied: bool,
}

impl Settings {
    fn effective(self) -> Effective {
        let spread = |name: &str| match name {
            "consistent-hashing" => Some(Spread::ConsistentHashing(Version::V1_0)),
            "least-weighted" => Some(Spread::LeastWeighted),
            _ => None,
        };
        let strategy = match self.allocation_strategy.as_str() {
            "per-node" => Strategy::PerNode {
                fallback: spread(&self.allocation_fallback_strategy)
                    .map(|strategy| Fallback { strategy, also_without_collector: false }),
            },
            name => Strategy::Spread { strategy: spread(name).unwrap(), replicas: 1 },
        };
        let grace_period = Duration::parse_go(&self.collector_not_ready_grace_period).unwrap();
        let selector = |key: &str| self.selectors[key].clone();
        let monitors = Monitors {
            allowed: sorted(self.allow_namespaces.unwrap_or_default()),
            denied: sorted(self.deny_namespaces.unwrap_or_default()),
            selectors: ["service_monitor", "pod_monitor", "probe", "scrape_config"]
                .map(|kind| {
                    let selected = selector(&format!("{kind}_selector"));
                    (kind.to_owned(), (selected, selector(&format!("{kind}_namespace_selector"))))
                })
                .into(),
            scrape_interval: Duration::parse_go(&self.scrape_interval).unwrap(),
            scrape_protocols: self.scrape_protocols.unwrap_or_default(),
            files_are_denied: self.deny_fs_access_through_sms,
        };
        Effective {
            namespace: self.collector_namespace,
            collectors: self.collector_selector.map(|selector| (selector, grace_period)),
            strategy,
            filter: self.filter,
            monitors: self.prometheus_cr.then_some(monitors),
            jobs: self.jobs.unwrap_or_default(),
        }
    }
}

/// Namespaces as a set. An empty name stands for all namespaces, as does an empty list.
fn sorted(names: Vec<String>) -> Vec<String> {
    if names.iter().any(String::is_empty) {
        return Vec::new();
    }
    std::collections::BTreeSet::from_iter(names).into_iter().collect()
}

fn effective(config: Config) -> Effective {
    let selectors = |settings: &monitors::Settings| {
        [
            ("service_monitor", &settings.service_monitors),
            ("pod_monitor", &settings.pod_monitors),
            ("probe", &settings.probes),
            ("scrape_config", &settings.scrape_configs),
        ]
        .map(|(kind, selection)| (kind.to_owned(), KindSelection::texts(selection)))
        .into()
    };
    Effective {
        namespace: config.namespace,
        collectors: config.collectors.map(|collectors| match collectors {
            Collectors::Pods(pods) => (pods.selector.to_string(), pods.not_ready_grace_period),
            Collectors::Named(_) => unreachable!("the operator has no such key"),
        }),
        strategy: config.strategy,
        filter: config.filter,
        monitors: config.monitors.map(|settings| Monitors {
            allowed: settings.namespaces.allowed.iter().cloned().collect(),
            denied: settings.namespaces.denied.iter().cloned().collect(),
            selectors: selectors(&settings),
            scrape_interval: settings.scrape_interval,
            scrape_protocols: settings.scrape_protocols,
            files_are_denied: settings.files == Files::Denied,
        }),
        jobs: config.scrape_configs.into_iter().flatten().map(|job| job.job_name.to_string()).collect(),
    }
}

#[test]
fn configs_are_read_as_the_operator_reads_them() {
    let recorded: Vec<Recorded> = serde_json::from_str(RECORDED).unwrap();
    assert!(recorded.len() > 500, "{}", recorded.len());
    let mut different = Vec::new();
    for Recorded { text, refused, settings } in recorded {
        let theirs = settings.filter(|_| refused.is_none()).map(Settings::effective);
        let ours = Config::parse(&text, None);
        match (theirs, ours) {
            (None, Err(_)) => {}
            (None, Ok(config)) => different.push(format!(
                "{text}  refused by the operator: {}\n  read here: {:?}",
                refused.unwrap_or_default(),
                effective(config)
            )),
            (Some(theirs), Err(error)) => {
                different.push(format!("{text}  read by the operator: {theirs:?}\n  refused here: {error}"))
            }
            (Some(theirs), Ok(config)) => {
                let ours = effective(config);
                if theirs != ours {
                    different.push(format!("{text}  read by the operator: {theirs:?}\n  read here: {ours:?}"));
                }
            }
        }
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}
