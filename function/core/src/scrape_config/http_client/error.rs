//! The reasons why Prometheus rejects an HTTP client config.
//!
//! Follows the `Validate` functions in `config/http_config.go` of prometheus/common.

use crate::scrape_config::url::UrlError;

/// The reason why Prometheus rejects an HTTP client config.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message says it")]
pub enum HttpClientError {
    #[error("more than one of {0} is set, keep one")]
    MoreThanOne(&'static str),
    #[error("authorization.type is basic, use basic_auth instead")]
    AuthorizationIsBasic,
    #[error("oauth2.{0} is empty")]
    OAuth2Incomplete(&'static str),
    #[error("oauth2.signature_algorithm is unknown, use RS256, RS384 or RS512: {0:?}")]
    UnknownSignatureAlgorithm(String),
    #[error("tls_config has a client certificate without a key")]
    CertificateWithoutKey,
    #[error("tls_config has a client key without a certificate")]
    KeyWithoutCertificate,
    #[error("tls_config.{field} is unknown, use TLS10, TLS11, TLS12 or TLS13: {value:?}")]
    UnknownTlsVersion { field: &'static str, value: String },
    #[error("proxy_url is not a url")]
    ProxyUrl(#[source] UrlError),
    #[error("proxy_connect_header requires proxy_url or proxy_from_environment")]
    HeaderWithoutProxy,
    #[error("no_proxy requires proxy_url")]
    NoProxyWithoutProxy,
    #[error("http_headers holds a header that cannot be set: {0:?}")]
    ReservedHeader(String),
}

/// Rejects settings of which at most one may be set.
pub(super) fn at_most_one<const N: usize>(set: [bool; N], names: &'static str) -> Result<(), HttpClientError> {
    if set.into_iter().filter(|set| *set).count() > 1 {
        return Err(HttpClientError::MoreThanOne(names));
    }
    Ok(())
}
