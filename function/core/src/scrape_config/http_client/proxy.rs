//! The proxy of an HTTP client.
//!
//! Follows `ProxyConfig` in `config/http_config.go` of prometheus/common.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::{HttpClientError, at_most_one};
use super::headers::secrets;
use crate::scrape_config::fields::{Fields, Node, ParseError};
use crate::scrape_config::is_default;
use crate::scrape_config::secret::{Secret, SecretUrl};
use crate::scrape_config::url::GoUrl;

/// The proxy settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct ProxyConfig {
    /// An empty URL counts as absent, but Prometheus prints it if the config contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<SecretUrl>,
    #[serde(skip_serializing_if = "is_default")]
    pub no_proxy: String,
    #[serde(skip_serializing_if = "is_default")]
    pub proxy_from_environment: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub proxy_connect_header: BTreeMap<String, Vec<Secret>>,
}

impl ProxyConfig {
    /// Reads the settings from a map that also contains other fields.
    pub(super) fn read(&mut self, fields: &mut Fields<'_>) -> Result<(), ParseError> {
        let Self { proxy_url, no_proxy, proxy_from_environment, proxy_connect_header } = self;
        if let Some(node) = fields.get("proxy_url") {
            *proxy_url = if node.is_null() { None } else { Some(node.string()?.into()) };
        }
        fields.string("no_proxy", no_proxy)?;
        fields.read("proxy_from_environment", proxy_from_environment, Node::boolean)?;
        fields.read("proxy_connect_header", proxy_connect_header, |node| {
            node.entries()?.into_iter().map(|(name, values)| Ok((name.to_owned(), secrets(&values)?))).collect()
        })
    }

    /// Rejects settings that Prometheus rejects.
    pub(super) fn validate(&mut self) -> Result<(), HttpClientError> {
        let Self { proxy_url, no_proxy, proxy_from_environment, proxy_connect_header } = self;
        if let Some(url) = proxy_url {
            *url = url.expose().parse::<GoUrl>().map_err(HttpClientError::ProxyUrl)?.to_string().into();
        }
        let proxy_url = proxy_url.as_ref().map_or("", SecretUrl::expose);
        if !proxy_connect_header.is_empty() && !*proxy_from_environment && proxy_url.is_empty() {
            return Err(HttpClientError::HeaderWithoutProxy);
        }
        at_most_one([*proxy_from_environment, !proxy_url.is_empty()], "proxy_from_environment and proxy_url")?;
        at_most_one([*proxy_from_environment, !no_proxy.is_empty()], "proxy_from_environment and no_proxy")?;
        if proxy_url.is_empty() && !no_proxy.is_empty() {
            return Err(HttpClientError::NoProxyWithoutProxy);
        }
        Ok(())
    }
}
