//! Why an object of the kind that a query asks for lends no targets.

use std::fmt;

use super::bounded::TooMany;

/// Why an object is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassedOver {
    /// The selectors of the query do not mean it.
    #[error("the selectors of the service discovery do not choose it")]
    NotChosen,
    /// It has none, or not yet.
    #[error("it has no address yet")]
    NoAddress,
    /// Its node is not there, or not chosen.
    #[error("its node is not known")]
    NoNode,
    /// It has no addresses or ports, or is the second address family of a dual-stack service.
    #[error("it has no address and port of its own")]
    NoTargets,
    /// It has more than can be held.
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
