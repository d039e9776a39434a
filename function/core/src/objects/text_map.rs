//! A compact map for labels and annotations.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer};

use super::grow;

/// A map from text to text, sorted by key in byte order.
///
/// All keys and values are in one allocation. A cluster has tens of thousands of maps with a few entries each, and a
/// `BTreeMap<String, String>` would need an allocation for each key and value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TextMap {
    text: String,
    /// The ends of keys and values in `text`, alternating.
    ends: Vec<u32>,
}

impl TextMap {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.position(key).ok().map(|position| self.value(position))
    }

    /// Whether the key has a value.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_ok()
    }

    /// Sets the value of a key. Replaces an earlier value.
    pub fn insert(&mut self, key: &str, value: &str) {
        match self.position(key) {
            Err(position) if position == self.len() => self.push(key, value),
            _ => {
                let mut entries: BTreeMap<&str, &str> = self.iter().collect();
                entries.insert(key, value);
                *self = entries.into_iter().collect();
            }
        }
    }

    /// The keys and values, sorted by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        (0..self.len()).map(|position| (self.key(position), self.value(position)))
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|position| self.key(position))
    }

    /// The number of entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len() / 2
    }

    /// Whether there is no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The value at a position in the order of the keys. Empty if the position does not exist.
    #[must_use]
    pub fn value(&self, position: usize) -> &str {
        self.part(2 * position + 1)
    }

    fn key(&self, position: usize) -> &str {
        self.part(2 * position)
    }

    fn part(&self, part: usize) -> &str {
        let start = part.checked_sub(1).map_or(0, |before| self.end(before));
        self.text.get(start..self.end(part)).unwrap_or_default()
    }

    fn end(&self, part: usize) -> usize {
        self.ends.get(part).map_or(0, |end| *end as usize)
    }

    /// The position of a key, or the position at which to insert it.
    fn position(&self, key: &str) -> Result<usize, usize> {
        // Inputs are nearly always sorted, so a new key usually belongs at the end.
        let last = self.len().checked_sub(1);
        if last.is_none_or(|last| self.key(last) < key) {
            return Err(self.len());
        }
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.key(middle).cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Appends a key that sorts after all others. Reserves little extra room, because maps rarely grow after decoding.
    fn push(&mut self, key: &str, value: &str) {
        grow(&mut self.ends, 2);
        let more = key.len() + value.len();
        if self.text.capacity() - self.text.len() < more {
            self.text.reserve_exact(more.max(self.text.len() / 4));
        }
        for part in [key, value] {
            self.text.push_str(part);
            // The API server limits an object to a few megabytes, so the length always fits.
            self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        }
    }
}

impl fmt::Debug for TextMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for TextMap {
    /// If a key has several values, the last one wins.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::default();
        for (key, value) in entries {
            map.insert(key.as_ref(), value.as_ref());
        }
        map
    }
}

impl<'de> Deserialize<'de> for TextMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The tree sorts the entries, so that each is appended at the end.
        BTreeMap::<String, String>::deserialize(deserializer).map(|entries| entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_map_equals_a_tree_map(
            entries in prop::collection::vec(("[a-c]{0,2}", "[é-ë]{0,2}"), 0..8),
            others in prop::collection::vec("[a-c]{0,2}", 4),
        ) {
            let expected: BTreeMap<String, String> = entries.iter().cloned().collect();
            let map: TextMap = entries.iter().map(|(key, value)| (key, value)).collect();
            let found: Vec<_> = map.iter().collect();
            let wanted: Vec<_> = expected.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            prop_assert_eq!(&found, &wanted);
            prop_assert!(map.keys().eq(expected.keys()));
            prop_assert_eq!((map.len(), map.is_empty()), (expected.len(), expected.is_empty()));
            for key in expected.keys().chain(&others) {
                prop_assert_eq!(map.get(key), expected.get(key).map(String::as_str));
                prop_assert_eq!(map.contains_key(key), expected.contains_key(key));
            }
            prop_assert_eq!(format!("{map:?}"), format!("{expected:?}"));
            let text = serde_json::to_string(&expected).unwrap();
            prop_assert_eq!(serde_json::from_str::<TextMap>(&text).unwrap(), map);
        }
    }
}
