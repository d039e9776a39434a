//! Explains which targets are assigned to a collector, or why none are.

use super::names::{did_you_mean, nearest};
use super::selected::why_none_is_selected;
use super::{Explanation, JobShare, Stage, World, counted, owner};
use crate::allocation::not_collecting;
use crate::config::Collectors;

pub(super) fn explain(world: World<'_>, id: &str, explanation: &mut Explanation) {
    let Some(members) = world.allocation.members() else {
        let text = owner::why_no_collector(world).unwrap_or_default();
        explanation.summary = format!("no targets are assigned to {id}: {text}");
        explanation.stopped(Stage::Selection, text);
        return;
    };
    let Some(position) = members.index_of(id) else {
        not_a_member(world, id, explanation);
        return;
    };
    let collector = &members.collectors()[position as usize];
    let on_node = if collector.node.is_empty() { String::new() } else { format!(" on the node {}", collector.node) };
    explanation.passed(Stage::Selection, format!("{id} is a collector{on_node}"));
    explanation.note(Stage::Assignment, owner::strategy(world, members));
    for (name, _) in world.allocation.jobs() {
        let targets = world.allocation.share(name, id).count();
        if targets > 0 {
            explanation.share.push(JobShare { job: name.to_owned(), targets });
        }
    }
    let targets: usize = explanation.share.iter().map(|share| share.targets).sum();
    let (all, _) = world.allocation.counts();
    let text = format!("{targets} of {} are assigned to {id}", counted(all, "target"));
    if targets > 0 {
        explanation.passed(Stage::Assignment, text.clone());
    } else {
        explanation.stopped(Stage::Assignment, text.clone());
    }
    explanation.served = targets > 0;
    explanation.summary = format!("{text}, in {}", counted(explanation.share.len(), "job"));
    if all == 0 {
        let why = why_none_is_selected(world).unwrap_or_else(|| "no job has targets".to_owned());
        explanation.stopped(Stage::Selection, why.clone());
        explanation.summary = format!("{id} is a collector without targets: {why}");
    }
}

/// Explains why `id` is not a collector.
fn not_a_member(world: World<'_>, id: &str, explanation: &mut Explanation) {
    let text = match &world.config.collectors {
        Some(Collectors::Pods(pods)) => match world.cluster.pods.get(&pods.namespace, id) {
            None => format!("the collectors' namespace {} has no pod {id}", pods.namespace),
            Some(pod) => {
                let reason = not_collecting(pod, pods, world.now);
                for gap in pods.selector.gaps(&pod.metadata.labels) {
                    explanation.stopped(Stage::Selection, format!("collector_selector: {gap}"));
                }
                let reason = reason.map_or_else(
                    || "it became a collector after this snapshot".to_owned(),
                    |reason| reason.to_string(),
                );
                format!("the pod {id} is not a collector: {reason}")
            }
        },
        Some(Collectors::Named(_)) | None => format!("the collectors of the allocator config do not include {id}"),
    };
    explanation.stopped(Stage::Selection, text.clone());
    let members = world.allocation.members().map(crate::shard::Members::collectors).unwrap_or_default();
    if !members.is_empty() {
        let names: Vec<_> = members.iter().take(5).map(|collector| collector.name.as_str()).collect();
        let more = if members.len() > names.len() { ", ..." } else { "" };
        explanation.note(Stage::Selection, format!("the collectors are {}{more}", names.join(", ")));
    }
    explanation.candidates = nearest(world, Some("collector"), "", id);
    let hint = did_you_mean(&explanation.candidates);
    explanation.summary = format!("no targets are assigned to {id}: {text}{hint}");
}
