//! Parses the `config` section of `targetallocator.yaml`, which contains Prometheus' own scrape configs.
//!
//! Input: the section as values. Output: its globals, and for each job a validated scrape config or the reason why it
//! is left out. An invalid job does not affect other jobs. Fields that Prometheus does not know are ignored and
//! reported, because the operator parses the section without strictness. `${NAME}` and `$(SHARD)` are not replaced.

mod globals;
mod relabel;

use serde_json::Value;

use super::discovery::{self, ServiceDiscovery, StaticSd};
use super::fields::{Fields, Node, Unknown};
pub use super::fields::{ParseError, Problem};
use super::globals::Globals;
use super::{NameValidation, ScrapeConfig};
use crate::regex::RegexCache;
use crate::size::SizeError;
use crate::unknown_key::UnknownKey;

/// A parsed `config` section.
#[derive(Debug, Clone, PartialEq)]
pub struct PrometheusConfig {
    /// The `global` section.
    pub globals: Globals,
    /// The jobs in the order of the file.
    pub jobs: Vec<Result<ScrapeConfig, RefusedJob>>,
    /// Sections that Prometheus knows but an allocator ignores, such as `remote_write`.
    pub passed_over: Vec<&'static str>,
    /// Unknown fields in the whole section.
    pub unknown: Vec<UnknownKey>,
}

/// A job that is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("job {job_name:?} is left out")]
pub struct RefusedJob {
    /// The name of the job. Empty if it has none.
    pub job_name: String,
    /// The reason.
    #[source]
    pub error: ParseError,
}

/// Parses a list of target groups, as in files. Each group has the form of a static config.
///
/// # Errors
/// [`ParseError`] if Prometheus rejects the list.
pub fn target_groups(list: &Value) -> Result<Vec<StaticSd>, ParseError> {
    let groups = Node::root(list, "").list()?;
    groups.iter().map(discovery::target_group).collect()
}

/// Sections of a Prometheus config that do not affect scraping, or that an allocator ignores.
const PASSED_OVER: [&str; 9] = [
    "alerting",
    "otlp",
    "remote_read",
    "remote_write",
    "rule_files",
    "runtime",
    "scrape_config_files",
    "storage",
    "tracing",
];

/// Parses a `config` section.
///
/// # Errors
/// An error outside of the jobs, such as an invalid value in the globals.
pub fn parse(config: &Value) -> Result<PrometheusConfig, ParseError> {
    let unknown = Unknown::default();
    let read = parse_section(&Node::collecting(config, "config", &unknown))?;
    Ok(PrometheusConfig { unknown: unknown.into_inner(), ..read })
}

fn parse_section(config: &Node<'_>) -> Result<PrometheusConfig, ParseError> {
    let mut fields = config.fields()?;
    let globals = match fields.given("global") {
        Some(node) => globals::parse(&node)?,
        None => Globals::default(),
    };
    let passed_over = PASSED_OVER.into_iter().filter(|name| fields.given(name).is_some()).collect();
    let regexes = RegexCache::default();
    let mut jobs: Vec<Result<ScrapeConfig, RefusedJob>> = Vec::new();
    let nodes = fields.get("scrape_configs").map_or(Ok(Vec::new()), |node| node.list())?;
    for node in nodes {
        let parsed = parse_job(&node, &globals, &regexes).and_then(|job| {
            let taken = jobs.iter().flatten().any(|earlier| earlier.job_name == job.job_name);
            if taken { Err(node.error(Problem::DuplicateJob(job.job_name))) } else { Ok(job) }
        });
        jobs.push(parsed.map_err(|error| RefusedJob { job_name: job_name(&node), error }));
    }
    fields.finish()?;
    Ok(PrometheusConfig { globals, jobs, passed_over, unknown: Vec::new() })
}

fn job_name(job: &Node<'_>) -> String {
    job.get("job_name").and_then(|name| name.string().ok()).unwrap_or_default()
}

fn parse_job(node: &Node<'_>, globals: &Globals, regexes: &RegexCache) -> Result<ScrapeConfig, ParseError> {
    if node.is_null() {
        return Err(node.error(Problem::Empty));
    }
    let mut fields = node.fields()?;
    let mut job = ScrapeConfig::with_globals("", globals);
    discovery::refuse_others(node, &mut fields)?;
    read_job(&mut fields, &mut job)?;
    fields.finish()?;
    job.validate(globals, regexes).map_err(|error| node.refused(error))?;
    Ok(job)
}

fn read_job<'a>(fields: &mut Fields<'a>, job: &mut ScrapeConfig) -> Result<(), ParseError> {
    let ScrapeConfig {
        job_name,
        honor_labels,
        honor_timestamps,
        track_timestamps_staleness,
        params,
        scrape_interval,
        scrape_timeout,
        scrape_protocols,
        fallback_scrape_protocol,
        scrape_native_histograms,
        always_scrape_classic_histograms,
        convert_classic_histograms_to_nhcb,
        scrape_failure_log_file,
        metrics_path,
        scheme,
        enable_compression,
        body_size_limit,
        sample_limit,
        target_limit,
        label_limit,
        label_name_length_limit,
        label_value_length_limit,
        native_histogram_bucket_limit,
        native_histogram_min_bucket_factor,
        keep_dropped_targets,
        metric_name_validation_scheme: _,
        metric_name_escaping_scheme,
        extra_scrape_metrics,
        service_discovery,
        http_client,
        relabel_configs,
        metric_relabel_configs,
    } = job;
    fields.string("job_name", job_name)?;
    fields.read("honor_labels", honor_labels, Node::boolean)?;
    fields.read("honor_timestamps", honor_timestamps, Node::boolean)?;
    fields.read("track_timestamps_staleness", track_timestamps_staleness, Node::boolean)?;
    fields.read("params", params, |node| {
        node.entries()?.into_iter().map(|(name, values)| Ok((name.to_owned(), values.strings()?))).collect()
    })?;
    fields.read("scrape_interval", scrape_interval, Node::duration)?;
    fields.read("scrape_timeout", scrape_timeout, Node::duration)?;
    fields.read("scrape_protocols", scrape_protocols, protocols)?;
    fields.string("fallback_scrape_protocol", fallback_scrape_protocol)?;
    // Null means that the globals decide.
    read_given(fields, "scrape_native_histograms", scrape_native_histograms)?;
    read_given(fields, "always_scrape_classic_histograms", always_scrape_classic_histograms)?;
    read_given(fields, "convert_classic_histograms_to_nhcb", convert_classic_histograms_to_nhcb)?;
    read_given(fields, "extra_scrape_metrics", extra_scrape_metrics)?;
    fields.string("scrape_failure_log_file", scrape_failure_log_file)?;
    fields.string("metrics_path", metrics_path)?;
    fields.string("scheme", scheme)?;
    fields.read("enable_compression", enable_compression, Node::boolean)?;
    fields.read("body_size_limit", body_size_limit, size)?;
    fields.read("sample_limit", sample_limit, Node::unsigned)?;
    fields.read("target_limit", target_limit, Node::unsigned)?;
    fields.read("label_limit", label_limit, Node::unsigned)?;
    fields.read("label_name_length_limit", label_name_length_limit, Node::unsigned)?;
    fields.read("label_value_length_limit", label_value_length_limit, Node::unsigned)?;
    fields.read("native_histogram_bucket_limit", native_histogram_bucket_limit, Node::unsigned)?;
    fields.read("native_histogram_min_bucket_factor", native_histogram_min_bucket_factor, Node::float)?;
    fields.read("keep_dropped_targets", keep_dropped_targets, Node::unsigned)?;
    fields.string("metric_name_escaping_scheme", metric_name_escaping_scheme)?;
    fields.read("relabel_configs", relabel_configs, relabel::rules)?;
    fields.read("metric_relabel_configs", metric_relabel_configs, relabel::rules)?;
    http_client.read(fields)?;
    *service_discovery = ServiceDiscovery::read(fields)?;
    if let Some(scheme) = name_validation(fields)? {
        job.set_name_validation(scheme);
    }
    Ok(())
}

fn read_given(fields: &mut Fields<'_>, name: &'static str, place: &mut bool) -> Result<(), ParseError> {
    if let Some(node) = fields.given(name) {
        *place = node.boolean()?;
    }
    Ok(())
}

/// An empty list differs from an absent one: Prometheus rejects it.
fn protocols(node: &Node<'_>) -> Result<Vec<String>, ParseError> {
    let protocols = node.strings()?;
    if protocols.is_empty() && !node.is_null() {
        return Err(node.error(Problem::Empty));
    }
    Ok(protocols)
}

fn size(node: &Node<'_>) -> Result<crate::size::Size, ParseError> {
    if node.is_null() {
        return Ok(crate::size::Size::default());
    }
    node.string()?.parse().map_err(|error: SizeError| node.error(error))
}

fn name_validation(fields: &mut Fields<'_>) -> Result<Option<NameValidation>, ParseError> {
    let Some(node) = fields.given("metric_name_validation_scheme") else { return Ok(None) };
    match node.string()?.as_str() {
        "" => Ok(None),
        "utf8" => Ok(Some(NameValidation::Utf8)),
        "legacy" => Ok(Some(NameValidation::Legacy)),
        other => Err(node.error(Problem::UnknownNameValidation(other.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::chain;
    use crate::scrape_config::secret::WithSecrets;
    use crate::yaml;

    fn read(text: &str) -> PrometheusConfig {
        parse(&yaml::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn a_job_is_served_as_the_peer_serves_it() {
        let config = read(
            "global: {scrape_interval: 30s, sample_limit: 5, metric_name_validation_scheme: legacy}
scrape_configs:
- job_name: 010
  honor_labels: yes
  metrics_path: null
  bearer_token: 15
  params: {module: [1.50]}
  body_size_limit: 1.5KiB
  static_configs:
  - targets: ['a:80']
    labels: {on: yes}
  relabel_configs:
  - {source_labels: [a], regex: 1.0, target_label: b}
  - {source_labels: [a], action: KeepEqual, target_label: b}
",
        );
        let served = serde_json::to_value(WithSecrets(config.jobs[0].as_ref().unwrap())).unwrap();
        let expected = json!({
            "job_name": "8",
            "honor_labels": true,
            "honor_timestamps": true,
            "track_timestamps_staleness": false,
            "params": {"module": ["1.5"]},
            "scrape_interval": "30s",
            "scrape_timeout": "10s",
            "scrape_protocols":
                ["OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4"],
            "scrape_native_histograms": false,
            "always_scrape_classic_histograms": false,
            "convert_classic_histograms_to_nhcb": false,
            "scheme": "http",
            "enable_compression": true,
            "body_size_limit": "1KiB512B",
            "sample_limit": 5,
            "metric_name_validation_scheme": "legacy",
            "metric_name_escaping_scheme": "underscores",
            "extra_scrape_metrics": false,
            "static_configs": [{"targets": ["a:80"], "labels": {"true": "true"}}],
            "authorization": {"type": "Bearer", "credentials": "15"},
            "follow_redirects": true,
            "enable_http2": true,
            "relabel_configs": [
                {"source_labels": ["a"], "separator": ";", "regex": "1", "target_label": "b", "replacement": "$1",
                 "action": "replace"},
                {"source_labels": ["a"], "separator": ";", "target_label": "b", "replacement": "$1",
                 "action": "keepequal"},
            ],
        });
        assert_eq!(served, expected);
    }

    #[test]
    fn a_refused_job_does_not_affect_other_jobs() {
        let cases = [
            ("null", "config.scrape_configs[0]: is empty or null"),
            ("{}", "job_name is empty"),
            (
                "{job_name: a, kubernetes_sd_configs: [{role: pod, selectors: [{role: pod, labels: x=y}]}]}",
                "kubernetes_sd_configs[0].selectors[0].labels: unknown field",
            ),
            ("{job_name: a, honor_labels: 'yes'}", "honor_labels: is not true or false"),
            ("{job_name: a, sample_limit: -1}", "sample_limit: is not a whole number that is not negative"),
            ("{job_name: a, scrape_interval: 15}", "scrape_interval: not a valid duration"),
            ("{job_name: a, body_size_limit: 5}", "body_size_limit: not a size"),
            ("{job_name: a, scrape_protocols: []}", "scrape_protocols: is empty"),
            ("{job_name: a, params: {module: x}}", "params.module: is not a list"),
            ("{job_name: a, relabel_configs: [null]}", "relabel_configs[0]: is empty or null"),
            ("{job_name: a, relabel_configs: [{action: x}]}", "relabel_configs[0].action: unknown relabel action"),
            ("{job_name: a, relabel_configs: [{action: labeldrop, source_labels: []}]}", "takes no source_labels"),
            ("{job_name: a, relabel_configs: [{regex: '('}]}", "relabel_configs holds a rule that cannot be used"),
            ("{job_name: a, metric_name_validation_scheme: x}", "unknown validation scheme"),
            ("{job_name: a, bearer_token: b, basic_auth: {}}", "more than one of basic_auth"),
            ("{job_name: a, tls_config: {min_version: ''}}", "tls_config.min_version"),
            ("{job_name: a, kubernetes_sd_configs: [{}]}", "kubernetes_sd_configs[0]: role is missing"),
            ("{job_name: a, kubernetes_sd_configs: [{role: Pod}]}", "kubernetes_sd_configs[0].role: unknown role"),
            ("{job_name: a, static_configs: [{labels: {'': a}}]}", "label name is empty"),
            (
                "{job_name: a, nomad_sd_configs: [{server: b}]}",
                "this kind of service discovery is not supported, use another kind: nomad",
            ),
            ("{job_name: a, consul_sd_configs: [{server: ' '}]}", "consul_sd_configs.server is empty"),
            (
                "{job_name: a, consul_sd_configs: [{token: a, authorization: {}}]}",
                "token beside authorization or oauth2",
            ),
            (
                "{job_name: a, consul_sd_configs: [{username: a, basic_auth: {}}]}",
                "both username or password and basic_auth",
            ),
            ("{job_name: good}", "taken by an earlier job"),
        ];
        for (job, expected) in cases {
            let order = if job.contains("good") { ["{job_name: good}", job] } else { [job, "{job_name: good}"] };
            let config = read(&format!("scrape_configs: [{}, {}]", order[0], order[1]));
            let errors: Vec<String> =
                config.jobs.iter().filter_map(|job| job.as_ref().err()).map(|e| chain(e)).collect();
            assert_eq!(errors.len(), 1, "{job}");
            assert!(errors[0].contains(expected), "{expected}: {}", errors[0]);
        }
    }

    #[test]
    fn an_error_outside_of_the_jobs_rejects_the_config() {
        let cases = [
            ("global: {scrape_interval: 5s, scrape_timeout: 6s}", "scrape_timeout is greater"),
            ("global: {scrape_protocols: [x]}", "unknown protocol"),
            ("scrape_configs: {}", "config.scrape_configs: is not a list"),
        ];
        for (text, expected) in cases {
            let error = chain(&parse(&yaml::parse(text).unwrap()).expect_err(text));
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }

    #[test]
    fn unknown_fields_are_ignored_and_reported() {
        let cases = [
            ("scrape_config: []", "config.scrape_config (did you mean scrape_configs?)"),
            ("global: {scrape_intervall: 5s}", "config.global.scrape_intervall (did you mean scrape_interval?)"),
            (
                "scrape_configs: [{job_name: a, scrape_classic_histograms: true}]",
                "config.scrape_configs[0].scrape_classic_histograms (did you mean always_scrape_classic_histograms?)",
            ),
            (
                "scrape_configs: [{job_name: a, metric_path: /x}]",
                "config.scrape_configs[0].metric_path (did you mean metrics_path?)",
            ),
            ("scrape_configs: [{job_name: a, tls_config: {x: 1}}]", "config.scrape_configs[0].tls_config.x"),
            (
                "scrape_configs: [{job_name: a, static_configs: [{target: [b]}]}]",
                "config.scrape_configs[0].static_configs[0].target (did you mean targets?)",
            ),
            (
                "scrape_configs: [{job_name: a, http_sd_cofigs: []}]",
                "config.scrape_configs[0].http_sd_cofigs (did you mean http_sd_configs?)",
            ),
            (
                "scrape_configs: [{job_name: a, relabel_configs: [{action: drop, colour: red}]}]",
                "config.scrape_configs[0].relabel_configs[0].colour",
            ),
        ];
        for (text, expected) in cases {
            let config = read(text);
            assert_eq!(config.unknown.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected], "{text}");
            assert!(config.jobs.iter().all(Result::is_ok), "{text}");
        }
    }

    #[test]
    fn a_kind_without_entries_is_no_kind() {
        let config = read("scrape_configs: [{job_name: a, nomad_sd_configs: [], azure_sd_configs: null}]");
        assert!(config.jobs[0].is_ok());
    }

    #[test]
    fn ignored_sections_are_reported() {
        assert_eq!(read("{rule_files: [a], remote_write: []}").passed_over, ["remote_write", "rule_files"]);
    }
}
