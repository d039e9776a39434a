//! What is counted: CloudWatch metrics in the embedded format, which are lines of the log.
//!
//! Input: refreshes and answers. Output: a line on standard output now and then, not with
//! every answer, since CloudWatch charges by the byte. Unless a [`Meter`] is made nothing is counted.

use std::io::stdout;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};
use target_allocator_core::shard::Members;
use tracing::warn;

use crate::moment::Moment;
use crate::snapshot::Snapshot;

/// How often what was counted is written.
const INTERVAL: Duration = Duration::from_secs(10);

/// Writes what was counted.
pub struct Meter {
    collector: &'static Collector,
    written: Mutex<Option<Moment>>,
}

impl Meter {
    /// Begins to count, for the function of that name; `None` if somebody counts already.
    #[must_use]
    pub fn new(function_name: String) -> Option<Self> {
        let builder =
            Builder::new().cloudwatch_namespace("TargetAllocator").with_dimension("FunctionName", function_name);
        let collector = match builder.init() {
            Ok(collector) => collector,
            Err(error) => {
                warn!(error = %error, "nothing is counted");
                return None;
            }
        };
        describe_histogram!("SnapshotAge", Unit::Seconds, "how old the data of answers is");
        describe_histogram!("RefreshDuration", Unit::Milliseconds, "how long reading the cluster and computing took");
        describe_histogram!("BytesRead", Unit::Bytes, "JSON that was read for a refresh");
        describe_histogram!("Objects", Unit::Count, "objects that are known");
        describe_histogram!("Targets", Unit::Count, "targets of all jobs");
        describe_histogram!("Unassigned", Unit::Count, "targets that no collector has");
        describe_histogram!("SharesLargest", Unit::Count, "targets of the collector with the most");
        describe_histogram!("SharesSmallest", Unit::Count, "targets of the collector with the fewest");
        describe_histogram!("Skipped", Unit::Count, "entries of the report");
        describe_counter!("RefreshFailures", Unit::Count, "refreshes that gave no snapshot");
        describe_counter!("Answers", Unit::Count, "answers by route and status");
        describe_counter!("ColdStart", Unit::Count, "processes that began");
        counter!("ColdStart").increment(1);
        Some(Self { collector, written: Mutex::default() })
    }

    /// Writes what was counted, if it is time; `ages` are those of the snapshots that answer.
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

/// Counts an answer.
pub fn answered(route: &'static str, status: u16) {
    counter!("Answers", "Route" => route, "Status" => status.to_string()).increment(1);
}

/// Counts a refresh that gave no snapshot.
pub fn refresh_failed() {
    counter!("RefreshFailures").increment(1);
}

/// Counts a refresh that gave a snapshot.
pub fn refreshed(took: Duration, snapshot: &Snapshot) {
    let allocation = &snapshot.allocation;
    let (targets, unassigned) = allocation.counts();
    histogram!("RefreshDuration").record(took.as_secs_f64() * 1000.0);
    histogram!("BytesRead").record(number(snapshot.bytes_read()));
    histogram!("Objects").record(number(snapshot.objects()));
    histogram!("Targets").record(number(targets));
    histogram!("Unassigned").record(number(unassigned));
    histogram!("Skipped").record(number(allocation.report().entries().len()));
    let collectors = allocation.members().map(Members::collectors).unwrap_or_default().iter();
    let shares: Vec<usize> = collectors
        .map(|collector| allocation.jobs().map(|(job, _)| allocation.share(job, &collector.name).count()).sum())
        .collect();
    if let (Some(largest), Some(smallest)) = (shares.iter().max(), shares.iter().min()) {
        histogram!("SharesLargest").record(number(*largest));
        histogram!("SharesSmallest").record(number(*smallest));
    }
}

/// Counts of things are far below what a float holds exactly.
#[allow(clippy::cast_precision_loss, reason = "no function has 2^52 of anything")]
const fn number(count: usize) -> f64 {
    count as f64
}
