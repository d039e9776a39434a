//! What was read of a cluster, and where reading on begins.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::time::Duration;

use target_allocator_core::allocation::ReadScope;
use target_allocator_core::objects::{Cluster, Collection, Metadata, Object};
use target_allocator_core::report::{ObjectRef, Outcome, Report};

use super::Kind;
use super::encoding::{Encoded, Readable};
use super::known_references::References;
use super::limits::Limits;
use super::parts::{Expected, ObjectName};
use super::resource::Part;
use super::wrong::WrongAnswer;
use crate::moment::Moment;

/// The objects of a cluster as they were read last. Reading again into it takes
/// over what did not change.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The objects.
    pub cluster: Cluster,
    /// Which namespaces are read.
    pub(super) scope: ReadScope,
    /// What is known of each list that was read.
    pub(super) parts: BTreeMap<Part, Known>,
    /// What is known of the Secrets and ConfigMaps that monitors refer to.
    pub(super) references: References,
    /// What is wrong with the Secrets and ConfigMaps.
    pub(super) assets: Report,
    /// What is left of the limits of this refresh.
    pub(super) limits: Limits,
    /// Bytes of answers that were read the last time.
    pub bytes: usize,
    /// How long objects are kept whose definition is gone.
    pub keep: Duration,
}

/// What is known of the objects of one list besides the objects.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The version at which they were read; empty if a list is the only way.
    pub version: String,
    /// The newest version that the API server is known to have had.
    pub seen: String,
    /// Since when the definition of the kind is gone, while objects from before are kept.
    pub undefined_since: Option<Moment>,
    /// Since when objects are missing while the API server does not say whether their definition is going. Objects from
    /// before are kept meanwhile.
    pub doubted_since: Option<Moment>,
    /// Whether a list that was not found is believed to have no objects.
    pub is_absent: bool,
    /// Bytes of the last whole list.
    pub list_bytes: usize,
    /// Bytes that were read this time.
    pub bytes: usize,
    /// Objects that cannot be read, by namespace and name.
    malformed: BTreeMap<(String, String), Report>,
    /// What hindered following the changes.
    pub note: Report,
}

impl Reading {
    /// Prepares the next refresh, which reads `scope` into it.
    pub fn begin(&mut self, keep: Duration, scope: ReadScope) {
        (self.bytes, self.keep, self.scope, self.limits) = (0, keep, scope, Limits::default());
    }

    /// Forgets kinds that nobody needs any more.
    pub fn retain(&mut self, kinds: &BTreeSet<Kind>) {
        self.parts.retain(|part, _| kinds.contains(&part.kind));
    }

    /// What could not be read.
    pub fn report(&self) -> Report {
        let mut report = self.assets.clone();
        for known in self.parts.values() {
            report.extend(known.report());
        }
        report
    }
}

impl Known {
    /// What could not be read.
    pub fn report(&self) -> Report {
        let mut report = self.note.clone();
        self.malformed.values().for_each(|entry| report.extend(entry.clone()));
        report
    }

    /// Puts an object of that type into `collection`. What is no such object is an error; an object whose fields cannot
    /// be read is left out alone.
    pub fn accept<T: Readable>(
        &mut self,
        object: Encoded<'_>,
        expected: &Expected,
        collection: &mut Collection<T>,
    ) -> Result<(), WrongAnswer> {
        object.identified(expected)?;
        self.put(object, collection);
        Ok(())
    }

    /// Puts an object into `collection`. An object that cannot be read is left out and reported.
    pub fn put<T: Readable>(&mut self, object: Encoded<'_>, collection: &mut Collection<T>) {
        match object.read::<T>() {
            Ok(object) => {
                let Metadata { namespace, name, .. } = object.metadata();
                self.forget(namespace, name);
                collection.update(object);
            }
            Err(error) => {
                let ObjectName { name, namespace } = object.identity().unwrap_or_default().metadata;
                collection.remove(&namespace, &name);
                let metadata = Metadata { name, namespace, ..Metadata::default() };
                let mut report = Report::default();
                report_malformed::<T>(&metadata, &error, &mut report);
                self.malformed.insert((metadata.namespace, metadata.name), report);
            }
        }
    }

    /// Takes an object out of `collection`.
    pub fn take_out<T: Object>(&mut self, deleted: &ObjectName, collection: &mut Collection<T>) {
        self.forget(&deleted.namespace, &deleted.name);
        collection.remove(&deleted.namespace, &deleted.name);
    }

    /// Namespaces and names of the objects that cannot be read.
    pub fn unreadable(&self) -> BTreeSet<(String, String)> {
        self.malformed.keys().cloned().collect()
    }

    /// The first object that cannot be read, and why; empty if there is none.
    pub fn first_unreadable(&self) -> String {
        let first = self.malformed.values().find_map(|report| report.entries().first());
        first.map(|entry| format!("{}: {}", entry.object, entry.reason)).unwrap_or_default()
    }

    fn forget(&mut self, namespace: &str, name: &str) {
        if !self.malformed.is_empty() {
            self.malformed.remove(&(namespace.to_owned(), name.to_owned()));
        }
    }
}

/// Reports an object that could not be read, by as much of its name as can be.
pub fn report_malformed<T: Object>(metadata: &Metadata, error: &impl Display, report: &mut Report) {
    let object = ObjectRef::new(T::KIND, &metadata.namespace, &metadata.name);
    report.push(object, Outcome::Malformed, "", format_args!("the object cannot be read and is passed over: {error}"));
}

#[cfg(test)]
mod tests {
    use target_allocator_core::objects::Pod;

    use super::*;

    #[test]
    fn a_malformed_object_is_absent_alone_and_named() {
        let (mut known, mut pods) = (Known::default(), Collection::<Pod>::default());
        let good = r#"{"metadata": {"namespace": "shop", "name": "web"}}"#;
        let bad = r#"{"metadata": {"namespace": "shop", "name": "web"}, "spec": {"containers": "none"}}"#;
        let steps = [
            (good, true, 0),
            (bad, false, 1),
            (r#"{"metadata": 7}"#, false, 2),
            (
                r#"{"metadata": {"namespace": "shop", "name": "null"}, "spec": null, "status": {"podIP": null}}"#,
                false,
                2,
            ),
            (good, true, 1),
        ];
        for (object, there, malformed) in steps {
            known.put(Encoded::Json(object.as_bytes()), &mut pods);
            assert_eq!(pods.get("shop", "web").is_some(), there, "{object}");
            assert_eq!(known.malformed.len(), malformed, "{object}");
        }
        assert!(pods.get("shop", "null").is_some());
        let reading = Reading { parts: BTreeMap::from([(Kind::Pod.into(), known.clone())]), ..Reading::default() };
        let reported: Vec<_> = reading.report().entries().iter().map(|entry| entry.object.to_string()).collect();
        assert_eq!(reported, ["Pod/"]);
        let deleted = Encoded::Json(good.as_bytes()).identity().unwrap().metadata;
        known.take_out(&deleted, &mut pods);
        assert!(pods.get("shop", "web").is_none());
    }
}
