//! The credentials of a cloud for an API server.
//!
//! If a cluster has no other credentials, the API server accepts a token of the cloud's identity service. Each cloud
//! implements [`Bearer`] in its own file. The client of the API server does not know the clouds.

use futures::future::BoxFuture;
use http::HeaderValue;

/// The reason why there is no token.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A source of bearer tokens.
pub trait Bearer: Send + Sync {
    /// The value of the header `Authorization` for a request that is sent now.
    fn bearer(&self) -> BoxFuture<'_, Result<HeaderValue, BoxError>>;
}
