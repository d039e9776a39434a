//! Checks whether the function can use the HTTP client of an SD config.
//!
//! Input: the settings of a client, and their author. Output: nothing, or the reason why the function cannot use the
//! client. A job with such a client is left out before any request.

use super::source_config::Author;
use crate::scrape_config::http_client::{Authorization, BasicAuth, HttpClientConfig, ProxyConfig, TlsConfig};
use crate::scrape_config::secret::SecretUrl;

/// Why the function cannot use a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message says it")]
pub enum ClientError {
    #[error("oauth2.grant_type is not served here, use client_credentials: {0:?}")]
    GrantType(String),
    #[error("a proxy of this kind is not served here, use one with an http or https url: {0:?}")]
    Proxy(String),
    #[error("a reference to a secret of Prometheus' own is not served here, use the value: {0}")]
    Reference(&'static str),
    #[error("an object cannot have files of the function read, use the value: {0}")]
    File(&'static str),
    #[error("tls_config.max_version below TLS12 is not served here, remove it")]
    OldTls,
}

/// Refuses a client that the function cannot use. Only the operator of the function may name files.
///
/// # Errors
/// The first setting that the function cannot use.
pub fn check_client(client: &HttpClientConfig, author: Author) -> Result<(), ClientError> {
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
    check_proxy(proxy)?;
    check_tls(tls_config, author)?;
    if let Some(basic) = basic_auth {
        let BasicAuth { username: _, username_file, username_ref, password: _, password_file, password_ref } = basic;
        not_by_reference(&[(username_ref, "basic_auth.username_ref"), (password_ref, "basic_auth.password_ref")])?;
        let paths = [(username_file, "basic_auth.username_file"), (password_file, "basic_auth.password_file")];
        not_by_file(author, &paths)?;
    }
    if let Some(Authorization { r#type: _, credentials: _, credentials_file, credentials_ref }) = authorization {
        not_by_reference(&[(credentials_ref, "authorization.credentials_ref")])?;
        not_by_file(author, &[(credentials_file, "authorization.credentials_file")])?;
    }
    if let Some(oauth2) = oauth2 {
        check_proxy(&oauth2.proxy)?;
        check_tls(&oauth2.tls_config, author)?;
        if !matches!(oauth2.grant_type.as_str(), "" | "client_credentials") {
            return Err(ClientError::GrantType(oauth2.grant_type.clone()));
        }
        not_by_reference(&[(&oauth2.client_secret_ref, "oauth2.client_secret_ref")])?;
        not_by_file(author, &[(&oauth2.client_secret_file, "oauth2.client_secret_file")])?;
    }
    let mut paths = http_headers.values().flat_map(|header| &header.files);
    paths.try_for_each(|path| not_by_file(author, &[(path, "http_headers.files")]))
}

fn check_proxy(proxy: &ProxyConfig) -> Result<(), ClientError> {
    let url = proxy.proxy_url.as_ref().map(SecretUrl::expose).filter(|url| !url.is_empty());
    let scheme = url.map(|url| url.split_once("://").map_or("", |(scheme, _)| scheme).to_ascii_lowercase());
    match scheme {
        Some(scheme) if !matches!(scheme.as_str(), "http" | "https") => Err(ClientError::Proxy(scheme)),
        _ => Ok(()),
    }
}

fn check_tls(tls: &TlsConfig, author: Author) -> Result<(), ClientError> {
    let TlsConfig { ca_file, cert_file, key_file, ca_ref, cert_ref, key_ref, max_version, .. } = tls;
    if matches!(max_version.as_str(), "TLS10" | "TLS11") {
        return Err(ClientError::OldTls);
    }
    let references =
        [(ca_ref, "tls_config.ca_ref"), (cert_ref, "tls_config.cert_ref"), (key_ref, "tls_config.key_ref")];
    not_by_reference(&references)?;
    let paths =
        [(ca_file, "tls_config.ca_file"), (cert_file, "tls_config.cert_file"), (key_file, "tls_config.key_file")];
    not_by_file(author, &paths)
}

fn not_by_reference(references: &[(&String, &'static str)]) -> Result<(), ClientError> {
    let set = references.iter().find(|(text, _)| !text.is_empty());
    set.map_or(Ok(()), |(_, field)| Err(ClientError::Reference(field)))
}

fn not_by_file(author: Author, paths: &[(&String, &'static str)]) -> Result<(), ClientError> {
    let set = paths.iter().find(|(text, _)| !text.is_empty() && author == Author::Tenant);
    set.map_or(Ok(()), |(_, field)| Err(ClientError::File(field)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrape_config::http_client::{HttpHeader, OAuth2};

    #[test]
    fn clients_that_cannot_be_served_are_refused() {
        let client = |change: fn(&mut HttpClientConfig)| {
            let mut client = HttpClientConfig::default();
            change(&mut client);
            client
        };
        let file = |field| (Some(ClientError::File(field)), None);
        let oauth2 = |change: fn(&mut OAuth2)| {
            let mut oauth2 = OAuth2::default();
            change(&mut oauth2);
            HttpClientConfig { oauth2: Some(oauth2), ..HttpClientConfig::default() }
        };
        let never = |error: ClientError| (Some(error.clone()), Some(error));
        let reference = |field| never(ClientError::Reference(field));
        let proxy = |scheme: &str| ClientError::Proxy(scheme.to_owned());
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
            (oauth2(|_| {}), (None, None)),
            (oauth2(|o| o.grant_type = "client_credentials".to_owned()), (None, None)),
            (oauth2(|o| o.grant_type = "jwt".to_owned()), never(ClientError::GrantType("jwt".to_owned()))),
            (oauth2(|o| o.client_secret_file = "f".to_owned()), file("oauth2.client_secret_file")),
            (oauth2(|o| o.client_secret_ref = "r".to_owned()), reference("oauth2.client_secret_ref")),
            (oauth2(|o| o.tls_config.ca_file = "f".to_owned()), file("tls_config.ca_file")),
            (oauth2(|o| o.proxy.proxy_url = Some("socks5://p".into())), never(proxy("socks5"))),
            (client(|c| c.proxy.proxy_url = Some("http://p".into())), (None, None)),
            (client(|c| c.proxy.proxy_url = Some("HTTPS://p".into())), (None, None)),
            (client(|c| c.proxy.proxy_url = Some(SecretUrl::default())), (None, None)),
            (client(|c| c.proxy.proxy_url = Some("p:3128".into())), never(proxy(""))),
            (client(|c| c.proxy.proxy_from_environment = true), (None, None)),
            (client(|c| c.tls_config.ca_ref = "r".to_owned()), reference("tls_config.ca_ref")),
            (client(|c| c.tls_config.max_version = "TLS11".to_owned()), never(ClientError::OldTls)),
        ];
        for (client, (for_object, for_config)) in cases {
            assert_eq!(check_client(&client, Author::Tenant).err(), for_object, "{client:?}");
            assert_eq!(check_client(&client, Author::Operator).err(), for_config, "{client:?}");
        }
    }
}
