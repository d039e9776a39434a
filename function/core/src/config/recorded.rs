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
    /// The selector and the grace period.
    collectors: Option<(String, String)>,
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
    scrape_interval: String,
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
        let grace_period = self.collector_not_ready_grace_period;
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
            scrape_interval: self.scrape_interval,
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

/// A duration as Go prints it.
fn go(duration: Duration) -> String {
    let (seconds, milliseconds) = (duration.as_millis() / 1000, duration.as_millis() % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, seconds, milliseconds) {
        (0, 0, 0, 0) => "0s".to_owned(),
        (0, 0, 0, milliseconds) => format!("{milliseconds}ms"),
        (0, 0, seconds, 0) => format!("{seconds}s"),
        (0, minutes, seconds, 0) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds, _) => format!("{hours}h{minutes}m{seconds}s"),
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
            Collectors::Pods(pods) => (pods.selector.to_string(), go(pods.not_ready_grace_period)),
            Collectors::Named(_) => unreachable!("the operator has no such key"),
        }),
        strategy: config.strategy,
        filter: config.filter,
        monitors: config.monitors.map(|settings| Monitors {
            allowed: settings.namespaces.allowed.iter().cloned().collect(),
            denied: settings.namespaces.denied.iter().cloned().collect(),
            selectors: selectors(&settings),
            scrape_interval: go(settings.scrape_interval),
            scrape_protocols: settings.scrape_protocols,
            files_are_denied: settings.files == Files::Denied,
        }),
        jobs: config.scrape_configs.into_iter().flatten().map(|job| job.job_name.to_string()).collect(),
    }
}

/// How a text may differ, and why.
struct Difference {
    /// Whether the text is one of these.
    of: fn(&str) -> bool,
    /// What happens here.
    here: Here,
    reason: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Here {
    /// The start fails, and the error names the key. The operator obeys the slip.
    Refused,
    /// The text is read. The operator does not start.
    Read,
}

/// The last key of a text with its value. All texts of one key end with it.
fn last_key(text: &str) -> &str {
    let last = text.trim_end().rsplit('\n').next().unwrap_or_default().trim_start();
    last.split(':').next().unwrap_or_default()
}

const EXPECTED: &[Difference] = &[
    Difference {
        of: |text| ["listen_addr", "kube_config_file_path", "https", "telemetry"].contains(&last_key(text)),
        here: Here::Read,
        reason: "the key has no effect here, so its value is not checked",
    },
    Difference {
        of: |text| ["secret_namespaces", "evaluation_interval"].contains(&last_key(text)),
        here: Here::Read,
        reason: "the key has no effect here, so its value is not checked",
    },
    Difference {
        of: |text| text.contains("matchlabel:") || text.contains("match_labels:") || text.contains("MatchLabels:"),
        here: Here::Refused,
        reason: "the operator ignores unknown fields of a selector, and selects everything",
    },
    Difference {
        of: |text| text.contains("selector: {a: b}") || text.contains("matchExpression:") || text.contains("other: 1"),
        here: Here::Refused,
        reason: "the operator ignores unknown fields of a selector, and selects everything",
    },
    Difference {
        of: |text| last_key(text) == "probe_namespace_selector",
        here: Here::Read,
        reason: "the operator reads numbers and booleans as texts only in selectors without a default",
    },
    Difference {
        of: |text| last_key(text) == "filter_strategy",
        here: Here::Refused,
        reason: "the operator takes each unknown name for no filter",
    },
    Difference {
        of: |text| ["collector_not_ready_grace_period", "scrape_interval"].contains(&last_key(text)),
        here: Here::Refused,
        reason: "the operator accepts negative durations, and a number as nanoseconds, so 5 is 5 ns",
    },
    Difference {
        of: |text| last_key(text) == "scrape_protocols",
        here: Here::Refused,
        reason: "with an unknown or a repeated protocol, the operator's allocator makes no job",
    },
    Difference {
        of: |text| text.contains("{name: 5}") || text.matches("default: true").count() == 2,
        here: Here::Refused,
        reason: "a name must be a text, and only one scrape class can be the default",
    },
    Difference {
        of: |text| text.contains("\n---\n") || text.matches("allocation_strategy:").count() == 2,
        here: Here::Refused,
        reason: "of two documents or two values, the operator takes one without a message",
    },
    Difference {
        of: |text| !text.contains("collector_namespace: monitoring") || text.contains("collector_namespace: \"\""),
        here: Here::Read,
        reason: "collectors need not be pods, so their namespace need not be set",
    },
    Difference {
        of: |text| text.contains("allocation_strategy: \"\""),
        here: Here::Read,
        reason: "an empty text means that the key is not set, as for the fallback",
    },
    Difference {
        of: |text| text.contains("[{job_name: a}, {job_name: a}]"),
        here: Here::Read,
        reason: "a bad job is left out alone",
    },
];

#[test]
fn configs_are_read_as_the_operator_reads_them() {
    let recorded: Vec<Recorded> = serde_json::from_str(RECORDED).unwrap();
    let (mut alike, mut unexpected) = (0, Vec::new());
    let mut used = vec![0; EXPECTED.len()];
    for Recorded { text, refused, settings } in &recorded {
        let theirs = settings.clone().filter(|_| refused.is_none()).map(Settings::effective);
        let ours = Config::parse(text, None).map(effective);
        let here = match (&theirs, &ours) {
            (None, Err(_)) => None,
            (Some(theirs), Ok(ours)) if theirs == ours => None,
            (None, Ok(_)) => Some(Here::Read),
            (Some(_), Err(_)) => Some(Here::Refused),
            (Some(_), Ok(_)) => {
                unexpected.push(format!("{text}  the operator: {theirs:?}\n  here: {ours:?}"));
                continue;
            }
        };
        let Some(here) = here else {
            alike += 1;
            continue;
        };
        match EXPECTED.iter().position(|difference| difference.here == here && (difference.of)(text)) {
            Some(index) => used[index] += 1,
            None => unexpected.push(format!("{text}  the operator: {refused:?}, {theirs:?}\n  here: {ours:?}")),
        }
    }
    for (Difference { reason, .. }, count) in EXPECTED.iter().zip(&used) {
        assert!(*count > 0, "no text differs any more: {reason}");
    }
    assert!(unexpected.is_empty(), "{} differ:\n{}", unexpected.len(), unexpected.join("\n"));
    // `tests/peers/README.md` names the numbers.
    assert_eq!((alike, recorded.len()), (710, 850));
}
