//! Cases of all roles, and what holds for all clusters.

mod roles;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Group, Index, Query, TargetGroup, Touched, Wanted, discover, static_groups};
use crate::labels::{LabelSet, META_PREFIX};
use crate::objects::{Cluster, Object, ObjectKey};
use crate::scrape_config::discovery::{KubernetesSd, Role, Selector, StaticSd};

const ROLES: [Role; 6] = [Role::Node, Role::Pod, Role::Service, Role::Endpoints, Role::EndpointSlice, Role::Ingress];

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

/// Choices drawn from bytes: equal bytes make equal objects.
struct Choices<'b>(std::slice::Iter<'b, u8>);

impl Choices<'_> {
    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % limit
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn many(&mut self, mut make: impl FnMut(&mut Self) -> Value) -> Value {
        (0..self.below(4)).map(|_| make(self)).collect()
    }

    fn map(&mut self) -> Value {
        let keys = ["a.b", "a-b", "a_b", "ü", "", "kubernetes.io/service-name", "present_x", "x"];
        (0..self.below(5)).map(|_| (self.one(&keys).to_owned(), json!(self.one(&["", "a", "b", "💥"])))).collect()
    }

    fn metadata(&mut self) -> Value {
        let owner = |choices: &mut Self| {
            let kind = choices.one(&["ReplicaSet", "Job", "Deployment", "CronJob", ""]);
            json!({"kind": kind, "name": choices.one(&["a", "b", ""]), "controller": choices.below(2) == 0})
        };
        json!({
            "namespace": self.one(&["a", "b", ""]), "name": self.one(&["a", "b", "c", ""]),
            "labels": self.map(), "annotations": self.map(), "ownerReferences": self.many(owner),
        })
    }

    fn port(&mut self) -> i32 {
        [0, 80, 443, -1, i32::MAX, i32::MIN][self.below(6)]
    }

    fn address(&mut self) -> &'static str {
        self.one(&["", "10.0.0.1", "::1", "name.test", "a:b:c"])
    }

    fn reference(&mut self) -> Value {
        let kind = self.one(&["Pod", "Pod", "Node", "", "Other"]);
        json!({"kind": kind, "namespace": self.one(&["a", "b", ""]), "name": self.one(&["a", "b", "c", ""])})
    }

    fn container(&mut self) -> Value {
        json!({
            "name": self.one(&["a", "b"]), "image": self.one(&["", "i"]),
            "ports": self.many(|choices| json!({"containerPort": choices.port(), "name": choices.one(&["", "web"])})),
        })
    }

    fn object(&mut self) -> Value {
        let metadata = self.metadata();
        match self.below(9) {
            0 => json!({"kind": "Namespace", "metadata": metadata}),
            1 => {
                let mut metadata = metadata;
                metadata["namespace"] = json!("");
                let kinds = ["InternalIP", "Hostname", "İ", "a.b", "a-b"];
                let address = |c: &mut Self| json!({"type": c.one(&kinds), "address": c.address()});
                let condition = |c: &mut Self| json!({"type": c.one(&kinds), "status": c.one(&["True", "Σ"])});
                let status = json!({"addresses": self.many(address), "conditions": self.many(condition)});
                json!({"kind": "Node", "metadata": metadata, "status": status})
            }
            2 => {
                let spec = json!({
                    "nodeName": self.one(&["", "a", "b"]),
                    "containers": self.many(Self::container), "initContainers": self.many(Self::container),
                });
                json!({"kind": "Pod", "metadata": metadata, "spec": spec, "status": {"podIP": self.address()}})
            }
            3 => {
                let spec = json!({
                    "type": self.one(&["", "ExternalName", "LoadBalancer"]),
                    "ipFamilyPolicy": self.one(&["PreferDualStack", "SingleStack"]),
                    "ipFamilies": self.many(|choices| json!(choices.one(&["IPv4", "IPv6"]))),
                    "ports": self.many(|choices| json!({"port": choices.port()})),
                });
                json!({"kind": "Service", "metadata": metadata, "spec": spec})
            }
            4 => {
                let address = |c: &mut Self| json!({"ip": c.address(), "targetRef": c.reference()});
                let subset = |c: &mut Self| {
                    json!({
                        "addresses": c.many(address), "notReadyAddresses": c.many(address),
                        "ports": c.many(|choices| json!({"port": choices.port()})),
                    })
                };
                json!({"kind": "Endpoints", "metadata": metadata, "subsets": self.many(subset)})
            }
            5 | 6 => {
                let endpoint = |c: &mut Self| {
                    json!({
                        "addresses": c.many(|choices| json!(choices.address())), "targetRef": c.reference(),
                        "nodeName": c.one(&["a", "b"]), "deprecatedTopology": c.map(),
                    })
                };
                let port = |c: &mut Self| if c.below(3) == 0 { json!({}) } else { json!({"port": c.port()}) };
                let (endpoints, ports) = (self.many(endpoint), self.many(port));
                let kind = self.one(&["IPv4", "IPv6", "FQDN", ""]);
                json!({
                    "kind": "EndpointSlice", "metadata": metadata, "addressType": kind,
                    "endpoints": endpoints, "ports": ports,
                })
            }
            7 => {
                let host = |c: &mut Self| json!(c.one(&["", "*", "*.a.b", "x.a.b", "*a"]));
                let rule = |c: &mut Self| {
                    let paths = c.many(|choices| json!({"path": choices.one(&["", "/x"])}));
                    let http = if c.below(2) == 0 { Value::Null } else { json!({"paths": paths}) };
                    json!({"host": host(c), "http": http})
                };
                let spec = json!({"rules": self.many(rule), "tls": [{"hosts": self.many(host)}]});
                json!({"kind": "Ingress", "metadata": metadata, "spec": spec})
            }
            _ => json!({"kind": self.one(&["ReplicaSet", "Job"]), "metadata": metadata}),
        }
    }
}

/// As many choices as some tens of objects need.
pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..1500)
}

pub(crate) fn objects(bytes: &[u8]) -> Vec<Value> {
    let mut choices = Choices(bytes.iter());
    (0..30).map(|_| choices.object()).collect()
}

fn identity(object: &Value) -> String {
    format!("{}/{}/{}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"])
}

/// Configs of all roles, with all that can be attached.
fn configs() -> impl Iterator<Item = KubernetesSd> {
    ROLES.into_iter().flat_map(|role| {
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

fn all<'a>(index: &'a Index, wanted: &Wanted) -> Vec<TargetGroup<'a>> {
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
    fn the_way_that_led_to_a_state_changes_nothing(bytes in bytes(), earlier in bytes()) {
        let mut now: Vec<Value> = objects(&bytes);
        // Of several objects of one name the last counts: leave the order of those alone.
        now.sort_by_key(identity);
        now.dedup_by_key(|object| identity(object));
        let expected = Index::new(&cluster(now.clone()));
        let reversed = Index::new(&cluster(now.iter().rev().cloned()));
        prop_assert_eq!(all(&reversed, &Wanted::ALL), all(&expected, &Wanted::ALL));

        // An earlier state that shares half of the objects, the very same ones.
        let now = cluster(now);
        let mut before = now.clone();
        objects(&earlier).into_iter().for_each(|object| add(&mut before, object));
        let (next, _) = Index::new(&before).next(&now);
        prop_assert_eq!(all(&next, &Wanted::ALL), all(&expected, &Wanted::ALL));
    }

    #[test]
    fn groups_that_are_not_touched_are_as_before(bytes in bytes(), earlier in bytes(), all_touched: bool) {
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
                let groups = query.groups(index, &Wanted::ALL).map(|group| (group.key(), group.target_group()));
                let touched = |key: &ObjectKey| touched.contains(&(&*key.namespace, &*key.name));
                groups.filter(|(key, _)| !touched(key)).map(|(_, group)| group).collect::<Vec<_>>()
            };
            prop_assert_eq!(untouched(&before), untouched(&next), "{:?}", config);
            for group in query.groups(&next, &Wanted::ALL) {
                let ObjectKey { namespace, name } = group.key();
                let found = query.group(&next, &Wanted::ALL, &namespace, &name);
                prop_assert_eq!(found.map(Group::target_group), Some(group.target_group()));
            }
        }
    }

    #[test]
    fn unwanted_labels_are_missing_and_nothing_else(bytes in bytes(), salt: u8) {
        let index = Index::new(&cluster(objects(&bytes)));
        let wanted = |name: &str| name.bytes().fold(salt, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % 3 == 0;
        for (full, narrow) in all(&index, &Wanted::ALL).iter().zip(all(&index, &Wanted::new(&index, wanted))) {
            prop_assert_eq!(&full.source, &narrow.source);
            prop_assert_eq!(filtered(&full.labels, wanted), narrow.labels);
            let targets: Vec<LabelSet<'_>> = full.targets.iter().map(|target| filtered(target, wanted)).collect();
            prop_assert_eq!(targets, narrow.targets);
        }
    }

    #[test]
    fn shared_labels_are_held_by_groups_and_others_by_targets(bytes in bytes()) {
        let index = Index::new(&cluster(objects(&bytes)));
        for config in configs() {
            let query = Query::new(&config, None).unwrap();
            for group in query.groups(&index, &Wanted::ALL) {
                for (name, _) in group.labels().iter() {
                    prop_assert!(query.is_shared(name), "{name}");
                }
                for (name, _) in group.targets().unwrap().iter().flat_map(LabelSet::iter) {
                    prop_assert!(!query.is_shared(name), "{name}");
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
fn groups_tell_their_labels_before_their_targets_are_made() {
    let index = Index::new(&cluster([json!({
        "kind": "Service", "metadata": {"namespace": "shop", "name": "api"}, "spec": {"ports": [{"port": 80}]},
    })]));
    let query = Query::new(&KubernetesSd::new(Role::Service), None).unwrap();
    let groups: Vec<Group<'_, '_>> = query.groups(&index, &Wanted::ALL).collect();
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
