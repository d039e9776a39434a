//! The targets of a job, rendered once.
//!
//! Input: the label sets from discovery, and the rules of the job. Output: for each target that the rules keep, its
//! text in HTTP SD responses, and the values that the strategies read. Follows `internal/target/discovery.go` of the
//! operator's allocator.
//!
//! The files in the order of the flow: `maker` loops over the groups of a job. `part` turns each label set into a
//! target with the `inputs` of the job. `group` holds the targets of a group.

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
    /// All labels that discovery makes, as in the operator's allocator.
    All,
    /// Only the `__meta_` labels that a collector can use: labels that the rules of the job can read, and
    /// [`RESOURCE_LABELS`]. All other labels are served.
    Referenced,
}

/// Whether the rules of a job drop targets (`filter_strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleFilter {
    /// Targets that the rules drop are not served (`relabel-config`).
    On,
    /// All targets are served, and the collectors apply the rules.
    Off,
}

impl RuleFilter {
    /// The filter for a boolean of the config. `true` is [`RuleFilter::On`].
    #[must_use]
    pub const fn new(is_on: bool) -> Self {
        if is_on { Self::On } else { Self::Off }
    }
}

/// Labels that the Prometheus receiver of a collector turns into resource attributes such as `k8s.pod.name`. The
/// receiver reads them before the rules run (`internal/prom_to_otlp.go` of the receiver).
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
    /// Plain: with the labels as discovered. Collectors relabel the targets.
    pub plain: bool,
    /// Merged: with relabelled labels, in jobs that combine several jobs.
    pub merged: bool,
}

impl Views {
    /// No view.
    pub const NONE: Self = Self { plain: false, merged: false };
    /// The plain view only.
    pub const PLAIN: Self = Self { plain: true, merged: false };
    /// The merged view only.
    pub const MERGED: Self = Self { plain: false, merged: true };

    /// The views that `self` or `other` has.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self { plain: self.plain || other.plain, merged: self.merged || other.merged }
    }

    /// Whether `self` has all views of `other`.
    #[must_use]
    pub const fn cover(self, other: Self) -> bool {
        (self.plain || !other.plain) && (self.merged || !other.merged)
    }
}

/// A target that the rules of its job keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Hash of the job and the relabelled labels. Targets with equal identities are one target.
    pub identity: u64,
    /// Hash of the discovered address.
    pub address: u64,
    /// The node of the target. Empty if no label names a node.
    pub node: Arc<str>,
    /// The zone from the endpoint slice. Empty if the slice names no zone.
    pub zone: Arc<str>,
    /// Hash of the discovered labels, from which the target was made.
    source_hash: u64,
    /// The ranges of the pieces of the plain text, in their order.
    own: Range<u32>,
    shared: Range<u32>,
    tail: Range<u32>,
    /// The range of the merged text.
    merged: Range<u32>,
}

/// The reason why targets are not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// One object has too many targets.
    #[error(transparent)]
    Object(#[from] TooMany),
    /// The targets take too much memory.
    #[error("its targets take more than {} MiB: let its rules drop what it does not need", .0 >> 20)]
    Job(usize),
    /// The targets of all jobs of the monitor take too many bytes.
    #[error(
        "the targets of all jobs of this object take more than {} MiB: let their rules drop what they do not need, or raise \
         the function's memory", .0 >> 20
    )]
    Jobs(usize),
}
