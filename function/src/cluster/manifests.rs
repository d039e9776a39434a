//! Objects from YAML or JSON files: the output of `kubectl get -o yaml`, or files that people write.
//!
//! Input: a file or a folder. Output: objects. Every snapshot reads all files again. The refresh fails if a file is
//! incomplete ([`files`]), or if it contains anything other than Kubernetes objects ([`documents`]). An object that an
//! API server would refuse is reported, and all other objects are served. This module fills in the defaults of an API
//! server. Kinds that the allocator does not use are skipped.

mod defaults;
mod documents;
mod files;
mod required;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde_json::Value;
use target_allocator_core::objects::{Cluster, Collection, Object, ReferencedObject};
use target_allocator_core::report::{ObjectRef, Outcome, Report};
use target_allocator_core::yaml;

use super::{ClusterError, Kind, Reading};
use documents::Item;

pub use documents::ManifestError;

/// A file or folder of manifests.
#[derive(Clone)]
pub struct Manifests {
    path: Arc<Path>,
    /// The number of documents of each file, at the last successful reading.
    before: Arc<Mutex<BTreeMap<PathBuf, usize>>>,
}

impl Manifests {
    /// The manifests at `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path: path.into(), before: Arc::default() }
    }

    /// See [`super::Objects::list`].
    pub fn list(&self, kinds: &BTreeSet<Kind>, reading: &mut Reading) -> Result<(), ClusterError> {
        let (all, report) = self.read()?;
        reading.assets = report;
        let cluster = &mut reading.cluster;
        for kind in kinds {
            match kind {
                Kind::Namespace => take_over(&all.namespaces, &mut cluster.namespaces),
                Kind::Node => take_over(&all.nodes, &mut cluster.nodes),
                Kind::Pod => take_over(&all.pods, &mut cluster.pods),
                Kind::Service => take_over(&all.services, &mut cluster.services),
                Kind::Endpoints => take_over(&all.endpoints, &mut cluster.endpoints),
                Kind::EndpointSlice => take_over(&all.endpoint_slices, &mut cluster.endpoint_slices),
                Kind::Ingress => take_over(&all.ingresses, &mut cluster.ingresses),
                Kind::ReplicaSet => take_over(&all.replica_sets, &mut cluster.replica_sets),
                Kind::Job => take_over(&all.jobs, &mut cluster.jobs),
                Kind::ServiceMonitor => take_over(&all.service_monitors, &mut cluster.service_monitors),
                Kind::PodMonitor => take_over(&all.pod_monitors, &mut cluster.pod_monitors),
                Kind::Probe => take_over(&all.probes, &mut cluster.probes),
                Kind::ScrapeConfig => take_over(&all.scrape_configs, &mut cluster.scrape_configs),
            }
        }
        Ok(())
    }

    /// See [`super::Objects::get`].
    pub fn get(&self, references: &BTreeSet<ReferencedObject>, reading: &mut Reading) -> Result<(), ClusterError> {
        let (all, report) = self.read()?;
        reading.assets = report;
        let (mut secrets, mut config_maps) = (Collection::default(), Collection::default());
        for reference in references {
            match reference {
                ReferencedObject::Secret { namespace, name } => pick(namespace, name, &all.secrets, &mut secrets),
                ReferencedObject::ConfigMap { namespace, name } => {
                    pick(namespace, name, &all.config_maps, &mut config_maps);
                }
            }
        }
        take_over(&secrets, &mut reading.cluster.secrets);
        take_over(&config_maps, &mut reading.cluster.config_maps);
        Ok(())
    }

    fn read(&self) -> Result<(Cluster, Report), ClusterError> {
        let (mut cluster, mut report) = (Cluster::default(), Report::default());
        let mut counts = BTreeMap::new();
        for path in files::find(&self.path)? {
            let count = self.read_file(&path, &mut cluster, &mut report)?;
            counts.insert(path, count);
        }
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = counts;
        defaults::add_namespaces(&mut cluster);
        Ok((cluster, report))
    }

    /// Adds the objects of one file. Returns the number of its documents.
    fn read_file(&self, path: &Path, cluster: &mut Cluster, report: &mut Report) -> Result<usize, ClusterError> {
        let file = files::read(path)?;
        let failed = |source| ClusterError::Manifest { path: path.to_owned(), source };
        let count = documents::read(&file.text, |item| match item {
            Item::Object(object) => add(object, cluster, report),
            Item::Unreadable(line, error) => {
                let object = ObjectRef::new("Manifest", "", format!("{}:{line}", path.display()));
                report.push(object, Outcome::Malformed, "", format_args!("the document is skipped: {error}"));
            }
        })
        .map_err(failed)?;
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied();
        files::check_whole(&file, before, count, SystemTime::now()).map_err(failed)?;
        Ok(count)
    }
}

/// Replaces a collection. Equal objects stay shared in memory.
fn take_over<T: Object + PartialEq>(now: &Collection<T>, collection: &mut Collection<T>) {
    let mut now = now.clone();
    now.share_with(collection);
    *collection = now;
}

fn pick<T: Object>(namespace: &str, name: &str, from: &Collection<T>, into: &mut Collection<T>) {
    if let Some(object) = from.get(namespace, name) {
        into.insert(Arc::clone(object));
    }
}

/// Adds an object. Kinds that the allocator does not use are skipped.
fn add(document: Value, cluster: &mut Cluster, report: &mut Report) {
    let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion").to_owned(), text("kind").to_owned());
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    match (group, kind.as_str()) {
        ("", "Namespace") => insert(document, &mut cluster.namespaces, report, defaults::namespace),
        ("", "Node") => insert(document, &mut cluster.nodes, report, |_| {}),
        ("", "Pod") => insert(document, &mut cluster.pods, report, defaults::pod),
        ("", "Service") => insert(document, &mut cluster.services, report, defaults::service),
        ("", "Endpoints") => insert(document, &mut cluster.endpoints, report, defaults::endpoints),
        ("", "Secret") => insert(document, &mut cluster.secrets, report, defaults::secret),
        ("", "ConfigMap") => insert(document, &mut cluster.config_maps, report, defaults::config_map),
        ("discovery.k8s.io", "EndpointSlice") => {
            insert(document, &mut cluster.endpoint_slices, report, defaults::endpoint_slice);
        }
        ("networking.k8s.io", "Ingress") => insert(document, &mut cluster.ingresses, report, defaults::ingress),
        ("apps", "ReplicaSet") => insert(document, &mut cluster.replica_sets, report, defaults::replica_set),
        ("batch", "Job") => insert(document, &mut cluster.jobs, report, defaults::job),
        ("monitoring.coreos.com", "ServiceMonitor") => {
            insert(document, &mut cluster.service_monitors, report, defaults::service_monitor);
        }
        ("monitoring.coreos.com", "PodMonitor") => {
            insert(document, &mut cluster.pod_monitors, report, defaults::pod_monitor);
        }
        ("monitoring.coreos.com", "Probe") => insert(document, &mut cluster.probes, report, defaults::probe),
        ("monitoring.coreos.com", "ScrapeConfig") => {
            insert(document, &mut cluster.scrape_configs, report, defaults::scrape_config);
        }
        _ => {}
    }
}

fn insert<T: Object + PartialEq + DeserializeOwned>(
    document: Value,
    collection: &mut Collection<T>,
    report: &mut Report,
    complete: impl Fn(&mut T),
) {
    let refused = |field: &str, reason: &str, report: &mut Report| {
        let reason = format_args!("an API server refuses the object, so it is skipped: {reason}");
        report.push(name::<T>(&document), Outcome::Malformed, field, reason);
    };
    if let Some(field) = required::missing(T::KIND, &document) {
        let reason = format!("the field is required, write {}", field.wanted);
        return refused(field.path, &reason, report);
    }
    let read = T::deserialize(&document).or_else(|error| {
        let mut other = document.clone();
        yaml::letters_to_booleans(&mut other);
        T::deserialize(&other).map_err(|_| error)
    });
    match read {
        Ok(mut object) => {
            complete(&mut object);
            collection.update(object);
        }
        // Finding the field requires a second, expensive pass. Only objects with errors need it.
        Err(error) => match serde_path_to_error::deserialize::<_, T>(&document) {
            Err(error) => refused(&field(error.path()), &error.inner().to_string(), report),
            Ok(_) => refused("", &error.to_string(), report),
        },
    }
}

/// The path of a field. Empty for the whole object.
fn field(path: &serde_path_to_error::Path) -> String {
    let path = path.to_string();
    if path == "." { String::new() } else { path }
}

/// The name of an object. Uses all of its metadata that can be read.
fn name<T: Object>(document: &Value) -> ObjectRef {
    let text = |key: &str| match document.pointer(&format!("/metadata/{key}")) {
        Some(value) if value.is_string() || value.is_number() || value.is_boolean() => {
            yaml::to_text(value).into_owned()
        }
        _ => String::new(),
    };
    ObjectRef::new(T::KIND, text("namespace"), text("name"))
}

#[cfg(test)]
mod tests;
