//! The pod role: one target a container port, or a container if it has none.
//!
//! Also the labels that pods lend to the targets of endpoints and endpoint slices.
//! Follows `discovery/kubernetes/pod.go` of Prometheus.

use std::borrow::Cow;

use super::index::Prepared;
use super::names::{Fixed, lowercase};
use super::passed_over::PassedOver;
use super::view::{Labels, View, port_text, truth};
use crate::address::join_host_port;
use crate::labels::LabelSet;
use crate::objects::Pod;
use crate::objects::pod::{Container, ContainerPort};

/// The labels of all targets of a pod; a pod without an address, or on a node that is not seen, has none.
pub(super) fn group<'a>(view: View<'a, '_>, pod: &'a Prepared<Pod>) -> Result<LabelSet<'a>, PassedOver> {
    let Pod { metadata, spec, status } = pod.object.as_ref();
    if status.pod_ip.is_empty() {
        return Err(PassedOver::NoAddress);
    }
    if !view.query.pods.chooses(pod.object.as_ref()) {
        return Err(PassedOver::NotChosen);
    }
    let mut labels = view.labels();
    labels.push(Fixed::Namespace, metadata.namespace.as_str());
    if let Some(namespace) = view.attached_namespace(&metadata.namespace) {
        labels.push_annotations(namespace);
        labels.push_labels(namespace);
    }
    if view.query.attach.node {
        let node = view.node(&spec.node_name).ok_or(PassedOver::NoNode)?;
        labels.push_annotations(node);
        labels.push_labels(node);
        labels.push(Fixed::NodeName, node.object.metadata.name.as_str());
    }
    push_pod(&mut labels, view, pod, None);
    Ok(labels.finish())
}

/// The targets of a pod.
pub(super) fn targets<'a>(view: View<'a, '_>, pod: &'a Prepared<Pod>) -> Vec<LabelSet<'a>> {
    let status = &pod.object.status;
    let address = status.pod_ip.as_str();
    let mut targets = Vec::new();
    for (container, init) in containers(&pod.object) {
        let statuses = if init { &status.init_container_statuses } else { &status.container_statuses };
        let id = statuses.iter().find(|status| status.name == container.name);
        let id = Some(id.map_or("", |status| status.container_id.as_str()));
        if container.ports.is_empty() {
            // People add the port by a rule.
            let mut labels = view.labels().with_address(address);
            push_container(&mut labels, &ContainerLabels { container, init, id, port: None });
            targets.push(labels.finish());
        }
        for port in &container.ports {
            let port = PortLabels::of(port);
            let mut labels = view.labels().with_address(join_host_port(address, &port.number));
            push_container(&mut labels, &ContainerLabels { container, init, id, port: Some(port) });
            targets.push(labels.finish());
        }
    }
    targets
}

/// The containers of a pod, init containers last; true for those.
pub(super) fn containers(pod: &Pod) -> impl Iterator<Item = (&Container, bool)> {
    let containers = pod.spec.containers.iter().map(|container| (container, false));
    containers.chain(pod.spec.init_containers.iter().map(|container| (container, true)))
}

/// What a target knows of the container that it is.
pub(super) struct ContainerLabels<'a> {
    pub(super) container: &'a Container,
    pub(super) init: bool,
    /// Only the pod role tells it.
    pub(super) id: Option<&'a str>,
    pub(super) port: Option<PortLabels<'a>>,
}

/// What a target knows of its container's port.
pub(super) struct PortLabels<'a> {
    pub(super) name: &'a str,
    pub(super) number: String,
    pub(super) protocol: &'a str,
}

impl<'a> PortLabels<'a> {
    pub(super) fn of(port: &'a ContainerPort) -> Self {
        Self { name: &port.name, number: port_text(port.container_port), protocol: &port.protocol }
    }
}

/// Pushes the labels of a pod, those of one of its containers in between.
pub(super) fn push_pod<'a>(
    labels: &mut Labels<'a, '_>,
    view: View<'a, '_>,
    pod: &'a Prepared<Pod>,
    container: Option<&ContainerLabels<'a>>,
) {
    let Pod { metadata, spec, status } = pod.object.as_ref();
    let attach = view.query.attach;
    labels.push_annotations(pod);
    if let Some(container) = container {
        push_container(labels, container);
    }
    let controller = metadata.controller();
    let (kind, name) = controller.map_or(("", ""), |controller| (controller.kind.as_str(), controller.name.as_str()));
    labels.push_some(Fixed::PodControllerKind, Some(kind).filter(|kind| !kind.is_empty()));
    labels.push_some(Fixed::PodControllerName, Some(name).filter(|name| !name.is_empty()));
    if kind == "Job" && attach.cronjob {
        let owner = view.index.cluster.jobs.get(&metadata.namespace, name).and_then(|job| job.metadata.controller());
        let cron_job = owner.filter(|owner| owner.kind == "CronJob");
        labels.push_some(Fixed::PodCronJobName, cron_job.map(|owner| owner.name.as_str()));
    }
    if kind == "ReplicaSet" && attach.deployment {
        let replica_set = view.index.cluster.replica_sets.get(&metadata.namespace, name);
        let owner = replica_set.and_then(|replica_set| replica_set.metadata.controller());
        let deployment = owner.filter(|owner| owner.kind == "Deployment");
        labels.push_some(Fixed::PodDeploymentName, deployment.map(|owner| owner.name.as_str()));
    }
    labels.push(Fixed::PodHostIp, status.host_ip.as_str());
    labels.push(Fixed::PodIp, status.pod_ip.as_str());
    if kind == "Job" && attach.job {
        labels.push(Fixed::PodJobName, name);
    }
    labels.push_labels(pod);
    labels.push(Fixed::PodName, metadata.name.as_str());
    labels.push(Fixed::PodNodeName, spec.node_name.as_str());
    labels.push(Fixed::PodPhase, status.phase.as_str());
    labels.push_with(Fixed::PodReady, || ready(pod));
    labels.push(Fixed::PodUid, metadata.uid.as_str());
}

/// Adds a target for each container port of a pod that no target covers yet.
pub(super) fn push_uncovered<'a>(
    view: View<'a, '_>,
    pod: &'a Prepared<Pod>,
    covered: impl Fn(&ContainerPort) -> bool,
    mut push: impl FnMut(LabelSet<'a>),
) {
    let address = pod.object.status.pod_ip.as_str();
    // A pod that is starting or evicted has none.
    if address.is_empty() {
        return;
    }
    for (container, init) in containers(&pod.object) {
        for port in container.ports.iter().filter(|port| !covered(port)) {
            let port = PortLabels::of(port);
            let mut labels = view.labels().with_address(join_host_port(address, &port.number));
            push_pod(&mut labels, view, pod, Some(&ContainerLabels { container, init, id: None, port: Some(port) }));
            push(labels.finish());
        }
    }
}

/// The container that declares a port; the last one if several do.
pub(super) fn container_of(pod: &Pod, number: i32) -> Option<ContainerLabels<'_>> {
    let declaring = containers(pod).filter_map(|(container, init)| {
        let port = container.ports.iter().find(|port| port.container_port == number)?;
        Some((container, init, port))
    });
    let (container, init, port) = declaring.last()?;
    Some(ContainerLabels { container, init, id: None, port: Some(PortLabels::of(port)) })
}

fn push_container<'a>(labels: &mut Labels<'a, '_>, container: &ContainerLabels<'a>) {
    let ContainerLabels { container, init, id, port } = container;
    labels.push_some(Fixed::PodContainerId, *id);
    labels.push(Fixed::PodContainerImage, container.image.as_str());
    labels.push(Fixed::PodContainerInit, truth(*init));
    labels.push(Fixed::PodContainerName, container.name.as_str());
    if let Some(PortLabels { name, number, protocol }) = port {
        labels.push(Fixed::PodContainerPortName, *name);
        labels.push_with(Fixed::PodContainerPortNumber, || Cow::Owned(number.clone()));
        labels.push(Fixed::PodContainerPortProtocol, *protocol);
    }
}

fn ready(pod: &Prepared<Pod>) -> Cow<'_, str> {
    match pod.object.status.ready.condition().map(|condition| condition.status.as_str()) {
        Some("True") => Cow::Borrowed("true"),
        Some("False") => Cow::Borrowed("false"),
        Some(other) => Cow::Owned(lowercase(other)),
        None => Cow::Borrowed("unknown"),
    }
}
