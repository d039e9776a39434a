//! `consul_sd_configs`: requests to Consul's HTTP API.
//!
//! Input: an SD config. Output: one group for each service. If one request fails, the whole config fails. A service
//! whose instances are unknown must not lose its targets.

use ::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use target_allocator_core::discovery::consul::{self, Api, ConsulError, Query, ServerError};
use target_allocator_core::discovery::{MOST_TARGETS, SourceGroup};
use target_allocator_core::scrape_config::discovery::ConsulSd;
use target_allocator_core::scrape_config::http_client::HttpClientConfig;
use url::Url;
use url::form_urlencoded::Serializer;

use super::MOST_BYTES;
use super::http_client::{Ask, Asker, FetchError, user_agent};

/// Number of concurrent requests for instances. A refresh must be able to read a catalog of hundreds of services.
const AT_ONCE: usize = 8;

/// The characters that Go escapes in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// The reason why the groups cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("not a url")]
    NotUrl(#[from] url::ParseError),
    #[error("{path}: consul answered {status}")]
    Status { path: String, status: StatusCode },
    #[error("{path}")]
    Answer {
        path: String,
        #[source]
        source: ConsulError,
    },
    #[error("the instances of all services take more than {} MiB", MOST_BYTES >> 20)]
    TooLarge,
    #[error("it has more than {MOST_TARGETS} targets")]
    TooMany,
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// A Consul server with its HTTP client.
struct Consul<'a> {
    http: Asker<'a>,
    api: Api,
    client: HttpClientConfig,
}

/// Requests the groups of a config.
pub async fn groups(http: Asker<'_>, config: &ConsulSd) -> Result<Vec<SourceGroup>, RequestError> {
    let consul = Consul { http, api: consul::api(config)?, client: client(config) };
    let datacenter = consul.datacenter(config).await?;
    let services = consul.services(config).await?;
    let requests = services.into_iter().map(|service| consul.group(config, &datacenter, service));
    let mut answers = stream::iter(requests).buffered(AT_ONCE);
    let (mut groups, mut bytes, mut targets) = (Vec::new(), 0, 0);
    while let Some((group, size)) = answers.try_next().await? {
        bytes += size;
        targets += group.targets.len();
        if bytes > MOST_BYTES {
            return Err(RequestError::TooLarge);
        }
        if targets > MOST_TARGETS {
            return Err(RequestError::TooMany);
        }
        groups.push(group);
    }
    Ok(groups)
}

/// The client of a config. It sends the token as a header.
///
/// DIFFERENCE(consul-token): after a redirect, Prometheus also sends the token to the other server. The function sends
/// the token only to Consul.
fn client(config: &ConsulSd) -> HttpClientConfig {
    let mut client = config.http_client.clone();
    if !config.token.expose().is_empty() {
        let header = client.http_headers.entry("X-Consul-Token".to_owned()).or_default();
        header.secrets.push(config.token.clone());
    }
    client
}

impl Consul<'_> {
    async fn datacenter(&self, config: &ConsulSd) -> Result<String, RequestError> {
        if config.datacenter.is_empty() {
            return self.read(consul::agent_query(config), consul::datacenter).await.map(|(datacenter, _)| datacenter);
        }
        Ok(config.datacenter.clone())
    }

    /// The names of the services that the config selects.
    async fn services(&self, config: &ConsulSd) -> Result<Vec<String>, RequestError> {
        if let Some(named) = consul::named_services(config) {
            return Ok(named.into_iter().collect());
        }
        let (all, _) = self.read(consul::services_query(config), consul::services).await?;
        let selected = all.into_iter().filter(|(name, tags)| consul::selects(config, name, tags));
        Ok(selected.map(|(name, _)| name).collect())
    }

    /// The group of a service, and the size of the response in bytes.
    async fn group(
        &self,
        config: &ConsulSd,
        datacenter: &str,
        service: String,
    ) -> Result<(SourceGroup, usize), RequestError> {
        let (instances, size) = self.read(consul::instances_query(config, &service), consul::instances).await?;
        Ok((consul::group(config, datacenter, &service, &instances), size))
    }

    /// Sends a request and reads the response. Also returns the size of the response in bytes.
    async fn read<T>(
        &self,
        query: Query,
        read: fn(&[u8]) -> Result<T, ConsulError>,
    ) -> Result<(T, usize), RequestError> {
        let Query { path, parameters } = query;
        let url = self.url(&path, &parameters)?;
        let headers = HeaderMap::from_iter([user_agent()]);
        let ask = Ask { method: Method::GET, url, headers, body: Bytes::new() };
        let (parts, body) = self.http.fetch(&self.client, &ask).await?;
        if parts.status != StatusCode::OK {
            return Err(RequestError::Status { path, status: parts.status });
        }
        let answer = read(&body).map_err(|source| RequestError::Answer { path, source })?;
        Ok((answer, body.len()))
    }

    fn url(&self, path: &str, parameters: &[(&str, String)]) -> Result<Url, url::ParseError> {
        let Api { origin, prefix } = &self.api;
        let path = format!("{prefix}{path}");
        let query = Serializer::new(String::new()).extend_pairs(parameters).finish();
        Url::parse(&format!("{origin}{}?{query}", utf8_percent_encode(&path, PATH)))
    }
}
