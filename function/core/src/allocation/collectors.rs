//! The collectors: pods that a selector matches, or names in the config.
//!
//! Follows `internal/collector/collector.go` of the operator's allocator, with one exception. A pod that is being
//! deleted loses its targets here (operator issues 4072, 4090).

use jiff::{SignedDuration, Timestamp};

use crate::config::{CollectorPods, Collectors};
use crate::objects::{Cluster, Pod};
use crate::shard::{Collector, Members};

pub(super) fn members(wanted: &Collectors, cluster: &Cluster, now: Timestamp) -> Members {
    match wanted {
        Collectors::Named(collectors) => Members::new(collectors.clone()),
        Collectors::Pods(pods) => {
            let candidates = cluster.pods.in_namespace(&pods.namespace);
            let collectors = candidates.filter(|pod| not_collecting(pod, pods, now).is_none());
            Members::new(
                collectors
                    .map(|pod| Collector {
                        name: pod.metadata.name.clone(),
                        node: pod.spec.node_name.to_string(),
                        zone: zone_of_node(cluster, &pod.spec.node_name).to_owned(),
                    })
                    .collect(),
            )
        }
    }
}

/// The label that contains the zone of a node.
const ZONE: &str = "topology.kubernetes.io/zone";

/// The zone of a node. Empty if unknown.
pub(super) fn zone_of_node<'a>(cluster: &'a Cluster, node: &str) -> &'a str {
    let node = cluster.nodes.get("", node);
    node.and_then(|node| node.metadata.labels.get(ZONE)).unwrap_or_default()
}

/// The reason why a pod in the collectors' namespace is not assigned targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCollecting {
    /// `collector_selector` does not match the labels of the pod.
    #[error("collector_selector does not match its labels")]
    Labels,
    /// The pod is not scheduled yet.
    #[error("it is not scheduled to a node yet")]
    NoNode,
    /// The pod is being deleted.
    #[error("it is being deleted")]
    Terminating,
    /// The pod is not running, or not ready.
    #[error("it has not been running and ready for longer than collector_not_ready_grace_period")]
    Unhealthy,
}

/// The reason why a pod is not assigned targets. `None` if it is a collector.
#[must_use]
pub fn not_collecting(pod: &Pod, wanted: &CollectorPods, now: Timestamp) -> Option<NotCollecting> {
    if !wanted.selector.matches(&pod.metadata.labels) {
        Some(NotCollecting::Labels)
    } else if pod.spec.node_name.is_empty() {
        Some(NotCollecting::NoNode)
    } else if pod.metadata.deletion_timestamp.is_some() {
        Some(NotCollecting::Terminating)
    } else {
        is_unhealthy(pod, wanted, now).then_some(NotCollecting::Unhealthy)
    }
}

/// Whether the pod has been not running or not ready for longer than the grace period.
fn is_unhealthy(pod: &Pod, wanted: &CollectorPods, now: Timestamp) -> bool {
    if wanted.not_ready_grace_period.is_zero() {
        return false;
    }
    let grace = i64::try_from(wanted.not_ready_grace_period.as_millis()).unwrap_or(i64::MAX);
    let is_over = |since: &str| {
        since.parse::<Timestamp>().is_ok_and(|since| now.duration_since(since) > SignedDuration::from_millis(grace))
    };
    let not_running = pod.status.phase != "Running" && pod.status.start_time.as_deref().is_some_and(is_over);
    let not_ready = pod.status.ready.condition().is_some_and(|condition| {
        // Go reads null as its zero time, which is longer ago than any grace period.
        let over = condition.last_transition_time.as_deref().is_none_or(is_over);
        condition.status != "True" && over
    });
    not_running || not_ready
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::duration::Duration;
    use crate::selector::LabelSelector;

    const NOW: &str = "2026-11-24T12:00:00Z";

    fn pod(name: &str, change: impl FnOnce(&mut Value)) -> Pod {
        let mut pod = json!({
            "metadata": {"name": name, "namespace": "monitoring", "labels": {"app": "otel"}},
            "spec": {"nodeName": "node-a"},
            "status": {
                "phase": "Running",
                "startTime": "2026-11-24T11:00:00Z",
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-24T11:00:00Z"}]
            }
        });
        change(&mut pod);
        serde_json::from_value(pod).unwrap()
    }

    fn wanted(grace_seconds: u64) -> Collectors {
        let selector: LabelSelector = serde_json::from_value(json!({"matchLabels": {"app": "otel"}})).unwrap();
        Collectors::Pods(CollectorPods {
            namespace: "monitoring".to_owned(),
            selector: selector.selector().unwrap(),
            not_ready_grace_period: Duration::from_secs(grace_seconds),
        })
    }

    type Change = fn(&mut Value);

    #[test]
    fn pods_are_collectors_while_they_are_healthy() {
        let cases: [(&str, Change, bool); 14] = [
            ("ready", |_| {}, true),
            ("other-labels", |pod| pod["metadata"]["labels"]["app"] = json!("web"), false),
            ("other-namespace", |pod| pod["metadata"]["namespace"] = json!("shop"), false),
            ("no-node-yet", |pod| pod["spec"]["nodeName"] = json!(""), false),
            ("terminating", |pod| pod["metadata"]["deletionTimestamp"] = json!("2026-11-24T11:59:59Z"), false),
            ("not-ready-long", |pod| pod["status"]["conditions"][0]["status"] = json!("False"), false),
            ("ready-unknown-long", |pod| pod["status"]["conditions"][0]["status"] = json!("Unknown"), false),
            (
                "not-ready-short",
                |pod| {
                    pod["status"]["conditions"][0] = json!({
                        "type": "Ready", "status": "False", "lastTransitionTime": "2026-11-24T11:59:31Z"
                    });
                },
                true,
            ),
            (
                "not-ready-since-ever",
                |pod| {
                    pod["status"]["conditions"][0] =
                        json!({"type": "Ready", "status": "False", "lastTransitionTime": null});
                },
                false,
            ),
            (
                "other-condition",
                |pod| {
                    pod["status"]["conditions"][0] =
                        json!({"type": "Initialized", "status": "False", "lastTransitionTime": null});
                },
                true,
            ),
            ("pending-long", |pod| pod["status"]["phase"] = json!("Pending"), false),
            (
                "pending-short",
                |pod| {
                    pod["status"] = json!({"phase": "Pending", "startTime": "2026-11-24T11:59:31Z"});
                },
                true,
            ),
            ("pending-not-started", |pod| pod["status"] = json!({"phase": "Pending"}), true),
            ("failed-long", |pod| pod["status"]["phase"] = json!("Failed"), false),
        ];
        let pods = cases.iter().map(|(name, change, _)| pod(name, change));
        let cluster = Cluster { pods: pods.collect(), ..Cluster::default() };
        let members = members(&wanted(30), &cluster, NOW.parse().unwrap());
        for (name, _, expected) in cases {
            assert_eq!(members.index_of(name).is_some(), expected, "{name}");
        }
        assert!(members.collectors().iter().all(|collector| collector.node == "node-a"));
    }

    #[test]
    fn without_a_grace_period_health_does_not_matter() {
        let unhealthy = pod("failed", |pod| pod["status"]["phase"] = json!("Failed"));
        let cluster = Cluster { pods: [unhealthy].into_iter().collect(), ..Cluster::default() };
        assert_eq!(members(&wanted(0), &cluster, NOW.parse().unwrap()).collectors().len(), 1);
    }
}
