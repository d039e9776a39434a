//! Splits a watch in protobuf into its events, during its arrival.

use super::wire::{Malformed, part};
use super::{Envelope, opened};

/// One event of a watch.
pub struct Event<'a> {
    /// The type of the event, such as `ADDED`.
    pub r#type: &'a str,
    /// The object as it is now, or the last state of a deleted object.
    pub object: Envelope<'a>,
}

/// Number of bytes of the length before each event.
const HEAD: usize = 4;

/// The events of a watch. Each is a length and a `metav1.WatchEvent`.
#[derive(Default)]
pub struct Frames {
    begun: Vec<u8>,
}

impl Frames {
    /// Accepts further bytes, and passes each complete event to `take`. An error of `take` ends the watch.
    pub fn feed<E: From<Malformed>>(
        &mut self,
        arrived: &[u8],
        mut take: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.begun.extend_from_slice(arrived);
        let mut rest = self.begun.as_slice();
        while let Some((head, after)) = rest.split_first_chunk::<HEAD>()
            && let Some((frame, after)) = after.split_at_checked(u32::from_be_bytes(*head) as usize)
        {
            take(event(frame)?)?;
            rest = after;
        }
        let done = self.begun.len() - rest.len();
        self.begun.drain(..done);
        Ok(())
    }

    /// Whether the last event is complete.
    pub const fn is_complete(&self) -> bool {
        self.begun.is_empty()
    }
}

/// The fields of `metav1.WatchEvent`, and the field of the `runtime.RawExtension` in it.
const TYPE: u32 = 1;
const OBJECT: u32 = 2;
const RAW: u32 = 1;

fn event(frame: &[u8]) -> Result<Event<'_>, Malformed> {
    let field = |message, number| Ok(part(message, number)?.unwrap_or_default());
    let r#type = str::from_utf8(field(frame, TYPE)?).map_err(|_| Malformed("the type of an event is no text"))?;
    let object = opened(field(field(frame, OBJECT)?, RAW)?)?;
    Ok(Event { r#type, object })
}
