//! The connections to an API server.
//!
//! Input: requests that only read. Output: responses, or why there is none. A connection that died while
//! Lambda had frozen the environment costs a second attempt, not the refresh.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::{Arc, PoisonError, RwLock};

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tracing::debug;

use super::ClusterError;
use crate::error::chain;

/// Makes a client, which has no connections yet.
type Make = dyn Fn() -> Result<Client, ClusterError> + Send + Sync;

/// The connections of one API server. Clones share them.
#[derive(Clone)]
pub struct Connections {
    make: Arc<Make>,
    current: Arc<RwLock<Generation>>,
}

/// A client, and how many there were before it.
#[derive(Clone)]
struct Generation {
    number: usize,
    client: Client,
}

impl Connections {
    /// Prepares connections of clients that `make` makes; none is opened yet.
    pub fn new(make: impl Fn() -> Result<Client, ClusterError> + Send + Sync + 'static) -> Result<Self, ClusterError> {
        let first = Generation { number: 0, client: make()? };
        Ok(Self { make: Arc::new(make), current: Arc::new(RwLock::new(first)) })
    }

    /// Sends a request. If its connection breaks before a response begins, sends it once more.
    ///
    /// Lambda freezes an environment between events. Connections that break meanwhile look alive until a request
    /// is written to one of them. All idle connections may be dead then, so the second attempt takes a new client,
    /// which has none.
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

    /// Puts a new client in the place of the one that failed, unless another request did that.
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

/// Whether the connection broke, as opposed to a server that refuses connections or does not answer in time.
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
