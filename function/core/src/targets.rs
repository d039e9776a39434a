//! The targets of a job, rendered once.
//!
//! Input: the label sets that discovery made and the job's rules. Output: for each
//! target that the rules keep, its text in an HTTP SD answer, and what the
//! strategies look at. Follows `internal/target/discovery.go` of the operator's allocator.

use std::collections::HashMap;

use xxhash_rust::xxh64::xxh64;

use crate::labels::{ADDRESS, LabelSet, META_PREFIX};
use crate::relabel::{Outcome, Rules};
use crate::scrape_config::ScrapeConfig;
use crate::shard::TargetKey;

/// Which labels of a target are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedLabels {
    /// All that discovery makes, as the peer does.
    All,
    /// Of the `__meta_` labels only those that a collector can make use of: those
    /// that the job's rules can read, and those in [`RESOURCE_LABELS`].
    Referenced,
}

/// What the collector's Prometheus receiver turns into resource attributes such
/// as `k8s.pod.name`, whatever the rules say (`internal/prom_to_otlp.go` of the receiver).
pub const RESOURCE_LABELS: [&str; 9] = [
    "__meta_kubernetes_endpoint_node_name",
    "__meta_kubernetes_namespace",
    "__meta_kubernetes_node_name",
    "__meta_kubernetes_pod_container_name",
    "__meta_kubernetes_pod_controller_kind",
    "__meta_kubernetes_pod_controller_name",
    "__meta_kubernetes_pod_name",
    "__meta_kubernetes_pod_node_name",
    "__meta_kubernetes_pod_uid",
];

/// Where a target runs, best first (`target.go` of the operator's allocator).
const NODE_LABELS: [&str; 3] =
    ["__meta_kubernetes_pod_node_name", "__meta_kubernetes_node_name", "__meta_kubernetes_endpoint_node_name"];
const ADDRESS_TARGET_KIND: &str = "__meta_kubernetes_endpointslice_address_target_kind";
const ADDRESS_TARGET_NAME: &str = "__meta_kubernetes_endpointslice_address_target_name";

/// A target that its job's rules keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Hash of the job and the relabelled labels: equal ones are one target.
    pub identity: u64,
    /// The address as discovered.
    pub address: Box<str>,
    /// The node that it is on; empty if it has none.
    pub node: Box<str>,
    /// `{"targets":["host:port"],"labels":{...}}`.
    pub rendered: Box<[u8]>,
}

impl Target {
    /// What the strategies look at.
    #[must_use]
    pub fn key(&self) -> TargetKey<'_> {
        TargetKey { address: &self.address, node: &self.node, identity: self.identity }
    }
}

/// How the targets of a job are made.
#[derive(Debug)]
pub struct Maker<'a> {
    job_name: &'a str,
    rules: &'a Rules,
    /// What is set before the rules run; `None` if they do not run.
    seeds: Option<Vec<(String, String)>>,
    served: ServedLabels,
    by_identity: HashMap<u64, usize>,
    targets: Vec<Target>,
    scratch: Vec<u8>,
}

impl<'a> Maker<'a> {
    /// Makes targets of the job of `scrape_config`, whose compiled target rules
    /// are `rules`; unless `filter` they decide nothing.
    #[must_use]
    pub fn new(scrape_config: &'a ScrapeConfig, rules: &'a Rules, filter: bool, served: ServedLabels) -> Self {
        Self {
            job_name: &scrape_config.job_name,
            rules,
            seeds: filter.then(|| seeds(scrape_config)),
            served,
            by_identity: HashMap::new(),
            targets: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Whether discovery must make a label of that name.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.serves(name) || name == ADDRESS_TARGET_KIND || name == ADDRESS_TARGET_NAME
    }

    fn serves(&self, name: &str) -> bool {
        self.served == ServedLabels::All || RESOURCE_LABELS.contains(&name) || self.rules.may_read(name)
    }

    /// Makes targets of the label sets that the rules keep. Of several with one
    /// identity the last one is served, in the place of the first: so the peer does
    /// within a group; between groups it takes any.
    pub fn add<'l>(&mut self, discovered: impl Iterator<Item = LabelSet<'l>>)
    where
        'a: 'l,
    {
        let hidden: Vec<_> =
            [ADDRESS_TARGET_KIND, ADDRESS_TARGET_NAME].into_iter().filter(|name| !self.serves(name)).collect();
        for labels in discovered {
            let mut relabelled = labels.clone();
            if !self.relabel(&mut relabelled, |_, _, _| {}) {
                continue;
            }
            let target = Target {
                identity: identity(&relabelled, self.job_name, &mut self.scratch),
                address: labels.get(ADDRESS).into(),
                node: node_of(&labels).into(),
                rendered: render(&labels, &hidden, &mut self.scratch),
            };
            match self.by_identity.get(&target.identity) {
                Some(position) => self.targets[*position] = target,
                None => {
                    self.by_identity.insert(target.identity, self.targets.len());
                    self.targets.push(target);
                }
            }
        }
    }

    /// The targets, in the order of discovery.
    #[must_use]
    pub fn finish(self) -> Vec<Target> {
        self.targets
    }

    /// Relabels what was discovered, telling `watch` of each rule; the identity of the target unless a rule drops it.
    pub fn follow<'l>(&self, labels: &mut LabelSet<'l>, watch: impl FnMut(usize, Outcome, &LabelSet<'l>)) -> Option<u64>
    where
        'a: 'l,
    {
        self.relabel(labels, watch).then(|| identity(labels, self.job_name, &mut Vec::new()))
    }

    fn relabel<'l>(&self, labels: &mut LabelSet<'l>, watch: impl FnMut(usize, Outcome, &LabelSet<'l>)) -> bool
    where
        'a: 'l,
    {
        let Some(seeds) = &self.seeds else { return true };
        for (name, value) in seeds {
            if labels.get(name).is_empty() {
                labels.set(name.clone(), value.clone());
            }
        }
        self.rules.apply_watched(labels, watch)
    }
}

/// What Prometheus' scrape layer sets before relabelling, unless discovery did.
fn seeds(config: &ScrapeConfig) -> Vec<(String, String)> {
    let mut seeds = vec![
        ("job".to_owned(), config.job_name.clone()),
        ("__scrape_interval__".to_owned(), config.scrape_interval.to_string()),
        ("__scrape_timeout__".to_owned(), config.scrape_timeout.to_string()),
        ("__metrics_path__".to_owned(), config.metrics_path.clone()),
        ("__scheme__".to_owned(), config.scheme.clone()),
    ];
    for (name, values) in &config.params {
        if let Some(value) = values.first() {
            seeds.push((format!("__param_{name}"), value.clone()));
        }
    }
    seeds
}

/// xxhash64 over names and values, each followed by 0xff, and the job's name.
fn identity(labels: &LabelSet<'_>, job_name: &str, scratch: &mut Vec<u8>) -> u64 {
    scratch.clear();
    for (name, value) in labels.iter() {
        // A label without a value is no label once relabelling is done.
        if name.starts_with(META_PREFIX) || value.is_empty() {
            continue;
        }
        for part in [name, value] {
            scratch.extend_from_slice(part.as_bytes());
            scratch.push(0xff);
        }
    }
    scratch.extend_from_slice(job_name.as_bytes());
    xxh64(scratch, 0)
}

fn node_of<'a>(labels: &'a LabelSet<'_>) -> &'a str {
    let named = NODE_LABELS.iter().map(|name| labels.get(name)).find(|node| !node.is_empty());
    named.unwrap_or_else(|| match labels.get(ADDRESS_TARGET_KIND) {
        "Node" => labels.get(ADDRESS_TARGET_NAME),
        _ => "",
    })
}

fn render(labels: &LabelSet<'_>, hidden: &[&str], out: &mut Vec<u8>) -> Box<[u8]> {
    out.clear();
    out.extend_from_slice(b"{\"targets\":[");
    write_json_string(labels.get(ADDRESS), out);
    out.extend_from_slice(b"],\"labels\":{");
    let mut separator: &[u8] = b"";
    for (name, value) in labels.iter().filter(|(name, _)| !hidden.contains(name)) {
        out.extend_from_slice(separator);
        write_json_string(name, out);
        out.push(b':');
        write_json_string(value, out);
        separator = b",";
    }
    out.extend_from_slice(b"}}");
    out.as_slice().into()
}

fn write_json_string(text: &str, out: &mut Vec<u8>) {
    // Writing a text to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::relabel::RelabelConfig;
    use crate::scrape_config::NameValidation;
    use crate::scrape_config::globals::Globals;

    fn rules(configs: &Value) -> Rules {
        let configs: Vec<RelabelConfig> = serde_json::from_value(configs.clone()).unwrap();
        Rules::for_targets(&configs, NameValidation::Utf8).unwrap()
    }

    fn job() -> ScrapeConfig {
        let mut job = ScrapeConfig::new("job-a");
        job.params.insert("module".to_owned(), vec!["http".to_owned(), "second".to_owned()]);
        job.params.insert("none".to_owned(), Vec::new());
        job.validate(&Globals::default()).unwrap();
        job
    }

    fn made(configs: &Value, filter: bool, served: ServedLabels, sets: &[Value]) -> Vec<Target> {
        let (job, rules) = (job(), rules(configs));
        let mut maker = Maker::new(&job, &rules, filter, served);
        maker.add(sets.iter().map(|labels| label_set(labels)));
        maker.finish()
    }

    fn label_set(labels: &Value) -> LabelSet<'_> {
        let labels = labels.as_object().unwrap().iter();
        labels.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect()
    }

    fn rendered(target: &Target) -> Value {
        serde_json::from_slice(&target.rendered).unwrap()
    }

    #[test]
    fn rules_see_what_prometheus_sets_before_relabelling() {
        let pod = json!({"__address__": "10.0.0.1:80"});
        let cases = [
            ("job", "job-a"),
            ("__scrape_interval__", "1m"),
            ("__scrape_timeout__", "10s"),
            ("__metrics_path__", "/metrics"),
            ("__scheme__", "http"),
            ("__param_module", "http"),
            ("__param_none", ""),
            ("__tmp_disable_sharding", "true"),
        ];
        for (label, value) in cases {
            let keep = |regex: &str| json!([{"action": "keep", "source_labels": [label], "regex": regex}]);
            assert_eq!(made(&keep(value), true, ServedLabels::All, std::slice::from_ref(&pod)).len(), 1, "{label}");
            assert_eq!(made(&keep("other"), true, ServedLabels::All, std::slice::from_ref(&pod)).len(), 0, "{label}");
            assert_eq!(
                made(&keep("other"), false, ServedLabels::All, std::slice::from_ref(&pod)).len(),
                1,
                "{label}, no filter"
            );
        }
        let own = json!({"__address__": "10.0.0.1:80", "job": "own", "__scheme__": ""});
        let keep = json!([{"action": "keep", "source_labels": ["job", "__scheme__"], "regex": "own;http"}]);
        assert_eq!(
            made(&keep, true, ServedLabels::All, &[own]).len(),
            1,
            "a label of the target goes before the job's"
        );
    }

    #[test]
    fn targets_are_served_as_they_were_discovered() {
        let pod = json!({"__address__": "10.0.0.1:80", "__meta_a": "\"x\"\n\u{1}é", "__meta_empty": "", "b": "2"});
        let replace = json!([{"target_label": "b", "replacement": "changed"}]);
        let targets = made(&replace, true, ServedLabels::All, std::slice::from_ref(&pod));
        assert_eq!(rendered(&targets[0]), json!({"targets": ["10.0.0.1:80"], "labels": pod}));
    }

    #[test]
    fn equal_identities_are_one_target() {
        let pod = |uid: &str, b: &str| json!({"__address__": "10.0.0.1:80", "__meta_uid": uid, "b": b});
        let none = json!([]);
        let targets = made(&none, true, ServedLabels::All, &[pod("1", "x"), pod("2", "y"), pod("3", "x")]);
        let served: Vec<_> = targets.iter().map(|target| rendered(target)["labels"]["__meta_uid"].clone()).collect();
        assert_eq!(served, ["3", "2"], "the last of equal ones, in the place of the first");
        let copied = json!([{"source_labels": ["__meta_uid"], "target_label": "uid"}]);
        assert_eq!(made(&copied, true, ServedLabels::All, &[pod("1", "x"), pod("3", "x")]).len(), 2);
        assert_eq!(made(&copied, false, ServedLabels::All, &[pod("1", "x"), pod("3", "x")]).len(), 1);
        let empty = json!({"__address__": "10.0.0.1:80", "b": "x", "c": ""});
        assert_eq!(made(&none, true, ServedLabels::All, &[pod("1", "x"), empty]).len(), 1, "no value is no label");
    }

    #[test]
    fn only_labels_that_somebody_can_read_are_wanted() {
        let configs = json!([
            {"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(.+)"},
            {"source_labels": ["__meta_kubernetes_service_name"], "target_label": "service"},
            {"action": "labeldrop", "regex": "__meta_kubernetes_pod_annotation_.*"}
        ]);
        let (job, rules) = (job(), rules(&configs));
        let cases = [
            ("__meta_kubernetes_pod_label_app", true),
            ("__meta_kubernetes_service_name", true),
            ("__meta_kubernetes_pod_name", true),
            ("__meta_kubernetes_pod_uid", true),
            ("__meta_kubernetes_pod_annotation_a", false),
            ("__meta_kubernetes_pod_phase", false),
            ("__meta_kubernetes_service_label_app", false),
        ];
        for (name, expected) in cases {
            let maker = |served| Maker::new(&job, &rules, true, served);
            assert_eq!(maker(ServedLabels::Referenced).wants(name), expected, "{name}");
            assert!(maker(ServedLabels::All).wants(name), "{name}");
        }
    }

    #[test]
    fn the_node_is_that_of_the_pod_or_the_node_or_the_endpoint() {
        let cases = [
            (json!({}), ""),
            (json!({"__meta_kubernetes_pod_node_name": "a", "__meta_kubernetes_node_name": "b"}), "a"),
            (json!({"__meta_kubernetes_node_name": "b", "__meta_kubernetes_endpoint_node_name": "c"}), "b"),
            (
                json!({"__meta_kubernetes_endpoint_node_name": "c", ADDRESS_TARGET_KIND: "Node", ADDRESS_TARGET_NAME: "d"}),
                "c",
            ),
            (json!({ADDRESS_TARGET_KIND: "Node", ADDRESS_TARGET_NAME: "d"}), "d"),
            (json!({ADDRESS_TARGET_KIND: "Pod", ADDRESS_TARGET_NAME: "d"}), ""),
        ];
        for (labels, node) in cases {
            let targets = made(&json!([]), true, ServedLabels::Referenced, std::slice::from_ref(&labels));
            assert_eq!(&*targets[0].node, node, "{labels}");
            assert_eq!(
                rendered(&targets[0])["labels"].get(ADDRESS_TARGET_KIND),
                None,
                "read here, of no use to a collector"
            );
        }
    }
}
