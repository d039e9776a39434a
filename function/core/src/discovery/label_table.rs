//! The labels that Kubernetes discovery sets, one row each.
//!
//! A row has the meaning of a label, its name, the kind of object that it describes, its level, and whether targets of
//! a group share its value. Names that contain a key of an object are in a second table, [`KeySource`]. The names are
//! those of Prometheus 3.14.

use crate::labels::{ADDRESS, Level};
use crate::scrape_config::discovery::Role;

/// The prefix of all names.
const PREFIX: &str = "__meta_kubernetes_";

/// The prefix of all names of labels of nodes.
const NODE_PREFIX: &str = "__meta_kubernetes_node_";

/// The label `instance` of a node. It has no `__meta_` prefix, so it stays after relabelling.
pub(super) const INSTANCE: &str = "instance";

/// Whether the targets of a group share the value of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spread {
    /// The targets of a group often have equal values.
    Shared,
    /// The value differs from target to target.
    Own,
}

/// A kind of object whose fields become labels of targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum LabelledKind {
    Endpoints,
    EndpointSlice,
    Ingress,
    Namespace,
    Node,
    Pod,
    Service,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) name: &'static str,
    kind: LabelledKind,
    /// The level for the role that discovers objects of this kind. [`level`] returns the level for other roles.
    level: Level,
    spread: Spread,
}

macro_rules! meta_labels {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal: $kind:ident, $level:ident, $spread:ident;)+) => {
        /// A label with a fixed name.
        #[derive(Debug, Clone, Copy)]
        pub(super) enum MetaLabel {
            $($(#[$doc])+ $variant,)+
        }

        /// The rows, in the order of [`MetaLabel`].
        pub(super) const ROWS: &[Row] = &[$(Row {
            name: $name,
            kind: LabelledKind::$kind,
            level: Level::$level,
            spread: Spread::$spread,
        },)+];
    };
}

meta_labels! {
    /// Kind of the object behind the address, `Pod` or `Node`.
    EndpointAddressTargetKind = "__meta_kubernetes_endpoint_address_target_kind": Endpoints, Target, Shared;
    /// Name of the object behind the address.
    EndpointAddressTargetName = "__meta_kubernetes_endpoint_address_target_name": Endpoints, Target, Own;
    /// Host name of the address.
    EndpointHostname = "__meta_kubernetes_endpoint_hostname": Endpoints, Target, Own;
    /// Node on which the address is served.
    EndpointNodeName = "__meta_kubernetes_endpoint_node_name": Endpoints, Target, Own;
    /// Name of the port.
    EndpointPortName = "__meta_kubernetes_endpoint_port_name": Endpoints, Target, Shared;
    /// Protocol of the port.
    EndpointPortProtocol = "__meta_kubernetes_endpoint_port_protocol": Endpoints, Target, Shared;
    /// `true` for a ready address, else `false`.
    EndpointReady = "__meta_kubernetes_endpoint_ready": Endpoints, Target, Shared;
    /// Name of the endpoints object.
    EndpointsName = "__meta_kubernetes_endpoints_name": Endpoints, Group, Shared;
    /// Kind of the object behind the address, `Pod` or `Node`.
    SliceAddressTargetKind = "__meta_kubernetes_endpointslice_address_target_kind": EndpointSlice, Target, Shared;
    /// Name of the object behind the address.
    SliceAddressTargetName = "__meta_kubernetes_endpointslice_address_target_name": EndpointSlice, Target, Own;
    /// `IPv4`, `IPv6` or `FQDN`.
    SliceAddressType = "__meta_kubernetes_endpointslice_address_type": EndpointSlice, Group, Shared;
    /// Whether the endpoint is ready. Not set if the slice has no such condition.
    SliceConditionsReady = "__meta_kubernetes_endpointslice_endpoint_conditions_ready": EndpointSlice, Target, Shared;
    /// Whether the endpoint serves, even while it terminates. Not set if the slice has no such condition.
    SliceConditionsServing = "__meta_kubernetes_endpointslice_endpoint_conditions_serving": EndpointSlice, Target, Shared;
    /// Whether the endpoint terminates. Not set if the slice has no such condition.
    SliceConditionsTerminating = "__meta_kubernetes_endpointslice_endpoint_conditions_terminating": EndpointSlice, Target, Shared;
    /// Host name of the endpoint.
    SliceHostname = "__meta_kubernetes_endpointslice_endpoint_hostname": EndpointSlice, Target, Own;
    /// Node of the endpoint.
    SliceNodeName = "__meta_kubernetes_endpointslice_endpoint_node_name": EndpointSlice, Target, Own;
    /// Zone of the endpoint.
    SliceZone = "__meta_kubernetes_endpointslice_endpoint_zone": EndpointSlice, Target, Shared;
    /// Name of the slice.
    SliceName = "__meta_kubernetes_endpointslice_name": EndpointSlice, Group, Shared;
    /// Number of the port.
    SlicePort = "__meta_kubernetes_endpointslice_port": EndpointSlice, Part, Shared;
    /// Application protocol of the port.
    SlicePortAppProtocol = "__meta_kubernetes_endpointslice_port_app_protocol": EndpointSlice, Part, Shared;
    /// Name of the port.
    SlicePortName = "__meta_kubernetes_endpointslice_port_name": EndpointSlice, Part, Shared;
    /// Protocol of the port.
    SlicePortProtocol = "__meta_kubernetes_endpointslice_port_protocol": EndpointSlice, Part, Shared;
    /// Class of the ingress.
    IngressClassName = "__meta_kubernetes_ingress_class_name": Ingress, Group, Shared;
    /// Host of the rule.
    IngressHost = "__meta_kubernetes_ingress_host": Ingress, Target, Shared;
    /// Name of the ingress.
    IngressName = "__meta_kubernetes_ingress_name": Ingress, Group, Shared;
    /// Path of the rule. `/` if the rule has no path.
    IngressPath = "__meta_kubernetes_ingress_path": Ingress, Target, Shared;
    /// `https` if a certificate covers the host. Otherwise `http`.
    IngressScheme = "__meta_kubernetes_ingress_scheme": Ingress, Target, Shared;
    /// Namespace of the object.
    Namespace = "__meta_kubernetes_namespace": Namespace, Group, Shared;
    /// Name of the node.
    NodeName = "__meta_kubernetes_node_name": Node, Group, Own;
    /// The cloud provider's name of the node.
    NodeProviderId = "__meta_kubernetes_node_provider_id": Node, Group, Own;
    /// ID of the container, with its runtime.
    PodContainerId = "__meta_kubernetes_pod_container_id": Pod, Target, Own;
    /// Image of the container.
    PodContainerImage = "__meta_kubernetes_pod_container_image": Pod, Target, Shared;
    /// `true` for an init container, else `false`.
    PodContainerInit = "__meta_kubernetes_pod_container_init": Pod, Target, Shared;
    /// Name of the container.
    PodContainerName = "__meta_kubernetes_pod_container_name": Pod, Target, Shared;
    /// Name of the container's port.
    PodContainerPortName = "__meta_kubernetes_pod_container_port_name": Pod, Target, Shared;
    /// Number of the container's port.
    PodContainerPortNumber = "__meta_kubernetes_pod_container_port_number": Pod, Target, Shared;
    /// Protocol of the container's port.
    PodContainerPortProtocol = "__meta_kubernetes_pod_container_port_protocol": Pod, Target, Shared;
    /// Kind of the pod's controller.
    PodControllerKind = "__meta_kubernetes_pod_controller_kind": Pod, Group, Shared;
    /// Name of the pod's controller.
    PodControllerName = "__meta_kubernetes_pod_controller_name": Pod, Group, Shared;
    /// The cron job that controls the pod's job.
    PodCronJobName = "__meta_kubernetes_pod_cronjob_name": Pod, Group, Shared;
    /// The deployment that controls the pod's replica set.
    PodDeploymentName = "__meta_kubernetes_pod_deployment_name": Pod, Group, Shared;
    /// Address of the pod's node.
    PodHostIp = "__meta_kubernetes_pod_host_ip": Pod, Group, Own;
    /// Address of the pod.
    PodIp = "__meta_kubernetes_pod_ip": Pod, Group, Own;
    /// The job that controls the pod.
    PodJobName = "__meta_kubernetes_pod_job_name": Pod, Group, Shared;
    /// Name of the pod.
    PodName = "__meta_kubernetes_pod_name": Pod, Group, Own;
    /// Node of the pod.
    PodNodeName = "__meta_kubernetes_pod_node_name": Pod, Group, Own;
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    PodPhase = "__meta_kubernetes_pod_phase": Pod, Group, Shared;
    /// Whether the pod is ready: `true`, `false` or `unknown`.
    PodReady = "__meta_kubernetes_pod_ready": Pod, Group, Shared;
    /// UID of the pod.
    PodUid = "__meta_kubernetes_pod_uid": Pod, Group, Own;
    /// Cluster IP of the service. Not set for a service with an external name.
    ServiceClusterIp = "__meta_kubernetes_service_cluster_ip": Service, Target, Shared;
    /// External name of the service.
    ServiceExternalName = "__meta_kubernetes_service_external_name": Service, Target, Shared;
    /// Address that the service requests from its load balancer.
    ServiceLoadBalancerIp = "__meta_kubernetes_service_loadbalancer_ip": Service, Target, Shared;
    /// Name of the service.
    ServiceName = "__meta_kubernetes_service_name": Service, Group, Shared;
    /// Name of the service's port.
    ServicePortName = "__meta_kubernetes_service_port_name": Service, Target, Shared;
    /// Number of the service's port.
    ServicePortNumber = "__meta_kubernetes_service_port_number": Service, Target, Shared;
    /// Protocol of the service's port.
    ServicePortProtocol = "__meta_kubernetes_service_port_protocol": Service, Target, Shared;
    /// Type of the service.
    ServiceType = "__meta_kubernetes_service_type": Service, Target, Shared;
}

impl MetaLabel {
    pub(super) const fn name(self) -> &'static str {
        ROWS[self as usize].name
    }
}

impl LabelledKind {
    const ALL: [Self; 7] =
        [Self::Endpoints, Self::EndpointSlice, Self::Ingress, Self::Namespace, Self::Node, Self::Pod, Self::Service];

    /// The kind in the names of labels.
    const fn name(self) -> &'static str {
        match self {
            Self::Endpoints => "endpoints",
            Self::EndpointSlice => "endpointslice",
            Self::Ingress => "ingress",
            Self::Namespace => "namespace",
            Self::Node => "node",
            Self::Pod => "pod",
            Self::Service => "service",
        }
    }

    /// The kind of the objects that a role discovers.
    const fn of(role: Role) -> Self {
        match role {
            Role::Endpoints => Self::Endpoints,
            Role::EndpointSlice => Self::EndpointSlice,
            Role::Ingress => Self::Ingress,
            Role::Node => Self::Node,
            Role::Pod => Self::Pod,
            Role::Service => Self::Service,
        }
    }
}

/// The source of a key that becomes a part of a label's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum KeySource {
    /// An annotation of an object.
    Annotation(LabelledKind),
    /// A label of an object.
    Label(LabelledKind),
    /// An entry of the deprecated topology of a slice.
    Topology,
    /// The type of a node's address.
    NodeAddress,
    /// The type of a node's condition, in lower case.
    NodeCondition,
}

/// The prefixes of a key in the names of its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyPrefixes {
    /// The prefix in the name of the label with the value.
    pub(super) value: String,
    /// The prefix in the name of the label that marks a present value with `true`. Addresses and conditions of nodes
    /// have no such label.
    pub(super) present: Option<String>,
}

const TOPOLOGY: &str = "endpointslice_endpoint_topology_";
const NODE_ADDRESS: &str = "node_address_";
const NODE_CONDITION: &str = "node_condition_";

impl KeySource {
    pub(super) fn prefixes(self) -> KeyPrefixes {
        let (value, present) = match self {
            Self::Annotation(kind) => {
                (format!("{}_annotation_", kind.name()), Some(format!("{}_annotationpresent_", kind.name())))
            }
            Self::Label(kind) => (format!("{}_label_", kind.name()), Some(format!("{}_labelpresent_", kind.name()))),
            Self::Topology => (TOPOLOGY.to_owned(), Some(format!("{TOPOLOGY}present_"))),
            Self::NodeAddress => (NODE_ADDRESS.to_owned(), None),
            Self::NodeCondition => (NODE_CONDITION.to_owned(), None),
        };
        KeyPrefixes { value: format!("{PREFIX}{value}"), present: present.map(|name| format!("{PREFIX}{name}")) }
    }

    /// All sources.
    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let keyed = LabelledKind::ALL.into_iter().flat_map(|kind| [Self::Annotation(kind), Self::Label(kind)]);
        keyed.chain([Self::Topology, Self::NodeAddress, Self::NodeCondition])
    }

    /// The source of the key in the name of a label. `None` if the name contains no key.
    pub(super) fn of(name: &str) -> Option<Self> {
        let name = name.strip_prefix(PREFIX)?;
        let others =
            [(TOPOLOGY, Self::Topology), (NODE_ADDRESS, Self::NodeAddress), (NODE_CONDITION, Self::NodeCondition)];
        let other = others.into_iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, source)| source);
        other.or_else(|| {
            LabelledKind::ALL.into_iter().find_map(|kind| Self::of_kind(kind, name.strip_prefix(kind.name())?))
        })
    }

    fn of_kind(kind: LabelledKind, rest: &str) -> Option<Self> {
        let is = |word: &str| {
            let key = rest.strip_prefix(word);
            key.is_some_and(|key| key.starts_with('_') || key.starts_with("present_"))
        };
        match rest {
            _ if is("_annotation") => Some(Self::Annotation(kind)),
            _ if is("_label") => Some(Self::Label(kind)),
            _ => None,
        }
    }

    const fn kind(self) -> LabelledKind {
        match self {
            Self::Annotation(kind) | Self::Label(kind) => kind,
            Self::Topology => LabelledKind::EndpointSlice,
            Self::NodeAddress | Self::NodeCondition => LabelledKind::Node,
        }
    }

    /// The level for the role that discovers objects of this kind.
    const fn level(self) -> Level {
        match self {
            Self::Annotation(_) | Self::Label(_) | Self::NodeCondition => Level::Group,
            Self::Topology | Self::NodeAddress => Level::Target,
        }
    }
}

/// The level at which a role sets a label. `None` for a label that no role sets.
pub(super) fn level(role: Role, name: &str) -> Option<Level> {
    if name == ADDRESS || (name == INSTANCE && role == Role::Node) {
        return Some(Level::Target);
    }
    if !name.starts_with(crate::labels::META_PREFIX) {
        return None;
    }
    let row = ROWS.iter().find(|row| row.name == name).map(|row| (row.kind, row.level));
    let found = row.or_else(|| KeySource::of(name).map(|source| (source.kind(), source.level())));
    Some(found.map_or(Level::Target, |(kind, level)| level_in(role, kind, level)))
}

/// The level of a label of this kind in groups of a role.
fn level_in(role: Role, kind: LabelledKind, level: Level) -> Level {
    match (role, kind) {
        // All targets of the group get the labels of this object.
        (_, LabelledKind::Namespace)
        | (Role::Endpoints | Role::EndpointSlice, LabelledKind::Service)
        | (Role::Pod, LabelledKind::Node) => Level::Group,
        _ if kind == LabelledKind::of(role) => level,
        // Only some targets get the labels of this object, or none.
        _ => Level::Target,
    }
}

/// Keys of pod labels that the controller of a StatefulSet sets on each pod.
const OWN_POD_LABELS: [&str; 2] = [
    "__meta_kubernetes_pod_label_apps_kubernetes_io_pod_index",
    "__meta_kubernetes_pod_label_statefulset_kubernetes_io_pod_name",
];

/// The names of all labels whose value differs from target to target, except labels of nodes.
const OWN_NAMES: [&str; own_rows() + OWN_POD_LABELS.len() + 1] = {
    let mut names = [ADDRESS; own_rows() + OWN_POD_LABELS.len() + 1];
    let (mut row, mut at) = (0, 1);
    while row < ROWS.len() {
        if matches!(ROWS[row].spread, Spread::Own) {
            names[at] = ROWS[row].name;
            at += 1;
        }
        row += 1;
    }
    names[at] = OWN_POD_LABELS[0];
    names[at + 1] = OWN_POD_LABELS[1];
    names
};

const fn own_rows() -> usize {
    let (mut row, mut count) = (0, 0);
    while row < ROWS.len() {
        count += matches!(ROWS[row].spread, Spread::Own) as usize;
        row += 1;
    }
    count
}

/// Whether the value of a label differs from target to target of a group. Targets often share all other labels, for
/// example the pods of one controller. All labels of a node belong to one target.
#[must_use]
pub fn differs_between_targets(name: &str) -> bool {
    OWN_NAMES.contains(&name) || name.starts_with(NODE_PREFIX)
}

#[cfg(test)]
mod tests;
