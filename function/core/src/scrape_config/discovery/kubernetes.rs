//! `kubernetes_sd_configs`: objects of the cluster.

use serde::{Deserialize, Serialize};

use super::kind::{SdConfig, refused, validate_client};
use crate::scrape_config::fields::{Node, ParseError, Refusal};
use crate::scrape_config::http_client::HttpClientConfig;
use crate::scrape_config::is_default;
use crate::scrape_config::secret::SecretUrl;
use crate::scrape_config::url::{GoUrl, UrlError};
use crate::selector::{self, FieldSelector, FieldSelectorError, SelectorError};

/// Kubernetes objects that become targets. Follows `SDConfig` of Prometheus' `discovery/kubernetes/kubernetes.go`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct KubernetesSd {
    #[serde(skip_serializing_if = "is_default")]
    pub api_server: SecretUrl,
    /// Always empty here. Prometheus prints the field.
    pub kubeconfig_file: String,
    pub role: Role,
    #[serde(flatten)]
    pub http_client: HttpClientConfig,
    #[serde(skip_serializing_if = "is_default")]
    pub namespaces: Namespaces,
    #[serde(skip_serializing_if = "is_default")]
    pub selectors: Vec<Selector>,
    #[serde(skip_serializing_if = "is_default")]
    pub attach_metadata: AttachMetadata,
}

impl KubernetesSd {
    /// Discovers all objects of `role` in all namespaces.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self {
            api_server: SecretUrl::default(),
            kubeconfig_file: String::new(),
            role,
            http_client: HttpClientConfig::default(),
            namespaces: Namespaces::default(),
            selectors: Vec::new(),
            attach_metadata: AttachMetadata::default(),
        }
    }
}

impl SdConfig for KubernetesSd {
    fn read(node: &Node<'_>) -> Result<Self, ParseError> {
        let mut fields = node.fields()?;
        let role = fields.given("role").ok_or_else(|| node.refused(KubernetesError::NoRole))?;
        let mut config = KubernetesSd::new(self::role(&role)?);
        let KubernetesSd {
            api_server,
            kubeconfig_file,
            role: _,
            http_client: client,
            namespaces,
            selectors,
            attach_metadata,
        } = &mut config;
        fields.read("api_server", api_server, |node| node.string().map(SecretUrl::from))?;
        fields.string("kubeconfig_file", kubeconfig_file)?;
        fields.read("namespaces", namespaces, self::namespaces)?;
        fields.read("selectors", selectors, |node| node.list()?.iter().map(selector).collect())?;
        fields.read("attach_metadata", attach_metadata, self::attach_metadata)?;
        client.read(&mut fields)?;
        fields.finish()?;
        Ok(config)
    }

    fn validate(&mut self) -> Result<(), Refusal> {
        validate_client(&mut self.http_client, "kubernetes_sd_configs")?;
        let url: GoUrl =
            self.api_server.expose().parse().map_err(|error| Refusal::new(KubernetesError::ApiServer(error)))?;
        self.api_server = url.to_string().into();
        let (server, kubeconfig) = (!self.api_server.is_empty(), !self.kubeconfig_file.is_empty());
        let custom_client = self.http_client != HttpClientConfig::default();
        let own_namespace = self.namespaces.own_namespace;
        match (server, kubeconfig) {
            (true, true) => return refused(KubernetesError::Exclusive("kubeconfig_file", "api_server")),
            (false, true) if custom_client => {
                return refused(KubernetesError::Exclusive("kubeconfig_file", "http client options"));
            }
            (false, false) if custom_client => return refused(KubernetesError::HttpClientWithoutServer),
            (true, false) if own_namespace => {
                return refused(KubernetesError::Exclusive("namespaces.own_namespace", "api_server"));
            }
            (false, true) if own_namespace => {
                return refused(KubernetesError::Exclusive("namespaces.own_namespace", "kubeconfig_file"));
            }
            _ => {}
        }
        self.validate_selectors()
    }
}

impl KubernetesSd {
    fn validate_selectors(&self) -> Result<(), Refusal> {
        for (at, selector) in self.selectors.iter().enumerate() {
            let role = selector.role;
            let twice = self.selectors[..at].iter().any(|earlier| earlier.role == role);
            if twice || !selectable(self.role).contains(&role) {
                return refused(KubernetesError::SelectorRole(role));
            }
            selector
                .field
                .parse::<FieldSelector>()
                .map_err(|error| Refusal::new(KubernetesError::FieldSelector(error)))?;
            selector
                .label
                .parse::<selector::Selector>()
                .map_err(|error| Refusal::new(KubernetesError::LabelSelector(error)))?;
        }
        Ok(())
    }
}

/// The kind of the discovered objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub enum Role {
    Node,
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    Ingress,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Node, Self::Pod, Self::Service, Self::Endpoints, Self::EndpointSlice, Self::Ingress];

    /// The name of the role in a scrape config.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Pod => "pod",
            Self::Service => "service",
            Self::Endpoints => "endpoints",
            Self::EndpointSlice => "endpointslice",
            Self::Ingress => "ingress",
        }
    }
}

/// The namespaces of the discovered objects. If empty, all namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct Namespaces {
    pub own_namespace: bool,
    pub names: Vec<String>,
}

/// Label and field selectors for the objects of a role, in text form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct Selector {
    pub role: Role,
    #[serde(default, skip_serializing_if = "is_default")]
    pub label: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub field: String,
}

/// Further objects whose labels are added to a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct AttachMetadata {
    pub node: bool,
    pub namespace: bool,
    pub deployment: bool,
    pub job: bool,
    pub cronjob: bool,
}

fn role(node: &Node<'_>) -> Result<Role, ParseError> {
    let name = node.string()?;
    if name.is_empty() {
        return Err(node.refused(KubernetesError::NoRole));
    }
    let role = Role::ALL.into_iter().find(|role| role.name() == name);
    role.ok_or_else(|| node.refused(KubernetesError::UnknownRole(name)))
}

fn namespaces(node: &Node<'_>) -> Result<Namespaces, ParseError> {
    let mut fields = node.fields()?;
    let mut namespaces = Namespaces::default();
    let Namespaces { own_namespace, names } = &mut namespaces;
    fields.read("own_namespace", own_namespace, Node::boolean)?;
    fields.read("names", names, Node::strings)?;
    fields.finish()?;
    Ok(namespaces)
}

/// DIFFERENCE(selector-field): an unknown field is an error. If `labels` in place of `label` were ignored, the selector
/// would select every object.
fn selector(node: &Node<'_>) -> Result<Selector, ParseError> {
    let node = &node.strict();
    let mut fields = node.fields()?;
    let role = fields.given("role").ok_or_else(|| node.refused(KubernetesError::NoRole))?;
    let mut selector = Selector { role: self::role(&role)?, label: String::new(), field: String::new() };
    fields.string("label", &mut selector.label)?;
    fields.string("field", &mut selector.field)?;
    fields.finish()?;
    Ok(selector)
}

fn attach_metadata(node: &Node<'_>) -> Result<AttachMetadata, ParseError> {
    let mut fields = node.fields()?;
    let mut attach = AttachMetadata::default();
    let AttachMetadata { node, namespace, deployment, job, cronjob } = &mut attach;
    fields.read("node", node, Node::boolean)?;
    fields.read("namespace", namespace, Node::boolean)?;
    fields.read("deployment", deployment, Node::boolean)?;
    fields.read("job", job, Node::boolean)?;
    fields.read("cronjob", cronjob, Node::boolean)?;
    fields.finish()?;
    Ok(attach)
}

/// The roles that a config with this role may have selectors for.
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

#[derive(Debug, thiserror::Error)]
enum KubernetesError {
    #[error("role is missing, use pod, service, endpoints, endpointslice, node or ingress")]
    NoRole,
    #[error("unknown role, use pod, service, endpoints, endpointslice, node or ingress: {0:?}")]
    UnknownRole(String),
    #[error("kubernetes_sd_configs.api_server is not a url")]
    ApiServer(#[source] UrlError),
    #[error("kubernetes_sd_configs.{0} is set, which cannot be combined with {1}")]
    Exclusive(&'static str, &'static str),
    #[error("kubernetes_sd_configs sets http client options without api_server, set it")]
    HttpClientWithoutServer,
    #[error(
        "kubernetes_sd_configs.selectors has a role that the config's role does not allow or that is there twice: {0:?}"
    )]
    SelectorRole(Role),
    #[error("kubernetes_sd_configs.selectors has an invalid label selector")]
    LabelSelector(#[source] SelectorError),
    #[error("kubernetes_sd_configs.selectors has an invalid field selector")]
    FieldSelector(#[source] FieldSelectorError),
}
