//! Explains the targets that have an address, as discovered or after the rules.

use std::collections::{BTreeMap, BTreeSet};

use super::job::JobTracer;
use super::{Explanation, Fate, Stage, World, counted};
use crate::discovery::{LabelFilter, Query};
use crate::labels::ADDRESS;

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
        let pick = |metadata: &crate::objects::Metadata| {
            objects.contains(&(metadata.namespace.clone(), metadata.name.clone()))
        };
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
        explanation.stopped(Stage::Discovery, "no job discovered the address");
        explanation.summary = format!("{address} is not scraped: no job discovered a target with this address");
        return;
    }
    explanation
        .passed(Stage::Discovery, format!("jobs discovered {} with this address", counted(found.len(), "target")));
    let counts: Vec<_> = counts.into_iter().map(|(fate, count)| format!("{count} {fate}")).collect();
    let text = counts.join(", ");
    if served > 0 {
        explanation.passed(Stage::Assignment, text);
        explanation.summary = format!("{address} is scraped as {}", counted(served, "target"));
    } else {
        explanation.stopped(Stage::Relabelling, text.clone());
        explanation.summary = format!("{address} is not scraped: {text}");
    }
    explanation.add_targets(found);
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
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    address == requested
        || address.rsplit_once(':').is_some_and(|(host, port)| {
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            is_port(port) && (host == requested || bare == Some(requested))
        })
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
        found.extend(tracer.trace_targets(|_| true, |found| tracer.relabels_to(found, address)));
    }
    found
}
