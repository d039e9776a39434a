//! Fetches lists of targets from URLs.
//!
//! Input: an `http_sd` config. Output: the groups that its URL answers. Connects only
//! to addresses that were checked after the name was resolved, at every redirect anew,
//! and sends the config's own credentials to the config's own server alone.

mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use ::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use target_allocator_core::config::Egress;
use target_allocator_core::discovery::external::ExternalGroup;
use target_allocator_core::discovery::external::http::{groups, is_json, shown};
use target_allocator_core::scrape_config::http_client::HttpClientConfig;
use target_allocator_core::scrape_config::service_discovery::HttpSd;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use url::Url;

use super::MOST_BYTES;
use super::file::read_file;
use crate::snapshot::chain;

const MOST_REDIRECTS: usize = 10;

/// Fetches lists.
pub struct Client {
    egress: Egress,
    runtime_api: Option<String>,
    folder: PathBuf,
}

/// An open connection; it is closed with the set.
struct Connection {
    sender: http1::SendRequest<Empty<Bytes>>,
    _driver: JoinSet<()>,
}

impl Client {
    /// Connects where `egress` permits it, never to the runtime API; reads files in `folder`.
    pub fn new(egress: Egress, runtime_api: Option<String>, folder: PathBuf) -> Self {
        Self { egress, runtime_api, folder }
    }

    /// The groups that the config's URL answers.
    pub async fn groups(&self, config: &HttpSd) -> Result<Vec<ExternalGroup>, String> {
        let (parts, body) = self.get(config).await?;
        if parts.status != StatusCode::OK {
            return Err(format!("the server answered {}", parts.status));
        }
        let content_type = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let content_type = String::from_utf8_lossy(content_type);
        if !is_json(&content_type) {
            return Err(format!("the content type is not application/json: {content_type:?}"));
        }
        groups(&config.url, &body).map_err(|error| chain(&error))
    }

    /// The answer at the end of all redirects.
    async fn get(&self, config: &HttpSd) -> Result<(::http::response::Parts, Bytes), String> {
        let first = Url::parse(&config.url).map_err(|error| format!("not a url: {error}"))?;
        let own = self.own_headers(config, &first)?;
        let mut url = first.clone();
        for _ in 0..=MOST_REDIRECTS {
            let mut connection = self.connect(&url, &config.http_client).await?;
            let own = (url.origin() == first.origin()).then_some(&own);
            let request = request(&url, config, own)?;
            let response = connection.sender.send_request(request).await.map_err(|error| chain(&error))?;
            match redirect(&response, &url).filter(|_| config.http_client.follow_redirects) {
                Some(next) => url = next?,
                None => {
                    let (parts, body) = response.into_parts();
                    let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|error| chain(error.as_ref()))?;
                    return Ok((parts, body.to_bytes()));
                }
            }
        }
        Err(format!("more than {MOST_REDIRECTS} redirects"))
    }

    async fn connect(&self, url: &Url, client: &HttpClientConfig) -> Result<Connection, String> {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err("the url has no host".to_owned());
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = self.open(host, port).await?;
        match url.scheme() {
            "http" => shake_hands(stream).await,
            "https" => shake_hands(tls::wrap(stream, host, &client.tls_config, &self.folder).await?).await,
            other => Err(format!("the scheme is neither http nor https: {other}")),
        }
    }

    /// A connection to the first address of the host that may be fetched from and answers.
    async fn open(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        let addresses = tokio::net::lookup_host((host, port)).await;
        let addresses = addresses.map_err(|error| format!("the host cannot be resolved: {host}: {error}"))?;
        let mut failure = format!("the host has no address: {host}");
        for address in addresses {
            if self.is_runtime_api(host, address) || !self.egress.permits(host, address.ip()) {
                failure = format!("targets may not be fetched from there, http_sd_allow can permit it: {address}");
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = format!("cannot connect to {address}: {error}"),
            }
        }
        Err(failure)
    }

    fn is_runtime_api(&self, host: &str, address: SocketAddr) -> bool {
        let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
        self.runtime_api.as_deref().is_some_and(|api| {
            api == format!("{host}:{}", address.port()) || api.parse().is_ok_and(|api: SocketAddr| api == canonical)
        })
    }

    /// Credentials and headers of the config.
    fn own_headers(&self, config: &HttpSd, url: &Url) -> Result<HeaderMap, String> {
        let HttpClientConfig { basic_auth, authorization, http_headers, .. } = &config.http_client;
        let mut headers = HeaderMap::new();
        let mut authorize = |text: String| {
            let mut value = HeaderValue::from_str(&text).map_err(|_| "the credentials do not fit into a header")?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
            Ok::<_, &str>(())
        };
        let basic = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        if let Some(auth) = basic_auth {
            let user = self.text(&auth.username, &auth.username_file)?;
            authorize(basic(&user, &self.text(auth.password.expose(), &auth.password_file)?))?;
        } else if let Some(auth) = authorization {
            let credentials = self.text(auth.credentials.expose(), &auth.credentials_file)?;
            authorize(format!("{} {credentials}", auth.r#type))?;
        } else if !url.username().is_empty() || url.password().is_some() {
            let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
            authorize(basic(&decode(url.username()), &decode(url.password().unwrap_or_default())))?;
        }
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

    /// A text, or what its file holds.
    fn text(&self, inline: &str, file: &str) -> Result<String, String> {
        if file.is_empty() {
            return Ok(inline.to_owned());
        }
        let content = read_file(&self.folder.join(file)).map_err(|reason| format!("{file}: {reason}"))?;
        Ok(String::from_utf8_lossy(&content).trim().to_owned())
    }
}

fn request(url: &Url, config: &HttpSd, own: Option<&HeaderMap>) -> Result<Request<Empty<Bytes>>, String> {
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let interval = std::time::Duration::from_millis(config.refresh_interval.as_millis()).as_secs_f64();
    let request = Request::get(target)
        .header(HOST, host)
        .header(USER_AGENT, concat!("target-allocator/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "application/json")
        .header("x-prometheus-refresh-interval-seconds", interval.to_string());
    let mut request = request.body(Empty::new()).map_err(|error| chain(&error))?;
    if let Some(own) = own {
        request.headers_mut().extend(own.clone());
    }
    Ok(request)
}

fn redirect(response: &Response<Incoming>, from: &Url) -> Option<Result<Url, String>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().unwrap_or_default();
    Some(from.join(location).map_err(|error| format!("redirected to what is no url: {}: {error}", shown(location))))
}

async fn shake_hands<S>(stream: S) -> Result<Connection, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| chain(&error))?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // The request says what went wrong.
        let _ = connection.await;
    });
    Ok(Connection { sender, _driver: driver })
}
