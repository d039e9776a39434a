//! The targets of a job, rendered once.
//!
//! Input: the label sets that discovery made and the job's rules. Output: for each
//! target that the rules keep, its text in HTTP SD answers, and what the
//! strategies look at. Follows `internal/target/discovery.go` of the operator's allocator.

mod maker;
mod render;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use foldhash::HashSet;
use xxhash_rust::xxh64::xxh64;

pub use maker::Maker;
pub use render::escape;

use crate::discovery::TooMany;
use crate::labels::{ADDRESS, Layers};

/// Which labels of a target are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedLabels {
    /// All that discovery makes, as the peer does.
    All,
    /// Of the `__meta_` labels only those that a collector can make use of: those
    /// that the job's rules can read, and those in [`RESOURCE_LABELS`].
    Referenced,
}

/// What the collector's Prometheus receiver turns into resource attributes such
/// as `k8s.pod.name`, whatever the rules say (`internal/prom_to_otlp.go` of the receiver).
pub const RESOURCE_LABELS: [&str; 9] = [
    "__meta_kubernetes_endpoint_node_name",
    "__meta_kubernetes_namespace",
    "__meta_kubernetes_node_name",
    "__meta_kubernetes_pod_container_name",
    "__meta_kubernetes_pod_controller_kind",
    "__meta_kubernetes_pod_controller_name",
    "__meta_kubernetes_pod_name",
    "__meta_kubernetes_pod_node_name",
    "__meta_kubernetes_pod_uid",
];

/// Where a target runs, best first (`target.go` of the operator's allocator).
const NODE_LABELS: [&str; 3] =
    ["__meta_kubernetes_pod_node_name", "__meta_kubernetes_node_name", "__meta_kubernetes_endpoint_node_name"];
const ADDRESS_TARGET_KIND: &str = "__meta_kubernetes_endpointslice_address_target_kind";
const ADDRESS_TARGET_NAME: &str = "__meta_kubernetes_endpointslice_address_target_name";
const ZONE: &str = "__meta_kubernetes_endpointslice_endpoint_zone";

/// What each pod has of its own. What a target has beside it, others of its group often have alike:
/// pods of one controller differ in nothing else.
const OF_EACH: [&str; 15] = [
    ADDRESS,
    "__meta_kubernetes_endpoint_address_target_name",
    "__meta_kubernetes_endpoint_hostname",
    "__meta_kubernetes_endpoint_node_name",
    "__meta_kubernetes_endpointslice_address_target_name",
    "__meta_kubernetes_endpointslice_endpoint_hostname",
    "__meta_kubernetes_endpointslice_endpoint_node_name",
    "__meta_kubernetes_pod_container_id",
    "__meta_kubernetes_pod_host_ip",
    "__meta_kubernetes_pod_ip",
    "__meta_kubernetes_pod_label_apps_kubernetes_io_pod_index",
    "__meta_kubernetes_pod_label_statefulset_kubernetes_io_pod_name",
    "__meta_kubernetes_pod_name",
    "__meta_kubernetes_pod_node_name",
    "__meta_kubernetes_pod_uid",
];

/// The same of nodes: all that is told of one.
const OF_NODES: &str = "__meta_kubernetes_node_";

/// Read here, of use to collectors only if rules read them.
const READ_HERE: [&str; 3] = [ADDRESS_TARGET_KIND, ADDRESS_TARGET_NAME, ZONE];

/// The forms in which targets are served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Views {
    /// As discovered; collectors relabel them.
    pub plain: bool,
    /// Relabelled, in jobs that several jobs are merged into.
    pub merged: bool,
}

impl Views {
    /// Neither.
    pub const NONE: Self = Self { plain: false, merged: false };
    /// As discovered.
    pub const PLAIN: Self = Self { plain: true, merged: false };
    /// Relabelled.
    pub const MERGED: Self = Self { plain: false, merged: true };

    /// The forms of both.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self { plain: self.plain || other.plain, merged: self.merged || other.merged }
    }

    /// Whether these are all that `other` has.
    #[must_use]
    pub const fn cover(self, other: Self) -> bool {
        (self.plain || !other.plain) && (self.merged || !other.merged)
    }
}

/// A target that its job's rules keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Hash of the job and the relabelled labels: equal ones are one target.
    pub identity: u64,
    /// Hash of the address as discovered.
    pub address: u64,
    /// The node that it is on; empty if it has none.
    pub node: Arc<str>,
    /// The zone that its endpoint slice names; empty if none does.
    pub zone: Arc<str>,
    /// Hash of the labels that it was made of, for a target of an object.
    made_of: u64,
    /// The pieces of the plain text, in their order.
    own: Range<u32>,
    alike: Range<u32>,
    end: Range<u32>,
    merged: Range<u32>,
}

/// The text of a target, in pieces: several targets of a group can have some in common, which are held once.
///
/// As it stands in a JSON string: all quotes and backslashes have a backslash before them. Lambda takes
/// answers so, and escaping them took five times as long as all else that is done for one.
#[derive(Debug, Clone, Copy)]
pub struct Text<'g> {
    /// Where it begins; no other target has this.
    pub own: &'g str,
    /// What goes on; others may have the same.
    pub alike: &'g str,
    /// How it ends, if all targets of its part of the group do.
    pub end: &'g str,
}

impl Text<'_> {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// One after the other.
    #[must_use]
    pub const fn pieces(&self) -> [&str; 3] {
        [self.own, self.alike, self.end]
    }

    /// In one piece.
    #[must_use]
    pub fn escaped(&self) -> String {
        self.pieces().concat()
    }

    /// In one piece, as JSON of its own.
    #[must_use]
    pub fn json(&self) -> String {
        // What was escaped here is never refused.
        serde_json::from_str(&format!("\"{}\"", self.escaped())).unwrap_or_default()
    }
}

/// Why targets are not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// There are too many of them in one object.
    #[error(transparent)]
    Object(#[from] TooMany),
    /// They take too much.
    #[error("its targets take more than {} MiB: let its rules drop what it does not need", .0 >> 20)]
    Job(usize),
}

/// The targets of one group that the job's rules keep, and their texts.
#[derive(Debug, Default)]
pub struct GroupTargets {
    /// In the order of discovery.
    pub targets: Box<[Target]>,
    text: Box<str>,
    /// Bytes of all their texts in answers.
    served: usize,
    /// Targets whose labels after the rules cannot be served.
    inexpressible: usize,
    /// Targets to which the rules write more than they may.
    too_large: usize,
}

impl GroupTargets {
    /// `{"targets":["host:port"],"labels":{...}}` with the labels as discovered;
    /// empty if the view was not asked for.
    #[must_use]
    pub fn plain(&self, target: &Target) -> Text<'_> {
        let [own, alike, end] = [&target.own, &target.alike, &target.end].map(|range| slice(&self.text, range));
        Text { own, alike, end }
    }

    /// The same with the labels after relabelling; empty if the view was not asked
    /// for, if a collector would drop the target, or if labels cannot say what the rules made of it.
    #[must_use]
    pub fn merged(&self, target: &Target) -> Text<'_> {
        Text { own: slice(&self.text, &target.merged), alike: "", end: "" }
    }

    /// Whether the merged view can serve all of them.
    #[must_use]
    pub const fn is_expressible(&self) -> bool {
        self.inexpressible == 0 && self.too_large == 0
    }

    /// How many targets the merged view cannot serve: a rule takes away what a collector would set again
    /// (the path to scrape for example), or makes a label without a name, for which Prometheus refuses
    /// the whole list.
    #[must_use]
    pub const fn inexpressible(&self) -> usize {
        self.inexpressible
    }

    /// How many targets the rules write more to than they may: they are left out, unless the rules decide nothing.
    #[must_use]
    pub const fn too_large(&self) -> usize {
        self.too_large
    }

    /// Bytes that they take, and their texts in answers: what targets have in common is held once, but served with each.
    #[must_use]
    pub fn size(&self) -> usize {
        self.served + size_of_val(&*self.targets)
    }
}

/// The piece of a text.
fn slice<'t>(text: &'t str, range: &Range<u32>) -> &'t str {
    text.get(range.start as usize..range.end as usize).unwrap_or_default()
}

/// Names of nodes and zones, each held once.
#[derive(Debug, Clone, Default)]
pub struct Places(HashSet<Arc<str>>);

impl Places {
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

/// Whether targets of a group seldom have a label of that name alike.
fn is_of_each(name: &str) -> bool {
    OF_EACH.contains(&name) || name.starts_with(OF_NODES)
}

/// The hash of an address, by which targets are given out.
#[must_use]
pub fn address_hash(address: &str) -> u64 {
    xxh64(address.as_bytes(), 0)
}

/// The node that a target is on.
fn node_of<'s>(labels: Layers<'s, '_>) -> &'s str {
    let named = NODE_LABELS.iter().map(|name| labels.get(name)).find(|node| !node.is_empty());
    named.unwrap_or_else(|| match labels.get(ADDRESS_TARGET_KIND) {
        "Node" => labels.get(ADDRESS_TARGET_NAME),
        _ => "",
    })
}
