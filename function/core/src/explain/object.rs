//! Explains a pod or a service: which monitors select it, and which targets jobs discover from it.

use std::collections::BTreeSet;

use super::cause::{self, Subjects};
use super::job::{JobTracer, VisitedTarget};
use super::names::{did_you_mean, nearest as nearest_names};
use super::near::{MonitorSelector, nearest};
use super::selected::why_none_is_selected;
use super::who::Scrapes;
use super::{Explanation, Fate, Stage, TargetTrace, World, counted};
use crate::allocation::Kind;
use crate::discovery::Scope;
use crate::objects::endpoints::TargetRef;
use crate::objects::{Cluster, EndpointSlice, Metadata, Object, Pod, Service};
use crate::report::ObjectRef;
use crate::scrape_config::discovery::Role;

/// The label of an endpoint slice that has the name of its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Keys of objects: role of service discovery, namespace, name.
type Objects = BTreeSet<(&'static str, String, String)>;

pub(super) fn explain_pod(world: World<'_>, namespace: &str, name: &str, explanation: &mut Explanation) {
    let object = ObjectRef::new("Pod", namespace, name);
    let Some(pod) = world.cluster.pods.get(namespace, name) else {
        let roles = [Role::Pod, Role::Endpoints, Role::EndpointSlice];
        missing(world, &object, &roles, explanation);
        return;
    };
    let phase = if pod.status.phase.is_empty() { "in no known phase" } else { pod.status.phase.as_str() };
    match pod.status.pod_ip.as_str() {
        "" => explanation.note(Stage::Cluster, format!("{object} is in the cluster: {phase}, without an address yet")),
        address => explanation.passed(Stage::Cluster, format!("{object} is in the cluster: {phase}, at {address}")),
    }
    let (mut objects, services) = behind(world.cluster, namespace, name);
    objects.insert(("pod", namespace.to_owned(), name.to_owned()));
    let kinds = world.plan().kinds(world.config);
    if services.is_empty() && !kinds.contains(&Kind::EndpointSlice) && !kinds.contains(&Kind::Endpoints) {
        let text = "whether a service selects it is not known: no job discovers endpoints, so none were read";
        explanation.note(Stage::Discovery, text);
    } else if services.is_empty() {
        explanation
            .note(Stage::Discovery, "no service has the pod in its endpoints: only a PodMonitor can select the pod");
    } else {
        let names: Vec<_> = services.iter().map(|service| service.metadata.name.as_str()).collect();
        explanation.note(
            Stage::Discovery,
            format!("the pod is behind {}: {}", counted(names.len(), "service"), names.join(", ")),
        );
    }
    monitors(world, Some(pod), &services, explanation);
    let is_pod = |labels: &VisitedTarget<'_, '_>| {
        let kind = labels.get("__meta_kubernetes_endpointslice_address_target_kind");
        let target = labels.get("__meta_kubernetes_endpointslice_address_target_name");
        labels.get("__meta_kubernetes_pod_name") == name
            || kind == "Pod" && target == name
            || labels.get("__meta_kubernetes_endpoint_address_target_name") == name
    };
    targets(world, &objects, is_pod, explanation);
    summarize(world, &object, is_pod, explanation);
}

pub(super) fn explain_service(world: World<'_>, namespace: &str, name: &str, explanation: &mut Explanation) {
    let object = ObjectRef::new("Service", namespace, name);
    let Some(service) = world.cluster.services.get(namespace, name) else {
        let roles = [Role::Service, Role::Endpoints, Role::EndpointSlice];
        missing(world, &object, &roles, explanation);
        return;
    };
    explanation.passed(Stage::Cluster, format!("{object} is in the cluster"));
    let slices = world.cluster.endpoint_slices.in_namespace(namespace);
    let slices = slices.filter(|slice| slice.metadata.labels.get(SERVICE_NAME).is_some_and(|service| service == name));
    let mut objects: Objects = slices.map(|slice| entry("endpointslice", &slice.metadata)).collect();
    if objects.is_empty() && world.cluster.endpoints.get(namespace, name).is_none() {
        explanation.note(Stage::Discovery, "no endpoint slice of the service was read");
    }
    objects.insert(("endpoints", namespace.to_owned(), name.to_owned()));
    objects.insert(("service", namespace.to_owned(), name.to_owned()));
    monitors(world, None, &[service.as_ref()], explanation);
    targets(world, &objects, |_| true, explanation);
    summarize(world, &object, |_| true, explanation);
}

/// Explains why an object is not there: it was not read, or the cluster does not have it. `roles` read its kind.
fn missing(world: World<'_>, object: &ObjectRef, roles: &[Role], explanation: &mut Explanation) {
    let mut queries = world.plan().jobs().iter().flat_map(|job| &job.queries);
    let is_read = queries.any(|query| roles.contains(&query.role()));
    let rules = world.config.monitors.as_ref().map(|settings| &settings.namespaces);
    let unread = rules.filter(|rules| rules.narrows() && !rules.readable().any(|name| name == object.namespace));
    let text = if unread.is_some() {
        format!("{object} was not read: its namespace is not in allow_namespaces: {}", object.namespace)
    } else if !is_read {
        let why = why_none_is_selected(world);
        let why = why.unwrap_or_else(|| "no job discovers objects of this kind".to_owned());
        format!("{object} was not read: {why}")
    } else {
        let by = object.kind.to_ascii_lowercase();
        explanation.candidates = nearest_names(world, Some(&by), &object.namespace, &object.name);
        format!("there is no {object} in the cluster{}", did_you_mean(&explanation.candidates))
    };
    explanation.stopped(Stage::Cluster, text.clone());
    explanation.summary = text;
}

fn entry(kind: &'static str, metadata: &Metadata) -> (&'static str, String, String) {
    (kind, metadata.namespace.clone(), metadata.name.clone())
}

/// The endpoint slices and endpoints that list a pod, and their services.
fn behind<'a>(cluster: &'a Cluster, namespace: &str, name: &str) -> (Objects, Vec<&'a Service>) {
    let is_pod = |reference: &Option<TargetRef>| {
        reference.as_ref().is_some_and(|to| to.kind == "Pod" && to.namespace == namespace && to.name == name)
    };
    let mut objects = Objects::new();
    let mut services = BTreeSet::new();
    for slice in cluster.endpoint_slices.iter() {
        let EndpointSlice { metadata, endpoints, .. } = slice.as_ref();
        if endpoints.iter().any(|endpoint| is_pod(&endpoint.target_ref)) {
            objects.insert(entry("endpointslice", metadata));
            services.extend(metadata.labels.get(SERVICE_NAME).map(|service| (&metadata.namespace, service)));
        }
    }
    for endpoints in cluster.endpoints.iter() {
        let addresses =
            endpoints.subsets.iter().flat_map(|subset| subset.addresses.iter().chain(&subset.not_ready_addresses));
        if addresses.into_iter().any(|address| is_pod(&address.target_ref)) {
            objects.insert(entry("endpoints", &endpoints.metadata));
            services.insert((&endpoints.metadata.namespace, &endpoints.metadata.name));
        }
    }
    let services = services.into_iter().filter_map(|(namespace, name)| cluster.services.get(namespace, name));
    (objects, services.map(AsRef::as_ref).collect())
}

/// Adds the monitors that select the pod or one of the services. If none does, adds the nearest monitors.
fn monitors(world: World<'_>, pod: Option<&Pod>, services: &[&Service], explanation: &mut Explanation) {
    let settings = world.config.monitors.as_ref();
    let mut misses = Vec::new();
    for monitor in world.cluster.service_monitors.iter() {
        let selector = MonitorSelector::of_service_monitor(monitor);
        let selection = settings.map(|settings| &settings.service_monitors);
        for service in services {
            match selector.miss(*service) {
                Some(miss) => misses.push(miss),
                None => explanation.monitors.push(selector.selecting(world, selection, service.object_ref())),
            }
        }
    }
    for (monitor, pod) in world.cluster.pod_monitors.iter().flat_map(|monitor| pod.map(|pod| (monitor, pod))) {
        let selector = MonitorSelector::of_pod_monitor(monitor);
        match selector.miss(pod) {
            Some(miss) => misses.push(miss),
            None => {
                let selection = settings.map(|settings| &settings.pod_monitors);
                explanation.monitors.push(selector.selecting(world, selection, pod.object_ref()));
            }
        }
    }
    if explanation.monitors.is_empty() {
        explanation.stopped(Stage::Selection, "no monitor has a selector and namespaces that match");
        explanation.nearest = nearest(misses);
    }
    for found in explanation.monitors.clone() {
        let text = format!("{} selects {}", found.monitor, found.by);
        match (found.not_selected.first(), &found.refused) {
            (Some(reason), _) => {
                explanation
                    .stopped(Stage::Selection, format!("{text}, but the config does not select the monitor: {reason}"));
            }
            (None, Some(reason)) => {
                explanation.stopped(Stage::Acceptance, format!("{text}, but the monitor is refused: {reason}"));
            }
            (None, None) => explanation.passed(Stage::Selection, text),
        }
    }
}

/// Adds the targets that jobs discover from the objects.
///
/// Dropped targets of jobs whose monitors do not select the object come last. A job that looks at all objects of a
/// namespace drops the targets of most of them, so these targets say little and are cut off first.
fn targets(
    world: World<'_>,
    objects: &Objects,
    is_target_of_object: impl Fn(&VisitedTarget<'_, '_>) -> bool,
    explanation: &mut Explanation,
) {
    let mut found: Vec<(bool, TargetTrace)> = Vec::new();
    for job in world.plan().jobs() {
        let roles: BTreeSet<_> = job.queries.iter().map(|query| query.scope().role).collect();
        let pick = |metadata: &Metadata| {
            roles.iter().any(|role| objects.contains(&(*role, metadata.namespace.clone(), metadata.name.clone())))
        };
        let sees = job.queries.iter().any(|query| {
            let Scope { role, namespaces } = query.scope();
            objects
                .iter()
                .any(|(kind, namespace, _)| *kind == role && namespaces.is_none_or(|names| names.contains(namespace)))
        });
        if !sees {
            continue;
        }
        let selected = explanation.monitors.iter().any(|found| job.monitor.as_ref() == Some(&found.monitor));
        let traces = JobTracer::new(world, job)
            .trace_targets(pick, |found| !is_outside(found.source) && is_target_of_object(found));
        found.extend(traces.into_iter().map(|trace| (selected || trace.identity.is_some(), trace)));
    }
    let served = found.iter().filter(|(_, trace)| matches!(trace.fate, Fate::Served { .. })).count();
    let text = format!("jobs discovered {}, and collectors are assigned {served}", counted(found.len(), "target"));
    if served > 0 {
        explanation.passed(Stage::Assignment, text);
    } else {
        explanation.stopped(Stage::Assignment, text);
    }
    explanation.served = served > 0;
    found.sort_by_key(|(relevant, trace)| (trace.rank().min(1), !relevant, trace.rank()));
    explanation.add_targets(found.into_iter().map(|(_, trace)| trace).collect());
}

/// Whether a source is outside of the cluster. The sources of cluster objects have one of these prefixes.
fn is_outside(source: &str) -> bool {
    !["endpointslice/", "endpoints/", "pod/", "svc/"].iter().any(|prefix| source.starts_with(prefix))
}

/// The answer in one sentence: who scrapes the object, or the first reason why nobody does.
fn summarize(
    world: World<'_>,
    object: &ObjectRef,
    is_target_of_object: impl Fn(&VisitedTarget<'_, '_>) -> bool,
    explanation: &mut Explanation,
) {
    let mut scrapes = Scrapes::default();
    explanation.targets.iter().for_each(|trace| scrapes.add(world, trace));
    explanation.summary = if scrapes.targets() > 0 {
        let count = if scrapes.targets() == 1 { String::new() } else { format!(": {} targets", scrapes.targets()) };
        format!("{object} is {}{count}", scrapes.words())
    } else {
        let why = why_not_scraped(world, is_target_of_object, explanation);
        format!("{object} is not scraped: {why}")
    };
}

fn why_not_scraped(
    world: World<'_>,
    is_target_of_object: impl Fn(&VisitedTarget<'_, '_>) -> bool,
    explanation: &Explanation,
) -> String {
    for trace in &explanation.targets {
        match &trace.fate {
            Fate::Unassigned { reason, .. } => {
                return format!("no collector is assigned its target {}: {reason}", trace.address);
            }
            Fate::Merged { into } => {
                return format!(
                    "after the rules, its target {} equals {} of {}",
                    trace.address, into.address, into.source
                );
            }
            Fate::Dropped { .. } | Fate::Served { .. } => {}
        }
    }
    let monitors = &explanation.monitors;
    let mut accepted = monitors.iter().filter(|found| found.not_selected.is_empty() && found.refused.is_none());
    if let Some(found) = accepted.next() {
        let job = world.plan().jobs().iter().find(|job| job.monitor.as_ref() == Some(&found.monitor));
        let Some((job, subject)) = job.zip(Subjects::one(&found.by)) else {
            return format!("{} selects it, but none of its jobs is served", found.monitor);
        };
        let why = cause::why_not_served(&JobTracer::new(world, job), &subject, is_target_of_object);
        return format!("{}: {why}", found.monitor);
    }
    if let Some(found) = monitors.iter().find(|found| found.not_selected.is_empty()) {
        let why = found.refused.clone().unwrap_or_default();
        return format!("{} selects {}, but is refused: {why}", found.monitor, found.by);
    }
    if let Some(found) = monitors.first() {
        let why = found.not_selected.first().cloned().unwrap_or_default();
        return format!("{} selects {}, but the config does not select the monitor: {why}", found.monitor, found.by);
    }
    if let Some(why) = why_none_is_selected(world) {
        return why;
    }
    match explanation.nearest.first() {
        Some(near) => {
            let gap = near.gaps.first().map(ToString::to_string);
            let elsewhere = near.namespaces.as_ref();
            let why = gap.or_else(|| elsewhere.map(|names| format!("it selects only in the namespaces {names}")));
            format!("no monitor selects it; the nearest is {}: {}", near.object, why.unwrap_or_default())
        }
        None => "no monitor selects it".to_owned(),
    }
}
