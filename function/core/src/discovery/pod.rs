//! The pod role: one target for each container port, or for each container without ports.
//!
//! Targets of endpoints and of endpoint slices get the labels of their pod from this file, too.
//! Follows `discovery/kubernetes/pod.go` of Prometheus.

use std::borrow::Cow;

use super::bounded::{PartTarget, TooMany};
use super::index::Prepared;
use super::label_table::MetaLabel;
use super::names::lowercase;
use super::passed_over::PassedOver;
use super::role::RoleObject;
use super::view::{Labels, View, port_text, truth};
use crate::address::join_host_port;
use crate::labels::LabelSet;
use crate::objects::Pod;
use crate::objects::pod::{Container, ContainerPort};

impl RoleObject for Pod {
    /// A pod without an address has no group. If the query attaches nodes, a pod without a visible node has no group
    /// either.
    fn labels<'a>(view: View<'a, '_>, pod: &'a Prepared<Pod>) -> Result<LabelSet<'a>, PassedOver> {
        let Pod { metadata, spec, status } = pod.object.as_ref();
        if status.pod_ip.is_empty() {
            return Err(PassedOver::NoAddress);
        }
        if !view.query.selections.pods.selects(pod.object.as_ref()) {
            return Err(PassedOver::NotChosen);
        }
        let mut labels = view.labels();
        labels.push_namespace(view, &metadata.namespace);
        if view.query.attach.node {
            let node = view.node(&spec.node_name).ok_or(PassedOver::NoNode)?;
            labels.push_annotations(node);
            labels.push_labels(node);
            labels.push(MetaLabel::NodeName, node.object.metadata.name.as_str());
        }
        push_pod(&mut labels, view, pod, None);
        Ok(labels.finish())
    }

    fn targets<'a>(view: View<'a, '_>, pod: &'a Prepared<Pod>, _: &[usize]) -> Result<Vec<PartTarget<'a>>, TooMany> {
        let status = &pod.object.status;
        let address = status.pod_ip.as_str();
        let mut targets = Vec::new();
        for container in containers(&pod.object) {
            let statuses = if container.is_init { &status.init_container_statuses } else { &status.container_statuses };
            let id = statuses.iter().find(|status| status.name == container.container.name);
            let id = Some(id.map_or("", |status| status.container_id.as_str()));
            if container.container.ports.is_empty() {
                // The address has no port. Users add one with a relabelling rule.
                let mut labels = view.labels().with_address(address);
                push_container(&mut labels, &ContainerLabels { container, id, port: None });
                targets.push(labels.finish());
            }
            for port in &container.container.ports {
                let port = PortLabels::of(port);
                let mut labels = view.labels().with_address(join_host_port(address, &port.number));
                push_container(&mut labels, &ContainerLabels { container, id, port: Some(port) });
                targets.push(labels.finish());
            }
        }
        Ok(PartTarget::of_one_part(targets))
    }
}

/// A container of a pod.
#[derive(Clone, Copy)]
pub(super) struct PodContainer<'a> {
    container: &'a Container,
    is_init: bool,
}

/// The containers of a pod. Init containers come last.
fn containers(pod: &Pod) -> impl Iterator<Item = PodContainer<'_>> {
    let containers = pod.spec.containers.iter().map(|container| PodContainer { container, is_init: false });
    let init_containers = pod.spec.init_containers.iter();
    containers.chain(init_containers.map(|container| PodContainer { container, is_init: true }))
}

/// The values of the labels for the container of a target.
pub(super) struct ContainerLabels<'a> {
    container: PodContainer<'a>,
    /// The ID of the container. Only targets of the pod role have it.
    id: Option<&'a str>,
    pub(super) port: Option<PortLabels<'a>>,
}

/// The values of the labels for the container port of a target.
pub(super) struct PortLabels<'a> {
    name: &'a str,
    number: String,
    pub(super) protocol: &'a str,
}

impl<'a> PortLabels<'a> {
    fn of(port: &'a ContainerPort) -> Self {
        Self { name: &port.name, number: port_text(port.container_port), protocol: &port.protocol }
    }
}

/// Pushes the labels of a pod. The labels of `container` are pushed between them, in the order of the names.
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
    labels.push_some(MetaLabel::PodControllerKind, Some(kind).filter(|kind| !kind.is_empty()));
    labels.push_some(MetaLabel::PodControllerName, Some(name).filter(|name| !name.is_empty()));
    if kind == "Job" && attach.cronjob {
        let owner = view.index.cluster.jobs.get(&metadata.namespace, name).and_then(|job| job.metadata.controller());
        let cron_job = owner.filter(|owner| owner.kind == "CronJob");
        labels.push_some(MetaLabel::PodCronJobName, cron_job.map(|owner| owner.name.as_str()));
    }
    if kind == "ReplicaSet" && attach.deployment {
        let replica_set = view.index.cluster.replica_sets.get(&metadata.namespace, name);
        let owner = replica_set.and_then(|replica_set| replica_set.metadata.controller());
        let deployment = owner.filter(|owner| owner.kind == "Deployment");
        labels.push_some(MetaLabel::PodDeploymentName, deployment.map(|owner| owner.name.as_str()));
    }
    labels.push(MetaLabel::PodHostIp, status.host_ip.as_str());
    labels.push(MetaLabel::PodIp, status.pod_ip.as_str());
    if kind == "Job" && attach.job {
        labels.push(MetaLabel::PodJobName, name);
    }
    labels.push_labels(pod);
    labels.push(MetaLabel::PodName, metadata.name.as_str());
    labels.push(MetaLabel::PodNodeName, spec.node_name.as_str());
    labels.push(MetaLabel::PodPhase, status.phase.as_str());
    labels.push_with(MetaLabel::PodReady, || ready(pod));
    labels.push(MetaLabel::PodUid, metadata.uid.as_str());
}

/// Pushes a target for each container port of a pod that is not `covered` by another target.
pub(super) fn push_uncovered<'a>(
    view: View<'a, '_>,
    pod: &'a Prepared<Pod>,
    covered: impl Fn(&ContainerPort) -> bool,
    mut push: impl FnMut(LabelSet<'a>),
) {
    let address = pod.object.status.pod_ip.as_str();
    // A pod has no address while it starts, and after it was evicted.
    if address.is_empty() {
        return;
    }
    for container in containers(&pod.object) {
        for port in container.container.ports.iter().filter(|port| !covered(port)) {
            let port = PortLabels::of(port);
            let mut labels = view.labels().with_address(join_host_port(address, &port.number));
            push_pod(&mut labels, view, pod, Some(&ContainerLabels { container, id: None, port: Some(port) }));
            push(labels.finish());
        }
    }
}

/// The last container that declares a port.
pub(super) fn container_of(pod: &Pod, number: i32) -> Option<ContainerLabels<'_>> {
    let declaring = containers(pod).filter_map(|container| {
        let port = container.container.ports.iter().find(|port| port.container_port == number)?;
        Some((container, port))
    });
    let (container, port) = declaring.last()?;
    Some(ContainerLabels { container, id: None, port: Some(PortLabels::of(port)) })
}

fn push_container<'a>(labels: &mut Labels<'a, '_>, container: &ContainerLabels<'a>) {
    let ContainerLabels { container: PodContainer { container, is_init }, id, port } = container;
    labels.push_some(MetaLabel::PodContainerId, *id);
    labels.push(MetaLabel::PodContainerImage, container.image.as_str());
    labels.push(MetaLabel::PodContainerInit, truth(*is_init));
    labels.push(MetaLabel::PodContainerName, container.name.as_str());
    if let Some(PortLabels { name, number, protocol }) = port {
        labels.push(MetaLabel::PodContainerPortName, *name);
        labels.push_with(MetaLabel::PodContainerPortNumber, || Cow::Owned(number.clone()));
        labels.push(MetaLabel::PodContainerPortProtocol, *protocol);
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
