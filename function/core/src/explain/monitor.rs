//! Explains a monitor: whether it is selected and accepted, and what its jobs discover and serve.

use super::cause;
use super::job::JobTracer;
use super::names::{did_you_mean, nearest as nearest_names};
use super::near::{MonitorSelector, NearMiss, miss, nearest};
use super::question::MonitorKind;
use super::who::Scrapes;
use super::{Explanation, JobTrace, Stage, World, counted, owner, pipelines};
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
        explanation.stopped(Stage::Selection, "prometheus_cr is not enabled, so no monitor is selected");
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
    let jobs: Vec<_> = planned.map(|job| cause::trace_job(&JobTracer::new(world, job))).collect();
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
    explanation.summary = summary(world, monitor, explanation);
}

/// The answer in one sentence: who scrapes the targets, or the first reason why nobody does.
fn summary(world: World<'_>, monitor: &ObjectRef, explanation: &Explanation) -> String {
    let jobs = &explanation.jobs;
    let left_out = explanation.findings.iter().find(|entry| entry.outcome == Outcome::JobLeftOut);
    if jobs.is_empty() {
        let why = left_out.map(|entry| format!(": {}: {}", entry.field, entry.reason)).unwrap_or_default();
        return format!("{monitor} is selected, but none of its jobs is served{why}");
    }
    let mut scrapes = Scrapes::default();
    for job in jobs.iter().filter(|job| job.targets > job.unassigned) {
        scrapes.add_job(world, &job.job, job.targets - job.unassigned, job.collectors.keys());
    }
    let unassigned: usize = jobs.iter().map(|job| job.unassigned).sum();
    let reason = || owner::why_of_jobs(world, jobs);
    if scrapes.targets() == 0 && unassigned > 0 {
        return format!("{monitor} is not scraped: no collector is assigned {}: {}", its(unassigned), reason());
    }
    // The job without targets that the user most likely asks about.
    let empty = jobs.iter().find_map(|job| Some((&job.job, job.why.as_ref().or(job.unknown.as_ref())?)));
    if scrapes.targets() == 0 {
        let why = empty.map(|(_, why)| why.as_str()).unwrap_or_default();
        return format!("{monitor} has no targets: {why}");
    }
    let found: usize = jobs.iter().map(|job| job.found).sum();
    let mut text = format!("{monitor} is {}: {} of {found} targets kept", scrapes.words(), total(jobs));
    if unassigned > 0 {
        text.push_str(&format!("; no collector is assigned {unassigned} of them: {}", reason()));
    }
    if let Some((job, why)) = empty {
        text.push_str(&format!("; job {job} has no targets: {why}"));
    }
    text
}

fn total(jobs: &[JobTrace]) -> usize {
    jobs.iter().map(|job| job.targets).sum()
}

fn its(targets: usize) -> String {
    if targets == 1 { "its target".to_owned() } else { format!("its {targets} targets") }
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

impl Explanation {
    /// Adds the reason why a job has no targets.
    fn jobs_reason(&mut self, job: &JobTrace) {
        if let Some(why) = &job.why {
            self.stopped(Stage::Discovery, format!("{}: {why}", job.job));
        }
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
            explanation.jobs_reason(&job);
            continue;
        }
        explanation.passed(Stage::Discovery, found);
        let mut text = format!("{name}: {} of {} kept by the rules", job.targets, counted(job.found, "target"));
        if job.merged > 0 {
            text.push_str(&format!(", {} merged into equal targets", job.merged));
        }
        if job.targets == 0 {
            explanation.stopped(Stage::Relabelling, text);
            explanation.jobs_reason(&job);
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
    Some((cluster.monitor(monitor)?, selection(settings, MonitorKind::of(monitor)?)))
}

const fn selection(settings: &Settings, kind: MonitorKind) -> &KindSelection {
    match kind {
        MonitorKind::ServiceMonitor => &settings.service_monitors,
        MonitorKind::PodMonitor => &settings.pod_monitors,
        MonitorKind::Probe => &settings.probes,
        MonitorKind::ScrapeConfig => &settings.scrape_configs,
    }
}

/// Explains why the cluster has no such monitor, and names monitors with this name in other namespaces or kinds.
fn missing(world: World<'_>, settings: &Settings, monitor: &ObjectRef, explanation: &mut Explanation) {
    let malformed = explanation.findings.iter().find(|entry| entry.outcome == Outcome::Malformed).cloned();
    if let Some(entry) = malformed {
        explanation.stopped(Stage::Cluster, format!("the monitor cannot be read: {}", entry.reason));
        explanation.summary = format!("{monitor} cannot be read: {}", entry.reason);
        return;
    }
    let kind = MonitorKind::of(monitor);
    if kind.is_some_and(|kind| !selection(settings, kind).selects_any()) {
        let text =
            format!("the config has no selector for the kind {}, so objects of this kind are not read", monitor.kind);
        explanation.summary = format!("{monitor} is not selected: {text}");
        explanation.stopped(Stage::Selection, text);
        return;
    }
    explanation.candidates = nearest_names(world, Some("monitor"), &monitor.namespace, &monitor.name);
    let hint = did_you_mean(&explanation.candidates);
    explanation.summary = format!("there is no {monitor} in the cluster{hint}");
    explanation.stopped(Stage::Cluster, explanation.summary.clone());
}

/// The objects that the selector of a monitor nearly matches.
fn near_objects(world: World<'_>, monitor: &ObjectRef) -> Vec<NearMiss> {
    fn misses<T: Object>(selector: Option<MonitorSelector<'_>>, objects: &Collection<T>) -> Vec<NearMiss> {
        let Some(selector) = selector else { return Vec::new() };
        objects.iter().filter_map(|object| selector.miss(object.as_ref())).collect()
    }
    let cluster = world.cluster;
    let (namespace, name) = (&monitor.namespace, &monitor.name);
    nearest(match MonitorKind::of(monitor) {
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
