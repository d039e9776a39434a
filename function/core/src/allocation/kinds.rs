//! The kinds of objects that each stage needs. The shell lists no other kinds.

use std::collections::BTreeSet;

use crate::config::{Collectors, Config};
use crate::scrape_config::discovery::{KubernetesSd, Role};

/// A kind of object that is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "named as in the Kubernetes API")]
pub enum Kind {
    Namespace,
    Node,
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    Ingress,
    ReplicaSet,
    Job,
    ServiceMonitor,
    PodMonitor,
    Probe,
    ScrapeConfig,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::Namespace,
        Self::Node,
        Self::Pod,
        Self::Service,
        Self::Endpoints,
        Self::EndpointSlice,
        Self::Ingress,
        Self::ReplicaSet,
        Self::Job,
        Self::ServiceMonitor,
        Self::PodMonitor,
        Self::Probe,
        Self::ScrapeConfig,
    ];
}

/// The kinds that decide which monitors are selected: the namespaces, and each kind of monitor that can be selected.
#[must_use]
pub fn kinds_of_monitors(config: &Config) -> BTreeSet<Kind> {
    let Some(settings) = &config.monitors else { return BTreeSet::new() };
    let selections = [
        (Kind::ServiceMonitor, &settings.service_monitors),
        (Kind::PodMonitor, &settings.pod_monitors),
        (Kind::Probe, &settings.probes),
        (Kind::ScrapeConfig, &settings.scrape_configs),
    ];
    let selected = selections.into_iter().filter(|(_, selection)| selection.selects_any());
    let mut kinds: BTreeSet<_> = selected.map(|(kind, _)| kind).collect();
    if !kinds.is_empty() {
        kinds.insert(Kind::Namespace);
    }
    kinds
}

/// The kinds that SD configs and the search for collectors read.
pub(super) fn kinds_of_discovery<'a>(
    configs: impl Iterator<Item = &'a KubernetesSd>,
    collectors: Option<&Collectors>,
) -> BTreeSet<Kind> {
    let mut kinds = BTreeSet::new();
    for config in configs {
        kinds.extend(match config.role {
            Role::Node => &[Kind::Node][..],
            Role::Pod => &[Kind::Pod],
            Role::Service => &[Kind::Service],
            Role::Endpoints => &[Kind::Endpoints, Kind::Service, Kind::Pod],
            Role::EndpointSlice => &[Kind::EndpointSlice, Kind::Service, Kind::Pod],
            Role::Ingress => &[Kind::Ingress],
        });
        let attached = config.attach_metadata;
        let lenders = [
            (attached.node, Kind::Node),
            (attached.namespace, Kind::Namespace),
            (attached.deployment, Kind::ReplicaSet),
            (attached.cronjob, Kind::Job),
        ];
        kinds.extend(lenders.into_iter().filter(|(attach, _)| *attach).map(|(_, kind)| kind));
    }
    if matches!(collectors, Some(Collectors::Pods(_))) {
        kinds.insert(Kind::Pod);
    }
    kinds
}
