//! The endpoints role: one target for each address and port, and one for each other container port of the pods.
//!
//! Follows `discovery/kubernetes/endpoints.go` of Prometheus.

use std::collections::BTreeMap;

use super::bounded::{Bounded, PartTarget, TooMany};
use super::index::Prepared;
use super::label_table::MetaLabel;
use super::passed_over::PassedOver;
use super::pod::{container_of, push_pod, push_uncovered};
use super::role::RoleObject;
use super::service::push_service;
use super::view::{View, port_text, truth};
use crate::address::join_host_port;
use crate::labels::LabelSet;
use crate::objects::endpoints::{EndpointAddress, EndpointPort};
use crate::objects::{Endpoints, Node, Pod};

impl RoleObject for Endpoints {
    fn labels<'a>(view: View<'a, '_>, endpoints: &'a Prepared<Endpoints>) -> Result<LabelSet<'a>, PassedOver> {
        let metadata = &endpoints.object.metadata;
        if !view.query.selections.endpoints.selects(endpoints.object.as_ref()) {
            return Err(PassedOver::NotChosen);
        }
        let mut labels = view.labels();
        labels.push_annotations(endpoints);
        labels.push_labels(endpoints);
        labels.push(MetaLabel::EndpointsName, metadata.name.as_str());
        labels.push_namespace(view, &metadata.namespace);
        // Endpoints belong to the service with the same name.
        if let Some(service) = view.service(&metadata.namespace, &metadata.name) {
            push_service(&mut labels, service);
        }
        Ok(labels.finish())
    }

    /// Addresses that are not ready come last. If an address is in both lists, its last target counts.
    fn targets<'a>(
        view: View<'a, '_>,
        endpoints: &'a Prepared<Endpoints>,
        _: &[usize],
    ) -> Result<Vec<PartTarget<'a>>, TooMany> {
        let Endpoints { metadata, subsets } = endpoints.object.as_ref();
        let mut targets = Bounded::default();
        let mut pods = BTreeMap::new();
        for subset in subsets {
            for port in &subset.ports {
                if targets.is_over() {
                    break;
                }
                let ready = subset.addresses.iter().map(|address| (address, true));
                for (address, ready) in ready.chain(subset.not_ready_addresses.iter().map(|address| (address, false))) {
                    let pod = view.pod(address.target_ref.as_ref(), &metadata.namespace);
                    if let Some(pod) = pod {
                        let key = (pod.object.metadata.namespace.as_str(), pod.object.metadata.name.as_str());
                        pods.entry(key).or_insert((pod, Vec::new())).1.push(port.port);
                    }
                    targets.push(0, target(view, address, port, ready, pod));
                }
            }
        }
        for (pod, ports) in pods.values() {
            push_uncovered(view, pod, |port| ports.contains(&port.container_port), |target| targets.push(0, target));
        }
        targets.finish()
    }
}

fn target<'a>(
    view: View<'a, '_>,
    address: &'a EndpointAddress,
    port: &'a EndpointPort,
    ready: bool,
    pod: Option<&'a Prepared<Pod>>,
) -> LabelSet<'a> {
    let mut labels = view.labels().with_address(join_host_port(&address.ip, &port_text(port.port)));
    let reference = address.target_ref.as_ref();
    labels.push_some(MetaLabel::EndpointAddressTargetKind, reference.map(|target| target.kind.as_str()));
    labels.push_some(MetaLabel::EndpointAddressTargetName, reference.map(|target| target.name.as_str()));
    labels.push_some(MetaLabel::EndpointHostname, Some(address.hostname.as_str()).filter(|name| !name.is_empty()));
    labels.push_some(MetaLabel::EndpointNodeName, address.node_name.as_deref());
    labels.push(MetaLabel::EndpointPortName, port.name.as_str());
    labels.push(MetaLabel::EndpointPortProtocol, port.protocol.as_str());
    labels.push(MetaLabel::EndpointReady, truth(ready));
    if let Some(node) = node_of(view, address) {
        labels.push_annotations(node);
        labels.push_labels(node);
        labels.push(MetaLabel::NodeName, node.object.metadata.name.as_str());
    }
    if let Some(pod) = pod {
        let mut container = container_of(&pod.object, port.port);
        // As in Prometheus, the protocol comes from the endpoints. For slices, it comes from the container.
        if let Some(labels) = container.as_mut().and_then(|container| container.port.as_mut()) {
            labels.protocol = &port.protocol;
        }
        push_pod(&mut labels, view, pod, container.as_ref());
    }
    labels.finish()
}

/// The node of an address. `nodeName` takes precedence over a reference to a node.
fn node_of<'a>(view: View<'a, '_>, address: &EndpointAddress) -> Option<&'a Prepared<Node>> {
    if !view.query.attach.node {
        return None;
    }
    let referred = address.target_ref.as_ref().filter(|target| target.kind == "Node").map(|target| &target.name);
    view.node(address.node_name.as_ref().or(referred)?)
}
