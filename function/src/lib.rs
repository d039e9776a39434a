//! The shell of the target allocator: all input and output.
//!
//! request → [`http`] → [`snapshot`] ← `target_allocator_core` ← [`cluster`].
//! The core makes all decisions about monitors, targets and collectors. This crate lists
//! objects, keeps snapshots and answers events.

pub mod cluster;
mod error;
pub mod external;
pub mod http;
pub mod metrics;
mod moment;
pub mod pages;
pub mod preview;
pub mod settings;
pub mod snapshot;
