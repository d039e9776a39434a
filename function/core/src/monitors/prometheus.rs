//! The settings of a `Prometheus` object that apply to all monitors.
//!
//! Input: checked keys of `prometheus_cr`. Output: what they change in a job: limits, labels of the target, overrides.
//! The meaning of each key is its meaning in the config generator of the Prometheus operator.

use std::collections::BTreeSet;

use super::relabeling;
use crate::duration::Duration;
use crate::objects::monitoring::service_monitor::ServiceDiscoveryRole;
use crate::objects::{Metadata, Object};
use crate::relabel::RelabelConfig;
use crate::scrape_config::globals::Globals;
use crate::size::Size;

/// The settings of a `Prometheus` object, by the names of `prometheus_cr`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in prometheus_cr")]
pub struct PrometheusSettings {
    /// The scrape timeout of jobs that do not set one. `None` means the default of Prometheus.
    pub scrape_timeout: Option<Duration>,
    pub override_honor_labels: bool,
    pub override_honor_timestamps: bool,
    pub ignore_namespace_selectors: bool,
    pub pod_target_labels: Vec<String>,
    pub service_discovery_role: ServiceDiscoveryRole,
    /// `enforced_namespace_label` and `excluded_from_enforcement`.
    pub namespace_label: NamespaceLabel,
    /// The limits of jobs that do not set any: `sample_limit` and similar keys.
    pub default_limits: JobLimits,
    /// The highest limits that a monitor can set: `enforced_sample_limit` and similar keys.
    pub enforced_limits: JobLimits,
}

impl Default for PrometheusSettings {
    /// The settings of the operator's allocator, which sets only the role.
    fn default() -> Self {
        Self {
            scrape_timeout: None,
            override_honor_labels: false,
            override_honor_timestamps: false,
            ignore_namespace_selectors: false,
            pod_target_labels: Vec::new(),
            service_discovery_role: ServiceDiscoveryRole::EndpointSlice,
            namespace_label: NamespaceLabel::default(),
            default_limits: JobLimits::default(),
            enforced_limits: JobLimits::default(),
        }
    }
}

/// The limits of a scrape job. Zero means no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in prometheus_cr, without the word limit")]
pub struct JobLimits {
    pub samples: u64,
    pub targets: u64,
    pub labels: u64,
    pub label_name_length: u64,
    pub label_value_length: u64,
    pub keep_dropped_targets: u64,
    /// `None` is an absent key. An enforced size of zero removes the limits of the monitors, as in the operator.
    pub body_size: Option<Size>,
}

/// The limit of a monitor below an enforced limit. Zero means no limit. Follows `getLimit` of the operator: a monitor
/// without a limit gets none here, because the globals contain the enforced limit.
#[must_use]
pub const fn capped(own: u64, enforced: u64) -> u64 {
    if enforced == 0 || own < enforced { own } else { enforced }
}

/// The body size limit of a monitor below an enforced limit. Follows `getLowerByteSize` of the operator.
#[must_use]
pub fn capped_size(own: Option<Size>, enforced: Option<Size>) -> Option<Size> {
    match (own, enforced) {
        (Some(own), Some(enforced)) => Some(own.min(enforced)),
        (own, enforced) => own.or(enforced),
    }
}

impl PrometheusSettings {
    /// Writes the settings to the `global` section. Follows `buildGlobalConfig` of the operator.
    pub fn set_globals(&self, globals: &mut Globals) {
        if let Some(timeout) = self.scrape_timeout.filter(|timeout| !timeout.is_zero()) {
            globals.scrape_timeout = timeout;
        }
        let JobLimits {
            samples,
            targets,
            labels,
            label_name_length,
            label_value_length,
            keep_dropped_targets,
            body_size,
        } = &self.default_limits;
        let enforced = &self.enforced_limits;
        globals.sample_limit = default_limit(*samples, enforced.samples);
        globals.target_limit = default_limit(*targets, enforced.targets);
        globals.label_limit = default_limit(*labels, enforced.labels);
        globals.label_name_length_limit = default_limit(*label_name_length, enforced.label_name_length);
        globals.label_value_length_limit = default_limit(*label_value_length, enforced.label_value_length);
        globals.keep_dropped_targets = default_limit(*keep_dropped_targets, enforced.keep_dropped_targets);
        // The operator does not compare the two sizes. Each job has the enforced size or a smaller one.
        globals.body_size_limit = body_size.or(enforced.body_size).unwrap_or_default();
    }
}

/// The limit of a job whose monitor sets none. Follows `appendGlobalLimits` of the operator.
const fn default_limit(default: u64, enforced: u64) -> u64 {
    if default == 0 { enforced } else { capped(default, enforced) }
}

/// A label with the namespace of the monitor. Rules of the monitor cannot change the label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamespaceLabel {
    /// The name of the label. Empty: no label is enforced.
    pub name: String,
    /// The monitors that do not get the label.
    pub excluded: BTreeSet<Excluded>,
}

/// A monitor, or all monitors of a kind in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excluded {
    /// The kind, as in a manifest.
    pub kind: &'static str,
    /// The namespace.
    pub namespace: String,
    /// The name. Empty: all monitors of the kind in the namespace.
    pub name: String,
}

impl NamespaceLabel {
    /// The rule that sets the label for targets and metrics of a monitor. `None` if the monitor does not get the label.
    #[must_use]
    pub fn rule<T: Object>(&self, monitor: &T) -> Option<RelabelConfig> {
        let Metadata { namespace, name, .. } = monitor.metadata();
        let key = |name: &str| Excluded { kind: T::KIND, namespace: namespace.to_string(), name: name.to_owned() };
        let excluded = || ["", name].into_iter().any(|name| self.excluded.contains(&key(name)));
        (!self.name.is_empty() && !excluded()).then(|| relabeling::set(&self.name, namespace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_limit_applies_and_zero_is_none() {
        // The limit of a monitor, the default and the enforced limit; the limit of the job, the global limit.
        let cases = [
            ((0, 0, 0), (0, 0)),
            ((5, 0, 0), (5, 0)),
            ((0, 5, 0), (0, 5)),
            ((9, 5, 0), (9, 5)),
            ((0, 0, 7), (0, 7)),
            ((5, 0, 7), (5, 7)),
            ((9, 0, 7), (7, 7)),
            ((0, 5, 7), (0, 5)),
            ((0, 9, 7), (0, 7)),
            ((9, 5, 7), (7, 5)),
        ];
        for ((own, default, enforced), expected) in cases {
            assert_eq!(
                (capped(own, enforced), default_limit(default, enforced)),
                expected,
                "{own} {default} {enforced}"
            );
        }
    }

    #[test]
    fn an_enforced_size_of_zero_removes_limits_as_in_the_operator() {
        let size = |bytes| Some(Size::from_bytes(bytes));
        let cases = [
            ((None, None), None),
            ((size(5), None), size(5)),
            ((None, size(7)), size(7)),
            ((size(5), size(7)), size(5)),
            ((size(9), size(7)), size(7)),
            ((size(0), size(7)), size(0)),
            ((size(9), size(0)), size(0)),
        ];
        for ((own, enforced), expected) in cases {
            assert_eq!(capped_size(own, enforced), expected, "{own:?} {enforced:?}");
        }
    }
}
