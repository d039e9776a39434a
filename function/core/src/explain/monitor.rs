//! Explains a monitor: whether it is selected and accepted, and what its jobs discover and serve.

use super::job::JobTracer;
use super::near::{MonitorSelector, NearMiss, miss, nearest};
use super::question::MonitorKind;
use super::{Explanation, Stage, World, counted, pipelines};
use crate::discovery::Query;
use crate::monitors::Settings;
use crate::monitors::selection::{KindSelection, reasons};
use crate::objects::{Cluster, Collection, Metadata, Object};
use crate::report::{ObjectRef, Outcome};
use crate::scrape_config::discovery::Role;

pub(super) fn explain(world: World<'_>, monitor: &ObjectRef, explanation: &mut Explanation) {
    let entries = world.allocation.report().entries().iter();
    explanation.findings = entries.filter(|entry| entry.object == *monitor).cloned().collect();
    let Some(settings) = &world.config.monitors else {
        explanation.stopped(Stage::Selection, "prometheus_cr is not enabled: no monitor is selected");
        explanation.summary = format!("{monitor} is not selected: prometheus_cr is not enabled");
        return;
    };
    let Some((metadata, selection)) = find(world.cluster, settings, monitor) else {
        missing(world, settings, monitor, explanation);
        return;
    };
    explanation.passed(Stage::Cluster, format!("{monitor} is in the cluster"));
    let reasons = reasons(selection, &settings.namespaces, metadata, world.cluster);
    if let Some(first) = reasons.first() {
        for reason in &reasons {
            explanation.stopped(Stage::Selection, reason.to_string());
        }
        explanation.summary = format!("{monitor} is not selected: {first}");
        return;
    }
    explanation.passed(Stage::Selection, "the selectors and namespace rules of the config select the monitor");
    if let Some(refusal) = explanation.findings.iter().find(|entry| entry.outcome == Outcome::Refused).cloned() {
        explanation.stopped(Stage::Acceptance, refusal.to_string());
        explanation.summary = format!("{monitor} is refused: {}: {}", refusal.field, refusal.reason);
        return;
    }
    let planned = world.plan().jobs().iter().filter(|job| job.monitor.as_ref() == Some(monitor));
    let jobs: Vec<_> = planned.map(|job| JobTracer::new(world, job).trace_job()).collect();
    pipelines::note(&jobs, explanation);
    acceptance(explanation);
    explanation.jobs = jobs;
    let targets: usize = explanation.jobs.iter().map(|job| job.targets).sum();
    let unassigned: usize = explanation.jobs.iter().map(|job| job.unassigned).sum();
    discovery(explanation);
    explanation.served = targets > unassigned;
    if targets == 0 && explanation.jobs.iter().all(|job| job.unknown.is_none()) {
        explanation.nearest = near_objects(world, monitor);
    }
    explanation.summary = summary(monitor, explanation, targets, unassigned);
}

fn summary(monitor: &ObjectRef, explanation: &Explanation, targets: usize, unassigned: usize) -> String {
    let jobs = counted(explanation.jobs.len(), "job");
    match (explanation.jobs.len(), targets, unassigned) {
        (0, ..) => format!("{monitor} is selected, but none of its jobs is served"),
        (_, 0, _) => format!("{monitor} is selected and has {jobs}, but its jobs serve no target"),
        (_, _, 0) => format!("{monitor} is selected and has {jobs} with {}", counted(targets, "target")),
        _ => format!(
            "{monitor} is selected and has {jobs} with {}, but no collector is assigned {unassigned} of them",
            counted(targets, "target")
        ),
    }
}

/// Adds the findings of a monitor that is not refused.
fn acceptance(explanation: &mut Explanation) {
    let findings = explanation.findings.clone();
    let mut all_accepted = true;
    for entry in &findings {
        let text = match entry.field.as_str() {
            "" => entry.reason.clone(),
            field => format!("{field}: {}", entry.reason),
        };
        match entry.outcome {
            Outcome::JobLeftOut => {
                all_accepted = false;
                explanation.stopped(Stage::Acceptance, format!("a job is left out: {text}"));
            }
            Outcome::Adjusted | Outcome::Unlisted => explanation.note(Stage::Acceptance, text),
            Outcome::Malformed | Outcome::Refused | Outcome::Unknown | Outcome::Unassigned => {}
        }
    }
    if all_accepted {
        explanation.passed(Stage::Acceptance, "all jobs of the monitor are accepted");
    }
}

/// Adds the steps of each job: discovery, relabelling and assignment.
fn discovery(explanation: &mut Explanation) {
    for job in explanation.jobs.clone() {
        let name = &job.job;
        if let Some(reason) = &job.unknown {
            explanation
                .stopped(Stage::Discovery, format!("{name}: the targets of the job are not known yet: {reason}"));
            continue;
        }
        let places: Vec<_> =
            job.looked_at.iter().map(|looked| format!("{} {}", looked.objects, looked.place)).collect();
        let found = format!("{name}: {} discovered in {}", counted(job.found, "target"), places.join("; "));
        if job.found == 0 {
            explanation.stopped(Stage::Discovery, found);
            continue;
        }
        explanation.passed(Stage::Discovery, found);
        let dropped: usize = job.dropped.iter().map(|dropped| dropped.targets).sum();
        let mut text = format!("{name}: rules drop {dropped} of {}", counted(job.found, "target"));
        if job.merged > 0 {
            text.push_str(&format!(", {} merged into equal targets", job.merged));
        }
        if job.targets == 0 {
            explanation.stopped(Stage::Relabelling, text);
            continue;
        }
        explanation.passed(Stage::Relabelling, text);
        let collectors = counted(job.collectors.len(), "collector");
        if job.unassigned > 0 {
            let text =
                format!("{name}: no collector is assigned {} of {}", job.unassigned, counted(job.targets, "target"));
            explanation.stopped(Stage::Assignment, text);
        } else {
            let text = format!("{name}: {} assigned to {collectors}", counted(job.targets, "target"));
            explanation.passed(Stage::Assignment, text);
        }
    }
}

/// The metadata of the monitor and the selection of its kind. `None` if the cluster has no such monitor.
fn find<'a>(
    cluster: &'a Cluster,
    settings: &'a Settings,
    monitor: &ObjectRef,
) -> Option<(&'a Metadata, &'a KindSelection)> {
    Some((cluster.monitor(monitor)?, selection(settings, kind(monitor)?)))
}

const fn selection(settings: &Settings, kind: MonitorKind) -> &KindSelection {
    match kind {
        MonitorKind::ServiceMonitor => &settings.service_monitors,
        MonitorKind::PodMonitor => &settings.pod_monitors,
        MonitorKind::Probe => &settings.probes,
        MonitorKind::ScrapeConfig => &settings.scrape_configs,
    }
}

fn kind(monitor: &ObjectRef) -> Option<MonitorKind> {
    MonitorKind::ALL.into_iter().find(|kind| kind.as_str() == monitor.kind)
}

/// Explains why the cluster has no such monitor, and names monitors with this name in other namespaces or kinds.
fn missing(world: World<'_>, settings: &Settings, monitor: &ObjectRef, explanation: &mut Explanation) {
    let malformed = explanation.findings.iter().find(|entry| entry.outcome == Outcome::Malformed).cloned();
    if let Some(entry) = malformed {
        explanation.stopped(Stage::Cluster, format!("the monitor cannot be read: {}", entry.reason));
        explanation.summary = format!("{monitor} cannot be read: {}", entry.reason);
        return;
    }
    let kind = kind(monitor);
    if kind.is_some_and(|kind| !selection(settings, kind).selects_any()) {
        let text =
            format!("the config has no selector for the kind {}, so objects of this kind are not read", monitor.kind);
        explanation.summary = format!("{monitor} is not selected: {text}");
        explanation.stopped(Stage::Selection, text);
        return;
    }
    explanation.summary = format!("there is no {monitor} in the cluster");
    explanation.stopped(Stage::Cluster, explanation.summary.clone());
    fn named<T: Object>(objects: &Collection<T>, name: &str) -> Vec<ObjectRef> {
        objects.iter().filter(|object| object.metadata().name == name).map(|object| object.object_ref()).collect()
    }
    let cluster = world.cluster;
    let name = &monitor.name;
    let others = [
        named(&cluster.service_monitors, name),
        named(&cluster.pod_monitors, name),
        named(&cluster.probes, name),
        named(&cluster.scrape_configs, name),
    ];
    for other in others.concat().into_iter().take(5) {
        explanation.note(Stage::Cluster, format!("there is {other}"));
    }
}

/// The objects that the selector of a monitor nearly matches.
fn near_objects(world: World<'_>, monitor: &ObjectRef) -> Vec<NearMiss> {
    fn misses<T: Object>(selector: Option<MonitorSelector<'_>>, objects: &Collection<T>) -> Vec<NearMiss> {
        let Some(selector) = selector else { return Vec::new() };
        objects.iter().filter_map(|object| selector.miss(object.as_ref())).collect()
    }
    let cluster = world.cluster;
    let (namespace, name) = (&monitor.namespace, &monitor.name);
    nearest(match kind(monitor) {
        Some(MonitorKind::ServiceMonitor) => {
            let monitor = cluster.service_monitors.get(namespace, name);
            misses(monitor.map(|monitor| MonitorSelector::of_service_monitor(monitor)), &cluster.services)
        }
        Some(MonitorKind::PodMonitor) => {
            let monitor = cluster.pod_monitors.get(namespace, name);
            misses(monitor.map(|monitor| MonitorSelector::of_pod_monitor(monitor)), &cluster.pods)
        }
        Some(MonitorKind::Probe) => {
            let probe = cluster.probes.get(namespace, name);
            misses(probe.and_then(|probe| MonitorSelector::of_probe(probe)), &cluster.ingresses)
        }
        Some(MonitorKind::ScrapeConfig) => {
            let jobs = world.plan().jobs().iter().filter(|job| job.monitor.as_ref() == Some(monitor));
            jobs.flat_map(|job| &job.queries).flat_map(|query| query_misses(cluster, monitor, query)).collect()
        }
        None => Vec::new(),
    })
}

/// The objects of the query's role that the query does not select, with the differences.
fn query_misses(cluster: &Cluster, monitor: &ObjectRef, query: &Query) -> Vec<NearMiss> {
    fn of_kind<T: Object>(objects: &Collection<T>, monitor: &ObjectRef, query: &Query) -> Vec<NearMiss> {
        let names = query.scope().namespaces;
        let objects = objects.iter();
        objects.filter_map(|object| miss(monitor.clone(), query.selector(), names, object.as_ref())).collect()
    }
    match query.role() {
        Role::Endpoints => of_kind(&cluster.endpoints, monitor, query),
        Role::EndpointSlice => of_kind(&cluster.endpoint_slices, monitor, query),
        Role::Ingress => of_kind(&cluster.ingresses, monitor, query),
        Role::Node => of_kind(&cluster.nodes, monitor, query),
        Role::Pod => of_kind(&cluster.pods, monitor, query),
        Role::Service => of_kind(&cluster.services, monitor, query),
    }
}
