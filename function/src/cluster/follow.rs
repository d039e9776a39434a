//! The changes of one kind since it was read, from a short watch.
//!
//! A watch that starts where the last reading ended tells at once what changed since,
//! and then only what changes meanwhile: once it is silent, it has told all. Input: its
//! lines. Output: changed collections, or that only a list can tell.

use std::future::{Future, pending};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use target_allocator_core::objects::Collection;
use tokio::sync::oneshot::error::RecvError;
use tokio::time::sleep;

use super::encoding::{Encoded, Encoding, Readable, Status};
use super::protobuf::Malformed;
use super::protobuf::events::Frames;
use super::reading::Known;

/// How long a watch lasts at most: the API server ends it.
pub const SECONDS: u64 = 1;

/// How long the events of a watch are taken, at most: a slow network may still deliver the last ones.
pub const LONGEST: Duration = Duration::from_secs(10);

/// How long a watch that has told all is silent, at least.
const SILENCE: Duration = Duration::from_millis(100);

/// Lists below this size are read again as a whole: that takes less than a watch lasts.
pub const WORTH_FOLLOWING: usize = 256 << 10;

/// Ends once a watch that has told nothing meanwhile has told all.
///
/// What the API server answers to another question tells how soon it answers at all just
/// now: a watch may take as long. What is told later is not lost: the next watch starts
/// where this one ended.
pub async fn silence(answered: impl Future<Output = Result<Duration, RecvError>>) {
    match answered.await {
        Ok(took) => sleep(took.max(SILENCE)).await,
        // No answer is an error of its own.
        Err(_) => pending().await,
    }
}

/// One event of a watch.
pub struct Event<'a> {
    /// Such as `ADDED`.
    pub r#type: &'a str,
    /// The object as it is now, or was at last.
    pub object: Encoded<'a>,
}

/// Why a watch does not tell what changed: the API server does not know any more, or
/// says something that is not understood. A list will tell.
#[derive(Debug)]
pub struct Lost(pub String);

impl From<Malformed> for Lost {
    fn from(malformed: Malformed) -> Self {
        Self(format!("the watch is not understood: {malformed}"))
    }
}

/// A watch as it arrives.
pub enum Events {
    /// In JSON.
    Lines(Lines),
    /// In protobuf.
    Frames(Frames),
}

impl Events {
    pub fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Json => Self::Lines(Lines::default()),
            Encoding::Protobuf => Self::Frames(Frames::default()),
        }
    }

    /// Takes what arrived, and applies each event that is complete.
    pub fn feed<T: Readable>(
        &mut self,
        arrived: &[u8],
        known: &mut Known,
        collection: &mut Collection<T>,
    ) -> Result<(), Lost> {
        let apply = |event: Event<'_>| apply(event, known, collection);
        match self {
            Self::Lines(lines) => lines.feed(arrived, apply),
            Self::Frames(frames) => frames.feed(arrived, apply),
        }
    }

    /// Whether the last event is complete.
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Lines(lines) => lines.begun.is_empty(),
            Self::Frames(frames) => frames.is_complete(),
        }
    }
}

/// Lines of a watch as they arrive.
#[derive(Default)]
pub struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn feed(&mut self, arrived: &[u8], mut take: impl FnMut(Event<'_>) -> Result<(), Lost>) -> Result<(), Lost> {
        let mut rest = arrived;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            if self.begun.is_empty() {
                read_line(line, &mut take)?;
            } else {
                self.begun.extend_from_slice(line);
                read_line(&self.begun, &mut take)?;
                self.begun.clear();
            }
            rest = &after[1..];
        }
        self.begun.extend_from_slice(rest);
        Ok(())
    }
}

fn read_line(line: &[u8], take: &mut impl FnMut(Event<'_>) -> Result<(), Lost>) -> Result<(), Lost> {
    #[derive(Deserialize)]
    struct Line<'a> {
        r#type: &'a str,
        #[serde(borrow)]
        object: &'a RawValue,
    }
    if line.is_empty() {
        return Ok(());
    }
    let not_understood = |error: serde_json::Error| Lost(format!("the watch is not understood: {error}"));
    let Line { r#type, object } = serde_json::from_slice(line).map_err(not_understood)?;
    take(Event { r#type, object: Encoded::Json(object.get().as_bytes()) })
}

fn apply<T: Readable>(
    Event { r#type, object }: Event<'_>,
    known: &mut Known,
    collection: &mut Collection<T>,
) -> Result<(), Lost> {
    match r#type {
        "ADDED" | "MODIFIED" => known.put(object, collection),
        "DELETED" => known.take_out(object, collection),
        "BOOKMARK" => {}
        "ERROR" => {
            let Status { code, message } = object.status();
            return Err(Lost(format!("{code}: {message}")));
        }
        other => return Err(Lost(format!("unknown type of event: {other}"))),
    }
    let version = object.version();
    if !version.is_empty() {
        known.version = version;
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
            let (mut lines, mut known, mut pods) =
                (Events::new(Encoding::Json), Known::default(), Collection::<Pod>::default());
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
            let Err(Lost(reason)) =
                Events::new(Encoding::Json).feed(format!("{line}\n").as_bytes(), &mut known, &mut pods)
            else {
                panic!("taken: {line}");
            };
            assert!(reason.contains(expected), "{reason}");
        }
    }

    #[test]
    fn a_line_that_was_cut_off_is_not_complete() {
        let (mut lines, mut known, mut pods) =
            (Events::new(Encoding::Json), Known::default(), Collection::<Pod>::default());
        let text = event("ADDED", "1", "x", 11);
        lines.feed(&text.as_bytes()[..text.len() - 3], &mut known, &mut pods).unwrap();
        assert!(!lines.is_complete() && pods.is_empty());
    }
}
