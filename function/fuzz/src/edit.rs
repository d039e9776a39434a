//! Documents that are almost right.
//!
//! Bytes alone seldom make an object with a spec that is read. An [`Edit`] changes
//! one place in an object that is complete, so that few bytes reach deep.

use arbitrary::{Arbitrary, Unstructured};
use serde_json::{Value, json};

/// A change at the `at`-th value of a document, counted modulo their number.
#[derive(Debug, Arbitrary)]
pub struct Edit<'a> {
    at: u16,
    change: Change<'a>,
}

#[derive(Debug, Arbitrary)]
enum Change<'a> {
    Remove,
    Null,
    Bool(bool),
    Integer(i64),
    Small(u8),
    Float(f64),
    Text(&'a str),
    Appended(&'a str),
    /// One of the texts that mean something somewhere.
    Known(u8),
    /// What stands elsewhere in the document.
    CopyOf(u16),
    Listed,
    Twice,
    Empty(bool),
    /// A key more, with what stands elsewhere.
    Key(&'a str, u16),
}

const KNOWN: [&str; 48] = [
    "",
    " ",
    "0",
    "-1",
    "1",
    "80",
    "65536",
    "00010",
    "1e9",
    "true",
    "null",
    "~",
    "<<",
    "http",
    "https",
    "TCP",
    "Running",
    "False",
    "1s",
    "0s",
    "5y",
    "1h30m",
    "10MB",
    "2.5",
    "1.1Ki",
    ".*",
    "(.+);(.*)",
    "(?i)a|b",
    "$1",
    "${1}_$2",
    "[::1]:80",
    "10.0.0.1",
    "a:b:c",
    "http://u:p@h/%zz",
    "__address__",
    "__meta_kubernetes_pod_name",
    "é",
    "\u{1}",
    "a b",
    "a/b?c%41+d",
    "In",
    "NotIn",
    "Exists",
    "default",
    "replace",
    "labelmap",
    "hashmod",
    "keep",
];

/// Spoils a copy of `document` as the bytes say.
#[must_use]
pub fn edited(document: &Value, bytes: &[u8]) -> Option<Value> {
    let mut edited = document.clone();
    let mut bytes = Unstructured::new(bytes);
    for _ in 0..16 {
        if bytes.is_empty() {
            break;
        }
        Edit::arbitrary(&mut bytes).ok()?.apply(&mut edited);
    }
    Some(edited)
}

impl Edit<'_> {
    fn apply(self, document: &mut Value) {
        let nodes = count(document);
        let mut at = usize::from(self.at) % nodes;
        let copy = |document: &Value, from: u16| {
            let mut from = usize::from(from) % nodes;
            let found = nth(document, &mut from).cloned().unwrap_or_default();
            // What is copied into itself again and again grows without end.
            if count(&found) > 64 { Value::Null } else { found }
        };
        let value = match self.change {
            Change::Remove => {
                at = at.saturating_sub(1);
                remove(document, &mut at);
                return;
            }
            Change::Null => Value::Null,
            Change::Bool(value) => value.into(),
            Change::Integer(value) => value.into(),
            Change::Small(value) => value.into(),
            Change::Float(value) => json!(value),
            Change::Text(text) => text.into(),
            Change::Known(index) => KNOWN[usize::from(index) % KNOWN.len()].into(),
            Change::CopyOf(from) => copy(document, from),
            Change::Empty(list) => {
                if list {
                    json!([])
                } else {
                    json!({})
                }
            }
            change @ (Change::Appended(_) | Change::Listed | Change::Twice | Change::Key(..)) => {
                let added = if let Change::Key(_, from) = change { copy(document, from) } else { Value::Null };
                if let Some(place) = nth_mut(document, &mut at) {
                    match (change, place) {
                        (Change::Appended(more), Value::String(text)) => text.push_str(more),
                        (Change::Twice, Value::Array(list)) if list.len() < 16 => list.extend_from_within(..),
                        (Change::Key(name, _), Value::Object(fields)) => {
                            fields.insert(name.to_owned(), added);
                        }
                        (_, place) => *place = json!([place.take()]),
                    }
                }
                return;
            }
        };
        if let Some(place) = nth_mut(document, &mut at) {
            *place = value;
        }
    }
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(list) => Box::new(list.iter()),
        Value::Object(fields) => Box::new(fields.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn children_mut(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match value {
        Value::Array(list) => Box::new(list.iter_mut()),
        Value::Object(fields) => Box::new(fields.values_mut()),
        _ => Box::new(std::iter::empty()),
    }
}

fn count(value: &Value) -> usize {
    1 + children(value).map(count).sum::<usize>()
}

fn nth<'v>(value: &'v Value, n: &mut usize) -> Option<&'v Value> {
    if *n == 0 {
        return Some(value);
    }
    *n -= 1;
    children(value).find_map(|child| nth(child, n))
}

fn nth_mut<'v>(value: &'v mut Value, n: &mut usize) -> Option<&'v mut Value> {
    if *n == 0 {
        return Some(value);
    }
    *n -= 1;
    children_mut(value).find_map(|child| nth_mut(child, n))
}

/// Removes the `n`-th of the values below `value`.
fn remove(value: &mut Value, n: &mut usize) -> bool {
    let passed = |n: &mut usize| {
        let here = *n == 0;
        *n = n.saturating_sub(1);
        here
    };
    match value {
        Value::Array(list) => {
            for index in 0..list.len() {
                if passed(n) {
                    list.remove(index);
                    return true;
                }
                if remove(&mut list[index], n) {
                    return true;
                }
            }
        }
        Value::Object(fields) => {
            let keys: Vec<String> = fields.keys().cloned().collect();
            for key in keys {
                if passed(n) {
                    fields.remove(&key);
                    return true;
                }
                if fields.get_mut(&key).is_some_and(|child| remove(child, n)) {
                    return true;
                }
            }
        }
        _ => {}
    }
    false
}
