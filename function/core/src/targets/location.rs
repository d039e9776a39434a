//! Where a target runs: its node and its zone.

use std::sync::Arc;

use foldhash::HashSet;

use crate::labels::Layers;

/// Labels with the name of a node, best first (`target.go` of the operator's allocator).
const NODE_LABELS: [&str; 3] =
    ["__meta_kubernetes_pod_node_name", "__meta_kubernetes_node_name", "__meta_kubernetes_endpoint_node_name"];
pub(super) const ADDRESS_TARGET_KIND: &str = "__meta_kubernetes_endpointslice_address_target_kind";
pub(super) const ADDRESS_TARGET_NAME: &str = "__meta_kubernetes_endpointslice_address_target_name";
const ZONE: &str = "__meta_kubernetes_endpointslice_endpoint_zone";

/// Labels that are read here. Collectors need them only if rules read them.
pub(super) const LABELS: [&str; 3] = [ADDRESS_TARGET_KIND, ADDRESS_TARGET_NAME, ZONE];

/// Names of nodes and zones. Each name is held once.
#[derive(Debug, Clone, Default)]
pub struct Locations(HashSet<Arc<str>>);

impl Locations {
    /// The node that a target runs on; empty if no label names one.
    pub(super) fn node(&mut self, labels: Layers<'_, '_>) -> Arc<str> {
        self.intern(node_of(labels))
    }

    /// The zone that the endpoint slice of a target names; empty if it names none.
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
