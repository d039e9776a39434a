//! Reads a relabelling rule from YAML or JSON.
//!
//! Input: a map. Output: a rule that is not checked yet. Follows `UnmarshalYAML` in `model/relabel/relabel.go` of
//! Prometheus. An absent field has its default. A regular expression that is null is empty. Numbers and booleans are
//! accepted as text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::{Action, RelabelConfig};
use crate::regex::to_lower;

pub(super) const ACTIONS: [(&str, Action); 11] = [
    ("replace", Action::Replace),
    ("keep", Action::Keep),
    ("drop", Action::Drop),
    ("keepequal", Action::KeepEqual),
    ("dropequal", Action::DropEqual),
    ("hashmod", Action::HashMod),
    ("labelmap", Action::LabelMap),
    ("labeldrop", Action::LabelDrop),
    ("labelkeep", Action::LabelKeep),
    ("lowercase", Action::Lowercase),
    ("uppercase", Action::Uppercase),
];

impl Action {
    /// The action with this name, in upper or lower case.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let lower = to_lower(text);
        ACTIONS.iter().find(|(name, _)| *name == lower).map(|(_, action)| *action)
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        Self::named(&text).ok_or_else(|| D::Error::custom(format_args!("unknown relabel action: {text:?}")))
    }
}

impl<'de> Deserialize<'de> for RelabelConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { source_labels, separator, regex, modulus, target_label, replacement, action } =
            Written::deserialize(deserializer)?;
        let defaults = Self::default();
        let or = |text: Option<Text>, default| text.map_or(default, |Text(text)| text);
        let action = action.unwrap_or_default();
        // These actions refuse `source_labels`, even an empty list. `Self` cannot distinguish an empty list from an
        // absent one.
        if source_labels.as_ref().is_some_and(Vec::is_empty) && matches!(action, Action::LabelDrop | Action::LabelKeep)
        {
            return Err(D::Error::custom(format_args!("source_labels: must not be set for the action: {action}")));
        }
        Ok(Self {
            source_labels: source_labels.unwrap_or_default().into_iter().map(|Text(label)| label).collect(),
            separator: or(separator, defaults.separator),
            regex: regex.map(|Text(text)| text),
            modulus: modulus.unwrap_or_default(),
            target_label: or(target_label, defaults.target_label),
            replacement: or(replacement, defaults.replacement),
            action,
        })
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a relabelling rule")]
struct Written {
    source_labels: Option<Vec<Text>>,
    #[serde(deserialize_with = "present")]
    separator: Option<Text>,
    #[serde(deserialize_with = "nullable")]
    regex: Option<Text>,
    modulus: Option<u64>,
    #[serde(deserialize_with = "present")]
    target_label: Option<Text>,
    #[serde(deserialize_with = "present")]
    replacement: Option<Text>,
    #[serde(deserialize_with = "present")]
    action: Option<Action>,
}

/// Reads a field that must not be null. An absent field stays `None`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a field whose null value is the empty text. An absent field stays `None`.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    let text = Option::<Text>::deserialize(deserializer)?;
    Ok(Some(text.unwrap_or_else(|| Text(String::new()))))
}

/// A text. Numbers and booleans are accepted as text.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl Visitor<'_> for TextVisitor {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_unit<E: Error>(self) -> Result<Text, E> {
                Ok(Text(String::new()))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}
