//! The items of a list, one by one as they arrive.

use super::wire::{self, Key, Kind, Malformed, read};
use super::{CONTENT_ENCODING, MAGIC, RAW, TYPE_META};
use crate::cluster::parts::{PageMetadata, TypeMeta};

/// Cuts a list into its items, its metadata and its type.
#[derive(Debug, Default)]
pub struct Items {
    /// What arrived and is not yet read.
    begun: Vec<u8>,
    place: Place,
    type_meta: Vec<u8>,
    metadata: Vec<u8>,
}

/// Where in a list the end of what was read is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    BeforeMagic,
    /// Among the fields of the envelope. `listed` says whether the list has ended.
    Envelope { listed: bool },
    /// Among the fields of the list, `left` bytes before its end.
    List { left: usize },
}

/// Fields of a list.
const METADATA: u32 = 1;
const ITEMS: u32 = 2;

/// What the arrived bytes begin with.
enum Step<'a> {
    /// A field that has not arrived as a whole.
    Incomplete,
    /// A number of bytes to go on after, the place after them, and the field that they hold.
    Over(usize, Place, Option<Part<'a>>),
}

/// A field of the envelope or of the list.
enum Part<'a> {
    TypeMeta(&'a [u8]),
    Metadata(&'a [u8]),
    Item(&'a [u8]),
}

impl Items {
    /// Takes what arrived and gives each item that is complete to `take`.
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

    /// The metadata of the list, once all of the list has arrived.
    pub fn metadata(&self) -> Result<PageMetadata, Malformed> {
        self.ended()?;
        read(&self.metadata)
    }

    /// The type that the envelope states, once all of the list has arrived.
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
        // The envelope of an empty list says that its length is 0; a second list would add to the first.
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
