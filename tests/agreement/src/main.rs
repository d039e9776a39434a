//! Prints how long targets are scraped twice or not at all, whoever answers.

use std::io::Write;

use target_allocator_agreement::churn::Churn;
use target_allocator_agreement::collectors::View;
use target_allocator_agreement::figures::{LIFETIME, Size, figure, function, policy};
use target_allocator_agreement::function::{Fleet, Policy, Routing, Timing};
use target_allocator_agreement::run::Answering;
use target_allocator_agreement::shares::Allocations;

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let view = if args.next().as_deref() == Some("plain") { View::Plain } else { View::Merged };
    let strategy = args.next().unwrap_or("consistent-hashing".to_owned());
    let repeats = args.next().and_then(|repeats| repeats.parse().ok()).unwrap_or(40);
    let filter = args.next().unwrap_or_default();
    let mut allocations = Allocations::new(2_000, 40, &strategy);
    let mut rows = vec![("operator".to_owned(), Answering::Operator)];
    for ttl in [15, 10, 5] {
        for timing in [
            Timing::Free,
            Timing::Aligned { spread: 0, least: 0 },
            Timing::Aligned { spread: 0, least: 50 },
            Timing::Aligned { spread: 0, least: 80 },
            Timing::Aligned { spread: 2000, least: 0 },
            Timing::Aligned { spread: 2000, least: 50 },
            Timing::Aligned { spread: 2000, least: 80 },
            Timing::Aligned { spread: 3000, least: 0 },
            Timing::Aligned { spread: 3000, least: 50 },
            Timing::Aligned { spread: 3000, least: 80 },
        ] {
            for environments in [1, 2, 5, 20] {
                rows.push((format!("{timing:?} {ttl} E={environments}"), function(environments, policy(ttl, timing))));
            }
            let latest = |fleet, lifetime| Answering::Function {
                policy: policy(ttl, timing),
                fleet,
                routing: Routing::Latest,
                lifetime,
            };
            rows.push((format!("{timing:?} {ttl} E=5 latest"), latest(Fleet::Fixed(5), None)));
            rows.push((format!("{timing:?} {ttl} grown latest"), latest(Fleet::Grown, None)));
            rows.push((format!("{timing:?} {ttl} grown latest dying"), latest(Fleet::Grown, Some(LIFETIME))));
            rows.push((
                format!("{timing:?} {ttl} grown random"),
                Answering::Function {
                    policy: policy(ttl, timing),
                    fleet: Fleet::Grown,
                    routing: Routing::Random,
                    lifetime: None,
                },
            ));
            rows.push((
                format!("{timing:?} {ttl} E=5 asks"),
                function(5, Policy { asks_for_unknown: true, ..policy(ttl, timing) }),
            ));
            for handover in [15, 30, 45] {
                rows.push((
                    format!("{timing:?} {ttl} E=5 asks handover {handover}"),
                    function(5, Policy { asks_for_unknown: true, handover: Some(handover), ..policy(ttl, timing) }),
                ));
            }
        }
    }
    let mut out = std::io::stdout().lock();
    for (name, answering) in rows.iter().filter(|(name, _)| name.contains(&filter)) {
        write!(out, "{name:32}")?;
        let mut last = None;
        for churn in Churn::ALL {
            let size = Size {
                collectors: 20,
                repeats: if matches!(churn, Churn::Pods | Churn::Rollout) { repeats / 10 } else { repeats },
            };
            let figure = figure(&mut allocations, *answering, view, churn, size);
            write!(out, " | {:7.1} {:7.1}", figure.missing, figure.doubled)?;
            last = Some(figure);
        }
        if let Some(figure) = last {
            write!(out, " | {:6.1} {} {}", figure.refreshes, figure.at_once, figure.environments)?;
        }
        writeln!(out)?;
    }
    Ok(())
}
