//! The pure part of the target allocator.
//!
//! Settings and Kubernetes objects go in; scrape jobs, targets, their owners and
//! a report of everything that was skipped come out. No clock, environment, file
//! system, network or async runtime: time is passed in, objects are passed in.
//!
//! The modules stand in the order of the flow, and each uses only earlier ones:
//! objects → monitors → scrape jobs → discovery → relabel → targets → shard; `explain`
//! looks back at all of them, `preview` compares two states.

pub mod access;
pub mod allocation;
pub mod config;
pub mod discovery;
pub mod duration;
pub mod explain;
pub mod labels;
pub mod monitors;
pub mod objects;
pub mod preview;
pub mod regex;
pub mod relabel;
pub mod report;
pub mod scrape_config;
pub mod selector;
pub mod shard;
pub mod size;
pub mod targets;
pub mod unknown_key;
pub mod yaml;
