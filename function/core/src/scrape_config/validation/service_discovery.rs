//! What Prometheus refuses in the SD configs that are served here.
//!
//! Follows `UnmarshalYAML` of the `SDConfig`s in `discovery/` of Prometheus.

use super::http_client::HttpClientError;
use crate::scrape_config::http_client::HttpClientConfig;
use crate::scrape_config::service_discovery::{DnsSd, Ec2Sd, FileSd, HttpSd, KubernetesSd, Role, ServiceDiscovery};
use crate::scrape_config::url::{GoUrl, UrlError};
use crate::selector::{FieldSelector, FieldSelectorError, Selector, SelectorError};

/// Why Prometheus would not load an SD config.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message says it")]
pub enum ServiceDiscoveryError {
    #[error("{kind} has an invalid http client config")]
    HttpClient {
        kind: &'static str,
        #[source]
        source: HttpClientError,
    },
    #[error("{kind}.{field} is not a url")]
    Url {
        kind: &'static str,
        field: &'static str,
        #[source]
        source: UrlError,
    },
    #[error("http_sd_configs.url is not an http or https url with a host: {0:?}")]
    NotHttp(String),
    #[error("kubernetes_sd_configs.{0} is set, which cannot be combined with {1}")]
    Exclusive(&'static str, &'static str),
    #[error("kubernetes_sd_configs sets http client options, which needs api_server")]
    HttpClientWithoutServer,
    #[error(
        "kubernetes_sd_configs.selectors has a role that the config's role does not allow or that is there twice: {0:?}"
    )]
    SelectorRole(Role),
    #[error("kubernetes_sd_configs.selectors has an invalid label selector")]
    LabelSelector(#[source] SelectorError),
    #[error("kubernetes_sd_configs.selectors has an invalid field selector")]
    FieldSelector(#[source] FieldSelectorError),
    #[error("dns_sd_configs.names is empty")]
    NoNames,
    #[error("dns_sd_configs.type is unknown, use SRV, A, AAAA, MX or NS: {0:?}")]
    UnknownRecord(String),
    #[error("dns_sd_configs.port is not set, which every type except SRV needs")]
    NoPort,
    #[error("ec2_sd_configs.filters has a filter without values: {0:?}")]
    NoFilterValues(String),
    #[error("file_sd_configs.files is empty")]
    NoFiles,
    #[error(
        "file_sd_configs.files has a path that does not end in .json, .yml or .yaml, or holds more than one *: {0:?}"
    )]
    FilePath(String),
}

impl ServiceDiscovery {
    /// Normalises URLs and refuses what Prometheus refuses.
    ///
    /// # Errors
    /// The first rule that an SD config breaks.
    pub fn validate(&mut self) -> Result<(), ServiceDiscoveryError> {
        let Self { kubernetes, r#static: _, http, dns, ec2, file } = self;
        kubernetes.iter_mut().try_for_each(KubernetesSd::validate)?;
        http.iter_mut().try_for_each(HttpSd::validate)?;
        dns.iter().try_for_each(DnsSd::validate)?;
        ec2.iter_mut().try_for_each(Ec2Sd::validate)?;
        file.iter().try_for_each(FileSd::validate)
    }
}

fn validate_http_client(client: &mut HttpClientConfig, kind: &'static str) -> Result<(), ServiceDiscoveryError> {
    client.validate().map_err(|source| ServiceDiscoveryError::HttpClient { kind, source })
}

impl KubernetesSd {
    fn validate(&mut self) -> Result<(), ServiceDiscoveryError> {
        const KIND: &str = "kubernetes_sd_configs";
        validate_http_client(&mut self.http_client, KIND)?;
        let url: GoUrl = self.api_server.parse().map_err(|source| ServiceDiscoveryError::Url {
            kind: KIND,
            field: "api_server",
            source,
        })?;
        self.api_server = url.to_string();
        let (server, kubeconfig) = (!self.api_server.is_empty(), !self.kubeconfig_file.is_empty());
        let custom_client = self.http_client != HttpClientConfig::default();
        let own_namespace = self.namespaces.own_namespace;
        match (server, kubeconfig) {
            (true, true) => return Err(ServiceDiscoveryError::Exclusive("kubeconfig_file", "api_server")),
            (false, true) if custom_client => {
                return Err(ServiceDiscoveryError::Exclusive("kubeconfig_file", "http client options"));
            }
            (false, false) if custom_client => return Err(ServiceDiscoveryError::HttpClientWithoutServer),
            (true, false) if own_namespace => {
                return Err(ServiceDiscoveryError::Exclusive("namespaces.own_namespace", "api_server"));
            }
            (false, true) if own_namespace => {
                return Err(ServiceDiscoveryError::Exclusive("namespaces.own_namespace", "kubeconfig_file"));
            }
            _ => {}
        }
        self.validate_selectors()
    }

    fn validate_selectors(&self) -> Result<(), ServiceDiscoveryError> {
        for (at, selector) in self.selectors.iter().enumerate() {
            let role = selector.role;
            let twice = self.selectors[..at].iter().any(|earlier| earlier.role == role);
            if twice || !selectable(self.role).contains(&role) {
                return Err(ServiceDiscoveryError::SelectorRole(role));
            }
            selector.field.parse::<FieldSelector>().map_err(ServiceDiscoveryError::FieldSelector)?;
            selector.label.parse::<Selector>().map_err(ServiceDiscoveryError::LabelSelector)?;
        }
        Ok(())
    }
}

/// The roles that a config's role may select objects of.
const fn selectable(role: Role) -> &'static [Role] {
    match role {
        Role::Pod => &[Role::Pod, Role::Node],
        Role::Service => &[Role::Service],
        Role::EndpointSlice => &[Role::Pod, Role::Service, Role::EndpointSlice],
        Role::Endpoints => &[Role::Pod, Role::Service, Role::Endpoints],
        Role::Node => &[Role::Node],
        Role::Ingress => &[Role::Ingress],
    }
}

impl HttpSd {
    fn validate(&mut self) -> Result<(), ServiceDiscoveryError> {
        const KIND: &str = "http_sd_configs";
        let url: GoUrl =
            self.url.parse().map_err(|source| ServiceDiscoveryError::Url { kind: KIND, field: "url", source })?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(ServiceDiscoveryError::NotHttp(self.url.clone()));
        }
        validate_http_client(&mut self.http_client, KIND)
    }
}

impl DnsSd {
    fn validate(&self) -> Result<(), ServiceDiscoveryError> {
        if self.names.is_empty() {
            return Err(ServiceDiscoveryError::NoNames);
        }
        match self.r#type.to_uppercase().as_str() {
            "A" | "AAAA" | "MX" | "NS" if self.port == 0 => Err(ServiceDiscoveryError::NoPort),
            "SRV" | "A" | "AAAA" | "MX" | "NS" => Ok(()),
            _ => Err(ServiceDiscoveryError::UnknownRecord(self.r#type.clone())),
        }
    }
}

impl Ec2Sd {
    fn validate(&mut self) -> Result<(), ServiceDiscoveryError> {
        if let Some(filter) = self.filters.iter().find(|filter| filter.values.is_empty()) {
            return Err(ServiceDiscoveryError::NoFilterValues(filter.name.clone()));
        }
        validate_http_client(&mut self.http_client, "ec2_sd_configs")
    }
}

impl FileSd {
    fn validate(&self) -> Result<(), ServiceDiscoveryError> {
        if self.files.is_empty() {
            return Err(ServiceDiscoveryError::NoFiles);
        }
        self.files
            .iter()
            .find(|path| !is_file_path(path))
            .map_or(Ok(()), |path| Err(ServiceDiscoveryError::FilePath(path.clone())))
    }
}

/// A path with a known ending, and at most one `*`, in its last part.
fn is_file_path(path: &str) -> bool {
    let Some((stem, ending)) = path.rsplit_once('.') else { return false };
    let known = matches!(ending, "json" | "yml" | "yaml" | "JSON" | "YML" | "YAML");
    let wildcard = stem.split_once('*').is_none_or(|(_, after)| !after.contains('/'));
    known && wildcard
}
