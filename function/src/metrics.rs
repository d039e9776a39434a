//! What CloudWatch makes metrics of: lines in its embedded metric format, in the log.
//!
//! Numbers are gathered and written once a minute at most: a line for each answer
//! would cost more than the answers.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::snapshot::moment::Moment;

const NAMESPACE: &str = "TargetAllocator";

/// How long numbers are gathered.
const INTERVAL: Duration = Duration::from_secs(60);

/// More values than that do not fit into one line.
const MOST_VALUES: usize = 100;

/// Gathers numbers, and writes them.
#[derive(Clone, Default)]
pub struct Metrics {
    /// Where the function runs by a name, it writes them.
    shared: Option<Arc<Shared>>,
}

struct Shared {
    function: String,
    gathered: Mutex<Gathered>,
}

struct Gathered {
    since: Option<Moment>,
    numbers: Numbers,
}

/// What was gathered since the last lines.
#[derive(Debug, Default)]
struct Numbers {
    cold_start: u32,
    /// The oldest data that was answered from, in seconds.
    snapshot_age: Option<u64>,
    refresh_milliseconds: Vec<u64>,
    counts: Option<Counts>,
    answers: BTreeMap<(&'static str, u16), u64>,
}

/// What a snapshot holds.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    /// Targets of all jobs.
    pub targets: usize,
    /// Those that no collector has.
    pub unassigned: usize,
    /// What was left out, and is in the report.
    pub skipped: usize,
}

impl Metrics {
    /// Metrics of the function of that name; without one, none are written.
    #[must_use]
    pub fn new(function: Option<String>) -> Self {
        let numbers = Numbers { cold_start: 1, ..Numbers::default() };
        let gathered = |function| Shared { function, gathered: Mutex::new(Gathered { since: None, numbers }) };
        Self { shared: function.map(|function| Arc::new(gathered(function))) }
    }

    /// A snapshot was taken.
    pub fn refreshed(&self, took: Duration, counts: Counts) {
        self.gather(|numbers| {
            if numbers.refresh_milliseconds.len() < MOST_VALUES {
                numbers.refresh_milliseconds.push(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            }
            numbers.counts = Some(counts);
        });
    }

    /// A snapshot could not be taken; the one that answers on is so old, or there has been none since.
    pub fn failed(&self, age: Duration) {
        self.gather(|numbers| numbers.snapshot_age = numbers.snapshot_age.max(Some(age.as_secs())));
    }

    /// A request was answered, from data of that age. Writes what was gathered if it is time to.
    pub fn answered(&self, route: &'static str, status: u16, age: Option<Duration>) {
        self.gather(|numbers| {
            *numbers.answers.entry((route, status)).or_default() += 1;
            numbers.snapshot_age = numbers.snapshot_age.max(age.map(|age| age.as_secs()));
        });
        let Some(shared) = &self.shared else { return };
        let numbers = {
            let mut gathered = shared.gathered.lock().unwrap_or_else(PoisonError::into_inner);
            if gathered.since.is_some_and(|since| since.elapsed() < INTERVAL) {
                return;
            }
            gathered.since = Some(Moment::now());
            std::mem::take(&mut gathered.numbers)
        };
        let now = Moment::now().timestamp().as_millisecond();
        let mut out = std::io::stdout().lock();
        for line in numbers.lines(&shared.function, now) {
            // Whoever has closed the log wants no metrics.
            let _ = writeln!(out, "{line}");
        }
    }

    fn gather(&self, add: impl FnOnce(&mut Numbers)) {
        if let Some(shared) = &self.shared {
            add(&mut shared.gathered.lock().unwrap_or_else(PoisonError::into_inner).numbers);
        }
    }
}

impl Numbers {
    fn lines(&self, function: &str, now: i64) -> Vec<Value> {
        let Self { cold_start, snapshot_age, refresh_milliseconds, counts, answers } = self;
        let mut values = vec![("ColdStart", "Count", json!(cold_start))];
        values.extend(snapshot_age.map(|age| ("SnapshotAge", "Seconds", json!(age))));
        if !refresh_milliseconds.is_empty() {
            values.push(("RefreshDuration", "Milliseconds", json!(refresh_milliseconds)));
        }
        if let Some(Counts { targets, unassigned, skipped }) = counts {
            let counted = [("Targets", targets), ("Unassigned", unassigned), ("Skipped", skipped)];
            values.extend(counted.map(|(name, count)| (name, "Count", json!(count))));
        }
        let mut lines = vec![line(&[("FunctionName", function)], &values, now)];
        for ((route, status), count) in answers {
            let dimensions = [("FunctionName", function), ("Route", route), ("Status", &status.to_string())];
            lines.push(line(&dimensions, &[("Answers", "Count", json!(count))], now));
        }
        lines
    }
}

fn line(dimensions: &[(&str, &str)], values: &[(&str, &str, Value)], now: i64) -> Value {
    let names: Vec<_> = dimensions.iter().map(|(name, _)| name).collect();
    let metrics: Vec<_> = values.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [names], "Metrics": metrics});
    let mut line = json!({"_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]}});
    for (name, value) in dimensions {
        line[*name] = json!(value);
    }
    for (name, _, value) in values {
        line[*name] = value.clone();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_embedded_metric_format() {
        let metrics = Metrics::new(Some("f".to_owned()));
        metrics.refreshed(Duration::from_millis(1500), Counts { targets: 30, unassigned: 1, skipped: 2 });
        metrics.refreshed(Duration::from_millis(200), Counts { targets: 31, unassigned: 0, skipped: 2 });
        metrics.failed(Duration::from_secs(20));
        let shared = metrics.shared.as_ref().unwrap();
        {
            let mut gathered = shared.gathered.lock().unwrap();
            gathered.since = Some(Moment::now());
        }
        metrics.answered("jobs", 200, Some(Duration::from_secs(70)));
        metrics.answered("jobs", 200, Some(Duration::from_secs(3)));
        metrics.answered("targets", 403, None);
        let lines = shared.gathered.lock().unwrap().numbers.lines("f", 7);
        let directive = |dimensions: Value, metrics: Value| {
            json!({"Timestamp": 7, "CloudWatchMetrics": [
                {"Namespace": "TargetAllocator", "Dimensions": [dimensions], "Metrics": metrics}
            ]})
        };
        let metric = |name: &str, unit: &str| json!({"Name": name, "Unit": unit});
        let answers = |route: &str, status: &str, count: u64| {
            json!({
                "_aws": directive(json!(["FunctionName", "Route", "Status"]), json!([metric("Answers", "Count")])),
                "FunctionName": "f", "Route": route, "Status": status, "Answers": count
            })
        };
        let expected = [
            json!({
                "_aws": directive(json!(["FunctionName"]), json!([
                    metric("ColdStart", "Count"), metric("SnapshotAge", "Seconds"),
                    metric("RefreshDuration", "Milliseconds"), metric("Targets", "Count"),
                    metric("Unassigned", "Count"), metric("Skipped", "Count")
                ])),
                "FunctionName": "f", "ColdStart": 1, "SnapshotAge": 70, "RefreshDuration": [1500, 200],
                "Targets": 31, "Unassigned": 0, "Skipped": 2
            }),
            answers("jobs", "200", 2),
            answers("targets", "403", 1),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn numbers_are_written_at_once_and_then_once_a_minute() {
        let metrics = Metrics::new(Some("f".to_owned()));
        let waiting = || metrics.shared.as_ref().unwrap().gathered.lock().unwrap().numbers.answers.len();
        metrics.answered("jobs", 200, None);
        assert_eq!(waiting(), 0);
        metrics.answered("jobs", 200, None);
        assert_eq!(waiting(), 1);
        Metrics::new(None).answered("jobs", 200, None);
    }
}
