//! The TLS settings of an HTTP client.
//!
//! Follows `TLSConfig` in `config/http_config.go` of prometheus/common.

use serde::{Deserialize, Serialize};

use super::error::{HttpClientError, at_most_one};
use crate::scrape_config::fields::{Node, ParseError};
use crate::scrape_config::is_default;
use crate::scrape_config::secret::Secret;

/// The names of TLS versions.
pub const VERSIONS: [&str; 4] = ["TLS10", "TLS11", "TLS12", "TLS13"];

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

impl TlsConfig {
    /// Reads the settings of a scrape config.
    pub(super) fn read(node: &Node<'_>) -> Result<Self, ParseError> {
        let mut fields = node.fields()?;
        let mut tls = TlsConfig::default();
        let TlsConfig {
            ca,
            cert,
            key,
            ca_file,
            cert_file,
            key_file,
            ca_ref,
            cert_ref,
            key_ref,
            server_name,
            insecure_skip_verify,
            min_version,
            max_version,
        } = &mut tls;
        fields.string("ca", ca)?;
        fields.string("cert", cert)?;
        fields.secret("key", key)?;
        fields.string("ca_file", ca_file)?;
        fields.string("cert_file", cert_file)?;
        fields.string("key_file", key_file)?;
        fields.string("ca_ref", ca_ref)?;
        fields.string("cert_ref", cert_ref)?;
        fields.string("key_ref", key_ref)?;
        fields.string("server_name", server_name)?;
        fields.read("insecure_skip_verify", insecure_skip_verify, Node::boolean)?;
        fields.read("min_version", min_version, |node| tls_version(node, "min_version"))?;
        fields.read("max_version", max_version, |node| tls_version(node, "max_version"))?;
        fields.finish()?;
        Ok(tls)
    }

    /// Rejects settings that Prometheus rejects.
    ///
    /// # Errors
    /// The first rule that the config breaks.
    pub fn validate(&self) -> Result<(), HttpClientError> {
        let are_set = |texts: [&str; 3]| texts.map(|text| !text.is_empty());
        let authorities = are_set([&self.ca, &self.ca_file, &self.ca_ref]);
        let certs = are_set([&self.cert, &self.cert_file, &self.cert_ref]);
        let keys = are_set([self.key.expose(), &self.key_file, &self.key_ref]);
        at_most_one(authorities, "tls_config.ca, ca_file and ca_ref")?;
        at_most_one(certs, "tls_config.cert, cert_file and cert_ref")?;
        at_most_one(keys, "tls_config.key, key_file and key_ref")?;
        match (certs.contains(&true), keys.contains(&true)) {
            (true, false) => return Err(HttpClientError::CertificateWithoutKey),
            (false, true) => return Err(HttpClientError::KeyWithoutCertificate),
            _ => {}
        }
        for (field, version) in [("min_version", &self.min_version), ("max_version", &self.max_version)] {
            if !version.is_empty() && !VERSIONS.contains(&version.as_str()) {
                return Err(HttpClientError::UnknownTlsVersion { field, value: version.clone() });
            }
        }
        Ok(())
    }
}

/// Reads a TLS version. An empty text is an error, an absent field is not.
fn tls_version(node: &Node<'_>, field: &'static str) -> Result<String, ParseError> {
    let version = node.string()?;
    if version.is_empty() && !node.is_null() {
        return Err(node.refused(HttpClientError::UnknownTlsVersion { field, value: version }));
    }
    Ok(version)
}
