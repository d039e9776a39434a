//! `ScrapeConfig`: a scrape config of Prometheus as a custom resource, with any service discovery.
//!
//! The kinds of service discovery that the function supports are decoded completely. For the other kinds, only the
//! fields that the operator validates are decoded. The function can then report whether the operator would accept the
//! object.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::common::{AttachMetadata, KeySelector, Limits, NativeHistograms, Protocols, Reference, Scheme};
use super::http::{BasicAuth, OAuth2, ProxyConfig, SafeAuthorization, SafeTlsConfig};
use super::relabeling::Relabeling;
use crate::objects::{Metadata, null_to_default};

/// A `ScrapeConfig`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct ScrapeConfig {
    #[serde(default)]
    pub metadata: Metadata,
    pub spec: ScrapeConfigSpec,
}

/// The field `spec` of a `ScrapeConfig`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct ScrapeConfigSpec {
    pub job_name: Option<String>,
    #[serde(deserialize_with = "null_to_default")]
    pub static_configs: Vec<StaticConfig>,
    #[serde(rename = "fileSDConfigs", deserialize_with = "null_to_default")]
    pub file_sd_configs: Vec<FileSdConfig>,
    #[serde(rename = "httpSDConfigs", deserialize_with = "null_to_default")]
    pub http_sd_configs: Vec<HttpSdConfig>,
    #[serde(rename = "kubernetesSDConfigs", deserialize_with = "null_to_default")]
    pub kubernetes_sd_configs: Vec<KubernetesSdConfig>,
    #[serde(rename = "dnsSDConfigs", deserialize_with = "null_to_default")]
    pub dns_sd_configs: Vec<DnsSdConfig>,
    #[serde(rename = "ec2SDConfigs", deserialize_with = "null_to_default")]
    pub ec2_sd_configs: Vec<Ec2SdConfig>,
    #[serde(rename = "consulSDConfigs", deserialize_with = "null_to_default")]
    pub consul_sd_configs: Vec<ConsulSdConfig>,
    #[serde(flatten)]
    pub other_sd_configs: OtherSdConfigs,
    #[serde(deserialize_with = "null_to_default")]
    pub relabelings: Vec<Relabeling>,
    pub metrics_path: Option<String>,
    pub scrape_interval: Option<String>,
    pub scrape_timeout: Option<String>,
    #[serde(flatten)]
    pub protocols: Protocols,
    pub honor_timestamps: Option<bool>,
    pub track_timestamps_staleness: Option<bool>,
    pub honor_labels: Option<bool>,
    #[serde(deserialize_with = "null_to_default")]
    pub params: BTreeMap<String, Vec<String>>,
    pub scheme: Option<Scheme>,
    pub enable_compression: Option<bool>,
    #[serde(rename = "enableHTTP2")]
    pub enable_http2: Option<bool>,
    pub basic_auth: Option<BasicAuth>,
    pub authorization: Option<SafeAuthorization>,
    pub oauth2: Option<OAuth2>,
    pub tls_config: Option<SafeTlsConfig>,
    #[serde(flatten)]
    pub limits: Limits,
    pub body_size_limit: Option<String>,
    #[serde(flatten)]
    pub native_histograms: NativeHistograms,
    #[serde(deserialize_with = "null_to_default")]
    pub metric_relabelings: Vec<Relabeling>,
    #[serde(flatten)]
    pub proxy: ProxyConfig,
    pub name_validation_scheme: Option<NameValidationScheme>,
    pub name_escaping_scheme: Option<NameEscapingScheme>,
    #[serde(rename = "scrapeClass")]
    pub scrape_class_name: Option<String>,
}

impl ScrapeConfigSpec {
    /// All references to secrets and config maps, including those of the service discovery.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        let kubernetes = self.kubernetes_sd_configs.iter().map(|config| &config.client);
        let clients = kubernetes.chain(self.http_sd_configs.iter().map(|config| &config.client));
        let ec2 = self.ec2_sd_configs.iter().flat_map(Ec2SdConfig::references);
        let consul = self.consul_sd_configs.iter().flat_map(ConsulSdConfig::references);
        let others = self.other_sd_configs.each().flat_map(|(_, config)| config.references());
        let own = [credential_references(&self.basic_auth, &self.authorization, &self.oauth2)].into_iter().flatten();
        let tls = self.tls_config.iter().flat_map(SafeTlsConfig::references);
        own.chain(tls)
            .chain(self.proxy.references())
            .chain(clients.flat_map(SdClient::references))
            .chain(ec2)
            .chain(consul)
            .chain(others)
    }
}

fn credential_references<'a>(
    basic_auth: &'a Option<BasicAuth>,
    authorization: &'a Option<SafeAuthorization>,
    oauth2: &'a Option<OAuth2>,
) -> impl Iterator<Item = Reference<'a>> {
    let basic_auth = basic_auth.iter().flat_map(|basic_auth| [&basic_auth.username, &basic_auth.password]);
    let authorization = authorization.iter().filter_map(|authorization| authorization.credentials.as_ref());
    basic_auth.chain(authorization).map(Reference::Secret).chain(oauth2.iter().flat_map(OAuth2::references))
}

/// The rules for valid metric names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub enum NameValidationScheme {
    #[serde(rename = "UTF8")]
    Utf8,
    Legacy,
}

/// How invalid characters in metric names are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub enum NameEscapingScheme {
    #[serde(rename = "AllowUTF8")]
    AllowUtf8,
    Underscores,
    Dots,
    Values,
}

/// Static targets with labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct StaticConfig {
    #[serde(deserialize_with = "null_to_default")]
    pub targets: Vec<String>,
    #[serde(default, deserialize_with = "null_to_default")]
    pub labels: BTreeMap<String, String>,
}

/// Files with lists of targets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct FileSdConfig {
    #[serde(deserialize_with = "null_to_default")]
    pub files: Vec<String>,
    pub refresh_interval: Option<String>,
}

/// The HTTP client settings of a service discovery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct SdClient {
    pub basic_auth: Option<BasicAuth>,
    pub authorization: Option<SafeAuthorization>,
    pub oauth2: Option<OAuth2>,
    pub tls_config: Option<SafeTlsConfig>,
    #[serde(flatten)]
    pub proxy: ProxyConfig,
    pub follow_redirects: Option<bool>,
    #[serde(rename = "enableHTTP2")]
    pub enable_http2: Option<bool>,
}

impl SdClient {
    /// All references to secrets and config maps.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        let Self { basic_auth, authorization, oauth2, tls_config, proxy, follow_redirects: _, enable_http2: _ } = self;
        let tls = tls_config.iter().flat_map(SafeTlsConfig::references);
        credential_references(basic_auth, authorization, oauth2).chain(tls).chain(proxy.references())
    }
}

/// A URL that returns a list of targets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct HttpSdConfig {
    pub url: String,
    pub refresh_interval: Option<String>,
    #[serde(flatten)]
    pub client: SdClient,
}

/// Discovery of objects in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct KubernetesSdConfig {
    pub api_server: Option<String>,
    pub role: KubernetesRole,
    pub namespaces: Option<NamespaceDiscovery>,
    pub attach_metadata: Option<AttachMetadata>,
    #[serde(default, deserialize_with = "null_to_default")]
    pub selectors: Vec<KubernetesSelector>,
    #[serde(flatten)]
    pub client: SdClient,
}

/// The kind of object to discover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub enum KubernetesRole {
    Pod,
    Endpoints,
    Ingress,
    Service,
    Node,
    EndpointSlice,
}

/// The namespaces in which objects are discovered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct NamespaceDiscovery {
    pub own_namespace: Option<bool>,
    #[serde(deserialize_with = "null_to_default")]
    pub names: Vec<String>,
}

/// The label and field selector of a role, as texts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct KubernetesSelector {
    pub role: KubernetesRole,
    pub label: Option<String>,
    pub field: Option<String>,
}

/// DNS names whose records are targets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct DnsSdConfig {
    #[serde(deserialize_with = "null_to_default")]
    pub names: Vec<String>,
    pub refresh_interval: Option<String>,
    pub r#type: Option<String>,
    pub port: Option<i32>,
}

/// Discovery of EC2 instances in an AWS account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct Ec2SdConfig {
    pub region: Option<String>,
    pub access_key: Option<KeySelector>,
    pub secret_key: Option<KeySelector>,
    #[serde(rename = "roleARN")]
    pub role_arn: Option<String>,
    pub port: Option<i32>,
    pub refresh_interval: Option<String>,
    #[serde(deserialize_with = "null_to_default")]
    pub filters: Vec<Filter>,
    #[serde(flatten)]
    pub client: SdClient,
}

impl Ec2SdConfig {
    fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        self.access_key.iter().chain(&self.secret_key).map(Reference::Secret).chain(self.client.references())
    }
}

/// The services of a Consul catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct ConsulSdConfig {
    #[serde(deserialize_with = "null_to_default")]
    pub server: String,
    pub path_prefix: Option<String>,
    pub token_ref: Option<KeySelector>,
    pub datacenter: Option<String>,
    pub namespace: Option<String>,
    pub partition: Option<String>,
    pub scheme: Option<Scheme>,
    #[serde(deserialize_with = "null_to_default")]
    pub services: Vec<String>,
    #[serde(deserialize_with = "null_to_default")]
    pub tags: Vec<String>,
    pub tag_separator: Option<String>,
    #[serde(deserialize_with = "null_to_default")]
    pub node_meta: BTreeMap<String, String>,
    pub filter: Option<String>,
    pub health_filter: Option<String>,
    pub allow_stale: Option<bool>,
    pub refresh_interval: Option<String>,
    #[serde(flatten)]
    pub client: SdClient,
}

impl ConsulSdConfig {
    fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        self.token_ref.iter().map(Reference::Secret).chain(self.client.references())
    }
}

/// A filter for AWS resources. A resource must have one of the values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct Filter {
    pub name: String,
    #[serde(deserialize_with = "null_to_default")]
    pub values: Vec<String>,
}

/// A kind of service discovery that the function does not support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "one variant per kind")]
pub enum OtherSdKind {
    Azure,
    Gce,
    OpenStack,
    DigitalOcean,
    Kuma,
    Eureka,
    Docker,
    Linode,
    Hetzner,
    Nomad,
    DockerSwarm,
    PuppetDb,
    LightSail,
    OvhCloud,
    Scaleway,
    Ionos,
}

/// Declares a list for each unsupported kind, with the name of its field in the CRD.
macro_rules! other_sd_configs {
    ($($field:ident: $name:literal = $kind:ident),+ $(,)?) => {
        /// The unsupported service discovery of a scrape config, one list per kind.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
        #[serde(default)]
        pub struct OtherSdConfigs {
            $(#[serde(rename = $name, deserialize_with = "null_to_default")]
            $field: Vec<OtherSdConfig>,)+
        }

        impl OtherSdConfigs {
            /// All configs, in the order in which the operator validates them.
            pub fn each(&self) -> impl Iterator<Item = (OtherSdKind, &OtherSdConfig)> {
                let Self { $($field),+ } = self;
                std::iter::empty()$(.chain($field.iter().map(|config| (OtherSdKind::$kind, config))))+
            }
        }

        impl OtherSdKind {
            /// The field of the CRD with the configs of this kind.
            #[must_use]
            pub const fn field(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

other_sd_configs! {
    azure: "azureSDConfigs" = Azure,
    gce: "gceSDConfigs" = Gce,
    openstack: "openstackSDConfigs" = OpenStack,
    digitalocean: "digitalOceanSDConfigs" = DigitalOcean,
    kuma: "kumaSDConfigs" = Kuma,
    eureka: "eurekaSDConfigs" = Eureka,
    docker: "dockerSDConfigs" = Docker,
    linode: "linodeSDConfigs" = Linode,
    hetzner: "hetznerSDConfigs" = Hetzner,
    nomad: "nomadSDConfigs" = Nomad,
    dockerswarm: "dockerSwarmSDConfigs" = DockerSwarm,
    puppetdb: "puppetDBSDConfigs" = PuppetDb,
    lightsail: "lightSailSDConfigs" = LightSail,
    ovhcloud: "ovhcloudSDConfigs" = OvhCloud,
    scaleway: "scalewaySDConfigs" = Scaleway,
    ionos: "ionosSDConfigs" = Ionos,
}

/// The fields that the operator validates in a config of an unsupported kind. Each kind has some of these fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct OtherSdConfig {
    #[serde(flatten)]
    pub client: SdClient,
    pub client_secret: Option<KeySelector>,
    pub password: Option<KeySelector>,
    pub application_credential_secret: Option<KeySelector>,
    pub access_key: Option<TextOrKey>,
    pub secret_key: Option<KeySelector>,
    pub application_secret: Option<KeySelector>,
    pub consumer_key: Option<KeySelector>,
    #[serde(deserialize_with = "null_to_default")]
    pub server: String,
    #[serde(deserialize_with = "null_to_default")]
    pub host: String,
    #[serde(deserialize_with = "null_to_default")]
    pub url: String,
    #[serde(deserialize_with = "null_to_default")]
    pub authentication_method: String,
    #[serde(rename = "tenantID", deserialize_with = "null_to_default")]
    pub tenant_id: String,
    #[serde(rename = "clientID", deserialize_with = "null_to_default")]
    pub client_id: String,
}

/// An access key. Some kinds have a reference, others a plain text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "one variant a form")]
pub enum TextOrKey {
    Text(String),
    Key(KeySelector),
}

impl OtherSdConfig {
    /// The references to secrets that are specific to the kind, without those of the HTTP client.
    pub fn own_secrets(&self) -> impl Iterator<Item = &KeySelector> {
        let access_key = self.access_key.iter().filter_map(|key| match key {
            TextOrKey::Key(key) => Some(key),
            TextOrKey::Text(_) => None,
        });
        self.client_secret
            .iter()
            .chain(&self.password)
            .chain(&self.application_credential_secret)
            .chain(access_key)
            .chain(&self.secret_key)
            .chain(&self.application_secret)
            .chain(&self.consumer_key)
    }

    fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        self.own_secrets().map(Reference::Secret).chain(self.client.references())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(spec: &str) -> Result<ScrapeConfig, serde_norway::Error> {
        serde_norway::from_str(&format!("{{metadata: {{name: a}}, spec: {spec}}}"))
    }

    #[test]
    fn references_includes_each_reference() {
        let key = |name: &str| format!("{{name: {name}, key: k}}");
        let basic_auth = |name: &str| format!("basicAuth: {{username: {}}}", key(name));
        let spec = format!(
            "{{{}, tlsConfig: {{keySecret: {}}}, proxyConnectHeader: {{X: [{}]}}, httpSDConfigs: [{{url: u, {}}}],
              kubernetesSDConfigs: [{{role: Pod, {}}}], ec2SDConfigs: [{{accessKey: {}, secretKey: {}}}],
              consulSDConfigs: [{{tokenRef: {}}}], lightSailSDConfigs: [{{accessKey: {}}}],
              scalewaySDConfigs: [{{accessKey: text, secretKey: {}}}], oauth2: {{clientSecret: {}}},
              authorization: {{credentials: {}}}}}",
            basic_auth("a"),
            key("b"),
            key("c"),
            basic_auth("d"),
            basic_auth("e"),
            key("f"),
            key("g"),
            key("h"),
            key("i"),
            key("j"),
            key("k"),
            key("l"),
        );
        let config = read(&spec).unwrap();
        let mut names: Vec<&str> = config
            .spec
            .references()
            .map(|reference| match reference {
                Reference::Secret(key) | Reference::ConfigMap(key) => key.name.as_str(),
            })
            .filter(|name| !name.is_empty())
            .collect();
        names.sort_unstable();
        assert_eq!(names.concat(), "abcdefghijkl");
    }

    #[test]
    fn manifests_that_the_api_server_refuses_are_refused() {
        let cases = [
            "{staticConfigs: [{labels: {a: b}}]}",
            "{fileSDConfigs: [{}]}",
            "{httpSDConfigs: [{}]}",
            "{dnsSDConfigs: [{type: A}]}",
            "{kubernetesSDConfigs: [{}]}",
            "{kubernetesSDConfigs: [{role: pod}]}",
            "{nameValidationScheme: utf8}",
            "{nameEscapingScheme: Other}",
            "{ec2SDConfigs: [{filters: [{name: a}]}]}",
        ];
        for spec in cases {
            assert!(read(spec).is_err(), "{spec}");
        }
        assert!(serde_norway::from_str::<ScrapeConfig>("{}").is_err(), "without a spec");
    }

    #[test]
    fn a_null_field_equals_an_absent_field() {
        let spec = "{staticConfigs: null, consulSDConfigs: null, gceSDConfigs: null, params: null, tlsConfig: null}";
        assert_eq!(read(spec).unwrap(), read("{}").unwrap());
    }

    #[test]
    fn unsupported_kinds_are_listed_in_order() {
        let spec =
            "{gceSDConfigs: [{project: a, zone: b}], azureSDConfigs: [{subscriptionID: a}, {subscriptionID: b}]}";
        let config = read(spec).unwrap();
        let kinds: Vec<&str> = config.spec.other_sd_configs.each().map(|(kind, _)| kind.field()).collect();
        assert_eq!(kinds, ["azureSDConfigs", "azureSDConfigs", "gceSDConfigs"]);
    }
}
