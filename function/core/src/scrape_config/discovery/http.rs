//! `http_sd_configs`: URLs that answer with lists of targets.

use serde::Serialize;

use super::kind::{SdConfig, refused, validate_client};
use crate::duration::Duration;
use crate::scrape_config::fields::{Node, ParseError, Refusal};
use crate::scrape_config::http_client::HttpClientConfig;
use crate::scrape_config::is_default;
use crate::scrape_config::secret::SecretUrl;
use crate::scrape_config::url::{GoUrl, UrlError};

/// A URL that answers with a list of targets. Follows `discovery/http/http.go`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct HttpSd {
    #[serde(flatten)]
    pub http_client: HttpClientConfig,
    #[serde(skip_serializing_if = "is_default")]
    pub refresh_interval: Duration,
    pub url: SecretUrl,
}

impl HttpSd {
    /// Fetches `url` every minute, with the defaults of Prometheus.
    pub fn new(url: impl Into<SecretUrl>) -> Self {
        Self { http_client: HttpClientConfig::default(), refresh_interval: Duration::from_secs(60), url: url.into() }
    }
}

impl SdConfig for HttpSd {
    fn read(node: &Node<'_>) -> Result<Self, ParseError> {
        let mut fields = node.fields()?;
        let mut config = HttpSd::new("");
        let HttpSd { http_client: client, refresh_interval, url } = &mut config;
        fields.read("refresh_interval", refresh_interval, Node::duration)?;
        fields.read("url", url, |node| node.string().map(SecretUrl::from))?;
        client.read(&mut fields)?;
        fields.finish()?;
        Ok(config)
    }

    fn validate(&mut self) -> Result<(), Refusal> {
        let url: GoUrl = self.url.expose().parse().map_err(|error| Refusal::new(HttpError::NotUrl(error)))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return refused(HttpError::NotHttp(self.url.clone()));
        }
        validate_client(&mut self.http_client, "http_sd_configs")
    }
}

#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error("http_sd_configs.url is not a url")]
    NotUrl(#[source] UrlError),
    #[error("http_sd_configs.url is not an http or https url with a host: {0:?}")]
    NotHttp(SecretUrl),
}
