//! A requirement that an object does not match, and the label that was found instead.

use std::fmt;

use serde::Serialize;

use super::{Requirement, Test};
use crate::objects::TextMap;

/// A requirement that labels do not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The requirement in text form: `app=web`.
    pub wanted: String,
    /// The label that was found, such as `app=website`, or a note that it is absent.
    pub found: String,
    /// A label with the required value under another key. People often confuse `app` with `app.kubernetes.io/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similar: Option<String>,
}

impl Gap {
    pub(super) fn new(requirement: &Requirement, labels: &TextMap) -> Self {
        let key = requirement.key();
        let found = match labels.get(key) {
            Some(value) => format!("{key}={value}"),
            None => format!("no label {key}"),
        };
        let wanted_values: &[String] = match requirement.test() {
            Test::Equals(value) | Test::DoubleEquals(value) => std::slice::from_ref(value),
            Test::In(values) => values,
            _ => &[],
        };
        let similar =
            labels.iter().find(|(other, value)| *other != key && wanted_values.iter().any(|wanted| wanted == value));
        let similar = similar.map(|(key, value)| format!("{key}={value}"));
        Self { wanted: requirement.to_string(), found, similar }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, found, similar } = self;
        write!(f, "{wanted} required, {found} found")?;
        match similar {
            Some(similar) => write!(f, ", but {similar}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Selector;

    #[test]
    fn a_gap_shows_the_requirement_and_the_label_that_was_found() {
        let labels = [("app", "website"), ("tier", "web"), ("n", "1")].into_iter().collect();
        let cases = [
            ("app=website,tier in (web,api)", vec![]),
            ("app=web", vec!["app=web required, app=website found, but tier=web"]),
            ("app!=website", vec!["app!=website required, app=website found"]),
            ("track", vec!["track required, no label track found"]),
            ("!n,x=1", vec!["!n required, n=1 found", "x=1 required, no label x found, but n=1"]),
        ];
        for (selector, expected) in cases {
            let selector: Selector = selector.parse().unwrap();
            let gaps: Vec<_> = selector.gaps(&labels).iter().map(ToString::to_string).collect();
            assert_eq!(gaps, expected, "{selector}");
            assert_eq!(gaps.is_empty(), selector.matches(&labels), "{selector}");
        }
    }
}
