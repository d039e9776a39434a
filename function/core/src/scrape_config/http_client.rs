//! The HTTP client part of scrape configs and SD configs: credentials, TLS, proxy.
//!
//! Follows `config/http_config.go` of prometheus/common.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::is_default;

/// What stands in place of a secret that is not shown.
const HIDDEN: &str = "<secret>";

/// A text that must not reach logs. Serialises as it is: [`HttpClientConfig::hide_secrets`]
/// decides what an answer shows.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Replaces the text by `<secret>`; an empty one stays empty, as in Prometheus.
    pub fn hide(&mut self) {
        if !self.0.is_empty() {
            HIDDEN.clone_into(&mut self.0);
        }
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "" } else { HIDDEN })
    }
}

/// How a client connects and authenticates.
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

/// User and password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct BasicAuth {
    #[serde(skip_serializing_if = "is_default")]
    pub username: String,
    #[serde(skip_serializing_if = "is_default")]
    pub username_file: String,
    #[serde(skip_serializing_if = "is_default")]
    pub username_ref: String,
    #[serde(skip_serializing_if = "is_default")]
    pub password: Secret,
    #[serde(skip_serializing_if = "is_default")]
    pub password_file: String,
    #[serde(skip_serializing_if = "is_default")]
    pub password_ref: String,
}

/// An `Authorization` header other than Basic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct Authorization {
    #[serde(skip_serializing_if = "is_default")]
    pub r#type: String,
    #[serde(skip_serializing_if = "is_default")]
    pub credentials: Secret,
    #[serde(skip_serializing_if = "is_default")]
    pub credentials_file: String,
    #[serde(skip_serializing_if = "is_default")]
    pub credentials_ref: String,
}

/// OAuth 2.0 client credentials.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct OAuth2 {
    #[serde(skip_serializing_if = "is_default")]
    pub client_id: String,
    #[serde(skip_serializing_if = "is_default")]
    pub client_secret: Secret,
    #[serde(skip_serializing_if = "is_default")]
    pub client_secret_file: String,
    #[serde(skip_serializing_if = "is_default")]
    pub client_secret_ref: String,
    #[serde(skip_serializing_if = "is_default")]
    pub client_certificate_key_id: String,
    #[serde(skip_serializing_if = "is_default")]
    pub client_certificate_key: Secret,
    #[serde(skip_serializing_if = "is_default")]
    pub client_certificate_key_file: String,
    #[serde(skip_serializing_if = "is_default")]
    pub client_certificate_key_ref: String,
    #[serde(skip_serializing_if = "is_default")]
    pub grant_type: String,
    #[serde(skip_serializing_if = "is_default")]
    pub signature_algorithm: String,
    #[serde(skip_serializing_if = "is_default")]
    pub iss: String,
    #[serde(skip_serializing_if = "is_default")]
    pub audience: String,
    #[serde(skip_serializing_if = "is_default")]
    pub claims: BTreeMap<String, serde_json::Value>,
    #[serde(skip_serializing_if = "is_default")]
    pub scopes: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub token_url: String,
    #[serde(skip_serializing_if = "is_default")]
    pub endpoint_params: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_default")]
    pub tls_config: TlsConfig,
    #[serde(flatten)]
    pub proxy: ProxyConfig,
}

impl Eq for OAuth2 {}

/// Certificates and how to judge those of the other side. Texts are PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct TlsConfig {
    #[serde(skip_serializing_if = "is_default")]
    pub ca: String,
    #[serde(skip_serializing_if = "is_default")]
    pub cert: String,
    #[serde(skip_serializing_if = "is_default")]
    pub key: Secret,
    #[serde(skip_serializing_if = "is_default")]
    pub ca_file: String,
    #[serde(skip_serializing_if = "is_default")]
    pub cert_file: String,
    #[serde(skip_serializing_if = "is_default")]
    pub key_file: String,
    #[serde(skip_serializing_if = "is_default")]
    pub ca_ref: String,
    #[serde(skip_serializing_if = "is_default")]
    pub cert_ref: String,
    #[serde(skip_serializing_if = "is_default")]
    pub key_ref: String,
    #[serde(skip_serializing_if = "is_default")]
    pub server_name: String,
    pub insecure_skip_verify: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub min_version: String,
    #[serde(skip_serializing_if = "is_default")]
    pub max_version: String,
}

/// Which proxy to use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct ProxyConfig {
    /// An empty URL is none, but Prometheus prints it where it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub no_proxy: String,
    #[serde(skip_serializing_if = "is_default")]
    pub proxy_from_environment: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub proxy_connect_header: BTreeMap<String, Vec<Secret>>,
}

/// One header that is sent with every request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct HttpHeader {
    #[serde(skip_serializing_if = "is_default")]
    pub values: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub secrets: Vec<Secret>,
    #[serde(skip_serializing_if = "is_default")]
    pub files: Vec<String>,
}
