//! Requirements on labels, and the conversion from the structured form of manifests.

use std::fmt;

use super::{Selector, SelectorError};
use crate::objects::{LabelSelector, LabelSelectorRequirement, TextMap};

impl LabelSelector {
    /// Checks the selector as the API machinery of Kubernetes does.
    ///
    /// # Errors
    /// The first invalid requirement. `matchLabels` is checked before `matchExpressions`.
    pub fn selector(&self) -> Result<Selector, SelectorError> {
        let labels = self.match_labels.iter().map(|(key, value)| Requirement::new(key, Test::Equals(value.clone())));
        let expressions = self.match_expressions.iter().map(LabelSelectorRequirement::requirement);
        Ok(Selector::new(labels.chain(expressions).collect::<Result<_, _>>()?))
    }
}

impl LabelSelectorRequirement {
    fn requirement(&self) -> Result<Requirement, SelectorError> {
        let Self { key, operator, values } = self;
        let test = match operator.as_str() {
            "In" => Test::In(values.clone()),
            "NotIn" => Test::NotIn(values.clone()),
            "Exists" | "DoesNotExist" if !values.is_empty() => return Err(SelectorError::ValuesGiven(key.clone())),
            "Exists" => Test::Exists,
            "DoesNotExist" => Test::DoesNotExist,
            _ => return Err(SelectorError::Operator(operator.clone())),
        };
        Requirement::new(key, test)
    }
}

/// A requirement on the label with one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    key: String,
    test: Test,
}

/// The condition of a requirement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Test {
    /// `key=value`.
    Equals(String),
    /// `key==value`: equals `key=value`, but is printed as it was written.
    DoubleEquals(String),
    /// `key!=value`: also matches if the label is absent.
    NotEquals(String),
    /// `key in (values)`.
    In(Vec<String>),
    /// `key notin (values)`: also matches if the label is absent.
    NotIn(Vec<String>),
    /// `key`.
    Exists,
    /// `!key`.
    DoesNotExist,
    /// `key>value`, both integers.
    GreaterThan(String),
    /// `key<value`, both integers.
    LessThan(String),
}

impl Requirement {
    /// A requirement with a checked key and checked values.
    ///
    /// # Errors
    /// The first rule of the API machinery that the requirement breaks.
    pub fn new(key: &str, test: Test) -> Result<Self, SelectorError> {
        check_key(key)?;
        let values = test.values();
        match test {
            Test::In(_) | Test::NotIn(_) if values.is_empty() => {
                return Err(SelectorError::ValuesMissing(key.to_owned()));
            }
            Test::GreaterThan(ref value) | Test::LessThan(ref value) if value.parse::<i64>().is_err() => {
                return Err(SelectorError::NotAnInteger { key: key.to_owned(), value: value.clone() });
            }
            _ => {}
        }
        for value in values {
            check_value(key, value)?;
        }
        Ok(Self { key: key.to_owned(), test })
    }

    /// The key of the label.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The condition of the requirement.
    #[must_use]
    pub const fn test(&self) -> &Test {
        &self.test
    }

    /// Whether the labels match the requirement.
    #[must_use]
    pub fn matches(&self, labels: &TextMap) -> bool {
        let value = labels.get(&self.key);
        match &self.test {
            Test::Equals(wanted) | Test::DoubleEquals(wanted) => value == Some(wanted.as_str()),
            Test::NotEquals(unwanted) => value != Some(unwanted.as_str()),
            Test::In(wanted) => value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value)),
            Test::NotIn(unwanted) => value.is_none_or(|value| unwanted.iter().all(|unwanted| unwanted != value)),
            Test::Exists => value.is_some(),
            Test::DoesNotExist => value.is_none(),
            Test::GreaterThan(limit) => compare(value, limit).is_some_and(std::cmp::Ordering::is_gt),
            Test::LessThan(limit) => compare(value, limit).is_some_and(std::cmp::Ordering::is_lt),
        }
    }
}

fn compare(value: Option<&str>, limit: &str) -> Option<std::cmp::Ordering> {
    let value: i64 = value?.parse().ok()?;
    Some(value.cmp(&limit.parse().ok()?))
}

impl Test {
    fn values(&self) -> &[String] {
        match self {
            Self::Equals(value)
            | Self::DoubleEquals(value)
            | Self::NotEquals(value)
            | Self::GreaterThan(value)
            | Self::LessThan(value) => std::slice::from_ref(value),
            Self::In(values) | Self::NotIn(values) => values,
            Self::Exists | Self::DoesNotExist => &[],
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.test {
            Test::Equals(value) => write!(f, "{key}={value}"),
            Test::DoubleEquals(value) => write!(f, "{key}=={value}"),
            Test::NotEquals(value) => write!(f, "{key}!={value}"),
            Test::In(values) => write!(f, "{key} in ({})", sorted(values).join(",")),
            Test::NotIn(values) => write!(f, "{key} notin ({})", sorted(values).join(",")),
            Test::Exists => f.write_str(key),
            Test::DoesNotExist => write!(f, "!{key}"),
            Test::GreaterThan(value) => write!(f, "{key}>{value}"),
            Test::LessThan(value) => write!(f, "{key}<{value}"),
        }
    }
}

fn sorted(values: &[String]) -> Vec<&str> {
    let mut values: Vec<&str> = values.iter().map(String::as_str).collect();
    values.sort_unstable();
    values
}

/// The maximum length of the name part of a key, and of a value.
const NAME_LIMIT: usize = 63;

/// The maximum length of the prefix of a key.
const PREFIX_LIMIT: usize = 253;

/// Checks a label key: `name` or `dns.prefix/name`.
fn check_key(key: &str) -> Result<(), SelectorError> {
    let refuse = |reason| Err(SelectorError::Key { key: key.to_owned(), reason });
    let name = match key.split_once('/') {
        None => key,
        Some((prefix, name)) => {
            if name.contains('/') {
                return refuse("it may hold one slash");
            }
            if prefix.len() > PREFIX_LIMIT || !prefix.split('.').all(is_dns_label) {
                return refuse("the part before the slash must be a DNS subdomain of at most 253 characters");
            }
            name
        }
    };
    if name.is_empty() || name.len() > NAME_LIMIT {
        return refuse("its name must have 1 to 63 characters");
    }
    if !is_name(name) {
        return refuse("its name must be of letters, digits, '-', '_', '.', and start and end with a letter or digit");
    }
    Ok(())
}

fn check_value(key: &str, value: &str) -> Result<(), SelectorError> {
    let refuse = |reason| Err(SelectorError::Value { key: key.to_owned(), value: value.to_owned(), reason });
    if value.len() > NAME_LIMIT {
        return refuse("it may have at most 63 characters");
    }
    if !value.is_empty() && !is_name(value) {
        return refuse("it must be of letters, digits, '-', '_', '.', and start and end with a letter or digit");
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().copied().all(inner)
}

fn is_dns_label(text: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
        && bytes.iter().all(|byte| alphanumeric(byte) || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structured_form_is_printed_as_in_the_operator() {
        let long = "a".repeat(63);
        let cases: &[(&str, Result<&str, &str>)] = &[
            ("{}", Ok("")),
            ("{matchLabels: null, matchExpressions: null}", Ok("")),
            (
                "{matchLabels: {tier: beta, k8s-app: team-a}, matchExpressions: [{key: team, operator: In, values: \
                 [team-b]}, {key: app.kubernetes.io/name, operator: Exists}]}",
                Ok("app.kubernetes.io/name,k8s-app=team-a,team in (team-b),tier=beta"),
            ),
            ("{matchExpressions: [{key: a, operator: NotIn, values: [z, b, b]}]}", Ok("a notin (b,b,z)")),
            ("{matchExpressions: [{key: a, operator: DoesNotExist, values: null}]}", Ok("!a")),
            ("{matchLabels: {a: ''}}", Ok("a=")),
            // One key occurs twice: `matchLabels` is printed before `matchExpressions`.
            ("{matchExpressions: [{key: a, operator: Exists}], matchLabels: {a: b}}", Ok("a=b,a")),
            ("{matchExpressions: [{key: a, operator: In}]}", Err("values must not be empty")),
            ("{matchExpressions: [{key: a, operator: NotIn, values: []}]}", Err("values must not be empty")),
            ("{matchExpressions: [{key: a, operator: Exists, values: [b]}]}", Err("values must be empty")),
            ("{matchExpressions: [{key: a, operator: DoesNotExist, values: [b]}]}", Err("values must be empty")),
            ("{matchExpressions: [{key: a, operator: in, values: [b]}]}", Err("operator must be one of")),
            ("{matchExpressions: [{key: a}]}", Err("operator must be one of")),
            ("{matchExpressions: [{operator: Exists}]}", Err("key is not a label key")),
            ("{matchLabels: {a/b/c: d}}", Err("one slash")),
            ("{matchLabels: {/b: d}}", Err("DNS subdomain")),
            ("{matchLabels: {A.io/b: d}}", Err("DNS subdomain")),
            ("{matchLabels: {a..io/b: d}}", Err("DNS subdomain")),
            ("{matchLabels: {a.io/: d}}", Err("1 to 63 characters")),
            ("{matchLabels: {_a: d}}", Err("start and end")),
            ("{matchLabels: {ä: d}}", Err("of letters")),
            ("{matchLabels: {a: b c}}", Err("value of \"a\"")),
            ("{matchLabels: {a: b-}}", Err("value of \"a\"")),
        ];
        for (manifest, expected) in cases {
            let selector: LabelSelector = serde_json::from_value(crate::yaml::parse(manifest).unwrap()).unwrap();
            match (selector.selector(), expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got.to_string(), *expected, "{manifest}"),
                (Err(got), Err(expected)) => assert!(got.to_string().contains(expected), "{manifest}: {got}"),
                (got, expected) => panic!("{manifest}: {got:?}, expected {expected:?}"),
            }
        }
        assert!(Requirement::new(&long, Test::Equals(long.clone())).is_ok());
        assert!(Requirement::new(&format!("{long}a"), Test::Exists).is_err());
        assert!(Requirement::new("a", Test::Equals(format!("{long}a"))).is_err());
        assert!(Requirement::new(&format!("{}/a", "a".repeat(254)), Test::Exists).is_err());
    }

    #[test]
    fn requirements_match_labels_as_in_kubernetes() {
        let labels: TextMap = [("app", "web"), ("empty", ""), ("n", "10"), ("word", "ten")].into_iter().collect();
        let cases: &[(&str, bool)] = &[
            ("", true),
            ("app=web", true),
            ("app==web", true),
            ("app=api", false),
            ("gone=web", false),
            ("gone=", false),
            ("empty=", true),
            ("empty", true),
            ("!empty", false),
            ("!gone", true),
            ("app!=web", false),
            ("app!=api", true),
            ("gone!=web", true),
            ("app in (api,web)", true),
            ("gone in (api,web)", false),
            ("app notin (api,web)", false),
            ("gone notin (api)", true),
            ("empty in ()", true),
            ("n>9", true),
            ("n>10", false),
            ("n<11", true),
            ("word>1", false),
            ("gone<1", false),
            ("app=web,n<11,!gone", true),
            ("app=web,gone", false),
        ];
        for (text, expected) in cases {
            let selector: Selector = text.parse().unwrap();
            assert_eq!(selector.matches(&labels), *expected, "{text}");
        }
    }
}
