//! Fills in the defaults of an API server.
//!
//! Input: an object from a manifest. Output: the object with the fields that an API server sets on creation.

use std::collections::BTreeSet;
use std::sync::Arc;

use compact_str::CompactString;
use target_allocator_core::objects::monitoring::{PodMonitor, Probe, ScrapeConfig, ServiceMonitor};
use target_allocator_core::objects::pod::PodSpec;
use target_allocator_core::objects::{
    Cluster, ConfigMap, EndpointSlice, Endpoints, Ingress, Job, Metadata, Namespace, Pod, ReplicaSet, Secret, Service,
};

/// An object without a namespace is in the namespace `default`.
fn in_namespace(metadata: &mut Metadata) {
    if metadata.namespace.is_empty() {
        "default".clone_into(&mut metadata.namespace);
    }
}

/// Kinds without other defaults.
macro_rules! only_namespace {
    ($($name:ident: $type:ty),+ $(,)?) => {
        $(/// A namespace.
        pub fn $name(object: &mut $type) {
            in_namespace(&mut object.metadata);
        })+
    };
}

only_namespace! {
    secret: Secret,
    config_map: ConfigMap,
    ingress: Ingress,
    replica_set: ReplicaSet,
    job: Job,
    service_monitor: ServiceMonitor,
    pod_monitor: PodMonitor,
    probe: Probe,
    scrape_config: ScrapeConfig,
}

/// Every namespace has a label with its name. Namespace selectors use this label.
pub fn namespace(namespace: &mut Namespace) {
    let Metadata { name, labels, .. } = &mut namespace.metadata;
    Arc::make_mut(labels).insert(Namespace::NAME_LABEL, name);
}

/// Ports are TCP.
pub fn pod(pod: &mut Pod) {
    in_namespace(&mut pod.metadata);
    let PodSpec { containers, init_containers, .. } = &mut pod.spec;
    for container in Arc::make_mut(containers).iter_mut().chain(Arc::make_mut(init_containers)) {
        for port in &mut container.ports {
            tcp(&mut port.protocol);
        }
    }
}

/// The protocol of a port is TCP, and the type is `ClusterIP`.
pub fn service(service: &mut Service) {
    in_namespace(&mut service.metadata);
    if service.spec.r#type.is_empty() {
        service.spec.r#type = CompactString::const_new("ClusterIP");
    }
    for port in &mut service.spec.ports {
        tcp(&mut port.protocol);
    }
}

/// Ports are TCP.
pub fn endpoints(endpoints: &mut Endpoints) {
    in_namespace(&mut endpoints.metadata);
    for port in endpoints.subsets.iter_mut().flat_map(|subset| &mut subset.ports) {
        tcp(&mut port.protocol);
    }
}

/// The protocol of a port is TCP, and its name is empty.
pub fn endpoint_slice(slice: &mut EndpointSlice) {
    in_namespace(&mut slice.metadata);
    for port in &mut slice.ports {
        tcp(port.protocol.get_or_insert_default());
        port.name.get_or_insert_default();
    }
}

fn tcp(protocol: &mut CompactString) {
    if protocol.is_empty() {
        *protocol = CompactString::const_new("TCP");
    }
}

/// Adds the namespaces of all objects. The manifests may omit them.
pub fn add_namespaces(cluster: &mut Cluster) {
    let mut used = BTreeSet::new();
    used.extend(cluster.pods.iter().map(|object| &object.metadata.namespace));
    used.extend(cluster.services.iter().map(|object| &object.metadata.namespace));
    used.extend(cluster.service_monitors.iter().map(|object| &object.metadata.namespace));
    used.extend(cluster.pod_monitors.iter().map(|object| &object.metadata.namespace));
    used.extend(cluster.probes.iter().map(|object| &object.metadata.namespace));
    used.extend(cluster.scrape_configs.iter().map(|object| &object.metadata.namespace));
    for name in used {
        if cluster.namespaces.get("", name).is_none() {
            let mut added = Namespace::default();
            name.clone_into(&mut added.metadata.name);
            namespace(&mut added);
            cluster.namespaces.insert(added);
        }
    }
}
