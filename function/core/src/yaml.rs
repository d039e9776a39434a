//! YAML as Go's `yaml.v2` reads it, converted to JSON values.
//!
//! Input: a text. Output: the one document of a config file ([`parse`]), or the
//! documents of a manifest file as `kubectl` reads them ([`documents`]).
//! Plain scalars follow YAML 1.1: `yes` and `on` are booleans, `010` is eight.
//! `<<` merges maps. The result does not record how a value was written.

mod scalar;
mod variables;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};
use serde_json::{Map, Value};

pub use scalar::{letters_to_booleans, to_text};
pub use variables::{VariableError, Variables};

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
    #[error("yaml has a key that is a list, a map or null: line {0}")]
    ComplexKey(usize),
    #[error("yaml has a number that JSON cannot hold (.inf or .nan): line {0}")]
    NotInJson(usize),
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
    #[error("line {line}: {error}")]
    Variable { line: usize, error: VariableError },
}

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// A config file: the number of values is bounded.
    /// DIFFERENCE(duplicate-key): a duplicate key is refused, and so is a second document.
    Config,
    /// Manifests, as `kubectl` reads them: the last of two equal keys counts. Only what
    /// aliases add is bounded, because a cluster has millions of values.
    Manifests,
}

/// Reads a text of at most one document; an empty text is null.
///
/// # Errors
/// What makes the text unreadable, with its line.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    read(Reader::new(text, Dialect::Config))
}

/// Reads a text as [`parse`] does, and replaces references to variables in its scalars. A plain scalar gets its type
/// after the replacement: `${env:COUNT}` can be a number, `"${env:COUNT}"` is always a text. Keys keep their references.
///
/// # Errors
/// What makes the text unreadable, with its line.
pub fn parse_with(text: &str, variables: Variables<'_>) -> Result<Value, YamlError> {
    read(Reader { variables: Some(variables), ..Reader::new(text, Dialect::Config) })
}

fn read(mut reader: Reader<'_>) -> Result<Value, YamlError> {
    let mut document = None;
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(document.unwrap_or_default()),
            Event::DocumentStart(_) => {
                let line = reader.line;
                let event = reader.next()?;
                let value = reader.value(event, 0)?;
                document = match document {
                    None | Some(Value::Null) => Some(value),
                    // Nothing but `---` or comments follows.
                    Some(first) if value.is_null() => Some(first),
                    Some(_) => return Err(YamlError::SeveralDocuments(line)),
                };
            }
            _ => {}
        }
    }
}

/// One document of a manifest file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The line on which the document begins, from 1.
    pub line: usize,
    /// The value, or why this document cannot be read. The other documents are not affected.
    pub value: Result<Value, YamlError>,
}

/// The documents of a manifest file. An error means that the text is not YAML and ends the sequence.
pub struct Documents<'input> {
    reader: Reader<'input>,
    over: bool,
}

/// Reads the documents of a manifest file as `kubectl` reads them.
///
/// Follows `YAMLToJSON` of `sigs.k8s.io/yaml` v1.6: YAML 1.1, the last of two equal keys
/// counts, `.inf` and `.nan` are refused. `y` and `n` are texts ([`letters_to_booleans`] reads them as booleans).
/// DIFFERENCE(manifest-aliases): aliases that stand for more than a million values are refused.
/// DIFFERENCE(manifest-tab): a tab between a key and its value is refused.
///
/// `lines_before` is the number of lines of the file that stand before the text.
#[must_use]
pub fn documents(text: &str, lines_before: usize) -> Documents<'_> {
    Documents { reader: Reader { lines_before, ..Reader::new(text, Dialect::Manifests) }, over: false }
}

impl Iterator for Documents<'_> {
    type Item = Result<Document, YamlError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let document = self.document();
        self.over = !matches!(document, Ok(Some(_)));
        document.transpose()
    }
}

impl Documents<'_> {
    fn document(&mut self) -> Result<Option<Document>, YamlError> {
        let reader = &mut self.reader;
        loop {
            match reader.next()? {
                Event::StreamEnd => return Ok(None),
                Event::DocumentStart(_) => {}
                _ => continue,
            }
            let event = reader.next()?;
            let line = reader.line;
            let value = reader.value(event, 0);
            if matches!(value, Err(YamlError::Syntax { .. })) {
                return value.map(|_| None);
            }
            // An error leaves the reader inside of the document.
            if value.is_err() {
                while !matches!(reader.next()?, Event::DocumentEnd | Event::StreamEnd) {}
            }
            return Ok(Some(Document { line, value }));
        }
    }
}

struct Reader<'input> {
    parser: Parser<'input, StrInput<'input>>,
    dialect: Dialect,
    /// The variables that scalars may refer to. `None` while references are kept.
    variables: Option<Variables<'input>>,
    lines_before: usize,
    line: usize,
    /// What each anchor stands for, and how many values that is; `None` while it is being read.
    anchors: BTreeMap<usize, Option<(Value, usize)>>,
    /// All values so far.
    values: usize,
    /// The values of which aliases are made.
    aliased: usize,
}

impl<'input> Reader<'input> {
    fn new(text: &'input str, dialect: Dialect) -> Self {
        let parser = Parser::new_from_str(text);
        let (anchors, variables) = (BTreeMap::new(), None);
        Self { parser, dialect, variables, lines_before: 0, line: 0, anchors, values: 0, aliased: 0 }
    }

    fn next(&mut self) -> Result<Event<'input>, YamlError> {
        let Some(event) = self.parser.next_event() else { return Ok(Event::StreamEnd) };
        let (event, span) = event.map_err(|error: ScanError| YamlError::Syntax {
            line: self.lines_before + error.marker().line(),
            reason: error.info().to_owned(),
        })?;
        self.line = self.lines_before + span.start.line();
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
                let text = self.replaced(&text)?;
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
                    let size = *size;
                    // Cloned after the check: a clone of too much would take the memory that the check saves.
                    let value = if self.aliased + size > MAX_VALUES { None } else { Some(value.clone()) };
                    self.aliased += size;
                    self.count(size)?;
                    value.ok_or(YamlError::TooLarge(self.line))
                }
                _ => Err(YamlError::RecursiveAlias(self.line)),
            },
            // A document without content.
            _ => Ok(Value::Null),
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Map<String, Value>, YamlError> {
        let mut map = Map::new();
        // Keys that a merge brought may be written again.
        let mut written = BTreeSet::new();
        loop {
            let event = self.next()?;
            let merges = match &event {
                Event::MappingEnd => return Ok(map),
                Event::Scalar(text, ScalarStyle::Plain, ..) => text == "<<",
                _ => false,
            };
            let line = self.line;
            let variables = self.variables.take();
            let key = self.value(event, depth + 1)?;
            let event = self.next()?;
            self.variables = variables.filter(|variables| depth > 0 || !is_exception(variables, &key));
            let value = self.value(event, depth + 1)?;
            self.variables = variables;
            if merges {
                merge(&mut map, value, line)?;
                continue;
            }
            let manifests = self.dialect == Dialect::Manifests;
            if key.is_array() || key.is_object() || (manifests && key.is_null()) {
                return Err(YamlError::ComplexKey(line));
            }
            let key = to_text(&key).into_owned();
            if !manifests && !written.insert(key.clone()) {
                return Err(YamlError::DuplicateKey { line, key });
            }
            map.insert(key, value);
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, YamlError> {
        let Some(tag) = tag else {
            return match style {
                ScalarStyle::Plain => self.plain(text),
                _ => Ok(Value::String(text.to_owned())),
            };
        };
        if !tag.is_yaml_core_schema() {
            return Ok(Value::String(text.to_owned()));
        }
        match tag.suffix.as_str() {
            "str" => return Ok(Value::String(text.to_owned())),
            "binary" => return self.binary(text),
            _ => {}
        }
        let value = self.plain(text)?;
        let fits = match tag.suffix.as_str() {
            "bool" => value.is_boolean(),
            "int" => value.is_i64() || value.is_u64(),
            "float" => value.is_number(),
            "null" => value.is_null(),
            _ => false,
        };
        if fits { Ok(value) } else { Err(YamlError::Tag { line: self.line, tag: tag.suffix.clone() }) }
    }

    /// The text of a scalar with the values of variables.
    fn replaced<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, YamlError> {
        let Some(variables) = self.variables else { return Ok(Cow::Borrowed(text)) };
        variables.replace(text).map_err(|error| YamlError::Variable { line: self.line, error })
    }

    fn plain(&self, text: &str) -> Result<Value, YamlError> {
        match self.dialect {
            Dialect::Config => Ok(scalar::resolve(text)),
            Dialect::Manifests => scalar::resolve_for_json(text).ok_or(YamlError::NotInJson(self.line)),
        }
    }

    /// The text that `!!binary` encodes.
    fn binary(&self, text: &str) -> Result<Value, YamlError> {
        let encoded: String = text.split_whitespace().collect();
        let decoded = BASE64.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.map(Value::String).ok_or_else(|| YamlError::Tag { line: self.line, tag: "binary".to_owned() })
    }

    fn count(&mut self, values: usize) -> Result<(), YamlError> {
        self.values += values;
        let bounded = match self.dialect {
            Dialect::Config => self.values,
            Dialect::Manifests => self.aliased,
        };
        if bounded > MAX_VALUES { Err(YamlError::TooLarge(self.line)) } else { Ok(()) }
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

/// Whether the values of a key at the top of the file keep their references.
fn is_exception(variables: &Variables<'_>, key: &Value) -> bool {
    key.as_str().is_some_and(|key| variables.except.contains(&key))
}

/// Merged keys replace keys that stand before the merge. Of several merged maps the first counts.
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
mod tests;
