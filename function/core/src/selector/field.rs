//! Field selectors: `metadata.name=x,status.phase!=Running`.
//!
//! Field selectors have only a text form. The selectable fields differ from kind to kind. A field that the API server
//! rejects is rejected here, and the error names the field.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::objects::{EndpointSlice, Endpoints, Ingress, Node, Object, Pod, Service};

/// A field selector. All terms must match. Without terms, it matches every object.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldSelector {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Term {
    field: String,
    equal: bool,
    value: String,
}

/// The reason why a field selector is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldSelectorError {
    /// A term without an operator.
    #[error("field selector must be terms of the form field=value, field==value or field!=value: {0:?}")]
    Term(String),
    /// A backslash before a character that cannot be escaped.
    #[error("field selector holds a backslash that escapes none of '\\', ',', '=': {0:?}")]
    Escape(String),
    /// An unescaped equals sign in a value.
    #[error("field selector holds an '=' within a value, write '\\=': {0:?}")]
    Unescaped(String),
    /// The kind has no such selectable field.
    #[error("field selector names a field that {kind} objects cannot be selected by, use one of {known}: {field:?}")]
    Field {
        /// The kind of the objects.
        kind: &'static str,
        /// The selectable fields of the kind.
        known: String,
        /// The field.
        field: String,
    },
}

/// A kind of object with selectable fields.
pub trait Selectable: Object {
    /// The selectable fields, besides `metadata.name` and `metadata.namespace`.
    const FIELDS: &'static [&'static str];

    /// Whether the kind is namespaced. If so, `metadata.namespace` is selectable.
    const NAMESPACED: bool = true;

    /// The value of one of [`Selectable::FIELDS`].
    fn field(&self, name: &str) -> Cow<'_, str>;
}

impl FieldSelector {
    /// Whether the selector has no terms, and matches every object.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Checks that each field of the selector is selectable for a kind.
    ///
    /// # Errors
    /// The first field that is not selectable. An API server would reject the request.
    pub fn check<T: Selectable>(&self) -> Result<(), FieldSelectorError> {
        let metadata: &[&str] =
            if T::NAMESPACED { &["metadata.name", "metadata.namespace"] } else { &["metadata.name"] };
        for Term { field, .. } in &self.terms {
            if !metadata.iter().chain(T::FIELDS).any(|known| known == field) {
                let known = [metadata, T::FIELDS].concat().join(", ");
                return Err(FieldSelectorError::Field { kind: T::KIND, known, field: field.clone() });
            }
        }
        Ok(())
    }

    /// Whether the fields of an object match every term.
    #[must_use]
    pub fn matches<T: Selectable>(&self, object: &T) -> bool {
        self.terms.iter().all(|Term { field, equal, value }| {
            let held = match field.as_str() {
                "metadata.name" => Cow::Borrowed(object.metadata().name.as_str()),
                "metadata.namespace" => Cow::Borrowed(object.metadata().namespace.as_str()),
                _ => object.field(field),
            };
            (held == *value) == *equal
        })
    }
}

impl FromStr for FieldSelector {
    type Err = FieldSelectorError;

    fn from_str(text: &str) -> Result<Self, FieldSelectorError> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let mut terms = Vec::new();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let Some((at, operator)) = first_operator(part) else {
                return Err(FieldSelectorError::Term(part.to_owned()));
            };
            let field = part[..at].to_owned();
            let value = unescape(&part[at + operator.len()..])?;
            if !(field.is_empty() && value.is_empty()) {
                terms.push(Term { field, equal: operator != "!=", value });
            }
        }
        Ok(Self { terms })
    }
}

/// Splits a text at commas that are not escaped with a backslash.
fn split_terms(text: &str) -> Vec<&str> {
    let mut escaped = false;
    text.split(|c| {
        let splits = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        splits
    })
    .collect()
}

/// The first operator with its position. A `!` without a following `=` is not an operator.
fn first_operator(part: &str) -> Option<(usize, &'static str)> {
    part.char_indices().find_map(|(at, _)| {
        ["!=", "==", "="].into_iter().find(|operator| part[at..].starts_with(operator)).map(|operator| (at, operator))
    })
}

fn unescape(text: &str) -> Result<String, FieldSelectorError> {
    let mut value = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped @ ('\\' | ',' | '=')) => value.push(escaped),
                _ => return Err(FieldSelectorError::Escape(text.to_owned())),
            },
            '=' => return Err(FieldSelectorError::Unescaped(text.to_owned())),
            _ => value.push(character),
        }
    }
    Ok(value)
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Term { field, equal, value }) in self.terms.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=");
            let (comma, operator) = (if at > 0 { "," } else { "" }, if *equal { "=" } else { "!=" });
            write!(f, "{comma}{field}{operator}{value}")?;
        }
        Ok(())
    }
}

/// A boolean in the notation of Go.
const fn truth(value: bool) -> Cow<'static, str> {
    Cow::Borrowed(if value { "true" } else { "false" })
}

impl Selectable for Pod {
    const FIELDS: &'static [&'static str] = &[
        "spec.host",
        "spec.hostNetwork",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.nominatedNodeName",
        "status.phase",
        "status.podIP",
        "status.podIPs",
    ];

    fn field(&self, name: &str) -> Cow<'_, str> {
        let Self { metadata: _, spec, status } = self;
        match name {
            "spec.hostNetwork" => truth(spec.host_network),
            "spec.host" | "spec.nodeName" => Cow::Borrowed(&spec.node_name),
            "spec.restartPolicy" => Cow::Borrowed(&spec.restart_policy),
            "spec.schedulerName" => Cow::Borrowed(&spec.scheduler_name),
            "spec.serviceAccountName" => Cow::Borrowed(&spec.service_account_name),
            "status.nominatedNodeName" => Cow::Borrowed(&status.nominated_node_name),
            "status.phase" => Cow::Borrowed(&status.phase),
            "status.podIP" if status.pod_ip.is_empty() => {
                Cow::Borrowed(status.pod_ips.first().map_or("", |address| address.ip.as_str()))
            }
            "status.podIP" => Cow::Borrowed(&status.pod_ip),
            // The API server accepts `status.podIPs`, but the value is empty for every pod.
            _ => Cow::Borrowed(""),
        }
    }
}

impl Selectable for Service {
    const FIELDS: &'static [&'static str] = &["spec.clusterIP", "spec.type"];

    fn field(&self, name: &str) -> Cow<'_, str> {
        Cow::Borrowed(if name == "spec.type" { &self.spec.r#type } else { &self.spec.cluster_ip })
    }
}

impl Selectable for Node {
    const FIELDS: &'static [&'static str] = &["spec.unschedulable"];
    const NAMESPACED: bool = false;

    fn field(&self, _: &str) -> Cow<'_, str> {
        truth(self.spec.unschedulable)
    }
}

/// Implements [`Selectable`] for kinds without selectable fields of their own.
macro_rules! selectable_by_metadata {
    ($($type:ty),+) => {
        $(impl Selectable for $type {
            const FIELDS: &'static [&'static str] = &[];

            fn field(&self, _: &str) -> Cow<'_, str> {
                Cow::Borrowed("")
            }
        })+
    };
}
selectable_by_metadata!(EndpointSlice, Endpoints, Ingress);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_parsed_and_printed_as_in_kubernetes() {
        let cases: &[(&str, Result<&str, ()>)] = &[
            ("", Ok("")),
            (",,", Ok("")),
            ("=", Ok("")),
            ("b=2,a==1", Ok("a=1,b=2")),
            ("a!=1", Ok("a!=1")),
            ("a=", Ok("a=")),
            ("=a", Ok("=a")),
            ("a = 1", Ok("a = 1")),
            (r"a=x\,y\=z\\", Ok(r"a=x\,y\=z\\")),
            ("a!b=c", Ok("a!b=c")),
            ("a", Err(())),
            ("a!", Err(())),
            ("a=b=c", Err(())),
            ("a===b", Err(())),
            (r"a=\x", Err(())),
            (r"a=\", Err(())),
        ];
        for (text, expected) in cases {
            let got = text.parse::<FieldSelector>().map(|selector| selector.to_string()).map_err(|_| ());
            assert_eq!(got.as_deref(), expected.as_deref(), "{text:?}");
        }
    }

    #[test]
    fn pods_are_selected_by_their_fields() {
        let pod: Pod = serde_json::from_str(
            r#"{"metadata": {"namespace": "shop", "name": "api"},
                "spec": {"nodeName": "n1", "restartPolicy": "Never", "serviceAccountName": "sa"},
                "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "::1"}]}}"#,
        )
        .unwrap();
        let cases = [
            ("", true),
            ("metadata.name=api,metadata.namespace=shop", true),
            ("metadata.name!=api", false),
            ("spec.nodeName=n1", true),
            ("spec.host=n1", true),
            ("spec.hostNetwork=false", true),
            ("spec.restartPolicy=Never", true),
            ("spec.schedulerName=", true),
            ("spec.serviceAccountName=sa", true),
            ("status.phase!=Running", false),
            ("status.podIP=10.0.0.1", true),
            ("status.podIPs=10.0.0.1", false),
            ("status.nominatedNodeName=", true),
        ];
        for (text, expected) in cases {
            let selector: FieldSelector = text.parse().unwrap();
            selector.check::<Pod>().unwrap();
            assert_eq!(selector.matches(&pod), expected, "{text}");
        }
    }

    #[test]
    fn a_field_that_a_kind_cannot_be_selected_by_is_named() {
        let selector: FieldSelector = "spec.replicas=1".parse().unwrap();
        let error = selector.check::<Service>().unwrap_err().to_string();
        assert!(error.contains("Service") && error.ends_with("\"spec.replicas\""), "{error}");
        let selector: FieldSelector = "metadata.namespace=a".parse().unwrap();
        assert!(selector.check::<Node>().is_err());
        assert!(selector.check::<EndpointSlice>().is_ok());
    }
}
