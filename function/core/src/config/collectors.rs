//! The collectors: pods of the cluster, or names in the config.

use serde::Deserialize;

use super::ConfigError;
use crate::duration::Duration;
use crate::selector::Selector;
use crate::shard::Collector;

/// The collectors.
#[derive(Debug, Clone)]
pub enum Collectors {
    /// Pods that a selector matches.
    Pods(CollectorPods),
    /// Collectors with these names, which can run anywhere.
    Named(Vec<Collector>),
}

/// The selector of collector pods.
#[derive(Debug, Clone)]
pub struct CollectorPods {
    /// The namespace of the pods.
    pub namespace: String,
    /// The label selector of the pods.
    pub selector: Selector,
    /// The time for which a pod that is not ready keeps its targets. Zero: no limit.
    pub not_ready_grace_period: Duration,
}

/// The section `collectors`, for collectors that are not pods of the cluster. The operator has no such section.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CollectorsKey {
    names: Option<Vec<String>>,
    count: Option<u32>,
    name: Option<String>,
}

const ORDINAL: &str = "{ordinal}";

/// The maximum number of collectors. It is far above real use, and prevents a typing error from creating millions of
/// collectors.
const MOST: u32 = 10_000;

pub(super) fn read(
    named: Option<CollectorsKey>,
    selector: Option<Selector>,
    namespace: &str,
    not_ready_grace_period: Duration,
) -> Result<Option<Collectors>, ConfigError> {
    match (named, selector) {
        (Some(_), Some(_)) => {
            Err(ConfigError::key("collectors", "only one of collectors and collector_selector can be set"))
        }
        (None, None) => Ok(None),
        (Some(key), None) => key.names().map(named_collectors).map(Some),
        (None, Some(_)) if namespace.is_empty() => {
            Err(ConfigError::key("collector_namespace", "set it to the namespace of the collectors' pods"))
        }
        (None, Some(selector)) => Ok(Some(Collectors::Pods(CollectorPods {
            namespace: namespace.to_owned(),
            selector,
            not_ready_grace_period,
        }))),
    }
}

fn named_collectors(names: Vec<String>) -> Collectors {
    Collectors::Named(
        names.into_iter().map(|name| Collector { name, node: String::new(), zone: String::new() }).collect(),
    )
}

impl CollectorsKey {
    fn names(self) -> Result<Vec<String>, ConfigError> {
        match self {
            Self { names: Some(names), count: None, name: None } => {
                if names.is_empty() || names.iter().any(String::is_empty) {
                    return Err(ConfigError::key("collectors.names", "name at least one collector, and none \"\""));
                }
                Ok(names)
            }
            Self { names: None, count: Some(count), name: Some(name) } => {
                if !(1..=MOST).contains(&count) {
                    return Err(ConfigError::key("collectors.count", format!("must be 1 to {MOST}: {count}")));
                }
                if !name.contains(ORDINAL) {
                    let reason = format!("must contain {ORDINAL}, as in otel-collector-{ORDINAL}: {name:?}");
                    return Err(ConfigError::key("collectors.name", reason));
                }
                Ok((0..count).map(|ordinal| name.replace(ORDINAL, &ordinal.to_string())).collect())
            }
            _ => Err(ConfigError::key("collectors", "give either names, or count and name")),
        }
    }
}
