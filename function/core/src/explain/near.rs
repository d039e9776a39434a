//! Monitors that mean an object, and those that come near.

use serde::Serialize;

use super::World;
use crate::monitors::selection::{KindSelection, reasons};
use crate::objects::monitoring::{NamespaceSelector, PodMonitor, Probe, ServiceMonitor};
use crate::objects::{Metadata, Object};
use crate::report::{ObjectRef, Outcome};
use crate::selector::{Gap, LabelSelector, Selector};

/// Most monitors that are named as near.
const MOST: usize = 5;

/// A monitor that means an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Match {
    /// The monitor.
    pub monitor: ObjectRef,
    /// What it means: the pod or service itself, or the service in front of the pod.
    pub by: ObjectRef,
    /// Why the monitor has no say; empty if it has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_selected: Vec<String>,
    /// Why it is refused, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Something that does not mean the object, and what keeps them apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearMiss {
    /// What comes near.
    pub object: ObjectRef,
    /// What it would have to do with.
    pub to: ObjectRef,
    /// Requirements on labels that do not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// The namespaces that it looks into, if the object is in none of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<String>,
    /// How many requirements hold.
    #[serde(skip)]
    holds: usize,
}

/// A selector of a monitor, held against objects.
pub(super) struct Meaning<'a> {
    pub(super) monitor: &'a Metadata,
    pub(super) kind: &'static str,
    pub(super) selector: &'a LabelSelector,
    pub(super) namespaces: &'a NamespaceSelector,
}

impl Meaning<'_> {
    /// What keeps the monitor and the object apart; `None` if the monitor means it.
    pub(super) fn miss<T: Object>(&self, object: &T) -> Option<NearMiss> {
        // A monitor whose selector cannot be read is refused, and the report says why.
        let selector = self.selector.selector().ok()?;
        let NamespaceSelector { any, match_names } = self.namespaces;
        let own = std::slice::from_ref(&self.monitor.namespace);
        let names = if match_names.is_empty() { own } else { match_names };
        miss(self.object(), &selector, (!any).then_some(names), object)
    }

    pub(super) fn object(&self) -> ObjectRef {
        ObjectRef::new(self.kind, &self.monitor.namespace, &self.monitor.name)
    }

    /// What the config and the report say of the monitor that means `by`.
    pub(super) fn matched(&self, world: World<'_>, selection: Option<&KindSelection>, by: ObjectRef) -> Match {
        let monitor = self.object();
        let not_selected = match (&world.config.monitors, selection) {
            (Some(settings), Some(selection)) => {
                let reasons = reasons(selection, &settings.namespaces, self.monitor, world.cluster);
                reasons.iter().map(ToString::to_string).collect()
            }
            _ => vec!["prometheus_cr is not enabled".to_owned()],
        };
        let entries = world.allocation.report().entries().iter();
        let refused = entries.filter(|entry| entry.object == monitor).find(|entry| entry.outcome == Outcome::Refused);
        Match { monitor, by, not_selected, refused: refused.map(ToString::to_string) }
    }
}

/// What keeps a monitor that looks for that, in those namespaces or in all, and the object apart.
pub(super) fn miss<T: Object>(
    monitor: ObjectRef,
    selector: &Selector,
    names: Option<&[String]>,
    object: &T,
) -> Option<NearMiss> {
    let metadata = object.metadata();
    let gaps = selector.gaps(&metadata.labels);
    let holds = selector.requirements().len() - gaps.len();
    let elsewhere = names.filter(|names| !names.contains(&metadata.namespace));
    let namespaces = elsewhere.map(|names| names.join(", "));
    if gaps.is_empty() && namespaces.is_none() {
        return None;
    }
    Some(NearMiss { object: monitor, to: object.object_ref(), gaps, namespaces, holds })
}

/// The nearest ones first: those with the fewest gaps, and of those with as many the ones that hold most.
pub(super) fn nearest(mut misses: Vec<NearMiss>) -> Vec<NearMiss> {
    // A selector that shares nothing with the object is not near.
    misses.retain(|miss| miss.holds > 0 || miss.gaps.len() <= 1);
    misses.sort_by(|one, other| {
        let key = |miss: &NearMiss| {
            let elsewhere = usize::from(miss.namespaces.is_some());
            (miss.gaps.len() + elsewhere, std::cmp::Reverse(miss.holds), distance(miss))
        };
        key(one).cmp(&key(other)).then_with(|| one.object.cmp(&other.object))
    });
    misses.truncate(MOST);
    misses
}

/// How far what is wanted is from what is found: the characters that the first gap does not begin with.
fn distance(miss: &NearMiss) -> usize {
    let Some(Gap { wanted, found, similar }) = miss.gaps.first() else { return 0 };
    let shared = wanted.chars().zip(found.chars()).take_while(|(one, other)| one == other).count();
    let further = if similar.is_some() { 0 } else { wanted.chars().count() };
    further + found.chars().count().max(wanted.chars().count()) - shared
}

impl<'a> Meaning<'a> {
    pub(super) const fn of_service_monitor(monitor: &'a ServiceMonitor) -> Self {
        let ServiceMonitor { metadata, spec } = monitor;
        Self {
            monitor: metadata,
            kind: "ServiceMonitor",
            selector: &spec.selector,
            namespaces: &spec.namespace_selector,
        }
    }

    pub(super) const fn of_pod_monitor(monitor: &'a PodMonitor) -> Self {
        let PodMonitor { metadata, spec } = monitor;
        Self { monitor: metadata, kind: "PodMonitor", selector: &spec.selector, namespaces: &spec.namespace_selector }
    }

    /// What a probe goes to, unless that is written out.
    pub(super) fn of_probe(probe: &'a Probe) -> Option<Self> {
        let Probe { metadata, spec } = probe;
        let ingress = spec.targets.ingress.as_ref().filter(|_| spec.targets.static_config.is_none())?;
        let (selector, namespaces) = (&ingress.selector, &ingress.namespace_selector);
        Some(Self { monitor: metadata, kind: "Probe", selector, namespaces })
    }
}
