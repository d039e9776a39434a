//! Lists of target groups as URLs answer them and files hold them.
//!
//! Input: JSON, or YAML of a file. Output: groups. As strict as Prometheus'
//! `discovery/targetgroup`: what it refuses is an error here, never fewer targets.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ExternalGroup, address_only};
use crate::scrape_config::parse::{self, ParseError};
use crate::scrape_config::service_discovery::StaticSd;
use crate::yaml::{self, YamlError};

/// Why a text is not a list of target groups.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message says it")]
pub enum GroupsError {
    #[error("not json")]
    Json(#[source] serde_json::Error),
    #[error(transparent)]
    Yaml(#[from] YamlError),
    #[error("not a list of target groups")]
    Parse(#[from] ParseError),
    #[error("not a list of target groups")]
    NoList,
    #[error("not a target group, which has targets and labels: [{0}]")]
    NoGroup(usize),
    #[error("unknown field in target group [{at}]: {field:?}")]
    UnknownField { at: usize, field: String },
    #[error("targets of target group [{0}] are not a list of texts")]
    Targets(usize),
    #[error("labels of target group [{0}] are not a map of texts")]
    Labels(usize),
    #[error("the last part of a path must end in .json, .yml or .yaml: {0:?}")]
    Ending(String),
}

/// Reads JSON. Each group also has the label `origin`; its source is the origin's value and a number.
pub(super) fn json(body: &[u8], origin: (&str, &str)) -> Result<Vec<ExternalGroup>, GroupsError> {
    // Go takes bytes that are no text for U+FFFD.
    let text = String::from_utf8_lossy(body);
    let groups = match serde_json::from_str(&text).map_err(GroupsError::Json)? {
        // What a Go server writes for a list that it never made.
        Value::Null => Vec::new(),
        Value::Array(groups) => groups,
        _ => return Err(GroupsError::NoList),
    };
    let read = |(at, group)| Ok(named(json_group(at, group)?, at, origin));
    groups.into_iter().enumerate().map(read).collect()
}

/// Reads the content of a file by the path's ending.
///
/// # Errors
/// When Prometheus would not take the file.
pub fn file(path: &str, content: &[u8]) -> Result<Vec<ExternalGroup>, GroupsError> {
    const FILEPATH: &str = "__meta_filepath";
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
    match ending.as_deref() {
        Some("json") => json(content, (FILEPATH, path)),
        Some("yml" | "yaml") => {
            let groups = parse::target_groups(&yaml::parse(&String::from_utf8_lossy(content))?)?;
            let read = |(at, group)| named(group, at, (FILEPATH, path));
            Ok(groups.into_iter().enumerate().map(read).collect())
        }
        _ => Err(GroupsError::Ending(path.to_owned())),
    }
}

fn named(group: StaticSd, at: usize, (label, origin): (&str, &str)) -> ExternalGroup {
    let StaticSd { targets, mut labels } = group;
    labels.insert(label.to_owned(), origin.to_owned());
    ExternalGroup { source: format!("{origin}:{at}"), labels, targets: targets.into_iter().map(address_only).collect() }
}

fn json_group(at: usize, group: Value) -> Result<StaticSd, GroupsError> {
    let Value::Object(fields) = group else { return Err(GroupsError::NoGroup(at)) };
    let mut read = StaticSd::default();
    for (field, value) in fields {
        // Go does not care for the case of a field.
        match field.to_lowercase().as_str() {
            "targets" => read.targets = texts(value).ok_or(GroupsError::Targets(at))?,
            "labels" => read.labels = text_map(value).ok_or(GroupsError::Labels(at))?,
            _ => return Err(GroupsError::UnknownField { at, field }),
        }
    }
    Ok(read)
}

fn texts(value: Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(values) => values.into_iter().map(text).collect(),
        _ => None,
    }
}

fn text_map(value: Value) -> Option<BTreeMap<String, String>> {
    match value {
        Value::Null => Some(BTreeMap::new()),
        Value::Object(fields) => {
            let entry = |(name, value): (String, Value)| (!name.is_empty()).then_some((name, text(value)?));
            fields.into_iter().map(entry).collect()
        }
        _ => None,
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: (&str, &str) = ("__meta_url", "http://sd/");

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_prometheus_takes_is_read_as_it_reads_it() {
        type Read = (&'static [&'static str], BTreeMap<String, String>);
        let url = map(&[("__meta_url", "http://sd/")]);
        let cases: [(&str, Vec<Read>); 7] = [
            ("[]", vec![]),
            ("null", vec![]),
            (" [ {} ] ", vec![(&[], url.clone())]),
            (r#"[{"targets":null,"labels":null}]"#, vec![(&[], url.clone())]),
            (r#"[{"targets":["a:1",null]}]"#, vec![(&["a:1", ""], url.clone())]),
            (r#"[{"Targets":["a:1"],"LABELS":{}}]"#, vec![(&["a:1"], url.clone())]),
            (
                r#"[{"targets":["a:1","b:2"],"labels":{"x":"","__meta_url":"own","é":null}}]"#,
                vec![(&["a:1", "b:2"], map(&[("x", ""), ("é", ""), ("__meta_url", "http://sd/")]))],
            ),
        ];
        for (body, expected) in cases {
            let groups = json(body.as_bytes(), URL).unwrap_or_else(|error| panic!("{body}: {error}"));
            let expected: Vec<_> = expected
                .into_iter()
                .enumerate()
                .map(|(at, (targets, labels))| ExternalGroup {
                    source: format!("http://sd/:{at}"),
                    labels,
                    targets: targets.iter().map(|target| map(&[("__address__", target)])).collect(),
                })
                .collect();
            assert_eq!(groups, expected, "{body}");
        }
    }

    #[test]
    fn what_prometheus_refuses_is_an_error() {
        let cases = [
            ("", "not json"),
            ("[", "not json"),
            ("[] []", "not json"),
            ("<html>", "not json"),
            ("{}", "not a list of target groups"),
            ("\"a\"", "not a list of target groups"),
            ("[null]", "not a target group, which has targets and labels: [0]"),
            (r#"[{"targets":[]},["a:1"]]"#, "not a target group, which has targets and labels: [1]"),
            (r#"[{"targets":[],"source":"x"}]"#, "unknown field in target group [0]: \"source\""),
            (r#"[{"targets":"a:1"}]"#, "targets of target group [0] are not a list of texts"),
            (r#"[{"targets":[1]}]"#, "targets of target group [0] are not a list of texts"),
            (r#"[{"labels":{"a":1}}]"#, "labels of target group [0] are not a map of texts"),
            (r#"[{"labels":{"":"a"}}]"#, "labels of target group [0] are not a map of texts"),
            (r#"[{"labels":[]}]"#, "labels of target group [0] are not a map of texts"),
        ];
        for (body, expected) in cases {
            assert_eq!(json(body.as_bytes(), URL).unwrap_err().to_string(), expected, "{body}");
        }
    }

    #[test]
    fn files_are_read_by_their_ending() {
        let one = |labels: &[(&str, &str)], path: &str, targets: &[&str]| {
            let mut labels = map(labels);
            labels.insert("__meta_filepath".to_owned(), path.to_owned());
            let targets = targets.iter().map(|target| map(&[("__address__", target)])).collect();
            ExternalGroup { source: format!("{path}:0"), labels, targets }
        };
        let cases = [
            ("a.json", r#"[{"targets":["a:1"],"labels":{"x":"y"}}]"#, vec![one(&[("x", "y")], "a.json", &["a:1"])]),
            ("d/a.yml", "- targets: [a:1, 2]\n  labels: {x: 1}\n", vec![one(&[("x", "1")], "d/a.yml", &["a:1", "2"])]),
            ("a.YAML", "", vec![]),
            ("a.yaml", "[]", vec![]),
        ];
        for (path, content, expected) in cases {
            assert_eq!(file(path, content.as_bytes()).unwrap(), expected, "{path}");
        }
        let refused = [
            ("a.json", "- targets: [a]"),
            ("a.yml", "a: 1"),
            ("a.yml", "[null]"),
            ("a.yml", "[{targets: [a], other: 1}]"),
            ("a.yml", "- {targets: [a]"),
            ("a.txt", "[]"),
        ];
        for (path, content) in refused {
            assert!(file(path, content.as_bytes()).is_err(), "{path}: {content}");
        }
    }
}
