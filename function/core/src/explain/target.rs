//! Explains the targets that have an address, as discovered or after the rules.

use std::collections::{BTreeMap, BTreeSet};

use super::job::JobTracer;
use super::names::candidates;
use super::selected::why_none_is_selected;
use super::who::Scrapes;
use super::{Explanation, Fate, Question, Stage, World, counted};
use crate::discovery::{LabelFilter, Query};
use crate::labels::ADDRESS;
use crate::objects::Metadata;

/// Maximum number of other targets of a host that a sentence names.
const MOST_NAMED: usize = 5;

/// Namespaces and names of objects.
type Objects = BTreeSet<(String, String)>;

pub(super) fn explain(world: World<'_>, address: &str, explanation: &mut Explanation) {
    let nothing = LabelFilter::new(world.index(), |_| false);
    // Many jobs have equal queries, for example one for each endpoint of a monitor. Each query runs once.
    let mut searched: Vec<(&Query, Objects)> = Vec::new();
    let mut found = Vec::new();
    for job in world.plan().jobs() {
        let mut objects = Objects::new();
        for query in &job.queries {
            let position = searched.iter().position(|(other, _)| *other == query).unwrap_or_else(|| {
                searched.push((query, objects_with(world, query, &nothing, address)));
                searched.len() - 1
            });
            objects.extend(searched[position].1.iter().cloned());
        }
        let pick = |metadata: &Metadata| objects.contains(&(metadata.namespace.clone(), metadata.name.clone()));
        found.extend(JobTracer::new(world, job).trace_targets(pick, |found| is(found.get(ADDRESS), address)));
    }
    if found.is_empty() {
        found = relabelled(world, address);
        if !found.is_empty() {
            let text = format!("no object has the address {address}: relabelling rules set it");
            explanation.note(Stage::Discovery, text);
        }
    }
    found.sort_by_key(super::TargetTrace::rank);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for trace in &found {
        *counts.entry(fate(&trace.fate)).or_default() += 1;
    }
    let served = counts.get("served").copied().unwrap_or_default();
    explanation.served = served > 0;
    if found.is_empty() {
        let why = why_not_found(world, address, explanation);
        explanation.summary = format!("{address} is not scraped: {why}");
        explanation.stopped(Stage::Discovery, why);
        return;
    }
    explanation
        .passed(Stage::Discovery, format!("jobs discovered {} with this address", counted(found.len(), "target")));
    let counts: Vec<_> = counts.into_iter().map(|(fate, count)| format!("{count} {fate}")).collect();
    let text = counts.join(", ");
    if served > 0 {
        explanation.passed(Stage::Assignment, text);
        let mut scrapes = Scrapes::default();
        found.iter().for_each(|trace| scrapes.add(world, trace));
        let count = if served == 1 { String::new() } else { format!(": {served} targets") };
        explanation.summary = format!("{address} is {}{count}", scrapes.words());
    } else {
        explanation.stopped(Stage::Relabelling, text.clone());
        let why = found.first().and_then(|trace| Some((&trace.job, why_not_served(&trace.fate)?)));
        let why = why.map(|(job, why)| format!("; job {job}: {why}")).unwrap_or_default();
        explanation.summary = format!("{address} is not scraped: {text}{why}");
    }
    explanation.add_targets(found);
}

/// Whether a job discovered a target with this address.
pub(super) fn exists(world: World<'_>, address: &str) -> bool {
    !addresses(world, address).is_empty()
}

/// The first discovered addresses that match the requested one.
fn addresses(world: World<'_>, requested: &str) -> BTreeSet<String> {
    let mut addresses = BTreeSet::new();
    for job in world.plan().jobs() {
        JobTracer::new(world, job).visit_targets(
            |_| true,
            |found| {
                let address = found.get(ADDRESS);
                if addresses.len() < MOST_NAMED && is(address, requested) {
                    addresses.insert(address.to_owned());
                }
            },
        );
    }
    addresses
}

/// Why no job has a target with this address. Names the other targets or the pod with this host.
fn why_not_found(world: World<'_>, address: &str, explanation: &mut Explanation) -> String {
    if let Some(why) = why_none_is_selected(world).filter(|_| world.plan().jobs().is_empty()) {
        return why;
    }
    let why = "no job discovered a target with this address";
    let host = host_of(address);
    let others = addresses(world, host);
    if !others.is_empty() {
        let others = others.into_iter().collect::<Vec<_>>().join(", ");
        return format!("{why}; {host} has the targets {others}");
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let pod = world.cluster.pods.iter().find(|pod| pod.status.pod_ip == bare);
    match pod.map(|pod| &pod.metadata) {
        Some(Metadata { namespace, name, .. }) => {
            let question = Question::Pod { namespace: namespace.clone(), name: name.clone() };
            explanation.candidates = candidates(&[question]);
            format!("{why}; {host} is the address of Pod/{namespace}/{name}")
        }
        None => why.to_owned(),
    }
}

/// The address without its port.
fn host_of(address: &str) -> &str {
    match address.rsplit_once(':') {
        Some((host, port)) if is_port(port) && (!host.contains(':') || host.ends_with(']')) => host,
        _ => address,
    }
}

/// The reason in the fate of a target that is not served.
fn why_not_served(fate: &Fate) -> Option<String> {
    match fate {
        Fate::Dropped { reason } | Fate::Unassigned { reason, .. } => Some(reason.clone()),
        Fate::Merged { .. } | Fate::Served { .. } => None,
    }
}

const fn fate(fate: &Fate) -> &'static str {
    match fate {
        Fate::Dropped { .. } => "dropped",
        Fate::Merged { .. } => "merged with an equal target",
        Fate::Served { .. } => "served",
        Fate::Unassigned { .. } => "unassigned",
    }
}

/// Whether an address is the requested one. A request without a port stands for all ports.
fn is(address: &str, requested: &str) -> bool {
    address == requested
        || address.rsplit_once(':').is_some_and(|(host, port)| {
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            is_port(port) && (host == requested || bare == Some(requested))
        })
}

fn is_port(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// The objects that give a target with this address to a query.
fn objects_with(world: World<'_>, query: &Query, nothing: &LabelFilter, address: &str) -> Objects {
    let groups = query.looked_at(world.index(), nothing, |_| true);
    let groups = groups.filter_map(|looked_at| Some((looked_at.metadata, looked_at.group.ok()?)));
    let holding = groups.filter(|(_, group)| {
        group.targets().is_ok_and(|targets| targets.iter().any(|target| is(target.get(ADDRESS), address)))
    });
    holding.map(|(metadata, _)| (metadata.namespace.clone(), metadata.name.clone())).collect()
}

/// The targets that have this address or instance after the rules of their job.
fn relabelled(world: World<'_>, address: &str) -> Vec<super::TargetTrace> {
    let mut found = Vec::new();
    for job in world.plan().jobs() {
        let tracer = JobTracer::new(world, job);
        found.extend(tracer.trace_targets(|_| true, |found| tracer.relabels_to(found, |other| is(other, address))));
    }
    found
}
