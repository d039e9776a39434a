//! Jobs of monitors with endpoints: one job for each endpoint.
//!
//! Input: a `ServiceMonitor` or a `PodMonitor`, the settings, and the secrets and config maps. Output: scrape configs
//! as the operator generates them. `service_monitor.rs` and `pod_monitor.rs` contain what differs between the two
//! kinds.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::draft::{Context, Draft, Files, SERVICE_ACCOUNT_CA};
use super::finding::{Finding, Within};
use super::job_settings::{self, Times};
use super::object_jobs::{Builder, check_endpoints};
use super::prometheus::PrometheusSettings;
use super::{http_client, relabeling};
use crate::objects::Object;
use crate::objects::monitoring::common::{Limits, NativeHistograms, Protocols, Scheme};
use crate::objects::monitoring::http::{HttpConfig, ProxyConfig, TlsConfig};
use crate::objects::monitoring::relabeling::Relabeling;
use crate::objects::monitoring::{KeySelector, ScrapeClass};
use crate::relabel::RelabelConfig;
use crate::scrape_config::discovery::KubernetesSd;

/// A monitor with endpoints.
pub trait Endpoints: Object {
    /// The type of an endpoint.
    type Endpoint;
    /// The prefix of the job names.
    const JOB_PREFIX: &'static str;
    /// The field of the monitor that contains the endpoints.
    const FIELD: &'static str;

    /// The settings that apply to all endpoints of the monitor.
    fn shared(&self) -> Shared<'_>;

    /// The endpoints of the monitor.
    fn endpoints(&self) -> &[Self::Endpoint];

    /// The settings of an endpoint.
    fn settings(endpoint: &Self::Endpoint) -> EndpointSettings<'_>;

    /// The Kubernetes service discovery of the jobs. It does not depend on the endpoint.
    ///
    /// # Errors
    /// [`Finding`] if the operator refuses the selector.
    fn discovery(&self, class: &ScrapeClass, prometheus: &PrometheusSettings) -> Result<KubernetesSd, Finding>;

    /// The relabelling rules that the operator generates for an endpoint.
    fn generated_rules(
        &self,
        endpoint: &Self::Endpoint,
        discovery: &KubernetesSd,
        prometheus: &PrometheusSettings,
    ) -> Vec<RelabelConfig>;
}

/// The settings that apply to all endpoints of a monitor.
#[allow(missing_docs, reason = "named as in the CRDs")]
pub struct Shared<'a> {
    pub scrape_class_name: Option<&'a str>,
    pub body_size_limit: Option<&'a str>,
    pub limits: &'a Limits,
    pub native_histograms: &'a NativeHistograms,
    pub protocols: &'a Protocols,
}

/// The settings of one endpoint.
#[allow(missing_docs, reason = "named as in the CRDs")]
pub struct EndpointSettings<'a> {
    pub path: &'a str,
    pub scheme: Option<Scheme>,
    pub params: &'a BTreeMap<String, Vec<String>>,
    pub interval: &'a str,
    pub scrape_timeout: &'a str,
    pub honor_labels: bool,
    pub honor_timestamps: Option<bool>,
    pub track_timestamps_staleness: Option<bool>,
    pub metric_relabelings: &'a [Relabeling],
    pub relabelings: &'a [Relabeling],
    /// `None` if the reference is incomplete. Each kind of monitor defines which fields it requires.
    pub bearer_token_secret: Option<&'a KeySelector>,
    pub bearer_token_file: &'a str,
    pub tls_config: Option<Cow<'a, TlsConfig>>,
    pub http: &'a HttpConfig,
    pub proxy: &'a ProxyConfig,
}

/// Builds one job for each endpoint. A finding that refuses the monitor at one endpoint refuses all its jobs.
///
/// # Errors
/// [`Finding`] if the operator refuses the monitor, or if the monitor exceeds a bound.
pub fn build<M: Endpoints>(monitor: &M, context: &mut Context<'_>, jobs: &mut Builder<'_>) -> Result<(), Finding> {
    let endpoints = monitor.endpoints();
    check_endpoints(endpoints.len(), context.settings.bounds).within(&format!("spec.{}", M::FIELD))?;
    let class = context.settings.scrape_classes.of(monitor.shared().scrape_class_name).within("spec")?;
    let discovery = monitor.discovery(class, &context.settings.prometheus)?;
    let mut endpoints = endpoints.iter().enumerate();
    endpoints.try_for_each(|(index, endpoint)| jobs.take(draft(monitor, index, endpoint, class, &discovery, context)))
}

fn draft<M: Endpoints>(
    monitor: &M,
    index: usize,
    endpoint: &M::Endpoint,
    class: &ScrapeClass,
    discovery: &KubernetesSd,
    context: &mut Context<'_>,
) -> Result<Draft, Finding> {
    let metadata = monitor.metadata();
    let job_name = format!("{}/{}/{}/{index}", M::JOB_PREFIX, metadata.namespace, metadata.name);
    let field = format!("spec.{}[{index}]", M::FIELD);
    let mut draft = Draft::new(monitor, context.settings, job_name, field.clone(), Some(index));
    let mut notes = Vec::new();
    let rules = apply(M::settings(endpoint), class, context, &mut notes, &mut draft).within(&field);
    context.notes.extend(notes.into_iter().map(|note| note.within(&field)));
    let (own, own_metric) = rules?;

    let Shared { scrape_class_name: _, body_size_limit, limits, native_histograms, protocols } = monitor.shared();
    let prometheus = &context.settings.prometheus;
    let config = &mut draft.config;
    config.service_discovery.kubernetes = vec![discovery.clone()];
    job_settings::limits(limits, &prometheus.enforced_limits, config).within("spec")?;
    job_settings::native_histograms(native_histograms, config).within("spec")?;
    job_settings::body_size_limit(body_size_limit, &prometheus.enforced_limits, config).within("spec")?;
    job_settings::protocols(protocols, class, config);
    let generated = monitor.generated_rules(endpoint, discovery, prometheus);
    draft.set_relabelings(generated, class, own, "relabelings", "__address__")?;
    draft.set_metric_relabelings(class, own_metric)?;
    Ok(draft)
}

/// Writes the settings of an endpoint to the draft, and returns its own rules. Rules of the operator are checked first,
/// because they refuse the whole monitor. Rules that only Prometheus checks come second.
fn apply(
    settings: EndpointSettings<'_>,
    class: &ScrapeClass,
    context: &Context<'_>,
    notes: &mut Vec<Finding>,
    draft: &mut Draft,
) -> Result<(Vec<RelabelConfig>, Vec<RelabelConfig>), Finding> {
    let EndpointSettings {
        path,
        scheme,
        params,
        interval,
        scrape_timeout,
        honor_labels,
        honor_timestamps,
        track_timestamps_staleness,
        metric_relabelings,
        relabelings,
        bearer_token_secret,
        bearer_token_file,
        tls_config,
        http,
        proxy,
    } = settings;
    let assets = context.assets;
    http_client::check_credentials(http)?;
    let mut client = http_client::http_client(http, tls_config.as_deref(), class, assets, notes)?;
    client.proxy = http_client::proxy(proxy, assets)?;
    let token = bearer_token_secret.map_or_else(|| Ok(String::new()), |own| http_client::bearer_token(own, assets))?;
    relabeling::check(relabelings).within("relabelings")?;
    relabeling::check(metric_relabelings).within("metricRelabelings")?;
    let times = Times::new(interval, scrape_timeout, context.settings.scrape_interval)?;

    let rules = relabeling::converted(relabelings).within("relabelings")?;
    let metric_rules = relabeling::converted(metric_relabelings).within("metricRelabelings")?;
    http_client::set_bearer_token(&mut client, token, bearer_token_file)?;
    if let (Files::WithoutTls, Some(tls_config)) = (context.settings.files, &tls_config) {
        check_files(tls_config).within("tlsConfig")?;
    }
    let config = &mut draft.config;
    times.apply(config);
    config.http_client = client;
    let overrides = &context.settings.prometheus;
    config.honor_labels = honor_labels && !overrides.override_honor_labels;
    config.honor_timestamps =
        honor_timestamps.unwrap_or(config.honor_timestamps) && !overrides.override_honor_timestamps;
    config.track_timestamps_staleness = track_timestamps_staleness.unwrap_or(config.track_timestamps_staleness);
    config.params.clone_from(params);
    if !path.is_empty() {
        path.clone_into(&mut config.metrics_path);
    }
    if let Some(scheme) = scheme {
        scheme.as_str().clone_into(&mut config.scheme);
    }
    Ok((rules, metric_rules))
}

/// Leaves out a job whose TLS config names files.
fn check_files(config: &TlsConfig) -> Result<(), Finding> {
    let TlsConfig { safe: _, ca_file, cert_file, key_file } = config;
    let files = [("caFile", ca_file), ("certFile", cert_file), ("keyFile", key_file)];
    let allowed = |field: &str, file: &str| file.is_empty() || field == "caFile" && file == SERVICE_ACCOUNT_CA;
    let denied = files.into_iter().find(|(field, file)| !allowed(field, file));
    denied.map_or(Ok(()), |(field, file)| {
        let reason = format_args!(
            "names a file, and a collector that does not have the file applies no change of any job, take a secret or \
             set prometheus_cr.deny_fs_access_through_sms to false: {file:?}"
        );
        Err(Finding::left_out(reason).within(field))
    })
}
