//! The job of a `ScrapeConfig` object.
//!
//! Input: the object, the settings, and the secrets and config maps. Output: a scrape config as the operator generates
//! it. Follows `checkScrapeConfig` and `generateScrapeConfig` of the Prometheus operator. A job with an unsupported
//! kind of service discovery is left out.

mod client;
mod consul;
mod dns;
mod ec2;
mod file;
mod http;
mod kubernetes;
mod not_served;
mod service_discovery;
mod static_targets;

use super::draft::{Context, Draft, OwnRules};
use super::finding::{Finding, Within};
use super::job_settings::{self, Times};
use super::object_jobs::{Builder, check_endpoints};
use super::{http_client, relabeling};
use crate::objects::monitoring::http::HttpConfig;
use crate::objects::monitoring::scrape_config::{NameEscapingScheme, NameValidationScheme, ScrapeConfigSpec};
use crate::objects::monitoring::{ScrapeClass, ScrapeConfig};
use crate::scrape_config::NameValidation;
use crate::scrape_config::http_client::HttpClientConfig;
use service_discovery::service_discovery;

/// Builds the job. An error that only Prometheus detects leaves out the job. So does an unsupported kind of service
/// discovery.
///
/// # Errors
/// [`Finding`] if the operator refuses the object, or if the object exceeds a bound.
pub fn build(object: &ScrapeConfig, context: &mut Context<'_>, jobs: &mut Builder<'_>) -> Result<(), Finding> {
    let queries = object.spec.kubernetes_sd_configs.len();
    check_endpoints(queries, context.settings.bounds).within("kubernetesSDConfigs").within("spec")?;
    let class = context.settings.scrape_classes.of(object.spec.scrape_class_name.as_deref()).within("spec")?;
    let mut notes = Vec::new();
    let draft = draft(object, class, context, &mut notes).within("spec");
    context.notes.extend(notes.into_iter().map(|note| note.within("spec")));
    jobs.take(draft)
}

fn draft(
    object: &ScrapeConfig,
    class: &ScrapeClass,
    context: &Context<'_>,
    notes: &mut Vec<Finding>,
) -> Result<Draft, Finding> {
    let ScrapeConfig { metadata, spec } = object;
    relabeling::check(&spec.relabelings).within("relabelings")?;
    relabeling::check(&spec.metric_relabelings).within("metricRelabelings")?;
    let client = client(spec, class, context, notes)?;
    let times = times(spec, context)?;
    let service_discovery = service_discovery(spec, context.assets, notes)?;
    check_empty_times(spec)?;

    let job_name = format!("scrapeConfig/{}/{}", metadata.namespace, metadata.name);
    let prometheus = &context.settings.prometheus;
    let mut draft = Draft::new(object, context.settings, job_name, "spec".to_owned(), None);
    let config = &mut draft.config;
    config.http_client = client;
    config.service_discovery = service_discovery;
    times.apply(config);
    // As in the operator, the overrides apply only to an object that sets the field.
    let honor_timestamps = spec.honor_timestamps.map(|honor| honor && !prometheus.override_honor_timestamps);
    set_if_given(&mut config.honor_timestamps, honor_timestamps);
    set_if_given(&mut config.track_timestamps_staleness, spec.track_timestamps_staleness);
    set_if_given(&mut config.honor_labels, spec.honor_labels.map(|honor| honor && !prometheus.override_honor_labels));
    set_if_given(&mut config.enable_compression, spec.enable_compression);
    set_if_given(&mut config.metrics_path, spec.metrics_path.clone());
    set_if_given(&mut config.scheme, spec.scheme.map(|scheme| scheme.as_str().to_owned()));
    config.params.clone_from(&spec.params);
    job_settings::protocols(&spec.protocols, class, config);
    job_settings::limits(&spec.limits, &prometheus.enforced_limits, config)?;
    job_settings::body_size_limit(spec.body_size_limit.as_deref(), &prometheus.enforced_limits, config)?;
    job_settings::native_histograms(&spec.native_histograms, config)?;
    if let Some(escaping) = spec.name_escaping_scheme {
        escaping_scheme(escaping).clone_into(&mut config.metric_name_escaping_scheme);
    }
    if let Some(validation) = spec.name_validation_scheme {
        config.set_name_validation(match validation {
            NameValidationScheme::Utf8 => NameValidation::Utf8,
            NameValidationScheme::Legacy => NameValidation::Legacy,
        });
    }
    set_rules(&mut draft, spec, class)?;
    Ok(draft)
}

/// Sets the relabelling rules. Unlike jobs of monitors, these jobs have no rules for shards. The rule for the job name
/// follows the rules of the scrape class.
fn set_rules(draft: &mut Draft, spec: &ScrapeConfigSpec, class: &ScrapeClass) -> Result<(), Finding> {
    let own = relabeling::converted(&spec.relabelings).within("relabelings")?;
    let own_metric = relabeling::converted(&spec.metric_relabelings).within("metricRelabelings")?;
    let rules = &mut draft.config.relabel_configs;
    rules.push(relabeling::keep_job_name());
    rules.extend(relabeling::converted(&class.relabelings).within("scrapeClass.relabelings")?);
    rules.extend(spec.job_name.as_ref().map(|name| relabeling::set("job", name)));
    // As in the operator, an object without relabelings does not get the enforced namespace label here. Its metrics
    // get the label from the metric relabelling rules.
    let namespace_rule = draft.namespace_rule.clone().filter(|_| !own.is_empty());
    draft.relabelings = OwnRules::append(rules, own, "relabelings");
    rules.extend(namespace_rule);
    draft.set_metric_relabelings(class, own_metric)
}

fn client(
    spec: &ScrapeConfigSpec,
    class: &ScrapeClass,
    context: &Context<'_>,
    notes: &mut Vec<Finding>,
) -> Result<HttpClientConfig, Finding> {
    let http = HttpConfig {
        authorization: spec.authorization.clone(),
        basic_auth: spec.basic_auth.clone(),
        oauth2: spec.oauth2.clone(),
        bearer_token_secret: None,
        follow_redirects: None,
        enable_http2: spec.enable_http2,
    };
    let tls = http_client::without_files(spec.tls_config.as_ref());
    let mut client = http_client::http_client(&http, tls.as_ref(), class, context.assets, notes)?;
    client.proxy = http_client::proxy(&spec.proxy, context.assets)?;
    Ok(client)
}

fn times(spec: &ScrapeConfigSpec, context: &Context<'_>) -> Result<Times, Finding> {
    let interval = spec.scrape_interval.as_deref().unwrap_or_default();
    let timeout = spec.scrape_timeout.as_deref().unwrap_or_default();
    Times::new(interval, timeout, context.settings.scrape_interval).map_err(|mut finding| {
        // In monitors the field is named `interval`, in this kind `scrapeInterval`.
        if finding.field == "interval" {
            "scrapeInterval".clone_into(&mut finding.field);
        }
        finding
    })
}

/// Leaves out an object with an empty time. The operator writes the empty text to the config, and Prometheus rejects
/// it.
fn check_empty_times(spec: &ScrapeConfigSpec) -> Result<(), Finding> {
    for (field, time) in [("scrapeInterval", &spec.scrape_interval), ("scrapeTimeout", &spec.scrape_timeout)] {
        if time.as_deref() == Some("") {
            return Err(Finding::left_out("is empty, leave it out or name a duration").within(field));
        }
    }
    Ok(())
}

fn set_if_given<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

const fn escaping_scheme(scheme: NameEscapingScheme) -> &'static str {
    match scheme {
        NameEscapingScheme::AllowUtf8 => "allow-utf-8",
        NameEscapingScheme::Underscores => "underscores",
        NameEscapingScheme::Dots => "dots",
        NameEscapingScheme::Values => "values",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitors::selection::KindSelection;
    use crate::monitors::{Generated, Settings, scrape_jobs};
    use crate::objects::Cluster;
    use crate::regex::RegexCache;
    use crate::report::Outcome;
    use crate::scrape_config::ScrapeConfig as Job;
    use crate::scrape_config::secret::WithSecrets;

    fn jobs(spec: &str) -> Result<Job, (Outcome, String, String)> {
        let manifest = format!("{{metadata: {{namespace: shop, name: a}}, spec: {spec}}}");
        let secret = "{metadata: {namespace: shop, name: auth}, stringData: {user: u, pass: p}}";
        let cluster = Cluster {
            scrape_configs: [serde_norway::from_str::<ScrapeConfig>(&manifest).unwrap()].into_iter().collect(),
            secrets: [serde_norway::from_str(secret).unwrap()].into_iter().collect(),
            ..Cluster::default()
        };
        let settings = Settings {
            scrape_configs: KindSelection::all(),
            scrape_interval: crate::duration::Duration::from_secs(30),
            ..Settings::default()
        };
        let Generated { jobs, report, used: _ } = scrape_jobs(&settings, &cluster, &RegexCache::default());
        match (jobs.into_iter().next(), report.entries().first()) {
            (Some(job), None) => Ok(job.scrape_config),
            (None, Some(entry)) => Err((entry.outcome, entry.field.clone(), entry.reason.clone())),
            (job, entry) => panic!("{spec}: {job:?}, {entry:?}"),
        }
    }

    #[test]
    fn an_object_generates_the_job_of_the_operator() {
        let job = jobs(
            "{jobName: web, scheme: HTTPS, metricsPath: /m, scrapeTimeout: 5s, enableHTTP2: false,
              basicAuth: {username: {name: auth, key: user}, password: {name: auth, key: pass}},
              bodySizeLimit: 1KB, nativeHistogramMinBucketFactor: 1100m, nameValidationScheme: Legacy,
              relabelings: [{sourceLabels: [a], targetLabel: b}],
              staticConfigs: [{targets: ['a:80']}], dnsSDConfigs: [{names: [a], type: A, port: 80}],
              kubernetesSDConfigs: [{role: Node, attachMetadata: {node: true}}, {role: Pod, attachMetadata: {node: true}}],
              httpSDConfigs: [{url: 'http://sd', refreshInterval: 5s}], fileSDConfigs: [{files: [a.json]}],
              ec2SDConfigs: [{filters: [{name: b, values: [c]}, {name: a, values: [c]}]}],
              consulSDConfigs: [{server: 'a:1', pathPrefix: /p, tokenRef: {name: auth, key: pass}, scheme: HTTPS, tagSeparator: '',
                nodeMeta: {a: b}, services: [s], tags: [t], allowStale: false, filter: f, healthFilter: h, refreshInterval: 5s}]}",
        )
        .unwrap();
        let served = serde_json::to_value(WithSecrets(&job)).unwrap();
        let expected = serde_json::json!({
            "job_name": "scrapeConfig/shop/a",
            "scheme": "https",
            "metrics_path": "/m",
            "scrape_interval": "30s",
            "scrape_timeout": "5s",
            "enable_http2": false,
            "basic_auth": {"username": "u", "password": "p"},
            "body_size_limit": "1KiB",
            "native_histogram_min_bucket_factor": 1.1,
            "metric_name_validation_scheme": "legacy",
            "metric_name_escaping_scheme": "underscores",
            "static_configs": [{"targets": ["a:80"]}],
            "dns_sd_configs": [{"names": ["a"], "type": "A", "port": 80, "refresh_interval": "30s"}],
            "file_sd_configs": [{"files": ["a.json"], "refresh_interval": "5m"}],
            "consul_sd_configs": [{"server": "a:1", "path_prefix": "/p", "token": "p", "scheme": "https", "allow_stale": false,
                "node_meta": {"a": "b"}, "services": ["s"], "tags": ["t"], "filter": "f", "health_filter": "h",
                "refresh_interval": "5s", "follow_redirects": true, "enable_http2": true}],
        });
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&served[field], value, "{field}");
        }
        let rules: Vec<&str> = job.relabel_configs.iter().map(|rule| rule.target_label.as_str()).collect();
        assert_eq!(rules, ["__tmp_prometheus_job_name", "job", "b"]);
        let [node, pod] = &job.service_discovery.kubernetes[..] else { panic!("two") };
        assert!(!node.attach_metadata.node, "only pods and endpoints have a node");
        assert!(pod.attach_metadata.node);
        let filters: Vec<&str> =
            job.service_discovery.ec2[0].filters.iter().map(|filter| filter.name.as_str()).collect();
        assert_eq!(filters, ["a", "b"]);
    }

    #[test]
    fn objects_that_the_peers_refuse_are_reported_with_their_field() {
        use Outcome::{JobLeftOut, Refused};
        let key = "{name: gone, key: k}";
        let cases: &[(String, Outcome, &str)] = &[
            ("{scrapeClass: gone}".to_owned(), Refused, "spec.scrapeClass"),
            ("{relabelings: [{}]}".to_owned(), Refused, "spec.relabelings[0].targetLabel"),
            ("{metricRelabelings: [{action: shout}]}".to_owned(), JobLeftOut, "spec.metricRelabelings[0].action"),
            ("{relabelings: [{targetLabel: a, sourceLabels: ['']}]}".to_owned(), JobLeftOut, "spec.relabelings[0]"),
            (format!("{{authorization: {{credentials: {key}}}}}"), Refused, "spec.authorization.credentials"),
            ("{scrapeTimeout: 31s}".to_owned(), Refused, "spec.scrapeTimeout"),
            ("{scrapeInterval: 1}".to_owned(), JobLeftOut, "spec.scrapeInterval"),
            ("{scrapeInterval: ''}".to_owned(), JobLeftOut, "spec.scrapeInterval"),
            ("{scrapeTimeout: ''}".to_owned(), JobLeftOut, "spec.scrapeTimeout"),
            (
                "{scrapeTimeout: '', dnsSDConfigs: [{names: [a], type: A}]}".to_owned(),
                Refused,
                "spec.dnsSDConfigs[0].port",
            ),
            ("{noProxy: a}".to_owned(), Refused, "spec.noProxy"),
            ("{sampleLimit: -1}".to_owned(), JobLeftOut, "spec.sampleLimit"),
            ("{staticConfigs: [{targets: [a], labels: {'': b}}]}".to_owned(), Refused, "spec.staticConfigs[0].labels"),
            ("{httpSDConfigs: [{url: 'http://a:b'}]}".to_owned(), Refused, "spec.httpSDConfigs[0].url"),
            ("{httpSDConfigs: [{url: 'ftp://a'}]}".to_owned(), JobLeftOut, "spec"),
            (
                format!("{{httpSDConfigs: [{{url: 'http://a', basicAuth: {{username: {key}}}}}]}}"),
                Refused,
                "spec.httpSDConfigs[0].basicAuth.username",
            ),
            (
                "{kubernetesSDConfigs: [{role: Pod, selectors: [{role: Node}]}]}".to_owned(),
                Refused,
                "spec.kubernetesSDConfigs[0].selectors[0].role",
            ),
            (
                "{kubernetesSDConfigs: [{role: Pod, selectors: [{role: Pod, label: 'a b'}]}]}".to_owned(),
                Refused,
                "spec.kubernetesSDConfigs[0].selectors[0].label",
            ),
            (
                "{kubernetesSDConfigs: [{role: Pod, apiServer: a, namespaces: {ownNamespace: true}}]}".to_owned(),
                Refused,
                "spec.kubernetesSDConfigs[0].namespaces.ownNamespace",
            ),
            ("{kubernetesSDConfigs: [{role: Pod, followRedirects: false}]}".to_owned(), JobLeftOut, "spec"),
            ("{dnsSDConfigs: [{names: [a], type: A}]}".to_owned(), Refused, "spec.dnsSDConfigs[0].port"),
            (format!("{{ec2SDConfigs: [{{accessKey: {key}}}]}}"), Refused, "spec.ec2SDConfigs[0].accessKey"),
            ("{fileSDConfigs: [{files: [a.txt]}]}".to_owned(), JobLeftOut, "spec"),
            ("{nomadSDConfigs: [{server: 'http://a'}]}".to_owned(), JobLeftOut, "spec.nomadSDConfigs"),
            (
                "{consulSDConfigs: [{server: a, refreshInterval: x}]}".to_owned(),
                JobLeftOut,
                "spec.consulSDConfigs[0].refreshInterval",
            ),
            (
                format!("{{consulSDConfigs: [{{server: a, tokenRef: {key}}}]}}"),
                Refused,
                "spec.consulSDConfigs[0].tokenRef",
            ),
            ("{consulSDConfigs: [{server: ' '}]}".to_owned(), JobLeftOut, "spec"),
            ("{azureSDConfigs: [{subscriptionID: a}]}".to_owned(), Refused, "spec.azureSDConfigs[0].tenantID"),
            (
                "{azureSDConfigs: [{subscriptionID: a, authenticationMethod: SDK}]}".to_owned(),
                JobLeftOut,
                "spec.azureSDConfigs",
            ),
            ("{kumaSDConfigs: [{server: a}]}".to_owned(), Refused, "spec.kumaSDConfigs[0].server"),
            ("{dockerSDConfigs: [{host: ':'}]}".to_owned(), Refused, "spec.dockerSDConfigs[0].host"),
            ("{puppetDBSDConfigs: [{url: 'ftp://a'}]}".to_owned(), Refused, "spec.puppetDBSDConfigs[0].url"),
        ];
        for (spec, outcome, field) in cases {
            let got = jobs(spec).expect_err(spec);
            assert_eq!((got.0, got.1.as_str()), (*outcome, *field), "{spec}: {}", got.2);
        }
    }
}
