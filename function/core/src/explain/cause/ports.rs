//! Sentences about the port of an endpoint that the selected objects do not have.

use std::collections::BTreeSet;

use super::SubjectKind;
use super::furthest_drop::FurthestDrop;
use crate::objects::{Cluster, Service};
use crate::similar::{did_you_mean, similar};

/// The generated rule that keeps one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PortRule {
    /// By the name of a port of the Service.
    OfService,
    /// By the name of a port of a container.
    ContainerName,
    /// By the number of a port of a container.
    ContainerNumber,
}

/// Why a rule about a port drops the targets of the selected objects.
pub(super) fn sentence(
    drop: &FurthestDrop,
    cluster: &Cluster,
    kind: SubjectKind,
    rule: PortRule,
    wanted: &str,
) -> String {
    match rule {
        PortRule::OfService => {
            let services = drop.objects.iter().filter_map(|(namespace, name)| cluster.services.get(namespace, name));
            service_port(drop, &services.map(AsRef::as_ref).collect::<Vec<_>>(), wanted)
        }
        PortRule::ContainerName | PortRule::ContainerNumber => container_port(drop, kind, rule, wanted),
    }
}

fn service_port(drop: &FurthestDrop, services: &[&Service], wanted: &str) -> String {
    let its = if services.len() > 1 { "their" } else { "its" };
    let ports: Vec<_> = drop.first_values().filter(|name| !name.is_empty()).collect();
    let mut of_services = services.iter().flat_map(|service| &service.spec.ports);
    if of_services.clone().any(|port| port.name == wanted) {
        let others = if ports.is_empty() { "none".to_owned() } else { ports.join(", ") };
        return format!(
            "no EndpointSlice has {its} port {wanted}, only {others}: no container has the targetPort of this port"
        );
    }
    let number = wanted.parse::<i32>().ok();
    let by_number = number.and_then(|number| of_services.find(|port| port.port == number));
    if ports.is_empty() {
        return format!("{its} ports have no name, and port compares names: set spec.ports[].name of the Service");
    }
    let hint = if let Some(port) = by_number.filter(|port| !port.name.is_empty()) {
        format!(" (port compares names, did you mean {}?)", port.name)
    } else if drop.container_ports.iter().any(|port| port.name == wanted || port.number == wanted) {
        format!(" (it is a port of a container, did you mean targetPort: {wanted}?)")
    } else if number.is_some() {
        " (port compares names, use targetPort for the number of a container port)".to_owned()
    } else {
        did_you_mean(similar(wanted, &ports))
    };
    format!("port {wanted} is not one of {its} ports: {}{hint}", ports.join(", "))
}

fn container_port(drop: &FurthestDrop, kind: SubjectKind, rule: PortRule, wanted: &str) -> String {
    let containers = match kind {
        SubjectKind::Pod => "its containers",
        SubjectKind::Service | SubjectKind::Ingress => "the containers of its pods",
    };
    if !drop.has_pods {
        return format!(
            "targetPort {wanted} compares ports of containers, but its endpoints refer to no pod: use port"
        );
    }
    if drop.container_ports.is_empty() {
        return format!("{containers} declare no ports: add port {wanted} to spec.containers[].ports");
    }
    let numbers: BTreeSet<_> = drop.container_ports.iter().map(|port| port.number.as_str()).collect();
    let names: BTreeSet<_> =
        drop.container_ports.iter().map(|port| port.name.as_str()).filter(|name| !name.is_empty()).collect();
    let by_name = rule == PortRule::ContainerName;
    if by_name && names.is_empty() {
        let numbers = numbers.into_iter().collect::<Vec<_>>().join(", ");
        return format!("the ports of {containers} have no name, only numbers: {numbers}");
    }
    let ports: Vec<_> = if by_name { names } else { numbers }.into_iter().collect();
    let with_number = drop.container_ports.iter().find(|port| by_name && port.number == wanted);
    let hint = match with_number {
        Some(port) if !port.name.is_empty() => format!(" (port compares names, did you mean {}?)", port.name),
        _ if by_name => did_you_mean(similar(wanted, &ports)),
        _ => String::new(),
    };
    format!("port {wanted} is not one of the ports of {containers}: {}{hint}", ports.join(", "))
}
