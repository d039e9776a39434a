//! Whether the config selects any monitor at all.

use std::collections::BTreeMap;

use super::{World, counted};
use crate::monitors::selection::{KindSelection, NamespaceRules, reasons, select};
use crate::objects::{Cluster, Collection, Object};

/// Maximum number of labels that a sentence names.
const MOST_LABELS: usize = 4;

/// The monitors of one kind.
struct OfKind {
    selected: usize,
    all: usize,
    /// Why the first monitor is not selected, and the labels that monitors have.
    why: Option<String>,
}

/// Why no monitor is selected. `None` if at least one is.
pub(super) fn why_none_is_selected(world: World<'_>) -> Option<String> {
    let Some(settings) = &world.config.monitors else {
        return Some("no monitor is selected: prometheus_cr is not enabled".to_owned());
    };
    let (rules, cluster) = (&settings.namespaces, world.cluster);
    let kinds = [
        of_kind("service_monitor", &settings.service_monitors, rules, &cluster.service_monitors, cluster),
        of_kind("pod_monitor", &settings.pod_monitors, rules, &cluster.pod_monitors, cluster),
        of_kind("probe", &settings.probes, rules, &cluster.probes, cluster),
        of_kind("scrape_config", &settings.scrape_configs, rules, &cluster.scrape_configs, cluster),
    ];
    let kinds: Vec<OfKind> = kinds.into_iter().flatten().collect();
    if kinds.is_empty() {
        return Some(
            "no monitor is selected: the config has no selector, set service_monitor_selector and \
             pod_monitor_selector"
                .to_owned(),
        );
    }
    if kinds.iter().any(|kind| kind.selected > 0) {
        return None;
    }
    let whys: Vec<_> = kinds.iter().filter_map(|kind| kind.why.clone()).collect();
    if whys.is_empty() && kinds.iter().all(|kind| kind.all == 0) {
        return Some("no monitor is selected: the function read no monitor from the cluster".to_owned());
    }
    Some(format!("no monitor is selected: {}", whys.join("; ")))
}

/// The monitors of a kind. `None` if the config has no selector for the kind.
fn of_kind<T: Object>(
    key: &str,
    selection: &KindSelection,
    rules: &NamespaceRules,
    objects: &Collection<T>,
    cluster: &Cluster,
) -> Option<OfKind> {
    if !selection.selects_any() {
        return None;
    }
    let selected = select(selection, rules, objects, cluster).count();
    let first = objects.iter().next();
    let why = first.filter(|_| selected == 0).and_then(|first| {
        let reason = reasons(selection, rules, first.metadata(), cluster).into_iter().next()?;
        Some(format!(
            "{key}_selector and the namespace rules match none of {}; {}: {reason}; labels of the monitors: {}",
            counted(objects.len(), T::KIND),
            first.object_ref(),
            labels(objects)
        ))
    });
    Some(OfKind { selected, all: objects.len(), why })
}

/// The commonest labels, each with the number of objects that have it.
fn labels<T: Object>(objects: &Collection<T>) -> String {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for object in objects.iter() {
        for label in object.metadata().labels.iter() {
            *counts.entry(label).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(label, count)| (std::cmp::Reverse(*count), *label));
    if counts.is_empty() {
        return "none".to_owned();
    }
    let named = counts.iter().take(MOST_LABELS).map(|((key, value), count)| format!("{key}={value} ({count})"));
    named.collect::<Vec<_>>().join(", ")
}
