//! Who scrapes targets, how often and as which job, in words.

use std::collections::BTreeSet;

use super::{Fate, TargetTrace, World, counted};

/// Maximum number of collectors that a sentence names.
const MOST_NAMED: usize = 3;

/// The collectors, intervals and jobs of some targets.
#[derive(Debug, Default)]
pub(super) struct Scrapes {
    collectors: BTreeSet<String>,
    intervals: BTreeSet<String>,
    jobs: BTreeSet<String>,
    targets: usize,
}

impl Scrapes {
    /// Adds a target if a collector is assigned to it.
    pub(super) fn add(&mut self, world: World<'_>, trace: &TargetTrace) {
        let Fate::Served { by, .. } = &trace.fate else { return };
        self.targets += 1;
        self.collectors.extend(by.iter().map(|owner| owner.collector.clone()));
        self.jobs.insert(trace.job.clone());
        // A rule can set the interval of a target. Without rules, the job has it.
        let own = trace.after.as_ref().and_then(|labels| labels.get("__scrape_interval__").cloned());
        self.intervals.extend(own.or_else(|| interval(world, &trace.job)));
    }

    /// Adds the targets of a job, with the interval of the job.
    pub(super) fn add_job<'c>(
        &mut self,
        world: World<'_>,
        job: &str,
        targets: usize,
        collectors: impl Iterator<Item = &'c String>,
    ) {
        self.targets += targets;
        self.collectors.extend(collectors.cloned());
        self.intervals.extend(interval(world, job));
        self.jobs.insert(job.to_owned());
    }

    pub(super) const fn targets(&self) -> usize {
        self.targets
    }

    /// The words: `scraped by otel-0 every 15 s as job serviceMonitor/shop/web/0`.
    pub(super) fn words(&self) -> String {
        let collectors: Vec<_> = self.collectors.iter().map(String::as_str).collect();
        let intervals: Vec<_> = self.intervals.iter().map(|interval| spaced(interval)).collect();
        let jobs = match (self.jobs.first(), self.jobs.len()) {
            (Some(job), 1) => format!("job {job}"),
            (_, count) => counted(count, "job"),
        };
        let by = match collectors.len() {
            count if count > MOST_NAMED => counted(count, "collector"),
            _ => joined(&collectors),
        };
        format!("scraped by {by} every {} as {jobs}", intervals.join(" or "))
    }
}

fn interval(world: World<'_>, job: &str) -> Option<String> {
    Some(world.allocation.job(job)?.scrape_config().scrape_interval.to_string())
}

/// A duration of one unit with a space: `15 s`. Other durations stay as Prometheus writes them: `1m30s`.
fn spaced(duration: &str) -> String {
    let digits = duration.bytes().take_while(u8::is_ascii_digit).count();
    match duration.split_at(digits) {
        (number, "m") if !number.is_empty() => format!("{number} min"),
        (number, unit @ ("ms" | "s" | "h" | "d")) if !number.is_empty() => format!("{number} {unit}"),
        _ => duration.to_owned(),
    }
}

/// A list in words: `a, b and c`.
fn joined(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => "no collector".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_of_one_unit_are_spaced() {
        let cases =
            [("15s", "15 s"), ("1m", "1 min"), ("500ms", "500 ms"), ("1m30s", "1m30s"), ("s", "s"), ("${x}", "${x}")];
        for (duration, expected) in cases {
            assert_eq!(spaced(duration), expected);
        }
    }

    #[test]
    fn names_are_joined_as_in_a_sentence() {
        assert_eq!(joined(&["a"]), "a");
        assert_eq!(joined(&["a", "b"]), "a and b");
        assert_eq!(joined(&["a", "b", "c"]), "a, b and c");
    }
}
