//! The reasons why an object of a query's role has no targets. Also the kind and the namespaces of a query.

use std::fmt;

use super::bounded::TooMany;

/// The reason why an object has no targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassedOver {
    /// The selectors of the query do not select the object.
    #[error("the selectors of the service discovery do not choose it")]
    NotChosen,
    /// The object has no address yet.
    #[error("it has no address yet")]
    NoAddress,
    /// The node of the object does not exist, or the query does not select this node.
    #[error("its node is not known")]
    NoNode,
    /// The object has no addresses or no ports.
    #[error("it has no address and port of its own")]
    NoTargets,
    /// The object is a slice of the second address family of a dual-stack service.
    #[error(
        "it holds the second address family of a dual-stack service, and Prometheus takes the first of spec.ipFamilies only"
    )]
    SecondFamily,
    /// The object has more targets than the limit.
    #[error(transparent)]
    TooMany(#[from] TooMany),
}

/// The kind and the namespaces of the objects of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope<'q> {
    /// The kind as in Prometheus, for example `endpointslice`.
    pub role: &'static str,
    /// The namespaces. `None` for all namespaces.
    pub namespaces: Option<&'q [String]>,
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespaces {
            None => write!(f, "{} objects of all namespaces", self.role),
            Some(names) => write!(f, "{} objects of the namespaces {}", self.role, names.join(", ")),
        }
    }
}
