//! Prints the tables of `docs/agreement.md`.
//!
//! `target-allocator-agreement [REPEATS [STRATEGY]]` prints the first tables, `target-allocator-agreement ahead` the
//! last one. Each kind of churn is simulated REPEATS times in the merged view. The plain view takes longer to simulate,
//! so it gets a fifth of the repeats.

use std::io::Write;

use target_allocator_agreement::churn::Churn;
use target_allocator_agreement::collectors::View;
use target_allocator_agreement::figures::{Size, ahead, compared, figure};
use target_allocator_agreement::shares::Allocations;

const PODS: usize = 2_000;
const MONITORS: usize = 40;
const COLLECTORS: usize = 20;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("ahead") {
        return refreshing_ahead();
    }
    let repeats: u64 = first.and_then(|repeats| repeats.parse().ok()).unwrap_or(100);
    let strategy = arguments.next().unwrap_or_else(|| "consistent-hashing".to_owned());
    let mut allocations = Allocations::new(PODS, MONITORS, &strategy);
    let mut out = std::io::stdout().lock();
    for (view, repeats) in [(View::Merged, repeats), (View::Plain, repeats / 5)] {
        write!(out, "\n{view:?} view, {strategy}\n\n| |")?;
        Churn::ALL.iter().try_for_each(|churn| write!(out, " {} |", churn.name()))?;
        writeln!(out, " refreshes a minute | most in a second | environments |")?;
        writeln!(out, "|---|{}", "---|".repeat(Churn::ALL.len() + 3))?;
        for (name, kind) in compared() {
            write!(out, "| {name} |")?;
            let mut load = (0.0, 0, 0);
            for churn in Churn::ALL {
                // One run replaces many pods, so fewer runs are enough.
                let repeats = if churn.is_of_pods() { repeats.div_ceil(10) } else { repeats };
                let size = Size { collectors: COLLECTORS, repeats };
                let figure = figure(&mut allocations, kind, view, churn, size);
                if churn.is_of_pods() {
                    write!(out, " {:.1} |", figure.missing)?;
                    load = (figure.refreshes, figure.at_once, figure.environments);
                } else {
                    write!(out, " {:.0} / {:.0} |", figure.missing, figure.doubled)?;
                }
            }
            writeln!(out, " {:.0} | {} | {} |", load.0, load.1, load.2)?;
        }
    }
    Ok(())
}

/// Prints the costs and savings of refreshing right after a response, while pods are replaced all the time.
fn refreshing_ahead() -> std::io::Result<()> {
    let mut allocations = Allocations::new(PODS, MONITORS, "consistent-hashing");
    let mut out = std::io::stdout().lock();
    writeln!(out, "| view | environments | p50, ms | p99, ms | billed, ms a second | refreshes a minute | missing |")?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for view in [View::Merged, View::Plain] {
        for (name, kind) in ahead() {
            let size = Size { collectors: COLLECTORS, repeats: 12 };
            let figure = figure(&mut allocations, kind, view, Churn::ALL[0], size);
            let ([half, most], billed) = (figure.latency, figure.billed);
            let (refreshes, missing) = (figure.refreshes, figure.missing);
            writeln!(out, "| {view:?} | {name} | {half} | {most} | {billed:.1} | {refreshes:.0} | {missing:.1} |")?;
        }
    }
    Ok(())
}
