//! The parts of a job that are specific to `PodMonitor`.
//!
//! Input: the monitor. Output: its service discovery, and the relabelling rules that the operator generates. Follows
//! `checkPodMonitor` and `generatePodMonitorConfig` of the Prometheus operator.

use std::borrow::Cow;

use super::endpoint::{EndpointSettings, Endpoints, Shared};
use super::finding::{Finding, Within};
use super::prometheus::PrometheusSettings;
use super::{http_client, job_settings, relabeling};
use crate::objects::monitoring::common::{Port, SelectorMechanism};
use crate::objects::monitoring::pod_monitor::{PodMetricsEndpoint, PodMonitor, PodMonitorSpec};
use crate::objects::monitoring::{KeySelector, ScrapeClass};
use crate::relabel::RelabelConfig;
use crate::scrape_config::discovery::{KubernetesSd, Role, Selector};

impl Endpoints for PodMonitor {
    type Endpoint = PodMetricsEndpoint;
    const JOB_PREFIX: &'static str = "podMonitor";
    const FIELD: &'static str = "podMetricsEndpoints";

    fn shared(&self) -> Shared<'_> {
        let PodMonitorSpec { scrape_class_name, body_size_limit, limits, native_histograms, protocols, .. } =
            &self.spec;
        Shared {
            scrape_class_name: scrape_class_name.as_deref(),
            body_size_limit: body_size_limit.as_deref(),
            limits,
            native_histograms,
            protocols,
        }
    }

    fn endpoints(&self) -> &[PodMetricsEndpoint] {
        &self.spec.pod_metrics_endpoints
    }

    fn settings(endpoint: &PodMetricsEndpoint) -> EndpointSettings<'_> {
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
        // The operator ignores a reference without name or key here. It refuses a ServiceMonitor with such a reference.
        let named = |selector: &&KeySelector| !selector.name.is_empty() && !selector.key.is_empty();
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
            bearer_token_file: "",
            tls_config: http_client::without_files(tls_config.as_ref()).map(Cow::Owned),
            http,
            proxy,
        }
    }

    fn discovery(&self, class: &ScrapeClass, prometheus: &PrometheusSettings) -> Result<KubernetesSd, Finding> {
        let PodMonitorSpec { selector, selector_mechanism, namespace_selector, attach_metadata, .. } = &self.spec;
        let selector = selector.selector().map_err(Finding::refused).within("spec.selector")?;
        let attach_metadata = attach_metadata.as_ref().or(class.attach_metadata.as_ref());
        let namespaces = job_settings::namespaces(namespace_selector, &self.metadata.namespace, prometheus);
        let mut discovery = job_settings::kubernetes(Role::Pod, namespaces, attach_metadata);
        if *selector_mechanism == SelectorMechanism::RoleSelector {
            discovery.selectors = vec![Selector { role: Role::Pod, label: selector.to_string(), field: String::new() }];
        }
        Ok(discovery)
    }

    fn generated_rules(
        &self,
        endpoint: &PodMetricsEndpoint,
        _: &KubernetesSd,
        prometheus: &PrometheusSettings,
    ) -> Vec<RelabelConfig> {
        let Self { metadata, spec } = self;
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
        rules.extend(
            spec.pod_target_labels
                .iter()
                .chain(&prometheus.pod_target_labels)
                .map(|name| relabeling::take_label("pod", name)),
        );
        rules.push(relabeling::set("job", &format!("{}/{}", metadata.namespace, metadata.name)));
        if !spec.job_label.is_empty() {
            rules.push(relabeling::take_job("pod", &spec.job_label));
        }
        rules.extend(endpoint_label(endpoint));
        rules
    }
}

/// The rule that keeps only targets with the port of the endpoint.
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

/// The rule that sets the label `endpoint` to the port. As in the operator, `portNumber` does not set the label.
fn endpoint_label(endpoint: &PodMetricsEndpoint) -> Option<RelabelConfig> {
    let port: Cow<'_, str> =
        if endpoint.port.is_empty() { endpoint.target_port.as_ref()?.text() } else { endpoint.port.as_str().into() };
    (!port.is_empty()).then(|| relabeling::set("endpoint", &port))
}
