//! Why a job has no targets, in one sentence.
//!
//! Input: the tracer of a job. Output: the first cause on the way of the objects that the monitor selects: no object
//! is selected, the selected objects have no addresses, or a rule drops their targets. The rule is the one that dropped
//! them in the allocation. If the selected objects are known, only their targets count: a job also discovers the
//! targets of all other objects of a namespace, and these say nothing about the monitor.

mod discovery;
mod furthest_drop;
mod ports;
mod rules;
mod selection;

use std::collections::BTreeSet;

use super::job::{JobTracer, VisitedTarget};
use super::near::MonitorSelector;
use super::question::MonitorKind;
use super::{JobTrace, World};
use crate::objects::{Collection, Object};
use crate::report::ObjectRef;
use furthest_drop::FurthestDrop;

/// The kinds of objects that monitors select by labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SubjectKind {
    Service,
    Pod,
    Ingress,
}

impl SubjectKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Pod => "Pod",
            Self::Ingress => "Ingress",
        }
    }

    /// The label of a target that has the name of the object.
    const fn name_label(self) -> &'static str {
        match self {
            Self::Service => "__meta_kubernetes_service_name",
            Self::Pod => "__meta_kubernetes_pod_name",
            Self::Ingress => "__meta_kubernetes_ingress_name",
        }
    }
}

/// The label of a target that has the namespace of its object.
const NAMESPACE: &str = "__meta_kubernetes_namespace";

/// Namespace and name of an object.
type Key = (String, String);

/// The objects that a monitor selects.
#[derive(Debug)]
pub(super) struct Subjects {
    kind: SubjectKind,
    keys: BTreeSet<Key>,
}

impl Subjects {
    /// One object that a monitor selects. `None` for a kind that no monitor selects.
    pub(super) fn one(object: &ObjectRef) -> Option<Self> {
        let kinds = [SubjectKind::Service, SubjectKind::Pod, SubjectKind::Ingress];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == object.kind)?;
        Some(Self { kind, keys: BTreeSet::from([(object.namespace.clone(), object.name.clone())]) })
    }

    fn of<T: Object>(kind: SubjectKind, selector: &MonitorSelector<'_>, objects: &Collection<T>) -> Self {
        let selected = objects.iter().filter(|object| selector.selects(object.as_ref()));
        let key = |object: &std::sync::Arc<T>| {
            let metadata = object.metadata();
            (metadata.namespace.clone(), metadata.name.clone())
        };
        Self { kind, keys: selected.map(key).collect() }
    }

    fn includes(&self, target: &VisitedTarget<'_, '_>) -> bool {
        self.keys.contains(&self.key_of(target))
    }

    fn key_of(&self, target: &VisitedTarget<'_, '_>) -> Key {
        (target.get(NAMESPACE).to_owned(), target.get(self.kind.name_label()).to_owned())
    }
}

/// Some objects in words: `Service shop/web is selected`.
fn are_selected(kind: SubjectKind, keys: &BTreeSet<Key>) -> String {
    let kind = kind.as_str();
    match (keys.first(), keys.len()) {
        (None, _) => format!("no {kind} is selected"),
        (Some((namespace, name)), 1) => format!("{kind} {namespace}/{name} is selected"),
        (Some((namespace, name)), count) => format!("{kind} {namespace}/{name} and {} more are selected", count - 1),
    }
}

/// The trace of a job, with the reason if it has no targets.
pub(super) fn trace_job(tracer: &JobTracer<'_>) -> JobTrace {
    let trace = tracer.trace_job();
    let why = (trace.targets == 0 && trace.unknown.is_none()).then(|| why_no_targets(tracer));
    JobTrace { why, ..trace }
}

/// Why the job has no targets.
fn why_no_targets(tracer: &JobTracer<'_>) -> String {
    let world = tracer.world();
    let Some(selector) = tracer.planned().monitor.as_ref().and_then(|monitor| selector(world, monitor)) else {
        return why_nothing_is_left(tracer);
    };
    let subjects = match selector.kind {
        "ServiceMonitor" => Subjects::of(SubjectKind::Service, &selector, &world.cluster.services),
        "PodMonitor" => Subjects::of(SubjectKind::Pod, &selector, &world.cluster.pods),
        _ => Subjects::of(SubjectKind::Ingress, &selector, &world.cluster.ingresses),
    };
    if subjects.keys.is_empty() {
        return selection::why_nothing_is_selected(world, &selector, subjects.kind);
    }
    why_not_served(tracer, &subjects, |_| true)
}

/// Why no target of the selected objects is left. `of_object` limits the search to some of their targets.
pub(super) fn why_not_served(
    tracer: &JobTracer<'_>,
    subjects: &Subjects,
    of_object: impl Fn(&VisitedTarget<'_, '_>) -> bool,
) -> String {
    let drop = FurthestDrop::find(tracer, Some(subjects), |target| subjects.includes(target) && of_object(target));
    match drop {
        Some(drop) => drop.sentence(tracer, subjects.kind),
        None => discovery::why_no_addresses(tracer, subjects),
    }
}

/// Why a job without a label selector has no targets.
fn why_nothing_is_left(tracer: &JobTracer<'_>) -> String {
    match FurthestDrop::find(tracer, None, |_| true) {
        Some(drop) => drop.rule_sentence(tracer),
        None => discovery::why_nothing_is_found(tracer),
    }
}

/// The selector of a monitor. `None` for monitors that select no objects by labels.
fn selector<'a>(world: World<'a>, monitor: &ObjectRef) -> Option<MonitorSelector<'a>> {
    let (cluster, namespace, name) = (world.cluster, &monitor.namespace, &monitor.name);
    match MonitorKind::of(monitor)? {
        MonitorKind::ServiceMonitor => {
            cluster.service_monitors.get(namespace, name).map(|monitor| MonitorSelector::of_service_monitor(monitor))
        }
        MonitorKind::PodMonitor => {
            cluster.pod_monitors.get(namespace, name).map(|monitor| MonitorSelector::of_pod_monitor(monitor))
        }
        MonitorKind::Probe => cluster.probes.get(namespace, name).and_then(|probe| MonitorSelector::of_probe(probe)),
        MonitorKind::ScrapeConfig => None,
    }
}
