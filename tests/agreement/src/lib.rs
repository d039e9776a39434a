//! How long targets are scraped twice or not at all while pods and collectors come and go.
//!
//! Input: a cluster, what happens to it, and who answers its collectors: the function
//! in some number of environments, or the operator's one allocator. Output:
//! target-seconds. Time is simulated; who scrapes what is computed by the real core.

#![allow(clippy::unwrap_used, reason = "a simulation that cannot be set up fails by panicking")]

pub mod churn;
pub mod collectors;
pub mod figures;
pub mod function;
pub mod ledger;
pub mod operator;
pub mod run;
pub mod shares;

/// A point in simulated time, or a distance: milliseconds.
pub type Millis = u64;

/// Milliseconds of a number of seconds.
#[must_use]
pub const fn seconds(count: u64) -> Millis {
    count * 1000
}
