//! Reads the fields of a map in a configuration, each by its name and type.
//!
//! Values are read as leniently as in the YAML library of Prometheus: a number or a boolean is accepted as a text, and
//! `null` is the zero value. Unknown fields are errors, or they are collected if the root is created with
//! [`Node::collecting`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::secret::Secret;
use crate::duration::{Duration, DurationError};
use crate::error::chain;
use crate::size::SizeError;
use crate::unknown_key::UnknownKey;
use crate::yaml::to_text;

type Result<T> = std::result::Result<T, ParseError>;

/// An error in a configuration, with the path of the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}")]
pub struct ParseError {
    /// The field, such as `scrape_configs[0].tls_config.ca`.
    pub path: String,
    /// The error.
    #[source]
    pub problem: Problem,
}

/// The error in a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message says it")]
pub enum Problem {
    #[error("unknown field")]
    UnknownField,
    #[error("is not {wanted}")]
    WrongType { wanted: &'static str },
    #[error("is empty or null")]
    Empty,
    #[error("this kind of service discovery is not supported, use another kind: {kind}")]
    NotServed { kind: &'static str },
    #[error("job_name is taken by an earlier job: {0:?}")]
    DuplicateJob(String),
    #[error("unknown relabel action: {0:?}")]
    UnknownAction(String),
    #[error("unknown validation scheme, use utf8 or legacy: {0:?}")]
    UnknownNameValidation(String),
    #[error("label name is empty")]
    EmptyLabelName,
    #[error("this relabel action takes no source_labels")]
    NoSourceLabels,
    #[error(transparent)]
    Duration(#[from] DurationError),
    #[error(transparent)]
    Size(#[from] SizeError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A rule of Prometheus that a value breaks. Each part of a scrape config has its own error type.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct Refusal(Arc<dyn Error + Send + Sync>);

impl Refusal {
    /// A refusal with this error as its reason.
    pub fn new(reason: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(reason))
    }
}

impl PartialEq for Refusal {
    fn eq(&self, other: &Self) -> bool {
        chain(&*self.0) == chain(&*other.0)
    }
}

impl Eq for Refusal {}

/// The unknown fields that were found, for the report.
pub type Unknown = RefCell<Vec<UnknownKey>>;

/// A value with its path.
#[derive(Clone)]
pub struct Node<'a> {
    value: &'a Value,
    path: String,
    /// The list for unknown fields. Without it, unknown fields are errors.
    unknown: Option<&'a Unknown>,
}

/// A map whose fields are read one by one.
pub struct Fields<'a> {
    map: Option<&'a Map<String, Value>>,
    path: String,
    known: Vec<&'static str>,
    /// Fields that are accepted but have no effect.
    without_effect: Vec<&'a str>,
    unknown: Option<&'a Unknown>,
}

impl<'a> Node<'a> {
    /// The value at the start of a path. Unknown fields are errors.
    pub fn root(value: &'a Value, path: &str) -> Self {
        Self { value, path: path.to_owned(), unknown: None }
    }

    /// The value at the start of a path. Unknown fields are collected in `unknown`, and otherwise ignored.
    pub fn collecting(value: &'a Value, path: &str, unknown: &'a Unknown) -> Self {
        Self { value, path: path.to_owned(), unknown: Some(unknown) }
    }

    /// A value inside this value.
    fn child(&self, value: &'a Value, path: String) -> Self {
        Self { value, path, unknown: self.unknown }
    }

    /// This value, but unknown fields are errors.
    pub fn strict(&self) -> Self {
        Self { unknown: None, ..self.clone() }
    }

    /// An error about this value.
    pub fn error(&self, problem: impl Into<Problem>) -> ParseError {
        ParseError { path: self.path.clone(), problem: problem.into() }
    }

    /// An error about this value, with the rule of Prometheus that it breaks.
    pub fn refused(&self, reason: impl Error + Send + Sync + 'static) -> ParseError {
        self.error(Problem::Refused(Refusal::new(reason)))
    }

    /// Whether the value is null.
    pub fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// The value itself.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// The entry `name` of a map. `None` for other values, and if the map has no such entry.
    pub fn get(&self, name: &str) -> Option<Node<'a>> {
        self.value.get(name).map(|value| self.child(value, format!("{}.{name}", self.path)))
    }

    /// The fields of a map. Null is an empty map.
    pub fn fields(&self) -> Result<Fields<'a>> {
        let map = match self.value {
            Value::Null => None,
            Value::Object(map) => Some(map),
            _ => return Err(self.error(Problem::WrongType { wanted: "a map" })),
        };
        let (known, without_effect) = (Vec::new(), Vec::new());
        Ok(Fields { map, path: self.path.clone(), known, without_effect, unknown: self.unknown })
    }

    /// The entries of a list. Null is an empty list.
    pub fn list(&self) -> Result<Vec<Node<'a>>> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Array(list) => {
                let node = |(at, value)| self.child(value, format!("{}[{at}]", self.path));
                Ok(list.iter().enumerate().map(node).collect())
            }
            _ => Err(self.error(Problem::WrongType { wanted: "a list" })),
        }
    }

    /// The entries of a map with arbitrary names. Null is an empty map.
    pub fn entries(&self) -> Result<Vec<(&'a str, Node<'a>)>> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Object(map) => {
                let node = |(name, value): (&'a String, _)| {
                    (name.as_str(), self.child(value, format!("{}.{name}", self.path)))
                };
                Ok(map.iter().map(node).collect())
            }
            _ => Err(self.error(Problem::WrongType { wanted: "a map" })),
        }
    }

    /// A text. Null is the empty text.
    pub fn string(&self) -> Result<String> {
        match self.value {
            Value::Array(_) | Value::Object(_) => Err(self.error(Problem::WrongType { wanted: "a text" })),
            scalar => Ok(to_text(scalar).into_owned()),
        }
    }

    /// A list of texts.
    pub fn strings(&self) -> Result<Vec<String>> {
        self.list()?.iter().map(Self::string).collect()
    }

    /// A map of texts by name.
    pub fn string_map(&self) -> Result<BTreeMap<String, String>> {
        self.entries()?.into_iter().map(|(name, value)| Ok((name.to_owned(), value.string()?))).collect()
    }

    /// A boolean. Null is false.
    pub fn boolean(&self) -> Result<bool> {
        match self.value {
            Value::Null => Ok(false),
            Value::Bool(value) => Ok(*value),
            _ => Err(self.error(Problem::WrongType { wanted: "true or false" })),
        }
    }

    /// A whole number that is not negative. A fraction is truncated.
    pub fn unsigned(&self) -> Result<u64> {
        let error = || self.error(Problem::WrongType { wanted: "a whole number that is not negative" });
        match self.value {
            Value::Null => Ok(0),
            Value::Number(number) => number
                .as_u64()
                .or_else(|| number.as_f64().filter(|_| number.is_f64()).and_then(whole_unsigned))
                .ok_or_else(error),
            _ => Err(error()),
        }
    }

    /// A whole number. A fraction is truncated.
    pub fn signed(&self) -> Result<i64> {
        let error = || self.error(Problem::WrongType { wanted: "a whole number" });
        match self.value {
            Value::Null => Ok(0),
            Value::Number(number) => number
                .as_i64()
                .or_else(|| number.as_f64().filter(|_| number.is_f64()).and_then(whole_signed))
                .ok_or_else(error),
            _ => Err(error()),
        }
    }

    /// A number.
    pub fn float(&self) -> Result<f64> {
        match self.value {
            Value::Null => Ok(0.0),
            Value::Number(number) => Ok(number.as_f64().unwrap_or_default()),
            _ => Err(self.error(Problem::WrongType { wanted: "a number" })),
        }
    }

    /// A duration. Null is zero.
    pub fn duration(&self) -> Result<Duration> {
        if self.is_null() {
            return Ok(Duration::default());
        }
        self.string()?.parse().map_err(|error| self.error(Problem::Duration(error)))
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within range")]
fn whole_unsigned(value: f64) -> Option<u64> {
    (value > -1.0 && value < 18_446_744_073_709_551_616.0).then_some(value as u64)
}

#[allow(clippy::cast_possible_truncation, reason = "checked to be within range")]
fn whole_signed(value: f64) -> Option<i64> {
    (value.abs() < 9_223_372_036_854_775_808.0).then_some(value as i64)
}

impl<'a> Fields<'a> {
    /// The value of a field, if the field is present.
    pub fn get(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.known.push(name);
        let value = self.map?.get(name)?;
        Some(Node { value, path: format!("{}.{name}", self.path), unknown: self.unknown })
    }

    /// The value of a field, if the field is present and not null.
    pub fn given(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.get(name).filter(|node| !node.is_null())
    }

    /// Reads a field into `place`, if the field is present.
    pub fn read<T>(&mut self, name: &'static str, place: &mut T, read: fn(&Node<'a>) -> Result<T>) -> Result<()> {
        if let Some(node) = self.get(name) {
            *place = read(&node)?;
        }
        Ok(())
    }

    /// Reads a text field.
    pub fn string(&mut self, name: &'static str, place: &mut String) -> Result<()> {
        self.read(name, place, Node::string)
    }

    /// Reads a field with a secret.
    pub fn secret(&mut self, name: &'static str, place: &mut Secret) -> Result<()> {
        self.read(name, place, |node| node.string().map(Secret::from))
    }

    /// Accepts a field without reading it.
    pub fn allow(&mut self, name: &'a str) {
        self.without_effect.push(name);
    }

    /// An error about the map.
    pub fn error(&self, problem: impl Into<Problem>) -> ParseError {
        ParseError { path: self.path.clone(), problem: problem.into() }
    }

    /// An error about the map, with the rule of Prometheus that it breaks.
    pub fn refused(&self, reason: impl Error + Send + Sync + 'static) -> ParseError {
        self.error(Problem::Refused(Refusal::new(reason)))
    }

    /// Rejects or collects all fields that were not read.
    pub fn finish(self) -> Result<()> {
        let Self { map, path, known, without_effect, unknown } = self;
        let names = map.into_iter().flat_map(Map::keys).map(String::as_str);
        for name in names.filter(|name| !known.contains(name) && !without_effect.contains(name)) {
            let Some(unknown) = unknown else {
                return Err(ParseError { path: format!("{path}.{name}"), problem: Problem::UnknownField });
            };
            unknown.borrow_mut().push(UnknownKey::new(&path, name, &known));
        }
        Ok(())
    }
}
