//! The parts of a job that are specific to `ServiceMonitor`.
//!
//! Input: the monitor. Output: its service discovery, and the relabelling rules that the operator generates. Follows
//! `checkServiceMonitor` and `generateServiceMonitorConfig` of the Prometheus operator.

use std::borrow::Cow;

use super::endpoint::{EndpointSettings, Endpoints, Shared};
use super::finding::{Finding, Within};
use super::prometheus::PrometheusSettings;
use super::{job_settings, relabeling};
use crate::objects::monitoring::common::{Port, SelectorMechanism};
use crate::objects::monitoring::service_monitor::{Endpoint, ServiceDiscoveryRole, ServiceMonitor, ServiceMonitorSpec};
use crate::objects::monitoring::{KeySelector, ScrapeClass};
use crate::relabel::RelabelConfig;
use crate::scrape_config::discovery::{KubernetesSd, Role, Selector};

impl Endpoints for ServiceMonitor {
    type Endpoint = Endpoint;
    const JOB_PREFIX: &'static str = "serviceMonitor";
    const FIELD: &'static str = "endpoints";

    fn shared(&self) -> Shared<'_> {
        let ServiceMonitorSpec { scrape_class_name, body_size_limit, limits, native_histograms, protocols, .. } =
            &self.spec;
        Shared {
            scrape_class_name: scrape_class_name.as_deref(),
            body_size_limit: body_size_limit.as_deref(),
            limits,
            native_histograms,
            protocols,
        }
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.spec.endpoints
    }

    fn settings(endpoint: &Endpoint) -> EndpointSettings<'_> {
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
        let named = |selector: &&KeySelector| !selector.name.is_empty();
        EndpointSettings {
            path,
            scheme: *scheme,
            params,
            interval,
            scrape_timeout,
            honor_labels: *honor_labels,
            honor_timestamps: *honor_timestamps,
            track_timestamps_staleness: *track_timestamps_staleness,
            metric_relabelings,
            relabelings,
            bearer_token_secret: http.bearer_token_secret.as_ref().filter(named),
            bearer_token_file,
            tls_config: tls_config.as_ref().map(Cow::Borrowed),
            http,
            proxy,
        }
    }

    fn discovery(&self, class: &ScrapeClass, prometheus: &PrometheusSettings) -> Result<KubernetesSd, Finding> {
        let ServiceMonitorSpec {
            selector,
            selector_mechanism,
            namespace_selector,
            attach_metadata,
            service_discovery_role,
            ..
        } = &self.spec;
        let selector = selector.selector().map_err(Finding::refused).within("spec.selector")?;
        let role = match service_discovery_role.unwrap_or(prometheus.service_discovery_role) {
            ServiceDiscoveryRole::Endpoints => Role::Endpoints,
            ServiceDiscoveryRole::EndpointSlice => Role::EndpointSlice,
        };
        let attach_metadata = attach_metadata.as_ref().or(class.attach_metadata.as_ref());
        let namespaces = job_settings::namespaces(namespace_selector, &self.metadata.namespace, prometheus);
        let mut discovery = job_settings::kubernetes(role, namespaces, attach_metadata);
        if *selector_mechanism == SelectorMechanism::RoleSelector {
            let of = |role| Selector { role, label: selector.to_string(), field: String::new() };
            discovery.selectors = [role, Role::Service].map(of).to_vec();
        }
        Ok(discovery)
    }

    fn generated_rules(
        &self,
        endpoint: &Endpoint,
        discovery: &KubernetesSd,
        prometheus: &PrometheusSettings,
    ) -> Vec<RelabelConfig> {
        let (spec, role) = (&self.spec, discovery.role);
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
        rules.extend(
            spec.pod_target_labels
                .iter()
                .chain(&prometheus.pod_target_labels)
                .map(|name| relabeling::take_label("pod", name)),
        );
        rules.extend(job(&spec.job_label));
        rules.extend(endpoint_label(endpoint));
        rules
    }
}

/// The rule that keeps only targets with the port of the endpoint.
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

/// The rules that set the labels node, pod, namespace, service and container.
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

/// The rules that set `job` to the name of the service, or to the value of the given label of the service if it is set.
fn job(label: &str) -> impl Iterator<Item = RelabelConfig> {
    let name =
        RelabelConfig { replacement: "${1}".to_owned(), ..relabeling::copy("__meta_kubernetes_service_name", "job") };
    let label = (!label.is_empty()).then(|| relabeling::take_job("service", label));
    [name].into_iter().chain(label)
}

/// The rule that sets the label `endpoint` to the port.
fn endpoint_label(endpoint: &Endpoint) -> Option<RelabelConfig> {
    let port =
        if endpoint.port.is_empty() { endpoint.target_port.as_ref()?.text() } else { endpoint.port.as_str().into() };
    (!port.is_empty()).then(|| relabeling::set("endpoint", &port))
}
