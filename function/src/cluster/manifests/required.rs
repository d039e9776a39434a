//! Fields without which an API server refuses an object.
//!
//! Follows `required` of the definitions of prometheus-operator v0.93.1. The types of the core
//! do not demand these fields: an object from an API server always has them.

use serde_json::Value;

/// A field that an object must have, and its JSON type.
struct Field {
    path: &'static str,
    fits: fn(&Value) -> bool,
}

const NAME: Field = Field { path: "metadata.name", fits: |value| value.as_str().is_some_and(|name| !name.is_empty()) };
const SPEC: Field = Field { path: "spec", fits: Value::is_object };
/// An absent selector would select every object of the namespace.
const SELECTOR: Field = Field { path: "spec.selector", fits: Value::is_object };
const ENDPOINTS: Field = Field { path: "spec.endpoints", fits: Value::is_array };

/// The first required field that an object of this kind lacks.
pub fn missing(kind: &str, object: &Value) -> Option<&'static str> {
    let required: &[Field] = match kind {
        "ServiceMonitor" => &[NAME, SPEC, SELECTOR, ENDPOINTS],
        "PodMonitor" => &[NAME, SPEC, SELECTOR],
        "Probe" | "ScrapeConfig" => &[NAME, SPEC],
        _ => &[NAME],
    };
    let found = |path: &str| path.split('.').try_fold(object, |value, key| value.get(key));
    required.iter().find(|field| !found(field.path).is_some_and(field.fits)).map(|field| field.path)
}
