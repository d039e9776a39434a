//! The objects that really exist.

use std::collections::{BTreeMap, BTreeSet};

use target_allocator::cluster::Kind;

use crate::draw::Draw;

/// A kind of objects, as its path has it.
#[derive(Debug, Clone, Copy)]
pub struct Resource {
    pub kind: Kind,
    pub api_version: &'static str,
    pub name: &'static str,
    pub type_name: &'static str,
    /// Whether the API server knows the kind itself, and so answers in protobuf.
    pub built_in: bool,
    pub namespace: &'static str,
}

impl Resource {
    pub fn path(&self) -> String {
        let group = if self.api_version.contains('/') { "apis" } else { "api" };
        format!("/{group}/{}/{}", self.api_version, self.name)
    }
}

const fn resource(
    kind: Kind,
    api_version: &'static str,
    name: &'static str,
    type_name: &'static str,
    built_in: bool,
) -> Resource {
    let namespace = if matches!(kind, Kind::Namespace) { "" } else { "shop" };
    Resource { kind, api_version, name, type_name, built_in, namespace }
}

pub const RESOURCES: [Resource; 4] = [
    resource(Kind::ServiceMonitor, "monitoring.coreos.com/v1", "servicemonitors", "ServiceMonitor", false),
    resource(Kind::EndpointSlice, "discovery.k8s.io/v1", "endpointslices", "EndpointSlice", true),
    resource(Kind::Namespace, "v1", "namespaces", "Namespace", true),
    resource(Kind::Pod, "v1", "pods", "Pod", true),
];

/// An object: its number and the version of its creation. An object that is created anew is another one.
pub type Uid = (usize, u64);

/// How far the deletion of a definition has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definition {
    Present,
    /// Its objects are deleted one by one.
    Going,
    Gone,
}

/// A change of one object.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    pub version: u64,
    pub r#type: &'static str,
    pub uid: Uid,
}

/// The objects of one kind.
#[derive(Debug, Clone)]
pub struct Truth {
    pub version: u64,
    /// The version of creation of each object, by its number.
    pub objects: BTreeMap<usize, u64>,
    pub definition: Definition,
    pub changes: Vec<Change>,
    /// Earlier states, by their versions.
    pub earlier: Vec<(u64, BTreeMap<usize, u64>)>,
}

/// At most so many objects of a kind exist.
const OBJECTS: usize = 8;

impl Truth {
    pub fn drawn(draw: &mut Draw) -> Self {
        let count = draw.below(OBJECTS + 1);
        let objects = (0..count).map(|number| (number, 10 + number as u64)).collect();
        Self { version: 20, objects, definition: Definition::Present, changes: Vec::new(), earlier: Vec::new() }
    }

    pub fn uids(&self) -> BTreeSet<Uid> {
        self.objects.iter().map(|(number, created)| (*number, *created)).collect()
    }

    /// Whether the object exists, or existed once.
    pub fn has_had(&self, (number, created): Uid) -> bool {
        let states = self.earlier.iter().map(|(_, state)| state).chain([&self.objects]);
        let mut ever = states.map(|state| state.get(&number));
        ever.any(|found| found == Some(&created)) || self.changes.iter().any(|change| change.uid == (number, created))
    }

    /// Changes nothing, or one thing.
    pub fn change(&mut self, draw: &mut Draw, resource: &Resource) {
        self.earlier.push((self.version, self.objects.clone()));
        match self.definition {
            Definition::Present => match draw.below(8) {
                1 | 2 => self.put(draw.below(OBJECTS)),
                3 => self.delete(draw.below(OBJECTS)),
                4 => (0..OBJECTS).for_each(|number| self.put(number)),
                5 if !resource.built_in => self.definition = Definition::Going,
                6 if draw.once_in(4) => (0..OBJECTS).for_each(|number| self.delete(number)),
                _ => {}
            },
            Definition::Going => {
                let half = self.objects.len().div_ceil(2);
                let next: Vec<_> = self.objects.keys().take(half).copied().collect();
                if next.is_empty() {
                    self.definition = Definition::Gone;
                }
                next.into_iter().for_each(|number| self.delete(number));
            }
            Definition::Gone if draw.once_in(4) => self.definition = Definition::Present,
            Definition::Gone => {}
        }
    }

    fn put(&mut self, number: usize) {
        self.version += 1;
        let existed = self.objects.contains_key(&number);
        let created = *self.objects.entry(number).or_insert(self.version);
        let r#type = if existed { "MODIFIED" } else { "ADDED" };
        self.changes.push(Change { version: self.version, r#type, uid: (number, created) });
    }

    fn delete(&mut self, number: usize) {
        if let Some(created) = self.objects.remove(&number) {
            self.version += 1;
            self.changes.push(Change { version: self.version, r#type: "DELETED", uid: (number, created) });
        }
    }
}
