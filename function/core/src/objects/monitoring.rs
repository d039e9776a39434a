//! The custom resources of the Prometheus operator: ServiceMonitor, PodMonitor, Probe and ScrapeConfig.
//!
//! Field names follow `monitoring.coreos.com/v1` and `v1alpha1`. Decoding sets the defaults that an API server sets,
//! such as `prober.path`, so a manifest and the API give equal objects. The module `monitors` validates the objects.

pub mod common;
pub mod http;
pub mod pod_monitor;
pub mod probe;
pub mod quantity;
pub mod relabeling;
pub mod scrape_class;
pub mod scrape_config;
pub mod service_monitor;

pub use common::{AttachMetadata, KeySelector, NamespaceSelector, Port, Reference, SecretOrConfigMap};
pub use pod_monitor::PodMonitor;
pub use probe::Probe;
pub use scrape_class::ScrapeClass;
pub use scrape_config::ScrapeConfig;
pub use service_monitor::ServiceMonitor;

use super::object;

object!(ServiceMonitor = "ServiceMonitor", PodMonitor = "PodMonitor", Probe = "Probe", ScrapeConfig = "ScrapeConfig");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_sets_the_defaults_of_the_api_server() {
        let probe: Probe = serde_norway::from_str("{spec: {prober: {url: a}, bearerTokenSecret: {key: k}}}").unwrap();
        assert_eq!(probe.spec.prober.path, "/probe");
        assert_eq!(probe.spec.http.bearer_token_secret.unwrap().name, "");
        let written: Probe = serde_norway::from_str("{spec: {prober: {url: a, path: ''}}}").unwrap();
        assert_eq!(written.spec.prober.path, "", "a default is not for what is written");
    }

    #[test]
    fn a_null_field_equals_an_absent_field() {
        let manifest = "{spec: {endpoints: [{port: null, relabelings: null, params: null, tlsConfig: {ca: null}, \
                        targetPort: null, proxyConnectHeader: null}], selector: null, namespaceSelector: null, \
                        targetLabels: null, sampleLimit: null, nativeHistogramMinBucketFactor: null}}";
        let monitor: ServiceMonitor = serde_norway::from_str(manifest).unwrap();
        let mut expected: ServiceMonitor = serde_norway::from_str("{spec: {endpoints: [{tlsConfig: {}}]}}").unwrap();
        assert_eq!(monitor, expected);
        expected.spec.limits.sample_limit = Some(0);
        assert_ne!(monitor, expected);
    }

    #[test]
    fn manifests_that_the_api_server_refuses_are_refused() {
        let cases = [
            "{spec: {endpoints: [{scheme: ftp}]}}",
            "{spec: {endpoints: [{targetPort: 1.5}]}}",
            "{spec: {endpoints: [{targetPort: 99999999999}]}}",
            "{spec: {endpoints: [], selectorMechanism: Magic}}",
            "{spec: {endpoints: [], serviceDiscoveryRole: Pod}}",
            "{spec: {endpoints: [], nativeHistogramMinBucketFactor: much}}",
            "{spec: {endpoints: [], sampleLimit: many}}",
            "{spec: {}}",
            "{}",
        ];
        for manifest in cases {
            assert!(serde_norway::from_str::<ServiceMonitor>(manifest).is_err(), "{manifest}");
        }
    }
}
