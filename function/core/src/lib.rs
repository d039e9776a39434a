//! The pure part of the target allocator.
//!
//! Input: settings and Kubernetes objects. Output: scrape jobs, targets, the owners of targets, and a report of
//! everything that was skipped. This crate has no clock, environment, file system, network or async runtime. The caller
//! passes in the time and the objects.
//!
//! The modules are in the order of the flow. Each module uses only modules above it. A test checks this.

// Values and texts that all other modules use.

// Addresses: host and port in one text, and networks.
pub mod address;

// Errors with all their sources, as one text.
pub mod error;

// Label sets, and the rules for label names.
pub mod labels;

// Go's regular expressions.
pub mod regex;

// YAML as Prometheus and the operator read it.
pub mod yaml;

// Durations as Prometheus writes them.
pub mod duration;

// Sizes in bytes as Prometheus writes them.
pub mod size;

// Names that resemble each other.
pub mod similar;

// Unknown keys of a config file, and the known keys that they resemble.
pub mod unknown_key;

// Everything that was skipped or changed: object, field and reason.
pub mod report;

// From Kubernetes objects to scrape configs.

// Kubernetes objects, with only the fields that the function reads.
pub mod objects;

// Label selectors and field selectors.
pub mod selector;

// Relabelling rules: checked, compiled, applied to labels.
pub mod relabel;

// Prometheus' scrape configs: parsed, validated, printed.
pub mod scrape_config;

// Scrape jobs from monitors and the secrets that they name.
pub mod monitors;

// From scrape configs to targets and their collectors.

// The strategies: they assign targets to collectors.
pub mod shard;

// The settings of `targetallocator.yaml`.
pub mod config;

// The permissions: which caller may read which share.
pub mod access;

// Target groups with `__meta_` labels, from SD configs and objects.
pub mod discovery;

// Targets with their texts in responses, from target groups and the rules of a job.
pub mod targets;

// The allocation: the jobs, their targets and the owners of the targets.
pub mod allocation;

// The metrics of an allocation, as metric families.
pub mod metric_families;

// Explanations for people: each step of an allocation with its reason.
pub mod explain;

// The differences between two allocations.
pub mod preview;
