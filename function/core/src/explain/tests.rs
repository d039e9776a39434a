//! Explanations of a small cluster and of random ones. An explanation must agree with the allocation.

mod mistakes;
mod random;
mod verdict;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::allocation::{self, Inputs};
use crate::objects::{Collection, Object};
use crate::targets::{ServedLabels, Views};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// An allocation with its inputs.
struct Scenario {
    config: Config,
    cluster: Cluster,
    external: SourceAnswers,
    allocation: Allocation,
}

impl Scenario {
    fn new(config: &str, objects: impl IntoIterator<Item = Value>) -> Self {
        let config = Config::parse(config, None).unwrap();
        let mut cluster = Cluster::default();
        objects.into_iter().for_each(|object| insert(&mut cluster, object));
        let plan = Arc::new(allocation::plan(&config, &cluster, None));
        let external = SourceAnswers::default();
        let inputs = Inputs {
            config: &config,
            plan: &plan,
            cluster: &cluster,
            external: &external,
            served: ServedLabels::Referenced,
            views: Views { plain: true, merged: true },
            now: NOW,
        };
        let allocation = allocation::allocate(inputs, None).unwrap();
        Self { config, cluster, external, allocation }
    }

    fn world(&self) -> World<'_> {
        let Self { config, cluster, external, allocation } = self;
        World { config, cluster, external, allocation, now: NOW }
    }

    fn explain(&self, parameter: &str, value: &str) -> Explanation {
        explain(self.world(), &Question::parse(parameter, value).unwrap())
    }
}

fn insert(cluster: &mut Cluster, object: Value) {
    let kind = object["kind"].as_str().unwrap().to_owned();
    match kind.as_str() {
        "Pod" => put(&mut cluster.pods, object),
        "Service" => put(&mut cluster.services, object),
        "EndpointSlice" => put(&mut cluster.endpoint_slices, object),
        "ServiceMonitor" => put(&mut cluster.service_monitors, object),
        "PodMonitor" => put(&mut cluster.pod_monitors, object),
        "Probe" => put(&mut cluster.probes, object),
        "ScrapeConfig" => put(&mut cluster.scrape_configs, object),
        "Ingress" => put(&mut cluster.ingresses, object),
        "Secret" => put(&mut cluster.secrets, object),
        other => panic!("no such kind here: {other}"),
    }
}

fn put<T: Object + DeserializeOwned>(collection: &mut Collection<T>, object: Value) {
    let read: T = serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{error}: {object}"));
    collection.insert(read);
}

const CONFIG: &str = "
collector_namespace: monitoring
collector_selector: {matchLabels: {app: otel}}
prometheus_cr:
  enabled: true
  service_monitor_selector: {matchLabels: {team: shop}}
  service_monitor_namespace_selector: {}
  pod_monitor_selector: {}
  pod_monitor_namespace_selector: {}
  deny_namespaces: [secret]
";

const CLUSTER: &str = "
{kind: Pod, metadata: {namespace: monitoring, name: otel-0, labels: {app: otel}}, spec: {nodeName: n1}, status: {phase: Running}}
---
{kind: Pod, metadata: {namespace: monitoring, name: otel-1, labels: {app: otel}}, spec: {}, status: {phase: Pending}}
---
{kind: Pod, metadata: {namespace: monitoring, name: other-0, labels: {app: otelcol}}, spec: {nodeName: n1}}
---
{kind: Service, metadata: {namespace: shop, name: web, labels: {app: web}}, spec: {ports: [{name: http, port: 80}]}}
---
{kind: Service, metadata: {namespace: shop, name: site, labels: {app: website, tier: front}}, spec: {ports: [{name: http, port: 80}]}}
---
kind: EndpointSlice
metadata: {namespace: shop, name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}, {name: admin, port: 9090, protocol: TCP}]
endpoints:
  - {addresses: [10.0.0.1], nodeName: n1, targetRef: {kind: Pod, namespace: shop, name: web-0}}
  - {addresses: [10.0.0.2], nodeName: n1, targetRef: {kind: Pod, namespace: shop, name: web-canary}}
---
kind: EndpointSlice
metadata: {namespace: shop, name: site-1, labels: {kubernetes.io/service-name: site}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.0.0.3], targetRef: {kind: Pod, namespace: shop, name: site-0}}]
---
{kind: Pod, metadata: {namespace: shop, name: web-0, labels: {app: web, track: stable}}, spec: {nodeName: n1, containers: [{name: web}]}, status: {phase: Running, podIP: 10.0.0.1}}
---
{kind: Pod, metadata: {namespace: shop, name: web-canary, labels: {app: web, track: canary}}, spec: {nodeName: n1, containers: [{name: web}]}, status: {phase: Running, podIP: 10.0.0.2}}
---
{kind: Pod, metadata: {namespace: shop, name: site-0, labels: {app: website}}, spec: {nodeName: n1}, status: {phase: Running, podIP: 10.0.0.3}}
---
{kind: Pod, metadata: {namespace: shop, name: new, labels: {app: new}}, spec: {}, status: {phase: Pending}}
---
kind: ServiceMonitor
metadata: {namespace: shop, name: web, labels: {team: shop}}
spec:
  selector: {matchLabels: {app: web}}
  endpoints:
    - port: http
      relabelings:
        - {action: drop, sourceLabels: [__meta_kubernetes_pod_label_track], regex: canary}
        - {action: replace, targetLabel: zone, replacement: a}
    - port: metrics
---
{kind: ServiceMonitor, metadata: {namespace: shop, name: other-team, labels: {team: pay}}, spec: {selector: {matchLabels: {app: web}}, endpoints: [{port: http}]}}
---
{kind: ServiceMonitor, metadata: {namespace: secret, name: denied, labels: {team: shop}}, spec: {selector: {matchLabels: {app: db}}, endpoints: [{port: http}]}}
---
{kind: ServiceMonitor, metadata: {namespace: shop, name: refused, labels: {team: shop}}, spec: {selector: {matchLabels: {app: db}}, endpoints: [{port: http, bearerTokenSecret: {name: none, key: token}}]}}
---
kind: PodMonitor
metadata: {namespace: shop, name: all}
spec: {selector: {matchLabels: {app: nothing}}, podMetricsEndpoints: [{port: http}]}
---
kind: PodMonitor
metadata: {namespace: shop, name: same}
spec:
  selector: {matchLabels: {app: web}}
  podMetricsEndpoints:
    - relabelings:
        - {action: labeldrop, regex: pod}
        - {targetLabel: __address__, replacement: gateway:80}
";

fn shop() -> Scenario {
    let documents = serde_norway::Deserializer::from_str(CLUSTER);
    Scenario::new(CONFIG, documents.map(|document| Value::deserialize(document).unwrap()))
}

#[test]
fn explanations_have_a_summary_and_the_reason_of_each_stage() {
    let shop = shop();
    // The question; whether the object is served; parts of the summary and of the steps.
    let cases: [(&str, &str, bool, &str, &[&str]); 21] = [
        (
            "monitor",
            "ServiceMonitor/shop/web",
            true,
            "ServiceMonitor/shop/web is scraped by otel-0 every 30 s as job serviceMonitor/shop/web/0: 1 of 10 targets kept; \
             job serviceMonitor/shop/web/1 has no targets: Service shop/web is selected; port metrics is not one of its \
             ports: admin, http",
            &[
                "serviceMonitor/shop/web/0: 5 targets discovered in 2 endpointslice objects of the namespaces shop",
                "serviceMonitor/shop/web/0: 1 of 5 targets kept by the rules",
                "serviceMonitor/shop/web/0: 1 target assigned to 1 collector",
                "serviceMonitor/shop/web/1: 0 of 5 targets kept by the rules",
            ],
        ),
        (
            "monitor",
            "servicemonitor/shop/other-team",
            false,
            "team=shop required, team=pay found",
            &["its labels do not match the selector"],
        ),
        ("monitor", "ServiceMonitor/secret/denied", false, "its namespace is in deny_namespaces: secret", &[]),
        ("monitor", "ServiceMonitor/shop/refused", false, "is refused: spec.endpoints[0].bearerTokenSecret", &["none"]),
        (
            "monitor",
            "ServiceMonitor/pay/web",
            false,
            "there is no ServiceMonitor/pay/web",
            &["did you mean ServiceMonitor/shop/web?"],
        ),
        ("monitor", "Probe/shop/web", false, "the config has no selector for the kind Probe", &[]),
        (
            "monitor",
            "PodMonitor/shop/all",
            false,
            "PodMonitor/shop/all has no targets: no Pod in namespace shop matches",
            &[],
        ),
        (
            "monitor",
            "PodMonitor/shop/same",
            true,
            "job podMonitor/shop/same/0: 1 of 2 targets kept",
            &["1 merged into equal targets"],
        ),
        (
            "pod",
            "shop/web-0",
            true,
            "is scraped by otel-0 every 30 s as job ",
            &[
                "behind 1 service: web",
                "ServiceMonitor/shop/web selects Service/shop/web",
                "other-team selects Service/shop/web, but the config does not select the monitor",
            ],
        ),
        (
            "pod",
            "shop/web-canary",
            true,
            "is scraped by otel-0 every 30 s as job ",
            &["PodMonitor/shop/same selects Pod/shop/web-canary"],
        ),
        (
            "pod",
            "shop/site-0",
            false,
            "app=web required, app=website found",
            &["no monitor has a selector and namespaces that match"],
        ),
        (
            "pod",
            "shop/new",
            false,
            "is not scraped",
            &["Pending, without an address yet", "no service has the pod in its endpoints"],
        ),
        ("pod", "shop/nobody", false, "there is no Pod/shop/nobody", &[]),
        (
            "service",
            "shop/web",
            true,
            "is scraped by otel-0 every 30 s as job ",
            &["ServiceMonitor/shop/web selects Service/shop/web"],
        ),
        (
            "service",
            "shop/site",
            false,
            "the nearest is ServiceMonitor/shop/other-team: app=web required, app=website found",
            &[],
        ),
        ("target", "10.0.0.1:8080", true, "is scraped by otel-0 every 30 s as job ", &["1 dropped, 1 served"]),
        ("target", "10.0.0.2:8080", false, "is not scraped: 2 dropped", &[]),
        ("target", "10.0.0.1", true, "10.0.0.1 is scraped by otel-0", &["jobs discovered "]),
        ("target", "10.0.0", false, "no job discovered a target", &[]),
        (
            "target",
            "gateway:80",
            true,
            "is scraped by otel-0 every 30 s as job ",
            &["no object has the address gateway:80", "1 merged with an equal target, 1 served"],
        ),
        ("target", "10.9.9.9:1", false, "no job discovered a target", &[]),
    ];
    for (parameter, value, served, summary, steps) in cases {
        let got = shop.explain(parameter, value);
        let shown = format!("{parameter}={value}: {}", serde_json::to_string_pretty(&got).unwrap());
        assert_eq!(got.served, served, "{shown}");
        assert!(got.summary.contains(summary), "{summary} not in {shown}");
        for wanted in steps {
            assert!(got.steps.iter().any(|step| step.text.contains(wanted)), "{wanted} not in {shown}");
        }
        assert_eq!(got.asked.parameter().0, parameter);
    }
}

#[test]
fn probes_and_scrape_configs_without_targets_name_the_nearest_objects() {
    let config = "
collector_namespace: monitoring
collectors: {names: [a]}
prometheus_cr: {enabled: true, probe_selector: {}, probe_namespace_selector: {}, scrape_config_selector: {}, scrape_config_namespace_selector: {}}
";
    let objects = [
        json!({"kind": "Ingress", "metadata": {"namespace": "shop", "name": "front", "labels": {"app": "website"}},
            "spec": {"rules": [{"host": "shop.example"}]}}),
        json!({"kind": "Pod", "metadata": {"namespace": "shop", "name": "site-0", "labels": {"app": "website"}}, "status": {"podIP": "10.0.0.1"}}),
        json!({"kind": "Probe", "metadata": {"namespace": "shop", "name": "ingress"},
            "spec": {"prober": {"url": "prober"}, "targets": {"ingress": {"selector": {"matchLabels": {"app": "web"}}}}}}),
        json!({"kind": "Probe", "metadata": {"namespace": "pay", "name": "elsewhere"},
            "spec": {"prober": {"url": "prober"}, "targets": {"ingress": {"selector": {"matchLabels": {"app": "website"}}}}}}),
        json!({"kind": "Probe", "metadata": {"namespace": "shop", "name": "written"},
            "spec": {"prober": {"url": "prober"}, "targets": {"staticConfig": {"static": ["shop.example"]}}}}),
        json!({"kind": "ScrapeConfig", "metadata": {"namespace": "shop", "name": "pods"},
            "spec": {"kubernetesSDConfigs": [{"role": "Pod", "selectors": [{"role": "Pod", "label": "app=web"}]}]}}),
        json!({"kind": "ScrapeConfig", "metadata": {"namespace": "shop", "name": "elsewhere"},
            "spec": {"kubernetesSDConfigs": [{"role": "Pod", "namespaces": {"names": ["pay"]}}]}}),
    ];
    let scenario = Scenario::new(config, objects);
    // The monitor; the nearest object and the differences.
    let cases = [
        ("Probe/shop/ingress", "Ingress/shop/front: app=web required, app=website found"),
        ("Probe/pay/elsewhere", "Ingress/shop/front: looks into pay"),
        ("Probe/shop/written", ""),
        ("ScrapeConfig/shop/pods", "Pod/shop/site-0: app=web required, app=website found"),
        ("ScrapeConfig/shop/elsewhere", "Pod/shop/site-0: looks into pay"),
    ];
    for (monitor, expected) in cases {
        let got = scenario.explain("monitor", monitor);
        let near = got.nearest.iter().map(|near| {
            let gaps = near.gaps.iter().map(ToString::to_string);
            let why: Vec<_> = gaps.chain(near.namespaces.iter().map(|names| format!("looks into {names}"))).collect();
            format!("{}: {}", near.to, why.join("; "))
        });
        assert_eq!(
            near.collect::<Vec<_>>().join("\n"),
            expected,
            "{monitor}: {}",
            serde_json::to_string_pretty(&got).unwrap()
        );
    }
}

#[test]
fn a_collector_without_targets_has_a_reason() {
    let shop = shop();
    let cases = [
        ("otel-0", true, "2 of 2 targets are assigned to otel-0, in 2 jobs"),
        ("otel-1", false, "the pod otel-1 is not a collector: it is not scheduled to a node yet"),
        ("other-0", false, "the pod other-0 is not a collector: collector_selector does not match its labels"),
        ("gone", false, "the collectors' namespace monitoring has no pod gone"),
    ];
    for (collector, served, summary) in cases {
        let got = shop.explain("collector", collector);
        assert_eq!((got.served, got.summary.contains(summary)), (served, true), "{}", got.summary);
    }
    let unnamed = Scenario::new("prometheus_cr: {enabled: true}", []);
    assert!(unnamed.explain("collector", "otel-0").summary.contains("set collector_selector"));
}

#[test]
fn each_rule_of_a_trace_has_the_labels_that_it_read_and_changed() {
    let shop = shop();
    let got = shop.explain("pod", "shop/web-0");
    let trace = got.targets.iter().find(|trace| trace.job == "serviceMonitor/shop/web/0").unwrap();
    assert_eq!(trace.before["job"], "serviceMonitor/shop/web/0");
    assert_eq!(trace.before["__meta_kubernetes_pod_label_track"], "stable");
    assert_eq!(trace.after.as_ref().unwrap()["zone"], "a");
    let origins: Vec<_> = trace.rules.iter().map(|rule| &rule.from).collect();
    assert_eq!(origins.first(), Some(&&RuleOrigin::Allocator));
    assert_eq!(origins[1], &RuleOrigin::Generated(0));
    let written = |index| RuleOrigin::Written(format!("spec.endpoints[0].relabelings[{index}]"));
    let find = |origin: &RuleOrigin| trace.rules.iter().find(|rule| rule.from == *origin).unwrap();
    let drop = find(&written(0));
    assert_eq!(drop.reads, [LabelRead { label: "__meta_kubernetes_pod_label_track".into(), value: "stable".into() }]);
    assert_eq!((drop.dropped, drop.changes.len()), (false, 0));
    let set = find(&written(1));
    assert_eq!(set.changes, [LabelChange { label: "zone".into(), before: None, after: Some("a".into()) }]);
    // Applying all changes to the labels before the rules must give the labels after them.
    let mut labels = trace.before.clone();
    for change in trace.rules.iter().flat_map(|rule| &rule.changes) {
        assert_eq!(labels.get(&change.label), change.before.as_ref(), "{change:?}");
        match &change.after {
            Some(value) => labels.insert(change.label.clone(), value.clone()),
            None => labels.remove(&change.label),
        };
    }
    labels.retain(|name, _| !name.starts_with("__meta_"));
    assert_eq!(Some(&labels), trace.after.as_ref());

    let canary = shop.explain("target", "10.0.0.2:8080");
    let trace = canary.targets.iter().find(|trace| trace.job == "serviceMonitor/shop/web/0").unwrap();
    let Fate::Dropped { reason } = &trace.fate else { panic!("{:?}", trace.fate) };
    let expected = "spec.endpoints[0].relabelings[0]: drop where __meta_kubernetes_pod_label_track matches \"canary\"; \
                    found __meta_kubernetes_pod_label_track=\"canary\"";
    assert_eq!(reason, expected);
    assert!(trace.after.is_none());
}

#[test]
fn a_malformed_question_gets_an_error_with_the_right_form() {
    let cases = [
        (
            "monitor",
            "a/b/c/d",
            "monitor must be KIND/NAMESPACE/NAME, with the kind ServiceMonitor, PodMonitor, Probe or ScrapeConfig",
        ),
        ("monitor", "Deployment/shop/web", "monitor must be"),
        ("pod", "a/b/c", "pod must be NAMESPACE/NAME"),
        ("service", "shop/", "service must be NAMESPACE/NAME"),
        ("target", " ", "target must be an address"),
        ("collector", "", "collector must be the name of a collector"),
        ("node", "n1", "set one of the parameters any=NAME, monitor="),
        ("any", "/", "any must be the name of an object"),
    ];
    for (parameter, value, expected) in cases {
        let error = Question::parse(parameter, value).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_slice_of_the_second_address_family_is_named_as_such() {
    let objects = [
        json!({"kind": "Service", "metadata": {"namespace": "shop", "name": "web", "labels": {"app": "web"}},
               "spec": {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6", "IPv4"], "ports": [{"name": "http", "port": 80}]}}),
        json!({"kind": "EndpointSlice", "metadata": {"namespace": "shop", "name": "web-4", "labels": {"kubernetes.io/service-name": "web"}},
               "addressType": "IPv4", "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}], "endpoints": [{"addresses": ["10.0.0.1"]}]}),
        json!({"kind": "ServiceMonitor", "metadata": {"namespace": "shop", "name": "web", "labels": {"team": "shop"}},
               "spec": {"selector": {"matchLabels": {"app": "web"}}, "endpoints": [{"port": "http"}]}}),
    ];
    let got = Scenario::new(CONFIG, objects).explain("monitor", "ServiceMonitor/shop/web");
    let shown = serde_json::to_string_pretty(&got).unwrap();
    assert!(shown.contains("the second address family of a dual-stack service"), "{shown}");
}

#[test]
fn a_service_is_not_denied_where_no_endpoints_were_read() {
    let pod = json!({"kind": "Pod", "metadata": {"namespace": "shop", "name": "web-0"}, "status": {"phase": "Running", "podIP": "10.0.0.1"}});
    let monitor = json!({"kind": "PodMonitor", "metadata": {"namespace": "shop", "name": "other"},
                         "spec": {"selector": {"matchLabels": {"app": "other"}}, "podMetricsEndpoints": [{"port": "http"}]}});
    let got = Scenario::new(CONFIG, [pod, monitor]).explain("pod", "shop/web-0");
    let shown = serde_json::to_string_pretty(&got).unwrap();
    assert!(shown.contains("whether a service selects it is not known"), "{shown}");
    assert!(!shown.contains("only a PodMonitor can select the pod"), "{shown}");
}
