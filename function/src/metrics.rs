//! What CloudWatch makes metrics of: lines in its embedded metric format, in the log.
//!
//! Numbers are gathered and written once a minute at most: a line for each answer
//! would cost more than the answers.

use std::io::stdout;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};
use target_allocator_core::shard::Members;
use tracing::warn;

use crate::snapshot::Snapshot;
use crate::snapshot::moment::Moment;

const NAMESPACE: &str = "TargetAllocator";

/// How long numbers are gathered.
const INTERVAL: Duration = Duration::from_secs(60);

/// More values of one kind do not fit into one line.
const MOST_VALUES: usize = 100;

/// Gathers numbers, and writes them.
#[derive(Clone, Default)]
pub struct Metrics {
    /// Where the function runs by a name, it writes them.
    shared: Option<Arc<Shared>>,
}

struct Shared {
    /// Holds what is counted by name, for the whole process.
    collector: &'static Collector,
    gathered: Mutex<Gathered>,
}

/// Since the last lines.
#[derive(Default)]
struct Gathered {
    since: Option<Moment>,
    /// The oldest data that was answered from.
    snapshot_age: Option<Duration>,
    refreshes: usize,
}

impl Metrics {
    /// Metrics of the function of that name; without one, none are written. A process has them once.
    #[must_use]
    pub fn new(function: Option<String>) -> Self {
        let Some(function) = function else { return Self::default() };
        let builder = Builder::new().cloudwatch_namespace(NAMESPACE).with_dimension("FunctionName", function);
        match builder.init() {
            Ok(collector) => {
                describe();
                counter!("ColdStart").increment(1);
                Self { shared: Some(Arc::new(Shared { collector, gathered: Mutex::default() })) }
            }
            Err(error) => {
                warn!(error = %error, "there are no metrics");
                Self::default()
            }
        }
    }

    /// A snapshot was taken.
    pub fn refreshed(&self, took: Duration, snapshot: &Snapshot) {
        let Some(shared) = &self.shared else { return };
        {
            let mut gathered = shared.gathered();
            gathered.refreshes += 1;
            if gathered.refreshes > MOST_VALUES {
                return;
            }
        }
        let allocation = &snapshot.allocation;
        let (targets, unassigned) = allocation.counts();
        histogram!("RefreshDuration").record(took.as_secs_f64() * 1000.0);
        let counts = [
            ("BytesRead", snapshot.bytes_read()),
            ("Objects", snapshot.objects()),
            ("Targets", targets),
            ("Unassigned", unassigned),
            ("Skipped", allocation.report().entries().len()),
        ];
        for (name, count) in counts {
            histogram!(name).record(number(count));
        }
        let collectors = allocation.members().map(Members::collectors).unwrap_or_default().iter();
        let shares = collectors.map(|collector| {
            allocation.jobs().map(|(job, _)| allocation.share(job, &collector.name).count()).sum::<usize>()
        });
        let shares: Vec<_> = shares.collect();
        if let (Some(largest), Some(smallest)) = (shares.iter().max(), shares.iter().min()) {
            histogram!("SharesLargest").record(number(*largest));
            histogram!("SharesSmallest").record(number(*smallest));
        }
    }

    /// A snapshot could not be taken; the one that answers on is so old, or there has been none since.
    pub fn failed(&self, age: Duration) {
        if let Some(shared) = &self.shared {
            let mut gathered = shared.gathered();
            gathered.snapshot_age = gathered.snapshot_age.max(Some(age));
        }
    }

    /// A request was answered, from data of that age. Writes what was gathered if it is time to.
    pub fn answered(&self, route: &'static str, status: u16, age: Option<Duration>) {
        let Some(shared) = &self.shared else { return };
        counter!("Answers", "Route" => route, "Status" => status.to_string()).increment(1);
        let snapshot_age = {
            let mut gathered = shared.gathered();
            gathered.snapshot_age = gathered.snapshot_age.max(age);
            if gathered.since.is_some_and(|since| since.elapsed() < INTERVAL) {
                return;
            }
            std::mem::replace(&mut *gathered, Gathered { since: Some(Moment::now()), ..Gathered::default() })
                .snapshot_age
        };
        if let Some(age) = snapshot_age {
            histogram!("SnapshotAge").record(age.as_secs_f64());
        }
        if let Err(error) = shared.collector.flush(stdout().lock()) {
            warn!(error = %error, "the metrics cannot be written");
        }
    }
}

impl Shared {
    fn gathered(&self) -> std::sync::MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names the units.
fn describe() {
    describe_histogram!("SnapshotAge", Unit::Seconds, "how old the data of answers is");
    describe_histogram!("RefreshDuration", Unit::Milliseconds, "what reading the cluster and computing took");
    describe_histogram!("BytesRead", Unit::Bytes, "JSON that was read for a refresh");
    describe_histogram!("Objects", Unit::Count, "objects that are known");
    describe_histogram!("Targets", Unit::Count, "targets of all jobs");
    describe_histogram!("Unassigned", Unit::Count, "targets that no collector has");
    describe_histogram!("SharesLargest", Unit::Count, "targets of the collector with the most");
    describe_histogram!("SharesSmallest", Unit::Count, "targets of the collector with the fewest");
    describe_histogram!("Skipped", Unit::Count, "entries of the report");
    describe_counter!("Answers", Unit::Count, "answers by route and status");
    describe_counter!("ColdStart", Unit::Count, "processes that began");
}

/// Counts of things are far below what a float holds exactly.
#[allow(clippy::cast_precision_loss, reason = "no function has 2^52 of anything")]
const fn number(count: usize) -> f64 {
    count as f64
}
