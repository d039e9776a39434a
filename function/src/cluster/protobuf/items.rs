//! The items of a list, one by one as they arrive.

use super::wire::{self, Key, Kind, Malformed, read};
use super::{MAGIC, RAW};
use crate::cluster::encoding::PageMetadata;

/// Cuts a list into its items and its metadata.
#[derive(Debug, Default)]
pub struct Items {
    /// What arrived and is not yet read.
    begun: Vec<u8>,
    place: Place,
    metadata: Vec<u8>,
}

/// Where in a list the end of what was read is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    BeforeMagic,
    /// Among the fields of the envelope; whether the list has been there.
    Envelope { listed: bool },
    /// Among the fields of the list, so many bytes before its end.
    List { left: usize },
}

/// Fields of a list.
const METADATA: u32 = 1;
const ITEMS: u32 = 2;

/// What stands at the beginning of what has arrived.
enum Step<'a> {
    /// The whole of it has not arrived.
    Incomplete,
    /// Bytes to go on after, the place then, and the field of the list that stood there.
    Over(usize, Place, Option<(u32, &'a [u8])>),
}

impl Items {
    /// Takes what arrived and gives each item that is complete to `take`.
    pub fn feed(&mut self, arrived: &[u8], mut take: impl FnMut(&[u8])) -> Result<(), Malformed> {
        self.begun.extend_from_slice(arrived);
        let mut at = 0;
        while let Step::Over(length, place, field) = step(self.place, &self.begun[at..])? {
            match field {
                Some((METADATA, metadata)) => self.metadata = metadata.to_vec(),
                Some((ITEMS, item)) => take(item),
                _ => {}
            }
            (at, self.place) = (at + length, place);
        }
        self.begun.drain(..at);
        Ok(())
    }

    /// What the list says of itself, once all has arrived.
    pub fn metadata(&self) -> Result<PageMetadata, Malformed> {
        if self.place != (Place::Envelope { listed: true }) || !self.begun.is_empty() {
            return Err(Malformed("it ends within a list"));
        }
        read(&self.metadata)
    }
}

fn step(place: Place, arrived: &[u8]) -> Result<Step<'_>, Malformed> {
    match place {
        Place::BeforeMagic if arrived.len() < MAGIC.len() => Ok(Step::Incomplete),
        Place::BeforeMagic if arrived.starts_with(MAGIC) => {
            Ok(Step::Over(MAGIC.len(), Place::Envelope { listed: false }, None))
        }
        Place::BeforeMagic => Err(Malformed("no list begins so")),
        Place::List { left: 0 } => Ok(Step::Over(0, Place::Envelope { listed: true }, None)),
        Place::Envelope { listed } => {
            let Some(Field { number, head, length }) = field(arrived)? else { return Ok(Step::Incomplete) };
            Ok(match number {
                RAW if !listed => Step::Over(head, Place::List { left: length }, None),
                _ if arrived.len() - head < length => Step::Incomplete,
                _ => Step::Over(head + length, place, None),
            })
        }
        Place::List { left } => {
            let Some(Field { number, head, length }) = field(arrived)? else { return Ok(Step::Incomplete) };
            let rest = left.checked_sub(head).and_then(|left| left.checked_sub(length));
            let left = rest.ok_or(Malformed("an item is longer than its list"))?;
            Ok(match arrived[head..].get(..length) {
                Some(value) => Step::Over(head + length, Place::List { left }, Some((number, value))),
                None => Step::Incomplete,
            })
        }
    }
}

/// A field of a list or an envelope: the bytes before its value, and those of its value.
struct Field {
    number: u32,
    head: usize,
    length: usize,
}

/// The field that begins what has arrived, if its head is there: all are texts or messages.
fn field(arrived: &[u8]) -> Result<Option<Field>, Malformed> {
    /// A key and a length are five and ten bytes at most.
    const LONGEST: usize = 15;
    let mut rest = arrived;
    let head = |rest: &mut &[u8]| {
        let Key { number, kind } = wire::key(rest)?;
        match kind {
            Kind::Bytes => Ok((number, wire::length(rest)?)),
            Kind::Number | Kind::Fixed(_) => Err(Malformed("a number stands in a list")),
        }
    };
    match head(&mut rest) {
        Ok((number, length)) => Ok(Some(Field { number, head: arrived.len() - rest.len(), length })),
        Err(_) if arrived.len() < LONGEST => Ok(None),
        Err(malformed) => Err(malformed),
    }
}
