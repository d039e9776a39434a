//! Finds the cluster of a path.
//!
//! If several clusters are served, a gateway's rule for one cluster must never admit a caller to another: `/dev/*` must
//! not allow `/dev/prod/...`. The path must therefore begin with the name of the cluster, and the rest must be exactly
//! a route. The prefix before the name is known: the event contains the stage, and `BASE_PATH` is a setting.
//!
//! If only one cluster is served, no mix-up is possible, and any path can precede the route.

use super::{Found, find, find_exactly, find_outside_pipelines};

/// The result for a path.
#[derive(Debug)]
pub struct Located<'p, 'c, C> {
    /// The route. `None` if no route matches.
    pub found: Option<Found<'p>>,
    /// The cluster. `None` if the path names no cluster.
    pub cluster: Option<&'c C>,
}

/// Finds the route and the cluster of a path. `name` returns the name of a cluster.
pub fn locate<'p, 'c, C>(
    path: &'p str,
    base_path: Option<&str>,
    clusters: &'c [C],
    name: impl Fn(&C) -> Option<&str>,
) -> Located<'p, 'c, C> {
    let exactly = locate_exactly(path, base_path, clusters, &name);
    let [only] = clusters else { return exactly };
    if exactly.cluster.is_some() && exactly.found.is_some() {
        return exactly;
    }
    let path = base_path.and_then(|base| below(path, base)).unwrap_or(path);
    let named = |found: &Found<'_>| name(only).is_none_or(|name| found.base.rsplit('/').next() == Some(name));
    let mut found = find(path);
    // A cluster can have the name of a part of a route.
    if name(only) == Some("pipelines") && !found.as_ref().is_some_and(named) {
        found = find_outside_pipelines(path);
    }
    let cluster = found.as_ref().filter(|found| named(found)).map(|_| only);
    Located { found, cluster }
}

/// The search if several clusters are served.
fn locate_exactly<'p, 'c, C>(
    path: &'p str,
    base_path: Option<&str>,
    clusters: &'c [C],
    name: &impl Fn(&C) -> Option<&str>,
) -> Located<'p, 'c, C> {
    let path = base_path.and_then(|base| below(path, base)).unwrap_or(path);
    let below_name = |cluster: &'c C| Some((cluster, below(path.strip_prefix('/')?, name(cluster)?)?));
    match clusters.iter().find_map(below_name) {
        Some((cluster, rest)) => Located { found: find_exactly(rest), cluster: Some(cluster) },
        None => Located { found: find_exactly(path), cluster: None },
    }
}

/// The part of a path after `prefix`. `None` if `prefix` does not end at a slash.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    path.strip_prefix(prefix).filter(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLUSTERS: [&str; 3] = ["prod", "dev", "prod-2"];

    /// The cluster and the pattern of a path, if these clusters are served.
    fn located(path: &str, base_path: Option<&str>, clusters: &[&str]) -> (Option<String>, Option<&'static str>) {
        let located = locate(path, base_path, clusters, |name| Some(*name));
        (located.cluster.map(|name| (*name).to_owned()), located.found.map(|found| found.route.pattern))
    }

    #[test]
    fn a_path_begins_with_the_name_of_the_cluster() {
        let jobs = "/jobs/{job}/targets";
        let cases = [
            ("/prod/scrape_configs", None, Some("prod"), Some("/scrape_configs")),
            ("/dev/merged/targets", None, Some("dev"), Some("/merged/targets")),
            ("/prod-2/", None, Some("prod-2"), Some("/")),
            ("/dev/jobs/a/targets", None, Some("dev"), Some(jobs)),
            ("/dev/pipelines/p/scrape_configs", None, Some("dev"), Some("/pipelines/{pipeline}/scrape_configs")),
            ("/pipelines/dev/scrape_configs", None, None, Some("/pipelines/{pipeline}/scrape_configs")),
            // A path below the name of another cluster.
            ("/dev/prod/scrape_configs", None, Some("dev"), None),
            ("/dev/../prod/scrape_configs", None, Some("dev"), None),
            ("/dev/%2e%2e/prod/scrape_configs", None, Some("dev"), None),
            ("/dev//prod/scrape_configs", None, Some("dev"), None),
            ("/dev/./prod/scrape_configs", None, Some("dev"), None),
            ("/dev//scrape_configs", None, Some("dev"), None),
            ("/dev/x/jobs/a/targets", None, Some("dev"), None),
            // A job of the first cluster, with an unusual name.
            ("/dev/jobs/../../prod/jobs/a/targets", None, Some("dev"), Some(jobs)),
            // Paths that name no cluster.
            ("/", None, None, Some("/")),
            ("/livez", None, None, Some("/livez")),
            ("/x/prod/scrape_configs", None, None, None),
            ("//prod/scrape_configs", None, None, None),
            ("/../prod/scrape_configs", None, None, None),
            ("/Prod/scrape_configs", None, None, None),
            ("/%70rod/scrape_configs", None, None, None),
            ("prod/scrape_configs", None, None, None),
            ("/prod", None, None, None),
            ("", None, None, None),
            // Paths with and without the base path.
            ("/base/prod/jobs", Some("/base"), Some("prod"), Some("/jobs")),
            ("/prod/jobs", Some("/base"), Some("prod"), Some("/jobs")),
            ("/base/base/prod/jobs", Some("/base"), None, None),
            ("/based/prod/jobs", Some("/base"), None, None),
            ("/base/dev/prod/jobs", Some("/base"), Some("dev"), None),
        ];
        for (path, base_path, cluster, pattern) in cases {
            let expected = (cluster.map(str::to_owned), pattern);
            assert_eq!(located(path, base_path, &CLUSTERS), expected, "{path:?}");
        }
    }

    #[test]
    fn with_one_cluster_any_path_can_precede_the_route() {
        let nameless = |path| locate(path, None, &[()], |()| None).cluster.is_some();
        for path in ["/jobs", "/any/base/jobs", "//jobs", "/a/../b/jobs/j/targets"] {
            assert!(nameless(path), "{path}");
        }
        let cases = [
            ("/prod/jobs", Some("prod")),
            ("/stage/prod/jobs", Some("prod")),
            ("/prod/merged/jobs", Some("prod")),
            ("/jobs", None),
            ("/prod/x/jobs", None),
        ];
        for (path, cluster) in cases {
            assert_eq!(located(path, None, &["prod"]).0.as_deref(), cluster, "{path}");
        }
        // A cluster can have the name of a part of a route.
        for (path, pattern) in [("/merged/jobs", "/jobs"), ("/merged/merged/jobs", "/merged/jobs")] {
            let expected = (Some("merged".to_owned()), Some(pattern));
            assert_eq!(located(path, None, &["merged"]), expected, "{path}");
        }
        for (path, pattern) in [
            ("/pipelines/jobs", "/jobs"),
            ("/stage/pipelines/jobs", "/jobs"),
            ("/stage/pipelines/merged/jobs", "/merged/jobs"),
            ("/pipelines/pipelines/p/jobs", "/pipelines/{pipeline}/jobs"),
        ] {
            let expected = (Some("pipelines".to_owned()), Some(pattern));
            assert_eq!(located(path, None, &["pipelines"]), expected, "{path}");
        }
        // Without the name of the cluster, or with the name after the pipeline, the path names no cluster.
        for path in ["/pipelines/p/jobs", "/pipelines/prod/jobs"] {
            assert_eq!(located(path, None, &["prod"]).0, None, "{path}");
        }
    }

    proptest! {
        /// A gateway's rule for one cluster is `/NAME/*`. Gateways compare it with the raw or the decoded path.
        #[test]
        fn no_path_below_one_clusters_name_is_answered_from_another(
            first in "prod|dev|prod-2",
            rest in prop::collection::vec(
                "prod|dev|prod-2|\\.|\\.\\.|%2e%2e|%2F|%5c|\\\\|;|jobs|targets|merged|scrape_configs|base||[ -~]{0,6}",
                0..6,
            ),
            base_path in prop::option::of(Just("/base")),
        ) {
            let path = format!("/{first}/{}", rest.join("/"));
            let (cluster, _) = located(&path, base_path, &CLUSTERS);
            prop_assert_eq!(cluster, Some(first), "{}", path);
        }

        /// The converse: each path that is answered from a cluster begins with the name of the cluster.
        #[test]
        fn each_answered_path_begins_with_the_name_of_its_cluster(
            path in "(/(prod|dev|\\.\\.|%2e|base|jobs|scrape_configs|[a-z]{0,3})){0,5}",
        ) {
            if let (Some(cluster), Some(_)) = located(&path, Some("/base"), &CLUSTERS) {
                let own = path.strip_prefix("/base").unwrap_or(&path);
                prop_assert!(own.starts_with(&format!("/{cluster}/")), "{}", path);
            }
        }
    }
}
