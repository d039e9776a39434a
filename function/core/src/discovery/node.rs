//! The node role: one target a node, the port of its kubelet.
//!
//! Follows `discovery/kubernetes/node.go` of Prometheus.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::index::Prepared;
use super::names::{Fixed, Keyed, lowercase};
use super::passed_over::PassedOver;
use super::view::View;
use crate::address::join_host_port;
use crate::labels::LabelSet;
use crate::objects::Node;

/// Which address of a node is scraped: the first kind that it has.
const ADDRESS_TYPES: [&str; 6] = ["InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"];

/// The labels of the target of a node; a node without an address has none.
pub(super) fn group<'a>(view: View<'a, '_>, node: &'a Prepared<Node>) -> Result<LabelSet<'a>, PassedOver> {
    let Node { metadata, spec, status } = node.object.as_ref();
    if !view.query.nodes.chooses(node.object.as_ref()) {
        return Err(PassedOver::NotChosen);
    }
    address_of(&node.object).ok_or(PassedOver::NoAddress)?;
    let mut labels = view.labels();
    labels.push_annotations(node);
    let conditions = status.conditions.iter();
    let conditions = conditions
        .map(|condition| (Cow::Owned(lowercase(&condition.r#type)), Cow::Owned(lowercase(&condition.status))));
    labels.push_sorted(Keyed::NodeCondition, conditions, false);
    labels.push_labels(node);
    labels.push(Fixed::NodeName, metadata.name.as_str());
    labels.push(Fixed::NodeProviderId, spec.provider_id.as_str());
    Ok(labels.finish())
}

/// The target of a node.
pub(super) fn targets<'a>(view: View<'a, '_>, node: &'a Prepared<Node>) -> Vec<LabelSet<'a>> {
    let Node { metadata, spec: _, status } = node.object.as_ref();
    let Some(address) = address_of(&node.object) else { return Vec::new() };
    let port = status.daemon_endpoints.kubelet_endpoint.port.to_string();
    let mut labels = view.labels().with_address(join_host_port(address, &port));
    let mut firsts = BTreeMap::new();
    for address in &status.addresses {
        firsts.entry(address.r#type.as_str()).or_insert(address.address.as_str());
    }
    let firsts = firsts.into_iter().map(|(kind, address)| (Cow::Borrowed(kind), Cow::Borrowed(address)));
    labels.push_sorted(Keyed::NodeAddress, firsts, false);
    labels.push_lasting("instance", &metadata.name);
    vec![labels.finish()]
}

fn address_of(node: &Node) -> Option<&str> {
    let addresses = &node.status.addresses;
    let first_of = |kind: &&str| addresses.iter().find(|address| address.r#type == *kind);
    ADDRESS_TYPES.iter().find_map(first_of).map(|address| address.address.as_str())
}
