//! Why a monitor selects no object.

use std::collections::BTreeSet;

use super::super::World;
use super::super::near::{MonitorSelector, NearMiss, nearest};
use super::SubjectKind;
use crate::objects::{Collection, Object};
use crate::report::ObjectRef;
use crate::similar::{did_you_mean, similar};

/// Why no object of this kind matches the selector and the namespaces of a monitor.
pub(super) fn why_nothing_is_selected(world: World<'_>, selector: &MonitorSelector<'_>, kind: SubjectKind) -> String {
    let cluster = world.cluster;
    match kind {
        SubjectKind::Service => {
            let pods = Other { objects: &cluster.pods, kind: "Pod", advice: "a ServiceMonitor selects Services" };
            why(world, selector, kind, &cluster.services, &pods)
        }
        SubjectKind::Pod => {
            let services = Other { objects: &cluster.services, kind: "Service", advice: "a PodMonitor selects Pods" };
            why(world, selector, kind, &cluster.pods, &services)
        }
        SubjectKind::Ingress => {
            let services = Other { objects: &cluster.services, kind: "Service", advice: "a Probe selects Ingresses" };
            why(world, selector, kind, &cluster.ingresses, &services)
        }
    }
}

/// Objects of another kind, whose labels the author of the monitor may have copied.
struct Other<'a, T> {
    objects: &'a Collection<T>,
    kind: &'static str,
    advice: &'static str,
}

fn why<T: Object, U: Object>(
    world: World<'_>,
    selector: &MonitorSelector<'_>,
    kind: SubjectKind,
    objects: &Collection<T>,
    other: &Other<'_, U>,
) -> String {
    let kind = kind.as_str();
    let places = selector.names().map_or_else(
        || "any namespace".to_owned(),
        |names| {
            if let [name] = names { format!("namespace {name}") } else { format!("namespaces {}", names.join(", ")) }
        },
    );
    if let Some(unread) = unread_namespace(world, selector) {
        return format!("no {kind} in {places} was read: add {unread} to prometheus_cr.allow_namespaces");
    }
    let elsewhere = objects.iter().find(|object| selector.has_labels(object.as_ref()));
    if let Some(object) = elsewhere {
        let ObjectRef { namespace, name, .. } = object.object_ref();
        return format!(
            "no {kind} in {places} matches the selector, but {kind} {namespace}/{name} does: add {namespace} to \
             namespaceSelector.matchNames"
        );
    }
    let names = selector.names().unwrap_or_default();
    if !names.is_empty() && names.iter().all(|name| objects.in_namespace(name).next().is_none()) {
        return format!("there is no {kind} in {places}{}", other_namespace(world, names, objects));
    }
    if let Some(object) = other.objects.iter().find(|object| selector.selects(object.as_ref())) {
        let ObjectRef { namespace, name, .. } = object.object_ref();
        let (other, advice) = (other.kind, other.advice);
        return format!(
            "the selector matches {other} {namespace}/{name}, but no {kind}: {advice} by the labels of the {kind}"
        );
    }
    let misses = objects.iter().filter(|object| selector.is_in_namespaces(object.as_ref()));
    let misses: Vec<NearMiss> = misses.filter_map(|object| selector.miss(object.as_ref())).collect();
    match nearest(misses).first() {
        Some(near) => {
            let gaps: Vec<_> = near.gaps.iter().map(ToString::to_string).collect();
            let ObjectRef { namespace, name, .. } = &near.to;
            format!(
                "no {kind} in {places} matches the selector; the nearest is {namespace}/{name}: {}",
                gaps.join("; ")
            )
        }
        None => format!("no {kind} in {places} matches the selector {}", selector.text()),
    }
}

/// The first namespace of the monitor that the function does not read.
fn unread_namespace<'a>(world: World<'_>, selector: &'a MonitorSelector<'_>) -> Option<&'a str> {
    let rules = &world.config.monitors.as_ref()?.namespaces;
    let unread = |name: &&String| rules.narrows() && !rules.readable().any(|readable| readable == name.as_str());
    selector.names()?.iter().find(unread).map(String::as_str)
}

/// The existing namespace that a wrong name resembles, in words.
fn other_namespace<T: Object>(world: World<'_>, names: &[String], objects: &Collection<T>) -> String {
    let with_objects = objects.iter().map(|object| object.metadata().namespace.as_str());
    let namespaces = world.cluster.namespaces.iter().map(|namespace| namespace.metadata.name.as_str());
    let known: Vec<&str> = with_objects.chain(namespaces).collect::<BTreeSet<_>>().into_iter().collect();
    let mut wrong = names.iter().filter(|name| !known.contains(&name.as_str()));
    did_you_mean(wrong.find_map(|name| similar(name, &known)))
}
