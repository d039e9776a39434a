//! Random clusters: the explanation of each target, monitor and pod must agree with the allocation.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::job::JobTracer;
use super::*;
use crate::allocation::Form;
use crate::objects::Object;

const NAMESPACES: [&str; 3] = ["a", "b", "monitoring"];
const APPS: [&str; 3] = ["web", "api", "website"];
const PORTS: [&str; 2] = ["http", "admin"];

/// Random choices for a service, its endpoint slice and its pods: namespace, application, port, and for each pod the
/// last byte of its address and whether its endpoint refers to it.
type Service = (usize, usize, usize, Vec<(u8, bool)>);

fn service(at: usize, (namespace, app, port, pods): &Service) -> Vec<Value> {
    let (namespace, app, port) = (NAMESPACES[*namespace], APPS[*app], PORTS[*port]);
    let name = format!("s{at}");
    let labels = json!({"app": app, "at": (at % 2).to_string()});
    let mut endpoints = Vec::new();
    let mut objects = Vec::new();
    for (position, (ip, named)) in pods.iter().enumerate() {
        let pod = format!("{name}-{position}");
        let address = format!("10.0.{}.{ip}", at % 2);
        objects.push(json!({
            "kind": "Pod", "metadata": {"namespace": namespace, "name": pod, "labels": {"app": app, "track": if *named { "stable" } else { "canary" }}},
            "spec": {"nodeName": format!("n{}", ip % 3), "containers": [{"name": "c", "ports": [{"name": port, "containerPort": 80}]}]},
            "status": {"phase": "Running", "podIP": if *ip == 0 { "" } else { &address }}
        }));
        let reference = named.then(|| json!({"kind": "Pod", "namespace": namespace, "name": pod}));
        endpoints.push(json!({"addresses": [address], "nodeName": format!("n{}", ip % 3), "targetRef": reference}));
    }
    objects.push(json!({
        "kind": "EndpointSlice", "metadata": {"namespace": namespace, "name": format!("{name}-1"), "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4", "ports": [{"name": port, "port": 80, "protocol": "TCP"}], "endpoints": endpoints
    }));
    objects.push(
        json!({"kind": "Service", "metadata": {"namespace": namespace, "name": name, "labels": labels}, "spec": {}}),
    );
    objects
}

fn monitor(at: usize, (namespace, selector, scope, rule, pods): (usize, usize, usize, usize, bool)) -> Value {
    let selectors = [
        json!({}),
        json!({"matchLabels": {"app": "web"}}),
        json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "api"]}]}),
        json!({"matchExpressions": [{"key": "at", "operator": "NotIn", "values": ["1"]}]}),
        json!({"matchExpressions": [{"key": "app", "operator": "Wrong"}]}),
    ];
    let scopes = [json!({}), json!({"any": true}), json!({"matchNames": ["a", "b"]})];
    let rules = [
        json!([]),
        json!([{"action": "drop", "sourceLabels": ["__meta_kubernetes_pod_label_track"], "regex": "canary"}]),
        json!([{"action": "labeldrop", "regex": "pod|service|container"}, {"targetLabel": "__address__", "replacement": "one:80"}]),
        json!([{"action": "keep", "sourceLabels": ["__meta_kubernetes_endpointslice_endpoint_node_name", "__meta_kubernetes_pod_node_name"], "regex": "n1;.*"}]),
        json!([{"action": "hashmod", "sourceLabels": ["__address__"], "targetLabel": "__tmp_hash", "modulus": 2},
               {"action": "keep", "sourceLabels": ["__tmp_hash"], "regex": "1"}]),
        json!([{"action": "replace", "sourceLabels": ["job"], "regex": "(", "targetLabel": "x"}]),
    ];
    let endpoints = json!([{"port": "http", "relabelings": rules[rule % 6]}, {"relabelings": rules[rule / 6]}]);
    let metadata =
        json!({"namespace": NAMESPACES[namespace], "name": format!("m{at}"), "labels": {"team": (at % 2).to_string()}});
    let (kind, field) = if pods { ("PodMonitor", "podMetricsEndpoints") } else { ("ServiceMonitor", "endpoints") };
    json!({"kind": kind, "metadata": metadata, "spec": {"selector": selectors[selector], "namespaceSelector": scopes[scope], field: endpoints}})
}

fn config(strategy: usize, selection: usize, filter: bool) -> String {
    let strategies = [
        "consistent-hashing",
        "least-weighted",
        "per-node",
        "per-node\nallocation_fallback_strategy: consistent-hashing",
    ];
    let selections = [
        "service_monitor_selector: {}, service_monitor_namespace_selector: {}, pod_monitor_selector: {}, pod_monitor_namespace_selector: {}",
        "service_monitor_selector: {}, pod_monitor_selector: {matchLabels: {team: '1'}}, pod_monitor_namespace_selector: {}",
        "service_monitor_selector: {matchLabels: {team: '0'}}, service_monitor_namespace_selector: {}, deny_namespaces: [b]",
    ];
    format!(
        "collector_namespace: monitoring\ncollector_selector: {{matchLabels: {{app: website}}}}\n\
         filter_strategy: {}\nallocation_strategy: {}\nprometheus_cr: {{enabled: true, {}}}\n",
        if filter { "relabel-config" } else { "none" },
        strategies[strategy],
        selections[selection]
    )
}

fn served_identities(traces: &[TargetTrace]) -> BTreeMap<u64, BTreeSet<String>> {
    let served = traces.iter().filter_map(|trace| match &trace.fate {
        Fate::Served { by, .. } => Some((trace.identity?, by.iter().map(|owner| owner.collector.clone()).collect())),
        Fate::Unassigned { .. } => Some((trace.identity?, BTreeSet::new())),
        Fate::Dropped { .. } | Fate::Merged { .. } => None,
    });
    served.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn explanations_agree_with_the_allocation(
        services in prop::collection::vec((0..3usize, 0..3usize, 0..2usize, prop::collection::vec((0..6u8, any::<bool>()), 0..4)), 1..7),
        monitors in prop::collection::vec((0..3usize, 0..5usize, 0..3usize, 0..36usize, any::<bool>()), 1..6),
        strategy in 0..4usize,
        selection in 0..3usize,
        filter in prop::bool::weighted(0.8),
    ) {
        let services = services.iter().enumerate().flat_map(|(at, drawn)| service(at, drawn));
        let monitors = monitors.into_iter().enumerate().map(|(at, drawn)| monitor(at, drawn));
        let scenario = Scenario::new(&config(strategy, selection, filter), services.chain(monitors));
        let world = scenario.world();
        let jobs: BTreeMap<_, _> = scenario.allocation.jobs().collect();

        // For each job, the explanation has the targets and owners of the allocation, and its counts add up.
        for planned in scenario.allocation.plan().jobs() {
            let tracer = JobTracer::new(world, planned);
            let name = planned.scrape_config.job_name.as_str();
            let job = jobs[name];
            let expected: BTreeMap<u64, BTreeSet<String>> = job.targets().enumerate().map(|(position, (_, target))| {
                (target.identity, scenario.allocation.owners(name, position).map(|owner| owner.name.clone()).collect())
            }).collect();
            let traces = tracer.trace_targets(|_| true, |_| true);
            prop_assert_eq!(served_identities(&traces), expected);
            // The explained labels after the rules must be those of the merged view.
            let mergeable = scenario.allocation.merged().values().any(|merged| merged.form != Form::Discovered && merged.jobs.iter().any(|job| job == name));
            for (group, target) in job.targets().filter(|_| mergeable && filter) {
                let trace = traces.iter().find(|trace| trace.identity == Some(target.identity) && !matches!(trace.fate, Fate::Merged { .. })).unwrap();
                let served: Value = serde_json::from_str(&group.merged(target).json()).unwrap();
                let served: BTreeMap<&str, &str> = served["labels"].as_object().unwrap().iter()
                    .filter(|(name, _)| !name.starts_with("__meta_")).map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
                let explained: BTreeMap<&str, &str> = trace.after.as_ref().unwrap().iter()
                    .filter(|(name, _)| !name.starts_with("__tmp_")).map(|(name, value)| (name.as_str(), value.as_str())).collect();
                prop_assert_eq!(served, explained);
            }
            for trace in &traces {
                let was_dropped = trace.rules.last().is_some_and(|rule| rule.dropped);
                let is_dropped = matches!(trace.fate, Fate::Dropped { .. });
                prop_assert_eq!(is_dropped, was_dropped);
                prop_assert_eq!(is_dropped, trace.after.is_none());
            }
            // The trace of one address must be equal whether the other targets of the job are traced or not.
            for address in traces.iter().map(|trace| trace.address.as_str()).collect::<BTreeSet<_>>() {
                let alone = tracer.trace_targets(|_| true, |found| found.get(ADDRESS) == address);
                let among: Vec<_> = traces.iter().filter(|trace| trace.address == address).cloned().collect();
                prop_assert_eq!(alone, among);
            }
            let all = cause::trace_job(&tracer);
            let dropped: usize = all.dropped.iter().map(|dropped| dropped.targets).sum();
            prop_assert_eq!(all.targets, job.len());
            prop_assert_eq!(all.found, traces.len());
            prop_assert_eq!(all.found, dropped + all.merged + all.targets);
            // Exactly the jobs without targets have a reason, and the reason is a specific one.
            prop_assert_eq!(all.why.is_some(), job.is_empty());
            prop_assert!(!all.why.as_deref().is_some_and(|why| why.is_empty() || why.ends_with("it gave no target")), "{:?}", all.why);
        }

        // For each monitor, the explanation has exactly the jobs that the allocation serves.
        let monitors = scenario.cluster.service_monitors.iter().map(|monitor| monitor.object_ref());
        let monitors = monitors.chain(scenario.cluster.pod_monitors.iter().map(|monitor| monitor.object_ref()));
        for monitor in monitors {
            let explanation = scenario.explain("monitor", &monitor.to_string());
            let served: BTreeSet<_> = jobs.iter().filter(|(_, job)| job.monitor() == Some(&monitor)).map(|(name, _)| (*name).to_owned()).collect();
            let explained: BTreeSet<_> = explanation.jobs.iter().map(|job| job.job.clone()).collect();
            prop_assert_eq!(&explained, &served);
            let targets: usize = served.iter().map(|name| jobs[name.as_str()].len()).sum();
            prop_assert_eq!(explanation.jobs.iter().map(|job| job.targets).sum::<usize>(), targets);
            let stopped = explanation.steps.iter().any(|step| step.progress == Progress::Stopped);
            prop_assert!(stopped || targets > 0, "no reason is given: {:?}", explanation);
        }

        // A pod is explained as served exactly if a collector is assigned a target with its name.
        let mut named = BTreeSet::new();
        for (name, job) in &jobs {
            for (position, (group, target)) in job.targets().enumerate() {
                let target: Value = serde_json::from_str(&group.plain(target).json()).unwrap();
                let label = |name: &str| target["labels"][name].as_str().unwrap_or_default().to_owned();
                if scenario.allocation.owners(name, position).next().is_some() {
                    named.insert((label("__meta_kubernetes_namespace"), label("__meta_kubernetes_pod_name")));
                }
            }
        }
        for pod in scenario.cluster.pods.iter() {
            let (namespace, name) = (pod.metadata.namespace.clone(), pod.metadata.name.clone());
            let explanation = scenario.explain("pod", &format!("{namespace}/{name}"));
            prop_assert_eq!(explanation.served, named.contains(&(namespace, name)), "{:?}", explanation);
        }
    }
}
