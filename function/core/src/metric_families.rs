//! The metrics of a snapshot, as metric families of Prometheus.
//!
//! Input: the config, an allocation and its age. Output: families with their samples. The shell writes them as text.
//! Every family is a gauge, because an environment of the function has no history that others share. Apart from the
//! age, the samples depend only on the snapshot, so that every environment serves the same.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::allocation::{Allocation, Job};
use crate::config::Config;
use crate::monitors::bounds::{Bounds, Used};
use crate::objects::Object;
use crate::objects::monitoring::{PodMonitor, Probe, ScrapeConfig, ServiceMonitor};
use crate::report::{Entry, ObjectRef, Outcome};
use crate::shard::Members;

/// A snapshot, as the metrics see it.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "named as their types")]
pub struct Observed<'a> {
    pub config: &'a Config,
    pub allocation: &'a Allocation,
    /// The time since the cluster was read.
    pub age: Duration,
}

/// All gauges with one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The name of the metric.
    pub name: &'static str,
    /// What the metric counts, in one line.
    pub help: &'static str,
    /// The values. Never empty.
    pub samples: Vec<Sample>,
}

/// One value of a gauge.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The names and values of the labels, in the order of the names. A value can be any text.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// A row of [`METRICS`].
struct Metric {
    name: &'static str,
    help: &'static str,
    samples: fn(Observed<'_>) -> Vec<Sample>,
}

/// All metrics, in the order of their names. `docs/metrics.md` has a row for each, and a test compares both.
///
/// The first six have the names and labels of the operator's allocator, commit
/// [`be89444`](https://github.com/open-telemetry/opentelemetry-operator/blob/be8944414a876f17fcdeb5a59b86b8866fb5c88e/cmd/otel-allocator/internal/allocation/allocator.go#L35-L56),
/// as its Prometheus exporter writes them: attribute `job.name` becomes `job_name`, and each sample has the scope.
const METRICS: [Metric; 11] = [
    Metric {
        name: "opentelemetry_allocator_collectors_allocatable",
        help: "Collectors that targets can be assigned to.",
        samples: |observed| collectors(observed, |strategy| vec![SCOPE.into(), ("strategy", strategy)]),
    },
    Metric {
        name: "opentelemetry_allocator_collectors_discovered",
        help: "Collectors that exist.",
        samples: |observed| collectors(observed, |_| vec![SCOPE.into()]),
    },
    Metric {
        name: "opentelemetry_allocator_targets",
        help: "Targets of a job that are served. A job with unknown targets has no sample.",
        samples: |observed| {
            let of_job =
                |job: &Job| sample(vec![("job_name", job.scrape_config().job_name.clone()), SCOPE.into()], job.len());
            known_jobs(observed).map(of_job).collect()
        },
    },
    Metric {
        name: "opentelemetry_allocator_targets_per_collector",
        help: "Targets that are assigned to a collector.",
        samples: targets_per_collector,
    },
    Metric {
        name: "opentelemetry_allocator_targets_remaining",
        help: "Targets that the relabelling rules keep, including duplicates.",
        samples: |observed| single(vec![SCOPE.into()], known_jobs(observed).map(Job::kept_by_rules).sum()),
    },
    Metric {
        name: "opentelemetry_allocator_targets_unassigned",
        help: "Served targets that are assigned to no collector.",
        samples: targets_unassigned,
    },
    Metric {
        name: "target_allocator_adjusted_objects",
        help: "Objects that are served with a part ignored or replaced, by kind.",
        samples: |observed| {
            let mut kinds = MONITORS.map(|kind| (kind, 0)).into();
            count(
                observed,
                |entry| (entry.outcome == Outcome::Adjusted).then_some(entry.object.kind.as_str()),
                &mut kinds,
            );
            kinds.into_iter().map(|(kind, number)| sample(vec![("kind", kind.to_owned())], number)).collect()
        },
    },
    Metric { name: "target_allocator_jobs", help: "Jobs, by whether they have targets.", samples: jobs },
    Metric {
        name: "target_allocator_limit_used_ratio",
        help: "The used part of a limit on scrape configs, from 0 to 1. Objects beyond a limit are refused.",
        samples: limits,
    },
    Metric {
        name: "target_allocator_skipped_objects",
        help: "Objects of which at least one job is not served, by kind and reason.",
        samples: skipped_objects,
    },
    Metric {
        name: "target_allocator_snapshot_age_seconds",
        help: "Time since the cluster was read.",
        samples: |Observed { age, .. }| vec![Sample { labels: Vec::new(), value: seconds(age) }],
    },
];

/// The label that the operator's exporter adds to each sample: the scope of its meter. The exporter also adds two empty
/// labels. Prometheus drops empty labels.
const SCOPE: Scope = Scope;

struct Scope;

impl From<Scope> for (&'static str, String) {
    fn from(_: Scope) -> Self {
        ("otel_scope_name", "targetallocator".to_owned())
    }
}

/// The kinds that have samples of 0, too, so that a query sees a rise.
const MONITORS: [&str; 4] = [ServiceMonitor::KIND, PodMonitor::KIND, Probe::KIND, ScrapeConfig::KIND];

/// All families of a snapshot that have samples.
pub fn families(observed: Observed<'_>) -> impl Iterator<Item = Family> {
    let family = move |Metric { name, help, samples }: &Metric| Family { name, help, samples: samples(observed) };
    METRICS.iter().map(family).filter(|family| !family.samples.is_empty())
}

/// The names of all metrics.
pub fn names() -> impl Iterator<Item = &'static str> {
    METRICS.iter().map(|metric| metric.name)
}

/// The number of collectors. No sample if the config does not define any.
fn collectors(
    Observed { config, allocation, .. }: Observed<'_>,
    labels: impl FnOnce(String) -> Vec<(&'static str, String)>,
) -> Vec<Sample> {
    let count = |members: &Members| single(labels(config.strategy.name().to_owned()), members.collectors().len());
    allocation.members().map(count).unwrap_or_default()
}

/// A collector without targets has a sample, too.
fn targets_per_collector(Observed { config, allocation, .. }: Observed<'_>) -> Vec<Sample> {
    let collectors = allocation.members().map(Members::collectors).unwrap_or_default();
    let of_collector = |(name, targets)| {
        let strategy = config.strategy.name().to_owned();
        sample(vec![("collector_name", name), SCOPE.into(), ("strategy", strategy)], targets)
    };
    let names = collectors.iter().map(|collector| collector.name.clone());
    names.zip(allocation.targets_of_collectors()).map(of_collector).collect()
}

/// Without collectors in the config, nothing is assigned, and there is no sample.
fn targets_unassigned(observed: Observed<'_>) -> Vec<Sample> {
    let allocation = observed.allocation;
    let unassigned = |job: &Job| allocation.unassigned(&job.scrape_config().job_name);
    let count = |_: &Members| single(vec![SCOPE.into()], known_jobs(observed).map(unassigned).sum());
    allocation.members().map(count).unwrap_or_default()
}

/// The jobs whose targets are known. Only some environments keep the last targets of the others, so these do not count.
fn known_jobs(observed: Observed<'_>) -> impl Iterator<Item = &Job> {
    observed.allocation.jobs().map(|(_, job)| job).filter(|job| job.unknown().is_none())
}

fn jobs(observed: Observed<'_>) -> Vec<Sample> {
    let all = observed.allocation.jobs().len();
    let known = known_jobs(observed).count();
    let empty = known_jobs(observed).filter(|job| job.is_empty()).count();
    let states = [("with-targets", known - empty), ("without-targets", empty), ("unknown-targets", all - known)];
    states.into_iter().map(|(state, number)| sample(vec![("state", state.to_owned())], number)).collect()
}

/// The limits have the names of the settings. No samples if the config enables no monitors.
fn limits(Observed { config, allocation, .. }: Observed<'_>) -> Vec<Sample> {
    let Some(settings) = &config.monitors else { return Vec::new() };
    let Bounds { object_endpoints, object_bytes, namespace_bytes, total_bytes } = settings.bounds;
    let used: Used = allocation.plan().used();
    let limits = [
        ("NAMESPACE_LIMIT_BYTES", used.namespace_bytes, namespace_bytes),
        ("OBJECT_LIMIT_BYTES", used.object_bytes, object_bytes),
        ("OBJECT_LIMIT_ENDPOINTS", used.object_endpoints, object_endpoints),
        ("TOTAL_LIMIT_BYTES", used.total_bytes, total_bytes),
    ];
    let ratio = |used, limit: usize| number(used) / number(limit.max(1));
    let sample =
        |(name, used, limit)| Sample { labels: vec![("limit", str::to_owned(name))], value: ratio(used, limit) };
    limits.into_iter().map(sample).collect()
}

/// The kinds come from the code, and the reasons are outcomes of the report. No object can make more samples.
fn skipped_objects(observed: Observed<'_>) -> Vec<Sample> {
    let skips = Outcome::ALL.into_iter().filter(|outcome| outcome.loses_targets());
    let mut counts = skips.flat_map(|outcome| MONITORS.map(|kind| ((kind, outcome), 0))).collect();
    let key = |entry| {
        let Entry { object: ObjectRef { kind, .. }, outcome, .. }: &Entry = entry;
        outcome.loses_targets().then_some((kind.as_str(), *outcome))
    };
    count(observed, key, &mut counts);
    let labels = |kind: &str, outcome: Outcome| vec![("kind", kind.to_owned()), ("reason", outcome.name().to_owned())];
    counts.into_iter().map(|((kind, outcome), number)| sample(labels(kind, outcome), number)).collect()
}

/// Counts the objects of the report by a key of their entries. An object with several entries of one key counts once.
fn count<'a, K: Ord + Copy>(
    observed: Observed<'a>,
    key: impl Fn(&'a Entry) -> Option<K>,
    counts: &mut BTreeMap<K, usize>,
) {
    let mut seen: BTreeMap<K, &ObjectRef> = BTreeMap::new();
    for entry in observed.allocation.report().entries() {
        let Some(key) = key(entry) else { continue };
        // The report is sorted by object.
        if seen.insert(key, &entry.object) != Some(&entry.object) {
            *counts.entry(key).or_default() += 1;
        }
    }
}

fn single(labels: Vec<(&'static str, String)>, count: usize) -> Vec<Sample> {
    vec![sample(labels, count)]
}

fn sample(labels: Vec<(&'static str, String)>, count: usize) -> Sample {
    Sample { labels, value: number(count) }
}

/// Converts a count to the float of a sample. A float is exact up to 2^52, and counts are far smaller.
#[allow(clippy::cast_precision_loss, reason = "no allocation has 2^52 of anything")]
const fn number(count: usize) -> f64 {
    count as f64
}

/// Whole milliseconds, so that a value has few digits.
fn seconds(age: Duration) -> f64 {
    Duration::from_millis(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)).as_secs_f64()
}

#[cfg(test)]
mod tests;
