//! Parses messages into fields, and fields into values.
//!
//! Input: the bytes of a message. Output: a struct, whose type implements [`Message`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;
use target_allocator_core::objects::{TextMap, grow};
use thiserror::Error;

/// The error of bytes that are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this is not a message of protobuf: {0}")]
pub struct Malformed(pub &'static str);

const CUT_OFF: Malformed = Malformed("it ends within a field");

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number of any sign and size.
    Number(u64),
    /// A text, or a message.
    Bytes(&'a [u8]),
    /// A number of a fixed size. The function reads no field of this form.
    Fixed,
}

impl<'a> Value<'a> {
    /// The bytes of a text or a message.
    pub fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) | Self::Fixed => Err(Malformed("a number stands for a text")),
        }
    }

    /// The text, as Go writes it in JSON.
    fn text(self) -> Result<Cow<'a, str>, Malformed> {
        self.bytes().map(String::from_utf8_lossy)
    }

    fn number(self) -> Result<u64, Malformed> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Bytes(_) | Self::Fixed => Err(Malformed("a text stands for a number")),
        }
    }
}

/// The fields of a message with their numbers, in the order of the message.
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub const fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), Malformed> {
        let Key { number, kind } = key(&mut self.rest)?;
        let value = match kind {
            Kind::Number => Value::Number(varint(&mut self.rest)?),
            Kind::Bytes => {
                let length = length(&mut self.rest)?;
                Value::Bytes(take(&mut self.rest, length)?)
            }
            Kind::Fixed(size) => {
                take(&mut self.rest, size)?;
                Value::Fixed
            }
        };
        Ok((number, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// The head of a field, before its value.
pub struct Key {
    pub number: u32,
    pub kind: Kind,
}

/// The length of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The value ends with its first byte below 0x80.
    Number,
    /// The length precedes the value.
    Bytes,
    /// The value always has this number of bytes.
    Fixed(usize),
}

/// Reads the key of a field from the rest of a message.
pub fn key(rest: &mut &[u8]) -> Result<Key, Malformed> {
    let key = varint(rest)?;
    let number = u32::try_from(key >> 3).map_err(|_| Malformed("the number of a field is too large"))?;
    let kind = match key & 7 {
        0 => Kind::Number,
        1 => Kind::Fixed(8),
        2 => Kind::Bytes,
        5 => Kind::Fixed(4),
        _ => return Err(Malformed("the type of a field is not known")),
    };
    Ok(Key { number, kind })
}

/// Reads a length from the rest of a message.
pub fn length(rest: &mut &[u8]) -> Result<usize, Malformed> {
    usize::try_from(varint(rest)?).map_err(|_| Malformed("a length is too large"))
}

fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0;
    for (index, byte) in rest.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            return Ok(number);
        }
    }
    Err(if rest.len() < 10 { CUT_OFF } else { Malformed("a number is too long") })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (taken, after) = rest.split_at_checked(length).ok_or(CUT_OFF)?;
    *rest = after;
    Ok(taken)
}

/// A type that is read from a message, field by field. Unknown fields are skipped.
pub trait Message: Default {
    /// Sets the field with this number.
    fn set(&mut self, number: u32, value: Value<'_>) -> Result<(), Malformed>;
}

/// Reads a message.
pub fn read<M: Message>(message: &[u8]) -> Result<M, Malformed> {
    let mut read = M::default();
    for field in Fields::of(message) {
        let (number, value) = field?;
        read.set(number, value)?;
    }
    Ok(read)
}

/// The text or message in one field of a complete message. `None` if the message does not have the field.
pub fn part(message: &[u8], wanted: u32) -> Result<Option<&[u8]>, Malformed> {
    let mut part = None;
    for field in Fields::of(message) {
        let (number, value) = field?;
        if number == wanted {
            part = Some(value.bytes()?);
        }
    }
    Ok(part)
}

/// A type that can hold the value of a field.
pub trait Field {
    /// Sets the value. A list adds it to its values.
    fn put(&mut self, value: Value<'_>) -> Result<(), Malformed>;
}

impl<M: Message> Field for M {
    fn put(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        *self = read(value.bytes()?)?;
        Ok(())
    }
}

impl<F: Field + Default> Field for Vec<F> {
    fn put(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        let mut one = F::default();
        one.put(value)?;
        grow(self, 1);
        self.push(one);
        Ok(())
    }
}

impl<F: Field + Clone> Field for Arc<F> {
    fn put(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        Self::make_mut(self).put(value)
    }
}

impl<F: Field + Default> Field for Option<F> {
    fn put(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        self.insert(F::default()).put(value)
    }
}

impl Field for String {
    fn put(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        *self = value.text()?.into_owned();
        Ok(())
    }
}

impl Field for CompactString {
    fn put(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        *self = value.text()?.into();
        Ok(())
    }
}

impl Field for bool {
    fn put(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        *self = value.number()? != 0;
        Ok(())
    }
}

impl Field for i32 {
    fn put(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        // Negative numbers are written with 64 bits.
        let number = value.number()?.cast_signed();
        *self = Self::try_from(number).map_err(|_| Malformed("a number is too large"))?;
        Ok(())
    }
}

impl Field for i64 {
    fn put(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        *self = value.number()?.cast_signed();
        Ok(())
    }
}

/// One entry of a map.
#[derive(Default)]
struct Entry<'a> {
    key: Cow<'a, str>,
    value: Cow<'a, str>,
}

fn entry(message: Value<'_>) -> Result<Entry<'_>, Malformed> {
    let mut entry = Entry::default();
    for field in Fields::of(message.bytes()?) {
        match field? {
            (1, key) => entry.key = key.text()?,
            (2, value) => entry.value = value.text()?,
            _ => {}
        }
    }
    Ok(entry)
}

impl Field for BTreeMap<String, String> {
    fn put(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        let Entry { key, value } = entry(value)?;
        self.insert(key.into_owned(), value.into_owned());
        Ok(())
    }
}

impl Field for TextMap {
    fn put(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        let Entry { key, value } = entry(value)?;
        self.insert(&key, &value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_field_by_field() {
        type Expected = Result<Vec<(u32, Value<'static>)>, &'static str>;
        let cases: [(&[u8], Expected); 10] = [
            (b"", Ok(vec![])),
            (b"\x0a\x02ab", Ok(vec![(1, Value::Bytes(b"ab"))])),
            (b"\x10\x96\x01", Ok(vec![(2, Value::Number(150))])),
            (b"\x0d1234\x11abcdefgh\x18\x01", Ok(vec![(1, Value::Fixed), (2, Value::Fixed), (3, Value::Number(1))])),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Ok(vec![(1, Value::Number(u64::MAX))])),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Err("too long")),
            (b"\x0a\x03ab", Err("ends within a field")),
            (b"\x0a", Err("ends within a field")),
            (b"\x0b", Err("type of a field is not known")),
            (b"\x80\x80\x80\x80\x80\x80\x01\x01", Err("number of a field is too large")),
        ];
        for (message, expected) in cases {
            let fields: Result<Vec<_>, _> = Fields::of(message).collect();
            match (fields, expected) {
                (Ok(fields), Ok(expected)) => assert_eq!(fields, expected),
                (Err(malformed), Err(expected)) => assert!(malformed.to_string().contains(expected), "{malformed}"),
                (fields, expected) => panic!("{message:?}: {fields:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn fields_go_where_they_belong() {
        let (mut number, mut texts, mut text, mut map) = (0_i32, Vec::<String>::new(), None::<String>, BTreeMap::new());
        number.put(Value::Number((-7_i64).cast_unsigned())).unwrap();
        assert_eq!(number, -7);
        assert!(number.put(Value::Number(1 << 40)).is_err() && number.put(Value::Bytes(b"7")).is_err());
        texts.put(Value::Bytes(b"a")).unwrap();
        texts.put(Value::Bytes(b"\xff")).unwrap();
        assert_eq!(texts, ["a", "\u{fffd}"]);
        text.put(Value::Bytes(b"")).unwrap();
        assert_eq!(text.as_deref(), Some(""));
        map.put(Value::Bytes(b"\x0a\x01k\x12\x01v")).unwrap();
        assert_eq!(map, BTreeMap::from([("k".to_owned(), "v".to_owned())]));
        assert!(text.put(Value::Number(1)).is_err() && text.put(Value::Fixed).is_err());
    }
}
