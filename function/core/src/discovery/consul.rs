//! `consul_sd_configs`: the services of a Consul catalog.
//!
//! Input: an SD config, and responses of Consul's HTTP API. Output: the requests, and one target group for each
//! service. Follows `discovery/consul/consul.go` of Prometheus and the API client that it uses. Each refresh sends each
//! request once: there are no blocking queries, because a function runs only while it answers.

mod answer;

use std::collections::{BTreeMap, BTreeSet};

pub use answer::{ConsulError, datacenter, instances, services};

use super::http::shown;
use super::source_config::{SourceConfig, TenantRule};
use super::source_group::{SourceGroup, host_port};
use crate::duration::Duration;
use crate::labels::{ADDRESS, sanitized};
use crate::scrape_config::discovery::ConsulSd;
use crate::scrape_config::http_client::HttpClientConfig;
use answer::Instance;

/// Maximum length of the `tag_separator` of a tenant, in bytes. Each tag of each target repeats the separator in
/// memory.
const MOST_SEPARATOR: usize = 8;

const LONG_SEPARATOR: &str = "tag_separator has more than 8 bytes, which an object may not have, use a shorter one";

impl SourceConfig for ConsulSd {
    const FIELD: &'static str = "consul_sd_configs";
    type Request = Box<Self>;

    fn requests(&self) -> Vec<Box<Self>> {
        vec![Box::new(self.clone())]
    }

    fn describe(request: &Box<Self>) -> String {
        let server = shown(&request.server);
        server.rsplit('@').next().unwrap_or_default().to_owned()
    }

    fn refresh_interval(&self) -> Duration {
        self.refresh_interval
    }

    fn client(&self) -> Option<&HttpClientConfig> {
        Some(&self.http_client)
    }

    /// `http_sd_allow` limits the addresses that the requests may reach.
    fn tenant_rule(&self) -> TenantRule {
        if self.tag_separator.len() > MOST_SEPARATOR { TenantRule::LeftOut(LONG_SEPARATOR) } else { TenantRule::Served }
    }
}

/// The address of Consul's HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Scheme, host and port.
    pub origin: String,
    /// The prefix of all paths, not escaped.
    pub prefix: String,
}

/// Prometheus or the function cannot use this server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("server must be HOST:PORT or an http or https url")]
pub struct ServerError;

/// The API of a config. A URL in `server` replaces `scheme` only by `https`, and its path replaces `path_prefix`.
///
/// # Errors
/// If `server` does not name an HTTP server.
pub fn api(config: &ConsulSd) -> Result<Api, ServerError> {
    let mut scheme = if config.scheme.is_empty() { "http" } else { config.scheme.as_str() };
    let mut prefix = config.path_prefix.clone();
    let mut address = config.server.as_str();
    if let Some((url_scheme, rest)) = address.split_once("://") {
        match url_scheme {
            "http" => {}
            "https" => scheme = "https",
            _ => return Err(ServerError),
        }
        address = rest;
        if let Some((host, path)) = rest.split_once('/') {
            (address, prefix) = (host, format!("/{path}"));
        }
    }
    if address.is_empty() || address.contains(['/', '?', '#', '@']) {
        return Err(ServerError);
    }
    Ok(Api { origin: format!("{scheme}://{address}"), prefix })
}

/// A request to Consul.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The path after the prefix, not escaped.
    pub path: String,
    /// The names and values of the parameters.
    pub parameters: Vec<(&'static str, String)>,
}

/// Requests the datacenter of the agent.
#[must_use]
pub fn agent_query(config: &ConsulSd) -> Query {
    let own = [("dc", &config.datacenter), ("ns", &config.namespace), ("partition", &config.partition)];
    let set = own.into_iter().filter(|(_, value)| !value.is_empty());
    Query { path: "/v1/agent/self".to_owned(), parameters: set.map(|(name, value)| (name, value.clone())).collect() }
}

/// Requests the names and tags of all services.
#[must_use]
pub fn services_query(config: &ConsulSd) -> Query {
    query(config, "/v1/catalog/services".to_owned(), &config.filter)
}

/// Requests the instances of a service.
#[must_use]
pub fn instances_query(config: &ConsulSd, service: &str) -> Query {
    let mut query = query(config, format!("/v1/health/service/{service}"), &config.health_filter);
    query.parameters.extend(config.tags.iter().map(|tag| ("tag", tag.clone())));
    query
}

fn query(config: &ConsulSd, path: String, filter: &str) -> Query {
    let mut query = Query { path, ..agent_query(config) };
    query.parameters.extend(config.allow_stale.then(|| ("stale", String::new())));
    query.parameters.extend((!filter.is_empty()).then(|| ("filter", filter.to_owned())));
    query.parameters.extend(config.node_meta.iter().map(|(key, value)| ("node-meta", format!("{key}:{value}"))));
    query
}

/// The services that the config names. `None` if the function must request the catalog.
#[must_use]
pub fn named_services(config: &ConsulSd) -> Option<BTreeSet<String>> {
    let named = !config.services.is_empty() && config.tags.is_empty() && config.filter.is_empty();
    named.then(|| config.services.iter().cloned().collect())
}

/// Whether the config selects a service of the catalog.
#[must_use]
pub fn selects(config: &ConsulSd, service: &str, tags: &[String]) -> bool {
    let named = config.services.is_empty() || config.services.iter().any(|name| name == service);
    named && config.tags.iter().all(|tag| tags.contains(tag))
}

/// The target group of a service.
#[must_use]
pub fn group(config: &ConsulSd, datacenter: &str, service: &str, instances: &[Instance]) -> SourceGroup {
    let labels = [("__meta_consul_service", service), ("__meta_consul_dc", datacenter)];
    SourceGroup {
        source: service.to_owned(),
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        targets: instances.iter().map(|instance| target(instance, &config.tag_separator)).collect(),
    }
}

fn target(instance: &Instance, separator: &str) -> BTreeMap<String, String> {
    let Instance { node, service, checks } = instance;
    // A service that is registered through another node has an address of its own.
    let host = if service.address.is_empty() { &node.address } else { &service.address };
    let mut labels = BTreeMap::from([(ADDRESS.to_owned(), host_port(host, service.port))]);
    let mut add = |name: &str, value: &str| labels.insert(format!("__meta_consul_{name}"), value.to_owned());
    add("address", &node.address);
    add("node", &node.node);
    add("namespace", &service.namespace);
    add("partition", &service.partition);
    // The list begins and ends with the separator. A rule can then match each tag with the same pattern.
    add("tags", &format!("{separator}{}{separator}", service.tags.join(separator)));
    add("service_address", &service.address);
    add("service_port", &service.port.to_string());
    add("service_id", &service.id);
    add("health", answer::health(checks));
    let maps =
        [("metadata", &node.meta), ("service_metadata", &service.meta), ("tagged_address", &node.tagged_addresses)];
    for (prefix, map) in maps {
        for (key, value) in map {
            add(&format!("{prefix}_{}", sanitized(key)), value);
        }
    }
    labels
}

#[cfg(test)]
mod tests;
