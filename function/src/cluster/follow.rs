//! The changes of one kind since it was read, from a short watch.
//!
//! A watch that starts where the last reading ended and lasts a second answers with
//! exactly what changed since. Input: its lines. Output: changed collections, or that
//! only a list can tell.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use target_allocator_core::objects::{Collection, Object};

use super::reading::Known;

/// How long a watch lasts: the API server ends it.
pub const SECONDS: u64 = 1;

/// Lists below this size are read again as a whole: that takes less than a watch lasts.
pub const WORTH_FOLLOWING: usize = 256 << 10;

/// One line of a watch.
#[derive(Deserialize)]
struct Event<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Versioned {
    metadata: Version,
    /// Of a `Status`.
    code: u16,
    message: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Version {
    resource_version: String,
}

/// Why a watch does not tell what changed: the API server does not know any more, or
/// says something that is not understood. A list will tell.
#[derive(Debug)]
pub struct Lost(pub String);

/// Lines of a watch as they arrive.
#[derive(Default)]
pub struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Takes what arrived, and applies each event that is complete.
    pub fn feed<T: Object + DeserializeOwned + PartialEq>(
        &mut self,
        arrived: &[u8],
        known: &mut Known,
        collection: &mut Collection<T>,
    ) -> Result<(), Lost> {
        let mut rest = arrived;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            if self.begun.is_empty() {
                apply(line, known, collection)?;
            } else {
                self.begun.extend_from_slice(line);
                apply(&self.begun, known, collection)?;
                self.begun.clear();
            }
            rest = &after[1..];
        }
        self.begun.extend_from_slice(rest);
        Ok(())
    }

    /// Whether the last line is complete.
    pub fn is_complete(&self) -> bool {
        self.begun.is_empty()
    }
}

fn apply<T: Object + DeserializeOwned + PartialEq>(
    line: &[u8],
    known: &mut Known,
    collection: &mut Collection<T>,
) -> Result<(), Lost> {
    if line.is_empty() {
        return Ok(());
    }
    let not_understood = |error: serde_json::Error| Lost(format!("the watch is not understood: {error}"));
    let event: Event<'_> = serde_json::from_slice(line).map_err(not_understood)?;
    let object = event.object.get().as_bytes();
    let Versioned { metadata, code, message } = serde_json::from_slice(object).unwrap_or_default();
    match event.r#type {
        "ADDED" | "MODIFIED" => known.put(object, collection),
        "DELETED" => known.take_out(object, collection),
        "BOOKMARK" => {}
        "ERROR" => return Err(Lost(format!("{code}: {message}"))),
        other => return Err(Lost(format!("unknown type of event: {other}"))),
    }
    if !metadata.resource_version.is_empty() {
        known.version = metadata.resource_version;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use target_allocator_core::objects::Pod;

    use super::*;

    fn event(kind: &str, name: &str, phase: &str, version: u32) -> String {
        format!(
            r#"{{"type":"{kind}","object":{{"metadata":{{"namespace":"a","name":"{name}","resourceVersion":"{version}"}},"status":{{"phase":"{phase}"}}}}}}"#
        ) + "\n"
    }

    #[test]
    fn events_change_the_objects_wherever_pieces_end() {
        let text = [
            event("ADDED", "1", "x", 11),
            event("ADDED", "2", "x", 12),
            event("MODIFIED", "1", "y", 13),
            event("DELETED", "2", "x", 14),
            event("DELETED", "never seen", "x", 15),
            "\n".to_owned(),
            event("BOOKMARK", "", "", 20),
        ]
        .concat();
        for pieces in 1..=text.len() {
            let (mut lines, mut known, mut pods) = (Lines::default(), Known::default(), Collection::<Pod>::default());
            for piece in text.as_bytes().chunks(pieces) {
                lines.feed(piece, &mut known, &mut pods).unwrap();
            }
            assert!(lines.is_complete());
            assert_eq!(known.version, "20");
            let left: Vec<_> = pods.iter().map(|pod| (&*pod.metadata.name, &*pod.status.phase)).collect();
            assert_eq!(left, [("1", "y")]);
        }
    }

    #[test]
    fn what_is_not_understood_needs_a_list() {
        let cases = [
            (r#"{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}}"#, "410: too old"),
            (r#"{"type":"NEW","object":{}}"#, "unknown type of event: NEW"),
            ("nonsense", "not understood"),
        ];
        for (line, expected) in cases {
            let (mut known, mut pods) = (Known::default(), Collection::<Pod>::default());
            let Err(Lost(reason)) = Lines::default().feed(format!("{line}\n").as_bytes(), &mut known, &mut pods) else {
                panic!("taken: {line}");
            };
            assert!(reason.contains(expected), "{reason}");
        }
    }

    #[test]
    fn a_line_that_was_cut_off_is_not_complete() {
        let (mut lines, mut known, mut pods) = (Lines::default(), Known::default(), Collection::<Pod>::default());
        let text = event("ADDED", "1", "x", 11);
        lines.feed(&text.as_bytes()[..text.len() - 3], &mut known, &mut pods).unwrap();
        assert!(!lines.is_complete() && pods.is_empty());
    }
}
