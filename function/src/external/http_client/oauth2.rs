//! OAuth 2.0 with the client credentials grant.
//!
//! Input: the settings and the secret of the client. Output: the `Authorization` header. A token is used until shortly
//! before it expires. Follows `clientcredentials` of `x/oauth2` of Go: the credentials are sent as a header. If the
//! server refuses the header, the credentials are sent in the form.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode, response};
use bytes::Bytes;
use serde_json::Value;
use target_allocator_core::scrape_config::http_client::OAuth2;
use url::Url;
use url::form_urlencoded::{self, byte_serialize};

use super::body::{BodyError, collected};
use super::connection::{ConnectionError, Connector};
use super::credentials::{CredentialsError, basic, sensitive};
use super::user_agent;
use crate::moment::Moment;

/// The reason why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum OAuth2Error {
    #[error("oauth2.token_url")]
    Token(#[source] Box<Self>),
    #[error("endpoint_params sets what scopes does: scope")]
    Scope,
    #[error("not a url")]
    NotUrl(#[from] url::ParseError),
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("the server answered {status}: {reason}")]
    Refused { status: StatusCode, reason: String },
    #[error("the server answered no access_token")]
    NoToken,
    #[error(transparent)]
    Key(#[from] serde_json::Error),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Body(#[from] BodyError),
}

type Result<T> = std::result::Result<T, OAuth2Error>;

/// A token is renewed if it expires within this time.
const EARLY: Duration = Duration::from_secs(10);

/// The latest token of each client.
#[derive(Default)]
pub struct Tokens {
    known: Mutex<BTreeMap<Key, Token>>,
}

/// Identifies a token by all settings that it depends on. Contains secrets.
type Key = (String, String);

struct Token {
    header: HeaderValue,
    since: Moment,
    lifetime: Option<Duration>,
}

impl Token {
    fn is_fresh(&self) -> bool {
        self.lifetime.is_none_or(|lifetime| self.since.elapsed() + EARLY < lifetime)
    }
}

impl Tokens {
    /// A header with a valid token.
    pub async fn header(&self, connector: &Connector, config: &OAuth2, secret: &str) -> Result<HeaderValue> {
        let key = key(config, secret)?;
        let known = |tokens: &Self| {
            let known = tokens.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&key).filter(|token| token.is_fresh()).map(|token| token.header.clone())
        };
        if let Some(header) = known(self) {
            return Ok(header);
        }
        let token = fetch(connector, config, secret).await.map_err(|error| OAuth2Error::Token(Box::new(error)))?;
        let header = token.header.clone();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, token| token.is_fresh());
        known.insert(key, token);
        Ok(header)
    }

    /// Forgets a token that a server refused.
    pub fn forget(&self, config: &OAuth2, secret: &str) {
        if let Ok(key) = key(config, secret) {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
    }
}

fn key(config: &OAuth2, secret: &str) -> Result<Key> {
    Ok((serde_json::to_string(config)?, secret.to_owned()))
}

async fn fetch(connector: &Connector, config: &OAuth2, secret: &str) -> Result<Token> {
    let form = form(config)?;
    let escaped = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let header = sensitive(&basic(&escaped(&config.client_id), &escaped(secret)))?;
    let since = Moment::now();
    let (mut parts, mut body) = ask(connector, config, &form, Some(header)).await?;
    if !parts.status.is_success() {
        let mut form = form.clone();
        form.push(("client_id", &config.client_id));
        if !secret.is_empty() {
            form.push(("client_secret", secret));
        }
        (parts, body) = ask(connector, config, &form, None).await?;
    }
    read(&parts, &body, since)
}

/// The form parameters of a token request.
fn form(config: &OAuth2) -> Result<Vec<(&str, &str)>> {
    let mut form = Vec::new();
    if !config.endpoint_params.contains_key("grant_type") {
        form.push(("grant_type", "client_credentials"));
    }
    if !config.scopes.is_empty() && config.endpoint_params.contains_key("scope") {
        return Err(OAuth2Error::Scope);
    }
    form.extend(config.endpoint_params.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Ok(form)
}

async fn ask(
    connector: &Connector,
    config: &OAuth2,
    form: &[(&str, &str)],
    authorization: Option<HeaderValue>,
) -> Result<(response::Parts, Bytes)> {
    let url = Url::parse(&config.token_url)?;
    let scope = (!config.scopes.is_empty()).then(|| ("scope", config.scopes.join(" ")));
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).extend_pairs(scope).finish();
    let mut headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
        (ACCEPT, HeaderValue::from_static("application/json")),
        user_agent(),
    ]);
    headers.extend(authorization.map(|value| (AUTHORIZATION, value)));
    let mut connection = connector.connect(&url, &config.tls_config, &config.proxy).await?;
    Ok(collected(connection.send(&Method::POST, &url, headers, body.into()).await?, None).await?)
}

fn read(parts: &response::Parts, body: &[u8], since: Moment) -> Result<Token> {
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_form = matches!(
        content_type.split(';').next().unwrap_or_default().trim(),
        "application/x-www-form-urlencoded" | "text/plain"
    );
    let fields: BTreeMap<String, Value> = if is_form {
        form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), Value::from(value))).collect()
    } else {
        serde_json::from_slice(body).unwrap_or_default()
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    if !parts.status.is_success() {
        let (status, reason) = (parts.status, text("error").to_owned());
        let explained = !reason.is_empty();
        return Err(if explained { OAuth2Error::Refused { status, reason } } else { OAuth2Error::Status(status) });
    }
    let (kind, token) = (text("token_type"), text("access_token"));
    if token.is_empty() {
        return Err(OAuth2Error::NoToken);
    }
    let kind = match kind.to_ascii_lowercase().as_str() {
        "" | "bearer" => "Bearer",
        "mac" => "MAC",
        "basic" => "Basic",
        _ => kind,
    };
    let seconds = fields.get("expires_in").and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
    let lifetime = seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    Ok(Token { header: sensitive(&format!("{kind} {token}"))?, since, lifetime })
}
