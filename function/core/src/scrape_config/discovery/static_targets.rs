//! `static_configs`: targets in the config itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kind::SdConfig;
use crate::scrape_config::fields::{Node, ParseError, Problem, Refusal};
use crate::scrape_config::is_default;

/// Targets in the config itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct StaticSd {
    pub targets: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
}

impl SdConfig for StaticSd {
    fn read(node: &Node<'_>) -> Result<Self, ParseError> {
        let mut fields = node.fields()?;
        let mut group = StaticSd::default();
        let StaticSd { targets, labels } = &mut group;
        fields.read("targets", targets, Node::strings)?;
        fields.read("labels", labels, Node::string_map)?;
        fields.finish()?;
        if labels.contains_key("") {
            return Err(node.error(Problem::EmptyLabelName));
        }
        Ok(group)
    }

    /// Accepts all targets. URLs are rejected for the job as a whole, because its relabelling rules may correct them.
    fn validate(&mut self) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Reads a target group. As in Prometheus, null is an error.
pub fn target_group(node: &Node<'_>) -> Result<StaticSd, ParseError> {
    if node.is_null() {
        return Err(node.error(Problem::WrongType { wanted: "a map" }));
    }
    StaticSd::read(node)
}
