//! The JSON of Consul's responses, with the fields that discovery uses.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::objects::null_to_default;

/// Why a text is not a response of Consul.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ConsulError {
    #[error("not an answer of consul")]
    Json(#[from] serde_json::Error),
    #[error("the agent does not say its datacenter, set datacenter")]
    NoDatacenter,
}

/// One instance of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Instance {
    pub(super) node: Node,
    pub(super) service: Service,
    #[serde(default, deserialize_with = "null_to_default")]
    pub(super) checks: Vec<Check>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Node {
    #[serde(deserialize_with = "null_to_default")]
    pub node: String,
    #[serde(deserialize_with = "null_to_default")]
    pub address: String,
    #[serde(deserialize_with = "texts_by_name")]
    pub meta: BTreeMap<String, String>,
    #[serde(deserialize_with = "texts_by_name")]
    pub tagged_addresses: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Service {
    #[serde(rename = "ID", deserialize_with = "null_to_default")]
    pub id: String,
    #[serde(deserialize_with = "texts")]
    pub tags: Vec<String>,
    #[serde(deserialize_with = "texts_by_name")]
    pub meta: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_to_default")]
    pub port: i64,
    #[serde(deserialize_with = "null_to_default")]
    pub address: String,
    #[serde(deserialize_with = "null_to_default")]
    pub namespace: String,
    #[serde(deserialize_with = "null_to_default")]
    pub partition: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Check {
    #[serde(rename = "CheckID", deserialize_with = "null_to_default")]
    pub check_id: String,
    #[serde(deserialize_with = "null_to_default")]
    pub status: String,
}

/// Go reads a null in a list of texts as an empty text.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let texts: Option<Vec<Option<String>>> = Deserialize::deserialize(deserializer)?;
    Ok(texts.into_iter().flatten().map(Option::unwrap_or_default).collect())
}

fn texts_by_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let texts: Option<BTreeMap<String, Option<String>>> = Deserialize::deserialize(deserializer)?;
    Ok(texts.into_iter().flatten().map(|(name, text)| (name, text.unwrap_or_default())).collect())
}

/// Reads the first JSON value. Go's decoder does not look at the text behind the first value.
fn first<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, ConsulError> {
    let text = String::from_utf8_lossy(body);
    Ok(T::deserialize(&mut serde_json::Deserializer::from_str(&text))?)
}

/// Reads a response to [`super::agent_query`].
///
/// # Errors
/// If the response does not have a datacenter.
pub fn datacenter(body: &[u8]) -> Result<String, ConsulError> {
    let sections: Option<BTreeMap<String, Option<Map<String, Value>>>> = first(body)?;
    let config = sections.unwrap_or_default().remove("Config").flatten().unwrap_or_default();
    config.get("Datacenter").and_then(Value::as_str).map(str::to_owned).ok_or(ConsulError::NoDatacenter)
}

/// Reads a response to [`super::services_query`]: the tags of each service.
///
/// # Errors
/// If the body is not a map of lists.
pub fn services(body: &[u8]) -> Result<BTreeMap<String, Vec<String>>, ConsulError> {
    #[derive(Deserialize)]
    struct Tags(#[serde(deserialize_with = "texts")] Vec<String>);
    let services: Option<BTreeMap<String, Tags>> = first(body)?;
    Ok(services.into_iter().flatten().map(|(name, Tags(tags))| (name, tags)).collect())
}

/// Reads a response to [`super::instances_query`].
///
/// # Errors
/// If the body is not a list of instances. For an instance without a node or a service, Prometheus crashes.
pub fn instances(body: &[u8]) -> Result<Vec<Instance>, ConsulError> {
    let instances: Option<Vec<Instance>> = first(body)?;
    Ok(instances.unwrap_or_default())
}

/// The worst status of the checks, as `HealthChecks.AggregatedStatus` of Consul's API client has it. Empty, if a check
/// has a status that the client does not know.
pub(super) fn health(checks: &[Check]) -> &'static str {
    let is_maintenance = |id: &str| id == "_node_maintenance" || id.starts_with("_service_maintenance:");
    let (maintained, others): (Vec<_>, Vec<_>) = checks.iter().partition(|check| is_maintenance(&check.check_id));
    let has = |status: &str| others.iter().any(|check| check.status == status);
    if others.iter().any(|check| !matches!(check.status.as_str(), "passing" | "warning" | "critical")) {
        ""
    } else if !maintained.is_empty() {
        "maintenance"
    } else if has("critical") {
        "critical"
    } else if has("warning") {
        "warning"
    } else {
        "passing"
    }
}
