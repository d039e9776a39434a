//! The HTTP client settings of monitors: authentication, TLS and proxy.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::common::{KeySelector, Reference, SecretOrConfigMap};
use crate::objects::null_to_default;

/// Credentials and options of the client. TLS is separate, because only some kinds of monitors may use files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct HttpConfig {
    pub authorization: Option<SafeAuthorization>,
    pub basic_auth: Option<BasicAuth>,
    pub oauth2: Option<OAuth2>,
    pub bearer_token_secret: Option<KeySelector>,
    pub follow_redirects: Option<bool>,
    pub enable_http2: Option<bool>,
}

impl HttpConfig {
    /// All references to secrets and config maps.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        let Self { authorization, basic_auth, oauth2, bearer_token_secret, follow_redirects: _, enable_http2: _ } =
            self;
        let authorization = authorization.iter().filter_map(|authorization| authorization.credentials.as_ref());
        let basic_auth = basic_auth.iter().flat_map(|basic_auth| [&basic_auth.username, &basic_auth.password]);
        authorization
            .chain(basic_auth)
            .chain(bearer_token_secret)
            .map(Reference::Secret)
            .chain(oauth2.iter().flat_map(OAuth2::references))
    }
}

/// An `Authorization` header with another type than `Basic`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct SafeAuthorization {
    #[serde(deserialize_with = "null_to_default")]
    pub r#type: String,
    pub credentials: Option<KeySelector>,
}

/// An `Authorization` header with the credentials in a secret or in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct Authorization {
    #[serde(flatten)]
    pub safe: SafeAuthorization,
    #[serde(deserialize_with = "null_to_default")]
    pub credentials_file: String,
}

/// User name and password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct BasicAuth {
    #[serde(deserialize_with = "null_to_default")]
    pub username: KeySelector,
    #[serde(deserialize_with = "null_to_default")]
    pub password: KeySelector,
}

/// OAuth 2.0 client credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct OAuth2 {
    #[serde(deserialize_with = "null_to_default")]
    pub client_id: SecretOrConfigMap,
    #[serde(deserialize_with = "null_to_default")]
    pub client_secret: KeySelector,
    #[serde(deserialize_with = "null_to_default")]
    pub token_url: String,
    #[serde(deserialize_with = "null_to_default")]
    pub scopes: Vec<String>,
    #[serde(deserialize_with = "null_to_default")]
    pub endpoint_params: BTreeMap<String, String>,
    pub tls_config: Option<SafeTlsConfig>,
    #[serde(flatten)]
    pub proxy: ProxyConfig,
}

impl OAuth2 {
    /// All references to secrets and config maps.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        let Self { client_id, client_secret, token_url: _, scopes: _, endpoint_params: _, tls_config, proxy } = self;
        client_id
            .reference()
            .into_iter()
            .chain([Reference::Secret(client_secret)])
            .chain(tls_config.iter().flat_map(SafeTlsConfig::references))
            .chain(proxy.references())
    }
}

/// TLS settings with certificates by reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct SafeTlsConfig {
    #[serde(deserialize_with = "null_to_default")]
    pub ca: SecretOrConfigMap,
    #[serde(deserialize_with = "null_to_default")]
    pub cert: SecretOrConfigMap,
    pub key_secret: Option<KeySelector>,
    pub server_name: Option<String>,
    pub insecure_skip_verify: Option<bool>,
    pub min_version: Option<String>,
    pub max_version: Option<String>,
}

impl SafeTlsConfig {
    /// All references to secrets and config maps.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        let Self { ca, cert, key_secret, server_name: _, insecure_skip_verify: _, min_version: _, max_version: _ } =
            self;
        ca.reference().into_iter().chain(cert.reference()).chain(key_secret.as_ref().map(Reference::Secret))
    }
}

/// TLS settings with certificates by reference, or in files of the Prometheus container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct TlsConfig {
    #[serde(flatten)]
    pub safe: SafeTlsConfig,
    #[serde(deserialize_with = "null_to_default")]
    pub ca_file: String,
    #[serde(deserialize_with = "null_to_default")]
    pub cert_file: String,
    #[serde(deserialize_with = "null_to_default")]
    pub key_file: String,
}

/// The proxy of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "named as in the CRD")]
pub struct ProxyConfig {
    pub proxy_url: Option<String>,
    pub no_proxy: Option<String>,
    pub proxy_from_environment: Option<bool>,
    #[serde(deserialize_with = "null_to_default")]
    pub proxy_connect_header: BTreeMap<String, Vec<KeySelector>>,
}

impl ProxyConfig {
    /// All references to secrets and config maps.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        self.proxy_connect_header.values().flatten().map(Reference::Secret)
    }
}
