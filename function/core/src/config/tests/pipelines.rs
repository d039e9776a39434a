//! The key `pipelines`: which conditions are read, and which mistakes stop the start.

use super::*;
use crate::config::pipelines::{MonitorLabels, PipelineJob};

fn pipelines(text: &str) -> Result<Vec<Pipeline>, ConfigError> {
    parse(&format!("{ENABLED}pipelines: {text}")).map(|config| config.pipelines)
}

fn refused(text: &str) -> String {
    pipelines(text).unwrap_err().to_string()
}

/// The job of a monitor with a label, in a namespace with a label. Without a monitor: a job of the config.
fn job<'a>(name: &'a str, monitor: Option<(&'a str, &'a str)>) -> PipelineJob<'a> {
    let labels = |team: &str| std::sync::Arc::new([("team", team)].into_iter().collect());
    let monitor = monitor.map(|(own, namespace)| MonitorLabels { monitor: labels(own), namespace: labels(namespace) });
    PipelineJob { name, monitor }
}

#[test]
fn without_the_key_there_are_no_pipelines() {
    for text in ["", "pipelines: null", "pipelines: {}"] {
        assert_eq!(parse(&format!("{ENABLED}{text}")).unwrap().pipelines, [], "{text}");
    }
}

#[test]
fn a_job_must_meet_every_condition() {
    let shop = job("serviceMonitor/shop/web/0", Some(("web", "shop")));
    let other = job("podMonitor/payments/fraud/0", Some(("fraud", "payments")));
    let of_config = job("node", None);
    // The conditions, then whether each of the three jobs meets them.
    let cases = [
        ("{jobs: ['*']}", [true, true, true]),
        ("{jobs: [node, 'podMonitor/*']}", [false, true, true]),
        ("{monitor_selector: {}}", [true, true, false]),
        ("{namespace_selector: {}}", [true, true, false]),
        ("{monitor_selector: {matchlabels: {team: web}}}", [true, false, false]),
        ("{monitor_selector: {matchLabels: {team: shop}}}", [false, false, false]),
        ("{namespace_selector: {matchLabels: {team: shop}}}", [true, false, false]),
        ("{monitor_selector: {matchexpressions: [{key: team, operator: NotIn, values: [web]}]}}", [false, true, false]),
        ("{monitor_selector: {matchLabels: {team: web}}, jobs: ['podMonitor/*']}", [false, false, false]),
        ("{monitor_selector: {matchLabels: {team: web}}, jobs: ['serviceMonitor/*']}", [true, false, false]),
        ("{monitor_selector: null, jobs: [node]}", [false, false, true]),
    ];
    for (conditions, expected) in cases {
        let pipeline = pipelines(&format!("{{one: {conditions}}}")).unwrap().remove(0);
        let found = [&shop, &other, &of_config].map(|job| pipeline.unmet(job).is_none());
        assert_eq!(found, expected, "{conditions}");
    }
}

#[test]
fn the_first_unmet_condition_is_named() {
    let cases = [
        (
            "{monitor_selector: {matchLabels: {team: a}}}",
            "the monitor's labels do not match monitor_selector: team=a required, team=web found",
        ),
        (
            "{namespace_selector: {matchLabels: {team: a}}, jobs: [x]}",
            "the labels of the monitor's namespace do not match namespace_selector: team=a required, team=shop found",
        ),
        ("{jobs: [x, 'y*']}", "the job's name matches no pattern of jobs: x, y*"),
    ];
    for (conditions, expected) in cases {
        let pipeline = pipelines(&format!("{{one: {conditions}}}")).unwrap().remove(0);
        let unmet = pipeline.unmet(&job("serviceMonitor/shop/web/0", Some(("web", "shop")))).unwrap();
        assert_eq!(unmet.to_string(), expected);
    }
    let pipeline = pipelines("{one: {namespace_selector: {}}}").unwrap().remove(0);
    assert_eq!(
        pipeline.unmet(&job("node", None)).unwrap().to_string(),
        "a job of config.scrape_configs has no monitor, namespace_selector selects monitors only"
    );
}

#[test]
fn a_mistake_in_a_pipeline_stops_the_start() {
    let cases = [
        (
            "{one: {}}",
            "pipelines.one: give at least one of monitor_selector, namespace_selector and jobs, or jobs: [\"*\"] for all",
        ),
        (
            "{one: null}",
            "pipelines.one: give at least one of monitor_selector, namespace_selector and jobs, or jobs: [\"*\"] for all",
        ),
        ("{one: {jobs: []}}", "pipelines.one.jobs: list at least one pattern, such as \"serviceMonitor/shop/*\""),
        ("{one: {jobs: ['']}}", "pipelines.one.jobs[0]: a pattern must not be empty, write \"*\" for all jobs"),
        (
            "{one: {jobs: [a, 'b[0-9]']}}",
            "pipelines.one.jobs[1]: a pattern has * and ? only, write several patterns, or \\[ for this character \
             itself: \"b[0-9]\"",
        ),
        (
            "{One: {jobs: ['*']}}",
            "pipelines.One: the name of a pipeline has lower case letters, digits and -, at most 63 characters: \"One\"",
        ),
        (
            "{a/b: {jobs: ['*']}}",
            "pipelines.a/b: the name of a pipeline has lower case letters, digits and -, at most 63 characters: \"a/b\"",
        ),
        (
            "{one: {monitor_selector: {matchLabels: {a: 'b c'}}}}",
            "pipelines.one.monitor_selector: value of \"a\" is not a label value, it must be of letters, digits, '-', \
             '_', '.', and start and end with a letter or digit: \"b c\"",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(refused(text), expected, "{text}");
    }
    for (text, parts) in [
        ("{one: {selector: {}}}", ["pipelines.one", "unknown field `selector`"]),
        ("{one: {monitor_selector: {app: web}}}", ["pipelines.one.monitor_selector", "write labels under matchlabels"]),
        ("{one: {namespace_selector: {matchlabel: {a: b}}}}", ["pipelines.one.namespace_selector", "did you mean"]),
        ("{one: {jobs: a}}", ["pipelines.one.jobs", "expected a sequence"]),
        ("[one]", ["pipelines", "expected a map"]),
        ("{one: {jobs: [a]}, one: {jobs: [b]}}", ["a key twice", "one"]),
    ] {
        let message = refused(text);
        assert!(parts.iter().all(|part| message.contains(part)), "{text}: {message}");
    }
}
