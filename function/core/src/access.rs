//! Who may ask for what.
//!
//! Input: the config, the collectors' pods, and who asks as the gateway's authorizer
//! has verified it. Output: yes, whose share is meant, or why not. Where no authorizer
//! stands before the function nobody is known, and everybody may ask, unless the
//! config names those who may.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::config::access::{Known, Part, Pattern};
use crate::config::{Collectors, Config};
use crate::objects::Cluster;

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Caller {
    /// No authorizer has said who it is.
    #[default]
    Unknown,
    /// An authorizer has.
    Verified(Identity),
}

/// What is known of one who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Such as `system:serviceaccount:NAMESPACE:NAME`.
    pub subject: String,
    /// The pod that the token was made for.
    pub pod: Option<String>,
    /// Its node.
    pub node: Option<String>,
}

/// Why one who asks gets nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Denied {
    /// Only those whom an authorizer knows may ask.
    #[error(
        "the config names allowed_subjects, and no authorizer has said who asks: \
         put one before the function, and send a token"
    )]
    Unauthenticated,
    /// The subject is none of those that may ask.
    #[error("the subject is not one of {whom}: {subject:?}")]
    Subject {
        /// Who asks.
        subject: String,
        /// Who may.
        whom: &'static str,
    },
    /// Another collector's share.
    #[error("collector_identity does not let {caller} ask for the share of this collector: {asked:?}")]
    Share {
        /// Who asks, by pod or subject.
        caller: String,
        /// The collector that was asked for.
        asked: String,
    },
    /// All shares, where only one is the caller's.
    #[error("collector_identity does not let {0} ask for all shares: name one by collector_id")]
    AllShares(String),
    /// The token does not say what the pattern asks for.
    #[error(
        "collector_identity asks for the {} of the one who asks, which the token does not name: \
         use a service account token that is projected into the collector's pod", .0.name()
    )]
    Missing(Known),
    /// A pod of another namespace.
    #[error("the collectors are pods of the namespace {collectors}, and the token is for a pod of this one: {token:?}")]
    Namespace {
        /// The collectors' namespace.
        collectors: String,
        /// The token's.
        token: String,
    },
}

/// Who may ask for what, at one moment.
#[derive(Debug, Clone)]
pub struct Access {
    subjects: Subjects,
    collectors: Pattern,
    /// Where the collectors are pods, their namespace.
    namespace: Option<String>,
}

#[derive(Debug, Clone)]
enum Subjects {
    /// The config names them.
    Named(Vec<Pattern>),
    /// The service accounts of the collectors' pods.
    OfPods(BTreeSet<String>),
    /// Any service account of the namespace.
    OfNamespace(String),
    /// Nothing says who the collectors are.
    Any,
}

impl Access {
    /// The rules of the config, for the collectors that are there.
    #[must_use]
    pub fn new(config: &Config, cluster: &Cluster) -> Self {
        let namespace = match &config.collectors {
            Some(Collectors::Pods(pods)) => Some(pods.namespace.clone()),
            Some(Collectors::Named(_)) | None => None,
        };
        let subjects = match (&config.access.subjects, &config.collectors) {
            (Some(named), _) => Subjects::Named(named.clone()),
            (None, Some(Collectors::Pods(pods))) => {
                // Also those that have no share: one that has just started asks, too.
                let found = cluster.pods.in_namespace(&pods.namespace);
                let accounts: BTreeSet<_> = found
                    .filter(|pod| pods.selector.matches(&pod.metadata.labels))
                    .map(|pod| &*pod.spec.service_account_name)
                    .collect();
                // Before the first pod is there nothing tells its account. The API server always
                // names one; manifests as people write them need not.
                if accounts.is_empty() || accounts.contains("") {
                    Subjects::OfNamespace(pods.namespace.clone())
                } else {
                    let subject = |account: &str| format!("{SERVICE_ACCOUNT}{}:{account}", pods.namespace);
                    Subjects::OfPods(accounts.into_iter().map(subject).collect())
                }
            }
            (None, _) if !config.namespace.is_empty() => Subjects::OfNamespace(config.namespace.clone()),
            (None, _) => Subjects::Any,
        };
        Self { subjects, collectors: config.access.collectors.clone(), namespace }
    }

    /// Whether this one is answered at all.
    ///
    /// # Errors
    /// When not.
    pub fn admit(&self, caller: &Caller) -> Result<(), Denied> {
        let Caller::Verified(identity) = caller else {
            return match self.subjects {
                Subjects::Named(_) => Err(Denied::Unauthenticated),
                Subjects::OfPods(_) | Subjects::OfNamespace(_) | Subjects::Any => Ok(()),
            };
        };
        let (may, whom) = match &self.subjects {
            Subjects::Named(named) => {
                (named.iter().any(|pattern| pattern.matches(&identity.subject, identity)), "allowed_subjects")
            }
            Subjects::OfPods(accounts) => (
                accounts.contains(&identity.subject),
                "the service accounts of the collectors' pods, allowed_subjects may name others",
            ),
            Subjects::OfNamespace(namespace) => (
                identity.service_account().is_some_and(|(of, _)| of == namespace),
                "the service accounts of the collectors' namespace, allowed_subjects may name others",
            ),
            Subjects::Any => (true, ""),
        };
        if may { Ok(()) } else { Err(Denied::Subject { subject: identity.subject.clone(), whom }) }
    }

    /// Whose share is meant, by one who is admitted; `None` for everybody's.
    ///
    /// # Errors
    /// When it is not theirs to ask for.
    pub fn share(&self, caller: &Caller, asked: Option<&str>) -> Result<Option<String>, Denied> {
        let Caller::Verified(identity) = caller else { return Ok(asked.map(str::to_owned)) };
        self.check_namespace(identity)?;
        let Some(asked) = asked else { return self.implied_share(identity) };
        if let Some(missing) = self.collectors.missing(identity) {
            return Err(Denied::Missing(missing));
        }
        if self.collectors.matches(asked, identity) {
            return Ok(Some(asked.to_owned()));
        }
        Err(Denied::Share { caller: identity.name(), asked: asked.to_owned() })
    }

    /// Whether one who is admitted may see all shares at once, as pages and explanations tell of them.
    ///
    /// # Errors
    /// When only one share is theirs.
    pub fn all_shares(&self, caller: &Caller) -> Result<(), Denied> {
        match caller {
            Caller::Verified(identity) if self.collectors.0 != [Part::Any] => Err(Denied::AllShares(identity.name())),
            Caller::Verified(_) | Caller::Unknown => Ok(()),
        }
    }

    /// The share that the identity alone tells.
    fn implied_share(&self, identity: &Identity) -> Result<Option<String>, Denied> {
        if self.collectors.0 == [Part::Any] {
            return Ok(identity.pod.clone());
        }
        if self.collectors.0.contains(&Part::Any) {
            return Err(Denied::AllShares(identity.name()));
        }
        self.collectors.fill(identity).map(Some).map_err(Denied::Missing)
    }

    /// Pods of two namespaces may have the same name.
    fn check_namespace(&self, identity: &Identity) -> Result<(), Denied> {
        let by_pod = self.collectors.0.contains(&Part::Known(Known::Pod));
        match (&self.namespace, identity.service_account()) {
            (Some(collectors), Some((token, _))) if by_pod && identity.pod.is_some() && token != collectors => {
                Err(Denied::Namespace { collectors: collectors.clone(), token: token.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

impl Identity {
    /// Namespace and name of the service account, if it is one.
    fn service_account(&self) -> Option<(&str, &str)> {
        self.subject.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')
    }

    fn known(&self, known: Known) -> Option<&str> {
        match known {
            Known::Pod => self.pod.as_deref(),
            Known::Node => self.node.as_deref(),
            Known::Namespace => self.service_account().map(|(namespace, _)| namespace),
            Known::ServiceAccount => self.service_account().map(|(_, name)| name),
            Known::Subject => Some(&self.subject),
        }
    }

    fn name(&self) -> String {
        self.pod.as_ref().map_or_else(|| format!("{:?}", self.subject), |pod| format!("the pod {pod:?}"))
    }
}

impl Pattern {
    /// What the pattern asks for and the identity does not tell.
    fn missing(&self, identity: &Identity) -> Option<Known> {
        self.0.iter().find_map(|part| match part {
            Part::Known(known) if identity.known(*known).is_none() => Some(*known),
            _ => None,
        })
    }

    /// The one text that a pattern without `*` stands for.
    fn fill(&self, identity: &Identity) -> Result<String, Known> {
        self.0.iter().map(|part| part.text(identity)).collect()
    }

    fn matches(&self, text: &str, identity: &Identity) -> bool {
        self.missing(identity).is_none() && matches(&self.0, text, identity)
    }
}

impl Part {
    /// What it stands for; `*` alone may stand for nothing.
    fn text<'a>(&'a self, identity: &'a Identity) -> Result<&'a str, Known> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Any => Ok(""),
            Self::Known(known) => identity.known(*known).ok_or(*known),
        }
    }
}

/// Takes texts between stars where they first occur, which never takes too much,
/// and what follows the last star from the end.
fn matches(parts: &[Part], text: &str, identity: &Identity) -> bool {
    let mut pieces = parts
        .split(|part| *part == Part::Any)
        .map(|between| between.iter().map(|part| part.text(identity).unwrap_or_default()).collect::<String>());
    let Some(rest) = pieces.next().and_then(|first| text.strip_prefix(first.as_str())) else { return false };
    let mut pieces: Vec<_> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
    pieces.iter().all(|piece| {
        let found = rest.split_once(piece.as_str());
        rest = found.map_or(rest, |(_, after)| after);
        found.is_some()
    })
}

#[cfg(test)]
mod tests;
