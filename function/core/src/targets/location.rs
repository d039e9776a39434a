//! The node and the zone of a target.
//!
//! Input: the labels of a target. Output: its node and its zone, for the strategies that use them.

use std::sync::Arc;

use foldhash::HashSet;

use crate::labels::Layers;

/// Labels with the name of a node, in order of preference (`target.go` of the operator's allocator).
const NODE_LABELS: [&str; 3] =
    ["__meta_kubernetes_pod_node_name", "__meta_kubernetes_node_name", "__meta_kubernetes_endpoint_node_name"];
pub(super) const ADDRESS_TARGET_KIND: &str = "__meta_kubernetes_endpointslice_address_target_kind";
pub(super) const ADDRESS_TARGET_NAME: &str = "__meta_kubernetes_endpointslice_address_target_name";
const ZONE: &str = "__meta_kubernetes_endpointslice_endpoint_zone";

/// The labels that this module reads. Collectors need them only if rules read them.
pub(super) const LABELS: [&str; 3] = [ADDRESS_TARGET_KIND, ADDRESS_TARGET_NAME, ZONE];

/// Names of nodes and zones. Equal names share memory.
#[derive(Debug, Clone, Default)]
pub struct Locations(HashSet<Arc<str>>);

impl Locations {
    /// The node of a target. Empty if no label names a node.
    pub(super) fn node(&mut self, labels: Layers<'_, '_>) -> Arc<str> {
        self.intern(node_of(labels))
    }

    /// The zone from the endpoint slice of a target. Empty if the slice names no zone.
    pub(super) fn zone(&mut self, labels: Layers<'_, '_>) -> Arc<str> {
        self.intern(labels.get(ZONE))
    }

    fn intern(&mut self, name: &str) -> Arc<str> {
        match self.0.get(name) {
            Some(known) => Arc::clone(known),
            None => {
                let name: Arc<str> = name.into();
                self.0.insert(Arc::clone(&name));
                name
            }
        }
    }
}

fn node_of<'s>(labels: Layers<'s, '_>) -> &'s str {
    let named = NODE_LABELS.iter().map(|name| labels.get(name)).find(|node| !node.is_empty());
    named.unwrap_or_else(|| match labels.get(ADDRESS_TARGET_KIND) {
        "Node" => labels.get(ADDRESS_TARGET_NAME),
        _ => "",
    })
}
