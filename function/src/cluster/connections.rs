//! The connections to an API server.
//!
//! Input: requests that only read. Output: responses, or the reason why there is none. If a connection breaks while
//! Lambda freezes the environment, a second attempt saves the refresh.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::{Arc, PoisonError, RwLock};

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tracing::debug;

use super::ClusterError;
use crate::error::chain;

/// Makes a client without open connections.
type Make = dyn Fn() -> Result<Client, ClusterError> + Send + Sync;

/// The connections of one API server. Clones share them.
#[derive(Clone)]
pub struct Connections {
    make: Arc<Make>,
    current: Arc<RwLock<Generation>>,
}

/// A client, and the number of clients before it.
#[derive(Clone)]
struct Generation {
    number: usize,
    client: Client,
}

impl Connections {
    /// Prepares connections of clients that `make` makes. Opens no connection yet.
    pub fn new(make: impl Fn() -> Result<Client, ClusterError> + Send + Sync + 'static) -> Result<Self, ClusterError> {
        let first = Generation { number: 0, client: make()? };
        Ok(Self { make: Arc::new(make), current: Arc::new(RwLock::new(first)) })
    }

    /// Sends a request. If its connection breaks before a response begins, sends it once more.
    ///
    /// Lambda freezes an environment between events. A connection that breaks in between seems open until a request is
    /// written to it. All other idle connections may be broken, too. So the second attempt uses a new client without
    /// connections.
    pub async fn send(&self, request: &Request<()>) -> Result<Response<Body>, kube::Error> {
        let used = self.current();
        match used.client.send(with_body(request)).await {
            Err(error) if is_broken(&error) => {
                debug!(error = chain(&error), "the connection broke, the request is sent again");
                let fresh = self.replace(used.number).map_err(|_| error)?;
                fresh.client.send(with_body(request)).await
            }
            sent => sent,
        }
    }

    fn current(&self) -> Generation {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the client that failed, unless another request has already replaced it.
    fn replace(&self, failed: usize) -> Result<Generation, ClusterError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.number == failed {
            *current = Generation { number: failed + 1, client: (self.make)()? };
        }
        Ok(current.clone())
    }
}

fn with_body(request: &Request<()>) -> Request<Body> {
    request.clone().map(|()| Body::empty())
}

/// Whether the connection broke. A server that refuses connections, or does not answer in time, is another error.
fn is_broken(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            let broken = [
                ErrorKind::ConnectionReset,
                ErrorKind::ConnectionAborted,
                ErrorKind::BrokenPipe,
                ErrorKind::NotConnected,
                ErrorKind::UnexpectedEof,
            ];
            if broken.contains(&cause.kind()) {
                return true;
            }
        }
        let by_http = cause.downcast_ref::<hyper::Error>();
        if by_http.is_some_and(|cause| cause.is_incomplete_message() || cause.is_canceled() || cause.is_closed()) {
            return true;
        }
        next = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_broken_connections_are_tried_again() {
        let cases = [
            (ErrorKind::ConnectionReset, true),
            (ErrorKind::BrokenPipe, true),
            (ErrorKind::UnexpectedEof, true),
            (ErrorKind::ConnectionRefused, false),
            (ErrorKind::TimedOut, false),
            (ErrorKind::PermissionDenied, false),
        ];
        for (kind, again) in cases {
            let error = kube::Error::Service(Box::new(io::Error::from(kind)));
            assert_eq!(is_broken(&error), again, "{kind:?}");
        }
    }
}
