//! All objects of a cluster, found by namespace and name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::monitoring::{PodMonitor, Probe, ScrapeConfig, ServiceMonitor};
use super::{
    ConfigMap, EndpointSlice, Endpoints, Ingress, Job, Namespace, Node, Object, Pod, ReplicaSet, Secret, Service,
};

/// Objects of one kind, ordered by namespace and name.
///
/// Objects are shared: a refresh that replaces one pod copies pointers, not pods.
#[derive(Debug, Clone)]
pub struct Collection<T> {
    /// By namespace, then by name; cluster-scoped objects have the namespace "".
    namespaces: BTreeMap<Box<str>, BTreeMap<Box<str>, Arc<T>>>,
}

impl<T> Default for Collection<T> {
    fn default() -> Self {
        Self { namespaces: BTreeMap::new() }
    }
}

impl<T: Object> Collection<T> {
    /// Puts an object in, in place of one of the same namespace and name.
    pub fn insert(&mut self, object: impl Into<Arc<T>>) {
        let object = object.into();
        let metadata = object.metadata();
        let (namespace, name) = (metadata.namespace.as_str().into(), metadata.name.as_str().into());
        self.namespaces.entry(namespace).or_default().insert(name, object);
    }

    /// Takes an object out.
    pub fn remove(&mut self, namespace: &str, name: &str) -> Option<Arc<T>> {
        let objects = self.namespaces.get_mut(namespace)?;
        let removed = objects.remove(name);
        if objects.is_empty() {
            self.namespaces.remove(namespace);
        }
        removed
    }

    /// The object of that namespace and name; the namespace of cluster-scoped objects is "".
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<T>> {
        self.namespaces.get(namespace)?.get(name)
    }

    /// All objects, ordered by namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.namespaces.values().flat_map(BTreeMap::values)
    }

    /// The objects of one namespace, ordered by name.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Arc<T>> {
        self.namespaces.get(namespace).into_iter().flat_map(BTreeMap::values)
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.namespaces.values().map(BTreeMap::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }
}

impl<T: Object> FromIterator<T> for Collection<T> {
    fn from_iter<I: IntoIterator<Item = T>>(objects: I) -> Self {
        let mut collection = Self::default();
        for object in objects {
            collection.insert(object);
        }
        collection
    }
}

/// The objects that an allocation is made of.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "one collection a kind")]
pub struct Cluster {
    pub namespaces: Collection<Namespace>,
    pub nodes: Collection<Node>,
    pub pods: Collection<Pod>,
    pub services: Collection<Service>,
    pub endpoints: Collection<Endpoints>,
    pub endpoint_slices: Collection<EndpointSlice>,
    pub ingresses: Collection<Ingress>,
    /// Read only where an SD config attaches deployments.
    pub replica_sets: Collection<ReplicaSet>,
    /// Read only where an SD config attaches cron jobs.
    pub jobs: Collection<Job>,
    pub secrets: Collection<Secret>,
    pub config_maps: Collection<ConfigMap>,
    pub service_monitors: Collection<ServiceMonitor>,
    pub pod_monitors: Collection<PodMonitor>,
    pub probes: Collection<Probe>,
    pub scrape_configs: Collection<ScrapeConfig>,
}
