//! Checks the fields without which an API server refuses an object.
//!
//! Input: an object. Output: the first missing field. Follows `required` of the definitions of prometheus-operator
//! v0.93.1. The types of the core do not require these fields, because an object from an API server always has them.

use serde_json::Value;

/// A required field and its JSON type.
pub struct Field {
    pub path: &'static str,
    pub wanted: &'static str,
    fits: fn(&Value) -> bool,
}

const NAME: Field = Field {
    path: "metadata.name",
    wanted: "a text, in quotes if it looks like a number or a boolean",
    fits: |value| value.as_str().is_some_and(|name| !name.is_empty()),
};
const SPEC: Field = Field { path: "spec", wanted: "a map", fits: Value::is_object };
/// An absent selector would select every object of the namespace.
const SELECTOR: Field = Field { path: "spec.selector", wanted: "a map", fits: Value::is_object };
const ENDPOINTS: Field = Field { path: "spec.endpoints", wanted: "a list", fits: Value::is_array };

/// The first required field that is missing or has another type.
pub fn missing(kind: &str, object: &Value) -> Option<&'static Field> {
    let required: &'static [Field] = match kind {
        "ServiceMonitor" => &[NAME, SPEC, SELECTOR, ENDPOINTS],
        "PodMonitor" => &[NAME, SPEC, SELECTOR],
        "Probe" | "ScrapeConfig" => &[NAME, SPEC],
        _ => &[NAME],
    };
    let found = |path: &str| path.split('.').try_fold(object, |value, key| value.get(key));
    required.iter().find(|field| !found(field.path).is_some_and(field.fits))
}
