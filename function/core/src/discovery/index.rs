//! The objects of a cluster, prepared for discovery.
//!
//! Input: the objects of a cluster. Output: each object with the `__meta_` names of its labels and annotations. The
//! index is built once for each snapshot, and all jobs share it. A later snapshot reuses the prepared objects that did
//! not change.

use std::sync::Arc;

use super::label_table::{KeySource, LabelledKind};
use super::names::{KeyNames, KeyedLabel, Names, lowercase};
use crate::objects::{
    Cluster, Collection, EndpointSlice, Endpoints, Ingress, Metadata, Namespace, Node, Object, Pod, Service, TextMap,
};

/// The prepared objects that discovery reads.
#[derive(Debug)]
pub struct Index {
    pub(super) names: Arc<Names>,
    pub(super) namespaces: Collection<Prepared<Namespace>>,
    pub(super) nodes: Collection<Prepared<Node>>,
    pub(super) pods: Collection<Prepared<Pod>>,
    pub(super) services: Collection<Prepared<Service>>,
    pub(super) endpoints: Collection<Prepared<Endpoints>>,
    pub(super) endpoint_slices: Collection<Prepared<EndpointSlice>>,
    pub(super) ingresses: Collection<Prepared<Ingress>>,
    pub(super) cluster: Cluster,
}

impl Index {
    /// Prepares the objects of a cluster.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        let nothing = Self {
            names: Arc::new(Names::new()),
            namespaces: Collection::default(),
            nodes: Collection::default(),
            pods: Collection::default(),
            services: Collection::default(),
            endpoints: Collection::default(),
            endpoint_slices: Collection::default(),
            ingresses: Collection::default(),
            cluster: Cluster::default(),
        };
        nothing.advanced(cluster)
    }

    /// Prepares the objects of a later state. Prepared objects that did not change are reused.
    pub(super) fn advanced(&self, cluster: &Cluster) -> Self {
        let (known, mut names) = (&self.cluster, Arc::clone(&self.names));
        Self {
            namespaces: prepare(&self.namespaces, &known.namespaces, &cluster.namespaces, &mut names),
            nodes: prepare(&self.nodes, &known.nodes, &cluster.nodes, &mut names),
            pods: prepare(&self.pods, &known.pods, &cluster.pods, &mut names),
            services: prepare(&self.services, &known.services, &cluster.services, &mut names),
            endpoints: prepare(&self.endpoints, &known.endpoints, &cluster.endpoints, &mut names),
            endpoint_slices: prepare(
                &self.endpoint_slices,
                &known.endpoint_slices,
                &cluster.endpoint_slices,
                &mut names,
            ),
            ingresses: prepare(&self.ingresses, &known.ingresses, &cluster.ingresses, &mut names),
            cluster: cluster.clone(),
            names,
        }
    }
}

/// An object with the names of the labels that it adds to targets.
#[derive(Debug)]
pub(super) struct Prepared<T> {
    pub(super) object: Arc<T>,
    pub(super) annotations: Arc<[KeyedLabel]>,
    pub(super) labels: Arc<[KeyedLabel]>,
}

impl<T: Object> Object for Prepared<T> {
    const KIND: &'static str = T::KIND;

    fn metadata(&self) -> &Metadata {
        self.object.metadata()
    }
}

/// An object whose labels and annotations become labels of targets.
pub(super) trait Described: Object {
    /// The kind in the names of its `__meta_` labels.
    const LABELLED: LabelledKind;

    /// Adds names for other keys than those of labels and annotations.
    fn learn(&self, _: &mut Learner<'_>) {}
}

/// Adds names. The shared table of names is copied only if there is a new name.
pub(super) struct Learner<'n> {
    names: &'n mut Arc<Names>,
    joined: Vec<u8>,
}

impl Learner<'_> {
    pub(super) fn learn(&mut self, source: KeySource, key: &str) -> KeyNames {
        match self.names.known(source, key) {
            Some(names) => names,
            None => Arc::make_mut(self.names).learn(source, key),
        }
    }

    /// The `__meta_` labels of the keys of an object's labels or annotations.
    fn learn_list(&mut self, source: KeySource, values: &TextMap) -> Arc<[KeyedLabel]> {
        self.joined.clear();
        for key in values.keys() {
            self.joined.extend_from_slice(key.as_bytes());
            self.joined.push(0xff);
        }
        match self.names.known_list(source, &self.joined) {
            Some(list) => Arc::clone(list),
            None => Arc::make_mut(self.names).learn_list(source, &self.joined, values.keys()),
        }
    }
}

/// Prepares the objects of `now`. `prepared` has the prepared objects of `before`.
fn prepare<T: Described>(
    prepared: &Collection<Prepared<T>>,
    before: &Collection<T>,
    now: &Collection<T>,
    names: &mut Arc<Names>,
) -> Collection<Prepared<T>> {
    let mut prepared = prepared.clone();
    let mut learner = Learner { names, joined: Vec::new() };
    for (key, object) in now.changes_since(before) {
        let Some(object) = object else {
            prepared.remove(&key.namespace, &key.name);
            continue;
        };
        let metadata = object.metadata();
        object.learn(&mut learner);
        let annotations = learner.learn_list(KeySource::Annotation(T::LABELLED), &metadata.annotations);
        let labels = learner.learn_list(KeySource::Label(T::LABELLED), &metadata.labels);
        prepared.insert_keyed(key, Prepared { object: Arc::clone(object), annotations, labels });
    }
    prepared
}

impl Described for Namespace {
    const LABELLED: LabelledKind = LabelledKind::Namespace;
}

impl Described for Node {
    const LABELLED: LabelledKind = LabelledKind::Node;

    fn learn(&self, learner: &mut Learner<'_>) {
        for address in &self.status.addresses {
            learner.learn(KeySource::NodeAddress, &address.r#type);
        }
        for condition in &self.status.conditions {
            learner.learn(KeySource::NodeCondition, &lowercase(&condition.r#type));
        }
    }
}

impl Described for Pod {
    const LABELLED: LabelledKind = LabelledKind::Pod;
}

impl Described for Service {
    const LABELLED: LabelledKind = LabelledKind::Service;
}

impl Described for Endpoints {
    const LABELLED: LabelledKind = LabelledKind::Endpoints;
}

impl Described for EndpointSlice {
    const LABELLED: LabelledKind = LabelledKind::EndpointSlice;

    fn learn(&self, learner: &mut Learner<'_>) {
        for key in self.endpoints.iter().flat_map(|endpoint| endpoint.deprecated_topology.keys()) {
            learner.learn(KeySource::Topology, key);
        }
    }
}

impl Described for Ingress {
    const LABELLED: LabelledKind = LabelledKind::Ingress;
}
