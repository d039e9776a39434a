//! The names of the labels that Kubernetes discovery sets. Equal names share memory.
//!
//! Input: the keys of objects. Output: a number for each name. Names that contain a key are composed when the index is
//! built. Targets refer to names by number, so a job decides once for each name whether it needs the label.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::label_table::{KeyPrefixes, KeySource, MetaLabel, ROWS};
use crate::labels::sanitized;

/// The number of a name: its position in the list of all names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NameId(u32);

impl NameId {
    pub(super) const fn position(self) -> usize {
        self.0 as usize
    }
}

impl MetaLabel {
    /// The number of the name. The list of all names starts with the rows of the table.
    pub(super) const fn id(self) -> NameId {
        NameId(self as u32)
    }
}

/// The names of the labels of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyNames {
    /// The name of the label with the value.
    pub(super) value: NameId,
    /// The name of the label that marks a present value. Equal to `value` if there is no such label.
    pub(super) present: NameId,
}

/// The `__meta_` labels of one label or annotation of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyedLabel {
    pub(super) names: KeyNames,
    /// The position of the value in the values of the object.
    pub(super) position: u32,
}

/// The `__meta_` labels of lists of keys. The map's key is the joined list.
type ByKeys = HashMap<Box<[u8]>, Arc<[KeyedLabel]>>;

/// All names.
#[derive(Debug, Clone)]
pub(super) struct Names {
    names: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, NameId>,
    keys: HashMap<KeySource, HashMap<Box<str>, KeyNames>>,
    /// The `__meta_` labels of whole lists of keys. Many objects have equal lists of keys.
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

    /// The names of a key. `None` if no object of the index has the key.
    pub(super) fn known(&self, source: KeySource, key: &str) -> Option<KeyNames> {
        self.keys.get(&source)?.get(key).copied()
    }

    /// The names of a key. Composes them if they are new.
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

    /// The `__meta_` labels of a list of keys. `None` if no other object has an equal list. The byte 0xff follows each
    /// key in `joined`.
    pub(super) fn known_list(&self, source: KeySource, keys: &[u8]) -> Option<&Arc<[KeyedLabel]>> {
        self.lists.get(&source)?.get(keys)
    }

    /// Composes the `__meta_` labels of a list of keys, in the order of their names.
    ///
    /// Several keys can have equal names. Prometheus then uses the value of any of these keys. The function uses the
    /// last key.
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

    /// All names, in the order of their numbers.
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

/// Converts to lower case character by character, as Go does.
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
