//! The rule that targets of a job get furthest to.
//!
//! Input: the discovered targets. Output: the position of the rule that drops the last of them, and what it read.

use std::collections::BTreeSet;

use super::super::job::{JobTracer, VisitedTarget};
use super::{Key, Subjects};

/// Maximum number of different values that are kept of the labels that a rule reads.
const MOST_VALUES: usize = 50;

/// The rule at the highest position that drops a target.
///
/// Rules run in order, and a rule after it drops nothing. Targets that a rule before it dropped were not meant: they
/// belong to other objects.
#[derive(Debug)]
pub(super) struct FurthestDrop {
    pub(super) position: usize,
    /// The number of targets that this rule drops.
    pub(super) targets: usize,
    /// The number of targets that any rule drops.
    pub(super) all: usize,
    /// The values of the labels that the rule reads, one list for each different target.
    pub(super) values: BTreeSet<Vec<String>>,
    /// The objects of these targets.
    pub(super) objects: BTreeSet<Key>,
    /// The ports of the containers behind these targets.
    pub(super) container_ports: BTreeSet<ContainerPort>,
    /// Whether at least one target has a pod behind it.
    pub(super) has_pods: bool,
}

impl FurthestDrop {
    /// The furthest drop of the targets that `choose` accepts. `None` if no rule drops one of them.
    pub(super) fn find(
        tracer: &JobTracer<'_>,
        subjects: Option<&Subjects>,
        choose: impl Fn(&VisitedTarget<'_, '_>) -> bool,
    ) -> Option<Self> {
        let mut furthest: Option<Self> = None;
        let mut all = 0;
        tracer.visit_targets(
            |_| true,
            |target| {
                if !choose(target) {
                    return;
                }
                let Some((position, values)) = tracer.dropping_rule(target) else { return };
                all += 1;
                if furthest.as_ref().is_none_or(|drop| drop.position < position) {
                    furthest = Some(Self::at(position));
                }
                if let Some(drop) = furthest.as_mut().filter(|drop| drop.position == position) {
                    drop.add(target, values, subjects);
                }
            },
        );
        furthest.map(|drop| Self { all, ..drop })
    }

    const fn at(position: usize) -> Self {
        Self {
            position,
            targets: 0,
            all: 0,
            values: BTreeSet::new(),
            objects: BTreeSet::new(),
            container_ports: BTreeSet::new(),
            has_pods: false,
        }
    }

    fn add(&mut self, target: &VisitedTarget<'_, '_>, values: Vec<String>, subjects: Option<&Subjects>) {
        self.targets += 1;
        if self.values.len() < MOST_VALUES {
            self.values.insert(values);
        }
        self.objects.extend(subjects.map(|subjects| subjects.key_of(target)));
        self.has_pods |= !target.get("__meta_kubernetes_pod_name").is_empty();
        if self.container_ports.len() < MOST_VALUES {
            self.container_ports.extend(ContainerPort::of(target));
        }
    }

    /// The first label that the rule reads, each different value once.
    pub(super) fn first_values(&self) -> impl Iterator<Item = &str> {
        let values: BTreeSet<_> = self.values.iter().filter_map(|values| values.first()).map(String::as_str).collect();
        values.into_iter()
    }
}

/// A port that a container declares.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ContainerPort {
    pub(super) name: String,
    pub(super) number: String,
}

impl ContainerPort {
    /// The container port of a target, if it has one.
    pub(super) fn of(target: &VisitedTarget<'_, '_>) -> Option<Self> {
        let number = target.get("__meta_kubernetes_pod_container_port_number");
        let name = target.get("__meta_kubernetes_pod_container_port_name");
        (!number.is_empty()).then(|| Self { name: name.to_owned(), number: number.to_owned() })
    }
}
