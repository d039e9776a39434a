//! The interface of all kinds of service discovery.

use std::error::Error;

use crate::scrape_config::fields::{Fields, Node, ParseError, Problem, Refusal};
use crate::scrape_config::http_client::{HttpClientConfig, HttpClientError};

/// One SD config, such as an entry of `http_sd_configs`.
pub trait SdConfig: Sized {
    /// Reads an entry of the list.
    ///
    /// # Errors
    /// The first field that Prometheus cannot parse.
    fn read(node: &Node<'_>) -> Result<Self, ParseError>;

    /// Normalises URLs, and rejects configs that `UnmarshalYAML` of Prometheus' `SDConfig` rejects.
    ///
    /// # Errors
    /// The first rule that the config breaks.
    fn validate(&mut self) -> Result<(), Refusal>;
}

/// The HTTP client of an SD config is invalid.
#[derive(Debug, thiserror::Error)]
#[error("{kind} has an invalid http client config")]
struct InvalidClient {
    kind: &'static str,
    #[source]
    source: HttpClientError,
}

/// Checks an HTTP client. `kind` is the field of the SD config, such as `http_sd_configs`.
pub(super) fn validate_client(client: &mut HttpClientConfig, kind: &'static str) -> Result<(), Refusal> {
    client.validate().map_err(|source| Refusal::new(InvalidClient { kind, source }))
}

/// Reads the entries of a list. A null entry is an error.
pub(super) fn each<'a, T>(
    fields: &mut Fields<'a>,
    name: &'static str,
    read: fn(&Node<'a>) -> Result<T, ParseError>,
) -> Result<Vec<T>, ParseError> {
    let Some(node) = fields.get(name) else { return Ok(Vec::new()) };
    let entry = |node: &Node<'a>| if node.is_null() { Err(node.error(Problem::Empty)) } else { read(node) };
    node.list()?.iter().map(entry).collect()
}

/// A refusal with an error of the kind.
pub(super) fn refused<T>(reason: impl Error + Send + Sync + 'static) -> Result<T, Refusal> {
    Err(Refusal::new(reason))
}
