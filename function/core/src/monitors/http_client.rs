//! The HTTP client of a job: TLS, proxy and credentials.
//!
//! Input: a monitor, its scrape class and the secrets. Output: the client config of the job, or the reason why the
//! operator refuses the monitor. Follows `assets.StoreBuilder`, the `Validate` functions of `pkg/apis/monitoring/v1`
//! and the generator's `add...ToYaml` functions of the Prometheus operator.

use std::borrow::Cow;

use super::assets::{AssetError, Assets};
use super::certificate;
use super::finding::{Finding, Within};
use crate::objects::monitoring::http::{
    Authorization, BasicAuth, HttpConfig, OAuth2, ProxyConfig, SafeAuthorization, SafeTlsConfig, TlsConfig,
};
use crate::objects::monitoring::{KeySelector, ScrapeClass};
use crate::scrape_config::http_client as prometheus;
use crate::scrape_config::secret::{Secret, SecretUrl};
use crate::scrape_config::url::GoUrl;

/// Checks that a monitor sets only one kind of credentials, and that `authorization` has credentials.
///
/// # Errors
/// The first [`Finding`].
pub fn check_credentials(http: &HttpConfig) -> Result<(), Finding> {
    let HttpConfig { authorization, basic_auth, oauth2, bearer_token_secret, follow_redirects: _, enable_http2: _ } =
        http;
    let set = [
        ("authorization", authorization.is_some()),
        ("basicAuth", basic_auth.is_some()),
        ("bearerTokenSecret", bearer_token_secret.is_some()),
        ("oauth2", oauth2.is_some()),
    ];
    let mut set = set.into_iter().filter(|(_, set)| *set).map(|(name, _)| name);
    if let (Some(one), Some(other)) = (set.next(), set.next()) {
        return Err(Finding::refused(format_args!("cannot be set beside {one}, keep one of them")).within(other));
    }
    match authorization {
        Some(authorization @ SafeAuthorization { credentials: None, .. }) => check_type(&authorization.r#type)
            .and_then(|()| Err(Finding::refused("is missing, name a secret").within("credentials")))
            .within("authorization"),
        _ => Ok(()),
    }
}

/// The client config of a job, without its bearer token and its proxy.
///
/// A missing secret of the scrape class adds a note and does not refuse the monitor. The operator reads such a secret
/// only during generation, and ignores the error there.
///
/// # Errors
/// The first rule of the operator that the monitor breaks.
pub fn http_client(
    http: &HttpConfig,
    tls_config: Option<&TlsConfig>,
    class: &ScrapeClass,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> Result<prometheus::HttpClientConfig, Finding> {
    let HttpConfig {
        authorization: own_authorization,
        basic_auth: own_basic_auth,
        oauth2: own_oauth2,
        bearer_token_secret: _,
        follow_redirects,
        enable_http2,
    } = http;
    let defaults = prometheus::HttpClientConfig::default();
    Ok(prometheus::HttpClientConfig {
        basic_auth: optional(own_basic_auth.as_ref(), |own| basic_auth(own, assets)).within("basicAuth")?,
        tls_config: tls(tls_config, class, assets, notes).within("tlsConfig")?,
        oauth2: optional(own_oauth2.as_ref(), |own| oauth2(own, assets)).within("oauth2")?,
        authorization: authorization(own_authorization.as_ref(), class, assets, notes).within("authorization")?,
        follow_redirects: follow_redirects.unwrap_or(defaults.follow_redirects),
        enable_http2: enable_http2.unwrap_or(defaults.enable_http2),
        ..defaults
    })
}

/// Sets a bearer token, or the file that contains one. Empty texts count as absent.
///
/// # Errors
/// [`Finding`] if Prometheus does not accept the token beside the other credentials.
pub fn set_bearer_token(config: &mut prometheus::HttpClientConfig, token: String, file: &str) -> Result<(), Finding> {
    let (field, authorization) = match (token.is_empty(), file.is_empty()) {
        (true, true) => return Ok(()),
        (false, false) => {
            return Err(Finding::left_out("cannot be set beside bearerTokenSecret, keep one").within("bearerTokenFile"));
        }
        (false, true) => {
            ("bearerTokenSecret", prometheus::Authorization { credentials: token.into(), ..Default::default() })
        }
        (true, false) => {
            let credentials_file = file.to_owned();
            ("bearerTokenFile", prometheus::Authorization { credentials_file, ..Default::default() })
        }
    };
    let other = [
        ("basicAuth", config.basic_auth.is_some()),
        ("oauth2", config.oauth2.is_some()),
        ("authorization, which can come from the scrape class", config.authorization.is_some()),
    ];
    if let Some((other, _)) = other.into_iter().find(|(_, set)| *set) {
        return Err(Finding::left_out(format_args!("cannot be set beside {other}, keep one")).within(field));
    }
    config.authorization = Some(authorization);
    Ok(())
}

/// The value of `bearerTokenSecret`.
///
/// # Errors
/// [`Finding`] if the secret has no value for the key.
pub fn bearer_token(selector: &KeySelector, assets: Assets<'_>) -> Result<String, Finding> {
    assets.secret(selector).map_err(Finding::from).within("bearerTokenSecret")
}

/// The proxy of a job.
///
/// # Errors
/// The first rule of the operator that the monitor breaks.
pub fn proxy(config: &ProxyConfig, assets: Assets<'_>) -> Result<prometheus::ProxyConfig, Finding> {
    let ProxyConfig { proxy_url, no_proxy, proxy_from_environment, proxy_connect_header } = config;
    let url = proxy_url.as_deref().unwrap_or_default();
    let no_proxy = no_proxy.as_deref().unwrap_or_default();
    let proxy_from_environment = proxy_from_environment.unwrap_or_default();
    let refuse = |field: &str, reason: &str| Err(Finding::refused(reason).within(field));
    if !proxy_connect_header.is_empty() && !proxy_from_environment && url.is_empty() {
        return refuse("proxyConnectHeader", "requires proxyUrl or proxyFromEnvironment");
    }
    if proxy_from_environment && !url.is_empty() {
        return refuse("proxyUrl", "cannot be set beside proxyFromEnvironment, keep one");
    }
    if proxy_from_environment && !no_proxy.is_empty() {
        return refuse("noProxy", "cannot be set beside proxyFromEnvironment, keep one");
    }
    if url.is_empty() && !no_proxy.is_empty() {
        return refuse("noProxy", "requires proxyUrl");
    }
    url.parse::<GoUrl>().map_err(Finding::refused).within("proxyUrl")?;
    let headers = proxy_connect_header.iter().map(|(name, selectors)| {
        let values = header_values(selectors, assets).within(&format!("proxyConnectHeader[{name}]"))?;
        Ok((name.clone(), values))
    });
    Ok(prometheus::ProxyConfig {
        proxy_url: proxy_url.as_deref().map(SecretUrl::from),
        no_proxy: no_proxy.to_owned(),
        proxy_from_environment,
        proxy_connect_header: headers.collect::<Result<_, Finding>>()?,
    })
}

fn header_values(selectors: &[KeySelector], assets: Assets<'_>) -> Result<Vec<Secret>, Finding> {
    if selectors.is_empty() {
        return Err(Finding::refused("is empty, name at least one secret"));
    }
    let value = |(index, selector): (usize, &KeySelector)| {
        assets.secret(selector).map(Secret::from).map_err(Finding::from).within(&format!("[{index}]"))
    };
    selectors.iter().enumerate().map(value).collect()
}

fn optional<T, U>(value: Option<&T>, convert: impl FnOnce(&T) -> Result<U, Finding>) -> Result<Option<U>, Finding> {
    value.map(convert).transpose()
}

/// User and password.
///
/// # Errors
/// [`Finding`] if one of the secrets has no value for its key.
pub fn basic_auth(basic_auth: &BasicAuth, assets: Assets<'_>) -> Result<prometheus::BasicAuth, Finding> {
    let BasicAuth { username, password } = basic_auth;
    Ok(prometheus::BasicAuth {
        username: assets.secret(username).map_err(Finding::from).within("username")?,
        password: assets.secret(password).map_err(Finding::from).within("password")?.into(),
        ..Default::default()
    })
}

/// OAuth 2.0 client credentials.
///
/// # Errors
/// The first rule of the operator that the monitor breaks.
pub fn oauth2(oauth2: &OAuth2, assets: Assets<'_>) -> Result<prometheus::OAuth2, Finding> {
    let OAuth2 { client_id, client_secret, token_url, scopes, endpoint_params, tls_config, proxy: own_proxy } = oauth2;
    if token_url.is_empty() {
        return Err(Finding::refused("is empty, set it").within("tokenUrl"));
    }
    if client_id.is_empty() {
        return Err(Finding::refused("is empty, name a secret or a configmap").within("clientId"));
    }
    if client_id.secret.is_some() && client_id.config_map.is_some() {
        return Err(Finding::refused("names a secret and a configmap, keep one").within("clientId"));
    }
    Ok(prometheus::OAuth2 {
        client_id: assets.either(client_id).map_err(Finding::from).within("clientId")?.into_owned(),
        client_secret: assets.secret(client_secret).map_err(Finding::from).within("clientSecret")?.into(),
        token_url: token_url.clone(),
        scopes: scopes.clone(),
        endpoint_params: endpoint_params.clone(),
        proxy: proxy(own_proxy, assets)?,
        tls_config: optional(tls_config.as_ref(), |own| safe_tls(own, assets)).within("tlsConfig")?.unwrap_or_default(),
        ..Default::default()
    })
}

/// The `Authorization` header of a monitor. Fields that the monitor does not set come from its scrape class.
fn authorization(
    own: Option<&SafeAuthorization>,
    class: &ScrapeClass,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> Result<Option<prometheus::Authorization>, Finding> {
    let Some(own) = own.filter(|own| **own != SafeAuthorization::default()) else {
        return Ok(class.authorization.as_ref().map(|of_class| {
            let credentials = class_value(class, of_class.safe.credentials.as_ref(), assets, notes);
            header(&of_class.safe.r#type, credentials, &of_class.credentials_file)
        }));
    };
    let credentials = own_credentials(own, assets, notes)?;
    let Some(Authorization { safe, credentials_file }) = &class.authorization else {
        return Ok(Some(header(&own.r#type, credentials, "")));
    };
    Ok(Some(match (&own.credentials, &safe.credentials) {
        (Some(_), _) => header(&own.r#type, credentials, ""),
        (None, Some(selector)) => header(&own.r#type, class_value(class, Some(selector), assets, notes), ""),
        (None, None) => header(&own.r#type, String::new(), credentials_file),
    }))
}

/// An `authorization` section to which no scrape class applies.
///
/// # Errors
/// [`Finding`] if the credentials do not exist, or if the type is `Basic`.
pub fn own_authorization(
    own: &SafeAuthorization,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> Result<prometheus::Authorization, Finding> {
    Ok(header(&own.r#type, own_credentials(own, assets, notes)?, ""))
}

fn own_credentials(own: &SafeAuthorization, assets: Assets<'_>, notes: &mut Vec<Finding>) -> Result<String, Finding> {
    let Some(selector) = &own.credentials else { return Ok(String::new()) };
    check_type(&own.r#type)?;
    if selector.name.is_empty() {
        // The operator ignores a secret without a name, and scrapes without credentials.
        notes.push(
            Finding::adjusted("names no secret: scraped without credentials").within("authorization.credentials"),
        );
        return Ok(String::new());
    }
    assets.secret(selector).map_err(Finding::from).within("credentials")
}

/// Refuses the type `Basic`, which has the field `basicAuth` of its own.
///
/// # Errors
/// [`Finding`] if the type is `Basic`.
pub fn check_type(r#type: &str) -> Result<(), Finding> {
    if r#type.trim().eq_ignore_ascii_case("basic") {
        return Err(Finding::refused("cannot be basic, use basicAuth").within("type"));
    }
    Ok(())
}

fn header(r#type: &str, credentials: String, credentials_file: &str) -> prometheus::Authorization {
    prometheus::Authorization {
        r#type: if r#type.is_empty() { "Bearer".to_owned() } else { r#type.trim().to_owned() },
        credentials: credentials.into(),
        credentials_file: credentials_file.to_owned(),
        ..Default::default()
    }
}

/// The value of a secret of the scrape class. If the namespace of the monitor has no such secret, adds a note and
/// returns an empty text.
fn class_value(
    class: &ScrapeClass,
    selector: Option<&KeySelector>,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> String {
    let Some(selector) = selector else { return String::new() };
    assets.secret(selector).unwrap_or_else(|error| missing(class, &error, notes))
}

fn missing(class: &ScrapeClass, error: &AssetError, notes: &mut Vec<Finding>) -> String {
    notes.push(Finding::adjusted(format_args!(
        "scraped without a secret of the scrape class {:?}: {error}",
        class.name
    )));
    String::new()
}

/// Converts a TLS section without files to a TLS section with files. An empty section counts as absent.
pub fn without_files(config: Option<&SafeTlsConfig>) -> Option<TlsConfig> {
    let config = config.filter(|config| **config != SafeTlsConfig::default())?;
    Some(TlsConfig { safe: config.clone(), ..TlsConfig::default() })
}

/// The TLS config of a monitor. Files that the monitor does not set come from its scrape class.
fn tls(
    own: Option<&TlsConfig>,
    class: &ScrapeClass,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> Result<prometheus::TlsConfig, Finding> {
    let Some(own) = own else {
        return Ok(class.tls_config.as_ref().map(|tls| class_tls(class, tls, assets, notes)).unwrap_or_default());
    };
    check_tls(own)?;
    let TlsConfig { safe, ca_file, cert_file, key_file } = own;
    let defaults = TlsConfig::default();
    let of_class = class.tls_config.as_ref().unwrap_or(&defaults);
    let file = |is_set: bool, own: &str, of_class: &str| if is_set { own.to_owned() } else { of_class.to_owned() };
    Ok(prometheus::TlsConfig {
        ca_file: file(!ca_file.is_empty() || !safe.ca.is_empty(), ca_file, &of_class.ca_file),
        cert_file: file(!cert_file.is_empty() || !safe.cert.is_empty(), cert_file, &of_class.cert_file),
        key_file: file(!key_file.is_empty() || safe.key_secret.is_some(), key_file, &of_class.key_file),
        ..resolved_tls(safe, assets)?
    })
}

/// The TLS config of a section without files.
///
/// # Errors
/// The first rule of the operator that the section breaks. A certificate or key that cannot be read also breaks a rule.
pub fn safe_tls(config: &SafeTlsConfig, assets: Assets<'_>) -> Result<prometheus::TlsConfig, Finding> {
    check_safe_tls(config, "", "", "")?;
    resolved_tls(config, assets)
}

fn resolved_tls(config: &SafeTlsConfig, assets: Assets<'_>) -> Result<prometheus::TlsConfig, Finding> {
    let SafeTlsConfig { ca, cert, key_secret, .. } = config;
    let ca = assets.either(ca).map_err(Finding::from).within("ca")?.into_owned();
    let cert = assets.either(cert).map_err(Finding::from).within("cert")?.into_owned();
    let key = key_secret.as_ref().map_or_else(|| Ok(String::new()), |key| assets.secret(key));
    let key = key.map_err(Finding::from).within("keySecret")?;
    if !ca.is_empty() {
        certificate::check_ca(&ca).map_err(Finding::refused).within("ca")?;
    }
    if !cert.is_empty() && !key.is_empty() {
        certificate::check_pair(&cert, &key).map_err(Finding::refused).within("cert")?;
    }
    Ok(tls_config(config, ca, cert, key))
}

fn tls_config(config: &SafeTlsConfig, ca: String, cert: String, key: String) -> prometheus::TlsConfig {
    let SafeTlsConfig { ca: _, cert: _, key_secret: _, server_name, insecure_skip_verify, min_version, max_version } =
        config;
    prometheus::TlsConfig {
        ca,
        cert,
        key: key.into(),
        server_name: server_name.clone().unwrap_or_default(),
        insecure_skip_verify: insecure_skip_verify.unwrap_or_default(),
        min_version: min_version.clone().unwrap_or_default(),
        max_version: max_version.clone().unwrap_or_default(),
        ..Default::default()
    }
}

fn class_tls(
    class: &ScrapeClass,
    config: &TlsConfig,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> prometheus::TlsConfig {
    let TlsConfig { safe, ca_file, cert_file, key_file } = config;
    let mut value = |selector| {
        let value = assets.either(selector).map(Cow::into_owned);
        value.unwrap_or_else(|error| missing(class, &error, notes))
    };
    let (ca, cert) = (value(&safe.ca), value(&safe.cert));
    let key = class_value(class, safe.key_secret.as_ref(), assets, notes);
    prometheus::TlsConfig {
        ca_file: ca_file.clone(),
        cert_file: cert_file.clone(),
        key_file: key_file.clone(),
        ..tls_config(safe, ca, cert, key)
    }
}

/// Refuses TLS settings that contradict each other.
///
/// # Errors
/// The first rule of the operator that the settings break.
pub fn check_tls(config: &TlsConfig) -> Result<(), Finding> {
    let TlsConfig { safe, ca_file, cert_file, key_file } = config;
    check_safe_tls(safe, ca_file, cert_file, key_file)
}

fn check_safe_tls(safe: &SafeTlsConfig, ca_file: &str, cert_file: &str, key_file: &str) -> Result<(), Finding> {
    let SafeTlsConfig { ca, cert, key_secret, server_name: _, insecure_skip_verify: _, min_version, max_version } =
        safe;
    let refuse = |field: &str, reason: &str| Err(Finding::refused(reason).within(field));
    for (field, selector) in [("ca", ca), ("cert", cert)] {
        if selector.secret.is_some() && selector.config_map.is_some() {
            return refuse(field, "names a secret and a configmap, keep one");
        }
    }
    if let (Some(min), Some(max)) = (min_version, max_version)
        && max < min
    {
        return refuse("maxVersion", "is below minVersion");
    }
    if !ca.is_empty() && !ca_file.is_empty() {
        return refuse("caFile", "cannot be set beside ca, keep one");
    }
    if !cert.is_empty() && !cert_file.is_empty() {
        return refuse("certFile", "cannot be set beside cert, keep one");
    }
    if key_secret.is_some() && !key_file.is_empty() {
        return refuse("keyFile", "cannot be set beside keySecret, keep one");
    }
    let has_cert = !cert.is_empty() || !cert_file.is_empty();
    let has_key = key_secret.is_some() || !key_file.is_empty();
    match (has_cert, has_key) {
        (true, false) => refuse("cert", "is set without a key, set keySecret too"),
        (false, true) => refuse("keySecret", "is set without a certificate, set cert too"),
        _ => Ok(()),
    }
}
