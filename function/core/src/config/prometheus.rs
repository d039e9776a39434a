//! The keys of `prometheus_cr` that are fields of a `Prometheus` object of the Prometheus operator.
//!
//! Input: the keys as they are written. Output: the settings of all monitors, notes on keys without effect, or the key
//! with the wrong value. Follows the schema of the `Prometheus` object. An empty text is an absent key, as there.
//! DIFFERENCE(enforced-label): a label that would not protect tenants, or that Prometheus cannot load, stops the start.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::Value;

use super::go_duration::GoDuration;
use super::{ConfigError, Note};
use crate::duration::Duration;
use crate::monitors::prometheus::{Excluded, JobLimits, NamespaceLabel, PrometheusSettings};
use crate::monitors::relabeling;
use crate::monitors::selection::is_namespace_name;
use crate::objects::monitoring::service_monitor::ServiceDiscoveryRole;
use crate::regex::RegexCache;
use crate::relabel::{RelabelConfig, Rules};
use crate::scrape_config::NameValidation;
use crate::size::Size;

/// The keys, by their names in the file.
pub(super) struct Keys {
    pub scrape_timeout: Option<GoDuration>,
    pub override_honor_labels: Option<bool>,
    pub override_honor_timestamps: Option<bool>,
    pub ignore_namespace_selectors: Option<bool>,
    pub pod_target_labels: Option<Vec<String>>,
    pub service_discovery_role: Option<ServiceDiscoveryRole>,
    pub enforced_namespace_label: Option<String>,
    pub excluded_from_enforcement: Option<Vec<ObjectReference>>,
    pub default_limits: LimitKeys,
    pub enforced_limits: LimitKeys,
}

/// The limits, once with and once without `enforced_` before their names.
pub(super) struct LimitKeys {
    pub sample_limit: Option<Limit>,
    pub target_limit: Option<Limit>,
    pub label_limit: Option<Limit>,
    pub label_name_length_limit: Option<Limit>,
    pub label_value_length_limit: Option<Limit>,
    pub keep_dropped_targets: Option<Limit>,
    pub body_size_limit: Option<BodySize>,
}

/// Checks the keys. `scrape_interval` is the interval of jobs that set none.
pub(super) fn read(
    keys: Keys,
    scrape_interval: Duration,
    notes: &mut Vec<Note>,
) -> Result<PrometheusSettings, ConfigError> {
    let Keys {
        scrape_timeout,
        override_honor_labels,
        override_honor_timestamps,
        ignore_namespace_selectors,
        pod_target_labels,
        service_discovery_role,
        enforced_namespace_label,
        excluded_from_enforcement,
        default_limits,
        enforced_limits,
    } = keys;
    let defaults = PrometheusSettings::default();
    let pod_target_labels = pod_target_labels.unwrap_or_default();
    check_pod_labels(&pod_target_labels)?;
    let namespace_label = NamespaceLabel {
        name: read_label(enforced_namespace_label.unwrap_or_default())?,
        excluded: read_excluded(excluded_from_enforcement.unwrap_or_default())?,
    };
    if namespace_label.name.is_empty() && !namespace_label.excluded.is_empty() {
        let key = "prometheus_cr.excluded_from_enforcement".to_owned();
        notes.push(Note { key, reason: "enforced_namespace_label is not set, so no label is enforced" });
    }
    let (default_limits, enforced_limits) = (default_limits.read(), enforced_limits.read());
    note_exceeded(&default_limits, &enforced_limits, notes);
    Ok(PrometheusSettings {
        scrape_timeout: read_timeout(scrape_timeout, scrape_interval)?,
        override_honor_labels: override_honor_labels.unwrap_or_default(),
        override_honor_timestamps: override_honor_timestamps.unwrap_or_default(),
        ignore_namespace_selectors: ignore_namespace_selectors.unwrap_or_default(),
        pod_target_labels,
        service_discovery_role: service_discovery_role.unwrap_or(defaults.service_discovery_role),
        namespace_label,
        default_limits,
        enforced_limits,
    })
}

/// Follows `CompareScrapeTimeoutToScrapeInterval` of the operator.
fn read_timeout(timeout: Option<GoDuration>, scrape_interval: Duration) -> Result<Option<Duration>, ConfigError> {
    let Some(GoDuration(timeout)) = timeout else { return Ok(None) };
    if timeout > scrape_interval {
        let reason = format!(
            "is greater than scrape_interval, lower it or raise prometheus_cr.scrape_interval: \
             {timeout} > {scrape_interval}"
        );
        return Err(ConfigError::key("prometheus_cr.scrape_timeout", reason));
    }
    Ok(Some(timeout))
}

/// Refuses a label that no rule can set. Otherwise the jobs of all monitors would be left out.
fn check_pod_labels(names: &[String]) -> Result<(), ConfigError> {
    for (index, name) in names.iter().enumerate() {
        if let Some(error) = refusal(relabeling::take_label("pod", name)) {
            return Err(ConfigError::File {
                path: format!("prometheus_cr.pod_target_labels[{index}]"),
                message: format!("is not the name of a pod label, {error}: {name:?}"),
            });
        }
    }
    Ok(())
}

fn read_label(name: String) -> Result<String, ConfigError> {
    const KEY: &str = "prometheus_cr.enforced_namespace_label";
    // A target loses labels with this prefix after relabelling. Prometheus replaces `$` in the name of a label.
    if name.starts_with("__") || name.contains('$') {
        let reason = format!("use a label without $ and without __ at its beginning, for example namespace: {name:?}");
        return Err(ConfigError::key(KEY, reason));
    }
    match refusal(relabeling::set(&name, "namespace")).filter(|_| !name.is_empty()) {
        None => Ok(name),
        Some(error) => Err(ConfigError::key(KEY, format!("is not the name of a label, {error}: {name:?}"))),
    }
}

/// The reason why Prometheus cannot load a rule.
fn refusal(rule: RelabelConfig) -> Option<String> {
    Rules::check(&[rule], NameValidation::default(), &RegexCache::default())
        .err()
        .map(|error| error.refusal.to_string())
}

/// An entry of `excluded_from_enforcement`, as `ObjectReference` of the operator.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ObjectReference {
    group: Option<String>,
    resource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
}

/// The API group of all monitors.
const GROUP: &str = "monitoring.coreos.com";

/// The resources of the operator's schema, each with its kind.
const RESOURCES: [(&str, &str); 5] = [
    ("servicemonitors", "ServiceMonitor"),
    ("podmonitors", "PodMonitor"),
    ("probes", "Probe"),
    ("scrapeconfigs", "ScrapeConfig"),
    // Accepted as in the operator. The function evaluates no rules.
    ("prometheusrules", "PrometheusRule"),
];

fn read_excluded(references: Vec<ObjectReference>) -> Result<BTreeSet<Excluded>, ConfigError> {
    let read = |(index, reference): (usize, ObjectReference)| {
        reference.read().map_err(|(field, message)| ConfigError::File {
            path: format!("prometheus_cr.excluded_from_enforcement[{index}].{field}"),
            message,
        })
    };
    references.into_iter().enumerate().map(read).collect()
}

impl ObjectReference {
    /// The monitors that the entry names, or the field at fault and what to write.
    fn read(self) -> Result<Excluded, (&'static str, String)> {
        let Self { group, resource, namespace, name } = self;
        if let Some(group) = group.filter(|group| !group.is_empty() && group != GROUP) {
            return Err(("group", format!("leave it out or write {GROUP}: {group:?}")));
        }
        let resource = resource.unwrap_or_default();
        let known = RESOURCES.into_iter().find(|(known, _)| *known == resource);
        let Some((_, kind)) = known else {
            let names = RESOURCES.map(|(resource, _)| resource).join(", ");
            return Err(("resource", format!("must be set, use one of {names}: {resource:?}")));
        };
        let namespace = namespace.unwrap_or_default();
        if !is_namespace_name(&namespace) {
            return Err(("namespace", format!("must be set to the name of a namespace: {namespace:?}")));
        }
        Ok(Excluded { kind, namespace, name: name.unwrap_or_default() })
    }
}

/// Notes each default that is greater than the enforced limit. The operator logs a warning.
fn note_exceeded(default: &JobLimits, enforced: &JobLimits, notes: &mut Vec<Note>) {
    let limits = [
        ("sample_limit", default.samples, enforced.samples),
        ("target_limit", default.targets, enforced.targets),
        ("label_limit", default.labels, enforced.labels),
        ("label_name_length_limit", default.label_name_length, enforced.label_name_length),
        ("label_value_length_limit", default.label_value_length, enforced.label_value_length),
        ("keep_dropped_targets", default.keep_dropped_targets, enforced.keep_dropped_targets),
    ];
    let exceeded = limits.into_iter().filter(|(_, default, enforced)| *enforced != 0 && default > enforced);
    notes.extend(exceeded.map(|(key, ..)| Note {
        key: format!("prometheus_cr.{key}"),
        reason: "it is greater than the enforced limit, which applies instead",
    }));
    if default.body_size.is_some() && enforced.body_size.is_some() {
        let key = "prometheus_cr.body_size_limit".to_owned();
        notes.push(Note { key, reason: "enforced_body_size_limit is the limit of monitors that set none" });
    }
}

impl LimitKeys {
    fn read(self) -> JobLimits {
        let Self {
            sample_limit,
            target_limit,
            label_limit,
            label_name_length_limit,
            label_value_length_limit,
            keep_dropped_targets,
            body_size_limit,
        } = self;
        let limit = |given: Option<Limit>| given.map_or(0, |Limit(limit)| limit);
        JobLimits {
            samples: limit(sample_limit),
            targets: limit(target_limit),
            labels: limit(label_limit),
            label_name_length: limit(label_name_length_limit),
            label_value_length: limit(label_value_length_limit),
            keep_dropped_targets: limit(keep_dropped_targets),
            body_size: body_size_limit.and_then(|BodySize(size)| size),
        }
    }
}

/// A limit as a number. Zero means no limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit(u64);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let limit = value.as_i64().and_then(|limit| u64::try_from(limit).ok());
        limit.map(Self).ok_or_else(|| D::Error::custom(format!("write a whole number, 0 means no limit: {value}")))
    }
}

/// A number of bytes with its unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodySize(Option<Size>);

impl<'de> Deserialize<'de> for BodySize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = match &value {
            // YAML reads the size `0` as a number.
            Value::Number(number) => number.to_string(),
            Value::String(text) if text.is_empty() => return Ok(Self(None)),
            Value::String(text) => text.clone(),
            _ => String::new(),
        };
        let size = text.parse().ok().filter(|size: &Size| size.as_bytes() >= 0);
        size.map(|size| Self(Some(size))).ok_or_else(|| D::Error::custom(format!("write a size such as 10MB: {value}")))
    }
}
