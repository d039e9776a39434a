//! The credentials of a cloud for an API server.
//!
//! An API server whose kubeconfig has no credentials takes a token from a cloud's identity service.
//! Each cloud implements [`Bearer`] in a file of its own; the client of the API server knows none of them.

use futures::future::BoxFuture;
use http::HeaderValue;

/// Why there is no token.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A source of bearer tokens.
pub trait Bearer: Send + Sync {
    /// The value of the header `Authorization` for a request that is sent now.
    fn bearer(&self) -> BoxFuture<'_, Result<HeaderValue, BoxError>>;
}
