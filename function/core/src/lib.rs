//! The pure part of the target allocator.
//!
//! Input: settings and Kubernetes objects. Output: scrape jobs, targets, their owners, and a
//! report of everything that was skipped. There is no clock, environment, file system, network or
//! async runtime here: the caller passes in the time and the objects.
//!
//! The modules stand in the order of the flow, and each uses only modules above it (a test checks this).

// Values and texts that everything below is made of.

// Host and port in one text.
pub mod address;

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

// Kubernetes objects, cut down to the fields that somebody reads.
pub mod objects;

// Label selectors and field selectors.
pub mod selector;

// Relabelling rules: checked, compiled, applied to labels.
pub mod relabel;

// Prometheus' scrape configs: parsed, validated, printed.
pub mod scrape_config;

// From monitors, and the secrets that they name, to scrape jobs.
pub mod monitors;

// From scrape configs to targets and their collectors.

// The strategies: which collector a target belongs to.
pub mod shard;

// The settings of `targetallocator.yaml`.
pub mod config;

// Who may read which share.
pub mod access;

// From SD configs and objects to target groups with `__meta_` labels.
pub mod discovery;

// From target groups and a job's rules to targets, each with its text in answers.
pub mod targets;

// All of the above together: the jobs, their targets and the owners of the targets.
pub mod allocation;

// Each step of an allocation with its reason, for people.
pub mod explain;

// What differs between two allocations.
pub mod preview;
