//! Access control: the callers that are admitted, and the share that each caller gets.
//!
//! Input: the config, the collectors' pods, and the caller that the authorizer of the gateway verified. Output: the
//! data that the caller may see, its share, or the reason why it is refused. Without an authorizer, every caller is
//! anonymous. Anonymous callers are admitted, unless the config names the allowed subjects.

mod cluster;

use std::collections::BTreeSet;

use thiserror::Error;

pub use cluster::{ClusterAccess, Issuers};

use crate::config::access::{Known, Part, Pattern};
use crate::config::{AccessRules, Collectors, Config};
use crate::objects::Cluster;

/// A caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Caller {
    /// No authorizer verified the caller.
    #[default]
    Unknown,
    /// An authorizer verified the caller.
    Verified(Identity),
}

/// The identity of a caller that an authorizer verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The subject, such as `system:serviceaccount:NAMESPACE:NAME`.
    pub subject: String,
    /// The issuer of the token, if the authorizer passes it on.
    pub issuer: Option<String>,
    /// The pod that the token was issued for.
    pub pod: Option<String>,
    /// The node of that pod.
    pub node: Option<String>,
}

/// The data that a caller may see. Only a collector may see credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reader {
    /// No authorizer verified the caller.
    #[default]
    Anonymous,
    /// The config names the caller under `viewers`.
    Viewer,
    /// The caller is a collector.
    Collector,
}

/// The reason why a caller is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Denied {
    /// A setting names the allowed callers, and no authorizer verified this caller.
    #[error(
        "{setting} names the callers that may ask, and no authorizer verified this caller: \
         put an authorizer before the function, and send a token"
    )]
    Unauthenticated {
        /// The key or environment variable that names the allowed callers.
        setting: &'static str,
    },
    /// The subject is not an allowed subject.
    #[error("the subject is not one of {whom}: {subject:?}")]
    Subject {
        /// The caller's subject.
        subject: String,
        /// The allowed subjects.
        whom: &'static str,
    },
    /// The token's issuer is not an issuer of this cluster.
    #[error("tokens of this issuer are not accepted for this cluster: {0:?}")]
    Issuer(String),
    /// The issuer of this cluster's tokens is unknown.
    #[error("the issuer of this cluster's tokens is not known: set CLUSTER_ISSUERS=CLUSTER=ISSUER")]
    NoIssuerOfCluster,
    /// The authorizer does not pass the token's issuer, so no property connects the caller to this cluster.
    #[error(
        "the authorizer does not name the token's issuer, so nothing ties the caller to this cluster: \
         pass iss on, or name the subject in CLUSTER_SUBJECTS: {0:?}"
    )]
    NoIssuerOfCaller(String),
    /// The share belongs to another collector.
    #[error("collector_identity does not let {caller} request the share of this collector: {asked:?}")]
    Share {
        /// The caller, by pod or subject.
        caller: String,
        /// The requested collector.
        asked: String,
    },
    /// The caller may see one share only, and requested all shares.
    #[error("collector_identity does not let {0} request all shares: set collector_id, or add the subject to viewers")]
    AllShares(String),
    /// The token lacks a property that `collector_identity` compares.
    #[error(
        "collector_identity compares the caller's {}, which the token does not name: \
         use a service account token that is projected into the collector's pod", .0.name()
    )]
    Missing(Known),
    /// The token belongs to a pod of another namespace.
    #[error("the collectors are pods of the namespace {collectors}, and the token is for a pod of this one: {token:?}")]
    Namespace {
        /// The collectors' namespace.
        collectors: String,
        /// The token's namespace.
        token: String,
    },
}

/// The access rules with the collectors of one snapshot.
#[derive(Debug, Clone)]
pub struct Access {
    subjects: Subjects,
    viewers: Vec<Pattern>,
    collectors: Pattern,
    /// The collectors' namespace, if the collectors are pods.
    namespace: Option<String>,
}

#[derive(Debug, Clone)]
enum Subjects {
    /// The config names the subjects.
    Named(Vec<Pattern>),
    /// The service accounts of the collectors' pods.
    OfPods(BTreeSet<String>),
    /// Any service account of this namespace.
    OfNamespace(String),
    /// The collectors are unknown, so any subject is admitted.
    Any,
}

impl Access {
    /// The access rules of `config`, with the collectors in `cluster`.
    #[must_use]
    pub fn new(config: &Config, cluster: &Cluster) -> Self {
        let namespace = match &config.collectors {
            Some(Collectors::Pods(pods)) => Some(pods.namespace.clone()),
            Some(Collectors::Named(_)) | None => None,
        };
        let subjects = match (&config.access.subjects, &config.collectors) {
            (Some(named), _) => Subjects::Named(named.clone()),
            (None, Some(Collectors::Pods(pods))) => {
                // Pods without a share are included, because a collector that is starting also sends requests.
                let found = cluster.pods.in_namespace(&pods.namespace);
                let accounts: BTreeSet<_> = found
                    .filter(|pod| pods.selector.matches(&pod.metadata.labels))
                    .map(|pod| &*pod.spec.service_account_name)
                    .collect();
                // Before the first collector pod exists, the service account is unknown. The API server always sets the
                // field. Manifests written by people can omit it.
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
        let AccessRules { viewers, collectors, .. } = config.access.clone();
        Self { subjects, viewers, collectors, namespace }
    }

    /// The data that this caller may see.
    ///
    /// # Errors
    /// [`Denied`] if the caller is not admitted.
    pub fn admit(&self, caller: &Caller) -> Result<Reader, Denied> {
        let Caller::Verified(identity) = caller else {
            return match self.subjects {
                Subjects::Named(_) => Err(Denied::Unauthenticated { setting: "allowed_subjects" }),
                Subjects::OfPods(_) | Subjects::OfNamespace(_) | Subjects::Any => Ok(Reader::Anonymous),
            };
        };
        // Viewers are checked first: a subject that is in both lists must not see credentials.
        if self.is_viewer(identity) {
            return Ok(Reader::Viewer);
        }
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
        if may { Ok(Reader::Collector) } else { Err(Denied::Subject { subject: identity.subject.clone(), whom }) }
    }

    /// The collector whose share an admitted caller gets. `None` for all shares.
    ///
    /// # Errors
    /// [`Denied`] if the caller may not see the share.
    pub fn share(&self, caller: &Caller, asked: Option<&str>) -> Result<Option<String>, Denied> {
        let Some(identity) = self.collector(caller) else { return Ok(asked.map(str::to_owned)) };
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

    /// Checks that an admitted caller may see all shares. Pages and explanations show all shares.
    ///
    /// # Errors
    /// [`Denied`] if the caller may see one share only.
    pub fn all_shares(&self, caller: &Caller) -> Result<(), Denied> {
        match self.collector(caller) {
            Some(identity) if self.collectors.0 != [Part::Any] => Err(Denied::AllShares(identity.name())),
            _ => Ok(()),
        }
    }

    /// The identity of a caller that may see only its own share.
    fn collector<'a>(&self, caller: &'a Caller) -> Option<&'a Identity> {
        match caller {
            Caller::Verified(identity) if !self.is_viewer(identity) => Some(identity),
            Caller::Verified(_) | Caller::Unknown => None,
        }
    }

    fn is_viewer(&self, identity: &Identity) -> bool {
        self.viewers.iter().any(|pattern| pattern.matches(&identity.subject, identity))
    }

    /// The share of a caller that requests no particular collector.
    fn implied_share(&self, identity: &Identity) -> Result<Option<String>, Denied> {
        if self.collectors.0 == [Part::Any] {
            return Ok(identity.pod.clone());
        }
        if self.collectors.0.contains(&Part::Any) {
            return Err(Denied::AllShares(identity.name()));
        }
        self.collectors.fill(identity).map(Some).map_err(Denied::Missing)
    }

    /// Checks the namespace of a pod, because pods of two namespaces can have equal names.
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
    /// Namespace and name, if the subject is a service account.
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
    /// The first property that the pattern needs and the identity lacks.
    fn missing(&self, identity: &Identity) -> Option<Known> {
        self.0.iter().find_map(|part| match part {
            Part::Known(known) if identity.known(*known).is_none() => Some(*known),
            _ => None,
        })
    }

    /// The text that a pattern without `*` produces for this identity.
    fn fill(&self, identity: &Identity) -> Result<String, Known> {
        self.0.iter().map(|part| part.text(identity)).collect()
    }

    fn matches(&self, text: &str, identity: &Identity) -> bool {
        self.missing(identity).is_none() && matches(&self.0, text, identity)
    }
}

impl Part {
    /// The text of this part. Only `*` can match an empty text.
    fn text<'a>(&'a self, identity: &'a Identity) -> Result<&'a str, Known> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Any => Ok(""),
            Self::Known(known) => identity.known(*known).ok_or(*known),
        }
    }
}

/// Matches a text against parts. Each text between two stars matches at its first occurrence, which leaves the most for
/// later parts. The parts after the last star match from the end.
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
