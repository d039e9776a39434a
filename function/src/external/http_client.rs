//! The HTTP client that all kinds of service discovery share.
//!
//! Input: the HTTP settings of an SD config, and a request. Output: the response at the end of all redirects. The
//! credentials of a config are sent only to the server that the config names.

mod body;
mod connection;
mod credentials;
mod oauth2;
mod tls;

use ::http::header::{AUTHORIZATION, LOCATION, USER_AGENT};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, response};
use bytes::Bytes;
use hyper::body::Incoming;
use target_allocator_core::discovery::http::shown;
use target_allocator_core::scrape_config::http_client::HttpClientConfig;
use url::Url;

use super::file::{ReadError, read_file};
use super::turn::Turn;
use body::{BodyError, collected};
use connection::ConnectionError;
pub use connection::Connector;
use credentials::{CredentialsError, basic, of_user, sensitive};
use oauth2::{OAuth2Error, Tokens};

const MOST_REDIRECTS: usize = 10;

/// The reason why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("http_headers holds what is no header: {0}")]
    Header(String),
    #[error("{path}")]
    File {
        path: String,
        #[source]
        source: ReadError,
    },
    #[error("more than {MOST_REDIRECTS} redirects")]
    Redirects,
    #[error("redirected to what is no url: {url}")]
    RedirectUrl {
        url: String,
        #[source]
        source: url::ParseError,
    },
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Token(#[from] OAuth2Error),
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Body(#[from] BodyError),
}

type Result<T> = std::result::Result<T, FetchError>;

/// Sends requests.
pub struct Client {
    connector: Connector,
    tokens: Tokens,
}

/// Sends the requests of one source.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    client: &'a Client,
    turn: &'a Turn,
}

/// A request to a server.
pub struct Ask {
    /// The method. Redirects are followed only for `GET`.
    pub method: Method,
    /// The server, path and query.
    pub url: Url,
    /// Headers that every server gets, even after a redirect.
    pub headers: HeaderMap,
    /// The body. Empty for `GET`.
    pub body: Bytes,
}

impl Client {
    /// Sends requests over connections of `connector`.
    pub fn new(connector: Connector) -> Self {
        Self { connector, tokens: Tokens::default() }
    }

    /// Sends the requests of the source that has this turn.
    pub const fn within<'a>(&'a self, turn: &'a Turn) -> Asker<'a> {
        Asker { client: self, turn }
    }

    /// The credentials and headers of the config. A signed request already has its credentials.
    async fn own_headers(&self, client: &HttpClientConfig, ask: &Ask) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        if !ask.headers.contains_key(AUTHORIZATION) {
            headers.extend(self.authorization(client, &ask.url).await?.map(|value| (AUTHORIZATION, value)));
        }
        let HttpClientConfig { http_headers, .. } = client;
        for (name, header) in http_headers {
            let wrong = || FetchError::Header(name.clone());
            let header_name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            let secrets = header.secrets.iter().map(|secret| Ok(secret.expose().to_owned()));
            let files = header.files.iter().map(|path| self.text("", path));
            for value in header.values.iter().cloned().map(Ok).chain(secrets).chain(files) {
                let value = HeaderValue::from_str(&value?).map_err(|_| wrong())?;
                headers.append(header_name.clone(), value);
            }
        }
        Ok(headers)
    }

    async fn authorization(&self, client: &HttpClientConfig, url: &Url) -> Result<Option<HeaderValue>> {
        let HttpClientConfig { basic_auth, authorization, oauth2, .. } = client;
        if let Some(auth) = basic_auth {
            let user = self.text(&auth.username, &auth.username_file)?;
            let password = self.text(auth.password.expose(), &auth.password_file)?;
            return Ok(Some(sensitive(&basic(&user, &password))?));
        }
        if let Some(auth) = authorization {
            let credentials = self.text(auth.credentials.expose(), &auth.credentials_file)?;
            return Ok(Some(sensitive(&format!("{} {credentials}", auth.r#type))?));
        }
        if let Some(oauth2) = oauth2 {
            let secret = self.text(oauth2.client_secret.expose(), &oauth2.client_secret_file)?;
            return Ok(Some(self.tokens.header(&self.connector, oauth2, &secret).await?));
        }
        Ok(of_user(url)?)
    }

    /// A text, or the content of its file.
    fn text(&self, inline: &str, file: &str) -> Result<String> {
        if file.is_empty() {
            return Ok(inline.to_owned());
        }
        let content = read_file(&self.connector.folder.join(file));
        let content = content.map_err(|source| FetchError::File { path: file.to_owned(), source })?;
        Ok(String::from_utf8_lossy(&content).trim().to_owned())
    }
}

impl Asker<'_> {
    /// The response after all redirects.
    pub async fn fetch(self, config: &HttpClientConfig, ask: &Ask) -> Result<(response::Parts, Bytes)> {
        let Self { client, turn } = self;
        let mut own = client.own_headers(config, ask).await?;
        let mut url = ask.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let mut connection = client.connector.connect(&url, &config.tls_config, &config.proxy).await?;
            if url.origin() != ask.url.origin() {
                // The credentials are dropped for all further requests. Otherwise the other server could redirect back,
                // and choose the request that they authorise.
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
                    return Ok(collected(response, Some(turn)).await?);
                }
            }
        }
        Err(FetchError::Redirects)
    }
}

/// The header that names this client.
pub fn user_agent() -> (HeaderName, HeaderValue) {
    (USER_AGENT, HeaderValue::from_static(concat!("target-allocator/", env!("CARGO_PKG_VERSION"))))
}

fn redirect(response: &Response<Incoming>, from: &Url) -> Option<Result<Url>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().unwrap_or_default();
    Some(from.join(location).map_err(|source| FetchError::RedirectUrl { url: shown(location), source }))
}
