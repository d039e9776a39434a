//! Label sets: names with values, sorted by name, as in Prometheus.
//!
//! Discovery and relabelling read and write label sets. Names and values borrow from the discovered objects. A target
//! therefore copies only the labels that rules change.
//! The rules for label names are here too.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// Prefix of the labels that discovery sets. Prometheus removes these labels after relabelling.
pub const META_PREFIX: &str = "__meta_";

/// The label with the address to scrape, `host:port`.
pub const ADDRESS: &str = "__address__";

/// How label names are checked (`metric_name_validation_scheme`). It decides which names relabelling may set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NameValidation {
    /// Any UTF-8.
    #[default]
    Utf8,
    /// `[a-zA-Z_][a-zA-Z0-9_]*`.
    Legacy,
}

/// Whether a label can have this name.
#[must_use]
pub fn is_valid_label_name(name: &str, names: NameValidation) -> bool {
    match names {
        NameValidation::Utf8 => !name.is_empty(),
        NameValidation::Legacy => {
            let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            name.bytes().next().is_some_and(|first| !first.is_ascii_digit()) && name.bytes().all(word)
        }
    }
}

/// Converts a text to a part of a label name. Each character other than an ASCII letter or digit becomes an underscore
/// (`strutil.SanitizeLabelName` of Prometheus).
#[must_use]
pub fn sanitized(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The level at which service discovery sets a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All targets of a group have the same value, or no target of the group has the label.
    Group,
    /// All targets of a part of a group have the same value, or no target of the part has the label. A part is, for
    /// example, a port of an endpoint slice.
    Part,
    /// Each target can have another value.
    Target,
}

/// A label: name and value.
pub type Label<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Labels sorted by name in byte order, each name once.
///
/// A set can contain labels with an empty value. Discovery sets them, and they are served. [`LabelSet::get`] does not
/// distinguish an empty value from an absent label, and [`LabelSet::set`] removes a label whose new value is empty.
/// Both follow `model/labels` of Prometheus.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelSet<'a> {
    entries: Vec<Label<'a>>,
}

impl<'a> LabelSet<'a> {
    /// An empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// An empty set with room for `capacity` labels.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { entries: Vec::with_capacity(capacity) }
    }

    /// A set from labels that are already sorted by name, without duplicates.
    #[must_use]
    pub fn from_sorted(entries: Vec<Label<'a>>) -> Self {
        debug_assert!(entries.is_sorted_by(|(one, _), (next, _)| one < next), "labels out of order: {entries:?}");
        Self { entries }
    }

    /// The labels of both sets. If both have a name, the label of `over` wins.
    #[must_use]
    pub fn merged(&self, over: &Self) -> Self {
        Self { entries: Layers { under: self, over }.entries().cloned().collect() }
    }

    /// The labels of this set, and the labels of `over` with a non-empty value. If both have a name, `over` wins.
    #[must_use]
    pub fn overlaid<'b>(&'b self, over: &'b LabelSet<'_>) -> LabelSet<'b> {
        // Room for the few labels that rules typically add, to avoid a second allocation.
        let mut entries = Vec::with_capacity(self.len() + over.len() + 8);
        let mut under = self.iter().peekable();
        for (name, value) in over.iter().filter(|(_, value)| !value.is_empty()) {
            while let Some((below, text)) = under.next_if(|(below, _)| *below <= name) {
                if below < name {
                    entries.push((Cow::Borrowed(below), Cow::Borrowed(text)));
                }
            }
            entries.push((Cow::Borrowed(name), Cow::Borrowed(value)));
        }
        entries.extend(under.map(|(name, text)| (Cow::Borrowed(name), Cow::Borrowed(text))));
        LabelSet { entries }
    }

    /// The value of `name`. Empty if the label is absent.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.position(name).map_or("", |at| &self.entries[at].1)
    }

    /// The value of `name`, even an empty one. `None` if the set does not contain the label.
    #[must_use]
    pub fn held(&self, name: &str) -> Option<&Cow<'a, str>> {
        self.position(name).ok().map(|at| &self.entries[at].1)
    }

    /// Whether the set contains a label with this name, even with an empty value.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.position(name).is_ok()
    }

    /// Sets `name` to `value`. An empty value removes the label, as in relabelling rules.
    pub fn set(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (name, value) = (name.into(), value.into());
        if value.is_empty() {
            self.remove(&name);
        } else {
            self.insert(name, value);
        }
    }

    /// Sets `name` to `value`, even an empty one, as discovery does.
    pub fn insert(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (name, value) = (name.into(), value.into());
        match self.position(&name) {
            Ok(at) => self.entries[at].1 = value,
            Err(at) => self.entries.insert(at, (name, value)),
        }
    }

    /// Removes the label `name` if the set contains it.
    pub fn remove(&mut self, name: &str) {
        if let Ok(at) = self.position(name) {
            self.entries.remove(at);
        }
    }

    /// Removes the labels for which `keep(name, value)` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        self.entries.retain(|(name, value)| keep(name, value));
    }

    /// The labels in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.entries.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The labels in the order of their names, with their ownership: borrowed or owned.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Label<'a>> {
        self.entries.iter()
    }

    /// The number of labels, including those with an empty value.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the set contains no label.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(held, _)| held.as_ref().cmp(name))
    }
}

/// A view of two sets as one. If both have a name, the label of `over` wins.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'s, 'a> {
    /// Labels that the targets of a group share.
    pub under: &'s LabelSet<'a>,
    /// The labels of one target.
    pub over: &'s LabelSet<'a>,
}

impl<'s, 'a> Layers<'s, 'a> {
    /// The value of `name`. Empty if the label is absent.
    #[must_use]
    pub fn get(self, name: &str) -> &'s str {
        match self.over.position(name) {
            Ok(at) => &self.over.entries[at].1,
            Err(_) => self.under.get(name),
        }
    }

    /// The labels in the order of their names.
    pub fn iter(self) -> impl Iterator<Item = (&'s str, &'s str)> + Clone {
        self.entries().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// Whether both sets have a label with one name.
    #[must_use]
    pub fn overlap(self) -> bool {
        self.entries().count() < self.under.len() + self.over.len()
    }

    fn entries(self) -> impl Iterator<Item = &'s Label<'a>> + Clone {
        let (mut under, mut over) = (self.under.entries.iter().peekable(), self.over.entries.iter().peekable());
        std::iter::from_fn(move || match (under.peek(), over.peek()) {
            (Some(one), Some(other)) => match one.0.cmp(&other.0) {
                Ordering::Less => under.next(),
                Ordering::Greater => over.next(),
                Ordering::Equal => {
                    under.next();
                    over.next()
                }
            },
            (Some(_), None) => under.next(),
            (None, _) => over.next(),
        })
    }
}

impl<'a, N: Into<Cow<'a, str>>, V: Into<Cow<'a, str>>> FromIterator<(N, V)> for LabelSet<'a> {
    /// If a name has several values, the last one wins.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(labels: I) -> Self {
        let mut set = Self::new();
        for (name, value) in labels {
            set.insert(name, value);
        }
        set
    }
}

impl Serialize for LabelSet<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
