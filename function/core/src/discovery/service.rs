//! The service role: one target a port of a service, by its name in the cluster.
//!
//! Follows `discovery/kubernetes/service.go` of Prometheus.

use std::borrow::Cow;

use super::index::Prepared;
use super::names::Fixed;
use super::passed_over::PassedOver;
use super::view::{Labels, View};
use crate::labels::LabelSet;
use crate::objects::Service;
use crate::objects::service::ServicePort;

/// The labels of all targets of a service.
pub(super) fn group<'a>(view: View<'a, '_>, service: &'a Prepared<Service>) -> Result<LabelSet<'a>, PassedOver> {
    let metadata = &service.object.metadata;
    if !view.query.services.chooses(service.object.as_ref()) {
        return Err(PassedOver::NotChosen);
    }
    let mut labels = view.labels();
    labels.push(Fixed::Namespace, metadata.namespace.as_str());
    if let Some(namespace) = view.attached_namespace(&metadata.namespace) {
        labels.push_annotations(namespace);
        labels.push_labels(namespace);
    }
    push_service(&mut labels, service);
    Ok(labels.finish())
}

/// The targets of a service.
pub(super) fn targets<'a>(view: View<'a, '_>, service: &'a Prepared<Service>) -> Vec<LabelSet<'a>> {
    let Service { metadata, spec } = service.object.as_ref();
    let target = |port: &'a ServicePort| {
        let ServicePort { name, protocol, port: number } = port;
        let address = format!("{}.{}.svc:{number}", metadata.name, metadata.namespace);
        let mut labels = view.labels().with_address(address);
        if spec.r#type == "ExternalName" {
            labels.push(Fixed::ServiceExternalName, spec.external_name.as_str());
        } else {
            labels.push(Fixed::ServiceClusterIp, spec.cluster_ip.as_str());
        }
        if spec.r#type == "LoadBalancer" {
            // What was asked for, not what the load balancer got.
            labels.push(Fixed::ServiceLoadBalancerIp, spec.load_balancer_ip.as_str());
        }
        labels.push(Fixed::ServicePortName, name.as_str());
        labels.push_with(Fixed::ServicePortNumber, || Cow::Owned(number.to_string()));
        labels.push(Fixed::ServicePortProtocol, protocol.as_str());
        labels.push(Fixed::ServiceType, spec.r#type.as_str());
        labels.finish()
    };
    spec.ports.iter().map(target).collect()
}

/// Pushes what a service lends to the targets behind it.
pub(super) fn push_service<'a>(labels: &mut Labels<'a, '_>, service: &'a Prepared<Service>) {
    labels.push_annotations(service);
    labels.push_labels(service);
    labels.push(Fixed::ServiceName, service.object.metadata.name.as_str());
}
