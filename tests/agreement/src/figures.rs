//! What is measured, and the table of it.

use crate::churn::Churn;
use crate::collectors::View;
use crate::function::{Fleet, Policy, Routing, Timing};
use crate::run::{Answering, run};
use crate::shares::Allocations;
use crate::{Millis, seconds};

/// Target-seconds for each pod or collector that came, went, or was replaced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Not scraped.
    pub missing: f64,
    /// Scraped twice.
    pub doubled: f64,
    /// Snapshots taken in a minute, by all environments.
    pub refreshes: f64,
    /// The most that began within a second.
    pub at_once: usize,
    /// The most environments.
    pub environments: usize,
}

/// How large a simulation is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Collectors at first.
    pub collectors: usize,
    /// How often each kind of churn happens, each time at other moments.
    pub repeats: u64,
}

/// The figure of one kind of churn.
#[allow(clippy::cast_precision_loss, reason = "the sums are far below 2^52")]
pub fn figure(allocations: &mut Allocations, answering: Answering, view: View, churn: Churn, size: Size) -> Figure {
    let (mut missing, mut doubled, mut units, mut waited) = (0, 0, 0, 0);
    let (mut measured, mut at_once, mut environments) = (0, 0, 0);
    for seed in 0..size.repeats {
        let outcome = run(allocations, answering, view, size.collectors, churn, seed);
        missing += outcome.sums.missing;
        doubled += outcome.sums.doubled;
        units += outcome.units;
        measured += outcome.measured;
        waited += outcome.load.waited;
        at_once = at_once.max(outcome.load.at_once);
        environments = environments.max(outcome.load.environments);
    }
    let each = |sum: u64| sum as f64 / 1000.0 / units as f64;
    let refreshes = waited as f64 * seconds(60) as f64 / measured as f64;
    Figure { missing: each(missing), doubled: each(doubled), refreshes, at_once, environments }
}

/// The function with a fixed number of environments, any of which answers.
#[must_use]
pub const fn function(environments: usize, policy: Policy) -> Answering {
    let (fleet, routing) = (Fleet::Fixed(environments), Routing::Random);
    Answering::Function { policy, fleet, routing, lifetime: None }
}

/// Snapshots of that TTL.
#[must_use]
pub const fn policy(ttl: u64, timing: Timing) -> Policy {
    Policy { ttl, timing, asks_for_unknown: false, handover: None }
}

/// How long environments live where they are replaced now and then.
pub const LIFETIME: Millis = seconds(120);
