//! Removes unknown keys from the sections that the operator also has.
//!
//! Input: the file as values. Output: the values without unknown keys, and the unknown keys for the report. Follows
//! mapstructure, which parses the file in the operator: unknown keys are ignored, and case does not matter
//! (`Prometheus_CR` is `prometheus_cr`).
//! DIFFERENCE(unknown-key): the report and the log name an unknown key.

use serde::Deserialize;
use serde::de::value::Error as NoValue;
use serde::de::{Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::ConfigError;
use super::file::{File, PrometheusCr};
use super::strategy::{FallbackKey, PerNodeKey, StrategyConfigKey};
use crate::objects::monitoring::ScrapeClass;
use crate::similar::similar;
use crate::unknown_key::UnknownKey;

/// A section: its path and its known keys.
struct Section {
    path: &'static [&'static str],
    keys: fn() -> &'static [&'static str],
}

/// Parents precede their children. The sections that only this project has (`collectors`, ...) reject unknown keys
/// instead.
const SECTIONS: [Section; 8] = [
    Section { path: &[], keys: field_names::<File> },
    Section { path: &["prometheus_cr"], keys: field_names::<PrometheusCr> },
    // `https` and `telemetry` have no effect here, so no struct lists their keys.
    Section {
        path: &["https"],
        keys: || &["enabled", "listen_addr", "ca_file_path", "tls_cert_file_path", "tls_key_file_path"],
    },
    Section { path: &["telemetry"], keys: || &["metrics"] },
    Section { path: &["telemetry", "metrics"], keys: || &["readers"] },
    Section { path: &["allocation_strategy_config"], keys: field_names::<StrategyConfigKey> },
    Section { path: &["allocation_strategy_config", "per_node"], keys: field_names::<PerNodeKey> },
    Section {
        path: &["allocation_strategy_config", "per_node", "fallback_strategy"],
        keys: field_names::<FallbackKey>,
    },
];

/// Keys that restrict access. The operator has none of them. A config without them grants more access, so a slip in
/// one of their names stops the start, wherever the key stands.
const RESTRICTING: [&str; 2] = ["allowed_subjects", "collector_identity"];

/// The keys that have an effect, or are named in the report, in the section `path` (`prometheus_cr`; empty: the file).
#[must_use]
pub fn known_keys(path: &str) -> &'static [&'static str] {
    SECTIONS.iter().find(|section| section.path.join(".") == path).map_or(&[], |section| (section.keys)())
}

/// Removes the unknown keys, and returns them.
pub(super) fn take_unknown(file: &mut Value) -> Result<Vec<UnknownKey>, ConfigError> {
    let mut unknown = Vec::new();
    for Section { path, keys } in &SECTIONS {
        let section = path.iter().try_fold(&mut *file, |value, key| value.get_mut(key));
        let name = path.join(".");
        match section {
            None | Some(Value::Null) => {}
            Some(Value::Object(section)) => keep_known(section, &name, keys(), &mut unknown)?,
            Some(other) => {
                let path = if name.is_empty() { ".".to_owned() } else { name };
                return Err(ConfigError::File { path, message: format!("is not a map: {other}") });
            }
        }
    }
    take_unknown_of_classes(file, &mut unknown)?;
    Ok(unknown)
}

/// Removes the unknown keys of each scrape class.
fn take_unknown_of_classes(file: &mut Value, unknown: &mut Vec<UnknownKey>) -> Result<(), ConfigError> {
    let Some(Value::Array(classes)) = file.pointer_mut("/prometheus_cr/scrape_classes") else { return Ok(()) };
    for (index, class) in classes.iter_mut().enumerate() {
        let path = format!("prometheus_cr.scrape_classes[{index}]");
        match class {
            Value::Object(class) => keep_known(class, &path, field_names::<ScrapeClass>(), unknown)?,
            other => return Err(ConfigError::File { path, message: format!("is not a map: {other}") }),
        }
    }
    Ok(())
}

fn keep_known(
    section: &mut Map<String, Value>,
    path: &str,
    known: &'static [&'static str],
    unknown: &mut Vec<UnknownKey>,
) -> Result<(), ConfigError> {
    let others: Vec<String> = section.keys().filter(|key| !known.contains(&key.as_str())).cloned().collect();
    for key in others {
        let value = section.remove(&key);
        let in_other_case = known.iter().find(|name| name.eq_ignore_ascii_case(&key) && !section.contains_key(**name));
        match (in_other_case, value) {
            (Some(name), Some(value)) => {
                section.insert((*name).to_owned(), value);
            }
            _ => {
                let ignored = UnknownKey::new(path, &key, known);
                check_access_stays(&ignored, &key, known)?;
                unknown.push(ignored);
            }
        }
    }
    Ok(())
}

/// Refuses a key that resembles a restricting key more than any other key of its section.
fn check_access_stays(ignored: &UnknownKey, key: &str, known: &[&'static str]) -> Result<(), ConfigError> {
    let candidates: Vec<&'static str> = known.iter().copied().chain(RESTRICTING).collect();
    match similar(key, &candidates).filter(|name| RESTRICTING.contains(name)) {
        None => Ok(()),
        Some(name) => Err(ConfigError::File {
            path: ignored.path.clone(),
            message: format!(
                "unknown key, and access would be open without {name}: write {name} at the top of the file"
            ),
        }),
    }
}

/// The names of the fields of a struct, as serde parses them.
fn field_names<T: Deserialize<'static>>() -> &'static [&'static str] {
    let mut names = FieldNames(&[]);
    // The deserializer always fails after it has recorded the names.
    let _ = T::deserialize(&mut names);
    names.0
}

/// A deserializer that only records the fields which a struct requests.
struct FieldNames(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut FieldNames {
    type Error = NoValue;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoValue> {
        Err(NoValue::custom("only structs have fields"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, NoValue> {
        self.0 = fields;
        Err(NoValue::custom("the fields are known"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
