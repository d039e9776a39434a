//! Cases of all roles, and what holds for all clusters.

mod drawn;
mod roles;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

pub(crate) use drawn::{bytes, objects};

use super::label_table::{KeyPrefixes, KeySource, ROWS};
use super::{Group, Index, LabelFilter, Query, TargetGroup, Touched, discover, static_groups};
use crate::labels::{LabelSet, Level, META_PREFIX};
use crate::objects::{Cluster, Object, ObjectKey};
use crate::scrape_config::discovery::{KubernetesSd, Role, Selector, StaticSd};

/// Puts an object into the collection of its kind.
pub(crate) fn add(cluster: &mut Cluster, object: Value) {
    fn read<T: serde::de::DeserializeOwned + Object>(object: Value) -> Arc<T> {
        Arc::new(serde_json::from_value(object).unwrap())
    }
    match object["kind"].as_str().unwrap() {
        "Namespace" => cluster.namespaces.insert(read(object)),
        "Node" => cluster.nodes.insert(read(object)),
        "Pod" => cluster.pods.insert(read(object)),
        "Service" => cluster.services.insert(read(object)),
        "Endpoints" => cluster.endpoints.insert(read(object)),
        "EndpointSlice" => cluster.endpoint_slices.insert(read(object)),
        "Ingress" => cluster.ingresses.insert(read(object)),
        "ReplicaSet" => cluster.replica_sets.insert(read(object)),
        "Job" => cluster.jobs.insert(read(object)),
        kind => panic!("no such kind: {kind}"),
    }
}

pub(crate) fn cluster(objects: impl IntoIterator<Item = Value>) -> Cluster {
    let mut cluster = Cluster::default();
    objects.into_iter().for_each(|object| add(&mut cluster, object));
    cluster
}

fn identity(object: &Value) -> String {
    format!("{}/{}/{}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"])
}

/// Configs of all roles, with all that can be attached.
fn configs() -> impl Iterator<Item = KubernetesSd> {
    Role::ALL.into_iter().flat_map(|role| {
        let plain = KubernetesSd::new(role);
        let mut narrow = plain.clone();
        let attach = &mut narrow.attach_metadata;
        (attach.node, attach.namespace, attach.deployment, attach.job, attach.cronjob) = (true, true, true, true, true);
        narrow.namespaces.names = vec!["b".to_owned(), "a".to_owned()];
        narrow.selectors =
            vec![Selector { role: Role::Pod, label: "!x".to_owned(), field: "metadata.name!=c".to_owned() }];
        [plain, narrow]
    })
}

fn all<'a>(index: &'a Index, wanted: &LabelFilter) -> Vec<TargetGroup<'a>> {
    configs().flat_map(|config| discover(&config, None, index, wanted).unwrap()).collect()
}

fn filtered<'a>(labels: &LabelSet<'a>, wanted: impl Fn(&str) -> bool) -> LabelSet<'a> {
    let mut labels = labels.clone();
    labels.retain(|name, _| !name.starts_with(META_PREFIX) || wanted(name));
    labels
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn earlier_states_do_not_change_what_is_discovered(bytes in bytes(), earlier in bytes()) {
        let mut now: Vec<Value> = objects(&bytes);
        // Of several objects of one name the last counts: leave the order of those alone.
        now.sort_by_key(identity);
        now.dedup_by_key(|object| identity(object));
        let expected = Index::new(&cluster(now.clone()));
        let reversed = Index::new(&cluster(now.iter().rev().cloned()));
        prop_assert_eq!(all(&reversed, &LabelFilter::ALL), all(&expected, &LabelFilter::ALL));

        // An earlier state that shares half of the objects, the very same ones.
        let now = cluster(now);
        let mut before = now.clone();
        objects(&earlier).into_iter().for_each(|object| add(&mut before, object));
        let (next, _) = Index::new(&before).next(&now);
        prop_assert_eq!(all(&next, &LabelFilter::ALL), all(&expected, &LabelFilter::ALL));
    }

    #[test]
    fn groups_that_no_change_touches_stay_equal(bytes in bytes(), earlier in bytes(), all_touched: bool) {
        let mut now = cluster(objects(&bytes));
        let mut before = now.clone();
        // Few objects of an earlier state, or all kinds of them.
        let few = if all_touched { 30 } else { 2 };
        objects(&earlier).into_iter().take(few).for_each(|object| add(&mut before, object));
        now.pods.share_with(&before.pods);
        let before = Index::new(&before);
        let (next, changes) = before.next(&now);
        for config in configs() {
            let query = Query::new(&config, None).unwrap();
            let Touched::Only(touched) = query.touched(&changes) else { continue };
            let untouched = |index| {
                let groups = query.groups(index, &LabelFilter::ALL).map(|group| (group.key(), group.target_group()));
                let touched = |key: &ObjectKey| touched.contains(&(&*key.namespace, &*key.name));
                groups.filter(|(key, _)| !touched(key)).map(|(_, group)| group).collect::<Vec<_>>()
            };
            prop_assert_eq!(untouched(&before), untouched(&next), "{:?}", config);
            for group in query.groups(&next, &LabelFilter::ALL) {
                let ObjectKey { namespace, name } = group.key();
                let found = query.group(&next, &LabelFilter::ALL, &namespace, &name);
                prop_assert_eq!(found.map(Group::target_group), Some(group.target_group()));
            }
        }
    }

    #[test]
    fn unwanted_labels_are_missing_and_nothing_else(bytes in bytes(), salt: u8) {
        let index = Index::new(&cluster(objects(&bytes)));
        let wanted = |name: &str| name.bytes().fold(salt, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % 3 == 0;
        for (full, narrow) in all(&index, &LabelFilter::ALL).iter().zip(all(&index, &LabelFilter::new(&index, wanted))) {
            prop_assert_eq!(&full.source, &narrow.source);
            prop_assert_eq!(filtered(&full.labels, wanted), narrow.labels);
            let targets: Vec<LabelSet<'_>> = full.targets.iter().map(|target| filtered(target, wanted)).collect();
            prop_assert_eq!(targets, narrow.targets);
        }
    }

    #[test]
    fn labels_are_set_at_the_level_that_the_table_names(bytes in bytes()) {
        let index = Index::new(&cluster(objects(&bytes)));
        for config in configs() {
            let query = Query::new(&config, None).unwrap();
            for group in query.groups(&index, &LabelFilter::ALL) {
                for (name, _) in group.labels().iter() {
                    prop_assert_eq!(query.level(name), Some(Level::Group), "{}", name);
                }
                let parts = group.parts();
                for (name, _) in parts.iter().flat_map(LabelSet::iter) {
                    prop_assert_eq!(query.level(name), Some(Level::Part), "{}", name);
                }
                let all: Vec<usize> = (0..parts.len()).collect();
                let targets = group.targets_of_parts(&all).unwrap();
                for (name, _) in targets.iter().flat_map(|target| target.labels.iter()) {
                    prop_assert_eq!(query.level(name), Some(Level::Target), "{}", name);
                }
            }
        }
    }

    #[test]
    fn merged_label_sets_prefer_the_target(one in prop::collection::btree_map("[a-c]{1,2}", "[xy]?", 0..6), other in prop::collection::btree_map("[a-c]{1,2}", "[xy]?", 0..6)) {
        let mut expected = one.clone();
        expected.extend(other.clone());
        let (one, other, expected): (LabelSet<'_>, LabelSet<'_>, LabelSet<'_>) =
            (one.into_iter().collect(), other.into_iter().collect(), expected.into_iter().collect());
        prop_assert_eq!(one.merged(&other), expected);
    }
}

#[test]
fn drawn_clusters_have_every_label_of_the_table() {
    let rows = ROWS.iter().map(|row| row.name.to_owned());
    let prefixes = KeySource::all().flat_map(|source| {
        let KeyPrefixes { value, present } = source.prefixes();
        std::iter::once(value).chain(present)
    });
    let mut missing: BTreeSet<String> = rows.chain(prefixes).collect();
    let mut runner = TestRunner::deterministic();
    for _ in 0..256 {
        let index = Index::new(&cluster(objects(&bytes().new_tree(&mut runner).unwrap().current())));
        let groups = all(&index, &LabelFilter::ALL);
        let names = groups.iter().flat_map(|group| [&group.labels].into_iter().chain(&group.targets));
        for (name, _) in names.flat_map(LabelSet::iter) {
            missing.remove(name);
            missing.retain(|prefix| !prefix.ends_with('_') || !name.starts_with(prefix));
        }
        if missing.is_empty() {
            return;
        }
    }
    panic!("never drawn: {missing:?}");
}

/// Prometheus' documentation lists all labels of the table but two, `__meta_kubernetes_ingress_host` and
/// `__meta_kubernetes_endpointslice_port_app_protocol`, and no others (`docs/configuration/configuration.md`).
#[test]
fn the_table_has_every_label_of_the_recorded_answers_of_the_peer() {
    let recorded = [
        include_str!("../../../../tests/golden/cluster-consistent-hashing/targets.json"),
        include_str!("../../../../tests/golden/cluster-per-node/targets.json"),
        include_str!("../../../../tests/golden/shop/targets.json"),
    ];
    let names: BTreeSet<&str> = recorded
        .iter()
        .flat_map(|text| text.split('"'))
        .filter(|text| text.starts_with("__meta_kubernetes_") && !text.contains([' ', '(', '.']))
        .collect();
    let is_row = |name: &str| ROWS.iter().any(|row| row.name == name);
    let unknown: Vec<_> = names.iter().filter(|name| !is_row(name) && KeySource::of(name).is_none()).collect();
    assert!(unknown.is_empty(), "no row: {unknown:?}");
    let missing: Vec<_> = ROWS.iter().map(|row| row.name).filter(|name| !names.contains(name)).collect();
    let not_recorded = [
        "__meta_kubernetes_endpoint_hostname",
        "__meta_kubernetes_pod_cronjob_name",
        "__meta_kubernetes_pod_deployment_name",
        "__meta_kubernetes_pod_job_name",
    ];
    assert_eq!(missing, not_recorded);
}

#[test]
fn a_group_has_labels_before_its_targets_are_made() {
    let index = Index::new(&cluster([json!({
        "kind": "Service", "metadata": {"namespace": "shop", "name": "api"}, "spec": {"ports": [{"port": 80}]},
    })]));
    let query = Query::new(&KubernetesSd::new(Role::Service), None).unwrap();
    let groups: Vec<Group<'_, '_>> = query.groups(&index, &LabelFilter::ALL).collect();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].labels().get("__meta_kubernetes_service_name"), "api");
    assert_eq!((groups[0].source(), groups[0].targets().unwrap().len()), ("svc/shop/api".to_owned(), 1));
}

#[test]
fn static_targets_have_the_labels_of_their_config() {
    let labels = [("team", "a"), ("__address__", "ignored"), ("empty", "")];
    let configs = [StaticSd {
        targets: vec!["a:1".to_owned(), "b:2".to_owned()],
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    }];
    let sets: Vec<String> = static_groups(&configs)
        .flat_map(|group| group.label_sets().map(|set| serde_json::to_string(&set).unwrap()).collect::<Vec<_>>())
        .collect();
    assert_eq!(
        sets,
        [r#"{"__address__":"a:1","empty":"","team":"a"}"#, r#"{"__address__":"b:2","empty":"","team":"a"}"#]
    );
}
