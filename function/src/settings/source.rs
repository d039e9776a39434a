//! The clusters: where their objects come from (`CLUSTER`), and what stands before their
//! names in paths (`BASE_PATH`). [`callers`] says who may ask for which of them.

mod callers;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use target_allocator_core::access::ClusterAccess;

/// Where the objects of a cluster come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `eks:NAME`, `eks:NAME@REGION`, either with `?role=ARN`.
    Eks(EksCluster),
    /// `kubeconfig` or `kubeconfig:PATH`: the API server that a kubeconfig names.
    Kubeconfig(Option<PathBuf>),
    /// `manifests:PATH`: a file or a folder of YAML or JSON.
    Manifests(PathBuf),
}

/// A cluster in EKS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EksCluster {
    /// The cluster's name.
    pub name: String,
    /// Its region; `None` for the function's own.
    pub region: Option<String>,
    /// The role that describes and reads it; `None` for the function's own.
    pub role: Option<String>,
}

/// A cluster, the name under which its routes live, and its callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSource {
    /// The first segment of its routes; `None` for a single cluster without a name.
    pub name: Option<String>,
    /// Where its objects come from.
    pub source: Source,
    /// Who may ask for it.
    pub access: ClusterAccess,
}

/// The values of the variables that name clusters.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// `CLUSTER`.
    pub(super) cluster: Option<String>,
    /// `CLUSTER_ISSUERS`.
    pub(super) issuers: Option<String>,
    /// `CLUSTER_SUBJECTS`.
    pub(super) subjects: Option<String>,
}

const FORMS: &str = "eks:NAME or eks:NAME@REGION (with ?role=ARN to assume a role), kubeconfig or kubeconfig:PATH, \
     manifests:PATH";

/// Reads the clusters: `SOURCE`, or `NAME=SOURCE,NAME=SOURCE`, and who may ask for each.
pub(super) fn parse(variables: &Variables) -> Result<Vec<NamedSource>> {
    let mut clusters = parse_clusters(variables.cluster.as_deref())?;
    callers::assign(&mut clusters, variables)?;
    Ok(clusters)
}

/// Reads `BASE_PATH`: what stands before a cluster's name in the path that the function gets.
pub(super) fn parse_base_path(value: Option<&str>, clusters: &[NamedSource]) -> Result<Option<String>> {
    let Some(path) = value.map(|value| value.trim().trim_matches('/')) else { return Ok(None) };
    let clean = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains(['%', '?', '#']);
    ensure!(path.split('/').all(clean), "BASE_PATH must be a path such as /allocator or /a/b: {path:?}");
    let is_cluster = |segment: &str| clusters.iter().any(|cluster| cluster.name.as_deref() == Some(segment));
    // Else a rule of the gateway for the one cluster would hold for the other: /dev/prod/... .
    ensure!(!path.split('/').any(is_cluster), "BASE_PATH must not contain the name of a cluster: {path:?}");
    Ok(Some(format!("/{path}")))
}

fn parse_clusters(value: Option<&str>) -> Result<Vec<NamedSource>> {
    let Some(value) = value else { bail!("CLUSTER is not set: set it to one of {FORMS}") };
    let clusters = value.split(',').map(|part| parse_cluster(part.trim())).collect::<Result<Vec<_>>>()?;
    ensure!(
        clusters.len() == 1 || clusters.iter().all(|cluster| cluster.name.is_some()),
        "CLUSTER names several sources, so each needs a name, as in prod=SOURCE,dev=SOURCE: {value:?}"
    );
    let names: BTreeSet<_> = clusters.iter().map(|cluster| &cluster.name).collect();
    ensure!(names.len() == clusters.len(), "CLUSTER names two clusters alike: {value:?}");
    Ok(clusters)
}

fn parse_cluster(part: &str) -> Result<NamedSource> {
    let (name, source) = match part.split_once('=') {
        // A `=` after the colon belongs to the path.
        Some((name, source)) if !name.contains(':') => (Some(parse_name(name.trim())?), source.trim()),
        _ => (None, part),
    };
    let (form, rest) = source.split_once(':').map_or((source, None), |(form, rest)| (form, Some(rest)));
    let source = match (form, rest.filter(|rest| !rest.is_empty())) {
        ("eks", Some(cluster)) => parse_eks(cluster)?,
        ("eks", None) => bail!("CLUSTER needs the cluster's name, as in eks:NAME: {part:?}"),
        ("kubeconfig", path) => Source::Kubeconfig(path.map(PathBuf::from)),
        ("manifests", Some(path)) => Source::Manifests(path.into()),
        ("manifests", None) => bail!("CLUSTER needs a path to a file or a folder, as in manifests:PATH: {part:?}"),
        _ => bail!("CLUSTER must be one of {FORMS}: {part:?}"),
    };
    Ok(NamedSource { name, source, access: ClusterAccess::EVERYBODY })
}

fn parse_eks(text: &str) -> Result<Source> {
    let (cluster, parameters) = text.split_once('?').map_or((text, None), |(cluster, rest)| (cluster, Some(rest)));
    let (name, region) = cluster.split_once('@').map_or((cluster, None), |(name, region)| (name, Some(region)));
    ensure!(
        !name.is_empty() && region != Some(""),
        "CLUSTER names an EKS cluster as eks:NAME or eks:NAME@REGION: {text:?}"
    );
    let role = parameters.map(|parameters| parameters.strip_prefix("role=").unwrap_or_default());
    ensure!(
        role.is_none_or(|role| role.starts_with("arn:") && role.contains(":role/")),
        "CLUSTER names the role to assume as eks:NAME?role=arn:aws:iam::ACCOUNT:role/NAME: {text:?}"
    );
    let (region, role) = (region.map(str::to_owned), role.map(str::to_owned));
    Ok(Source::Eks(EksCluster { name: name.to_owned(), region, role }))
}

fn parse_name(name: &str) -> Result<String> {
    // A path with such a segment is another path to many gateways.
    ensure!(!matches!(name, "." | ".."), "a cluster's name in CLUSTER must not be . or ..: {name:?}");
    let valid = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    ensure!(valid, "a cluster's name in CLUSTER is made of letters, digits, '-', '_' and '.': {name:?}");
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, source: Source) -> NamedSource {
        let name = (!name.is_empty()).then(|| name.to_owned());
        NamedSource { name, source, access: ClusterAccess::EVERYBODY }
    }

    fn eks(name: &str, region: Option<&str>, role: Option<&str>) -> Source {
        let (region, role) = (region.map(str::to_owned), role.map(str::to_owned));
        Source::Eks(EksCluster { name: name.to_owned(), region, role })
    }

    const ROLE: &str = "arn:aws:iam::123456789012:role/path/reader@dev=1";

    #[test]
    fn every_form_is_read() {
        let cases = [
            ("kubeconfig", vec![named("", Source::Kubeconfig(None))]),
            ("kubeconfig:/a/b", vec![named("", Source::Kubeconfig(Some("/a/b".into())))]),
            ("eks:shop", vec![named("", eks("shop", None, None))]),
            ("eks:shop@eu-central-1", vec![named("", eks("shop", Some("eu-central-1"), None))]),
            ("prod=eks:shop", vec![named("prod", eks("shop", None, None))]),
            (&format!("eks:shop?role={ROLE}"), vec![named("", eks("shop", None, Some(ROLE)))]),
            (
                &format!("prod=eks:shop@eu-central-1?role={ROLE},dev=eks:shop"),
                vec![
                    named("prod", eks("shop", Some("eu-central-1"), Some(ROLE))),
                    named("dev", eks("shop", None, None)),
                ],
            ),
            ("manifests:a=b/c:d", vec![named("", Source::Manifests("a=b/c:d".into()))]),
            ("prod=kubeconfig", vec![named("prod", Source::Kubeconfig(None))]),
            (
                "prod=kubeconfig:/k, dev = manifests:m",
                vec![named("prod", Source::Kubeconfig(Some("/k".into()))), named("dev", Source::Manifests("m".into()))],
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(parse_clusters(Some(value)).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn a_wrong_form_is_an_error_that_says_what_to_write() {
        let cases = [
            (None, "CLUSTER is not set: set it to one of"),
            (Some("nonsense"), "CLUSTER must be one of"),
            (Some("eks:"), "CLUSTER needs the cluster's name"),
            (Some("eks:@eu-central-1"), "CLUSTER names an EKS cluster as"),
            (Some("eks:shop@"), "CLUSTER names an EKS cluster as"),
            (Some("eks:?role=arn:aws:iam::1:role/a"), "CLUSTER names an EKS cluster as"),
            (Some("eks:shop?role="), "CLUSTER names the role to assume as"),
            (Some("eks:shop?role=reader"), "CLUSTER names the role to assume as"),
            (Some("eks:shop?user=arn:aws:iam::1:role/a"), "CLUSTER names the role to assume as"),
            (Some("manifests"), "CLUSTER needs a path"),
            (Some("manifests:"), "CLUSTER needs a path"),
            (Some("kubeconfig,kubeconfig:b"), "CLUSTER names several sources"),
            (Some("a=kubeconfig,a=kubeconfig:b"), "CLUSTER names two clusters alike"),
            (Some("a/b=kubeconfig"), "a cluster's name in CLUSTER is made of"),
            (Some("a=kubeconfig,..=kubeconfig:b"), "a cluster's name in CLUSTER must not be . or .."),
        ];
        for (value, expected) in cases {
            let error = parse_clusters(value).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{value:?}: {error}");
        }
    }
    #[test]
    fn a_base_path_is_a_plain_path_without_a_clusters_name() {
        let clusters = parse_clusters(Some("prod=kubeconfig,dev=kubeconfig:b")).unwrap();
        let cases = [
            (None, Ok(None)),
            (Some("/allocator"), Ok(Some("/allocator"))),
            (Some("allocator/v1/"), Ok(Some("/allocator/v1"))),
            (Some("/"), Err("BASE_PATH must be a path")),
            (Some("/a//b"), Err("BASE_PATH must be a path")),
            (Some("/a/../b"), Err("BASE_PATH must be a path")),
            (Some("/a%2Fb"), Err("BASE_PATH must be a path")),
            (Some("/dev"), Err("BASE_PATH must not contain the name of a cluster")),
            (Some("/a/prod"), Err("BASE_PATH must not contain the name of a cluster")),
        ];
        for (value, expected) in cases {
            match (parse_base_path(value, &clusters), expected) {
                (Ok(path), Ok(expected)) => assert_eq!(path.as_deref(), expected, "{value:?}"),
                (Err(error), Err(reason)) => assert!(error.to_string().starts_with(reason), "{value:?}: {error}"),
                (path, expected) => panic!("{value:?}: {path:?}, not {expected:?}"),
            }
        }
    }
}
