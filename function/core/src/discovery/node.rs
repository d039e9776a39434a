//! The node role: one target for each node, at the port of its kubelet.
//!
//! Follows `discovery/kubernetes/node.go` of Prometheus.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::bounded::{PartTarget, TooMany};
use super::index::Prepared;
use super::label_table::{KeySource, MetaLabel};
use super::names::lowercase;
use super::passed_over::PassedOver;
use super::role::RoleObject;
use super::view::{Marks, View};
use crate::address::join_host_port;
use crate::labels::LabelSet;
use crate::objects::Node;

/// The kinds of addresses in order of preference. The target of a node has the first address of the first kind that the
/// node has.
const ADDRESS_TYPES: [&str; 6] = ["InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"];

impl RoleObject for Node {
    fn labels<'a>(view: View<'a, '_>, node: &'a Prepared<Node>) -> Result<LabelSet<'a>, PassedOver> {
        let Node { metadata, spec, status } = node.object.as_ref();
        if !view.query.selections.nodes.selects(node.object.as_ref()) {
            return Err(PassedOver::NotChosen);
        }
        address_of(&node.object).ok_or(PassedOver::NoAddress)?;
        let mut labels = view.labels();
        labels.push_annotations(node);
        let conditions = status.conditions.iter();
        let conditions = conditions
            .map(|condition| (Cow::Owned(lowercase(&condition.r#type)), Cow::Owned(lowercase(&condition.status))));
        labels.push_sorted(KeySource::NodeCondition, conditions, Marks::None);
        labels.push_labels(node);
        labels.push(MetaLabel::NodeName, metadata.name.as_str());
        labels.push(MetaLabel::NodeProviderId, spec.provider_id.as_str());
        Ok(labels.finish())
    }

    fn targets<'a>(view: View<'a, '_>, node: &'a Prepared<Node>, _: &[usize]) -> Result<Vec<PartTarget<'a>>, TooMany> {
        let Node { metadata, spec: _, status } = node.object.as_ref();
        let Some(address) = address_of(&node.object) else { return Ok(Vec::new()) };
        let port = status.daemon_endpoints.kubelet_endpoint.port.to_string();
        let mut labels = view.labels().with_address(join_host_port(address, &port));
        let mut firsts = BTreeMap::new();
        for address in &status.addresses {
            firsts.entry(address.r#type.as_str()).or_insert(address.address.as_str());
        }
        let firsts = firsts.into_iter().map(|(kind, address)| (Cow::Borrowed(kind), Cow::Borrowed(address)));
        labels.push_sorted(KeySource::NodeAddress, firsts, Marks::None);
        labels.push_instance(&metadata.name);
        Ok(PartTarget::of_one_part(vec![labels.finish()]))
    }
}

fn address_of(node: &Node) -> Option<&str> {
    let addresses = &node.status.addresses;
    let first_of = |kind: &&str| addresses.iter().find(|address| address.r#type == *kind);
    ADDRESS_TYPES.iter().find_map(first_of).map(|address| address.address.as_str())
}
