//! Headers that an HTTP client sends with each request.
//!
//! Follows `config/headers.go` of prometheus/common.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::HttpClientError;
use crate::scrape_config::fields::{Node, ParseError};
use crate::scrape_config::is_default;
use crate::scrape_config::secret::Secret;

/// Headers that the connection or Prometheus itself sets.
const RESERVED_HEADERS: [&str; 18] = [
    "Authorization",
    "Host",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Www-Authenticate",
    "Accept-Encoding",
    "X-Prometheus-Remote-Write-Version",
    "X-Prometheus-Remote-Read-Version",
    "X-Prometheus-Scrape-Timeout-Seconds",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
];

/// One header that the client sends with every request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct HttpHeader {
    #[serde(skip_serializing_if = "is_default")]
    pub values: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub secrets: Vec<Secret>,
    #[serde(skip_serializing_if = "is_default")]
    pub files: Vec<String>,
}

/// Reads `http_headers`: a map from names to headers.
pub(super) fn headers(node: &Node<'_>) -> Result<BTreeMap<String, HttpHeader>, ParseError> {
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

/// Reads a list of secrets.
pub(super) fn secrets(node: &Node<'_>) -> Result<Vec<Secret>, ParseError> {
    Ok(node.strings()?.into_iter().map(Secret::from).collect())
}

/// Rejects headers that the connection or Prometheus itself sets.
pub(super) fn check_headers<'a>(mut names: impl Iterator<Item = &'a String>) -> Result<(), HttpClientError> {
    let reserved = |name: &str| RESERVED_HEADERS.iter().any(|reserved| reserved.eq_ignore_ascii_case(name));
    names.find(|name| reserved(name)).map_or(Ok(()), |name| Err(HttpClientError::ReservedHeader(name.clone())))
}
