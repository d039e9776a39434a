//! `consul_sd_configs`: the services of a Consul catalog.

use std::collections::BTreeMap;

use serde::Serialize;

use super::kind::{SdConfig, refused, validate_client};
use crate::duration::Duration;
use crate::scrape_config::fields::{Node, ParseError, Refusal};
use crate::scrape_config::http_client::{BasicAuth, HttpClientConfig};
use crate::scrape_config::is_default;
use crate::scrape_config::secret::Secret;

/// The services of a Consul catalog. Follows `discovery/consul/consul.go`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct ConsulSd {
    #[serde(skip_serializing_if = "is_default")]
    pub server: String,
    #[serde(skip_serializing_if = "is_default")]
    pub path_prefix: String,
    #[serde(skip_serializing_if = "is_default")]
    pub token: Secret,
    #[serde(skip_serializing_if = "is_default")]
    pub datacenter: String,
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    #[serde(skip_serializing_if = "is_default")]
    pub partition: String,
    #[serde(skip_serializing_if = "is_default")]
    pub tag_separator: String,
    #[serde(skip_serializing_if = "is_default")]
    pub scheme: String,
    #[serde(skip_serializing_if = "is_default")]
    pub username: String,
    #[serde(skip_serializing_if = "is_default")]
    pub password: Secret,
    pub allow_stale: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub refresh_interval: Duration,
    #[serde(skip_serializing_if = "is_default")]
    pub services: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub node_meta: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_default")]
    pub filter: String,
    #[serde(skip_serializing_if = "is_default")]
    pub health_filter: String,
    #[serde(flatten)]
    pub http_client: HttpClientConfig,
}

impl Default for ConsulSd {
    fn default() -> Self {
        Self {
            server: "localhost:8500".to_owned(),
            path_prefix: String::new(),
            token: Secret::default(),
            datacenter: String::new(),
            namespace: String::new(),
            partition: String::new(),
            tag_separator: ",".to_owned(),
            scheme: "http".to_owned(),
            username: String::new(),
            password: Secret::default(),
            allow_stale: true,
            refresh_interval: Duration::from_secs(30),
            services: Vec::new(),
            tags: Vec::new(),
            node_meta: BTreeMap::new(),
            filter: String::new(),
            health_filter: String::new(),
            http_client: HttpClientConfig::default(),
        }
    }
}

impl SdConfig for ConsulSd {
    fn read(node: &Node<'_>) -> Result<Self, ParseError> {
        let mut fields = node.fields()?;
        let mut config = ConsulSd::default();
        fields.string("server", &mut config.server)?;
        fields.string("path_prefix", &mut config.path_prefix)?;
        fields.secret("token", &mut config.token)?;
        fields.string("datacenter", &mut config.datacenter)?;
        fields.string("namespace", &mut config.namespace)?;
        fields.string("partition", &mut config.partition)?;
        fields.string("tag_separator", &mut config.tag_separator)?;
        fields.string("scheme", &mut config.scheme)?;
        fields.string("username", &mut config.username)?;
        fields.secret("password", &mut config.password)?;
        fields.read("allow_stale", &mut config.allow_stale, Node::boolean)?;
        fields.read("refresh_interval", &mut config.refresh_interval, Node::duration)?;
        fields.read("services", &mut config.services, Node::strings)?;
        fields.read("tags", &mut config.tags, Node::strings)?;
        fields.read("node_meta", &mut config.node_meta, Node::string_map)?;
        fields.string("filter", &mut config.filter)?;
        fields.string("health_filter", &mut config.health_filter)?;
        config.http_client.read(&mut fields)?;
        fields.finish()?;
        Ok(config)
    }

    fn validate(&mut self) -> Result<(), Refusal> {
        if self.server.trim().is_empty() {
            return refused(ConsulError::NoServer);
        }
        let (username, password) = (std::mem::take(&mut self.username), std::mem::take(&mut self.password));
        if !username.is_empty() || !password.expose().is_empty() {
            if self.http_client.basic_auth.is_some() {
                return refused(ConsulError::TwoPasswords);
            }
            // DIFFERENCE(consul-password): Prometheus keeps both forms, and would refuse the config when it reads the config again.
            self.http_client.basic_auth = Some(BasicAuth { username, password, ..BasicAuth::default() });
        }
        let HttpClientConfig { authorization, oauth2, .. } = &self.http_client;
        if !self.token.expose().is_empty() && (authorization.is_some() || oauth2.is_some()) {
            return refused(ConsulError::TwoTokens);
        }
        validate_client(&mut self.http_client, "consul_sd_configs")
    }
}

#[derive(Debug, thiserror::Error)]
enum ConsulError {
    #[error("consul_sd_configs.server is empty, set the host and port of a Consul agent")]
    NoServer,
    #[error("consul_sd_configs has both username or password and basic_auth, use one of the two")]
    TwoPasswords,
    #[error("consul_sd_configs has token beside authorization or oauth2, use one of them")]
    TwoTokens,
}
