//! Which namespaces of a cluster are read: all, or those of `prometheus_cr.allow_namespaces`.
//!
//! Input: the config. Output: the namespaces in which each kind is listed, so that Roles in them are enough.

use std::collections::BTreeSet;

use super::Kind;
use crate::config::{Collectors, Config, Pipeline};
use crate::monitors::selection::{KindSelection, NamespaceRules, is_namespace_name};

/// The part of a cluster that is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ReadScope {
    /// All namespaces, by lists of the whole cluster.
    #[default]
    Cluster,
    /// Some namespaces, by lists inside each of them.
    Namespaces(ReadNamespaces),
}

/// The namespaces that are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadNamespaces {
    /// Those of `allow_namespaces`.
    pub names: BTreeSet<String>,
    /// The namespace of the collector pods. Only pods are read there, unless it is one of `names` too.
    pub collectors: Option<String>,
    /// Whether a namespace selector of the config or of a pipeline reads labels of namespaces. A namespace whose labels
    /// cannot be read then stops the refresh: otherwise its monitors would be lost.
    pub labels_decide: bool,
}

impl ReadScope {
    /// The scope that a config defines.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let Some(settings) = config.monitors.as_ref().filter(|settings| settings.namespaces.narrows()) else {
            return Self::Cluster;
        };
        let collectors = match &config.collectors {
            Some(Collectors::Pods(pods)) => Some(pods.namespace.clone()),
            Some(Collectors::Named(_)) | None => None,
        };
        let selections =
            [&settings.service_monitors, &settings.pod_monitors, &settings.probes, &settings.scrape_configs];
        Self::Namespaces(ReadNamespaces {
            names: settings.namespaces.readable().map(str::to_owned).collect(),
            collectors,
            labels_decide: selections.into_iter().any(KindSelection::reads_namespace_labels)
                || config.pipelines.iter().any(Pipeline::reads_namespace_labels),
        })
    }

    /// The namespaces in which a kind is listed; `None` for one list of the whole cluster. Nodes are in no namespace.
    #[must_use]
    pub fn namespaces_of(&self, kind: Kind) -> Option<BTreeSet<&str>> {
        let Self::Namespaces(ReadNamespaces { names, collectors, .. }) = self else { return None };
        let names = names.iter().map(String::as_str);
        match kind {
            Kind::Node => None,
            Kind::Pod => Some(names.chain(collectors.as_deref()).collect()),
            _ => Some(names.collect()),
        }
    }

    /// Whether the function may do without this kind. If only some namespaces are read, nodes are optional: no Role
    /// inside a namespace grants them.
    #[must_use]
    pub fn is_optional(&self, kind: Kind) -> bool {
        kind == Kind::Node && *self != Self::Cluster
    }
}

/// The names of `allow_namespaces` that no namespace can have.
pub(super) fn invalid_names(rules: &NamespaceRules) -> impl Iterator<Item = &str> {
    rules.allowed.iter().map(String::as_str).filter(|name| !is_namespace_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> ReadScope {
        ReadScope::of(&Config::parse(text, None).unwrap())
    }

    #[test]
    fn only_allowed_namespaces_and_the_pods_of_the_collectors_are_read() {
        let pods = "collector_namespace: otel\ncollector_selector: {matchLabels: {app: otel}}\n";
        let cr = |keys: &str| format!("prometheus_cr: {{enabled: true, service_monitor_selector: {{}}, {keys}}}\n");
        // The config, the namespaces of pods, and the namespaces of services.
        let cases: [(&str, String, Option<&str>, Option<&str>); 7] = [
            ("no list", cr(""), None, None),
            ("denied namespaces", cr("deny_namespaces: [a]"), None, None),
            ("an empty name stands for all", cr("allow_namespaces: [a, '']"), None, None),
            ("without collector pods", cr("allow_namespaces: [b, a]"), Some("a b"), Some("a b")),
            ("with collector pods", format!("{pods}{}", cr("allow_namespaces: [b, a]")), Some("a b otel"), Some("a b")),
            ("collectors inside", format!("{pods}{}", cr("allow_namespaces: [otel]")), Some("otel"), Some("otel")),
            ("an invalid name", cr("allow_namespaces: [a, 'b/c', A]"), Some("a"), Some("a")),
        ];
        for (name, config, of_pods, of_services) in cases {
            let scope = scope(&config);
            let joined = |kind| scope.namespaces_of(kind).map(|names| names.into_iter().collect::<Vec<_>>().join(" "));
            assert_eq!(joined(Kind::Pod).as_deref(), of_pods, "{name}");
            assert_eq!(joined(Kind::Service).as_deref(), of_services, "{name}");
            assert_eq!(joined(Kind::Node), None, "{name}");
            assert_eq!(scope.is_optional(Kind::Node), of_services.is_some(), "{name}");
            assert!(!scope.is_optional(Kind::Pod), "{name}");
        }
    }

    #[test]
    fn labels_of_namespaces_decide_only_where_a_selector_reads_them() {
        let cases = [
            ("service_monitor_namespace_selector: {}", false),
            ("service_monitor_namespace_selector: {matchLabels: {team: a}}", true),
            ("probe_namespace_selector: {matchLabels: {team: a}}", false),
        ];
        for (selector, expected) in cases {
            let text = format!(
                "prometheus_cr: {{enabled: true, allow_namespaces: [a], service_monitor_selector: {{}}, {selector}}}"
            );
            let ReadScope::Namespaces(namespaces) = scope(&text) else { panic!("{text}") };
            assert_eq!(namespaces.labels_decide, expected, "{selector}");
        }
        for (conditions, expected) in [
            ("{jobs: ['*']}", false),
            ("{namespace_selector: {}}", false),
            ("{namespace_selector: {matchLabels: {team: a}}}", true),
        ] {
            let text = format!(
                "prometheus_cr: {{enabled: true, allow_namespaces: [a], service_monitor_selector: {{}}}}\n\
                 pipelines: {{one: {conditions}}}"
            );
            let ReadScope::Namespaces(namespaces) = scope(&text) else { panic!("{text}") };
            assert_eq!(namespaces.labels_decide, expected, "{conditions}");
        }
    }
}
