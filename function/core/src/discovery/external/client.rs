//! Which HTTP clients of SD configs can be served.
//!
//! Input: the client's settings. Output: why it cannot be served; such a job is left
//! out before anything is asked.

use crate::scrape_config::http_client::{HttpClientConfig, ProxyConfig, TlsConfig};

/// Whether settings may name files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// They are read: the config is as trusted as the function.
    Read,
    /// The settings come from an object of the cluster.
    Refused,
}

/// Why a client cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message says it")]
pub enum ClientError {
    #[error("oauth2 is not served here, use authorization or basic_auth")]
    OAuth2,
    #[error("a proxy is not served here, remove it")]
    Proxy,
    #[error("a reference to a secret of Prometheus' own is not served here, use the value: {0}")]
    Reference(&'static str),
    #[error("an object cannot have files of the function read, use the value: {0}")]
    File(&'static str),
    #[error("tls_config.max_version below TLS12 is not served here, remove it")]
    OldTls,
}

/// Refuses what cannot be served.
///
/// # Errors
/// The first setting that cannot be served.
pub fn check_client(client: &HttpClientConfig, files: Files) -> Result<(), ClientError> {
    let HttpClientConfig {
        basic_auth,
        authorization,
        oauth2,
        tls_config,
        follow_redirects: _,
        enable_http2: _,
        proxy,
        http_headers,
    } = client;
    let ProxyConfig { proxy_url, no_proxy: _, proxy_from_environment, proxy_connect_header: _ } = proxy;
    let TlsConfig { ca_file, cert_file, key_file, ca_ref, cert_ref, key_ref, max_version, .. } = tls_config;
    if oauth2.is_some() {
        return Err(ClientError::OAuth2);
    }
    if *proxy_from_environment || proxy_url.as_ref().is_some_and(|url| !url.is_empty()) {
        return Err(ClientError::Proxy);
    }
    if matches!(max_version.as_str(), "TLS10" | "TLS11") {
        return Err(ClientError::OldTls);
    }
    let (basic, other) = (basic_auth.as_ref(), authorization.as_ref());
    let references = [
        (basic.map(|basic| &basic.username_ref), "basic_auth.username_ref"),
        (basic.map(|basic| &basic.password_ref), "basic_auth.password_ref"),
        (other.map(|other| &other.credentials_ref), "authorization.credentials_ref"),
        (Some(ca_ref), "tls_config.ca_ref"),
        (Some(cert_ref), "tls_config.cert_ref"),
        (Some(key_ref), "tls_config.key_ref"),
    ];
    let paths = [
        (basic.map(|basic| &basic.username_file), "basic_auth.username_file"),
        (basic.map(|basic| &basic.password_file), "basic_auth.password_file"),
        (other.map(|other| &other.credentials_file), "authorization.credentials_file"),
        (Some(ca_file), "tls_config.ca_file"),
        (Some(cert_file), "tls_config.cert_file"),
        (Some(key_file), "tls_config.key_file"),
        (http_headers.values().flat_map(|header| &header.files).next(), "http_headers.files"),
    ];
    let set = |field: &&(Option<&String>, &'static str)| field.0.is_some_and(|text| !text.is_empty());
    if let Some((_, field)) = references.iter().find(set) {
        return Err(ClientError::Reference(field));
    }
    match paths.iter().find(set) {
        Some((_, field)) if files == Files::Refused => Err(ClientError::File(field)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrape_config::http_client::{Authorization, BasicAuth, HttpHeader, OAuth2};

    #[test]
    fn only_what_can_be_served_passes() {
        let client = |change: fn(&mut HttpClientConfig)| {
            let mut client = HttpClientConfig::default();
            change(&mut client);
            client
        };
        let file = |field| (Some(ClientError::File(field)), None);
        let never = |error: ClientError| (Some(error.clone()), Some(error));
        let cases = [
            (client(|_| {}), (None, None)),
            (client(|c| c.basic_auth = Some(BasicAuth { password: "p".into(), ..BasicAuth::default() })), (None, None)),
            (
                client(|c| {
                    c.basic_auth = Some(BasicAuth { password_file: "p".to_owned(), ..BasicAuth::default() });
                }),
                file("basic_auth.password_file"),
            ),
            (
                client(|c| {
                    c.authorization =
                        Some(Authorization { credentials_file: "p".to_owned(), ..Authorization::default() });
                }),
                file("authorization.credentials_file"),
            ),
            (client(|c| c.tls_config.key_file = "k".to_owned()), file("tls_config.key_file")),
            (
                client(|c| {
                    let header = HttpHeader { files: vec!["f".to_owned()], ..HttpHeader::default() };
                    c.http_headers.insert("X-A".to_owned(), header);
                }),
                file("http_headers.files"),
            ),
            (client(|c| c.oauth2 = Some(OAuth2::default())), never(ClientError::OAuth2)),
            (client(|c| c.proxy.proxy_url = Some("http://p".to_owned())), never(ClientError::Proxy)),
            (client(|c| c.proxy.proxy_url = Some(String::new())), (None, None)),
            (client(|c| c.proxy.proxy_from_environment = true), never(ClientError::Proxy)),
            (client(|c| c.tls_config.ca_ref = "r".to_owned()), never(ClientError::Reference("tls_config.ca_ref"))),
            (client(|c| c.tls_config.max_version = "TLS11".to_owned()), never(ClientError::OldTls)),
        ];
        for (client, (for_object, for_config)) in cases {
            assert_eq!(check_client(&client, Files::Refused).err(), for_object, "{client:?}");
            assert_eq!(check_client(&client, Files::Read).err(), for_config, "{client:?}");
        }
    }
}
