//! The HTTP client of scrape configs and SD configs: credentials, TLS, proxy and headers.
//!
//! Each part has its own file with its type, its defaults, its parser and its checks. Follows `config/http_config.go`
//! of prometheus/common.

mod authorization;
mod basic_auth;
mod error;
mod headers;
mod oauth2;
mod proxy;
mod tls;

use std::collections::BTreeMap;

use serde::Serialize;

use super::fields::{Fields, Node, ParseError};
use super::is_default;
pub use authorization::Authorization;
pub use basic_auth::BasicAuth;
pub use error::HttpClientError;
pub use headers::HttpHeader;
pub use oauth2::OAuth2;
pub use proxy::ProxyConfig;
pub use tls::{TlsConfig, VERSIONS as TLS_VERSIONS};

/// The settings of an HTTP client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of Prometheus' HTTP client config, by their names there")]
pub struct HttpClientConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<OAuth2>,
    #[serde(skip_serializing_if = "is_default")]
    pub tls_config: TlsConfig,
    pub follow_redirects: bool,
    pub enable_http2: bool,
    #[serde(flatten)]
    pub proxy: ProxyConfig,
    #[serde(skip_serializing_if = "is_default")]
    pub http_headers: BTreeMap<String, HttpHeader>,
}

impl Default for HttpClientConfig {
    fn default() -> Self {
        Self {
            basic_auth: None,
            authorization: None,
            oauth2: None,
            tls_config: TlsConfig::default(),
            follow_redirects: true,
            enable_http2: true,
            proxy: ProxyConfig::default(),
            http_headers: BTreeMap::new(),
        }
    }
}

impl HttpClientConfig {
    /// Reads the settings from a map that also contains other fields.
    pub(super) fn read(&mut self, fields: &mut Fields<'_>) -> Result<(), ParseError> {
        let Self { basic_auth, authorization, oauth2, tls_config, follow_redirects, enable_http2, proxy, http_headers } =
            self;
        *basic_auth = fields.given("basic_auth").map(|node| BasicAuth::read(&node)).transpose()?;
        *authorization = fields.given("authorization").map(|node| Authorization::read(&node)).transpose()?;
        *oauth2 = fields.given("oauth2").map(|node| OAuth2::read(&node)).transpose()?;
        fields.read("tls_config", tls_config, TlsConfig::read)?;
        fields.read("follow_redirects", follow_redirects, Node::boolean)?;
        fields.read("enable_http2", enable_http2, Node::boolean)?;
        fields.read("http_headers", http_headers, headers::headers)?;
        proxy.read(fields)?;
        let Some(bearer) = authorization::bearer_token(fields)? else { return Ok(()) };
        if basic_auth.is_some() || oauth2.is_some() || authorization.is_some() {
            let all = "basic_auth, oauth2, authorization, bearer_token and bearer_token_file";
            return Err(fields.refused(HttpClientError::MoreThanOne(all)));
        }
        *authorization = Some(bearer);
        Ok(())
    }

    /// Fills in the authorization type, normalises URLs, and rejects settings that Prometheus rejects.
    ///
    /// # Errors
    /// The first rule that the config breaks.
    pub fn validate(&mut self) -> Result<(), HttpClientError> {
        let credentials = [self.basic_auth.is_some(), self.authorization.is_some(), self.oauth2.is_some()];
        error::at_most_one(credentials, "basic_auth, oauth2 and authorization")?;
        self.basic_auth.as_ref().map_or(Ok(()), BasicAuth::validate)?;
        self.authorization.as_mut().map_or(Ok(()), Authorization::validate)?;
        self.oauth2.as_mut().map_or(Ok(()), OAuth2::validate)?;
        self.tls_config.validate()?;
        self.proxy.validate()?;
        headers::check_headers(self.http_headers.keys())
    }
}
