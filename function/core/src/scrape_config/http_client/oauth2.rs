//! OAuth 2.0 client credentials of an HTTP client.
//!
//! Follows `OAuth2` in `config/http_config.go` of prometheus/common.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::{HttpClientError, at_most_one};
use super::proxy::ProxyConfig;
use super::tls::TlsConfig;
use crate::scrape_config::fields::{Node, ParseError};
use crate::scrape_config::is_default;
use crate::scrape_config::secret::Secret;

/// The grant type whose tokens the client signs with its own key.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

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

impl OAuth2 {
    /// Reads the settings of a scrape config.
    pub(super) fn read(node: &Node<'_>) -> Result<Self, ParseError> {
        let mut fields = node.fields()?;
        let mut oauth = OAuth2::default();
        let OAuth2 {
            client_id,
            client_secret,
            client_secret_file,
            client_secret_ref,
            client_certificate_key_id,
            client_certificate_key,
            client_certificate_key_file,
            client_certificate_key_ref,
            grant_type,
            signature_algorithm,
            iss,
            audience,
            claims,
            scopes,
            token_url,
            endpoint_params,
            tls_config: tls,
            proxy,
        } = &mut oauth;
        fields.string("client_id", client_id)?;
        fields.secret("client_secret", client_secret)?;
        fields.string("client_secret_file", client_secret_file)?;
        fields.string("client_secret_ref", client_secret_ref)?;
        fields.string("client_certificate_key_id", client_certificate_key_id)?;
        fields.secret("client_certificate_key", client_certificate_key)?;
        fields.string("client_certificate_key_file", client_certificate_key_file)?;
        fields.string("client_certificate_key_ref", client_certificate_key_ref)?;
        fields.string("grant_type", grant_type)?;
        fields.string("signature_algorithm", signature_algorithm)?;
        fields.string("iss", iss)?;
        fields.string("audience", audience)?;
        fields.read("claims", claims, |node| {
            Ok(node.entries()?.into_iter().map(|(name, value)| (name.to_owned(), value.value().clone())).collect())
        })?;
        fields.read("scopes", scopes, Node::strings)?;
        fields.string("token_url", token_url)?;
        fields.read("endpoint_params", endpoint_params, Node::string_map)?;
        fields.read("tls_config", tls, TlsConfig::read)?;
        proxy.read(&mut fields)?;
        fields.finish()?;
        Ok(oauth)
    }

    /// Rejects settings that Prometheus rejects.
    pub(super) fn validate(&mut self) -> Result<(), HttpClientError> {
        self.tls_config.validate()?;
        self.proxy.validate()?;
        if self.client_id.is_empty() {
            return Err(HttpClientError::OAuth2Incomplete("client_id"));
        }
        if self.token_url.is_empty() {
            return Err(HttpClientError::OAuth2Incomplete("token_url"));
        }
        if self.grant_type != JWT_BEARER {
            return at_most_one(
                [self.client_secret.expose(), &self.client_secret_file, &self.client_secret_ref]
                    .map(|text| !text.is_empty()),
                "oauth2.client_secret, client_secret_file and client_secret_ref",
            );
        }
        at_most_one(
            [self.client_certificate_key.expose(), &self.client_certificate_key_file, &self.client_certificate_key_ref]
                .map(|text| !text.is_empty()),
            "oauth2.client_certificate_key, client_certificate_key_file and client_certificate_key_ref",
        )?;
        match self.signature_algorithm.as_str() {
            "" | "RS256" | "RS384" | "RS512" => Ok(()),
            other => Err(HttpClientError::UnknownSignatureAlgorithm(other.to_owned())),
        }
    }
}
