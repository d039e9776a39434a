//! Jobs of a `PodMonitor`: one an endpoint.
//!
//! In: the monitor, the settings and what it refers to; out: scrape configs as the
//! operator generates them. Follows `checkPodMonitor` and `generatePodMonitorConfig`
//! of the Prometheus operator.

use std::borrow::Cow;

use super::draft::{Context, Draft};
use super::finding::{Finding, Within};
use super::job_settings::{self, Times};
use super::{http_client, relabeling};
use crate::objects::monitoring::ScrapeClass;
use crate::objects::monitoring::common::{Port, SelectorMechanism};
use crate::objects::monitoring::pod_monitor::{PodMetricsEndpoint, PodMonitor, PodMonitorSpec};
use crate::relabel::RelabelConfig;
use crate::scrape_config::service_discovery::{KubernetesSd, Role, Selector};

/// The job of each endpoint. A finding that refuses the monitor, in any of them, refuses all.
///
/// # Errors
/// If the operator refuses the monitor whatever its endpoints are.
pub fn drafts(monitor: &PodMonitor, context: &mut Context<'_>) -> Result<Vec<Result<Draft, Finding>>, Finding> {
    let class = context.settings.scrape_classes.of(monitor.spec.scrape_class_name.as_deref()).within("spec")?;
    let discovery = discovery(monitor, class)?;
    let endpoints = monitor.spec.pod_metrics_endpoints.iter().enumerate();
    Ok(endpoints.map(|(index, endpoint)| draft(monitor, index, endpoint, class, &discovery, context)).collect())
}

fn draft(
    monitor: &PodMonitor,
    index: usize,
    endpoint: &PodMetricsEndpoint,
    class: &ScrapeClass,
    discovery: &KubernetesSd,
    context: &mut Context<'_>,
) -> Result<Draft, Finding> {
    let PodMonitor { metadata, spec } = monitor;
    let job_name = format!("podMonitor/{}/{}/{index}", metadata.namespace, metadata.name);
    let field = format!("spec.podMetricsEndpoints[{index}]");
    let mut draft = Draft::new(job_name, field.clone(), Some(index));
    let mut notes = Vec::new();
    let rules = apply_endpoint(endpoint, class, context, &mut notes, &mut draft).within(&field);
    context.notes.extend(notes.into_iter().map(|note| note.within(&field)));
    let (own, own_metric) = rules?;

    let config = &mut draft.config;
    config.service_discovery.kubernetes = vec![discovery.clone()];
    job_settings::limits(&spec.limits, config).within("spec")?;
    job_settings::native_histograms(&spec.native_histograms, config).within("spec")?;
    job_settings::body_size_limit(spec.body_size_limit.as_deref(), config).within("spec")?;
    job_settings::protocols(&spec.protocols, class, config);
    draft.set_relabelings(generated_rules(monitor, endpoint), class, own, "relabelings", "__address__")?;
    draft.set_metric_relabelings(class, own_metric)?;
    Ok(draft)
}

/// Writes what stands in the endpoint; its rules are returned. What the operator refuses comes first,
/// then what only Prometheus refuses.
fn apply_endpoint(
    endpoint: &PodMetricsEndpoint,
    class: &ScrapeClass,
    context: &Context<'_>,
    notes: &mut Vec<Finding>,
    draft: &mut Draft,
) -> Result<(Vec<RelabelConfig>, Vec<RelabelConfig>), Finding> {
    let PodMetricsEndpoint {
        port: _,
        port_number: _,
        target_port: _,
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
        filter_running: _,
        tls_config,
        http,
        proxy,
    } = endpoint;
    let assets = context.assets;
    http_client::check_credentials(http)?;
    let tls_config = http_client::without_files(tls_config.as_ref());
    let mut client = http_client::http_client(http, tls_config.as_ref(), class, assets, notes)?;
    client.proxy = http_client::proxy(proxy, assets)?;
    // Half a reference is passed over here, while a ServiceMonitor with one is refused.
    let named = |selector: &&_| -> bool {
        let crate::objects::monitoring::KeySelector { name, key, optional: _ } = selector;
        !name.is_empty() && !key.is_empty()
    };
    let token = http.bearer_token_secret.as_ref().filter(named);
    let token = token.map_or_else(|| Ok(String::new()), |selector| http_client::bearer_token(selector, assets))?;
    relabeling::check(relabelings).within("relabelings")?;
    relabeling::check(metric_relabelings).within("metricRelabelings")?;
    let times = Times::new(interval, scrape_timeout, context.settings.scrape_interval)?;

    let rules = relabeling::converted(relabelings).within("relabelings")?;
    let metric_rules = relabeling::converted(metric_relabelings).within("metricRelabelings")?;
    http_client::set_bearer_token(&mut client, token, "")?;
    let config = &mut draft.config;
    times.apply(config);
    config.http_client = client;
    config.honor_labels = *honor_labels;
    config.honor_timestamps = honor_timestamps.unwrap_or(config.honor_timestamps);
    config.track_timestamps_staleness = track_timestamps_staleness.unwrap_or(config.track_timestamps_staleness);
    config.params.clone_from(params);
    if !path.is_empty() {
        config.metrics_path.clone_from(path);
    }
    if let Some(scheme) = scheme {
        scheme.as_str().clone_into(&mut config.scheme);
    }
    Ok((rules, metric_rules))
}

fn discovery(monitor: &PodMonitor, class: &ScrapeClass) -> Result<KubernetesSd, Finding> {
    let PodMonitorSpec { selector, selector_mechanism, namespace_selector, attach_metadata, .. } = &monitor.spec;
    let selector = selector.selector().map_err(Finding::refused).within("spec.selector")?;
    let attach_metadata = attach_metadata.as_ref().or(class.attach_metadata.as_ref());
    let mut discovery =
        job_settings::kubernetes(Role::Pod, namespace_selector, &monitor.metadata.namespace, attach_metadata);
    if *selector_mechanism == SelectorMechanism::RoleSelector {
        discovery.selectors = vec![Selector { role: Role::Pod, label: selector.to_string(), field: String::new() }];
    }
    Ok(discovery)
}

fn generated_rules(monitor: &PodMonitor, endpoint: &PodMetricsEndpoint) -> Vec<RelabelConfig> {
    let PodMonitor { metadata, spec } = monitor;
    let mut rules = vec![relabeling::keep_job_name()];
    if endpoint.filter_running.unwrap_or(true) {
        rules.push(relabeling::drop_finished_pods());
    }
    if spec.selector_mechanism == SelectorMechanism::RelabelConfig {
        rules.extend(relabeling::select("pod", &spec.selector));
    }
    rules.extend(keep_port(endpoint));
    rules.push(relabeling::copy("__meta_kubernetes_namespace", "namespace"));
    rules.push(relabeling::copy("__meta_kubernetes_pod_container_name", "container"));
    rules.push(relabeling::copy("__meta_kubernetes_pod_name", "pod"));
    rules.extend(spec.pod_target_labels.iter().map(|name| relabeling::take_label("pod", name)));
    rules.push(relabeling::set("job", &format!("{}/{}", metadata.namespace, metadata.name)));
    if !spec.job_label.is_empty() {
        rules.push(relabeling::take_job("pod", &spec.job_label));
    }
    rules.extend(endpoint_label(endpoint));
    rules
}

/// Only the port that the endpoint names.
fn keep_port(endpoint: &PodMetricsEndpoint) -> Option<RelabelConfig> {
    const NAME: &str = "__meta_kubernetes_pod_container_port_name";
    const NUMBER: &str = "__meta_kubernetes_pod_container_port_number";
    let keep = |label: &str, regex: String| Some(relabeling::keep(vec![label.to_owned()], regex));
    if !endpoint.port.is_empty() {
        return keep(NAME, endpoint.port.clone());
    }
    if let Some(number) = endpoint.port_number.filter(|number| *number != 0) {
        return keep(NUMBER, number.to_string());
    }
    match endpoint.target_port.as_ref()? {
        Port::Name(name) if !name.is_empty() => keep(NAME, name.clone()),
        Port::Number(number) if *number != 0 => keep(NUMBER, number.to_string()),
        Port::Name(_) | Port::Number(_) => None,
    }
}

/// Tells the endpoints of one pod apart. A port number makes no label, as in the operator.
fn endpoint_label(endpoint: &PodMetricsEndpoint) -> Option<RelabelConfig> {
    let port: Cow<'_, str> =
        if endpoint.port.is_empty() { endpoint.target_port.as_ref()?.text() } else { endpoint.port.as_str().into() };
    (!port.is_empty()).then(|| relabeling::set("endpoint", &port))
}
