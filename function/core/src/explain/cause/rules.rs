//! The rule that drops the last targets of a job, in words. The rules that the operator generates for ports and finished
//! pods have sentences of their own.

use super::super::counted;
use super::super::job::JobTracer;
use super::super::trace::{self, RuleOrigin};
use super::furthest_drop::FurthestDrop;
use super::ports::{self, PortRule};
use super::{SubjectKind, are_selected};
use crate::relabel::RelabelConfig;

/// Maximum number of values that a sentence names.
const MOST_NAMED: usize = 3;

impl FurthestDrop {
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
