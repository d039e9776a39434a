//! Runs simulations and computes the figures of the tables.

use crate::churn::Churn;
use crate::collectors::View;
use crate::function::{Fleet, Policy, Routing, Timing};
use crate::run::{AllocatorKind, run};
use crate::shares::Allocations;
use crate::{Millis, seconds};

/// The figures of one kind of churn. Target-seconds are per pod or collector that was added, removed or replaced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Target-seconds without a scrape.
    pub missing: f64,
    /// Target-seconds with more than one scraping collector.
    pub doubled: f64,
    /// Snapshots per minute, of all environments.
    pub refreshes: f64,
    /// Maximum number of snapshots that started within one second.
    pub at_once: usize,
    /// Maximum number of environments.
    pub environments: usize,
    /// Billed milliseconds per second.
    pub billed: f64,
    /// Latency of requests in milliseconds: median and 99th percentile.
    pub latency: [Millis; 2],
}

/// The size of a simulation.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// The number of collectors at the start.
    pub collectors: usize,
    /// The number of runs for each kind of churn, each with other random times.
    pub repeats: u64,
}

/// Simulates one kind of churn and computes its figures.
#[allow(clippy::cast_precision_loss, reason = "the sums are far below 2^52")]
pub fn figure(allocations: &mut Allocations, kind: AllocatorKind, view: View, churn: Churn, size: Size) -> Figure {
    let (mut missing, mut doubled, mut units, mut taken) = (0, 0, 0, 0);
    let (mut measured, mut at_once, mut environments, mut billed) = (0, 0, 0, 0);
    let mut latencies = Vec::new();
    for seed in 0..size.repeats {
        let outcome = run(allocations, kind, view, size.collectors, churn, seed);
        missing += outcome.sums.missing;
        doubled += outcome.sums.doubled;
        units += outcome.units;
        measured += outcome.measured;
        taken += outcome.load.refreshes;
        billed += outcome.load.billed;
        latencies.extend(outcome.load.latencies);
        at_once = at_once.max(outcome.load.at_once);
        environments = environments.max(outcome.load.environments);
    }
    let each = |sum: u64| sum as f64 / 1000.0 / units as f64;
    let a_minute = |sum: u64| sum as f64 * seconds(60) as f64 / measured as f64;
    latencies.sort_unstable();
    let latency = [50, 99].map(|percent| latencies.get(latencies.len() * percent / 100).copied().unwrap_or_default());
    Figure {
        missing: each(missing),
        doubled: each(doubled),
        refreshes: a_minute(taken),
        at_once,
        environments,
        billed: a_minute(billed) / 60.0,
        latency,
    }
}

/// The policy of the function.
#[must_use]
pub const fn policy(ttl: u64) -> Policy {
    Policy { ttl, timing: Timing::FUNCTION, refreshes_for_unknown: true, ahead: false, handover: None }
}

/// A policy without common epochs, and without a refresh for unknown collectors.
#[must_use]
pub const fn free(ttl: u64) -> Policy {
    Policy { timing: Timing::Free, refreshes_for_unknown: false, ..policy(ttl) }
}

/// The function with a fixed number of environments. A random idle one answers each request.
#[must_use]
pub const fn any_of(environments: usize, policy: Policy) -> AllocatorKind {
    let (fleet, routing) = (Fleet::Fixed(environments), Routing::Random);
    AllocatorKind::Function { policy, fleet, routing, lifetime: None }
}

/// The function with as many environments as its requests need. The one that was used last answers each request.
#[must_use]
pub const fn as_needed(policy: Policy, lifetime: Option<Millis>) -> AllocatorKind {
    AllocatorKind::Function { policy, fleet: Fleet::Grown, routing: Routing::Latest, lifetime }
}

/// All compared allocators, with their names in the table.
#[must_use]
pub fn compared() -> Vec<(&'static str, AllocatorKind)> {
    let epochs = |spread| Policy { timing: Timing::Epochs { spread }, ..free(15) };
    let handover = Policy { handover: Some(30), ..policy(15) };
    let (fleet, routing) = (Fleet::Fixed(5), Routing::Latest);
    let latest = |policy| AllocatorKind::Function { policy, fleet, routing, lifetime: None };
    vec![
        ("the operator's allocator", AllocatorKind::Operator),
        ("free, 1", any_of(1, free(15))),
        ("free, any of 2", any_of(2, free(15))),
        ("free, any of 5", any_of(5, free(15))),
        ("free, any of 20", any_of(20, free(15))),
        ("free, latest of 5", latest(free(15))),
        ("free, as needed", as_needed(free(15), None)),
        ("epochs at once, any of 5", any_of(5, epochs(0))),
        ("epochs at once, as needed", as_needed(epochs(0), None)),
        ("epochs, any of 5", any_of(5, epochs(20))),
        ("epochs, as needed", as_needed(epochs(20), None)),
        ("**the function**, 1", any_of(1, policy(15))),
        ("**the function**, any of 2", any_of(2, policy(15))),
        ("**the function**, any of 5", any_of(5, policy(15))),
        ("**the function**, any of 20", any_of(20, policy(15))),
        ("**the function**, latest of 5", latest(policy(15))),
        ("**the function**, as needed", as_needed(policy(15), None)),
        ("**the function**, each lives 2 minutes", as_needed(policy(15), Some(seconds(120)))),
        ("**the function**, TTL 10, any of 5", any_of(5, policy(10))),
        ("**the function**, TTL 5, any of 5", any_of(5, policy(5))),
        ("handover of 30 s, any of 5", any_of(5, handover)),
    ]
}

/// The allocators of the table about refreshing ahead of the next request.
#[must_use]
pub fn ahead() -> Vec<(&'static str, AllocatorKind)> {
    let (now, ahead) = (policy(15), Policy { ahead: true, ..policy(15) });
    vec![
        ("any of 2", any_of(2, now)),
        ("any of 2, ahead", any_of(2, ahead)),
        ("any of 5", any_of(5, now)),
        ("any of 5, ahead", any_of(5, ahead)),
        ("as needed", as_needed(now, None)),
        ("as needed, ahead", as_needed(ahead, None)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The target-seconds without a scrape, for each kind of churn.
    fn missing(allocations: &mut Allocations, kind: AllocatorKind) -> Vec<f64> {
        let size = Size { collectors: 8, repeats: 20 };
        let churns = Churn::ALL.into_iter();
        churns.map(|churn| figure(allocations, kind, View::Merged, churn, size).missing).collect()
    }

    #[test]
    fn environments_agree_as_well_as_one_allocator() {
        let mut allocations = Allocations::new(160, 8, "consistent-hashing");
        let operator = missing(&mut allocations, AllocatorKind::Operator);
        let mut worse = Vec::new();
        for (ttl, environments, bound) in [(15_u32, 1, 1.15), (15, 5, 1.15), (15, 20, 1.25), (10, 5, 1.15), (5, 5, 1.2)]
        {
            let function = missing(&mut allocations, any_of(environments, policy(u64::from(ttl))));
            for (churn, (function, operator)) in Churn::ALL.iter().zip(function.iter().zip(&operator)) {
                // With few pods, the operator sees each change at once. The function sees it after half of the TTL.
                let bound = if churn.is_of_pods() { operator + 0.55 * f64::from(ttl) } else { operator * bound };
                if !(*function > 0.0 && *function <= bound) {
                    worse.push(format!("{}: {function} > {bound}, TTL {ttl}, {environments}", churn.name()));
                }
            }
        }
        assert!(worse.is_empty(), "{worse:#?}");
    }

    #[test]
    fn epochs_and_refreshes_for_unknown_collectors_reduce_missing_scrapes() {
        let mut allocations = Allocations::new(160, 8, "consistent-hashing");
        let free = missing(&mut allocations, any_of(5, free(15)));
        let function = missing(&mut allocations, any_of(5, policy(15)));
        let sums = [function.iter().sum::<f64>(), free.iter().sum::<f64>()];
        assert!(sums[0] < sums[1] * 0.95, "{sums:?}");
        let joins = Churn::ALL.iter().position(|churn| *churn == Churn::ScaleUp).unwrap();
        assert!(function[joins] < free[joins] * 0.8, "{} {}", function[joins], free[joins]);
    }

    #[test]
    fn figures_are_reproducible() {
        let size = Size { collectors: 4, repeats: 2 };
        let figure = || {
            let mut allocations = Allocations::new(40, 4, "rendezvous-hashing");
            figure(&mut allocations, any_of(5, policy(15)), View::Plain, Churn::Replacement, size)
        };
        assert_eq!(figure(), figure());
    }
}
