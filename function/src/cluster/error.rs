//! Why a cluster could not be read, and what to do about it.

use std::path::PathBuf;

use thiserror::Error;

use super::encoding::Unreadable;
use super::limits::Exceeded;
use super::manifests::ManifestError;

/// A failure that leaves no complete set of objects.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// The kubeconfig is missing or wrong.
    #[error("the kubeconfig cannot be used")]
    Kubeconfig(#[source] kube::config::KubeconfigError),
    /// The URL of a proxy is wrong. The URL may have a password, so the error does not show it.
    #[error(
        "{origin} cannot be used as a proxy for the API server, write http://HOST:PORT, https://HOST:PORT or \
         socks5://HOST:PORT"
    )]
    Proxy {
        /// Where the URL is written.
        origin: &'static str,
    },
    /// A client cannot be made of the kubeconfig.
    #[error("no client can be made for the cluster")]
    Client(#[source] kube::Error),
    /// EKS does not say where the cluster is.
    #[error("cannot reach the EKS cluster {cluster}: {reason}")]
    Eks {
        /// Its name.
        cluster: String,
        /// What is wrong, and what to do about it.
        reason: String,
    },
    /// The API server of the EKS cluster does not answer.
    #[error("cannot reach the API server of the EKS cluster {cluster}, {advice}")]
    EksUnreachable {
        /// Its name.
        cluster: String,
        /// What to do about it.
        advice: &'static str,
        /// The request that failed.
        #[source]
        source: Box<ClusterError>,
    },
    /// No token can be signed.
    #[error("no token for the EKS cluster can be signed, check the function's role")]
    Token(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The API server did not answer.
    #[error("cannot {verb} {resource}: the API server does not answer")]
    Unreachable {
        /// `list` or `get`.
        verb: &'static str,
        /// Such as `pods`.
        resource: &'static str,
        /// What the client says.
        #[source]
        source: kube::Error,
    },
    /// The connection broke while the answer was read.
    #[error("cannot {verb} {resource}: the answer was cut off")]
    CutOff {
        /// `list` or `get`.
        verb: &'static str,
        /// Such as `pods`.
        resource: &'static str,
        /// What the client says.
        #[source]
        source: kube::Error,
    },
    /// The API server refused.
    #[error("cannot {verb} {resource}: {status}: {message}{advice}")]
    Refused {
        /// `list` or `get`.
        verb: &'static str,
        /// Such as `pods`.
        resource: &'static str,
        /// The HTTP status.
        status: http::StatusCode,
        /// The API server's own message.
        message: String,
        /// What to do about it; empty or starting with `, `.
        advice: &'static str,
    },
    /// The API server refused something in a namespace of `prometheus_cr.allow_namespaces`.
    #[error(
        "cannot {verb} {resource} in the namespace {namespace}: 403 Forbidden: {message}, grant the verb by a Role in the \
         namespace (examples/rbac-namespaced.yaml), or remove the namespace from prometheus_cr.allow_namespaces"
    )]
    RefusedIn {
        /// `list`, `watch` or `get`.
        verb: &'static str,
        /// Such as `pods`.
        resource: &'static str,
        /// The namespace.
        namespace: String,
        /// The API server's own message.
        message: String,
    },
    /// The answer is not a list.
    #[error("cannot {verb} {resource}: the answer is not what a Kubernetes API server sends")]
    Malformed {
        /// `list` or `get`.
        verb: &'static str,
        /// Such as `pods`.
        resource: &'static str,
        /// What the parser says.
        #[source]
        source: Unreadable,
    },
    /// The list of a custom resource is not found, and API discovery does not confirm that the resource is not defined.
    #[error(
        "cannot list {resource}: 404 Not Found, and API discovery does not confirm that the CustomResourceDefinition is \
         missing: {reason}; check what stands before the API server, and grant get on /apis (ClusterRole \
         system:discovery)"
    )]
    Undefined {
        /// Such as `servicemonitors`.
        resource: &'static str,
        /// What API discovery says.
        reason: String,
    },
    /// The answers have no end, or one that is too far away.
    #[error("cannot {verb} {resource}: the answer is larger than any Kubernetes API server sends, {limit}")]
    TooMuch {
        /// `list` or `get`.
        verb: &'static str,
        /// Such as `pods`.
        resource: &'static str,
        /// Which limit was reached.
        limit: Exceeded,
    },
    /// The refresh takes too long.
    #[error("the API server answers too slowly, {0}")]
    TooSlow(Exceeded),
    /// The answer to a request for one object is not that object.
    #[error(
        "cannot get {resource}: the answer is not the object {namespace}/{name}, check what stands before the API server"
    )]
    NotTheObject {
        /// `secrets` or `configmaps`.
        resource: &'static str,
        /// The namespace that was asked for.
        namespace: String,
        /// The name that was asked for.
        name: String,
    },
    /// A file or folder cannot be read.
    #[error("cannot read manifests: {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file or folder does not hold what a cluster is read from.
    #[error("cannot read manifests: {}", path.display())]
    Manifest {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ManifestError,
    },
}

/// What an operator can do about a status.
pub(super) const fn advice(status: http::StatusCode) -> &'static str {
    match status.as_u16() {
        401 => ", the credentials are not accepted: check the kubeconfig's user",
        403 => ", grant the verb on the resource: examples/rbac.yaml has the ClusterRole target-allocator",
        _ => "",
    }
}
