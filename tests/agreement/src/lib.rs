//! Simulates how long targets are scraped twice, or not at all, while pods and collectors come and go.
//!
//! Input: a cluster, its churn, and an allocator: the function with some number of environments, or the operator's
//! allocator. Output: target-seconds. Time is simulated. The real core computes the assignments.

#![allow(clippy::unwrap_used, reason = "a simulation that cannot be set up fails by panicking")]

pub mod churn;
pub mod collectors;
pub mod figures;
pub mod function;
pub mod ledger;
pub mod operator;
pub mod run;
pub mod shares;

/// Simulated time in milliseconds: a point in time or a time span.
pub type Millis = u64;

/// Converts seconds to milliseconds.
#[must_use]
pub const fn seconds(count: u64) -> Millis {
    count * 1000
}
