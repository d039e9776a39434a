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

use super::encoding::{Encoded, Encoding, Readable};
use super::parts::{Expected, Identity, Status, TypeMeta};
use super::protobuf::events::Frames;
use super::protobuf::{self, Malformed};
use super::reading::Known;
use super::wrong::WrongAnswer;

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
struct Event<'a> {
    /// Such as `ADDED`.
    r#type: &'a str,
    /// The type that an envelope states; JSON states it in the object.
    enveloped: TypeMeta,
    /// The object as it is now, or the last state of a deleted object.
    object: Encoded<'a>,
}

/// Why a watch cannot be used: the API server has forgotten the version, or an event is wrong. The kind is listed then.
#[derive(Debug)]
pub struct Lost(pub String);

impl From<WrongAnswer> for Lost {
    fn from(wrong: WrongAnswer) -> Self {
        Self(format!("the watch is not understood: {wrong}"))
    }
}

impl From<Malformed> for Lost {
    fn from(malformed: Malformed) -> Self {
        Self(format!("the watch is not understood: {malformed}"))
    }
}

/// A watch as it arrives.
pub struct Events {
    /// The type and the namespace of the objects.
    expected: Expected,
    arriving: Arriving,
}

enum Arriving {
    /// In JSON.
    Lines(Lines),
    /// In protobuf.
    Frames(Frames),
}

impl Events {
    /// Expects events about such objects.
    pub fn new<T: Readable>(encoding: Encoding, expected: impl Into<Expected>) -> Result<Self, Lost> {
        let arriving = match encoding {
            Encoding::Json => Arriving::Lines(Lines::default()),
            Encoding::Protobuf if T::MESSAGE.is_none() => return Err(WrongAnswer::Encoding.into()),
            Encoding::Protobuf => Arriving::Frames(Frames::default()),
        };
        Ok(Self { expected: expected.into(), arriving })
    }

    /// Takes what arrived, and applies each event that is complete.
    pub fn feed<T: Readable>(
        &mut self,
        arrived: &[u8],
        known: &mut Known,
        collection: &mut Collection<T>,
    ) -> Result<(), Lost> {
        let Self { expected, arriving } = self;
        let mut apply = |event: Event<'_>| apply(&event, expected, known, collection);
        match arriving {
            Arriving::Lines(lines) => lines.feed(arrived, apply),
            Arriving::Frames(frames) => frames.feed(arrived, |protobuf::events::Event { r#type, object }| {
                let protobuf::Envelope { type_meta: enveloped, message } = object;
                apply(Event { r#type, enveloped, object: Encoded::Protobuf(message) })
            }),
        }
    }

    /// Whether the last event is complete.
    pub fn is_complete(&self) -> bool {
        match &self.arriving {
            Arriving::Lines(lines) => lines.begun.is_empty(),
            Arriving::Frames(frames) => frames.is_complete(),
        }
    }
}

/// Lines of a watch as they arrive.
#[derive(Default)]
struct Lines {
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
    take(Event { r#type, enveloped: TypeMeta::default(), object: Encoded::Json(object.get().as_bytes()) })
}

fn apply<T: Readable>(
    Event { r#type, enveloped, object }: &Event<'_>,
    expected: &Expected,
    known: &mut Known,
    collection: &mut Collection<T>,
) -> Result<(), Lost> {
    if *r#type == "ERROR" {
        let Status { code, message } = object.status();
        return Err(Lost(format!("{code}: {message}")));
    }
    check_type(enveloped, *object, &expected.type_meta)?;
    match *r#type {
        "ADDED" | "MODIFIED" => known.accept(*object, expected, collection)?,
        "DELETED" => known.take_out(&object.identified(expected)?.metadata, collection),
        // Its object has a version and no name.
        "BOOKMARK" => {}
        other => return Err(Lost(format!("unknown type of event: {other}"))),
    }
    let version = object.version();
    if !version.is_empty() {
        known.version = version;
    }
    Ok(())
}

/// Refuses an event about an object of another kind.
fn check_type(enveloped: &TypeMeta, object: Encoded<'_>, expected: &TypeMeta) -> Result<(), WrongAnswer> {
    let Identity { type_meta, metadata } = object.identity().ok_or(WrongAnswer::NoItem)?;
    let got = if *enveloped == TypeMeta::default() { &type_meta } else { enveloped };
    if got.contradicts(expected) {
        return Err(WrongAnswer::Item { expected: expected.to_string(), got: got.to_string(), name: metadata.name });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
