//! `http_sd_configs`: requests to URLs that return lists of targets.
//!
//! Input: an SD config. Output: the groups in the response of its URL.

use std::time::Duration;

use ::http::header::{ACCEPT, CONTENT_TYPE, InvalidHeaderValue};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use target_allocator_core::discovery::http;
use target_allocator_core::discovery::{SourceGroup, TargetListError};
use target_allocator_core::scrape_config::discovery::HttpSd;
use url::Url;

use super::http_client::{Ask, Asker, FetchError, user_agent};

/// The reason why the groups cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("not a url")]
    NotUrl(#[from] url::ParseError),
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("the content type is not application/json: {0:?}")]
    ContentType(String),
    #[error(transparent)]
    Interval(#[from] InvalidHeaderValue),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Groups(#[from] TargetListError),
}

/// Requests the groups of a config.
pub async fn groups(client: Asker<'_>, config: &HttpSd) -> Result<Vec<SourceGroup>, HttpError> {
    let url = Url::parse(config.url.expose())?;
    let interval = Duration::from_millis(config.refresh_interval.as_millis()).as_secs_f64().to_string();
    let headers = HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/json")),
        user_agent(),
        (HeaderName::from_static("x-prometheus-refresh-interval-seconds"), HeaderValue::from_str(&interval)?),
    ]);
    let ask = Ask { method: Method::GET, url, headers, body: Bytes::new() };
    let (parts, body) = client.fetch(&config.http_client, &ask).await?;
    if parts.status != StatusCode::OK {
        return Err(HttpError::Status(parts.status));
    }
    let content_type = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let content_type = String::from_utf8_lossy(content_type);
    if !http::is_json(&content_type) {
        return Err(HttpError::ContentType(content_type.into_owned()));
    }
    Ok(http::groups(config.url.expose(), &body)?)
}
