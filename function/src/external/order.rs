//! The order in which due sources take their turns.
//!
//! Input: due sources. Output: the sources in their order. Turns alternate between namespaces, then between objects of
//! a namespace, then between sources of an object. So a tenant with many sources does not delay the sources of others.
//! Within a round, sources that failed come later. A seed decides which namespace begins. The seed is the time, so that
//! environments with a cold start begin with different sources.

use std::collections::{BTreeMap, BTreeSet};

use target_allocator_core::allocation::OwnedSource;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A due source.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// The source, and the objects that name it.
    pub source: &'a OwnedSource,
    /// The number of failures since the last response. `None` if no request was sent yet.
    pub failures: Option<usize>,
}

/// A source with its position in the order.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// The source.
    pub due: Due<'a>,
    /// The namespace whose turn it is.
    pub namespace: &'a str,
}

/// The sources in the order of their turns. Each source appears once.
pub fn in_turns(due: Vec<Due<'_>>, seed: u64) -> Vec<Placed<'_>> {
    let mut namespaces: BTreeMap<&str, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
    for (at, Due { source, .. }) in due.iter().enumerate() {
        for owner in &source.owners {
            namespaces.entry(&owner.namespace).or_default().entry(owner.to_string()).or_default().push(at);
        }
        if source.owners.is_empty() {
            namespaces.entry("").or_default().entry(String::new()).or_default().push(at);
        }
    }
    let of_namespace = |(namespace, objects): (_, BTreeMap<String, Vec<usize>>)| {
        let of_object = |(object, mut sources): (_, Vec<usize>)| {
            sources.sort_by_key(|at| (due[*at].failures, xxh3_64_with_seed(&at.to_le_bytes(), seed)));
            (object, sources)
        };
        (namespace, round_robin(objects.into_iter().map(of_object), &due, seed).map(|(_, at)| at).collect())
    };
    let queues: Vec<(&str, Vec<usize>)> = namespaces.into_iter().map(of_namespace).collect();
    let mut placed = BTreeSet::new();
    round_robin(queues.into_iter(), &due, seed)
        .filter(|(_, at)| placed.insert(*at))
        .map(|(namespace, at)| Placed { due: due[at], namespace })
        .collect()
}

/// The first of each queue, then the second of each, and so on.
fn round_robin<N>(
    queues: impl Iterator<Item = (N, Vec<usize>)>,
    due: &[Due<'_>],
    seed: u64,
) -> impl Iterator<Item = (N, usize)>
where
    N: AsRef<str> + Clone,
{
    let mut turns = Vec::new();
    for (name, queue) in queues {
        let drawn = xxh3_64_with_seed(name.as_ref().as_bytes(), seed);
        let turn = |(round, at): (usize, usize)| (round, due[at].failures, drawn, at, name.clone());
        turns.extend(queue.into_iter().enumerate().map(turn));
    }
    turns.sort_by_key(|(round, failures, drawn, at, _)| (*round, *failures, *drawn, *at));
    turns.into_iter().map(|(_, _, _, at, name)| (name, at))
}

#[cfg(test)]
mod tests {
    use target_allocator_core::discovery::sources;
    use target_allocator_core::report::ObjectRef;
    use target_allocator_core::scrape_config::discovery::{HttpSd, ServiceDiscovery};

    use super::*;

    fn source(url: &str, owners: &[(&str, &str)]) -> OwnedSource {
        let discovery = ServiceDiscovery { http: vec![HttpSd::new(url.to_owned())], ..ServiceDiscovery::default() };
        let owner = |(namespace, name): &(&str, &str)| ObjectRef::new("ScrapeConfig", *namespace, *name);
        OwnedSource { source: sources(&discovery).unwrap().remove(0), owners: owners.iter().map(owner).collect() }
    }

    /// A thousand sources of one object, a second object of its namespace, and another tenant.
    fn crowd() -> Vec<OwnedSource> {
        let crowd = (0..1_000).map(|at| source(&format!("http://crowd/{at}"), &[("a", "crowd")]));
        crowd.chain([source("http://beside", &[("a", "beside")]), source("http://other", &[("b", "other")])]).collect()
    }

    fn url(placed: &Placed<'_>) -> String {
        placed.due.source.source.request.to_string().trim_start_matches("http_sd_configs: ").to_owned()
    }

    fn order(sources: &[OwnedSource], failures: impl Fn(&OwnedSource) -> Option<usize>, seed: u64) -> Vec<String> {
        let due = sources.iter().map(|source| Due { source, failures: failures(source) }).collect();
        in_turns(due, seed).iter().map(url).collect()
    }

    #[test]
    fn many_sources_of_one_object_do_not_delay_other_objects() {
        let sources = crowd();
        for seed in 0..100 {
            // Every second turn belongs to the other tenant. So the second object of the namespace has the third turn
            // at the latest.
            let order = order(&sources, |_| None, seed);
            assert_eq!(order.len(), sources.len());
            let position = |url: &str| order.iter().position(|other| other == url).unwrap();
            assert!(position("http://other") <= 1, "{seed}");
            assert!(position("http://beside") <= 2, "{seed}");
        }
    }

    #[test]
    fn many_new_sources_do_not_delay_a_failed_source_of_another_object() {
        let sources = crowd();
        let failed = |source: &OwnedSource| source.source.request.to_string().contains("other").then_some(3);
        for seed in 0..100 {
            let order = order(&sources, failed, seed);
            assert!(order.iter().take(2).any(|url| url == "http://other"), "{seed}");
        }
    }

    #[test]
    fn sources_that_failed_come_after_others_of_their_object() {
        let sources: Vec<_> = (0..6).map(|at| source(&format!("http://{at}/"), &[("a", "one")])).collect();
        let failures = |source: &OwnedSource| {
            let text = source.source.request.to_string();
            [("http://0", Some(2)), ("http://1", Some(1)), ("http://2", Some(0))]
                .into_iter()
                .find_map(|(url, failures)| text.contains(url).then_some(failures))
                .flatten()
        };
        for seed in 0..20 {
            let last: Vec<_> = order(&sources, failures, seed).split_off(3);
            assert_eq!(last, ["http://2/", "http://1/", "http://0/"], "{seed}");
        }
    }

    #[test]
    fn the_first_namespace_depends_only_on_the_time() {
        let sources: Vec<_> = ["a", "b", "c"].map(|name| source(&format!("http://{name}/"), &[(name, name)])).into();
        let first = |seed| order(&sources, |_| None, seed).remove(0);
        let begun: BTreeSet<_> = (0..50).map(first).collect();
        assert_eq!(begun.len(), 3, "{begun:?}");
        assert!((0..50).all(|seed| order(&sources, |_| None, seed) == order(&sources, |_| None, seed)));
    }

    #[test]
    fn a_source_of_several_owners_takes_one_turn() {
        let sources =
            [source("http://shared/", &[("a", "one"), ("a", "two"), ("b", "three")]), source("http://own/", &[])];
        let mut order = order(&sources, |_| None, 7);
        order.sort();
        assert_eq!(order, ["http://own/", "http://shared/"]);
    }
}
