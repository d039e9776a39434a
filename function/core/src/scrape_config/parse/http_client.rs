//! HTTP client settings of a scrape config or an SD config.

use std::collections::BTreeMap;

use super::fields::{Fields, Node};
use super::{ParseError, Problem};
use crate::scrape_config::http_client::{
    Authorization, BasicAuth, HttpClientConfig, HttpHeader, OAuth2, ProxyConfig, Secret, TlsConfig,
};
use crate::scrape_config::validation::http_client::HttpClientError;

type Result<T> = std::result::Result<T, ParseError>;

/// Reads the settings, which stand among other fields of the same map.
pub fn read<'a>(fields: &mut Fields<'a>, client: &mut HttpClientConfig) -> Result<()> {
    let HttpClientConfig {
        basic_auth: basic,
        authorization: other,
        oauth2: oauth,
        tls_config: tls,
        follow_redirects,
        enable_http2,
        proxy,
        http_headers,
    } = client;
    *basic = fields.given("basic_auth").map(|node| basic_auth(&node)).transpose()?;
    *other = fields.given("authorization").map(|node| authorization(&node)).transpose()?;
    *oauth = fields.given("oauth2").map(|node| oauth2(&node)).transpose()?;
    fields.read("tls_config", tls, tls_config)?;
    fields.read("follow_redirects", follow_redirects, Node::boolean)?;
    fields.read("enable_http2", enable_http2, Node::boolean)?;
    fields.read("http_headers", http_headers, headers)?;
    read_proxy(fields, proxy)?;
    let bearer = bearer_token(fields)?;
    if bearer.is_some() && (basic.is_some() || oauth.is_some() || other.is_some()) {
        let all = "basic_auth, oauth2, authorization, bearer_token and bearer_token_file";
        return Err(fields.error(HttpClientError::MoreThanOne(all)));
    }
    if bearer.is_some() {
        *other = bearer;
    }
    Ok(())
}

/// The older way to write an authorization.
fn bearer_token(fields: &mut Fields<'_>) -> Result<Option<Authorization>> {
    let mut bearer = Authorization::default();
    fields.secret("bearer_token", &mut bearer.credentials)?;
    fields.string("bearer_token_file", &mut bearer.credentials_file)?;
    match (bearer.credentials.expose().is_empty(), bearer.credentials_file.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Err(fields.error(HttpClientError::MoreThanOne("bearer_token and bearer_token_file"))),
        _ => Ok(Some(bearer)),
    }
}

fn basic_auth(node: &Node<'_>) -> Result<BasicAuth> {
    let mut fields = node.fields()?;
    let mut auth = BasicAuth::default();
    let BasicAuth { username, username_file, username_ref, password, password_file, password_ref } = &mut auth;
    fields.string("username", username)?;
    fields.string("username_file", username_file)?;
    fields.string("username_ref", username_ref)?;
    fields.secret("password", password)?;
    fields.string("password_file", password_file)?;
    fields.string("password_ref", password_ref)?;
    fields.finish()?;
    Ok(auth)
}

fn authorization(node: &Node<'_>) -> Result<Authorization> {
    let mut fields = node.fields()?;
    let mut auth = Authorization::default();
    let Authorization { r#type, credentials, credentials_file, credentials_ref } = &mut auth;
    fields.string("type", r#type)?;
    fields.secret("credentials", credentials)?;
    fields.string("credentials_file", credentials_file)?;
    fields.string("credentials_ref", credentials_ref)?;
    fields.finish()?;
    Ok(auth)
}

fn oauth2(node: &Node<'_>) -> Result<OAuth2> {
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
    fields.read("tls_config", tls, tls_config)?;
    read_proxy(&mut fields, proxy)?;
    fields.finish()?;
    Ok(oauth)
}

fn tls_config(node: &Node<'_>) -> Result<TlsConfig> {
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

/// An empty version is not an absent one.
fn tls_version(node: &Node<'_>, field: &'static str) -> Result<String> {
    let version = node.string()?;
    if version.is_empty() && !node.is_null() {
        return Err(node.error(HttpClientError::UnknownTlsVersion { field, value: version }));
    }
    Ok(version)
}

fn read_proxy<'a>(fields: &mut Fields<'a>, proxy: &mut ProxyConfig) -> Result<()> {
    let ProxyConfig { proxy_url, no_proxy, proxy_from_environment, proxy_connect_header } = proxy;
    fields.read("proxy_url", proxy_url, |node| if node.is_null() { Ok(None) } else { node.string().map(Some) })?;
    fields.string("no_proxy", no_proxy)?;
    fields.read("proxy_from_environment", proxy_from_environment, Node::boolean)?;
    fields.read("proxy_connect_header", proxy_connect_header, |node| {
        node.entries()?.into_iter().map(|(name, values)| Ok((name.to_owned(), secrets(&values)?))).collect()
    })
}

fn headers(node: &Node<'_>) -> Result<BTreeMap<String, HttpHeader>> {
    let header = |node: &Node<'_>| {
        let mut fields = node.fields()?;
        let mut header = HttpHeader::default();
        let HttpHeader { values, secrets: hidden, files } = &mut header;
        fields.read("values", values, Node::strings)?;
        fields.read("secrets", hidden, secrets)?;
        fields.read("files", files, Node::strings)?;
        fields.finish()?;
        Ok(header)
    };
    node.entries()?.into_iter().map(|(name, node)| Ok((name.to_owned(), header(&node)?))).collect()
}

fn secrets(node: &Node<'_>) -> Result<Vec<Secret>> {
    Ok(node.strings()?.into_iter().map(Secret::from).collect())
}

impl From<HttpClientError> for Problem {
    fn from(error: HttpClientError) -> Self {
        Self::Refused(error.into())
    }
}
