//! Why an object of a query's role has no targets, and what a query looks at.

use std::fmt;

use super::bounded::TooMany;

/// Why an object has no targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassedOver {
    /// The selectors of the query do not select it.
    #[error("the selectors of the service discovery do not choose it")]
    NotChosen,
    /// It has no address, or none yet.
    #[error("it has no address yet")]
    NoAddress,
    /// Its node does not exist, or the query does not select it.
    #[error("its node is not known")]
    NoNode,
    /// It has no addresses or ports.
    #[error("it has no address and port of its own")]
    NoTargets,
    /// It is a slice of the second address family of a dual-stack service.
    #[error(
        "it holds the second address family of a dual-stack service, and Prometheus takes the first of spec.ipFamilies only"
    )]
    SecondFamily,
    /// It has more targets than the limit.
    #[error(transparent)]
    TooMany(#[from] TooMany),
}

/// What a query looks at: the kind and the namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope<'q> {
    /// The kind, as Prometheus names it: `endpointslice`.
    pub role: &'static str,
    /// The namespaces; `None` for all.
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
