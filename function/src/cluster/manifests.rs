//! Objects from YAML or JSON files, as `kubectl get -o yaml` prints them or as people write them.
//!
//! Files are read anew for every snapshot. What an API server would fill in is
//! filled in here; kinds that the allocator does not read are passed over.

mod defaults;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use target_allocator_core::objects::{Cluster, Collection, Metadata, Object, ReferencedObject};
use target_allocator_core::report::Report;
use target_allocator_core::yaml::{self, YamlError};

use super::reading::report_malformed;
use super::{ClusterError, Kind, Reading};

/// A file or folder of manifests.
#[derive(Clone)]
pub struct Manifests {
    path: Arc<Path>,
}

impl Manifests {
    /// The manifests at `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path: path.into() }
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
        let mut files = Vec::new();
        find_files(&self.path, &mut files)?;
        let (mut cluster, mut report) = (Cluster::default(), Report::default());
        for file in files {
            read_documents(&file, |document| add(document, &mut cluster, &mut report))?;
        }
        defaults::add_namespaces(&mut cluster);
        Ok((cluster, report))
    }
}

/// What is equal in both stays the same object.
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

/// The file itself, or all YAML and JSON files below a folder, in order of their names.
fn find_files(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), ClusterError> {
    let failed = |source| ClusterError::File { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(failed)?;
    let mut entries =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort();
    for entry in entries {
        let is_manifest =
            entry.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|e| extension == *e));
        if is_manifest || entry.is_dir() {
            find_files(&entry, files)?;
        }
    }
    Ok(())
}

/// Gives each document to `take`, and of lists in JSON each item.
fn read_documents(file: &Path, mut take: impl FnMut(Value)) -> Result<(), ClusterError> {
    let text = std::fs::read_to_string(file).map_err(|source| ClusterError::File { path: file.to_owned(), source })?;
    // JSON is YAML, but read as YAML it takes many times as long.
    if text.starts_with('{') && read_json(&text, &mut take).is_ok() {
        return Ok(());
    }
    // The library counts aliases, but not how long what they stand for is.
    // What is no YAML it says better, too.
    if text.contains('&')
        && let Err(source @ (YamlError::TooLarge(_) | YamlError::RecursiveAlias(_))) = yaml::check_aliases(&text)
    {
        return Err(ClusterError::Aliases { path: file.to_owned(), source });
    }
    let failed = |source| ClusterError::Yaml { path: file.to_owned(), source };
    for document in serde_norway::Deserializer::from_str(&text) {
        // Merge keys, which kubectl resolves too.
        let mut value = serde_norway::Value::deserialize(document).map_err(failed)?;
        value.apply_merge().map_err(failed)?;
        take(serde_norway::from_value(value).map_err(failed)?);
    }
    Ok(())
}

/// A list whose items are texts yet.
#[derive(Deserialize)]
struct List<'t> {
    #[serde(rename = "apiVersion", default)]
    api_version: String,
    kind: String,
    #[serde(borrow)]
    items: Vec<&'t RawValue>,
}

/// One item at a time: as values, a list of 100,000 pods takes ten times what its text does.
fn read_json(text: &str, take: &mut impl FnMut(Value)) -> serde_json::Result<()> {
    let documents: Vec<&RawValue> = serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>()?;
    for document in documents {
        match serde_json::from_str::<List<'_>>(document.get()) {
            Ok(List { api_version, kind, items }) if kind.ends_with("List") => {
                for item in items {
                    let mut item = serde_json::from_str(item.get())?;
                    inherit(&mut item, &api_version, &kind);
                    take(item);
                }
            }
            _ => take(serde_json::from_str(document.get())?),
        }
    }
    Ok(())
}

/// Adds an object, or each item of a list.
fn add(document: Value, cluster: &mut Cluster, report: &mut Report) {
    let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion").to_owned(), text("kind").to_owned());
    if kind.ends_with("List")
        && let Value::Object(mut list) = document
    {
        if let Some(Value::Array(items)) = list.remove("items") {
            for mut item in items {
                inherit(&mut item, &api_version, &kind);
                add(item, cluster, report);
            }
        }
        return;
    }
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

/// Items of typed lists, as the API server sends them, leave out what the list says.
fn inherit(item: &mut Value, api_version: &str, list_kind: &str) {
    let Value::Object(fields) = item else { return };
    for (key, value) in [("apiVersion", api_version), ("kind", list_kind.trim_end_matches("List"))] {
        if !value.is_empty() {
            fields.entry(key).or_insert_with(|| value.into());
        }
    }
}

fn insert<T: Object + PartialEq + DeserializeOwned>(
    document: Value,
    collection: &mut Collection<T>,
    report: &mut Report,
    complete: impl Fn(&mut T),
) {
    let metadata = || Metadata::deserialize(document.get("metadata").unwrap_or(&Value::Null)).unwrap_or_default();
    match T::deserialize(&document) {
        Ok(mut object) => {
            complete(&mut object);
            collection.update(object);
        }
        Err(error) => report_malformed::<T>(&metadata(), &error, report),
    }
}

#[cfg(test)]
mod tests;
