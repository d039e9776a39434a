//! The commonest reasons why a monitor has no targets, each with the first sentence of its explanation.
//!
//! The table in `docs/explain.md` has the same rows, in the same order.

use super::*;

const DOCUMENT: &str = include_str!("../../../../../docs/explain.md");
const HEADING: &str = "\n## The commonest mistakes\n";

/// A config that selects all monitors with the label `release: otel`.
const SELECTING: &str = "
collector_namespace: monitoring
collector_selector: {matchLabels: {app: otel}}
prometheus_cr:
  enabled: true
  service_monitor_selector: {matchLabels: {release: otel}}
  service_monitor_namespace_selector: {}
  pod_monitor_selector: {matchLabels: {release: otel}}
  pod_monitor_namespace_selector: {}
";

/// A cluster in which every monitor has a target.
const WORKING: &str = "
{kind: Pod, metadata: {namespace: monitoring, name: otel-0, labels: {app: otel}}, spec: {nodeName: n1}, status: {phase: Running}}
---
kind: Service
metadata: {namespace: shop, name: web, labels: {app: web}}
spec: {ports: [{name: http, port: 80}, {name: metrics, port: 9090}]}
---
kind: EndpointSlice
metadata: {namespace: shop, name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}, {name: metrics, port: 9090, protocol: TCP}]
endpoints: [{addresses: [10.0.0.1], nodeName: n1, targetRef: {kind: Pod, namespace: shop, name: web-0}}]
---
kind: Pod
metadata: {namespace: shop, name: web-0, labels: {app: web, tier: front}}
spec: {nodeName: n1, containers: [{name: web, ports: [{name: http, containerPort: 8080}, {name: prom, containerPort: 9100}]}]}
status: {phase: Running, podIP: 10.0.0.1}
---
kind: ServiceMonitor
metadata: {namespace: shop, name: web, labels: {release: otel}}
spec: {selector: {matchLabels: {app: web}}, endpoints: [{port: metrics, interval: 15s}]}
---
kind: PodMonitor
metadata: {namespace: shop, name: pods, labels: {release: otel}}
spec: {selector: {matchLabels: {app: web}}, podMetricsEndpoints: [{port: prom, interval: 30s}]}
";

/// A value to set in an object: the object, the path of the field, and the value.
type Change = (&'static str, &'static str, Value);

/// One row: the mistake, the changes that make it, the lines added to the config, the question and its answer.
struct Mistake {
    name: &'static str,
    changes: Vec<Change>,
    config: &'static str,
    question: (&'static str, &'static str),
}

const MONITOR: &str = "ServiceMonitor/shop/web";
const PODS: &str = "PodMonitor/shop/pods";

fn mistake(name: &'static str, changes: impl Into<Vec<Change>>) -> Mistake {
    Mistake { name, changes: changes.into(), config: SELECTING, question: ("monitor", MONITOR) }
}

impl Mistake {
    fn asked(self, parameter: &'static str, value: &'static str) -> Self {
        Self { question: (parameter, value), ..self }
    }

    fn with(self, config: &'static str) -> Self {
        Self { config, ..self }
    }

    fn explanation(&self) -> Explanation {
        let mut objects: Vec<Value> = serde_norway::Deserializer::from_str(WORKING)
            .map(|document| Value::deserialize(document).unwrap())
            .collect();
        for (object, path, value) in &self.changes {
            let name = |value: &Value| {
                let metadata = &value["metadata"];
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                format!("{}/{}/{}", text(&value["kind"]), text(&metadata["namespace"]), text(&metadata["name"]))
            };
            if object.is_empty() {
                objects.push(value.clone());
                continue;
            }
            let mut at = objects.iter_mut().find(|value| name(value) == *object).expect("the object exists");
            for key in path.split('/') {
                at = match key.parse::<usize>() {
                    Ok(position) => &mut at[position],
                    Err(_) => &mut at[key],
                };
            }
            *at = value.clone();
        }
        Scenario::new(self.config, objects).explain(self.question.0, self.question.1)
    }
}

fn mistakes() -> Vec<Mistake> {
    const PORT: &str = "spec/endpoints/0/port";
    const SELECTOR: &str = "spec/selector/matchLabels";
    let by_node = "
collector_namespace: monitoring
collector_selector: {matchLabels: {app: otel}}
allocation_strategy: per-node
prometheus_cr: {enabled: true, service_monitor_selector: {}, service_monitor_namespace_selector: {}}
";
    let by_team = "
collector_namespace: monitoring
collector_selector: {matchLabels: {app: otel}}
prometheus_cr: {enabled: true, service_monitor_selector: {}, service_monitor_namespace_selector: {matchLabels: {team: a}}}
";
    let allowed = "
collector_namespace: monitoring
collector_selector: {matchLabels: {app: otel}}
prometheus_cr: {enabled: true, service_monitor_selector: {}, service_monitor_namespace_selector: {}, allow_namespaces: [shop]}
";
    let denied = "
collector_namespace: monitoring
collector_selector: {matchLabels: {app: otel}}
prometheus_cr: {enabled: true, service_monitor_selector: {}, service_monitor_namespace_selector: {}, deny_namespaces: [shop]}
";
    let disabled = "
collector_namespace: monitoring
collector_selector: {matchLabels: {app: otel}}
config: {scrape_configs: [{job_name: a, static_configs: [{targets: ['a:80']}]}]}
";
    vec![
        mistake("The name of the port has a typing error", [(MONITOR, PORT, json!("metrcs"))]),
        mistake("`port` has the number of a port", [(MONITOR, PORT, json!("9090"))]),
        mistake("`port` has the name of a container port", [(MONITOR, PORT, json!("prom"))]),
        mistake(
            "The ports of the Service have no name",
            [
                ("Service/shop/web", "spec/ports", json!([{"port": 80}])),
                ("EndpointSlice/shop/web-1", "ports", json!([{"name": "", "port": 8080, "protocol": "TCP"}])),
            ],
        ),
        mistake("`targetPort` is no container port", [(MONITOR, "spec/endpoints/0", json!({"targetPort": 9999}))]),
        mistake(
            "No container has the `targetPort` of the Service",
            [("EndpointSlice/shop/web-1", "ports", json!([{"name": "http", "port": 8080, "protocol": "TCP"}]))],
        ),
        mistake("The selector has a label of the pods", [(MONITOR, SELECTOR, json!({"tier": "front"}))]),
        mistake("The selector has another value", [(MONITOR, SELECTOR, json!({"app": "website"}))]),
        mistake("The Service is in another namespace", [(MONITOR, "metadata/namespace", json!("monitoring"))])
            .asked("monitor", "ServiceMonitor/monitoring/web"),
        mistake(
            "`namespaceSelector` names a wrong namespace",
            [
                (MONITOR, "spec/namespaceSelector", json!({"matchNames": ["shpo"]})),
                (MONITOR, SELECTOR, json!({"app": "other"})),
            ],
        ),
        mistake(
            "`allow_namespaces` lacks the namespace",
            [(MONITOR, "spec/namespaceSelector", json!({"matchNames": ["pay"]}))],
        )
        .with(allowed),
        mistake("No pod is behind the Service", [("EndpointSlice/shop/web-1", "endpoints", json!([]))]),
        mistake(
            "The Service has no EndpointSlice",
            [("EndpointSlice/shop/web-1", "metadata/labels", json!({"kubernetes.io/service-name": "old"}))],
        ),
        mistake(
            "The Service has the type `ExternalName`",
            [
                ("Service/shop/web", "spec/type", json!("ExternalName")),
                ("EndpointSlice/shop/web-1", "metadata/labels", json!({})),
            ],
        ),
        mistake(
            "Only the second address family has addresses",
            [
                ("Service/shop/web", "spec/ipFamilyPolicy", json!("PreferDualStack")),
                ("Service/shop/web", "spec/ipFamilies", json!(["IPv6", "IPv4"])),
            ],
        ),
        mistake(
            "A relabeling drops all targets",
            [(
                MONITOR,
                "spec/endpoints/0/relabelings",
                json!([
                    {"action": "keep", "sourceLabels": ["__meta_kubernetes_pod_label_tier"], "regex": "back"}
                ]),
            )],
        ),
        mistake("The pods have finished", [("Pod/shop/web-0", "status/phase", json!("Succeeded"))]),
        mistake(
            "The port of a PodMonitor has a typing error",
            [(PODS, "spec/podMetricsEndpoints/0/port", json!("promm"))],
        )
        .asked("monitor", PODS),
        mistake("The container declares no port", [("Pod/shop/web-0", "spec/containers", json!([{"name": "web"}]))])
            .asked("monitor", PODS),
        mistake("The pod is pending", [("Pod/shop/web-0", "status", json!({"phase": "Pending"}))])
            .asked("monitor", PODS),
        mistake(
            "The selector of the allocator does not match the monitor",
            [(MONITOR, "metadata/labels", json!({"release": "prometheus"}))],
        ),
        mistake("The namespace of the monitor has other labels", []).with(by_team),
        mistake("The namespace of the monitor is denied", []).with(denied),
        mistake("The config has no selector for the kind", []).asked("monitor", "Probe/shop/web"),
        mistake("The custom resources are not enabled", []).with(disabled),
        mistake(
            "No monitor is selected at all",
            [
                (MONITOR, "metadata/labels", json!({"release": "prometheus"})),
                (PODS, "metadata/labels", json!({"release": "prometheus"})),
            ],
        )
        .asked("collector", "otel-0"),
        mistake(
            "The Secret does not exist",
            [(MONITOR, "spec/endpoints/0/bearerTokenSecret", json!({"name": "token", "key": "value"}))],
        ),
        mistake(
            "The Secret lacks the key",
            [
                (MONITOR, "spec/endpoints/0/bearerTokenSecret", json!({"name": "token", "key": "value"})),
                (
                    "",
                    "",
                    json!({"kind": "Secret", "metadata": {"namespace": "shop", "name": "token"}, "data": {"token": "YQ=="}}),
                ),
            ],
        ),
        mistake("An interval has no unit", [(MONITOR, "spec/endpoints/0/interval", json!("15"))]),
        mistake("No pod is a collector", [("Pod/monitoring/otel-0", "metadata/labels", json!({"app": "otelcol"}))]),
        mistake("The collector is not scheduled", [("Pod/monitoring/otel-0", "spec", json!({}))]),
        mistake("No collector is on the node of the pod", [("Pod/monitoring/otel-0", "spec/nodeName", json!("n2"))])
            .with(by_node),
        mistake("The monitor has another name", []).asked("monitor", "ServiceMonitor/shop/wbe"),
        mistake("The pod has another port", []).asked("target", "10.0.0.1:9999"),
    ]
}

/// The rows of the table in the document, without its head.
fn rows() -> Vec<String> {
    let (_, section) = DOCUMENT.split_once(HEADING).expect("the heading");
    let section = section.split("\n## ").next().unwrap();
    section.lines().filter(|line| line.starts_with("| ")).skip(1).map(str::to_owned).collect()
}

#[test]
fn each_mistake_has_the_first_sentence_of_the_document() {
    let rows = rows();
    let mistakes = mistakes();
    assert!(mistakes.len() >= 20, "{}", mistakes.len());
    let expected: Vec<_> = mistakes
        .iter()
        .map(|mistake| {
            let explanation = mistake.explanation();
            assert!(!explanation.served, "{}: {explanation:?}", mistake.name);
            format!("| {} | {} |", mistake.name, explanation.summary)
        })
        .collect();
    assert_eq!(rows, expected, "the table must be:\n{}", expected.join("\n"));
}

#[test]
fn without_a_mistake_the_first_sentence_says_who_scrapes_the_target() {
    let cases = [
        (
            ("monitor", MONITOR),
            "ServiceMonitor/shop/web is scraped by otel-0 every 15 s as job serviceMonitor/shop/web/0: 1 of 3 targets kept",
        ),
        (
            ("monitor", PODS),
            "PodMonitor/shop/pods is scraped by otel-0 every 30 s as job podMonitor/shop/pods/0: 1 of 2 targets kept",
        ),
        (("service", "shop/web"), "Service/shop/web is scraped by otel-0 every 15 s as job serviceMonitor/shop/web/0"),
        (("pod", "shop/web-0"), "Pod/shop/web-0 is scraped by otel-0 every 15 s or 30 s as 2 jobs: 2 targets"),
        (("target", "10.0.0.1:9100"), "10.0.0.1:9100 is scraped by otel-0 every 30 s as job podMonitor/shop/pods/0"),
        (("collector", "otel-0"), "2 of 2 targets are assigned to otel-0, in 2 jobs"),
        // A name stands for the only object that has it, and a part of a name for the objects that have it.
        (("any", "shop/web-0"), "Pod/shop/web-0 is scraped by otel-0 every 15 s or 30 s as 2 jobs: 2 targets"),
        (("any", "web-0"), "Pod/shop/web-0 is scraped by otel-0 every 15 s or 30 s as 2 jobs: 2 targets"),
        (
            ("any", "podMonitor/shop/pods/0"),
            "PodMonitor/shop/pods is scraped by otel-0 every 30 s as job podMonitor/shop/pods/0: 1 of 2 targets kept",
        ),
        (("any", "10.0.0.1:9100"), "10.0.0.1:9100 is scraped by otel-0 every 30 s as job podMonitor/shop/pods/0"),
        (("pod", "web-0"), "Pod/shop/web-0 is scraped by otel-0 every 15 s or 30 s as 2 jobs: 2 targets"),
        (("any", "web"), "web can be ServiceMonitor/shop/web or Service shop/web"),
        (("any", "shop/web"), "shop/web can be ServiceMonitor/shop/web or Service shop/web"),
        (("any", "otel-0"), "otel-0 can be collector otel-0 or Pod monitoring/otel-0"),
        (
            ("any", "wbe"),
            "no monitor, service, pod, collector, job or target has the name wbe (did you mean ServiceMonitor/shop/web?)",
        ),
        (
            ("any", "shop/podss"),
            "no monitor, service, pod, collector, job or target has the name shop/podss (did you mean PodMonitor/shop/pods?)",
        ),
        (("pod", "shop/web-1"), "there is no Pod/shop/web-1 in the cluster (did you mean Pod shop/web-0?)"),
        (("pod", "shop/web"), "there is no Pod/shop/web in the cluster (did you mean Pod shop/web-0?)"),
        (("service", "pay/web"), "there is no Service/pay/web in the cluster (did you mean Service shop/web?)"),
        (
            ("monitor", "ServiceMonitor/shop/pods"),
            "there is no ServiceMonitor/shop/pods in the cluster (did you mean PodMonitor/shop/pods?)",
        ),
        (
            ("collector", "otel-1"),
            "no targets are assigned to otel-1: the collectors' namespace monitoring has no pod otel-1 (did you mean collector otel-0?)",
        ),
        (("target", "10.0.0.1"), "10.0.0.1 is scraped by otel-0 every 15 s or 30 s as 2 jobs: 2 targets"),
    ];
    for ((parameter, value), expected) in cases {
        let explanation = mistake("none", []).asked(parameter, value).explanation();
        assert_eq!(explanation.summary, expected, "{parameter}={value}");
    }
}
