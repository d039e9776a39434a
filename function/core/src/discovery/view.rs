//! Looks up the objects of a query in the index, and builds label sets.
//!
//! Input: a query and the index. Output: objects and label sets. Look-ups follow the informers of Prometheus: for a
//! query, an object that its selectors do not select does not exist. A look-up finds no object of another namespace,
//! unless the query watches all namespaces.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::index::{Described, Index, Prepared};
use super::label_table::{INSTANCE, KeySource, MetaLabel};
use super::names::{KeyNames, KeyedLabel, NameId, Names};
use super::query::Query;
use crate::labels::{ADDRESS, Label, LabelSet};
use crate::objects::endpoints::TargetRef;
use crate::objects::{Collection, Namespace, Node, Object, Pod, Service, TextMap};

/// Selects the `__meta_` labels that discovery makes.
#[derive(Debug, Clone)]
pub struct LabelFilter {
    /// Whether discovery makes the label, by the number of its name in the index. `None` for all labels.
    names: Option<Box<[bool]>>,
}

impl LabelFilter {
    /// All labels, as Prometheus makes them.
    pub const ALL: Self = Self { names: None };

    /// The labels for whose names `wanted` returns true. `wanted` is called once for each name of the index.
    #[must_use]
    pub fn new(index: &Index, wanted: impl FnMut(&str) -> bool) -> Self {
        Self { names: Some(index.names.iter().map(wanted).collect()) }
    }

    /// This filter for a later state of the index. `wanted` is called only for new names.
    #[must_use]
    pub fn next(&self, index: &Index, wanted: impl FnMut(&str) -> bool) -> Self {
        let names = self.names.as_ref().map(|known| {
            let new = index.names.iter().skip(known.len()).map(wanted);
            known.iter().copied().chain(new).collect()
        });
        Self { names }
    }

    fn contains(&self, name: NameId) -> bool {
        self.names.as_ref().is_none_or(|names| names.get(name.position()).copied().unwrap_or(true))
    }
}

/// The view of a query on the index, with the filter of labels.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a, 'q> {
    pub(super) index: &'a Index,
    pub(super) query: &'q Query,
    pub(super) filter: &'q LabelFilter,
}

impl<'a, 'q> View<'a, 'q> {
    /// The objects of a kind in the namespaces of the query.
    pub(super) fn walk<T: Object>(self, objects: &'a Collection<T>) -> impl Iterator<Item = &'a T> + use<'a, 'q, T> {
        let (all, some) = match self.query.groups_namespaces() {
            None => (Some(objects.iter()), None),
            Some(names) => (None, Some(names.iter().flat_map(|name| objects.in_namespace(name)))),
        };
        all.into_iter().flatten().chain(some.into_iter().flatten()).map(AsRef::as_ref)
    }

    /// Whether objects of this namespace make groups of the query.
    pub(super) fn sees(self, namespace: &str) -> bool {
        self.query.groups_namespaces().is_none_or(|names| names.iter().any(|name| name == namespace))
    }

    /// The pod to which an address refers. `from` is the namespace of the object with the address.
    pub(super) fn pod(self, reference: Option<&TargetRef>, from: &str) -> Option<&'a Prepared<Pod>> {
        let TargetRef { kind, namespace, name } = reference?;
        let visible = self.query.namespaces.is_none() || namespace == from;
        if kind != "Pod" || namespace.is_empty() || !visible {
            return None;
        }
        let pod = self.index.pods.get(namespace, name)?;
        self.query.selections.pods.selects(pod.object.as_ref()).then_some(pod.as_ref())
    }

    pub(super) fn service(self, namespace: &str, name: &str) -> Option<&'a Prepared<Service>> {
        let service = self.index.services.get(namespace, name)?;
        self.query.selections.services.selects(service.object.as_ref()).then_some(service.as_ref())
    }

    pub(super) fn node(self, name: &str) -> Option<&'a Prepared<Node>> {
        let node = self.index.nodes.get("", name)?;
        self.query.selections.nodes.selects(node.object.as_ref()).then_some(node.as_ref())
    }

    /// The namespace whose labels and annotations a target gets, if the query attaches them.
    fn attached_namespace(self, name: &str) -> Option<&'a Prepared<Namespace>> {
        if !self.query.attach.namespace {
            return None;
        }
        self.index.namespaces.get("", name).map(AsRef::as_ref)
    }

    /// An empty builder of labels.
    pub(super) fn labels(self) -> Labels<'a, 'q> {
        self.labels_with_room(0)
    }

    /// An empty builder with room for `count` labels.
    pub(super) fn labels_with_room(self, count: usize) -> Labels<'a, 'q> {
        Labels { entries: Vec::with_capacity(count), names: &self.index.names, filter: self.filter }
    }
}

/// Whether a key also gets a second label, which marks a present value with `true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    Present,
    None,
}

/// Builds a label set. Labels are pushed in the order of their names, so a finished set needs no sorting.
pub(super) struct Labels<'a, 'q> {
    entries: Vec<Label<'a>>,
    names: &'a Names,
    filter: &'q LabelFilter,
}

impl<'a> Labels<'a, '_> {
    /// Adds the address. Its name comes before all other names.
    pub(super) fn with_address(mut self, address: impl Into<Cow<'a, str>>) -> Self {
        self.entries.push((Cow::Borrowed(ADDRESS), address.into()));
        self
    }

    /// Pushes a label, unless the filter excludes it.
    pub(super) fn push(&mut self, name: MetaLabel, value: impl Into<Cow<'a, str>>) {
        if self.filter.contains(name.id()) {
            self.entries.push((Cow::Borrowed(name.name()), value.into()));
        }
    }

    /// Pushes a label if there is a value, unless the filter excludes it.
    pub(super) fn push_some(&mut self, name: MetaLabel, value: Option<&'a str>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }

    /// Pushes a label, unless the filter excludes it. The value is computed only if the label is pushed.
    pub(super) fn push_with(&mut self, name: MetaLabel, value: impl FnOnce() -> Cow<'a, str>) {
        if self.filter.contains(name.id()) {
            self.entries.push((Cow::Borrowed(name.name()), value()));
        }
    }

    /// Pushes the `__meta_` labels of the annotations of an object.
    pub(super) fn push_annotations<T: Described>(&mut self, of: &'a Prepared<T>) {
        self.push_keyed(&of.annotations, &of.metadata().annotations);
    }

    /// Pushes the `__meta_` labels of the labels of an object.
    pub(super) fn push_labels<T: Described>(&mut self, of: &'a Prepared<T>) {
        self.push_keyed(&of.labels, &of.metadata().labels);
    }

    /// Pushes the name of a namespace. If the query attaches namespaces, its annotations and labels follow.
    pub(super) fn push_namespace(&mut self, view: View<'a, '_>, name: &'a str) {
        self.push(MetaLabel::Namespace, name);
        if let Some(namespace) = view.attached_namespace(name) {
            self.push_annotations(namespace);
            self.push_labels(namespace);
        }
    }

    fn push_keyed(&mut self, keyed: &'a [KeyedLabel], values: &'a TextMap) {
        let filter = self.filter;
        if keyed.iter().any(|label| filter.contains(label.names.value)) {
            for label in keyed.iter().filter(|label| filter.contains(label.names.value)) {
                let value = values.value(label.position as usize);
                self.entries.push((Cow::Borrowed(self.names.get(label.names.value)), Cow::Borrowed(value)));
            }
        }
        for label in keyed.iter().filter(|label| filter.contains(label.names.present)) {
            self.entries.push((Cow::Borrowed(self.names.get(label.names.present)), Cow::Borrowed("true")));
        }
    }

    /// Pushes the `__meta_` labels of keys of one object, each with its value. If several keys have equal names, the
    /// last value counts.
    pub(super) fn push_sorted<'k>(
        &mut self,
        source: KeySource,
        values: impl Iterator<Item = (Cow<'k, str>, Cow<'a, str>)>,
        marks: Marks,
    ) {
        let mut sorted = BTreeMap::new();
        for (key, value) in values {
            let Some(KeyNames { value: name, present: name_present }) = self.names.known(source, &key) else {
                continue;
            };
            if self.filter.contains(name) {
                sorted.insert(self.names.get(name), value);
            }
            if marks == Marks::Present && self.filter.contains(name_present) {
                sorted.insert(self.names.get(name_present), Cow::Borrowed("true"));
            }
        }
        self.entries.extend(sorted.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)));
    }

    /// Pushes the label `instance` of a node. No filter excludes it, because Prometheus keeps this label after
    /// relabelling.
    pub(super) fn push_instance(&mut self, value: &'a str) {
        self.entries.push((Cow::Borrowed(INSTANCE), Cow::Borrowed(value)));
    }

    pub(super) fn finish(self) -> LabelSet<'a> {
        LabelSet::from_sorted(self.entries)
    }
}

/// Prints a port as Prometheus does: as an unsigned number.
pub(super) fn port_text(port: i32) -> String {
    i64::from(port).cast_unsigned().to_string()
}

pub(super) const fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
