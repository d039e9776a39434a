//! The service role: one target for each port of a service. Its address is the DNS name of the service.
//!
//! Follows `discovery/kubernetes/service.go` of Prometheus.

use std::borrow::Cow;

use super::bounded::{PartTarget, TooMany};
use super::index::Prepared;
use super::label_table::MetaLabel;
use super::passed_over::PassedOver;
use super::role::RoleObject;
use super::view::{Labels, View};
use crate::labels::LabelSet;
use crate::objects::Service;
use crate::objects::service::ServicePort;

impl RoleObject for Service {
    fn labels<'a>(view: View<'a, '_>, service: &'a Prepared<Service>) -> Result<LabelSet<'a>, PassedOver> {
        let metadata = &service.object.metadata;
        if !view.query.selections.services.selects(service.object.as_ref()) {
            return Err(PassedOver::NotChosen);
        }
        let mut labels = view.labels();
        labels.push_namespace(view, &metadata.namespace);
        push_service(&mut labels, service);
        Ok(labels.finish())
    }

    fn targets<'a>(
        view: View<'a, '_>,
        service: &'a Prepared<Service>,
        _: &[usize],
    ) -> Result<Vec<PartTarget<'a>>, TooMany> {
        let Service { metadata, spec } = service.object.as_ref();
        let target = |port: &'a ServicePort| {
            let ServicePort { name, protocol, port: number } = port;
            let address = format!("{}.{}.svc:{number}", metadata.name, metadata.namespace);
            let mut labels = view.labels().with_address(address);
            if spec.r#type == "ExternalName" {
                labels.push(MetaLabel::ServiceExternalName, spec.external_name.as_str());
            } else {
                labels.push(MetaLabel::ServiceClusterIp, spec.cluster_ip.as_str());
            }
            if spec.r#type == "LoadBalancer" {
                // As in Prometheus, the address comes from the spec, not from the status.
                labels.push(MetaLabel::ServiceLoadBalancerIp, spec.load_balancer_ip.as_str());
            }
            labels.push(MetaLabel::ServicePortName, name.as_str());
            labels.push_with(MetaLabel::ServicePortNumber, || Cow::Owned(number.to_string()));
            labels.push(MetaLabel::ServicePortProtocol, protocol.as_str());
            labels.push(MetaLabel::ServiceType, spec.r#type.as_str());
            labels.finish()
        };
        Ok(PartTarget::of_one_part(spec.ports.iter().map(target).collect()))
    }
}

/// Pushes the labels of a service. The targets of its endpoints get them, too.
pub(super) fn push_service<'a>(labels: &mut Labels<'a, '_>, service: &'a Prepared<Service>) {
    labels.push_annotations(service);
    labels.push_labels(service);
    labels.push(MetaLabel::ServiceName, service.object.metadata.name.as_str());
}
