//! The names of the labels that Kubernetes discovery makes, each held once.
//!
//! Names that depend on an object's labels and annotations are composed when the
//! index is built; a target then only refers to them, and whether a job wants a
//! name is decided once a name, not once a target.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use crate::labels::sanitized;
use crate::scrape_config::service_discovery::Role;

/// The prefix of all names.
const PREFIX: &str = "__meta_kubernetes_";

/// A name, by its position among all names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NameId(u32);

impl NameId {
    pub(super) const fn position(self) -> usize {
        self.0 as usize
    }
}

macro_rules! fixed_names {
    ($($variant:ident = $name:literal,)+) => {
        /// Names that do not depend on the objects; they come first among all names.
        #[derive(Debug, Clone, Copy)]
        pub(super) enum Fixed {
            $($variant,)+
        }

        const FIXED: &[&str] = &[$(concat!("__meta_kubernetes_", $name)),+];
    };
}

fixed_names! {
    EndpointAddressTargetKind = "endpoint_address_target_kind",
    EndpointAddressTargetName = "endpoint_address_target_name",
    EndpointHostname = "endpoint_hostname",
    EndpointNodeName = "endpoint_node_name",
    EndpointPortName = "endpoint_port_name",
    EndpointPortProtocol = "endpoint_port_protocol",
    EndpointReady = "endpoint_ready",
    EndpointsName = "endpoints_name",
    SliceAddressTargetKind = "endpointslice_address_target_kind",
    SliceAddressTargetName = "endpointslice_address_target_name",
    SliceAddressType = "endpointslice_address_type",
    SliceConditionsReady = "endpointslice_endpoint_conditions_ready",
    SliceConditionsServing = "endpointslice_endpoint_conditions_serving",
    SliceConditionsTerminating = "endpointslice_endpoint_conditions_terminating",
    SliceHostname = "endpointslice_endpoint_hostname",
    SliceNodeName = "endpointslice_endpoint_node_name",
    SliceZone = "endpointslice_endpoint_zone",
    SliceName = "endpointslice_name",
    SlicePort = "endpointslice_port",
    SlicePortAppProtocol = "endpointslice_port_app_protocol",
    SlicePortName = "endpointslice_port_name",
    SlicePortProtocol = "endpointslice_port_protocol",
    IngressClassName = "ingress_class_name",
    IngressHost = "ingress_host",
    IngressName = "ingress_name",
    IngressPath = "ingress_path",
    IngressScheme = "ingress_scheme",
    Namespace = "namespace",
    NodeName = "node_name",
    NodeProviderId = "node_provider_id",
    PodContainerId = "pod_container_id",
    PodContainerImage = "pod_container_image",
    PodContainerInit = "pod_container_init",
    PodContainerName = "pod_container_name",
    PodContainerPortName = "pod_container_port_name",
    PodContainerPortNumber = "pod_container_port_number",
    PodContainerPortProtocol = "pod_container_port_protocol",
    PodControllerKind = "pod_controller_kind",
    PodControllerName = "pod_controller_name",
    PodCronJobName = "pod_cronjob_name",
    PodDeploymentName = "pod_deployment_name",
    PodHostIp = "pod_host_ip",
    PodIp = "pod_ip",
    PodJobName = "pod_job_name",
    PodName = "pod_name",
    PodNodeName = "pod_node_name",
    PodPhase = "pod_phase",
    PodReady = "pod_ready",
    PodUid = "pod_uid",
    ServiceClusterIp = "service_cluster_ip",
    ServiceExternalName = "service_external_name",
    ServiceLoadBalancerIp = "service_loadbalancer_ip",
    ServiceName = "service_name",
    ServicePortName = "service_port_name",
    ServicePortNumber = "service_port_number",
    ServicePortProtocol = "service_port_protocol",
    ServiceType = "service_type",
}

impl Fixed {
    pub(super) const fn id(self) -> NameId {
        NameId(self as u32)
    }

    pub(super) const fn name(self) -> &'static str {
        FIXED[self.id().position()]
    }
}

/// The kinds of objects whose labels and annotations become labels of targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Family {
    Endpoints,
    EndpointSlice,
    Ingress,
    Namespace,
    Node,
    Pod,
    Service,
}

impl Family {
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
}

/// What a key that becomes part of a name is a key of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Keyed {
    Annotation(Family),
    Label(Family),
    Topology,
    NodeAddress,
    NodeCondition,
}

impl Keyed {
    /// What stands before the key in the name of the value, and in the name that says that there is one.
    fn prefixes(self) -> (String, String) {
        match self {
            Self::Annotation(family) => {
                let family = family.name();
                (format!("{PREFIX}{family}_annotation_"), format!("{PREFIX}{family}_annotationpresent_"))
            }
            Self::Label(family) => {
                let family = family.name();
                (format!("{PREFIX}{family}_label_"), format!("{PREFIX}{family}_labelpresent_"))
            }
            Self::Topology => {
                let prefix = format!("{PREFIX}endpointslice_endpoint_topology_");
                let present = format!("{prefix}present_");
                (prefix, present)
            }
            Self::NodeAddress => (format!("{PREFIX}node_address_"), String::new()),
            Self::NodeCondition => (format!("{PREFIX}node_condition_"), String::new()),
        }
    }
}

/// The names that a key makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyNames {
    /// Name of the label that holds the value.
    pub(super) value: NameId,
    /// Name of the label that says that there is one; means nothing for node addresses and conditions.
    pub(super) present: NameId,
}

/// The labels that one label or annotation of an object becomes.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyedLabel {
    pub(super) names: KeyNames,
    /// Position of the value among the values of the object.
    pub(super) position: u32,
}

/// What lists of keys become; the keys of a list are joined.
type ByKeys = HashMap<Box<[u8]>, Arc<[KeyedLabel]>>;

/// All names.
#[derive(Debug, Clone)]
pub(super) struct Names {
    names: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, NameId>,
    keys: HashMap<Keyed, HashMap<Box<str>, KeyNames>>,
    /// What the keys of an object become: most objects have the keys of many others.
    lists: HashMap<Keyed, ByKeys>,
}

impl Names {
    pub(super) fn new() -> Self {
        let mut names = Self { names: Vec::new(), ids: HashMap::new(), keys: HashMap::new(), lists: HashMap::new() };
        for name in FIXED {
            names.intern((*name).to_owned());
        }
        names
    }

    /// The names of a key, if an object of the index holds it.
    pub(super) fn known(&self, keyed: Keyed, key: &str) -> Option<KeyNames> {
        self.keys.get(&keyed)?.get(key).copied()
    }

    /// The names of a key, composed unless they are known.
    pub(super) fn learn(&mut self, keyed: Keyed, key: &str) -> KeyNames {
        if let Some(names) = self.known(keyed, key) {
            return names;
        }
        let (prefix, present) = keyed.prefixes();
        let key_part = sanitized(key);
        let value = self.intern(prefix + &key_part);
        let present = if present.is_empty() { value } else { self.intern(present + &key_part) };
        let names = KeyNames { value, present };
        self.keys.entry(keyed).or_default().insert(key.into(), names);
        names
    }

    /// What all the keys of an object become, if another object has the same; the keys in their order,
    /// each followed by 0xff.
    pub(super) fn known_list(&self, keyed: Keyed, keys: &[u8]) -> Option<&Arc<[KeyedLabel]>> {
        self.lists.get(&keyed)?.get(keys)
    }

    /// What the keys of an object become, in the order of the names. Where several keys become one
    /// name Prometheus takes any of their values; here it is that of the last key.
    pub(super) fn learn_list<'k>(
        &mut self,
        keyed: Keyed,
        joined: &[u8],
        keys: impl Iterator<Item = &'k str>,
    ) -> Arc<[KeyedLabel]> {
        let mut labels: Vec<KeyedLabel> =
            keys.zip(0..).map(|(key, position)| KeyedLabel { names: self.learn(keyed, key), position }).collect();
        labels.sort_by(|one, other| self.get(one.names.value).cmp(self.get(other.names.value)));
        labels.dedup_by(|later, kept| {
            let same = later.names == kept.names;
            if same {
                *kept = *later;
            }
            same
        });
        let labels: Arc<[KeyedLabel]> = labels.into();
        self.lists.entry(keyed).or_default().insert(joined.into(), Arc::clone(&labels));
        labels
    }

    pub(super) fn get(&self, id: NameId) -> &str {
        &self.names[id.position()]
    }

    /// All names, by their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    fn intern(&mut self, name: String) -> NameId {
        if let Some(id) = self.ids.get(name.as_str()) {
            return *id;
        }
        let id = NameId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.ids.insert(name, id);
        id
    }
}

/// Whether a label of that name is the same in all targets of an object: held by
/// the group or by nothing, never by a single target.
pub(super) fn is_shared(role: Role, name: &str) -> bool {
    let Some(name) = name.strip_prefix(PREFIX) else { return false };
    let starts_with = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let by_role = match role {
        Role::Endpoints => starts_with(&["endpoints_", "service_"]),
        Role::EndpointSlice => starts_with(&[
            "endpointslice_address_type",
            "endpointslice_annotation",
            "endpointslice_label",
            "endpointslice_name",
            "service_",
        ]),
        Role::Ingress => starts_with(&["ingress_annotation", "ingress_class_name", "ingress_label", "ingress_name"]),
        Role::Node => name.starts_with("node_") && !name.starts_with("node_address_"),
        Role::Pod => starts_with(&["node_", "pod_"]) && !name.starts_with("pod_container_"),
        Role::Service => starts_with(&["service_annotation", "service_label", "service_name"]),
    };
    by_role || name.starts_with("namespace")
}

/// Whether a label of that name is the same in all targets of a part of an object.
pub(super) fn is_shared_in_parts(role: Role, name: &str) -> bool {
    role == Role::EndpointSlice && name.strip_prefix(PREFIX).is_some_and(|name| name.starts_with("endpointslice_port"))
}

/// Lower case, character by character, as Go has it.
pub(super) fn lowercase(text: &str) -> String {
    text.chars().filter_map(|c| c.to_lowercase().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_names() {
        let mut names = Names::new();
        let cases = [
            (Keyed::Label(Family::Pod), "app.kubernetes.io/name", "__meta_kubernetes_pod_label_app_kubernetes_io_name"),
            (Keyed::Annotation(Family::Node), "ü-x_1", "__meta_kubernetes_node_annotation___x_1"),
            (Keyed::Topology, "zone", "__meta_kubernetes_endpointslice_endpoint_topology_zone"),
            (Keyed::NodeAddress, "InternalIP", "__meta_kubernetes_node_address_InternalIP"),
            (Keyed::NodeCondition, "ready", "__meta_kubernetes_node_condition_ready"),
        ];
        for (keyed, key, expected) in cases {
            let learned = names.learn(keyed, key);
            assert_eq!(names.get(learned.value), expected);
            assert_eq!(names.known(keyed, key), Some(learned));
        }
        let (one, other) =
            (names.learn(Keyed::Label(Family::Pod), "a.b"), names.learn(Keyed::Label(Family::Pod), "a-b"));
        assert_eq!(one, other);
        assert_eq!(names.get(one.present), "__meta_kubernetes_pod_labelpresent_a_b");
        assert_eq!(names.get(Fixed::ServiceType.id()), Fixed::ServiceType.name());
    }
}
