//! The endpointslice role: one target for each address and port of the slice, and one for each other container port of
//! its pods.
//!
//! Follows `discovery/kubernetes/endpointslice.go` of Prometheus.

use std::borrow::Cow;

use super::bounded::{Bounded, PartTarget, TooMany};
use super::index::Prepared;
use super::label_table::{KeySource, MetaLabel};
use super::passed_over::PassedOver;
use super::pod::{container_of, push_pod, push_uncovered};
use super::role::RoleObject;
use super::service::push_service;
use super::view::{Labels, Marks, View, port_text, truth};
use crate::address::join_host_port;
use crate::labels::LabelSet;
use crate::objects::endpoints::{SliceConditions, SliceEndpoint, SlicePort};
use crate::objects::pod::ContainerPort;
use crate::objects::{EndpointSlice, Node, Pod, Service};

impl RoleObject for EndpointSlice {
    fn labels<'a>(view: View<'a, '_>, slice: &'a Prepared<EndpointSlice>) -> Result<LabelSet<'a>, PassedOver> {
        let EndpointSlice { metadata, address_type, .. } = slice.object.as_ref();
        if !view.query.selections.endpoint_slices.selects(slice.object.as_ref()) {
            return Err(PassedOver::NotChosen);
        }
        let mut labels = view.labels();
        labels.push(MetaLabel::SliceAddressType, address_type.as_str());
        labels.push_annotations(slice);
        labels.push_labels(slice);
        labels.push(MetaLabel::SliceName, metadata.name.as_str());
        labels.push_namespace(view, &metadata.namespace);
        if let Some(service) = service_of(view, &slice.object) {
            push_service(&mut labels, service);
        }
        Ok(labels.finish())
    }

    /// One part for each port of the slice. The last part holds the container ports that the slice does not cover.
    fn parts<'a>(view: View<'a, '_>, slice: &'a Prepared<EndpointSlice>) -> Vec<LabelSet<'a>> {
        slice.object.ports.iter().map(|port| port_labels(view, port)).chain([LabelSet::new()]).collect()
    }

    fn targets<'a>(
        view: View<'a, '_>,
        slice: &'a Prepared<EndpointSlice>,
        parts: &[usize],
    ) -> Result<Vec<PartTarget<'a>>, TooMany> {
        let EndpointSlice { metadata, address_type: _, endpoints, ports } = slice.object.as_ref();
        if is_second_family(view, slice) {
            return Ok(Vec::new());
        }
        let uncovered = ports.len();
        let kept: Vec<(usize, &SlicePort)> = parts.iter().filter_map(|part| Some((*part, ports.get(*part)?))).collect();
        let mut targets = Bounded::default();
        let mut pods = Vec::new();
        for endpoint in endpoints {
            if targets.is_over() {
                break;
            }
            let pod = view.pod(endpoint.target_ref.as_ref(), &metadata.namespace);
            let resolved = Resolved { endpoint, node: node_of(view, endpoint), pod };
            for (part, port) in &kept {
                for address in &endpoint.addresses {
                    let labels = view.labels_with_room(targets.usual());
                    targets.push(*part, target(view, labels, resolved, port, address));
                }
            }
            if !ports.is_empty() && !endpoint.addresses.is_empty() {
                pods.extend(pod);
            }
        }
        if parts.contains(&uncovered) {
            // Each pod appears once. The pods are sorted, so that the order of the endpoints does not matter.
            pods.sort_by_key(|pod| (&pod.object.metadata.namespace, &pod.object.metadata.name));
            pods.dedup_by(|one, other| std::ptr::eq(*one, *other));
            let covered = |port: &ContainerPort| ports.iter().any(|covered| covered.port == Some(port.container_port));
            for pod in pods {
                push_uncovered(view, pod, covered, |target| targets.push(uncovered, target));
            }
        }
        targets.finish()
    }
}

fn service_of<'a>(view: View<'a, '_>, slice: &EndpointSlice) -> Option<&'a Prepared<Service>> {
    view.service(&slice.metadata.namespace, slice.service_name()?)
}

/// Whether the function skips this slice because another slice has the same targets in another address family.
pub(super) fn is_second_family(view: View<'_, '_>, slice: &Prepared<EndpointSlice>) -> bool {
    service_of(view, &slice.object).is_some_and(|service| is_secondary(&service.object, &slice.object))
}

/// Whether the slice has the second address family of a dual-stack service. Its targets repeat those of the first
/// family.
fn is_secondary(service: &Service, slice: &EndpointSlice) -> bool {
    let dual_stack = matches!(service.spec.ip_family_policy.as_deref(), Some("PreferDualStack" | "RequireDualStack"));
    dual_stack && service.spec.ip_families.first().is_some_and(|primary| *primary != slice.address_type)
}

/// An endpoint with its node and its pod.
#[derive(Clone, Copy)]
struct Resolved<'a> {
    endpoint: &'a SliceEndpoint,
    node: Option<&'a Prepared<Node>>,
    pod: Option<&'a Prepared<Pod>>,
}

fn node_of<'a>(view: View<'a, '_>, endpoint: &SliceEndpoint) -> Option<&'a Prepared<Node>> {
    if !view.query.attach.node {
        return None;
    }
    let referred = endpoint.target_ref.as_ref().filter(|target| target.kind == "Node").map(|target| &target.name);
    view.node(referred.or(endpoint.node_name.as_ref())?)
}

fn port_labels<'a>(view: View<'a, '_>, port: &'a SlicePort) -> LabelSet<'a> {
    let SlicePort { name, protocol, port: number, app_protocol } = port;
    let mut labels = view.labels();
    if let Some(number) = number {
        labels.push_with(MetaLabel::SlicePort, || Cow::Owned(port_text(*number)));
    }
    labels.push_some(MetaLabel::SlicePortAppProtocol, app_protocol.as_deref());
    labels.push_some(MetaLabel::SlicePortName, name.as_deref());
    labels.push_some(MetaLabel::SlicePortProtocol, protocol.as_deref());
    labels.finish()
}

/// The labels of one target, without the labels of its port. `labels` is an empty builder.
fn target<'a>(
    view: View<'a, '_>,
    labels: Labels<'a, '_>,
    resolved: Resolved<'a>,
    port: &'a SlicePort,
    address: &'a str,
) -> LabelSet<'a> {
    let Resolved { endpoint, node, pod } = resolved;
    let number = port.port;
    let SliceConditions { ready, serving, terminating } = endpoint.conditions;
    let mut labels = labels.with_address(match number {
        Some(number) => Cow::Owned(join_host_port(address, &port_text(number))),
        None => Cow::Borrowed(address),
    });
    let reference = endpoint.target_ref.as_ref();
    labels.push_some(MetaLabel::SliceAddressTargetKind, reference.map(|target| target.kind.as_str()));
    labels.push_some(MetaLabel::SliceAddressTargetName, reference.map(|target| target.name.as_str()));
    labels.push_some(MetaLabel::SliceConditionsReady, ready.map(truth));
    labels.push_some(MetaLabel::SliceConditionsServing, serving.map(truth));
    labels.push_some(MetaLabel::SliceConditionsTerminating, terminating.map(truth));
    labels.push_some(MetaLabel::SliceHostname, endpoint.hostname.as_deref());
    labels.push_some(MetaLabel::SliceNodeName, endpoint.node_name.as_deref());
    if !endpoint.deprecated_topology.is_empty() {
        let topology = &endpoint.deprecated_topology;
        let values = topology.iter().map(|(key, value)| (Cow::Borrowed(key.as_str()), Cow::Borrowed(value.as_str())));
        labels.push_sorted(KeySource::Topology, values, Marks::Present);
    }
    labels.push_some(MetaLabel::SliceZone, endpoint.zone.as_deref());
    if let Some(node) = node {
        labels.push_annotations(node);
        labels.push_labels(node);
        labels.push(MetaLabel::NodeName, node.object.metadata.name.as_str());
    }
    if let Some(pod) = pod {
        let container = number.and_then(|number| container_of(&pod.object, number));
        push_pod(&mut labels, view, pod, container.as_ref());
    }
    labels.finish()
}
