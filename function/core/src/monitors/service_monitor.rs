//! Jobs of a `ServiceMonitor`: one an endpoint.
//!
//! In: the monitor, the settings and what it refers to; out: scrape configs as the
//! operator generates them. Follows `checkServiceMonitor` and `generateServiceMonitorConfig`
//! of the Prometheus operator.

use super::draft::{Context, Draft};
use super::finding::{Finding, Within};
use super::job_settings::{self, Times};
use super::{http_client, relabeling};
use crate::objects::monitoring::ScrapeClass;
use crate::objects::monitoring::common::{Port, SelectorMechanism};
use crate::objects::monitoring::service_monitor::{Endpoint, ServiceDiscoveryRole, ServiceMonitor, ServiceMonitorSpec};
use crate::relabel::RelabelConfig;
use crate::scrape_config::service_discovery::{KubernetesSd, Role, Selector};

/// The job of each endpoint. A finding that refuses the monitor, in any of them, refuses all.
///
/// # Errors
/// If the operator refuses the monitor whatever its endpoints are.
pub fn drafts(monitor: &ServiceMonitor, context: &mut Context<'_>) -> Result<Vec<Result<Draft, Finding>>, Finding> {
    let class = context.settings.scrape_classes.of(monitor.spec.scrape_class_name.as_deref()).within("spec")?;
    let discovery = discovery(monitor, class)?;
    let endpoints = monitor.spec.endpoints.iter().enumerate();
    Ok(endpoints.map(|(index, endpoint)| draft(monitor, index, endpoint, class, &discovery, context)).collect())
}

fn draft(
    monitor: &ServiceMonitor,
    index: usize,
    endpoint: &Endpoint,
    class: &ScrapeClass,
    discovery: &KubernetesSd,
    context: &mut Context<'_>,
) -> Result<Draft, Finding> {
    let ServiceMonitor { metadata, spec } = monitor;
    let job_name = format!("serviceMonitor/{}/{}/{index}", metadata.namespace, metadata.name);
    let field = format!("spec.endpoints[{index}]");
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
    draft.set_relabelings(generated_rules(spec, endpoint, discovery.role), class, own, "relabelings", "__address__")?;
    draft.set_metric_relabelings(class, own_metric)?;
    Ok(draft)
}

/// Writes what stands in the endpoint; its rules are returned. What the operator refuses comes first,
/// then what only Prometheus refuses.
fn apply_endpoint(
    endpoint: &Endpoint,
    class: &ScrapeClass,
    context: &Context<'_>,
    notes: &mut Vec<Finding>,
    draft: &mut Draft,
) -> Result<(Vec<RelabelConfig>, Vec<RelabelConfig>), Finding> {
    let Endpoint {
        port: _,
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
        bearer_token_file,
        tls_config,
        http,
        proxy,
    } = endpoint;
    let assets = context.assets;
    http_client::check_credentials(http)?;
    let mut client = http_client::http_client(http, tls_config.as_ref(), class, assets, notes)?;
    client.proxy = http_client::proxy(proxy, assets)?;
    let named = http.bearer_token_secret.as_ref().filter(|selector| !selector.name.is_empty());
    let token = named.map_or_else(|| Ok(String::new()), |selector| http_client::bearer_token(selector, assets))?;
    relabeling::check(relabelings).within("relabelings")?;
    relabeling::check(metric_relabelings).within("metricRelabelings")?;
    let times = Times::new(interval, scrape_timeout, context.settings.scrape_interval)?;

    let rules = relabeling::converted(relabelings).within("relabelings")?;
    let metric_rules = relabeling::converted(metric_relabelings).within("metricRelabelings")?;
    http_client::set_bearer_token(&mut client, token, bearer_token_file)?;
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

fn discovery(monitor: &ServiceMonitor, class: &ScrapeClass) -> Result<KubernetesSd, Finding> {
    let ServiceMonitorSpec {
        selector,
        selector_mechanism,
        namespace_selector,
        attach_metadata,
        service_discovery_role,
        ..
    } = &monitor.spec;
    let selector = selector.selector().map_err(Finding::refused).within("spec.selector")?;
    let role = match service_discovery_role {
        Some(ServiceDiscoveryRole::Endpoints) => Role::Endpoints,
        Some(ServiceDiscoveryRole::EndpointSlice) | None => Role::EndpointSlice,
    };
    let attach_metadata = attach_metadata.as_ref().or(class.attach_metadata.as_ref());
    let mut discovery =
        job_settings::kubernetes(role, namespace_selector, &monitor.metadata.namespace, attach_metadata);
    if *selector_mechanism == SelectorMechanism::RoleSelector {
        let of = |role| Selector { role, label: selector.to_string(), field: String::new() };
        discovery.selectors = [role, Role::Service].map(of).to_vec();
    }
    Ok(discovery)
}

fn generated_rules(spec: &ServiceMonitorSpec, endpoint: &Endpoint, role: Role) -> Vec<RelabelConfig> {
    let mut rules = vec![relabeling::keep_job_name()];
    if spec.selector_mechanism == SelectorMechanism::RelabelConfig {
        rules.extend(relabeling::select("service", &spec.selector));
    }
    rules.extend(keep_port(endpoint, role));
    rules.extend(target_identity(role));
    if endpoint.filter_running.unwrap_or(true) {
        rules.push(relabeling::drop_finished_pods());
    }
    rules.extend(spec.target_labels.iter().map(|name| relabeling::take_label("service", name)));
    rules.extend(spec.pod_target_labels.iter().map(|name| relabeling::take_label("pod", name)));
    rules.extend(job(&spec.job_label));
    rules.extend(endpoint_label(endpoint));
    rules
}

/// Only the port that the endpoint names.
fn keep_port(endpoint: &Endpoint, role: Role) -> Option<RelabelConfig> {
    let keep = |label: &str, regex: String| Some(relabeling::keep(vec![label.to_owned()], regex));
    if !endpoint.port.is_empty() {
        let label = match role {
            Role::EndpointSlice => "__meta_kubernetes_endpointslice_port_name",
            _ => "__meta_kubernetes_endpoint_port_name",
        };
        return keep(label, endpoint.port.clone());
    }
    match endpoint.target_port.as_ref()? {
        Port::Name(name) if !name.is_empty() => keep("__meta_kubernetes_pod_container_port_name", name.clone()),
        Port::Number(number) if *number != 0 => keep("__meta_kubernetes_pod_container_port_number", number.to_string()),
        Port::Name(_) | Port::Number(_) => None,
    }
}

/// Node, pod, namespace, service and container of a target.
fn target_identity(role: Role) -> [RelabelConfig; 6] {
    let prefix = match role {
        Role::EndpointSlice => "__meta_kubernetes_endpointslice_address_target",
        _ => "__meta_kubernetes_endpoint_address_target",
    };
    let of_kind = |kind: &str, target: &str| RelabelConfig {
        source_labels: vec![format!("{prefix}_kind"), format!("{prefix}_name")],
        regex: Some(format!("{kind};(.*)")),
        replacement: "${1}".to_owned(),
        target_label: target.to_owned(),
        ..RelabelConfig::default()
    };
    [
        of_kind("Node", "node"),
        of_kind("Pod", "pod"),
        relabeling::copy("__meta_kubernetes_namespace", "namespace"),
        relabeling::copy("__meta_kubernetes_service_name", "service"),
        relabeling::copy("__meta_kubernetes_pod_name", "pod"),
        relabeling::copy("__meta_kubernetes_pod_container_name", "container"),
    ]
}

/// The job is the name of the service, or the value of a label of the service where it has one.
fn job(label: &str) -> impl Iterator<Item = RelabelConfig> {
    let name =
        RelabelConfig { replacement: "${1}".to_owned(), ..relabeling::copy("__meta_kubernetes_service_name", "job") };
    let label = (!label.is_empty()).then(|| relabeling::take_job("service", label));
    [name].into_iter().chain(label)
}

/// Tells the endpoints of one service apart.
fn endpoint_label(endpoint: &Endpoint) -> Option<RelabelConfig> {
    let port =
        if endpoint.port.is_empty() { endpoint.target_port.as_ref()?.text() } else { endpoint.port.as_str().into() };
    (!port.is_empty()).then(|| relabeling::set("endpoint", &port))
}
