//! Decides which callers belong to a cluster.
//!
//! Input: a verified caller, the settings of the cluster, and the issuer that the cluster itself names. Output:
//! nothing, or the reason for refusal. Service accounts of two clusters often have equal names. The issuer of the token
//! therefore decides, not the subject.

use std::collections::BTreeSet;

use super::{Caller, Denied, Identity};
use crate::config::access::Pattern;

/// The settings that decide which callers belong to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterAccess {
    /// The issuers whose tokens are accepted (`CLUSTER_ISSUERS`).
    pub issuers: Issuers,
    /// The accepted subjects, if a setting names them (`CLUSTER_SUBJECTS`).
    pub subjects: Option<Vec<Pattern>>,
}

/// The issuers whose tokens are accepted for a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issuers {
    /// All issuers. Every verified caller is accepted.
    Any,
    /// The issuer that the cluster itself names. EKS publishes it.
    OfCluster,
    /// The issuers that a setting names.
    Named(BTreeSet<String>),
}

impl ClusterAccess {
    /// The rule if only one cluster is served: every caller belongs to it.
    pub const EVERYBODY: Self = Self { issuers: Issuers::Any, subjects: None };

    /// Checks that the caller belongs to the cluster. `own` is the issuer that the cluster names.
    ///
    /// # Errors
    /// [`Denied`] if the caller does not belong to the cluster, or if no property connects it to the cluster.
    pub fn admit(&self, caller: &Caller, own: Option<&str>) -> Result<(), Denied> {
        match caller {
            Caller::Unknown => self.admit_anonymous(),
            Caller::Verified(identity) => {
                self.check_subject(identity)?;
                self.check_issuer(identity, own)
            }
        }
    }

    /// Refuses anonymous callers if a setting names the allowed callers. Otherwise they are accepted, because they see
    /// no credentials.
    fn admit_anonymous(&self) -> Result<(), Denied> {
        match (&self.subjects, &self.issuers) {
            (Some(_), _) => Err(Denied::Unauthenticated { setting: "CLUSTER_SUBJECTS" }),
            (None, Issuers::Named(_)) => Err(Denied::Unauthenticated { setting: "CLUSTER_ISSUERS" }),
            (None, Issuers::Any | Issuers::OfCluster) => Ok(()),
        }
    }

    fn check_subject(&self, identity: &Identity) -> Result<(), Denied> {
        let matches = |pattern: &Pattern| pattern.matches(&identity.subject, identity);
        if self.subjects.as_ref().is_none_or(|subjects| subjects.iter().any(matches)) {
            return Ok(());
        }
        let whom = "the subjects that CLUSTER_SUBJECTS names for this cluster";
        Err(Denied::Subject { subject: identity.subject.clone(), whom })
    }

    fn check_issuer(&self, identity: &Identity, own: Option<&str>) -> Result<(), Denied> {
        let accepts = |issuer: &str| match &self.issuers {
            Issuers::Any => true,
            Issuers::OfCluster => own.is_some_and(|own| same(own, issuer)),
            Issuers::Named(named) => named.iter().any(|named| same(named, issuer)),
        };
        match &identity.issuer {
            _ if self.issuers == Issuers::Any => Ok(()),
            Some(issuer) if accepts(issuer) => Ok(()),
            Some(_) if self.issuers == Issuers::OfCluster && own.is_none() => Err(Denied::NoIssuerOfCluster),
            Some(issuer) => Err(Denied::Issuer(issuer.clone())),
            // AWS credentials have no issuer. A subject that a setting names for this cluster is enough.
            None if self.subjects.is_some() => Ok(()),
            None => Err(Denied::NoIssuerOfCaller(identity.subject.clone())),
        }
    }
}

/// Compares two issuers. Issuers are URLs, and settings contain them with and without a slash at the end.
fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROD: &str = "https://oidc.eks.eu-central-1.amazonaws.com/id/PROD";
    const DEV: &str = "https://oidc.eks.eu-central-1.amazonaws.com/id/DEV";
    const COLLECTOR: &str = "system:serviceaccount:monitoring:collector";
    const ROLE: &str = "arn:aws:iam::123456789012:role/collectors";

    fn caller(subject: &str, issuer: Option<&str>) -> Caller {
        let issuer = issuer.map(str::to_owned);
        Caller::Verified(Identity { subject: subject.to_owned(), issuer, ..Identity::default() })
    }

    fn access(issuers: Issuers, subjects: Option<&str>) -> ClusterAccess {
        ClusterAccess { issuers, subjects: subjects.map(|text| vec![Pattern::subject(text).unwrap()]) }
    }

    fn named(issuers: &[&str]) -> Issuers {
        Issuers::Named(issuers.iter().map(|issuer| (*issuer).to_owned()).collect())
    }

    #[test]
    fn a_token_is_accepted_for_the_cluster_of_its_issuer() {
        let own = Some(PROD);
        let of_prod = || caller(COLLECTOR, Some(PROD));
        let of_dev = || caller(COLLECTOR, Some(DEV));
        let cases = [
            // The issuer that the cluster names.
            (access(Issuers::OfCluster, None), own, of_prod(), None),
            (access(Issuers::OfCluster, None), own, of_dev(), Some("tokens of this issuer are not accepted")),
            (access(Issuers::OfCluster, None), None, of_prod(), Some("set CLUSTER_ISSUERS")),
            (access(Issuers::OfCluster, None), own, caller(COLLECTOR, None), Some("pass iss on, or name the subject")),
            // Issuers in the settings replace the issuer of the cluster.
            (access(named(&[PROD]), None), None, of_prod(), None),
            (access(named(&[PROD]), None), None, caller(COLLECTOR, Some(&format!("{PROD}/"))), None),
            (access(named(&[PROD]), None), Some(DEV), of_dev(), Some("tokens of this issuer are not accepted")),
            (access(named(&[PROD, DEV]), None), None, of_dev(), None),
            (access(named(&[PROD]), None), None, caller(COLLECTOR, Some("")), Some("tokens of this issuer")),
            (access(named(&[PROD]), None), own, caller(COLLECTOR, None), Some("pass iss on, or name the subject")),
            // For tokens, subjects are an additional condition. For AWS credentials they are enough.
            (access(Issuers::OfCluster, Some("*:monitoring:*")), own, of_prod(), None),
            (access(Issuers::OfCluster, Some("*:monitoring:*")), own, of_dev(), Some("tokens of this issuer")),
            (access(Issuers::OfCluster, Some("*:shop:*")), own, of_prod(), Some("CLUSTER_SUBJECTS")),
            (access(Issuers::OfCluster, Some("*:monitoring:*")), None, of_prod(), Some("set CLUSTER_ISSUERS")),
            (access(Issuers::OfCluster, Some(ROLE)), own, caller(ROLE, None), None),
            (
                access(Issuers::OfCluster, Some(ROLE)),
                own,
                caller("arn:aws:iam::1:role/b", None),
                Some("CLUSTER_SUBJECTS"),
            ),
            // Any verified caller.
            (access(Issuers::Any, None), own, of_dev(), None),
            (access(Issuers::Any, None), None, caller(ROLE, None), None),
            (access(Issuers::Any, Some(ROLE)), None, of_prod(), Some("CLUSTER_SUBJECTS")),
            (ClusterAccess::EVERYBODY, None, of_dev(), None),
            // Anonymous callers.
            (access(Issuers::OfCluster, None), own, Caller::Unknown, None),
            (ClusterAccess::EVERYBODY, None, Caller::Unknown, None),
            (access(named(&[PROD]), None), own, Caller::Unknown, Some("CLUSTER_ISSUERS names the callers")),
            (access(Issuers::Any, Some(ROLE)), own, Caller::Unknown, Some("CLUSTER_SUBJECTS names the callers")),
        ];
        for (access, own, caller, refused) in cases {
            let admitted = access.admit(&caller, own);
            let message = admitted.as_ref().err().map(ToString::to_string);
            let matches = match (&message, refused) {
                (Some(message), Some(part)) => message.contains(part),
                (message, refused) => message.is_none() && refused.is_none(),
            };
            assert!(matches, "{access:?}, {own:?}, {caller:?}: {message:?}, not {refused:?}");
        }
    }
}
