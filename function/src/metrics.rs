//! CloudWatch metrics in the embedded metric format, which are lines of the log.
//!
//! Input: refreshes and responses. Output: a line on standard output, at most once every [`INTERVAL`], because
//! CloudWatch charges for each byte of the log. Without a [`Meter`], nothing is counted.

use std::io::stdout;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};
use target_allocator_core::shard::Members;
use tracing::warn;

use crate::moment::Moment;
use crate::snapshot::Snapshot;

/// Time between two lines of metrics. A line per response would raise the cost of the log.
const INTERVAL: Duration = Duration::from_secs(10);

/// Collects metrics and writes them to standard output.
pub struct Meter {
    collector: &'static Collector,
    written: Mutex<Option<Moment>>,
}

impl Meter {
    /// Starts counting, with the dimension `FunctionName`. `None` if the process already has a recorder.
    #[must_use]
    pub fn new(function_name: String) -> Option<Self> {
        let builder =
            Builder::new().cloudwatch_namespace("TargetAllocator").with_dimension("FunctionName", function_name);
        let collector = match builder.init() {
            Ok(collector) => collector,
            Err(error) => {
                warn!(error = %error, "metrics are off");
                return None;
            }
        };
        describe_histogram!("SnapshotAge", Unit::Seconds, "age of the snapshot that responses come from");
        describe_histogram!("RefreshDuration", Unit::Milliseconds, "time to read the cluster and compute a snapshot");
        describe_histogram!("BytesRead", Unit::Bytes, "JSON read by a refresh");
        describe_histogram!("Objects", Unit::Count, "objects in the snapshot");
        describe_histogram!("Targets", Unit::Count, "targets of all jobs");
        describe_histogram!("Unassigned", Unit::Count, "targets that no collector is assigned");
        describe_histogram!("SharesLargest", Unit::Count, "targets of the collector with the largest share");
        describe_histogram!("SharesSmallest", Unit::Count, "targets of the collector with the smallest share");
        describe_histogram!("Skipped", Unit::Count, "objects and jobs that are refused or unknown");
        describe_counter!("RefreshFailures", Unit::Count, "failed refreshes");
        describe_counter!("Answers", Unit::Count, "responses by route and status");
        describe_counter!("ServerErrors", Unit::Count, "responses with a status of 500 or more");
        describe_counter!("ColdStart", Unit::Count, "started processes");
        counter!("ColdStart").increment(1);
        Some(Self { collector, written: Mutex::default() })
    }

    /// Writes the metrics if the last line is at least [`INTERVAL`] old. `ages` are the ages of the latest snapshots.
    pub fn write_when_due(&self, ages: impl Iterator<Item = Duration>) {
        {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            if written.as_ref().is_some_and(|written| written.elapsed() < INTERVAL) {
                return;
            }
            *written = Some(Moment::now());
        }
        for age in ages {
            histogram!("SnapshotAge").record(age.as_secs_f64());
        }
        if let Err(error) = self.collector.flush(stdout()) {
            warn!(error = %error, "the metrics cannot be written");
        }
    }
}

/// Counts a response. An alarm cannot add up the series of `Answers`, so `ServerErrors` has no further dimension.
pub fn answered(route: &'static str, status: u16) {
    counter!("Answers", "Route" => route, "Status" => status.to_string()).increment(1);
    if status >= 500 {
        counter!("ServerErrors").increment(1);
    }
}

/// Counts a failed refresh.
pub fn refresh_failed() {
    counter!("RefreshFailures").increment(1);
}

/// Counts a successful refresh and records the size of its snapshot.
pub fn refreshed(took: Duration, snapshot: &Snapshot) {
    let allocation = &snapshot.allocation;
    let (targets, unassigned) = allocation.counts();
    histogram!("RefreshDuration").record(took.as_secs_f64() * 1000.0);
    histogram!("BytesRead").record(number(snapshot.bytes_read()));
    histogram!("Objects").record(number(snapshot.objects()));
    histogram!("Targets").record(number(targets));
    histogram!("Unassigned").record(number(unassigned));
    let skipped = allocation.report().entries().iter().filter(|entry| entry.outcome.loses_targets());
    histogram!("Skipped").record(number(skipped.count()));
    let collectors = allocation.members().map(Members::collectors).unwrap_or_default().iter();
    let shares: Vec<usize> = collectors
        .map(|collector| allocation.jobs().map(|(job, _)| allocation.share(job, &collector.name).count()).sum())
        .collect();
    if let (Some(largest), Some(smallest)) = (shares.iter().max(), shares.iter().min()) {
        histogram!("SharesLargest").record(number(*largest));
        histogram!("SharesSmallest").record(number(*smallest));
    }
}

/// Converts a count to a float. A float is exact up to 2^52, and counts are far smaller.
#[allow(clippy::cast_precision_loss, reason = "no function has 2^52 of anything")]
const fn number(count: usize) -> f64 {
    count as f64
}
