//! Fetches lists of targets from URLs.
//!
//! Input: an `http_sd` config. Output: the groups that its URL answers. Sends the
//! config's own credentials to the config's own server alone. Others ask their servers
//! by the same client, with the same care.

mod connection;
mod oauth2;
mod tls;

use std::time::Duration;

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, USER_AGENT};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use target_allocator_core::discovery::SourceGroup;
use target_allocator_core::discovery::http::{groups, is_json, shown};
use target_allocator_core::scrape_config::discovery::HttpSd;
use target_allocator_core::scrape_config::http_client::HttpClientConfig;
use tokio::time::timeout_at;
use url::Url;

use super::MOST_BYTES;
use super::file::read_file;
use super::turn::{Large, Turn};
use crate::error::chain;
pub use connection::Connector;
use oauth2::Tokens;

const MOST_REDIRECTS: usize = 10;

/// Of which size an answer waits until it may be read on.
const LARGE: usize = 1 << 20;

const TOO_SLOW: &str = "more than 1 MiB of the answer have come, and the rest comes too slowly";

/// Fetches what others say.
pub struct Client {
    connector: Connector,
    tokens: Tokens,
}

/// Asks for one source.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    client: &'a Client,
    turn: &'a Turn,
}

/// What to ask a server.
pub struct Ask {
    /// `GET`, or what is not sent again when the server redirects.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// Headers for whoever answers in the end.
    pub headers: HeaderMap,
    /// Empty for `GET`.
    pub body: Bytes,
}

impl Client {
    /// Asks over connections of `connector`.
    pub fn new(connector: Connector) -> Self {
        Self { connector, tokens: Tokens::default() }
    }

    /// Asks for a source that has this turn.
    pub const fn within<'a>(&'a self, turn: &'a Turn) -> Asker<'a> {
        Asker { client: self, turn }
    }

    /// Credentials and headers of the config. What signs itself has its credentials already.
    async fn own_headers(&self, client: &HttpClientConfig, ask: &Ask) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        if !ask.headers.contains_key(AUTHORIZATION) {
            headers.extend(self.authorization(client, &ask.url).await?.map(|value| (AUTHORIZATION, value)));
        }
        let HttpClientConfig { http_headers, .. } = client;
        for (name, header) in http_headers {
            let wrong = |_| format!("http_headers holds what is no header: {name}");
            let header_name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(()))?;
            let secrets = header.secrets.iter().map(|secret| Ok(secret.expose().to_owned()));
            let files = header.files.iter().map(|path| self.text("", path));
            for value in header.values.iter().cloned().map(Ok).chain(secrets).chain(files) {
                let value = HeaderValue::from_str(&value?).map_err(|_| wrong(()))?;
                headers.append(header_name.clone(), value);
            }
        }
        Ok(headers)
    }

    async fn authorization(&self, client: &HttpClientConfig, url: &Url) -> Result<Option<HeaderValue>, String> {
        let HttpClientConfig { basic_auth, authorization, oauth2, .. } = client;
        if let Some(auth) = basic_auth {
            let user = self.text(&auth.username, &auth.username_file)?;
            let password = self.text(auth.password.expose(), &auth.password_file)?;
            return sensitive(&basic(&user, &password)).map(Some);
        }
        if let Some(auth) = authorization {
            let credentials = self.text(auth.credentials.expose(), &auth.credentials_file)?;
            return sensitive(&format!("{} {credentials}", auth.r#type)).map(Some);
        }
        if let Some(oauth2) = oauth2 {
            let secret = self.text(oauth2.client_secret.expose(), &oauth2.client_secret_file)?;
            return self.tokens.header(&self.connector, oauth2, &secret).await.map(Some);
        }
        of_user(url)
    }

    /// A text, or what its file holds.
    fn text(&self, inline: &str, file: &str) -> Result<String, String> {
        if file.is_empty() {
            return Ok(inline.to_owned());
        }
        let content = read_file(&self.connector.folder.join(file)).map_err(|reason| format!("{file}: {reason}"))?;
        Ok(String::from_utf8_lossy(&content).trim().to_owned())
    }
}

impl Asker<'_> {
    /// The groups that the config's URL answers.
    pub async fn groups(self, config: &HttpSd) -> Result<Vec<SourceGroup>, String> {
        let url = Url::parse(config.url.expose()).map_err(|error| format!("not a url: {error}"))?;
        let interval = Duration::from_millis(config.refresh_interval.as_millis()).as_secs_f64().to_string();
        let headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("application/json")),
            user_agent(),
            (
                HeaderName::from_static("x-prometheus-refresh-interval-seconds"),
                HeaderValue::from_str(&interval).map_err(|error| chain(&error))?,
            ),
        ]);
        let ask = Ask { method: Method::GET, url, headers, body: Bytes::new() };
        let (parts, body) = self.fetch(&config.http_client, &ask).await?;
        if parts.status != StatusCode::OK {
            return Err(format!("the server answered {}", parts.status));
        }
        let content_type = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let content_type = String::from_utf8_lossy(content_type);
        if !is_json(&content_type) {
            return Err(format!("the content type is not application/json: {content_type:?}"));
        }
        groups(config.url.expose(), &body).map_err(|error| chain(&error))
    }

    /// The answer at the end of all redirects.
    pub async fn fetch(self, config: &HttpClientConfig, ask: &Ask) -> Result<(response::Parts, Bytes), String> {
        let Self { client, turn } = self;
        let mut own = client.own_headers(config, ask).await?;
        let mut url = ask.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let mut connection = client.connector.connect(&url, &config.tls_config, &config.proxy).await?;
            if url.origin() != ask.url.origin() {
                // Whoever was redirected to must not choose what they are sent for, either.
                own.clear();
            }
            let mut headers = ask.headers.clone();
            headers.extend(own.clone());
            let response = connection.send(&ask.method, &url, headers, ask.body.clone()).await?;
            match redirect(&response, &url).filter(|_| config.follow_redirects && ask.method == Method::GET) {
                Some(next) => url = next?,
                None => {
                    if response.status() == StatusCode::UNAUTHORIZED
                        && let Some(oauth2) = &config.oauth2
                    {
                        let secret = client.text(oauth2.client_secret.expose(), &oauth2.client_secret_file)?;
                        client.tokens.forget(oauth2, &secret);
                    }
                    return collected(response, Some(turn)).await;
                }
            }
        }
        Err(format!("more than {MOST_REDIRECTS} redirects"))
    }
}

fn user_agent() -> (HeaderName, HeaderValue) {
    (USER_AGENT, HeaderValue::from_static(concat!("target-allocator/", env!("CARGO_PKG_VERSION"))))
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn sensitive(text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text).map_err(|_| "the credentials do not fit into a header")?;
    value.set_sensitive(true);
    Ok(value)
}

/// The credentials of a URL's user, if it has one.
fn of_user(url: &Url) -> Result<Option<HeaderValue>, String> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    sensitive(&basic(&decode(url.username()), &decode(url.password().unwrap_or_default()))).map(Some)
}

/// An answer of bearable size: it waits for the source's turn before it grows large, and without one it may not.
async fn collected(response: Response<Incoming>, turn: Option<&Turn>) -> Result<(response::Parts, Bytes), String> {
    let (parts, mut body) = response.into_parts();
    let most = if turn.is_some() { MOST_BYTES } else { LARGE };
    let (mut bytes, mut large) = (BytesMut::new(), None::<Large>);
    loop {
        let frame = match &large {
            Some(large) => timeout_at(large.deadline(bytes.len()), body.frame()).await.map_err(|_| TOO_SLOW)?,
            None => body.frame().await,
        };
        let Some(frame) = frame else { return Ok((parts, bytes.freeze())) };
        let Ok(data) = frame.map_err(|error| chain(&error))?.into_data() else { continue };
        let size = bytes.len() + data.len();
        if size > most {
            return Err(format!("the answer has more than {} MiB", most >> 20));
        }
        if size > LARGE
            && large.is_none()
            && let Some(turn) = turn
        {
            large = Some(turn.grow(size).await);
        }
        bytes.extend_from_slice(&data);
    }
}

fn redirect(response: &Response<Incoming>, from: &Url) -> Option<Result<Url, String>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().unwrap_or_default();
    Some(from.join(location).map_err(|error| format!("redirected to what is no url: {}: {error}", shown(location))))
}
