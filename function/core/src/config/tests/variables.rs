//! `${env:NAME}` in the config file: where variables are replaced, and which type the values get.

use super::*;

fn lookup(name: &str) -> Option<String> {
    let values = [
        ("COUNT", "3"),
        ("ON", "true"),
        ("TEAM", "010"),
        ("INJECTION", "a\nprometheus_cr: {enabled: false}"),
        ("LIST", "[a, b]"),
        ("DOLLARS", "$1"),
        ("NAMESPACE", "otel"),
        ("AWS_SESSION_TOKEN", "secret"),
    ];
    values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

fn parse_with(text: &str) -> Result<Config, ConfigError> {
    Config::parse_with(text, None, &lookup)
}

#[test]
fn a_plain_scalar_gets_its_type_from_the_value() {
    let config = parse_with("prometheus_cr:\n  enabled: ${env:ON}\nallocation_replicas: ${env:COUNT}\n").unwrap();
    assert!(config.monitors.is_some());
    assert!(matches!(config.strategy, Strategy::Spread { replicas: 3, .. }), "{:?}", config.strategy);
    // A quoted scalar is a text, as in YAML.
    let text = "prometheus_cr:\n  enabled: true\n  service_monitor_selector:\n    matchlabels:\n      team: ";
    for (reference, expected) in [("${env:TEAM}", "team=8"), ("'${env:TEAM}'", "team=010")] {
        let plain = parse(&format!("{text}{}", reference.replace("${env:TEAM}", "010"))).unwrap();
        let replaced = parse_with(&format!("{text}{reference}")).unwrap();
        let selection = |config: Config| config.monitors.unwrap().service_monitors;
        let written = parse(&format!("{text}'{}'", expected.trim_start_matches("team="))).unwrap();
        assert_eq!(selection(replaced.clone()), selection(plain), "{reference}");
        assert_eq!(selection(replaced), selection(written), "{reference}");
    }
}

#[test]
fn a_value_cannot_add_keys_or_lists() {
    let config = parse_with(&format!("{ENABLED}collector_namespace: ${{env:INJECTION}}\n")).unwrap();
    assert!(config.monitors.is_some());
    assert_eq!(config.namespace, "a\nprometheus_cr: {enabled: false}");
    let config = parse_with(&format!("{ENABLED}collectors: {{names: ['${{env:LIST}}']}}\n")).unwrap();
    let Some(Collectors::Named(collectors)) = config.collectors else { panic!("named collectors") };
    assert_eq!(collectors.iter().map(|collector| collector.name.as_str()).collect::<Vec<_>>(), ["[a, b]"]);
}

#[test]
fn relabelling_keeps_its_dollar_signs() {
    let rules = "[{source_labels: [a], target_label: b, replacement: '$1-${2}-$$-$(SHARD)-${name}'}]";
    let text = format!("config: {{scrape_configs: [{{job_name: a, relabel_configs: {rules}}}]}}");
    let rule = |config: Config| config.scrape_configs.into_iter().next().unwrap().unwrap().relabel_configs.remove(0);
    assert_eq!(rule(parse_with(&text).unwrap()), rule(parse(&text).unwrap()));
    assert_eq!(rule(parse_with(&text).unwrap()).replacement, "$1-${2}-$$-$(SHARD)-${name}");
    let replaced = text.replace("$1-", "${env:DOLLARS}-");
    assert_eq!(rule(parse_with(&replaced).unwrap()).replacement, "$1-${2}-$$-$(SHARD)-${name}");
}

#[test]
fn keys_and_sections_without_effect_keep_their_references() {
    let text = format!(
        "{ENABLED}telemetry: {{metrics: {{readers: ['${{env:NOT_SET}}']}}}}\nhttps: {{ca_file_path: '${{env:NOT_SET}}'}}"
    );
    assert_eq!(parse_with(&text).unwrap().notes.len(), 2);
    let labels = "{matchlabels: {'${env:NOT_SET}': a}}";
    let error = parse_with(&format!("prometheus_cr: {{enabled: true, probe_selector: {labels}}}")).unwrap_err();
    assert!(error.to_string().contains("is not a label key"), "{error}");
}

#[test]
fn a_reference_without_a_value_names_the_variable_and_the_line() {
    let cases = [
        (
            "collector_namespace: ${env:NOT_SET}",
            "line 2: the environment variable is not set or empty, set it, or write ${env:NOT_SET:-default} with a \
             default, or $${env:NOT_SET} for the text itself: NOT_SET",
        ),
        (
            "collector_namespace: ${env:AWS_SESSION_TOKEN}",
            "line 2: the environment variable is an AWS credential of the function, and answers show the config to \
             collectors, use a variable of your own: AWS_SESSION_TOKEN",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(parse_with(&format!("{ENABLED}{text}")).unwrap_err().to_string(), expected);
    }
    let config = parse_with(&format!("{ENABLED}collector_namespace: ${{env:NOT_SET:-monitoring}}")).unwrap();
    assert_eq!(config.namespace, "monitoring");
    assert!(parse(&format!("{ENABLED}collector_namespace: ${{env:NAMESPACE}}")).is_err(), "no variables are given");
}
