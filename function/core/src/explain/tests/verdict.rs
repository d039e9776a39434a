//! The verdict on small clusters: each problem, in order of harm, with its links.

use std::time::Duration;

use super::*;

const FRESH: Refresh<'static> =
    Refresh { age: Duration::from_secs(12), max_stale: Duration::from_secs(3600), failure: None };

const JOB: &str = "config: {scrape_configs: [{job_name: a, static_configs: [{targets: ['a:80']}]}]}\n";
const COLLECTORS: &str = "collectors: {names: [one, two]}\n";
const MONITORS: &str = "prometheus_cr: {enabled: true, service_monitor_selector: {matchLabels: {team: a}}, service_monitor_namespace_selector: {}}\n";

fn monitor(name: &str, team: &str, endpoint: Value) -> Value {
    json!({"kind": "ServiceMonitor", "metadata": {"namespace": "shop", "name": name, "labels": {"team": team}},
        "spec": {"selector": {"matchLabels": {"app": name}}, "endpoints": [endpoint]}})
}

/// The links of a problem: the text of each.
fn links(problem: &Problem) -> String {
    problem.links.iter().map(|link| link.text.as_str()).collect::<Vec<_>>().join(", ")
}

#[test]
fn problems_come_in_order_of_harm_with_links_to_their_reasons() {
    use ProblemKind::{
        JobsWithoutTargets, NearLimit, NoCollectors, NoMonitors, Refused, Stale, Unassigned, UnevenShares,
    };
    struct Case {
        name: &'static str,
        config: String,
        objects: Vec<Value>,
        refresh: Refresh<'static>,
        expected: Vec<(ProblemKind, &'static str, &'static str)>,
    }
    let refused = json!({"port": "a", "interval": "15"});
    let cases = [
        Case {
            name: "healthy",
            config: format!("{JOB}{COLLECTORS}"),
            objects: vec![],
            refresh: FRESH,
            expected: vec![],
        },
        Case {
            name: "the last refresh failed",
            config: format!("{JOB}{COLLECTORS}"),
            objects: vec![],
            refresh: Refresh { failure: Some("403"), ..FRESH },
            expected: vec![(
                Stale,
                "the last refresh failed; the snapshot is 12 s old and serves until it is 60 min old: 403",
                "refreshes",
            )],
        },
        Case {
            name: "no collectors",
            config: JOB.to_owned(),
            objects: vec![],
            refresh: FRESH,
            expected: vec![(
                NoCollectors,
                "no target is scraped: the allocator config does not say who the collectors are: set collector_selector and collector_namespace, or collectors",
                "collectors",
            )],
        },
        Case {
            name: "no monitors",
            config: format!("{COLLECTORS}{MONITORS}"),
            objects: vec![monitor("web", "b", json!({"port": "a"})), monitor("api", "b", json!({"port": "a"}))],
            refresh: FRESH,
            expected: vec![(
                NoMonitors,
                "no monitor is selected: service_monitor_selector and the namespace rules match none of 2 ServiceMonitors; ServiceMonitor/shop/api: its labels do not match the selector: team=a required, team=b found; labels of the monitors: team=b (2)",
                "ServiceMonitor/shop/api",
            )],
        },
        Case {
            name: "unassigned targets",
            config: format!("{JOB}{COLLECTORS}allocation_strategy: per-node\n"),
            objects: vec![],
            refresh: FRESH,
            expected: vec![(
                Unassigned,
                "no collector is assigned 1 of 1 target: per-node: the target has no node, and there is no allocation_fallback_strategy",
                "unassigned targets",
            )],
        },
        Case {
            name: "jobs without targets, and a refused monitor",
            config: format!("{JOB}{COLLECTORS}{MONITORS}"),
            objects: vec![monitor("web", "a", json!({"port": "a"})), monitor("api", "a", refused)],
            refresh: FRESH,
            expected: vec![
                (JobsWithoutTargets, "1 of 2 jobs has no targets", "ServiceMonitor/shop/web"),
                (
                    Refused,
                    "1 object is refused, in full or in part: ServiceMonitor/shop/api: ",
                    "ServiceMonitor/shop/api, all problems",
                ),
            ],
        },
        Case {
            name: "everything at once",
            config: MONITORS.to_owned(),
            objects: vec![monitor("web", "b", json!({"port": "a"}))],
            refresh: Refresh { failure: Some("403"), ..FRESH },
            expected: vec![
                (Stale, "the last refresh failed", "refreshes"),
                (NoCollectors, "no target is scraped", "collectors"),
                (NoMonitors, "no monitor is selected", "ServiceMonitor/shop/web"),
            ],
        },
    ];
    for Case { name, config, objects, refresh, expected } in cases {
        let scenario = Scenario::new(&config, objects);
        let found = verdict(scenario.world(), refresh);
        let kinds: Vec<_> = found.iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, expected.iter().map(|(kind, ..)| *kind).collect::<Vec<_>>(), "{name}: {found:?}");
        assert!(kinds.is_sorted(), "{name}: {kinds:?}");
        for (problem, (_, text, shown)) in found.iter().zip(&expected) {
            assert!(problem.text.starts_with(text), "{name}: {}", problem.text);
            assert_eq!(links(problem), *shown, "{name}");
        }
    }

    // A job that takes most of a response.
    let mut scenario = Scenario::new(&format!("{JOB}{COLLECTORS}"), []);
    let size = scenario.allocation.job("a").unwrap().size();
    scenario.config.most_of_a_job = size * 100 / 90;
    let found = verdict(scenario.world(), FRESH);
    assert_eq!(found.iter().map(|problem| problem.kind).collect::<Vec<_>>(), [NearLimit]);
    scenario.config.most_of_a_job = size * 2;
    assert_eq!(verdict(scenario.world(), FRESH), []);

    // All targets have one address, so one collector has all of them.
    let targets: Vec<_> = (0..30).map(|at| format!("{{targets: ['a:80'], labels: {{n: '{at}'}}}}")).collect();
    let config = format!(
        "config: {{scrape_configs: [{{job_name: a, static_configs: [{}]}}]}}\n{COLLECTORS}",
        targets.join(", ")
    );
    let found = verdict(Scenario::new(&config, []).world(), FRESH);
    assert_eq!(found.iter().map(|problem| problem.kind).collect::<Vec<_>>(), [UnevenShares]);
    assert!(found[0].text.ends_with("has 30 targets, and the mean is 15"), "{}", found[0].text);
}
