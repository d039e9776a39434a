//! Label selectors and field selectors of Kubernetes.
//!
//! Input: the structured form of manifests ([`LabelSelector`], which `objects` contains), or the text forms of
//! `labels.Parse` and `fields.ParseSelector`. Output: checked selectors that match objects and print in canonical form.
//! The caller decides whether an absent selector selects everything or nothing.

mod field;
mod gap;
mod label;
mod text;

use std::fmt;
use std::str::FromStr;

pub use field::{FieldSelector, FieldSelectorError, Selectable};
pub use gap::Gap;
pub use label::{Requirement, Test};

use crate::objects::TextMap;
pub use crate::objects::{LabelSelector, LabelSelectorRequirement};

/// A checked label selector. All requirements must match. Without requirements, it matches every object.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// The reason why a label selector is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// A key is not a label key.
    #[error("key is not a label key, {reason}: {key:?}")]
    Key {
        /// The key.
        key: String,
        /// The rule that the key breaks.
        reason: &'static str,
    },
    /// A value is not a label value.
    #[error("value of {key:?} is not a label value, {reason}: {value:?}")]
    Value {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// The rule that the value breaks.
        reason: &'static str,
    },
    /// `In` or `NotIn` without values.
    #[error("values must not be empty with the operators In and NotIn, key: {0:?}")]
    ValuesMissing(String),
    /// `Exists` or `DoesNotExist` with values.
    #[error("values must be empty with the operators Exists and DoesNotExist, key: {0:?}")]
    ValuesGiven(String),
    /// `>` or `<` with a value that is not an integer.
    #[error("value of {key:?} must be an integer with the operators > and <: {value:?}")]
    NotAnInteger {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// An operator that does not exist.
    #[error("operator must be one of In, NotIn, Exists, DoesNotExist: {0:?}")]
    Operator(String),
    /// The text cannot be parsed.
    #[error("selector cannot be read, expected {expected}, found: {found:?}")]
    Syntax {
        /// The expected tokens.
        expected: &'static str,
        /// The token that was found.
        found: String,
    },
}

impl Selector {
    /// A selector of these requirements, sorted by key as in the canonical form.
    #[must_use]
    pub fn new(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|one, other| one.key().cmp(other.key()));
        Self { requirements }
    }

    /// The requirements, sorted by key.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether the selector has no requirements, and matches every object.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// The requirements that `labels` do not match, each with the label that was found. Empty if [`Selector::matches`].
    #[must_use]
    pub fn gaps(&self, labels: &TextMap) -> Vec<Gap> {
        let missed = self.requirements.iter().filter(|requirement| !requirement.matches(labels));
        missed.map(|requirement| Gap::new(requirement, labels)).collect()
    }

    /// Whether the labels match every requirement.
    #[must_use]
    pub fn matches(&self, labels: &TextMap) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(labels))
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        text::parse(text).map(Self::new)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, requirement) in self.requirements.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}
