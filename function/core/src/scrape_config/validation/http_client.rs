//! What Prometheus refuses in an HTTP client config: credentials that contradict
//! each other, half a key pair, headers that are its own, proxies without a URL.
//!
//! Follows `Validate` of `HTTPClientConfig`, `TLSConfig`, `ProxyConfig` and
//! `Headers` in `config/` of prometheus/common.

use crate::scrape_config::http_client::{
    Authorization, BasicAuth, HttpClientConfig, HttpHeader, OAuth2, ProxyConfig, TlsConfig,
};
use crate::scrape_config::url::{GoUrl, UrlError};

/// Why Prometheus would not load an HTTP client config.
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
    #[error("proxy_connect_header is set, which needs proxy_url or proxy_from_environment")]
    HeaderWithoutProxy,
    #[error("no_proxy is set, which needs proxy_url")]
    NoProxyWithoutProxy,
    #[error("http_headers holds a header that cannot be set: {0:?}")]
    ReservedHeader(String),
}

/// Headers that belong to the connection or to Prometheus itself.
const RESERVED_HEADERS: [&str; 18] = [
    "Authorization",
    "Host",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Www-Authenticate",
    "Accept-Encoding",
    "X-Prometheus-Remote-Write-Version",
    "X-Prometheus-Remote-Read-Version",
    "X-Prometheus-Scrape-Timeout-Seconds",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
];

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

impl HttpClientConfig {
    /// Fills in the authorization type, normalises URLs and refuses what Prometheus refuses.
    ///
    /// # Errors
    /// The first rule that the config breaks.
    pub fn validate(&mut self) -> Result<(), HttpClientError> {
        let Self {
            basic_auth,
            authorization,
            oauth2,
            tls_config,
            follow_redirects: _,
            enable_http2: _,
            proxy,
            http_headers,
        } = self;
        let credentials = [basic_auth.is_some(), authorization.is_some(), oauth2.is_some()];
        at_most_one(credentials, "basic_auth, oauth2 and authorization")?;
        basic_auth.as_ref().map_or(Ok(()), BasicAuth::validate)?;
        authorization.as_mut().map_or(Ok(()), Authorization::validate)?;
        oauth2.as_mut().map_or(Ok(()), OAuth2::validate)?;
        tls_config.validate()?;
        proxy.validate()?;
        check_headers(http_headers.iter())
    }
}

impl BasicAuth {
    fn validate(&self) -> Result<(), HttpClientError> {
        let Self { username, username_file, username_ref, password, password_file, password_ref } = self;
        at_most_one(
            [username, username_file, username_ref].map(|text| !text.is_empty()),
            "basic_auth.username, username_file and username_ref",
        )?;
        at_most_one(
            [password.expose(), password_file, password_ref].map(|text| !text.is_empty()),
            "basic_auth.password, password_file and password_ref",
        )
    }
}

impl Authorization {
    fn validate(&mut self) -> Result<(), HttpClientError> {
        let Self { r#type, credentials, credentials_file, credentials_ref } = self;
        at_most_one(
            [credentials.expose(), credentials_file, credentials_ref].map(|text| !text.is_empty()),
            "authorization.credentials, credentials_file and credentials_ref",
        )?;
        *r#type = match r#type.trim() {
            "" => "Bearer".to_owned(),
            basic if basic.eq_ignore_ascii_case("basic") => return Err(HttpClientError::AuthorizationIsBasic),
            other => other.to_owned(),
        };
        Ok(())
    }
}

impl OAuth2 {
    fn validate(&mut self) -> Result<(), HttpClientError> {
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

impl TlsConfig {
    /// Refuses what Prometheus refuses.
    ///
    /// # Errors
    /// The first rule that the config breaks.
    pub fn validate(&self) -> Result<(), HttpClientError> {
        let Self {
            ca,
            cert,
            key,
            ca_file,
            cert_file,
            key_file,
            ca_ref,
            cert_ref,
            key_ref,
            server_name: _,
            insecure_skip_verify: _,
            min_version,
            max_version,
        } = self;
        let certs = [cert, cert_file, cert_ref].map(|text| !text.is_empty());
        let keys = [key.expose(), key_file, key_ref].map(|text| !text.is_empty());
        at_most_one([ca, ca_file, ca_ref].map(|text| !text.is_empty()), "tls_config.ca, ca_file and ca_ref")?;
        at_most_one(certs, "tls_config.cert, cert_file and cert_ref")?;
        at_most_one(keys, "tls_config.key, key_file and key_ref")?;
        match (certs.contains(&true), keys.contains(&true)) {
            (true, false) => return Err(HttpClientError::CertificateWithoutKey),
            (false, true) => return Err(HttpClientError::KeyWithoutCertificate),
            _ => {}
        }
        for (field, version) in [("min_version", min_version), ("max_version", max_version)] {
            if !matches!(version.as_str(), "" | "TLS10" | "TLS11" | "TLS12" | "TLS13") {
                return Err(HttpClientError::UnknownTlsVersion { field, value: version.clone() });
            }
        }
        Ok(())
    }
}

impl ProxyConfig {
    fn validate(&mut self) -> Result<(), HttpClientError> {
        let Self { proxy_url, no_proxy, proxy_from_environment, proxy_connect_header } = self;
        if let Some(url) = proxy_url {
            *url = url.parse::<GoUrl>().map_err(HttpClientError::ProxyUrl)?.to_string();
        }
        let proxy_url = proxy_url.as_deref().unwrap_or_default();
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

fn check_headers<'a>(mut headers: impl Iterator<Item = (&'a String, &'a HttpHeader)>) -> Result<(), HttpClientError> {
    let reserved = |name: &str| RESERVED_HEADERS.iter().any(|reserved| reserved.eq_ignore_ascii_case(name));
    headers
        .find(|(name, _)| reserved(name))
        .map_or(Ok(()), |(name, _)| Err(HttpClientError::ReservedHeader(name.clone())))
}

fn at_most_one<const N: usize>(set: [bool; N], names: &'static str) -> Result<(), HttpClientError> {
    if set.into_iter().filter(|set| *set).count() > 1 {
        return Err(HttpClientError::MoreThanOne(names));
    }
    Ok(())
}
