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
    /// Billed milliseconds in a second.
    pub billed: f64,
    /// Milliseconds after which half of the requests, and all but one of a hundred, have their answer.
    pub latency: [Millis; 2],
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
    let (mut missing, mut doubled, mut units, mut taken) = (0, 0, 0, 0);
    let (mut measured, mut at_once, mut environments, mut billed) = (0, 0, 0, 0);
    let mut latencies = Vec::new();
    for seed in 0..size.repeats {
        let outcome = run(allocations, answering, view, size.collectors, churn, seed);
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

/// As the function keeps its snapshots.
#[must_use]
pub const fn policy(ttl: u64) -> Policy {
    Policy { ttl, timing: Timing::FUNCTION, asks_for_unknown: true, ahead: false, handover: None }
}

/// As it would keep them if environments had no epochs in common and did not look for collectors.
#[must_use]
pub const fn free(ttl: u64) -> Policy {
    Policy { timing: Timing::Free, asks_for_unknown: false, ..policy(ttl) }
}

/// The function with a fixed number of environments, any of which answers.
#[must_use]
pub const fn any_of(environments: usize, policy: Policy) -> Answering {
    let (fleet, routing) = (Fleet::Fixed(environments), Routing::Random);
    Answering::Function { policy, fleet, routing, lifetime: None }
}

/// The function with as many environments as its requests need, of which the one that was
/// used last answers.
#[must_use]
pub const fn as_needed(policy: Policy, lifetime: Option<Millis>) -> Answering {
    Answering::Function { policy, fleet: Fleet::Grown, routing: Routing::Latest, lifetime }
}

/// All who are compared, with what they are called.
#[must_use]
pub fn compared() -> Vec<(&'static str, Answering)> {
    let epochs = |spread| Policy { timing: Timing::Epochs { spread }, ..free(15) };
    let handover = Policy { handover: Some(30), ..policy(15) };
    let (fleet, routing) = (Fleet::Fixed(5), Routing::Latest);
    let latest = |policy| Answering::Function { policy, fleet, routing, lifetime: None };
    vec![
        ("the operator's allocator", Answering::Operator),
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

/// Those that show what refreshing ahead of the next request is worth.
#[must_use]
pub fn ahead() -> Vec<(&'static str, Answering)> {
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

    /// Missing target-seconds of each kind of churn.
    fn missing(allocations: &mut Allocations, answering: Answering) -> Vec<f64> {
        let size = Size { collectors: 8, repeats: 20 };
        let churns = Churn::ALL.into_iter();
        churns.map(|churn| figure(allocations, answering, View::Merged, churn, size).missing).collect()
    }

    #[test]
    fn environments_agree_as_well_as_one_allocator() {
        let mut allocations = Allocations::new(160, 8, "consistent-hashing");
        let operator = missing(&mut allocations, Answering::Operator);
        let mut worse = Vec::new();
        for (ttl, environments, bound) in [(15_u32, 1, 1.15), (15, 5, 1.15), (15, 20, 1.25), (10, 5, 1.15), (5, 5, 1.2)]
        {
            let function = missing(&mut allocations, any_of(environments, policy(u64::from(ttl))));
            for (churn, (function, operator)) in Churn::ALL.iter().zip(function.iter().zip(&operator)) {
                // With so few pods the operator hears of each at once, and the function after half of the TTL.
                let bound = if churn.is_of_pods() { operator + 0.55 * f64::from(ttl) } else { operator * bound };
                if !(*function > 0.0 && *function <= bound) {
                    worse.push(format!("{}: {function} > {bound}, TTL {ttl}, {environments}", churn.name()));
                }
            }
        }
        assert!(worse.is_empty(), "{worse:#?}");
    }

    #[test]
    fn epochs_and_looking_for_collectors_are_worth_it() {
        let mut allocations = Allocations::new(160, 8, "consistent-hashing");
        let free = missing(&mut allocations, any_of(5, free(15)));
        let function = missing(&mut allocations, any_of(5, policy(15)));
        let sums = [function.iter().sum::<f64>(), free.iter().sum::<f64>()];
        assert!(sums[0] < sums[1] * 0.95, "{sums:?}");
        let joins = Churn::ALL.iter().position(|churn| *churn == Churn::ScaleUp).unwrap();
        assert!(function[joins] < free[joins] * 0.8, "{} {}", function[joins], free[joins]);
    }

    #[test]
    fn the_same_run_has_the_same_figures() {
        let size = Size { collectors: 4, repeats: 2 };
        let figure = || {
            let mut allocations = Allocations::new(40, 4, "rendezvous-hashing");
            figure(&mut allocations, any_of(5, policy(15)), View::Plain, Churn::Replacement, size)
        };
        assert_eq!(figure(), figure());
    }
}
