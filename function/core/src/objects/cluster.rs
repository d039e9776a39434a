//! The objects of a cluster, by kind, namespace and name.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::monitoring::{PodMonitor, Probe, ScrapeConfig, ServiceMonitor};
use super::{
    ConfigMap, EndpointSlice, Endpoints, Ingress, Job, Metadata, Namespace, Node, Object, Pod, ReferencedObject,
    ReplicaSet, Secret, Service,
};
use crate::report::ObjectRef;

/// Objects of one kind, ordered by namespace and name.
///
/// States of a cluster share objects and whole namespaces. A refresh copies only the pointers of namespaces with
/// changes. Comparing pointers is therefore enough to find the changes between two states.
#[derive(Debug)]
pub struct Collection<T> {
    /// The objects of each namespace. Cluster-scoped objects have the namespace "". No namespace is without objects.
    namespaces: BTreeMap<Arc<str>, Arc<ByName<T>>>,
}

type ByName<T> = BTreeMap<Arc<str>, Arc<T>>;
type Named<T> = (Arc<str>, Arc<T>);

/// The namespace and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey {
    /// The namespace. Empty for cluster-scoped objects.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// The key of an object.
    #[must_use]
    pub fn of(object: &impl Object) -> Self {
        let Metadata { namespace, name, .. } = object.metadata();
        Self { namespace: namespace.as_str().into(), name: name.as_str().into() }
    }
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Self { namespaces: self.namespaces.clone() }
    }
}

impl<T> Default for Collection<T> {
    fn default() -> Self {
        Self { namespaces: BTreeMap::new() }
    }
}

impl<T: Object> Collection<T> {
    /// Inserts an object. Replaces an object with an equal namespace and name.
    pub fn insert(&mut self, object: impl Into<Arc<T>>) {
        let object = object.into();
        self.insert_keyed(ObjectKey::of(object.as_ref()), object);
    }

    /// Inserts an object whose key the caller already has.
    pub fn insert_keyed(&mut self, key: ObjectKey, object: impl Into<Arc<T>>) {
        let ObjectKey { namespace, name } = key;
        Arc::make_mut(self.namespaces.entry(namespace).or_default()).insert(name, object.into());
    }

    /// Removes an object and returns it.
    pub fn remove(&mut self, namespace: &str, name: &str) -> Option<Arc<T>> {
        let objects = self.namespaces.get_mut(namespace)?;
        if !objects.contains_key(name) {
            return None;
        }
        let removed = Arc::make_mut(objects).remove(name);
        if objects.is_empty() {
            self.namespaces.remove(namespace);
        }
        removed
    }

    /// The object with this namespace and name. The namespace of cluster-scoped objects is "".
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<T>> {
        self.namespaces.get(namespace)?.get(name)
    }

    /// All objects, sorted by namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.namespaces.values().flat_map(|objects| objects.values())
    }

    /// The objects of one namespace, sorted by name.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Arc<T>> {
        self.namespaces.get(namespace).into_iter().flat_map(|objects| objects.values())
    }

    /// The objects of one namespace as a collection, which shares them with this one.
    #[must_use]
    pub fn only(&self, namespace: &str) -> Self {
        let found = self.namespaces.get_key_value(namespace);
        Self { namespaces: found.map(|(name, objects)| (Arc::clone(name), Arc::clone(objects))).into_iter().collect() }
    }

    /// Puts whole namespaces in, in place of those of equal names.
    pub fn put_namespaces(&mut self, other: Self) {
        self.namespaces.extend(other.namespaces);
    }

    /// The number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.namespaces.values().map(|objects| objects.len()).sum()
    }

    /// Whether there is no object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// Whether both collections consist of the same allocations in memory.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.changes_since(other).next().is_none()
    }

    /// The objects that are not shared with `before`: new and changed objects, and `None` for removed objects.
    pub fn changes_since<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (ObjectKey, Option<&'a Arc<T>>)> + use<'a, T> {
        merged(&self.namespaces, &before.namespaces).filter(|(_, now, before)| !same(*now, *before)).flat_map(
            |(namespace, now, before)| {
                let none = const { &BTreeMap::new() };
                merged(now.map_or(none, AsRef::as_ref), before.map_or(none, AsRef::as_ref))
                    .filter(|(_, now, before)| !same(*now, *before))
                    .map(move |(name, now, _)| {
                        (ObjectKey { namespace: Arc::clone(namespace), name: Arc::clone(name) }, now)
                    })
            },
        )
    }
}

impl<T: Object + PartialEq> Collection<T> {
    /// Shares equal objects with `before`, so that [`Collection::changes_since`] skips them.
    pub fn share_with(&mut self, before: &Self) {
        for (namespace, objects) in &mut self.namespaces {
            let Some(known) = before.namespaces.get(namespace) else { continue };
            if objects == known {
                *objects = Arc::clone(known);
                continue;
            }
            for (name, object) in Arc::make_mut(objects) {
                if let Some(known) = known.get(name).filter(|known| *known == object) {
                    *object = Arc::clone(known);
                }
            }
        }
    }

    /// Inserts an object unless the collection already has an equal one.
    pub fn update(&mut self, mut object: T) {
        let Metadata { namespace, name, .. } = object.metadata();
        if let Some(neighbour) = self.neighbour(namespace, name) {
            if **neighbour == object {
                return;
            }
            object.share_with(neighbour);
        }
        self.insert(object);
    }

    /// The object with this name, or the previous object of the namespace. The pods of one controller are neighbours,
    /// because their names have a common prefix.
    fn neighbour(&self, namespace: &str, name: &str) -> Option<&Arc<T>> {
        let objects = self.namespaces.get(namespace)?;
        objects.range::<str, _>((Bound::Unbounded, Bound::Included(name))).next_back().map(|(_, object)| object)
    }
}

/// Whether both are present and share one allocation.
fn same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if Arc::ptr_eq(one, other))
}

/// The entries of two maps by key, in order. An entry that one map lacks is `None`.
fn merged<'a, V>(
    now: &'a BTreeMap<Arc<str>, V>,
    before: &'a BTreeMap<Arc<str>, V>,
) -> impl Iterator<Item = (&'a Arc<str>, Option<&'a V>, Option<&'a V>)> + use<'a, V> {
    let (mut now, mut before) = (now.iter().peekable(), before.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (now.peek(), before.peek()) {
            (Some((now, _)), Some((before, _))) => now.cmp(before),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        let now = if order.is_le() { now.next() } else { None };
        let before = if order.is_ge() { before.next() } else { None };
        let (key, _) = now.or(before)?;
        Some((key, now.map(|(_, value)| value), before.map(|(_, value)| value)))
    })
}

impl<T: Object> FromIterator<T> for Collection<T> {
    fn from_iter<I: IntoIterator<Item = T>>(objects: I) -> Self {
        let mut namespaces: BTreeMap<Arc<str>, Vec<Named<T>>> = BTreeMap::new();
        for mut object in objects {
            let Metadata { namespace, name, .. } = object.metadata();
            let name = name.as_str().into();
            match namespaces.get_mut(namespace.as_str()) {
                Some(named) => {
                    if let Some((_, before)) = named.last() {
                        object.share_with(before);
                    }
                    named.push((name, Arc::new(object)));
                }
                None => {
                    namespaces.insert(namespace.as_str().into(), vec![(name, Arc::new(object))]);
                }
            }
        }
        // Building a tree from a whole list is faster than inserting objects one by one.
        let namespaces = namespaces.into_iter();
        Self {
            namespaces: namespaces
                .map(|(namespace, named)| (namespace, Arc::new(named.into_iter().collect())))
                .collect(),
        }
    }
}

/// The objects that an allocation is computed from.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "one collection per kind")]
pub struct Cluster {
    pub namespaces: Collection<Namespace>,
    pub nodes: Collection<Node>,
    /// Why nodes are absent although they are wanted. They are optional if only some namespaces are read.
    pub unread_nodes: Option<Arc<str>>,
    pub pods: Collection<Pod>,
    pub services: Collection<Service>,
    pub endpoints: Collection<Endpoints>,
    pub endpoint_slices: Collection<EndpointSlice>,
    pub ingresses: Collection<Ingress>,
    /// Read only if an SD config attaches the metadata of deployments.
    pub replica_sets: Collection<ReplicaSet>,
    /// Read only if an SD config attaches the metadata of cron jobs.
    pub jobs: Collection<Job>,
    pub secrets: Collection<Secret>,
    pub config_maps: Collection<ConfigMap>,
    /// Secrets and ConfigMaps that monitors refer to and that cannot be read, with the reason.
    pub unreadable: BTreeMap<ReferencedObject, Arc<str>>,
    pub service_monitors: Collection<ServiceMonitor>,
    pub pod_monitors: Collection<PodMonitor>,
    pub probes: Collection<Probe>,
    pub scrape_configs: Collection<ScrapeConfig>,
}

impl Cluster {
    /// The number of objects of all kinds.
    #[must_use]
    pub fn len(&self) -> usize {
        let Self {
            namespaces,
            nodes,
            unread_nodes: _,
            pods,
            services,
            endpoints,
            endpoint_slices,
            ingresses,
            replica_sets,
            jobs,
            secrets,
            config_maps,
            unreadable: _,
            service_monitors,
            pod_monitors,
            probes,
            scrape_configs,
        } = self;
        namespaces.len()
            + nodes.len()
            + pods.len()
            + services.len()
            + endpoints.len()
            + endpoint_slices.len()
            + ingresses.len()
            + replica_sets.len()
            + jobs.len()
            + secrets.len()
            + config_maps.len()
            + service_monitors.len()
            + pod_monitors.len()
            + probes.len()
            + scrape_configs.len()
    }

    /// Whether there is no object of any kind.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The metadata of a monitor. `None` if there is no such monitor, or if the object is no monitor.
    #[must_use]
    pub fn monitor(&self, monitor: &ObjectRef) -> Option<&Metadata> {
        fn metadata<'a, T: Object>(objects: &'a Collection<T>, monitor: &ObjectRef) -> Option<&'a Metadata> {
            objects.get(&monitor.namespace, &monitor.name).map(|object| object.metadata())
        }
        match monitor.kind.as_str() {
            ServiceMonitor::KIND => metadata(&self.service_monitors, monitor),
            PodMonitor::KIND => metadata(&self.pod_monitors, monitor),
            Probe::KIND => metadata(&self.probes, monitor),
            ScrapeConfig::KIND => metadata(&self.scrape_configs, monitor),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(namespace: &str, name: &str, phase: &str) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.namespace = namespace.to_owned();
        pod.metadata.name = name.to_owned();
        pod.status.phase = phase.into();
        pod
    }

    fn changes(now: &Collection<Pod>, before: &Collection<Pod>) -> Vec<(String, bool)> {
        now.changes_since(before)
            .map(|(key, object)| (format!("{}/{}", key.namespace, key.name), object.is_some()))
            .collect()
    }

    #[test]
    fn changes_are_the_objects_that_are_not_shared() {
        let before: Collection<Pod> =
            [pod("a", "1", "x"), pod("a", "2", "x"), pod("b", "1", "x"), pod("c", "1", "x")].into_iter().collect();
        let mut now = before.clone();
        assert!(now.is_same(&before));
        now.update(pod("a", "1", "x"));
        assert!(now.is_same(&before), "an equal object is no change");
        now.update(pod("a", "1", "y"));
        now.update(pod("b", "2", "x"));
        now.remove("c", "1");
        now.remove("c", "no such");
        now.insert(pod("d", "1", "x"));
        let expected = [("a/1", true), ("b/2", true), ("c/1", false), ("d/1", true)];
        assert_eq!(changes(&now, &before), expected.map(|(key, there)| (key.to_owned(), there)));
        assert_eq!(now.len(), 5);
    }

    #[test]
    fn a_collection_is_the_sum_of_its_namespaces() {
        let all: Collection<Pod> = [pod("a", "1", "x"), pod("b", "1", "x"), pod("c", "1", "x")].into_iter().collect();
        assert_eq!(changes(&all.only("b"), &Collection::default()), [("b/1".to_owned(), true)]);
        assert!(all.only("no such").is_empty());
        let mut sum = Collection::default();
        ["c", "a", "b", "no such"].into_iter().for_each(|namespace| sum.put_namespaces(all.only(namespace)));
        assert!(sum.is_same(&all));
        let mut changed = all.only("b");
        changed.remove("b", "1");
        changed.insert(pod("b", "2", "x"));
        sum.put_namespaces(changed);
        assert_eq!(changes(&sum, &all), [("b/1".to_owned(), false), ("b/2".to_owned(), true)]);
    }

    #[test]
    fn a_new_list_shares_equal_objects() {
        let pods = || [pod("a", "1", "x"), pod("a", "2", "x"), pod("b", "1", "x")];
        let before: Collection<Pod> = pods().into_iter().collect();
        let mut now: Collection<Pod> = pods().into_iter().chain([pod("a", "3", "x")]).collect();
        assert_eq!(changes(&now, &before).len(), 4, "nothing is shared yet");
        now.share_with(&before);
        assert_eq!(changes(&now, &before), [("a/3".to_owned(), true)]);
    }
}
