//! Reads the changes of one kind from a short watch.
//!
//! Input: the lines of a watch. Output: changed collections, or the reason why the kind must be listed. The watch
//! starts at the version of the last reading. It first sends all changes since then, and then new changes. Once the
//! watch is silent, all changes have arrived.

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

/// Maximum duration of a watch. The API server ends the watch.
pub const SECONDS: u64 = 1;

/// Maximum time for reading the events of a watch. It is longer than the watch, because a slow network can delay the
/// last events.
pub const LONGEST: Duration = Duration::from_secs(10);

/// Minimum silence after which all changes have arrived.
const SILENCE: Duration = Duration::from_millis(100);

/// Lists below this size are read again completely, because this takes less time than a watch.
pub const WORTH_FOLLOWING: usize = 256 << 10;

/// Waits until a silent watch has certainly sent all changes.
///
/// The function sends another request to measure how fast the API server responds at the moment. A watch can take as
/// long as this request. Later events are not lost, because the next watch starts at the version where this watch
/// ended.
pub async fn silence(answered: impl Future<Output = Result<Duration, RecvError>>) {
    match answered.await {
        Ok(took) => sleep(took.max(SILENCE)).await,
        // A missing response is reported as another error.
        Err(_) => pending().await,
    }
}

/// One event of a watch.
struct Event<'a> {
    /// The type of the event, such as `ADDED`.
    r#type: &'a str,
    /// The type in the envelope. In JSON, the type is in the object.
    enveloped: TypeMeta,
    /// The object as it is now, or the last state of a deleted object.
    object: Encoded<'a>,
}

/// The reason why a watch cannot be used: the API server has forgotten the version, or an event is invalid. The kind is
/// then listed.
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

/// A watch during its arrival.
pub struct Events {
    /// The type and the namespace of the objects.
    expected: Expected,
    arriving: Arriving,
}

enum Arriving {
    /// A watch in JSON.
    Lines(Lines),
    /// A watch in protobuf.
    Frames(Frames),
}

impl Events {
    /// Expects events about objects of this type and namespace.
    pub fn new<T: Readable>(encoding: Encoding, expected: impl Into<Expected>) -> Result<Self, Lost> {
        let arriving = match encoding {
            Encoding::Json => Arriving::Lines(Lines::default()),
            Encoding::Protobuf if T::MESSAGE.is_none() => return Err(WrongAnswer::Encoding.into()),
            Encoding::Protobuf => Arriving::Frames(Frames::default()),
        };
        Ok(Self { expected: expected.into(), arriving })
    }

    /// Accepts further bytes, and applies each complete event.
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

/// The lines of a watch during its arrival.
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
        // The object of a bookmark has a version but no name.
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
