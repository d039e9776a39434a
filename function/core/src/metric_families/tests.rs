//! Metrics of small allocations.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::allocation::{Inputs, allocate, plan};
use crate::discovery::SourceAnswers;
use crate::objects::Cluster;
use crate::report::Report;
use crate::targets::{ServedLabels, Views};

/// A job with a duplicate target, a job without targets, a job with a source that never answered, and a job with a name
/// that must be escaped.
const JOBS: &str = r#"
config:
  scrape_configs:
  - job_name: double
    static_configs: [{targets: ['a:1', 'b:1', 'b:1']}]
  - job_name: empty
    static_configs: [{targets: ['a:1']}]
    relabel_configs: [{action: drop}]
  - job_name: outside
    http_sd_configs: [{url: 'http://sd/'}]
  - job_name: "\"{}\\\n"
    static_configs: [{targets: ['c:1', 'd:1']}]
"#;

fn config(keys: &str) -> Config {
    Config::parse(&format!("{keys}{JOBS}"), None).unwrap()
}

fn allocated(config: &Config, views: Views) -> Allocation {
    let cluster = Cluster::default();
    let plan = Arc::new(plan(config, &cluster, None));
    let (external, served, now) = (SourceAnswers::default(), ServedLabels::Referenced, Timestamp::UNIX_EPOCH);
    allocate(Inputs { config, plan: &plan, cluster: &cluster, external: &external, served, views, now }, None).unwrap()
}

/// One line for each sample, with debug output in place of escaping.
fn lines(config: &Config, allocation: &Allocation) -> Vec<String> {
    let observed = Observed { config, allocation, age: Duration::from_micros(1_234_567) };
    let line = |name: &str, Sample { labels, value }: &Sample| {
        let mut line = name.to_owned();
        labels.iter().for_each(|(name, value)| write!(line, " {name}={value:?}").unwrap());
        format!("{line} {value}")
    };
    let of_family = |family: Family| family.samples.iter().map(|sample| line(family.name, sample)).collect::<Vec<_>>();
    families(observed).flat_map(of_family).collect()
}

/// The lines of one metric, without the scope.
fn of(metric: &str, lines: &[String]) -> Vec<String> {
    let values = lines.iter().filter_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    values.map(|line| line.replace("otel_scope_name=\"targetallocator\" ", "")).collect()
}

#[test]
fn known_jobs_and_collectors_have_samples() {
    let config = config("collectors: {names: [c-0, c-1]}\nallocation_strategy: least-weighted");
    let lines = lines(&config, &allocated(&config, Views::NONE));
    let cases: [(&str, &[&str]); 9] = [
        ("opentelemetry_allocator_collectors_allocatable", &[r#"strategy="least-weighted" 2"#]),
        ("opentelemetry_allocator_collectors_discovered", &["2"]),
        (
            "opentelemetry_allocator_targets",
            &[r#"job_name="\"{}\\\n" 2"#, r#"job_name="double" 2"#, r#"job_name="empty" 0"#],
        ),
        (
            "opentelemetry_allocator_targets_per_collector",
            &[
                r#"collector_name="c-0" strategy="least-weighted" 2"#,
                r#"collector_name="c-1" strategy="least-weighted" 2"#,
            ],
        ),
        ("opentelemetry_allocator_targets_remaining", &["5"]),
        ("opentelemetry_allocator_targets_unassigned", &["0"]),
        (
            "target_allocator_jobs",
            &[r#"state="with-targets" 2"#, r#"state="without-targets" 1"#, r#"state="unknown-targets" 1"#],
        ),
        ("target_allocator_limit_used_ratio", &[]),
        ("target_allocator_snapshot_age_seconds", &["1.234"]),
    ];
    for (metric, expected) in cases {
        assert_eq!(of(metric, &lines), expected, "{metric}");
    }
}

#[test]
fn views_change_no_sample() {
    let config = config("collectors: {names: [c-0, c-1]}");
    let expected = lines(&config, &allocated(&config, Views::NONE));
    for views in [Views::PLAIN, Views::MERGED, Views { plain: true, merged: true }] {
        let allocation = allocated(&config, views);
        assert_eq!(lines(&config, &allocation), expected, "{views:?}");
        let unlisted = allocation.report().entries().iter().any(|entry| entry.outcome == Outcome::Unlisted);
        assert_eq!(unlisted, views.merged, "the report differs");
    }
}

#[test]
fn without_collectors_nothing_counts_as_assigned_or_unassigned() {
    let undefined = config("");
    let lines_without = lines(&undefined, &allocated(&undefined, Views::NONE));
    let names = ["collectors_allocatable", "collectors_discovered", "targets_per_collector", "targets_unassigned"];
    for name in names.map(|name| format!("opentelemetry_allocator_{name}")) {
        assert!(of(&name, &lines_without).is_empty(), "{name}");
    }
    assert_eq!(of("opentelemetry_allocator_targets_remaining", &lines_without), ["5"]);

    let none = config("collector_namespace: monitoring\ncollector_selector: {matchLabels: {app: x}}");
    let lines_of_none = lines(&none, &allocated(&none, Views::NONE));
    assert_eq!(of("opentelemetry_allocator_collectors_discovered", &lines_of_none), ["0"]);
    assert_eq!(of("opentelemetry_allocator_targets_unassigned", &lines_of_none), ["4"]);
}

#[test]
fn an_object_counts_once_for_each_reason() {
    let config = config("collectors: {names: [c-0]}");
    let mut allocation = allocated(&config, Views::NONE);
    let mut report = Report::default();
    let mut push = |kind: &str, name: &str, outcome, field: &str| {
        report.push(ObjectRef::new(kind, "shop", name), outcome, field, "reason");
    };
    push("Probe", "one", Outcome::JobLeftOut, "spec.a");
    push("Probe", "one", Outcome::JobLeftOut, "spec.b");
    push("Probe", "one", Outcome::Adjusted, "spec.b");
    push("Probe", "two", Outcome::JobLeftOut, "spec.a");
    push("Probe", "two", Outcome::Refused, "");
    push("Pod", "one", Outcome::Malformed, "");
    push("ServiceMonitor", "one", Outcome::Unlisted, "");
    push("ServiceMonitor", "one", Outcome::Unassigned, "");
    allocation.add_to_report(report);
    let lines = lines(&config, &allocation);
    let counted = |metric| {
        let all = of(metric, &lines).into_iter();
        all.filter(|line| !line.ends_with(" 0")).collect::<Vec<_>>()
    };
    let expected = [
        r#"kind="Pod" reason="malformed" 1"#,
        r#"kind="Probe" reason="refused" 1"#,
        r#"kind="Probe" reason="job-left-out" 2"#,
    ];
    assert_eq!(counted("target_allocator_skipped_objects"), expected);
    assert_eq!(counted("target_allocator_adjusted_objects"), [r#"kind="Probe" 1"#]);
    let zeros = of("target_allocator_skipped_objects", &lines).into_iter().filter(|line| line.ends_with(" 0")).count();
    assert_eq!(zeros, 4 * MONITORS.len() - 2, "each kind of monitors has each reason");
}

#[test]
fn metrics_are_in_the_order_of_their_names() {
    assert!(names().is_sorted());
    let config = config("collectors: {names: [c-0]}");
    for family in
        families(Observed { config: &config, allocation: &allocated(&config, Views::NONE), age: Duration::ZERO })
    {
        for sample in family.samples {
            assert!(sample.labels.is_sorted_by_key(|(name, _)| *name), "{}: {:?}", family.name, sample.labels);
        }
    }
}
