//! Splits a list in protobuf into its items, during its arrival.

use super::wire::{self, Key, Kind, Malformed, read};
use super::{CONTENT_ENCODING, MAGIC, RAW, TYPE_META};
use crate::cluster::parts::{PageMetadata, TypeMeta};

/// Splits a list into its items, its metadata and its type.
#[derive(Debug, Default)]
pub struct Items {
    /// Bytes that have arrived but are not read yet.
    begun: Vec<u8>,
    place: Place,
    type_meta: Vec<u8>,
    metadata: Vec<u8>,
}

/// The position in a list after the last read byte.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    BeforeMagic,
    /// Between fields of the envelope. `listed` is whether the list has ended.
    Envelope { listed: bool },
    /// Between fields of the list, `left` bytes before its end.
    List { left: usize },
}

/// The fields of a list.
const METADATA: u32 = 1;
const ITEMS: u32 = 2;

/// The beginning of the unread bytes.
enum Step<'a> {
    /// A field that has not arrived completely.
    Incomplete,
    /// A number of bytes to skip, the position after them, and the field that they contain.
    Over(usize, Place, Option<Part<'a>>),
}

/// A field of the envelope or of the list.
enum Part<'a> {
    TypeMeta(&'a [u8]),
    Metadata(&'a [u8]),
    Item(&'a [u8]),
}

impl Items {
    /// Accepts further bytes, and passes each complete item to `take`.
    pub fn feed(&mut self, arrived: &[u8], mut take: impl FnMut(&[u8])) -> Result<(), Malformed> {
        self.begun.extend_from_slice(arrived);
        let mut at = 0;
        while let Step::Over(length, place, field) = step(self.place, &self.begun[at..])? {
            match field {
                Some(Part::TypeMeta(type_meta)) => self.type_meta = type_meta.to_vec(),
                Some(Part::Metadata(metadata)) => self.metadata = metadata.to_vec(),
                Some(Part::Item(item)) => take(item),
                None => {}
            }
            (at, self.place) = (at + length, place);
        }
        self.begun.drain(..at);
        Ok(())
    }

    /// The metadata of the list, after the whole list has arrived.
    pub fn metadata(&self) -> Result<PageMetadata, Malformed> {
        self.ended()?;
        read(&self.metadata)
    }

    /// The type in the envelope, after the whole list has arrived.
    pub fn type_meta(&self) -> Result<TypeMeta, Malformed> {
        self.ended()?;
        read(&self.type_meta)
    }

    fn ended(&self) -> Result<(), Malformed> {
        let ended = self.place == (Place::Envelope { listed: true }) && self.begun.is_empty();
        if ended { Ok(()) } else { Err(Malformed("it ends within a list")) }
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
            let Some(field) = field(arrived)? else { return Ok(Step::Incomplete) };
            step_in_envelope(listed, field, arrived)
        }
        Place::List { left } => {
            let Some(field) = field(arrived)? else { return Ok(Step::Incomplete) };
            step_in_list(left, field, arrived)
        }
    }
}

fn step_in_envelope(
    listed: bool,
    Field { number, head, length }: Field,
    arrived: &[u8],
) -> Result<Step<'_>, Malformed> {
    if number == RAW {
        // The envelope of an empty list has a list of length 0. A second list would add to the first one.
        let list = Step::Over(head, Place::List { left: length }, None);
        return if listed { Err(Malformed("two lists stand in an envelope")) } else { Ok(list) };
    }
    let Some(value) = arrived[head..].get(..length) else { return Ok(Step::Incomplete) };
    let part = match number {
        TYPE_META => Some(Part::TypeMeta(value)),
        CONTENT_ENCODING if length > 0 => return Err(Malformed("the list is encoded once more")),
        _ => None,
    };
    Ok(Step::Over(head + length, Place::Envelope { listed }, part))
}

fn step_in_list(left: usize, Field { number, head, length }: Field, arrived: &[u8]) -> Result<Step<'_>, Malformed> {
    let rest = left.checked_sub(head).and_then(|left| left.checked_sub(length));
    let left = rest.ok_or(Malformed("an item is longer than its list"))?;
    let Some(value) = arrived[head..].get(..length) else { return Ok(Step::Incomplete) };
    let part = match number {
        METADATA => Some(Part::Metadata(value)),
        ITEMS => Some(Part::Item(value)),
        _ => None,
    };
    Ok(Step::Over(head + length, Place::List { left }, part))
}

/// A field of a list or an envelope: the number of bytes before its value, and the number of bytes of its value.
struct Field {
    number: u32,
    head: usize,
    length: usize,
}

/// The field at the beginning of the unread bytes, if its head has arrived. All fields are texts or messages.
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
