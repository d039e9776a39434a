//! The numbers of the fields that the function reads.
//!
//! The numbers come from `generated.proto` of `k8s.io/api` and `k8s.io/apimachinery/pkg/apis/meta/v1`.

use compact_str::{CompactString, ToCompactString};
use jiff::Timestamp;
use target_allocator_core::objects::endpoints::{
    EndpointAddress, EndpointPort, EndpointSubset, SliceConditions, SliceEndpoint, SlicePort, TargetRef,
};
use target_allocator_core::objects::metadata::OwnerReference;
use target_allocator_core::objects::node::{
    DaemonEndpoints, KubeletEndpoint, NodeAddress, NodeCondition, NodeSpec, NodeStatus,
};
use target_allocator_core::objects::pod::{
    Condition, Container, ContainerPort, ContainerStatus, PodIp, PodSpec, PodStatus, Ready,
};
use target_allocator_core::objects::service::{
    IngressHttp, IngressPath, IngressRule, IngressSpec, IngressTls, ServicePort, ServiceSpec,
};
use target_allocator_core::objects::{
    EndpointSlice, Endpoints, Ingress, Job, Metadata, Namespace, Node, Pod, ReplicaSet, Service,
};

use super::wire::{Field, Malformed, Message, Value, read};
use crate::cluster::parts::{Identity, Named, ObjectName, PageMetadata, Status, TypeMeta, Version};

/// Maps the numbers of a message to fields of a struct. A field can have another type for reading than its own.
macro_rules! messages {
    ($($type:ty { $($number:literal: $field:ident $(as $other:ident)?),+ $(,)? })+) => {
        $(impl Message for $type {
            fn set(&mut self, number: u32, value: Value<'_>) -> Result<(), Malformed> {
                match number {
                    $($number => messages!(@put self.$field, value $(, $other)?),)+
                    _ => Ok(()),
                }
            }
        })+
    };
    (@put $place:expr, $value:ident) => { $place.put($value) };
    (@put $place:expr, $value:ident, $other:ident) => {{
        $place = read::<$other>($value.bytes()?)?.into();
        Ok(())
    }};
}

messages! {
    Metadata {
        1: name,
        3: namespace,
        5: uid,
        9: deletion_timestamp as Time,
        11: labels,
        12: annotations,
        13: owner_references,
    }
    OwnerReference { 1: kind, 3: name, 5: api_version, 6: controller }
    Time { 1: seconds }
    Version { 6: resource_version }
    // A message has no type. The type is in the envelope.
    Identity { 1: metadata }
    ObjectName { 1: name, 3: namespace }
    TypeMeta { 1: api_version, 2: kind }
    PageMetadata { 2: resource_version, 3: next }
    Status { 3: message, 6: code }
}

impl<M: Message> Message for Named<M> {
    fn set(&mut self, number: u32, value: Value<'_>) -> Result<(), Malformed> {
        if number == 1 { self.metadata.put(value) } else { Ok(()) }
    }
}

// core/v1
messages! {
    Namespace { 1: metadata }

    Node { 1: metadata, 2: spec, 3: status }
    NodeSpec { 3: provider_id, 4: unschedulable }
    NodeStatus { 4: conditions, 5: addresses, 6: daemon_endpoints }
    NodeCondition { 1: r#type, 2: status }
    NodeAddress { 1: r#type, 2: address }
    DaemonEndpoints { 1: kubelet_endpoint }
    KubeletEndpoint { 1: port }

    Pod { 1: metadata, 2: spec, 3: status }
    PodSpec {
        2: containers,
        3: restart_policy,
        8: service_account_name,
        10: node_name,
        11: host_network,
        19: scheduler_name,
        20: init_containers,
    }
    Container { 1: name, 2: image, 6: ports, 24: restart_policy }
    ContainerPort { 1: name, 3: container_port, 4: protocol }
    PodStatus {
        1: phase,
        2: ready,
        5: host_ip,
        6: pod_ip,
        7: start_time as Time,
        8: container_statuses,
        10: init_container_statuses,
        11: nominated_node_name,
        12: pod_ips,
    }
    PodIp { 1: ip }
    Condition { 1: r#type, 2: status, 4: last_transition_time as Time }
    ContainerStatus { 1: name, 8: container_id }

    Service { 1: metadata, 2: spec }
    ServiceSpec {
        1: ports,
        3: cluster_ip,
        4: r#type,
        8: load_balancer_ip,
        10: external_name,
        17: ip_family_policy,
        19: ip_families,
    }
    ServicePort { 1: name, 2: protocol, 3: port }

    Endpoints { 1: metadata, 2: subsets }
    EndpointSubset { 1: addresses, 2: not_ready_addresses, 3: ports }
    EndpointAddress { 1: ip, 2: target_ref, 3: hostname, 4: node_name }
    EndpointPort { 1: name, 2: port, 3: protocol }
    TargetRef { 1: kind, 2: namespace, 3: name }
}

// discovery.k8s.io/v1
messages! {
    EndpointSlice { 1: metadata, 2: endpoints, 3: ports, 4: address_type }
    SliceEndpoint {
        1: addresses,
        2: conditions,
        3: hostname,
        4: target_ref,
        5: deprecated_topology,
        6: node_name,
        7: zone,
    }
    SliceConditions { 1: ready, 2: serving, 3: terminating }
    SlicePort { 1: name, 2: protocol, 3: port, 4: app_protocol }
}

// networking.k8s.io/v1
messages! {
    Ingress { 1: metadata, 2: spec }
    IngressSpec { 2: tls, 3: rules, 4: ingress_class_name }
    IngressTls { 1: hosts }
    IngressRule { 1: host, 2: http as IngressRuleValue }
    IngressRuleValue { 1: http }
    IngressHttp { 1: paths }
    IngressPath { 1: path }
}

// apps/v1, batch/v1
messages! {
    ReplicaSet { 1: metadata }
    Job { 1: metadata }
}

impl Field for Ready {
    fn put(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        self.add(read(value.bytes()?)?);
        Ok(())
    }
}

/// A point in time. It becomes a text as in JSON, and `null` if it was never set.
#[derive(Default)]
struct Time {
    seconds: i64,
}

impl From<Time> for Option<CompactString> {
    fn from(time: Time) -> Self {
        let time = Timestamp::from_second(time.seconds).ok().filter(|_| time.seconds != 0)?;
        Some(time.to_compact_string())
    }
}

/// What is inlined in a rule.
#[derive(Default)]
struct IngressRuleValue {
    http: Option<IngressHttp>,
}

impl From<IngressRuleValue> for Option<IngressHttp> {
    fn from(value: IngressRuleValue) -> Self {
        value.http
    }
}
