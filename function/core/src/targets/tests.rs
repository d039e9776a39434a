//! Which targets are kept, and which labels are served.

use serde_json::{Value, json};

use super::location::{ADDRESS_TARGET_KIND, ADDRESS_TARGET_NAME};
use super::*;
use crate::labels::LabelSet;
use crate::regex::RegexCache;
use crate::relabel::{RelabelConfig, Rules};
use crate::scrape_config::globals::Globals;
use crate::scrape_config::{NameValidation, ScrapeConfig};

fn rules(configs: &Value) -> Rules {
    let configs: Vec<RelabelConfig> = serde_json::from_value(configs.clone()).unwrap();
    Rules::for_targets(&configs, NameValidation::Utf8, &RegexCache::default()).unwrap()
}

fn job() -> ScrapeConfig {
    let mut job = ScrapeConfig::new("job-a");
    job.params.insert("module".to_owned(), vec!["http".to_owned(), "second".to_owned()]);
    job.params.insert("none".to_owned(), Vec::new());
    job.validate(&Globals::default(), &RegexCache::default()).unwrap();
    job
}

fn made(configs: &Value, filter: RuleFilter, served: ServedLabels, sets: &[Value]) -> GroupTargets {
    made_for(Views::PLAIN, configs, filter, served, sets)
}

fn made_for(views: Views, configs: &Value, filter: RuleFilter, served: ServedLabels, sets: &[Value]) -> GroupTargets {
    let (job, rules) = (job(), rules(configs));
    let maker = Maker::new(&job, &rules, filter, served, views);
    maker.make(&LabelSet::new(), sets.iter().map(|labels| label_set(labels)), &mut Locations::default()).unwrap()
}

fn label_set(labels: &Value) -> LabelSet<'_> {
    let labels = labels.as_object().unwrap().iter();
    labels.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect()
}

fn rendered(group: &GroupTargets, position: usize) -> Value {
    serde_json::from_str(&group.plain(&group.targets[position]).json()).unwrap()
}

#[test]
fn rules_read_the_labels_that_prometheus_sets_before_relabelling() {
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
        assert_eq!(
            made(&keep(value), RuleFilter::On, ServedLabels::All, std::slice::from_ref(&pod)).targets.len(),
            1,
            "{label}"
        );
        assert_eq!(
            made(&keep("other"), RuleFilter::On, ServedLabels::All, std::slice::from_ref(&pod)).targets.len(),
            0,
            "{label}"
        );
        assert_eq!(
            made(&keep("other"), RuleFilter::Off, ServedLabels::All, std::slice::from_ref(&pod)).targets.len(),
            1,
            "{label}, no filter"
        );
    }
    let own = json!({"__address__": "10.0.0.1:80", "job": "own", "__scheme__": ""});
    let keep = json!([{"action": "keep", "source_labels": ["job", "__scheme__"], "regex": "own;http"}]);
    assert_eq!(
        made(&keep, RuleFilter::On, ServedLabels::All, &[own]).targets.len(),
        1,
        "a label of the target goes before the job's"
    );
}

#[test]
fn targets_are_served_as_they_were_discovered() {
    let pod = json!({"__address__": "10.0.0.1:80", "__meta_a": "\"x\"\n\u{1}é", "__meta_empty": "", "b": "2"});
    let replace = json!([{"target_label": "b", "replacement": "changed"}]);
    let targets = made(&replace, RuleFilter::On, ServedLabels::All, std::slice::from_ref(&pod));
    assert_eq!(rendered(&targets, 0), json!({"targets": ["10.0.0.1:80"], "labels": pod}));
}

fn escaped(json: &str) -> String {
    let mut text = String::new();
    escape(json, &mut text);
    text
}

#[test]
fn no_label_value_breaks_the_json_of_a_text() {
    let all: String = (0..=0x2ff_u32).filter_map(char::from_u32).collect();
    for value in
        ["", "plain", "\"", "\\", "\\\"", "\n\0\u{7f}", "{\"a\": \"\\n\"}", "h\u{e9}llo \u{1f6d2}\u{2028}", &all]
    {
        for name in ["a", value] {
            let labels = json!({"__address__": value, name: value});
            for shared in [LabelSet::new(), label_set(&labels)] {
                let (job, rules) = (job(), rules(&json!([])));
                let maker = Maker::new(&job, &rules, RuleFilter::Off, ServedLabels::All, Views::PLAIN);
                let group = maker.make(&shared, [label_set(&labels)], &mut Locations::default()).unwrap();
                let text = group.plain(&group.targets[0]);
                let expected = json!({"targets": [value], "labels": labels});
                assert_eq!(serde_json::from_str::<Value>(&text.json()).unwrap(), expected);
                assert_eq!(text.escaped(), escaped(&text.json()));
            }
        }
    }
}

#[test]
fn shared_labels_are_stored_once() {
    let pod = |name: &str, controller: &str| {
        json!({
            "__address__": format!("{name}:1"),
            "__meta_kubernetes_pod_controller_name": controller,
            "__meta_kubernetes_pod_name": name,
            "__meta_kubernetes_pod_phase": "Running",
        })
    };
    let of_a = r#","__meta_kubernetes_pod_controller_name":"a","__meta_kubernetes_pod_phase":"Running""#;
    let of_b = r#","__meta_kubernetes_pod_controller_name":"b","__meta_kubernetes_pod_phase":"Running""#;
    let cases = [
        (vec![("x", "a")], vec![of_a]),
        (vec![("x", "a"), ("y", "a")], vec![of_a]),
        (vec![("x", "a"), ("y", "b")], vec![of_a, of_b]),
        (vec![("x", "a"), ("y", "b"), ("z", "a"), ("w", "b")], vec![of_a, of_b]),
    ];
    for (pods, held) in cases {
        let sets: Vec<Value> = pods.iter().map(|(name, controller)| pod(name, controller)).collect();
        let group = made(&json!([]), RuleFilter::Off, ServedLabels::All, &sets);
        let texts: Vec<Text<'_>> = group.targets.iter().map(|target| group.plain(target)).collect();
        for (text, labels) in texts.iter().zip(&sets) {
            assert_eq!(serde_json::from_str::<Value>(&text.json()).unwrap()["labels"], *labels);
        }
        let own: usize = texts.iter().map(|text| text.own.len()).sum();
        let alike: usize = held.iter().map(|text| escaped(text).len()).sum();
        assert_eq!(group.text.len(), own + alike + "}}".len(), "{pods:?}");
    }
}

#[test]
fn shared_labels_end_the_texts_unless_a_target_replaces_one() {
    let shared = json!({"a": "1", "c": "3"});
    let end = r#","a":"1","c":"3"}}"#;
    let cases = [
        (json!({"__address__": "h:1"}), r#"{"targets":["h:1"],"labels":{"__address__":"h:1""#, end),
        (
            json!({"__address__": "h:2", "c": "own"}),
            r#"{"targets":["h:2"],"labels":{"__address__":"h:2","a":"1","c":"own"}}"#,
            "",
        ),
        (json!({"b": "2"}), r#"{"targets":[""],"labels":{"a":"1","b":"2","c":"3"}}"#, ""),
        (json!({"__address__": "h:3", "b": "2"}), r#"{"targets":["h:3"],"labels":{"__address__":"h:3","b":"2""#, end),
    ];
    let (job, rules) = (job(), rules(&json!([])));
    let maker = Maker::new(&job, &rules, RuleFilter::Off, ServedLabels::All, Views::PLAIN);
    let own = cases.iter().map(|(own, ..)| label_set(own));
    let group = maker.make(&label_set(&shared), own, &mut Locations::default()).unwrap();
    for ((own, beginning, end), target) in cases.iter().zip(&group.targets) {
        let made = group.plain(target);
        assert_eq!(([made.own, made.shared].concat(), made.tail), (escaped(beginning), &*escaped(end)), "{own}");
    }
    let served: usize = cases.iter().map(|(_, beginning, end)| escaped(beginning).len() + escaped(end).len()).sum();
    assert_eq!(group.size(), served + size_of_val(&*group.targets), "each is served with all of its text");
}

#[test]
fn the_identity_depends_on_the_labels_after_relabelling() {
    let pod = |uid: &str, b: &str| json!({"__address__": "10.0.0.1:80", "__meta_uid": uid, "b": b});
    let (none, copied) = (json!([]), json!([{"source_labels": ["__meta_uid"], "target_label": "uid"}]));
    let empty = json!({"__address__": "10.0.0.1:80", "b": "x", "c": ""});
    let cases = [
        (&none, RuleFilter::On, [pod("1", "x"), pod("3", "x")], true),
        (&none, RuleFilter::On, [pod("1", "x"), pod("1", "y")], false),
        (&copied, RuleFilter::On, [pod("1", "x"), pod("3", "x")], false),
        (&copied, RuleFilter::Off, [pod("1", "x"), pod("3", "x")], true),
        (&none, RuleFilter::On, [pod("1", "x"), empty], true),
    ];
    for (configs, filter, sets, equal) in cases {
        let group = made(configs, filter, ServedLabels::All, &sets);
        assert_eq!(group.targets[0].identity == group.targets[1].identity, equal, "{configs} {sets:?}");
    }
}

#[test]
fn the_merged_view_serves_the_labels_after_relabelling() {
    let pod = json!({"__address__": "10.0.0.1:80", "__meta_kubernetes_pod_name": "web-1", "__meta_a": "x", "b": "1"});
    let settings = json!({
        "__address__": "10.0.0.1:80", "__metrics_path__": "/metrics", "__scheme__": "http", "__scrape_interval__": "1m",
        "__scrape_timeout__": "10s", "__param_module": "http", "job": "job-a", "b": "1",
        "__meta_kubernetes_pod_name": "web-1",
    });
    let with = |changes: Value| {
        let mut labels = settings.clone();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => labels.as_object_mut().unwrap().remove(name),
                value => labels.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        labels
    };
    let cases = [
        (json!([]), Some(settings.clone())),
        (json!([{"source_labels": ["__meta_a"], "target_label": "a"}]), Some(with(json!({"a": "x"})))),
        (json!([{"source_labels": ["__meta_a"], "target_label": "__tmp_a"}]), Some(settings.clone())),
        (json!([{"target_label": "job", "replacement": "web"}]), Some(with(json!({"job": "web"})))),
        (
            json!([{"target_label": "__metrics_path__", "replacement": "/m"}]),
            Some(with(json!({"__metrics_path__": "/m"}))),
        ),
        // Without this label, a collector uses the parameter of the job.
        (json!([{"action": "labeldrop", "regex": "__param_module"}]), Some(settings.clone())),
        // Later rules read the changed label. Resource attributes come from the discovered label.
        (json!([{"target_label": "__meta_kubernetes_pod_name", "replacement": "y"}]), Some(settings.clone())),
        (json!([{"action": "labeldrop", "regex": "b"}]), Some(with(json!({"b": null})))),
        (json!([{"target_label": "__address__", "replacement": ""}]), None),
    ];
    for (configs, expected) in cases {
        for filter in [RuleFilter::On, RuleFilter::Off] {
            let group = made_for(Views::MERGED, &configs, filter, ServedLabels::Referenced, std::slice::from_ref(&pod));
            let text = group.merged(&group.targets[0]);
            let labels = expected.as_ref().map(|labels| json!({"targets": [labels["__address__"]], "labels": labels}));
            assert_eq!(serde_json::from_str::<Value>(&text.json()).ok(), labels, "{configs}");
            assert!(group.plain(&group.targets[0]).is_empty());
            assert!(group.is_expressible());
        }
    }
}

#[test]
fn a_job_whose_rules_remove_a_setting_cannot_be_merged() {
    let pod = json!({"__address__": "10.0.0.1:80"});
    for name in ["job", "__scheme__", "__metrics_path__", "__scrape_interval__", "__scrape_timeout__"] {
        let configs = json!([{"action": "labeldrop", "regex": name}]);
        let group = made_for(Views::MERGED, &configs, RuleFilter::On, ServedLabels::All, std::slice::from_ref(&pod));
        assert!(!group.is_expressible(), "{name}");
    }
}

/// Prometheus refuses a whole list because of one label without a name.
#[test]
fn targets_with_a_label_without_a_name_are_not_in_the_merged_view() {
    let pods = [
        json!({"__address__": "10.0.0.1:80", "__meta_kubernetes_pod_label_x": "1"}),
        json!({"__address__": "10.0.0.2:80", "__meta_kubernetes_pod_label_xa": "1"}),
    ];
    let configs = [
        (json!({"action": "labelmap", "regex": "__meta_kubernetes_pod_label_x(.*)"}), [false, true]),
        (
            json!({"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(.+)", "replacement": "$2"}),
            [false, false],
        ),
        (json!({"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(.+)"}), [true, true]),
    ];
    for (config, expected) in configs {
        let views = Views { plain: true, merged: true };
        let group = made_for(views, &json!([config]), RuleFilter::On, ServedLabels::All, &pods);
        let served = |target| !group.merged(target).is_empty();
        assert_eq!(group.targets.iter().map(served).collect::<Vec<_>>(), expected, "{config}");
        assert!(
            group.targets.iter().all(|target| !group.plain(target).is_empty()),
            "the plain view has them: {config}"
        );
        let missing = expected.iter().filter(|served| !**served).count();
        assert_eq!((group.inexpressible(), group.is_expressible()), (missing, missing == 0), "{config}");
    }
}

#[test]
fn labels_that_change_how_a_target_is_scraped_are_in_the_merged_view() {
    let pod = json!({"__address__": "10.0.0.1:80"});
    for name in [
        "__always_scrape_classic_histograms__",
        "__convert_classic_histograms_to_nhcb__",
        "__scrape_native_histograms__",
    ] {
        let configs = json!([{"target_label": name, "replacement": "true"}]);
        let group = made_for(Views::MERGED, &configs, RuleFilter::On, ServedLabels::All, std::slice::from_ref(&pod));
        let text: Value = serde_json::from_str(&group.merged(&group.targets[0]).json()).unwrap();
        assert_eq!(text["labels"][name], "true");
    }
}

#[test]
fn only_labels_that_a_collector_can_use_are_served() {
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
        let maker = |served| Maker::new(&job, &rules, RuleFilter::On, served, Views::PLAIN);
        assert_eq!(maker(ServedLabels::Referenced).wants(name), expected, "{name}");
        assert!(maker(ServedLabels::All).wants(name), "{name}");
    }
}

#[test]
fn the_node_of_a_target_comes_from_its_pod_node_or_endpoint() {
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
        let targets = made(&json!([]), RuleFilter::On, ServedLabels::Referenced, std::slice::from_ref(&labels));
        assert_eq!(&*targets.targets[0].node, node, "{labels}");
        assert_eq!(rendered(&targets, 0)["labels"].get(ADDRESS_TARGET_KIND), None, "no collector can use the label");
    }
}
