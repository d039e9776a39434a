//! The targets of a job, rendered once.
//!
//! Input: the label sets that discovery made, and the job's rules. Output: for each target that the rules keep,
//! its text in HTTP SD answers, and what the strategies read. Follows `internal/target/discovery.go` of the
//! operator's allocator.
//!
//! In the order of the flow: `maker` takes the groups of a job, `part` makes a target of each label set with
//! the job's `inputs`, and `group` holds the targets of a group.

mod group;
mod identity;
mod inputs;
mod location;
mod maker;
mod part;
mod render;
#[cfg(test)]
mod tests;
mod text;

use std::ops::Range;
use std::sync::Arc;

pub use group::GroupTargets;
pub use identity::address_hash;
pub use location::Locations;
pub use maker::{Maker, Relabelled};
pub use render::escape;
pub use text::Text;

use crate::discovery::TooMany;

/// Which labels of a target are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedLabels {
    /// All labels that discovery makes, as the operator's allocator does.
    All,
    /// Of the `__meta_` labels only those that a collector can use: labels that the job's rules can read,
    /// and [`RESOURCE_LABELS`].
    Referenced,
}

/// Whether the rules of a job drop targets (`filter_strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleFilter {
    /// Targets that the rules drop are left out (`relabel-config`).
    On,
    /// All targets are served, and the collectors apply the rules.
    Off,
}

impl RuleFilter {
    /// The filter of a config, in which `true` stands for [`RuleFilter::On`].
    #[must_use]
    pub const fn new(is_on: bool) -> Self {
        if is_on { Self::On } else { Self::Off }
    }
}

/// Labels that the collector's Prometheus receiver turns into resource attributes such as `k8s.pod.name`,
/// whatever the rules say (`internal/prom_to_otlp.go` of the receiver).
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

/// The forms in which targets are served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Views {
    /// As discovered; collectors relabel them.
    pub plain: bool,
    /// Relabelled, in jobs that several jobs are merged into.
    pub merged: bool,
}

impl Views {
    /// Neither view.
    pub const NONE: Self = Self { plain: false, merged: false };
    /// The plain view only.
    pub const PLAIN: Self = Self { plain: true, merged: false };
    /// The merged view only.
    pub const MERGED: Self = Self { plain: false, merged: true };

    /// The views that one of the two has.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self { plain: self.plain || other.plain, merged: self.merged || other.merged }
    }

    /// Whether these have all views of `other`.
    #[must_use]
    pub const fn cover(self, other: Self) -> bool {
        (self.plain || !other.plain) && (self.merged || !other.merged)
    }
}

/// A target that its job's rules keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Hash of the job and the relabelled labels: targets with equal identities are one target.
    pub identity: u64,
    /// Hash of the address as discovered.
    pub address: u64,
    /// The node that it runs on; empty if no label names one.
    pub node: Arc<str>,
    /// The zone that its endpoint slice names; empty if it names none.
    pub zone: Arc<str>,
    /// Hash of the labels that it was made from.
    source_hash: u64,
    /// Where the pieces of the plain text are, in their order.
    own: Range<u32>,
    shared: Range<u32>,
    tail: Range<u32>,
    /// Where the merged text is.
    merged: Range<u32>,
}

/// Why targets are not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// One object has too many of them.
    #[error(transparent)]
    Object(#[from] TooMany),
    /// They take too many bytes.
    #[error("its targets take more than {} MiB: let its rules drop what it does not need", .0 >> 20)]
    Job(usize),
    /// The targets of all jobs of the monitor take too many bytes.
    #[error(
        "the targets of all jobs of this object take more than {} MiB: let their rules drop what they do not need, or raise \
         the function's memory", .0 >> 20
    )]
    Jobs(usize),
}
