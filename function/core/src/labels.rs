//! Label sets as Prometheus has them: sorted by name, one value a name.
//!
//! Input and output of discovery and relabelling. Names and values borrow from the objects
//! that they come from, so a target copies only the labels that its rules change.
//! The rules for label names are here, too.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// Prefix of the labels that discovery makes and relabelling consumes.
pub const META_PREFIX: &str = "__meta_";

/// The address to scrape, `host:port`.
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

/// Whether a label can have that name.
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

/// The text as part of a label name: each character other than an ASCII letter or digit becomes an
/// underscore (`strutil.SanitizeLabelName` of Prometheus).
#[must_use]
pub fn sanitized(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The level at which service discovery sets a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All targets of a group have the same value, or none has one.
    Group,
    /// The same holds for the targets of one part of a group: a port of an endpoint slice.
    Part,
    /// Each target can have a value of its own.
    Target,
}

/// A label: name and value.
pub type Label<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Labels sorted by name (byte order), each name once.
///
/// A label with an empty value can be *held* (discovery makes such labels, and
/// they are served), but reads like one that is absent, and [`LabelSet::set`]
/// never leaves one behind: `model/labels` of Prometheus behaves so.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelSet<'a> {
    entries: Vec<Label<'a>>,
}

impl<'a> LabelSet<'a> {
    /// A set without labels.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// A set without labels that has room for `capacity` of them.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { entries: Vec::with_capacity(capacity) }
    }

    /// A set of labels that are already in the order of their names, each name once.
    #[must_use]
    pub fn from_sorted(entries: Vec<Label<'a>>) -> Self {
        debug_assert!(entries.is_sorted_by(|(one, _), (next, _)| one < next), "labels out of order: {entries:?}");
        Self { entries }
    }

    /// The labels of both sets; where both hold a name, that of `over` counts.
    #[must_use]
    pub fn merged(&self, over: &Self) -> Self {
        Self { entries: Layers { under: self, over }.entries().cloned().collect() }
    }

    /// These labels and those of `over` that have a value; where both hold a name,
    /// that of `over` counts.
    #[must_use]
    pub fn overlaid<'b>(&'b self, over: &'b LabelSet<'_>) -> LabelSet<'b> {
        // Rules set a few more.
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

    /// The value of `name`; empty if there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.position(name).map_or("", |at| &self.entries[at].1)
    }

    /// The value that is held for `name`, as it is held.
    #[must_use]
    pub fn held(&self, name: &str) -> Option<&Cow<'a, str>> {
        self.position(name).ok().map(|at| &self.entries[at].1)
    }

    /// Whether a label of that name is held, even with an empty value.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.position(name).is_ok()
    }

    /// Sets `name` to `value`; an empty value removes the label.
    pub fn set(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (name, value) = (name.into(), value.into());
        if value.is_empty() {
            self.remove(&name);
        } else {
            self.insert(name, value);
        }
    }

    /// Holds `name` with `value`, even an empty one: how discovery writes.
    pub fn insert(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (name, value) = (name.into(), value.into());
        match self.position(&name) {
            Ok(at) => self.entries[at].1 = value,
            Err(at) => self.entries.insert(at, (name, value)),
        }
    }

    /// Removes `name`, if it is there.
    pub fn remove(&mut self, name: &str) {
        if let Ok(at) = self.position(name) {
            self.entries.remove(at);
        }
    }

    /// Keeps the labels that `keep(name, value)` approves of.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        self.entries.retain(|(name, value)| keep(name, value));
    }

    /// The labels in order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.entries.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The labels in order of their names, as they are held.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Label<'a>> {
        self.entries.iter()
    }

    /// How many labels are held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no label is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(held, _)| held.as_ref().cmp(name))
    }
}

/// Two sets as if they were one: where both hold a name, that of `over` counts.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'s, 'a> {
    /// Labels that several targets share.
    pub under: &'s LabelSet<'a>,
    /// Labels of one target.
    pub over: &'s LabelSet<'a>,
}

impl<'s, 'a> Layers<'s, 'a> {
    /// The value of `name`; empty if there is none.
    #[must_use]
    pub fn get(self, name: &str) -> &'s str {
        match self.over.position(name) {
            Ok(at) => &self.over.entries[at].1,
            Err(_) => self.under.get(name),
        }
    }

    /// The labels in order of their names.
    pub fn iter(self) -> impl Iterator<Item = (&'s str, &'s str)> + Clone {
        self.entries().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// Whether a label of the one set hides one of the other.
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
    /// Of several values for one name the last counts.
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
