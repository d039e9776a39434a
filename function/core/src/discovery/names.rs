//! The names of the labels that Kubernetes discovery sets. Each name is held once.
//!
//! Names that hold a key of an object are composed when the index is built. A target then refers to
//! them by number, and a job decides once for each name whether it needs the label.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::label_table::{KeyPrefixes, KeySource, MetaLabel, ROWS};
use crate::labels::sanitized;

/// A name, by its position among all names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NameId(u32);

impl NameId {
    pub(super) const fn position(self) -> usize {
        self.0 as usize
    }
}

impl MetaLabel {
    /// The rows of the table come first among all names.
    pub(super) const fn id(self) -> NameId {
        NameId(self as u32)
    }
}

/// The names that a key makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyNames {
    /// Name of the label that holds the value.
    pub(super) value: NameId,
    /// Name of the label that says that there is a value. Without one, the name of the value.
    pub(super) present: NameId,
}

/// The labels that one label or annotation of an object becomes.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyedLabel {
    pub(super) names: KeyNames,
    /// Position of the value among the values of the object.
    pub(super) position: u32,
}

/// The labels that lists of keys become. The keys of a list are joined.
type ByKeys = HashMap<Box<[u8]>, Arc<[KeyedLabel]>>;

/// All names.
#[derive(Debug, Clone)]
pub(super) struct Names {
    names: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, NameId>,
    keys: HashMap<KeySource, HashMap<Box<str>, KeyNames>>,
    /// The labels that all keys of an object become. Most objects have the same keys as many others.
    lists: HashMap<KeySource, ByKeys>,
}

impl Names {
    pub(super) fn new() -> Self {
        let mut names = Self { names: Vec::new(), ids: HashMap::new(), keys: HashMap::new(), lists: HashMap::new() };
        for row in ROWS {
            names.intern(row.name.to_owned());
        }
        names
    }

    /// The names of a key, if an object of the index has the key.
    pub(super) fn known(&self, source: KeySource, key: &str) -> Option<KeyNames> {
        self.keys.get(&source)?.get(key).copied()
    }

    /// The names of a key, composed unless they are known.
    pub(super) fn learn(&mut self, source: KeySource, key: &str) -> KeyNames {
        if let Some(names) = self.known(source, key) {
            return names;
        }
        let KeyPrefixes { value, present } = source.prefixes();
        let key_part = sanitized(key);
        let value = self.intern(value + &key_part);
        let present = present.map_or(value, |prefix| self.intern(prefix + &key_part));
        let names = KeyNames { value, present };
        self.keys.entry(source).or_default().insert(key.into(), names);
        names
    }

    /// The labels that all keys of an object become, if another object has the same keys. The byte 0xff
    /// follows each key.
    pub(super) fn known_list(&self, source: KeySource, keys: &[u8]) -> Option<&Arc<[KeyedLabel]>> {
        self.lists.get(&source)?.get(keys)
    }

    /// The labels that all keys of an object become, in the order of their names.
    ///
    /// Several keys can become one name. Prometheus then takes any of their values; here the last key counts.
    pub(super) fn learn_list<'k>(
        &mut self,
        source: KeySource,
        joined: &[u8],
        keys: impl Iterator<Item = &'k str>,
    ) -> Arc<[KeyedLabel]> {
        let mut labels: Vec<KeyedLabel> =
            keys.zip(0..).map(|(key, position)| KeyedLabel { names: self.learn(source, key), position }).collect();
        labels.sort_by(|one, other| self.get(one.names.value).cmp(self.get(other.names.value)));
        labels.dedup_by(|later, kept| {
            let same = later.names == kept.names;
            if same {
                *kept = *later;
            }
            same
        });
        let labels: Arc<[KeyedLabel]> = labels.into();
        self.lists.entry(source).or_default().insert(joined.into(), Arc::clone(&labels));
        labels
    }

    pub(super) fn get(&self, id: NameId) -> &str {
        &self.names[id.position()]
    }

    /// All names, by their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    fn intern(&mut self, name: String) -> NameId {
        if let Some(id) = self.ids.get(name.as_str()) {
            return *id;
        }
        let id = NameId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.ids.insert(name, id);
        id
    }
}

/// Lower case, character by character, as Go has it.
pub(super) fn lowercase(text: &str) -> String {
    text.chars().filter_map(|c| c.to_lowercase().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::label_table::LabelledKind;

    #[test]
    fn keys_become_names() {
        let mut names = Names::new();
        let cases = [
            (
                KeySource::Label(LabelledKind::Pod),
                "app.kubernetes.io/name",
                "__meta_kubernetes_pod_label_app_kubernetes_io_name",
            ),
            (KeySource::Annotation(LabelledKind::Node), "ü-x_1", "__meta_kubernetes_node_annotation___x_1"),
            (KeySource::Topology, "zone", "__meta_kubernetes_endpointslice_endpoint_topology_zone"),
            (KeySource::NodeAddress, "InternalIP", "__meta_kubernetes_node_address_InternalIP"),
            (KeySource::NodeCondition, "ready", "__meta_kubernetes_node_condition_ready"),
        ];
        for (source, key, expected) in cases {
            let learned = names.learn(source, key);
            assert_eq!(names.get(learned.value), expected);
            assert_eq!(names.known(source, key), Some(learned));
        }
        let (one, other) = (
            names.learn(KeySource::Label(LabelledKind::Pod), "a.b"),
            names.learn(KeySource::Label(LabelledKind::Pod), "a-b"),
        );
        assert_eq!(one, other);
        assert_eq!(names.get(one.present), "__meta_kubernetes_pod_labelpresent_a_b");
        assert_eq!(names.get(MetaLabel::ServiceType.id()), MetaLabel::ServiceType.name());
    }
}
