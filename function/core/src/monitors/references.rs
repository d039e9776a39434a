//! The Secrets and ConfigMaps that monitors refer to.
//!
//! Input: the selected monitors. Output: the objects to read, without duplicates. An invalid name is never read.
//! [`super::assets`] refuses a monitor with such a name, and reports the field.

use std::collections::BTreeSet;

use super::finding::{Finding, Within};
use super::object_name::check_name;
use super::scrape_class::ScrapeClasses;
use super::selection::select;
use super::{KindSelection, NamespaceRules, Settings};
use crate::objects::monitoring::pod_monitor::PodMetricsEndpoint;
use crate::objects::monitoring::service_monitor::Endpoint;
use crate::objects::monitoring::{PodMonitor, Probe, Reference, ScrapeConfig, ServiceMonitor};
use crate::objects::{Cluster, Collection, Object, ReferencedObject};

/// The number of Secrets and ConfigMaps that one monitor may name.
///
/// One request reads one object, so this bounds what one tenant costs the API server. A monitor
/// names about five objects for each endpoint that has its own credentials and certificates.
/// DIFFERENCE(many-references): the operator has no such limit.
pub const MOST_REFERENCES: usize = 100;

/// A monitor that can refer to Secrets and ConfigMaps.
pub trait Refers: Object {
    /// The name of the scrape class that the monitor sets.
    fn scrape_class_name(&self) -> Option<&str>;

    /// The references in the monitor itself, without the references of its scrape class.
    fn references(&self) -> impl Iterator<Item = Reference<'_>>;
}

impl Refers for ServiceMonitor {
    fn scrape_class_name(&self) -> Option<&str> {
        self.spec.scrape_class_name.as_deref()
    }

    fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        self.spec.endpoints.iter().flat_map(Endpoint::references)
    }
}

impl Refers for PodMonitor {
    fn scrape_class_name(&self) -> Option<&str> {
        self.spec.scrape_class_name.as_deref()
    }

    fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        self.spec.pod_metrics_endpoints.iter().flat_map(PodMetricsEndpoint::references)
    }
}

impl Refers for Probe {
    fn scrape_class_name(&self) -> Option<&str> {
        self.spec.scrape_class_name.as_deref()
    }

    fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        self.spec.references()
    }
}

impl Refers for ScrapeConfig {
    fn scrape_class_name(&self) -> Option<&str> {
        self.spec.scrape_class_name.as_deref()
    }

    fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        self.spec.references()
    }
}

/// The Secrets and ConfigMaps that the selected monitors refer to. Exactly these objects must be read.
///
/// A monitor with too many references adds none, because [`check_number`] refuses it.
#[must_use]
pub fn references(settings: &Settings, cluster: &Cluster) -> BTreeSet<ReferencedObject> {
    let Settings { namespaces, service_monitors, pod_monitors, probes, scrape_configs, scrape_classes, .. } = settings;
    let mut found = Found { namespaces, classes: scrape_classes, cluster, objects: BTreeSet::new() };
    found.add(service_monitors, &cluster.service_monitors);
    found.add(pod_monitors, &cluster.pod_monitors);
    found.add(probes, &cluster.probes);
    found.add(scrape_configs, &cluster.scrape_configs);
    found.objects
}

/// Refuses a monitor that names more than [`MOST_REFERENCES`] Secrets and ConfigMaps.
///
/// # Errors
/// [`Finding`] if the monitor names more.
pub fn check_number(monitor: &impl Refers) -> Result<(), Finding> {
    let number = monitor.references().map(key).collect::<BTreeSet<_>>().len();
    if number <= MOST_REFERENCES {
        return Ok(());
    }
    let reason = format_args!(
        "too many references, split the monitor: it names {number} secrets and configmaps, at most {MOST_REFERENCES} \
         are read for one monitor"
    );
    Err(Finding::refused(reason).within("spec"))
}

struct Found<'a> {
    namespaces: &'a NamespaceRules,
    classes: &'a ScrapeClasses,
    cluster: &'a Cluster,
    objects: BTreeSet<ReferencedObject>,
}

impl Found<'_> {
    fn add<T: Refers>(&mut self, selection: &KindSelection, monitors: &Collection<T>) {
        for monitor in select(selection, self.namespaces, monitors, self.cluster) {
            if check_number(monitor).is_err() {
                continue;
            }
            let namespace = &monitor.metadata().namespace;
            self.objects.extend(monitor.references().filter_map(|reference| referenced(namespace, reference)));
            if let Ok(class) = self.classes.of(monitor.scrape_class_name()) {
                self.objects.extend(class.references().filter_map(|reference| referenced(namespace, reference)));
            }
        }
    }
}

/// The kind and the name of a reference. References with equal keys name one object.
fn key(reference: Reference<'_>) -> (bool, &str) {
    match reference {
        Reference::Secret(selector) => (true, &selector.name),
        Reference::ConfigMap(selector) => (false, &selector.name),
    }
}

fn referenced(namespace: &str, reference: Reference<'_>) -> Option<ReferencedObject> {
    let (is_secret, name) = key(reference);
    check_name(name).ok()?;
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    Some(match is_secret {
        true => ReferencedObject::Secret { namespace, name },
        false => ReferencedObject::ConfigMap { namespace, name },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monitor(secrets: usize, config_maps: usize) -> ServiceMonitor {
        let secrets = (0..secrets).map(|n| format!("{{bearerTokenSecret: {{name: s{n}, key: a}}}}"));
        let maps = (0..config_maps).map(|n| format!("{{tlsConfig: {{ca: {{configMap: {{name: s{n}, key: a}}}}}}}}"));
        let endpoints: Vec<_> = secrets.chain(maps).collect();
        let manifest = format!("{{metadata: {{namespace: a}}, spec: {{endpoints: [{}]}}}}", endpoints.join(","));
        serde_norway::from_str(&manifest).unwrap()
    }

    #[test]
    fn a_monitor_with_too_many_references_is_refused_and_reads_none() {
        let cases = [(MOST_REFERENCES, 0, true), (60, 40, true), (MOST_REFERENCES + 1, 0, false), (60, 41, false)];
        for (secrets, config_maps, accepted) in cases {
            let monitor = monitor(secrets, config_maps);
            let checked = check_number(&monitor);
            assert_eq!(checked.is_ok(), accepted, "{secrets} secrets, {config_maps} configmaps: {checked:?}");
            let settings = Settings { service_monitors: KindSelection::all(), ..Settings::default() };
            let cluster = Cluster {
                service_monitors: [monitor].into_iter().collect(),
                namespaces: [serde_norway::from_str("{metadata: {name: a}}").unwrap()].into_iter().collect(),
                ..Cluster::default()
            };
            let read = if accepted { secrets + config_maps } else { 0 };
            assert_eq!(references(&settings, &cluster).len(), read, "{secrets} secrets, {config_maps} configmaps");
        }
    }

    #[test]
    fn an_object_counts_once() {
        let endpoint = "{bearerTokenSecret: {name: s, key: a}}";
        let endpoints = vec![endpoint; 2_000].join(",");
        let monitor: ServiceMonitor =
            serde_norway::from_str(&format!("{{spec: {{endpoints: [{endpoints}]}}}}")).unwrap();
        assert_eq!(check_number(&monitor), Ok(()));
    }
}
