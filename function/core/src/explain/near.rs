//! Matches the selectors of monitors against objects, and finds the monitors that nearly match.

use serde::Serialize;

use super::World;
use crate::monitors::selection::{KindSelection, reasons};
use crate::objects::monitoring::{NamespaceSelector, PodMonitor, Probe, ServiceMonitor};
use crate::objects::{Metadata, Object};
use crate::report::{ObjectRef, Outcome};
use crate::selector::{Gap, Selector};

/// Maximum number of near misses in an explanation. The nearest one is usually the one that the user expects.
const MOST: usize = 5;

/// A monitor whose selector matches the object of the question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SelectingMonitor {
    /// The monitor.
    pub monitor: ObjectRef,
    /// The object that the monitor selects: the pod or service itself, or a service in front of the pod.
    pub by: ObjectRef,
    /// Why the allocator config does not select the monitor. Empty if it does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_selected: Vec<String>,
    /// Why the monitor is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A monitor and an object that its selector nearly matches, with the differences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearMiss {
    /// The monitor.
    pub object: ObjectRef,
    /// The object that the monitor does not select.
    pub to: ObjectRef,
    /// The label requirements that the object does not meet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// The namespaces that the monitor selects in, if the object is in none of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<String>,
    /// The number of label requirements that the object meets.
    #[serde(skip)]
    holds: usize,
}

/// The label selector and namespaces of a monitor.
pub(super) struct MonitorSelector<'a> {
    pub(super) monitor: &'a Metadata,
    pub(super) kind: &'static str,
    /// `None` if it cannot be read. The monitor is then refused, and the report says why.
    selector: Option<Selector>,
    pub(super) namespaces: &'a NamespaceSelector,
}

impl MonitorSelector<'_> {
    /// The namespaces that the monitor selects in. `None` for all.
    pub(super) fn names(&self) -> Option<&[String]> {
        let NamespaceSelector { any, match_names } = self.namespaces;
        let own = std::slice::from_ref(&self.monitor.namespace);
        (!any).then_some(if match_names.is_empty() { own } else { match_names })
    }

    /// Whether the object is in a namespace that the monitor selects in.
    pub(super) fn is_in_namespaces<T: Object>(&self, object: &T) -> bool {
        self.names().is_none_or(|names| names.contains(&object.metadata().namespace))
    }

    /// Whether the labels of the object match. Its namespace does not count.
    pub(super) fn has_labels<T: Object>(&self, object: &T) -> bool {
        self.selector.as_ref().is_some_and(|selector| selector.matches(&object.metadata().labels))
    }

    /// Whether the monitor selects the object.
    pub(super) fn selects<T: Object>(&self, object: &T) -> bool {
        self.is_in_namespaces(object) && self.has_labels(object)
    }

    /// The label selector in text form.
    pub(super) fn text(&self) -> String {
        self.selector.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// The differences between the selector and the object. `None` if the selector matches, or cannot be read.
    pub(super) fn miss<T: Object>(&self, object: &T) -> Option<NearMiss> {
        let selector = self.selector.as_ref()?;
        miss(self.object(), selector, self.names(), object)
    }

    pub(super) fn object(&self) -> ObjectRef {
        ObjectRef::new(self.kind, &self.monitor.namespace, &self.monitor.name)
    }

    /// The monitor as one that selects `by`, with the reasons why the config or the generator ignores the monitor.
    pub(super) fn selecting(
        &self,
        world: World<'_>,
        selection: Option<&KindSelection>,
        by: ObjectRef,
    ) -> SelectingMonitor {
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
        SelectingMonitor { monitor, by, not_selected, refused: refused.map(ToString::to_string) }
    }
}

/// The differences between an object and a selector in `names`, or in all namespaces if `names` is `None`.
/// `None` if the selector matches.
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

/// Sorts near misses and keeps the first [`MOST`]: fewest gaps first, then most requirements met, then closest label.
pub(super) fn nearest(mut misses: Vec<NearMiss>) -> Vec<NearMiss> {
    // A selector that misses two or more requirements and meets none is not near.
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

/// How different the required and the actual label of the first gap are: the characters after their common prefix.
/// A label with another key counts as further away.
fn distance(miss: &NearMiss) -> usize {
    let Some(Gap { wanted, found, similar }) = miss.gaps.first() else { return 0 };
    let shared = wanted.chars().zip(found.chars()).take_while(|(one, other)| one == other).count();
    let further = if similar.is_some() { 0 } else { wanted.chars().count() };
    further + found.chars().count().max(wanted.chars().count()) - shared
}

impl<'a> MonitorSelector<'a> {
    pub(super) fn of_service_monitor(monitor: &'a ServiceMonitor) -> Self {
        let ServiceMonitor { metadata, spec } = monitor;
        Self {
            monitor: metadata,
            kind: "ServiceMonitor",
            selector: spec.selector.selector().ok(),
            namespaces: &spec.namespace_selector,
        }
    }

    pub(super) fn of_pod_monitor(monitor: &'a PodMonitor) -> Self {
        let PodMonitor { metadata, spec } = monitor;
        Self {
            monitor: metadata,
            kind: "PodMonitor",
            selector: spec.selector.selector().ok(),
            namespaces: &spec.namespace_selector,
        }
    }

    /// The ingress selector of a probe. `None` if the probe has static targets, which take precedence.
    pub(super) fn of_probe(probe: &'a Probe) -> Option<Self> {
        let Probe { metadata, spec } = probe;
        let ingress = spec.targets.ingress.as_ref().filter(|_| spec.targets.static_config.is_none())?;
        let (selector, namespaces) = (ingress.selector.selector().ok(), &ingress.namespace_selector);
        Some(Self { monitor: metadata, kind: "Probe", selector, namespaces })
    }
}
