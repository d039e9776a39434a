//! YAML as the peers' library reads it (`yaml.v2` of Go), into JSON values.
//!
//! Input: the text of a configuration file. Output: its one document. It differs
//! from other YAML readers in what plain scalars mean: `yes` and `on` are booleans,
//! `010` is eight, `<<` merges, and a value keeps no memory of how it was written.
//! A key that is there twice is refused, which the library would pass over.

mod scalar;

use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};
use serde_json::{Map, Value};

pub use scalar::to_text;

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 100;

/// Most values that a document may have after its aliases are replaced.
const MAX_VALUES: usize = 1_000_000;

/// How much text counts as a value more.
const TEXT_OF_A_VALUE: usize = 64;

/// Why a text is not a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message says it")]
pub enum YamlError {
    #[error("not valid yaml, line {line}: {reason}")]
    Syntax { line: usize, reason: String },
    #[error("yaml holds more than one document, keep one: line {0}")]
    SeveralDocuments(usize),
    #[error("yaml has a key twice, line {line}: {key:?}")]
    DuplicateKey { line: usize, key: String },
    #[error("yaml has a key that is a list or a map: line {0}")]
    ComplexKey(usize),
    #[error("yaml merges something that is not a map: line {0}")]
    MergeOfNoMap(usize),
    #[error("yaml has an alias inside of what it stands for: line {0}")]
    RecursiveAlias(usize),
    #[error("yaml value does not fit its tag, line {line}: {tag:?}")]
    Tag { line: usize, tag: String },
    #[error("yaml is nested too deeply: line {0}")]
    TooDeep(usize),
    #[error("yaml aliases stand for too much: line {0}")]
    TooLarge(usize),
}

/// Reads a text of at most one document; an empty one is null.
///
/// # Errors
/// What makes the text unreadable, with its line.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    let mut reader = Reader { parser: Parser::new_from_str(text), line: 0, anchors: BTreeMap::new(), values: 0 };
    let mut document = None;
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(document.unwrap_or_default()),
            Event::DocumentStart(_) if document.is_some() => return Err(YamlError::SeveralDocuments(reader.line)),
            Event::DocumentStart(_) => {
                let event = reader.next()?;
                document = Some(reader.value(event, 0)?);
            }
            _ => {}
        }
    }
}

/// Checks that what aliases stand for is bearable, in a text of any number of documents.
///
/// # Errors
/// If they stand for too much, or one for itself.
pub fn check_aliases(text: &str) -> Result<(), YamlError> {
    let mut reader = Reader { parser: Parser::new_from_str(text), line: 0, anchors: BTreeMap::new(), values: 0 };
    // The anchors of lists and maps that are open, with what was read before them.
    let mut open = Vec::new();
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    let (mut size, mut aliased) = (0, 0);
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(()),
            Event::Scalar(text, _, anchor, _) => {
                let own = 1 + text.len() / TEXT_OF_A_VALUE;
                size += own;
                sizes.insert(anchor, own);
            }
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                size += 1;
                sizes.remove(&anchor);
                open.push((anchor, size));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((anchor, before)) = open.pop() {
                    sizes.insert(anchor, size - before + 1);
                }
            }
            Event::Alias(anchor) => {
                let own = *sizes.get(&anchor).ok_or(YamlError::RecursiveAlias(reader.line))?;
                size += own;
                aliased += own;
                if aliased > MAX_VALUES {
                    return Err(YamlError::TooLarge(reader.line));
                }
            }
            _ => {}
        }
    }
}

struct Reader<'input> {
    parser: Parser<'input, StrInput<'input>>,
    line: usize,
    /// What each anchor stands for, and how many values that is; none while it is being read.
    anchors: BTreeMap<usize, Option<(Value, usize)>>,
    values: usize,
}

impl<'input> Reader<'input> {
    fn next(&mut self) -> Result<Event<'input>, YamlError> {
        let Some(event) = self.parser.next_event() else { return Ok(Event::StreamEnd) };
        let (event, span) = event.map_err(|error: ScanError| YamlError::Syntax {
            line: error.marker().line(),
            reason: error.info().to_owned(),
        })?;
        self.line = span.start.line();
        Ok(event)
    }

    fn value(&mut self, event: Event<'input>, depth: usize) -> Result<Value, YamlError> {
        if depth > MAX_DEPTH {
            return Err(YamlError::TooDeep(self.line));
        }
        self.count(1)?;
        let before = self.values;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(text.len() / TEXT_OF_A_VALUE)?;
                let value = self.scalar(&text, style, tag.as_deref())?;
                self.remember(anchor, &value, before);
                Ok(value)
            }
            Event::SequenceStart(anchor, _) => {
                self.begin(anchor);
                let mut list = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        event => list.push(self.value(event, depth + 1)?),
                    }
                }
                let value = Value::Array(list);
                self.remember(anchor, &value, before);
                Ok(value)
            }
            Event::MappingStart(anchor, _) => {
                self.begin(anchor);
                let value = Value::Object(self.mapping(depth)?);
                self.remember(anchor, &value, before);
                Ok(value)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(Some((value, size))) => {
                    let (value, size) = (value.clone(), *size);
                    self.count(size)?;
                    Ok(value)
                }
                _ => Err(YamlError::RecursiveAlias(self.line)),
            },
            // A document without content.
            _ => Ok(Value::Null),
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Map<String, Value>, YamlError> {
        let mut map = Map::new();
        let mut written = BTreeSet::new();
        loop {
            let event = self.next()?;
            let merges = match &event {
                Event::MappingEnd => return Ok(map),
                Event::Scalar(text, ScalarStyle::Plain, ..) => text == "<<",
                _ => false,
            };
            let line = self.line;
            let key = self.value(event, depth + 1)?;
            let event = self.next()?;
            let value = self.value(event, depth + 1)?;
            if merges {
                merge(&mut map, value, line)?;
                continue;
            }
            if key.is_array() || key.is_object() {
                return Err(YamlError::ComplexKey(line));
            }
            let key = to_text(&key).into_owned();
            if !written.insert(key.clone()) {
                return Err(YamlError::DuplicateKey { line, key });
            }
            map.insert(key, value);
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, YamlError> {
        let Some(tag) = tag else {
            return Ok(match style {
                ScalarStyle::Plain => scalar::resolve(text),
                _ => Value::String(text.to_owned()),
            });
        };
        if !tag.is_yaml_core_schema() {
            return Ok(Value::String(text.to_owned()));
        }
        let value = scalar::resolve(text);
        let fits = match tag.suffix.as_str() {
            "str" => return Ok(Value::String(text.to_owned())),
            "bool" => value.is_boolean(),
            "int" => value.is_i64() || value.is_u64(),
            "float" => value.is_number(),
            "null" => value.is_null(),
            _ => false,
        };
        if fits { Ok(value) } else { Err(YamlError::Tag { line: self.line, tag: tag.suffix.clone() }) }
    }

    fn count(&mut self, values: usize) -> Result<(), YamlError> {
        self.values += values;
        if self.values > MAX_VALUES { Err(YamlError::TooLarge(self.line)) } else { Ok(()) }
    }

    /// Anchors are numbered from one.
    fn begin(&mut self, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
    }

    fn remember(&mut self, anchor: usize, value: &Value, before: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, Some((value.clone(), self.values - before + 1)));
        }
    }
}

/// What is merged replaces what stands before it; of several maps the first counts.
fn merge(map: &mut Map<String, Value>, value: Value, line: usize) -> Result<(), YamlError> {
    match value {
        Value::Object(merged) => map.extend(merged),
        Value::Array(list) => {
            for merged in list.into_iter().rev() {
                match merged {
                    Value::Object(merged) => map.extend(merged),
                    _ => return Err(YamlError::MergeOfNoMap(line)),
                }
            }
        }
        _ => return Err(YamlError::MergeOfNoMap(line)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_read_as_the_peer_reads_them() {
        let cases = [
            ("", json!(null)),
            ("# only a comment", json!(null)),
            ("a: yes\nb: 'yes'\nc: !!str yes", json!({"a": true, "b": "yes", "c": "yes"})),
            ("y: 1", json!({"true": 1})),
            ("1: a\n0x10: b", json!({"1": "a", "16": "b"})),
            ("a: &x {b: 1}\nc: *x", json!({"a": {"b": 1}, "c": {"b": 1}})),
            ("d: &d {a: 1, b: 2}\nj: {<<: *d, b: 3}", json!({"d": {"a": 1, "b": 2}, "j": {"a": 1, "b": 3}})),
            ("d: &d {b: 2}\nj: {b: 3, <<: *d}", json!({"d": {"b": 2}, "j": {"b": 2}})),
            ("j: {<<: [{a: 1}, {a: 2, b: 3}]}", json!({"j": {"a": 1, "b": 3}})),
            ("a: |\n  x\n  y\n", json!({"a": "x\ny\n"})),
            ("a:\n- 1\n- b", json!({"a": [1, "b"]})),
            ("--- {a: 1}\n...\n", json!({"a": 1})),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_line() {
        let bomb: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{0},*a{0}]\n", n - 1)).collect();
        let cases = [
            ("a: 1\na: 2".to_owned(), "has a key twice, line 2"),
            ("a: [".to_owned(), "not valid yaml"),
            ("a: 1\n---\nb: 2".to_owned(), "more than one document"),
            ("[a]: 1".to_owned(), "list or a map"),
            ("<<: 1".to_owned(), "merges something"),
            ("a: &a [*a]".to_owned(), "inside of what"),
            ("a: !!int x".to_owned(), "fit its tag"),
            ("[".repeat(200) + &"]".repeat(200), "nested too deeply"),
            (format!("a0: &a0 x\n{bomb}"), "stand for too much"),
            (format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), "*a, ".repeat(1000)), "stand for too much"),
        ];
        for (text, expected) in cases {
            if text.contains('*') {
                let error = check_aliases(&text).expect_err(&text).to_string();
                assert!(error.contains(expected), "{expected}: {error}");
            }
            let error = parse(&text).expect_err(&text).to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
