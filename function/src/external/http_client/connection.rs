//! Connections to servers that return targets.
//!
//! Input: a URL and the settings of a client. Output: an open connection, through a proxy if the settings name one. All
//! addresses are checked after the name was resolved, including the addresses of proxies.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ::http::header::{HOST, PROXY_AUTHORIZATION};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use target_allocator_core::config::Egress;
use target_allocator_core::discovery::proxy::{EnvironmentProxies, proxy_for};
use target_allocator_core::scrape_config::http_client::{ProxyConfig, TlsConfig};
use target_allocator_core::scrape_config::secret::Secret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use url::{Position, Url};

use super::credentials::{CredentialsError, of_user};
use super::tls::{self, TlsError};

/// The reason why there is no connection or no response.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    #[error("the scheme is neither http nor https: {0}")]
    Scheme(String),
    #[error("the url has no host")]
    NoHost,
    #[error("the proxy")]
    Proxy(#[source] Box<Self>),
    #[error("not a url")]
    NotUrl(#[from] url::ParseError),
    #[error("the host cannot be resolved: {host}")]
    NotResolved {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("the host has no address: {0}")]
    NoAddress(String),
    #[error("cannot connect to {address}")]
    NotConnected {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("targets may not be fetched from there, http_sd_allow can permit it: {0}")]
    NotAllowed(SocketAddr),
    #[error("proxy_connect_header holds what is no header: {0}")]
    ConnectHeader(String),
    #[error("it answered {0}")]
    NoTunnel(StatusCode),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Request(#[from] ::http::Error),
    #[error(transparent)]
    Exchange(#[from] hyper::Error),
}

impl ConnectionError {
    /// An error at the proxy.
    fn at_proxy(error: impl Into<Self>) -> Self {
        Self::Proxy(Box::new(error.into()))
    }
}

type Result<T> = std::result::Result<T, ConnectionError>;

/// Opens connections.
pub struct Connector {
    /// The allowed addresses.
    pub egress: Egress,
    /// The address of the runtime API. It is never allowed.
    pub runtime_api: Option<String>,
    /// The folder of files in TLS settings.
    pub folder: PathBuf,
    /// The proxies for clients with `proxy_from_environment`.
    pub proxies: EnvironmentProxies,
}

/// A connection with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}
type AnyStream = Box<dyn Stream>;

/// An open connection. It closes when its set of tasks is dropped.
pub struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Whether the peer is a proxy that forwards requests.
    forwarded: Option<Forwarded>,
    _driver: JoinSet<()>,
}

struct Forwarded {
    authorization: Option<HeaderValue>,
}

/// The server in a URL.
struct Server<'a> {
    host: &'a str,
    port: u16,
    secure: bool,
}

impl<'a> Server<'a> {
    fn of(url: &'a Url) -> Result<Self> {
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(ConnectionError::Scheme(other.to_owned())),
        };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(ConnectionError::NoHost);
        };
        Ok(Self { host: host.trim_start_matches('[').trim_end_matches(']'), port, secure })
    }

    fn authority(&self) -> String {
        let Self { host, port, secure: _ } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl Connector {
    /// A connection to the server of `url`.
    pub async fn connect(&self, url: &Url, tls: &TlsConfig, proxy: &ProxyConfig) -> Result<Connection> {
        let server = Server::of(url)?;
        let Some(way) = proxy_for(proxy, &self.proxies, server.secure, server.host, server.port) else {
            let stream = self.open(&server).await?;
            return Connection::start(self.secured(stream, &server, tls).await?, None).await;
        };
        // The proxy resolves names, so only an IP address can be checked here.
        if let Ok(address) = server.host.parse::<IpAddr>() {
            self.check(server.host, SocketAddr::new(address, server.port))?;
        }
        let way = Url::parse(way).map_err(ConnectionError::at_proxy)?;
        let first = Server::of(&way).map_err(ConnectionError::at_proxy)?;
        let stream = self.open(&first).await.map_err(ConnectionError::at_proxy)?;
        let stream = self.secured(Box::new(stream), &first, tls).await.map_err(ConnectionError::at_proxy)?;
        let authorization = of_user(&way)?;
        if !server.secure {
            return Connection::start(stream, Some(Forwarded { authorization })).await;
        }
        let stream = tunnel(stream, &server, authorization, &proxy.proxy_connect_header)
            .await
            .map_err(ConnectionError::at_proxy)?;
        Connection::start(self.secured(stream, &server, tls).await?, None).await
    }

    async fn secured(&self, stream: AnyStream, server: &Server<'_>, tls: &TlsConfig) -> Result<AnyStream> {
        if !server.secure {
            return Ok(stream);
        }
        Ok(Box::new(tls::wrap(stream, server.host, tls, &self.folder).await?))
    }

    /// A connection to the first allowed address of the host that accepts one.
    async fn open(&self, server: &Server<'_>) -> Result<AnyStream> {
        let Server { host, port, secure: _ } = *server;
        let addresses = tokio::net::lookup_host((host, port)).await;
        let addresses = addresses.map_err(|source| ConnectionError::NotResolved { host: host.to_owned(), source })?;
        let mut failure = ConnectionError::NoAddress(host.to_owned());
        for address in addresses {
            if let Err(refusal) = self.check(host, address) {
                failure = refusal;
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(Box::new(stream)),
                Err(source) => failure = ConnectionError::NotConnected { address, source },
            }
        }
        Err(failure)
    }

    fn check(&self, host: &str, address: SocketAddr) -> Result<()> {
        if self.is_runtime_api(host, address) || !self.egress.permits(host, address.ip()) {
            return Err(ConnectionError::NotAllowed(address));
        }
        Ok(())
    }

    fn is_runtime_api(&self, host: &str, address: SocketAddr) -> bool {
        let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
        self.runtime_api.as_deref().is_some_and(|api| {
            api == format!("{host}:{}", address.port()) || api.parse().is_ok_and(|api: SocketAddr| api == canonical)
        })
    }
}

/// Requests a tunnel to the server from a proxy.
async fn tunnel(
    stream: AnyStream,
    server: &Server<'_>,
    authorization: Option<HeaderValue>,
    headers: &BTreeMap<String, Vec<Secret>>,
) -> Result<AnyStream> {
    let authority = server.authority();
    let request = Request::connect(&authority).header(HOST, &authority).body(Full::new(Bytes::new()));
    let mut request = request?;
    for (name, values) in headers {
        let wrong = || ConnectionError::ConnectHeader(name.clone());
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        for value in values {
            let value = HeaderValue::from_str(value.expose()).map_err(|_| wrong())?;
            request.headers_mut().append(header.clone(), value);
        }
    }
    request.headers_mut().extend(authorization.map(|value| (PROXY_AUTHORIZATION, value)));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut driver = JoinSet::new();
    driver.spawn(connection.with_upgrades());
    let response = sender.send_request(request).await?;
    if !response.status().is_success() {
        return Err(ConnectionError::NoTunnel(response.status()));
    }
    let upgraded = hyper::upgrade::on(response).await?;
    Ok(Box::new(TokioIo::new(upgraded)))
}

impl Connection {
    async fn start(stream: AnyStream, forwarded: Option<Forwarded>) -> Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // The error of the request contains the reason.
            let _ = connection.await;
        });
        Ok(Self { sender, forwarded, _driver: driver })
    }

    /// Sends a request for `url` and waits for the head of the response.
    pub async fn send(
        &mut self,
        method: &Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>> {
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let path = &url[Position::BeforePath..Position::AfterQuery];
        let target = match self.forwarded {
            Some(_) => format!("{}://{host}{path}", url.scheme()),
            None => path.to_owned(),
        };
        let request = Request::builder().method(method).uri(target).body(Full::new(body));
        let mut request = request?;
        *request.headers_mut() = headers;
        let host = HeaderValue::from_str(host).map_err(::http::Error::from)?;
        request.headers_mut().insert(HOST, host);
        if let Some(Forwarded { authorization: Some(value) }) = &self.forwarded {
            request.headers_mut().insert(PROXY_AUTHORIZATION, value.clone());
        }
        Ok(self.sender.send_request(request).await?)
    }
}
