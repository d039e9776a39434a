//! `CLUSTER_ISSUERS` and `CLUSTER_SUBJECTS`: who may ask for which cluster.
//!
//! Input: the clusters and the two variables, each of the form `NAME=VALUE,NAME=VALUE`. A name
//! may be repeated. Output: the callers of each cluster. Where several clusters are served and no
//! variable names a cluster, its callers are those with a token of the cluster's own issuer.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use target_allocator_core::access::{ClusterAccess, Issuers};
use target_allocator_core::config::access::Pattern;

use super::{NamedSource, Variables};

const ISSUERS: &str = "CLUSTER_ISSUERS";
const SUBJECTS: &str = "CLUSTER_SUBJECTS";

/// The issuer that stands for every issuer.
const ANY: &str = "any";

/// Says who may ask for each of the clusters.
pub(super) fn assign(clusters: &mut [NamedSource], variables: &Variables) -> Result<()> {
    let issuers = read(ISSUERS, variables.issuers.as_deref(), clusters)?;
    let subjects = read(SUBJECTS, variables.subjects.as_deref(), clusters)?;
    let several = clusters.len() > 1;
    for cluster in clusters {
        let of = |values: &[(String, String)]| -> Vec<String> {
            let own = values.iter().filter(|(name, _)| Some(name) == cluster.name.as_ref());
            own.map(|(_, value)| value.clone()).collect()
        };
        cluster.access =
            ClusterAccess { issuers: parse_issuers(of(&issuers), several)?, subjects: parse_subjects(&of(&subjects)) };
    }
    Ok(())
}

/// The pairs of a variable.
fn read(variable: &str, value: Option<&str>, clusters: &[NamedSource]) -> Result<Vec<(String, String)>> {
    let parts = value.into_iter().flat_map(|value| value.split(',')).map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| read_pair(variable, part, clusters)).collect()
}

fn read_pair(variable: &str, part: &str, clusters: &[NamedSource]) -> Result<(String, String)> {
    let Some((name, value)) = part.split_once('=') else {
        bail!("{variable} must have the form CLUSTER=VALUE,CLUSTER=VALUE: {part:?}");
    };
    let (name, value) = (name.trim(), value.trim());
    let known = clusters.iter().any(|cluster| cluster.name.as_deref() == Some(name));
    ensure!(known, "{variable} names a cluster that CLUSTER does not name: {name:?}");
    ensure!(!value.is_empty(), "{variable} has no value for a cluster: {name:?}");
    Ok((name.to_owned(), value.to_owned()))
}

fn parse_issuers(issuers: Vec<String>, several: bool) -> Result<Issuers> {
    let named: BTreeSet<String> = issuers.into_iter().collect();
    if named.is_empty() {
        return Ok(if several { Issuers::OfCluster } else { Issuers::Any });
    }
    if named.contains(ANY) {
        ensure!(named.len() == 1, "{ISSUERS} names any and an issuer for the same cluster: {named:?}");
        return Ok(Issuers::Any);
    }
    let wrong = named.iter().find(|issuer| !issuer.contains("://"));
    ensure!(wrong.is_none(), "{ISSUERS} must name the issuer's URL, as in a token's iss claim, or any: {wrong:?}");
    Ok(Issuers::Named(named))
}

fn parse_subjects(subjects: &[String]) -> Option<Vec<Pattern>> {
    let patterns: Vec<_> = subjects.iter().filter_map(|subject| Pattern::subject(subject)).collect();
    (!patterns.is_empty()).then_some(patterns)
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const TWO: &str = "prod=eks:prod-1,dev=kubeconfig";

    fn load(cluster: &str, issuers: &str, subjects: &str) -> Result<Vec<ClusterAccess>> {
        let some = |text: &str| Some(text.to_owned());
        let clusters = parse(&Variables { cluster: some(cluster), issuers: some(issuers), subjects: some(subjects) })?;
        Ok(clusters.into_iter().map(|cluster| cluster.access).collect())
    }

    fn named(issuers: &[&str]) -> Issuers {
        Issuers::Named(issuers.iter().map(|issuer| (*issuer).to_owned()).collect())
    }

    #[test]
    fn each_cluster_has_callers_of_its_own() {
        let subject = |text: &str| Some(vec![Pattern::subject(text).unwrap()]);
        let access = |issuers, subjects| ClusterAccess { issuers, subjects };
        let cases = [
            ("kubeconfig", "", "", vec![ClusterAccess::EVERYBODY]),
            ("prod=kubeconfig", "", "", vec![ClusterAccess::EVERYBODY]),
            ("prod=kubeconfig", "prod=https://p", "", vec![access(named(&["https://p"]), None)]),
            (TWO, "", "", vec![access(Issuers::OfCluster, None), access(Issuers::OfCluster, None)]),
            (
                TWO,
                "prod=https://p, prod=https://q ,dev=any",
                "",
                vec![access(named(&["https://p", "https://q"]), None), access(Issuers::Any, None)],
            ),
            (
                TWO,
                "dev=https://d/?a=b",
                "prod=arn:aws:iam::1:role/a=b",
                vec![
                    access(Issuers::OfCluster, subject("arn:aws:iam::1:role/a=b")),
                    access(named(&["https://d/?a=b"]), None),
                ],
            ),
        ];
        for (cluster, issuers, subjects, expected) in cases {
            assert_eq!(load(cluster, issuers, subjects).unwrap(), expected, "{cluster}: {issuers}; {subjects}");
        }
    }

    #[test]
    fn a_wrong_value_is_an_error_that_names_the_variable() {
        let cases = [
            (TWO, "https://p", "", "CLUSTER_ISSUERS must have the form CLUSTER=VALUE"),
            (TWO, "test=https://p", "", "CLUSTER_ISSUERS names a cluster that CLUSTER does not name: \"test\""),
            ("kubeconfig", "prod=https://p", "", "CLUSTER_ISSUERS names a cluster that CLUSTER does not name"),
            (TWO, "prod=", "", "CLUSTER_ISSUERS has no value for a cluster: \"prod\""),
            (TWO, "prod=any,prod=https://p", "", "CLUSTER_ISSUERS names any and an issuer"),
            (TWO, "prod=oidc.example.com", "", "CLUSTER_ISSUERS must name the issuer's URL"),
            (TWO, "", "*", "CLUSTER_SUBJECTS must have the form CLUSTER=VALUE"),
            (TWO, "", "test=*", "CLUSTER_SUBJECTS names a cluster that CLUSTER does not name"),
        ];
        for (cluster, issuers, subjects, expected) in cases {
            let error = load(cluster, issuers, subjects).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{issuers}; {subjects}: {error}");
        }
    }
}
