//! The shell of the target allocator: everything that touches the world.
//!
//! request → [`http`] → [`snapshot`] ← `target_allocator_core` ← [`cluster`].
//! What a monitor means, what a target is and who scrapes it is decided in the
//! core; here objects are listed, snapshots kept and events answered.

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
