//! Finds the groups that must be made again after a change of the cluster.
//!
//! Input: the index before and after the change. Output: for each role, the objects whose groups can differ. A group
//! can differ if its object changed, or if an object changed whose labels its targets get.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Query;
use super::index::{Index, Prepared};
use super::role_table::for_each_role;
use crate::objects::endpoints::TargetRef;
use crate::objects::{Cluster, Collection, EndpointSlice, Endpoints, Object, ObjectKey};
use crate::scrape_config::discovery::Role;

/// Objects by namespace and name.
#[derive(Debug, Default)]
struct ObjectKeys(BTreeMap<Arc<str>, BTreeSet<Arc<str>>>);

/// The objects whose groups can differ. Also whether a change affects the labels of many groups.
#[derive(Debug, Default)]
pub struct Changes {
    objects: ChangedObjects,
    namespaces: bool,
    replica_sets: bool,
    jobs: bool,
}

macro_rules! changed_objects {
    ($($role:ident: $source:literal, $objects:ident;)+) => {
        /// The objects whose groups can differ, for each role.
        #[derive(Debug, Default)]
        struct ChangedObjects {
            $($objects: ObjectKeys,)+
        }

        impl ChangedObjects {
            fn between(before: &Index, now: &Index) -> Self {
                Self { $($objects: changed(&before.$objects, &now.$objects),)+ }
            }

            const fn of(&self, role: Role) -> &ObjectKeys {
                match role {
                    $(Role::$role => &self.$objects,)+
                }
            }
        }
    };
}

for_each_role!(changed_objects);

/// The groups that a query must make again.
#[derive(Debug)]
pub enum Touched<'c> {
    /// All groups of the query.
    All,
    /// The groups of these objects, in the order of the groups: by namespace and name.
    Only(Vec<(&'c str, &'c str)>),
}

impl ObjectKeys {
    fn contains(&self, namespace: &str, name: &str) -> bool {
        self.0.get(namespace).is_some_and(|names| names.contains(name))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = (&str, &str)> {
        let namespace = self.0.get_key_value(namespace);
        namespace.into_iter().flat_map(|(namespace, names)| names.iter().map(|name| (&**namespace, &**name)))
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(namespace, names)| names.iter().map(|name| (&**namespace, &**name)))
    }
}

impl Extend<ObjectKey> for ObjectKeys {
    fn extend<I: IntoIterator<Item = ObjectKey>>(&mut self, keys: I) {
        for ObjectKey { namespace, name } in keys {
            self.0.entry(namespace).or_default().insert(name);
        }
    }
}

fn changed<T: Object>(before: &Collection<T>, now: &Collection<T>) -> ObjectKeys {
    let mut keys = ObjectKeys::default();
    keys.extend(now.changes_since(before).map(|(key, _)| key));
    keys
}

impl Index {
    /// Prepares the objects of a later state of the cluster. Also returns the differences from this state.
    #[must_use]
    pub fn next(&self, cluster: &Cluster) -> (Self, Changes) {
        let next = self.advanced(cluster);
        let changes = Changes::between(self, &next);
        (next, changes)
    }
}

impl Changes {
    fn between(before: &Index, now: &Index) -> Self {
        let mut changes = Self {
            objects: ChangedObjects::between(before, now),
            namespaces: !now.namespaces.is_same(&before.namespaces),
            replica_sets: !now.cluster.replica_sets.is_same(&before.cluster.replica_sets),
            jobs: !now.cluster.jobs.is_same(&before.cluster.jobs),
        };
        if !changes.objects.pods.is_empty() || !changes.objects.services.is_empty() {
            let slices = behind(&now.endpoint_slices, |slice| changes.touch_slice(slice));
            let endpoints = behind(&now.endpoints, |endpoints| changes.touch_endpoints(endpoints));
            changes.objects.endpoint_slices.extend(slices);
            changes.objects.endpoints.extend(endpoints);
        }
        changes
    }

    fn touch_slice(&self, slice: &EndpointSlice) -> bool {
        slice.service_name().is_some_and(|service| self.objects.services.contains(&slice.metadata.namespace, service))
            || slice.endpoints.iter().any(|endpoint| self.touches_pod(endpoint.target_ref.as_ref()))
    }

    fn touch_endpoints(&self, endpoints: &Endpoints) -> bool {
        let mut subsets = endpoints.subsets.iter();
        self.objects.services.contains(&endpoints.metadata.namespace, &endpoints.metadata.name)
            || subsets.any(|subset| {
                let mut addresses = subset.addresses.iter().chain(&subset.not_ready_addresses);
                addresses.any(|address| self.touches_pod(address.target_ref.as_ref()))
            })
    }

    fn touches_pod(&self, reference: Option<&TargetRef>) -> bool {
        reference.is_some_and(|pod| pod.kind == "Pod" && self.objects.pods.contains(&pod.namespace, &pod.name))
    }
}

impl Query {
    /// The groups of this query that can differ.
    #[must_use]
    pub fn touched<'c>(&self, changes: &'c Changes) -> Touched<'c> {
        let attach = self.attach;
        let lent = (attach.node && !changes.objects.nodes.is_empty())
            || (attach.namespace && changes.namespaces)
            || (attach.deployment && changes.replica_sets)
            || (attach.cronjob && changes.jobs);
        if lent {
            return Touched::All;
        }
        let keys = changes.objects.of(self.role);
        Touched::Only(match self.groups_namespaces() {
            Some(names) => names.iter().flat_map(|namespace| keys.in_namespace(namespace)).collect(),
            None => keys.iter().collect(),
        })
    }
}

fn behind<T: Object>(objects: &Collection<Prepared<T>>, touched: impl Fn(&T) -> bool) -> Vec<ObjectKey> {
    let touched = objects.iter().filter(|prepared| touched(&prepared.object));
    touched.map(|prepared| ObjectKey::of(prepared.object.as_ref())).collect()
}
