//! The rule that drops the last targets of a job.
//!
//! Input: the discovered targets. Output: the rule that targets get furthest to, in words. The rules that the operator
//! generates for ports and finished pods have sentences of their own.

use std::collections::BTreeSet;

use super::super::counted;
use super::super::job::{JobTracer, VisitedTarget};
use super::super::trace::{self, RuleOrigin};
use super::ports::{self, ContainerPort, PortRule};
use super::{Key, SubjectKind, Subjects, are_selected};
use crate::relabel::RelabelConfig;

/// Maximum number of different values that are kept of the labels that a rule reads.
const MOST_VALUES: usize = 50;

/// Maximum number of values that a sentence names.
const MOST_NAMED: usize = 3;

/// The rule at the highest position that drops a target.
///
/// Rules run in order, and a rule after it drops nothing. Targets that a rule before it dropped were not meant: they
/// belong to other objects.
#[derive(Debug)]
pub(super) struct FurthestDrop {
    position: usize,
    /// The number of targets that this rule drops.
    targets: usize,
    /// The number of targets that any rule drops.
    all: usize,
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

    /// The cause, with the objects that are selected: `Service shop/web is selected; port x is not one of its ports: y`.
    pub(super) fn sentence(&self, tracer: &JobTracer<'_>, kind: SubjectKind) -> String {
        let selected = are_selected(kind, &self.objects);
        let why = match tracer.rule(self.position) {
            Some((RuleOrigin::Generated(_), rule)) => self.generated(tracer, kind, rule),
            _ => None,
        };
        format!("{selected}; {}", why.unwrap_or_else(|| self.rule_sentence(tracer)))
    }

    /// The cause, if the rule is one that the operator generates from a field of the monitor.
    fn generated(&self, tracer: &JobTracer<'_>, kind: SubjectKind, rule: &RelabelConfig) -> Option<String> {
        let [label] = rule.source_labels.as_slice() else { return None };
        let regex = rule.regex.as_deref()?;
        let port = |rule: PortRule| ports::sentence(self, tracer.world().cluster, kind, rule, regex);
        match label.as_str() {
            "__meta_kubernetes_endpointslice_port_name" | "__meta_kubernetes_endpoint_port_name" => {
                Some(port(PortRule::OfService))
            }
            "__meta_kubernetes_pod_container_port_name" => Some(port(PortRule::ContainerName)),
            "__meta_kubernetes_pod_container_port_number" => Some(port(PortRule::ContainerNumber)),
            "__meta_kubernetes_pod_phase" => Some(self.finished(kind)),
            _ => None,
        }
    }

    fn finished(&self, kind: SubjectKind) -> String {
        let phases: Vec<_> = self.first_values().collect();
        let pods = if kind == SubjectKind::Pod { "" } else { "its pods have finished: " };
        format!("{pods}the phase is {}, and filterRunning drops finished pods", phases.join(" or "))
    }

    /// The first label that the rule reads, each different value once.
    pub(super) fn first_values(&self) -> impl Iterator<Item = &str> {
        let values: BTreeSet<_> = self.values.iter().filter_map(|values| values.first()).map(String::as_str).collect();
        values.into_iter()
    }

    /// The rule, and the labels that it read.
    pub(super) fn rule_sentence(&self, tracer: &JobTracer<'_>) -> String {
        let Some((origin, rule)) = tracer.rule(self.position) else { return String::new() };
        let all = match self.targets {
            1 if self.all == 1 => "its only target".to_owned(),
            targets if targets == self.all => format!("all {}", counted(targets, "target")),
            targets => format!("the remaining {targets} of {}", counted(self.all, "target")),
        };
        let found = self.values.iter().take(MOST_NAMED).map(|values| {
            let pairs = trace::names_read(rule).zip(values).map(|(name, value)| format!("{name}={value:?}"));
            pairs.collect::<Vec<_>>().join(", ")
        });
        let found: Vec<_> = found.collect();
        let more = if self.values.len() > MOST_NAMED { " or others" } else { "" };
        let (place, text) = (trace::place(origin), trace::describe(rule));
        format!("{place} drops {all}: {text}; found {}{more}", found.join(" or "))
    }
}
