//! Label selectors in `targetallocator.yaml`.
//!
//! Follows `MapToLabelSelector` of the operator. Keys are in lower case (`matchlabels`) or camel case (`matchLabels`),
//! and camel case wins. Scalars are accepted as texts.
//! DIFFERENCE(selector-field): an unknown field is an error. The operator ignores it, and a selector without
//! requirements selects everything.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Map, Value};

use crate::selector::{LabelSelector, LabelSelectorRequirement};
use crate::similar::similar;
use crate::yaml::to_text;

/// A label selector in the config file.
#[derive(Debug)]
pub(super) struct Selector(pub(super) LabelSelector);

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(&Value::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

/// The reason why a selector cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Malformed {
    #[error("a selector is a map such as {{matchlabels: {{app: web}}}}, found: {0}")]
    NotASelector(String),
    #[error("unknown field {key}, did you mean {lower} or {camel}")]
    OtherSpelling { key: String, lower: &'static str, camel: &'static str },
    #[error("unknown field {0}, write labels under matchlabels, as in {{matchlabels: {{{0}: ...}}}}")]
    PlainMap(String),
    #[error("{place}: unknown field {key}, did you mean {similar}")]
    OtherField { place: String, key: String, similar: &'static str },
    #[error("{place}: unknown field {key}, an expression has key, operator and values")]
    UnknownField { place: String, key: String },
    #[error("{place}: is not {wanted}: {found}")]
    WrongType { place: String, wanted: &'static str, found: String },
}

/// The two fields of a selector, in both spellings.
const LABELS: (&str, &str) = ("matchlabels", "matchLabels");
const EXPRESSIONS: (&str, &str) = ("matchexpressions", "matchExpressions");

fn read(value: &Value) -> Result<LabelSelector, Malformed> {
    let Value::Object(fields) = value else { return Err(Malformed::NotASelector(value.to_string())) };
    if let Some(key) = fields.keys().find(|key| ![LABELS, EXPRESSIONS].iter().any(|(l, c)| key == l || key == c)) {
        return Err(unknown_field(key));
    }
    let get = |(lower, camel): (&'static str, &'static str)| fields.get(camel).or_else(|| fields.get(lower));
    Ok(LabelSelector {
        match_labels: get(LABELS).map(read_labels).transpose()?.unwrap_or_default(),
        match_expressions: get(EXPRESSIONS).map(read_expressions).transpose()?.unwrap_or_default(),
    })
}

fn unknown_field(key: &str) -> Malformed {
    match similar(key, &[LABELS.0, EXPRESSIONS.0]) {
        Some(found) => {
            let (lower, camel) = if found == LABELS.0 { LABELS } else { EXPRESSIONS };
            Malformed::OtherSpelling { key: key.to_owned(), lower, camel }
        }
        None => Malformed::PlainMap(key.to_owned()),
    }
}

fn read_labels(value: &Value) -> Result<BTreeMap<String, String>, Malformed> {
    match value {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(labels) => {
            let label =
                |(key, value): (&String, &Value)| Ok((key.clone(), read_text(value, &format!("{}.{key}", LABELS.0))?));
            labels.iter().map(label).collect()
        }
        _ => Err(wrong_type(LABELS.0, "a map of labels", value)),
    }
}

fn read_expressions(value: &Value) -> Result<Vec<LabelSelectorRequirement>, Malformed> {
    let expressions = read_list(value, EXPRESSIONS.0)?;
    expressions.iter().enumerate().map(|(at, value)| read_expression(value, at)).collect()
}

fn read_expression(value: &Value, at: usize) -> Result<LabelSelectorRequirement, Malformed> {
    const FIELDS: [&str; 3] = ["key", "operator", "values"];
    let place = format!("{}[{at}]", EXPRESSIONS.0);
    let Value::Object(fields) = value else { return Err(wrong_type(&place, "a map", value)) };
    if let Some(key) = fields.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        let key = key.clone();
        return Err(match similar(&key, &FIELDS) {
            Some(similar) => Malformed::OtherField { place, key, similar },
            None => Malformed::UnknownField { place, key },
        });
    }
    Ok(LabelSelectorRequirement {
        key: read_field(fields, "key", &place)?,
        operator: read_field(fields, "operator", &place)?,
        values: read_values(fields.get("values").unwrap_or(&Value::Null), &format!("{place}.values"))?,
    })
}

fn read_field(fields: &Map<String, Value>, name: &str, place: &str) -> Result<String, Malformed> {
    read_text(fields.get(name).unwrap_or(&Value::Null), &format!("{place}.{name}"))
}

fn read_values(value: &Value, place: &str) -> Result<Vec<String>, Malformed> {
    read_list(value, place)?.iter().map(|value| read_text(value, place)).collect()
}

fn read_list<'a>(value: &'a Value, place: &str) -> Result<&'a [Value], Malformed> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(list) => Ok(list),
        _ => Err(wrong_type(place, "a list", value)),
    }
}

/// A scalar as `yaml.v2` parses it into a text. Null is empty.
fn read_text(value: &Value, place: &str) -> Result<String, Malformed> {
    match value {
        Value::Array(_) | Value::Object(_) => Err(wrong_type(place, "a text", value)),
        scalar => Ok(to_text(scalar).into_owned()),
    }
}

fn wrong_type(place: &str, wanted: &'static str, value: &Value) -> Malformed {
    Malformed::WrongType { place: place.to_owned(), wanted, found: value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_read_as_the_operator_reads_them() {
        let cases = [
            ("{}", ""),
            ("{matchlabels: {app: a, tier: b}}", "app=a,tier=b"),
            ("{matchLabels: {app: a}}", "app=a"),
            ("{matchLabels: {app: camel}, matchlabels: {app: lower}}", "app=camel"),
            ("{matchlabels: {release: 5, on: true}}", "release=5,true=true"),
            ("{matchlabels: {a: 010, b: 1.50, c: null, d: yes}}", "a=8,b=1.5,c=,d=true"),
            ("{matchlabels: null, matchexpressions: null}", ""),
            ("{matchexpressions: [{key: a, operator: In, values: [5, off]}]}", "a in (5,false)"),
            ("{matchExpressions: [{key: a, operator: Exists, values: null}]}", "a"),
        ];
        for (text, expected) in cases {
            let selector = read(&crate::yaml::parse(text).unwrap()).unwrap();
            assert_eq!(selector.selector().unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn unknown_fields_are_refused_because_ignoring_them_selects_everything() {
        let cases = [
            ("{matchlabel: {app: a}}", "unknown field matchlabel, did you mean matchlabels or matchLabels"),
            ("{match_labels: {app: a}}", "unknown field match_labels, did you mean matchlabels or matchLabels"),
            ("{MatchLabels: {app: a}}", "unknown field MatchLabels, did you mean matchlabels or matchLabels"),
            (
                "{matchExpression: []}",
                "unknown field matchExpression, did you mean matchexpressions or matchExpressions",
            ),
            ("{app: a}", "unknown field app, write labels under matchlabels, as in {matchlabels: {app: ...}}"),
            ("[]", "a selector is a map such as {matchlabels: {app: web}}, found: []"),
            ("app=a", "a selector is a map such as {matchlabels: {app: web}}, found: \"app=a\""),
            ("{matchlabels: [app]}", "matchlabels: is not a map of labels: [\"app\"]"),
            ("{matchlabels: {app: [a]}}", "matchlabels.app: is not a text: [\"a\"]"),
            (
                "{matchexpressions: [{key: a, op: In}]}",
                "matchexpressions[0]: unknown field op, an expression has key, operator and values",
            ),
            (
                "{matchexpressions: [{key: a, operator: In, value: [b]}]}",
                "matchexpressions[0]: unknown field value, did you mean values",
            ),
            ("{matchexpressions: [null]}", "matchexpressions[0]: is not a map: null"),
            ("{matchexpressions: {key: a}}", "matchexpressions: is not a list: {\"key\":\"a\"}"),
            (
                "{matchexpressions: [{key: a, operator: In, values: b}]}",
                "matchexpressions[0].values: is not a list: \"b\"",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(&crate::yaml::parse(text).unwrap()).unwrap_err().to_string(), expected, "{text}");
        }
    }
}
