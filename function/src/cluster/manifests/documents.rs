//! The objects in the text of a manifest file.
//!
//! Input: YAML or JSON with objects or Lists. Output: each object as a value. The text is read as in `kubectl`.
//! Anything other than a Kubernetes object is an error of the whole file: an empty file, HTML, the error message of a
//! program, or a `Status`. Such a file must not look like a cluster without targets.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use target_allocator_core::yaml::{self, Document, YamlError};
use thiserror::Error;

use super::files::is_separator;

/// The reason why a file or folder of manifests cannot be used. The whole file or folder is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// The folder has no manifest files.
    #[error("the folder has no .yaml, .yml or .json file")]
    NoFile,
    /// The path is a pipe, a socket or a device.
    #[error("neither a file nor a folder: name a file, or rename it so that it does not end with .yaml, .yml or .json")]
    NotAFile,
    /// The file has another encoding.
    #[error("the file is not UTF-8: save it as UTF-8, PowerShell needs Out-File -Encoding utf8 for that")]
    NotUtf8,
    /// The file has no objects.
    #[error("the file holds no object: write the objects, a List with items: [], or remove the file")]
    NoObject,
    /// Another program wrote to the file during the reading.
    #[error("the file changes while it is read: write it under another name, then rename it")]
    Changing,
    /// The last document is missing.
    #[error("the file ends with ---, so it was cut or is being written: write the rest, or remove that line")]
    Cut,
    /// The file has fewer documents than before, and it was modified so recently that its writer may not be done.
    #[error(
        "the file has fewer documents than before, so it may be only half written: it is used once it has not been \
         modified for {settled} s, documents: {before} before, {now} now"
    )]
    FewerDocuments {
        /// The number of documents at the last successful reading.
        before: usize,
        /// The number of documents now.
        now: usize,
        /// The seconds since the last modification.
        settled: u64,
    },
    /// The text is not YAML, or none of its documents can be read.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A document or an item is not a map.
    #[error("a Kubernetes object is a map with apiVersion and kind, line {line}: found {found}")]
    NotAnObject {
        /// Line on which the document begins.
        line: usize,
        /// The type that was found.
        found: &'static str,
    },
    /// A document or an item lacks `apiVersion` or `kind`.
    #[error("a document is no Kubernetes object, line {line}: it has no {field}")]
    NoType {
        /// Line on which the document begins.
        line: usize,
        /// The missing field: `apiVersion` or `kind`.
        field: &'static str,
    },
    /// An error of an API server, saved to a file.
    #[error("the file holds an error of the API server instead of objects: {message}")]
    Status {
        /// The message of the API server.
        message: String,
    },
    /// A list without its items.
    #[error("a {kind} needs items, a list of objects, line {line}: found {found}")]
    Items {
        /// Line on which the document begins.
        line: usize,
        /// The kind, such as `PodList`.
        kind: String,
        /// The type that was found.
        found: &'static str,
    },
}

/// An entry of a file.
pub enum Item {
    /// An object of any kind.
    Object(Value),
    /// A document that is valid YAML but cannot be read, with its line and the reason.
    Unreadable(usize, YamlError),
}

/// Passes each object to `take`, including each object of a List. Returns the number of documents.
pub fn read(text: &str, mut take: impl FnMut(Item)) -> Result<usize, ManifestError> {
    let text = text.trim_start_matches('\u{feff}');
    // JSON is valid YAML, but a YAML parser is many times slower.
    if text.trim_start().starts_with('{')
        && let Ok(documents) = split_json(text)
    {
        documents.iter().try_for_each(|document| read_json(document, &mut take))?;
        return Ok(documents.len());
    }
    read_yaml(text, &mut take)
}

fn read_yaml(text: &str, take: &mut impl FnMut(Item)) -> Result<usize, ManifestError> {
    let (mut count, mut unreadable) = (0, Vec::new());
    let pieces = pieces(text);
    for (at, Piece { text, lines_before }) in pieces.iter().enumerate() {
        for document in yaml::documents(text, *lines_before) {
            match document {
                Ok(Document { value: Ok(Value::Null), .. }) => {}
                Ok(Document { line, value: Ok(value) }) => {
                    read_value(value, line, take)?;
                    count += 1;
                }
                Ok(Document { line, value: Err(error) }) => unreadable.push((line, error)),
                // The file may be incomplete.
                Err(error) if at + 1 == pieces.len() => return Err(error.into()),
                Err(error) => unreadable.push((lines_before + 1, error)),
            }
        }
    }
    match unreadable.first() {
        // If the file has no other documents, the whole file is invalid.
        Some((_, error)) if count == 0 => return Err(error.clone().into()),
        None if count == 0 => return Err(ManifestError::NoObject),
        _ => {}
    }
    count += unreadable.len();
    unreadable.into_iter().for_each(|(line, error)| take(Item::Unreadable(line, error)));
    Ok(count)
}

/// A part of a file between two separators.
struct Piece<'t> {
    text: &'t str,
    lines_before: usize,
}

/// Splits a text as `kubectl` does, so that an invalid document does not affect other documents.
/// Directives such as `%YAML 1.1` stay with the document after them.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut start, mut at, mut lines_before) = (Vec::new(), 0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let piece = &text[start..at];
        if is_separator(line) && !piece.lines().any(|line| line.starts_with('%')) {
            pieces.push(Piece { text: piece, lines_before });
            (start, lines_before) = (at, number);
        }
        at += line.len();
    }
    pieces.push(Piece { text: &text[start..], lines_before });
    pieces
}

fn split_json(text: &str) -> serde_json::Result<Vec<&RawValue>> {
    serde_json::Deserializer::from_str(text).into_iter().collect()
}

/// A list whose items are still texts.
#[derive(Deserialize)]
struct RawList<'t> {
    #[serde(rename = "apiVersion", default)]
    api_version: String,
    kind: String,
    #[serde(borrow)]
    items: Vec<&'t RawValue>,
}

/// Reads one item at a time. As values, a list of 100,000 pods takes ten times the memory of its text.
fn read_json(document: &RawValue, take: &mut impl FnMut(Item)) -> Result<(), ManifestError> {
    let value = |text: &RawValue| {
        let syntax = |error: serde_json::Error| YamlError::Syntax { line: error.line(), reason: error.to_string() };
        serde_json::from_str::<Value>(text.get()).map_err(syntax)
    };
    match serde_json::from_str::<RawList<'_>>(document.get()) {
        Ok(RawList { api_version, kind, items }) if kind.ends_with(LIST) => {
            items.into_iter().try_for_each(|item| read_item(value(item)?, &api_version, &kind, 1, take))
        }
        _ => read_value(value(document)?, 1, take),
    }
}

/// The suffix of the kinds of lists.
const LIST: &str = "List";

fn read_value(value: Value, line: usize, take: &mut impl FnMut(Item)) -> Result<(), ManifestError> {
    let Value::Object(mut fields) = value else {
        return Err(ManifestError::NotAnObject { line, found: type_name(Some(&value)) });
    };
    let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    match kind.as_str() {
        "" => return Err(ManifestError::NoType { line, field: "kind" }),
        "Status" => return Err(ManifestError::Status { message: text("message") }),
        _ => {}
    }
    // A custom kind can also end with List. Its objects have a name, but lists have none.
    let has_name = fields.get("metadata").and_then(|metadata| metadata.get("name")).is_some();
    if kind.ends_with(LIST) && !has_name {
        return match fields.remove("items") {
            Some(Value::Array(items)) => {
                items.into_iter().try_for_each(|item| read_item(item, &api_version, &kind, line, take))
            }
            other => Err(ManifestError::Items { line, kind, found: type_name(other.as_ref()) }),
        };
    }
    if api_version.is_empty() {
        return Err(ManifestError::NoType { line, field: "apiVersion" });
    }
    take(Item::Object(Value::Object(fields)));
    Ok(())
}

/// Adds the type to the items of a typed list. An API server omits it.
fn read_item(
    mut item: Value,
    api_version: &str,
    list_kind: &str,
    line: usize,
    take: &mut impl FnMut(Item),
) -> Result<(), ManifestError> {
    if let Value::Object(fields) = &mut item {
        for (key, value) in [("apiVersion", api_version), ("kind", list_kind.trim_end_matches(LIST))] {
            if !value.is_empty() && list_kind != LIST {
                fields.entry(key).or_insert_with(|| value.into());
            }
        }
    }
    read_value(item, line, take)
}

const fn type_name(value: Option<&Value>) -> &'static str {
    match value {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "a map",
    }
}
