//! Lists of target groups in responses of HTTP SD and in files.
//!
//! Input: JSON or YAML. Output: target groups. As strict as `discovery/targetgroup` of Prometheus: a text that
//! Prometheus refuses is an error. It never becomes a shorter list.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::bounded::MOST_TARGETS;
use super::source_group::{SourceGroup, address_only};
use crate::scrape_config::discovery::StaticSd;
use crate::scrape_config::parse::{self, ParseError};
use crate::yaml::{self, YamlError};

/// The reason why a text is not a list of target groups.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message says it")]
pub enum TargetListError {
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
    #[error("it has more than {MOST_TARGETS} targets")]
    TooMany,
    #[error("the last part of a path must end in .json, .yml or .yaml: {0:?}")]
    Ending(String),
}

/// Reads JSON. Each group also gets the label `origin`. The source of a group is the value of this label and a number.
pub(super) fn json(body: &[u8], origin: (&str, &str)) -> Result<Vec<SourceGroup>, TargetListError> {
    // Go reads invalid UTF-8, and escapes of a single surrogate, as U+FFFD.
    let text = String::from_utf8_lossy(body);
    let parsed = serde_json::from_str(&text).or_else(|_| serde_json::from_str(&whole_characters(&text)));
    let groups = match parsed.map_err(TargetListError::Json)? {
        // A Go server writes `null` for a list that it has not set.
        Written::Null => Vec::new(),
        Written::List(groups) => groups,
        Written::Text(_) | Written::Fields(_) | Written::Other => return Err(TargetListError::NoList),
    };
    let groups = groups.into_iter().enumerate().map(|(at, group)| json_group(at, group));
    all_named(groups.collect::<Result<_, _>>()?, origin)
}

/// Reads YAML. The groups get the same labels and sources as in [`json`].
pub(super) fn yaml(content: &[u8], origin: (&str, &str)) -> Result<Vec<SourceGroup>, TargetListError> {
    all_named(parse::target_groups(&yaml::parse(&String::from_utf8_lossy(content))?)?, origin)
}

/// Names the groups after their origin. The number of targets is limited, because a target takes far more memory than
/// its text in the list.
fn all_named(groups: Vec<StaticSd>, origin: (&str, &str)) -> Result<Vec<SourceGroup>, TargetListError> {
    if groups.iter().map(|group| group.targets.len()).sum::<usize>() > MOST_TARGETS {
        return Err(TargetListError::TooMany);
    }
    Ok(groups.into_iter().enumerate().map(|(at, group)| named(group, at, origin)).collect())
}

fn named(group: StaticSd, at: usize, (label, origin): (&str, &str)) -> SourceGroup {
    let StaticSd { targets, mut labels } = group;
    labels.insert(label.to_owned(), origin.to_owned());
    SourceGroup { source: format!("{origin}:{at}"), labels, targets: targets.into_iter().map(address_only).collect() }
}

/// JSON with its fields in their original order. If a field appears twice, the last one counts, but both are checked.
enum Written {
    Null,
    Text(String),
    List(Vec<Written>),
    Fields(Vec<(String, Written)>),
    /// A number or a boolean. No field accepts them.
    Other,
}

fn json_group(at: usize, group: Written) -> Result<StaticSd, TargetListError> {
    let Written::Fields(fields) = group else { return Err(TargetListError::NoGroup(at)) };
    let mut read = StaticSd::default();
    for (field, value) in fields {
        // Go ignores the case of field names, and treats the long s as an s.
        match field.to_lowercase().replace('ſ', "s").as_str() {
            "targets" => read.targets = texts(value).ok_or(TargetListError::Targets(at))?,
            "labels" => read.labels = text_map(value).ok_or(TargetListError::Labels(at))?,
            _ => return Err(TargetListError::UnknownField { at, field }),
        }
    }
    Ok(read)
}

/// Replaces each escape of a single surrogate in JSON by U+FFFD. Pairs of surrogates stay.
fn whole_characters(json: &str) -> String {
    let unit = |text: &str| -> Option<u16> {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let mut whole = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        whole.push_str(&rest[..at]);
        rest = &rest[at..];
        let low = |text: &str| unit(text).is_some_and(|unit| (0xdc00..0xe000).contains(&unit));
        let (taken, written) = match unit(rest) {
            Some(0xd800..0xdc00) if low(&rest[6..]) => (12, &rest[..12]),
            Some(0xd800..0xe000) => (6, "\\ufffd"),
            Some(_) => (6, &rest[..6]),
            None => {
                let escape = rest.chars().nth(1).map_or(1, |escaped| 1 + escaped.len_utf8());
                (escape, &rest[..escape])
            }
        };
        whole.push_str(written);
        rest = &rest[taken..];
    }
    whole + rest
}

fn texts(value: Written) -> Option<Vec<String>> {
    match value {
        Written::Null => Some(Vec::new()),
        Written::List(values) => values.into_iter().map(text).collect(),
        _ => None,
    }
}

fn text_map(value: Written) -> Option<BTreeMap<String, String>> {
    match value {
        Written::Null => Some(BTreeMap::new()),
        Written::Fields(fields) => {
            let entry = |(name, value): (String, Written)| (!name.is_empty()).then_some((name, text(value)?));
            fields.into_iter().map(entry).collect()
        }
        _ => None,
    }
}

fn text(value: Written) -> Option<String> {
    match value {
        Written::Null => Some(String::new()),
        Written::Text(text) => Some(text),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("json")
            }

            fn visit_unit<E>(self) -> Result<Written, E> {
                Ok(Written::Null)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Written, E> {
                Ok(Written::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Written, E> {
                Ok(Written::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Written, E> {
                Ok(Written::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Written, E> {
                Ok(Written::Other)
            }

            fn visit_str<E>(self, value: &str) -> Result<Written, E> {
                Ok(Written::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Written, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(Written::List(values))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Written::Fields(fields))
            }
        }
        deserializer.deserialize_any(Reader)
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
    fn accepted_lists_are_read_as_in_prometheus() {
        type Read = (&'static [&'static str], BTreeMap<String, String>);
        let url = map(&[("__meta_url", "http://sd/")]);
        let cases: [(&str, Vec<Read>); 10] = [
            ("[]", vec![]),
            ("null", vec![]),
            (" [ {} ] ", vec![(&[], url.clone())]),
            (r#"[{"targets":null,"labels":null}]"#, vec![(&[], url.clone())]),
            (r#"[{"targets":["a:1",null]}]"#, vec![(&["a:1", ""], url.clone())]),
            (r#"[{"Targets":["a:1"],"LABELS":{}}]"#, vec![(&["a:1"], url.clone())]),
            (r#"[{"targetſ":["a:1"]}]"#, vec![(&["a:1"], url.clone())]),
            (
                r#"[{"labels":{"x":"y"},"Labels":{"a":"b"},"LABELS":{"c":"d"}}]"#,
                vec![(&[], map(&[("c", "d"), ("__meta_url", "http://sd/")]))],
            ),
            (
                r#"[{"targets":["\ud800","\udc00x","\ud83d\ude00\ud83d\ud83d\ude00","\\ud800é\u00e9\ud800\"\u0041"]}]"#,
                vec![(&["\u{fffd}", "\u{fffd}x", "😀\u{fffd}😀", "\\ud800éé\u{fffd}\"A"], url.clone())],
            ),
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
                .map(|(at, (targets, labels))| SourceGroup {
                    source: format!("http://sd/:{at}"),
                    labels,
                    targets: targets.iter().map(|target| map(&[("__address__", target)])).collect(),
                })
                .collect();
            assert_eq!(groups, expected, "{body}");
        }
    }

    #[test]
    fn lists_that_prometheus_refuses_are_errors() {
        let cases = [
            ("", "not json"),
            ("[", "not json"),
            ("[] []", "not json"),
            (r#"[{"targets":1,"targets":[]}]"#, "targets of target group [0] are not a list of texts"),
            (r#"["\u12"#, "not json"),
            (r#"["\ud800\"#, "not json"),
            (r#"["\é"]"#, "not json"),
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
}
