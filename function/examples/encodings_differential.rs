//! Compares objects decoded from protobuf with the objects decoded from JSON.
//!
//! Argument: the folder of `tests/peers/cmd/encodings`, which must be running. Reads lists, then the events of a watch,
//! and then the lists again. Prints the number of objects of each kind that agree. Fails if one disagrees.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use target_allocator::cluster::{Kind, Objects, Reading};
use target_allocator::settings::Source;
use target_allocator_core::discovery::proxy::EnvironmentProxies;
use target_allocator_core::objects::{Cluster, Collection, Object};

/// Maximum number of printed disagreements of each kind.
const SHOWN: usize = 3;

/// Reads the objects of a cluster twice. The second read follows the changes since the first.
async fn read(kubeconfig: &Path) -> Result<[Cluster; 2]> {
    let objects =
        Objects::open(&Source::Kubeconfig(Some(kubeconfig.to_owned())), &EnvironmentProxies::default()).await?;
    let (kinds, mut reading) = (BTreeSet::from(Kind::ALL), Reading::default());
    objects.list(&kinds, &mut reading).await?;
    let first = reading.cluster.clone();
    objects.list(&kinds, &mut reading).await?;
    ensure!(reading.report().entries().is_empty(), "{:?}", reading.report());
    Ok([first, reading.cluster])
}

/// Prints the differences between two collections. Returns the number of objects if all agree, and `None` otherwise.
fn agree<T: Object + PartialEq + Debug>(
    out: &mut impl Write,
    ours: &Collection<T>,
    theirs: &Collection<T>,
) -> Result<Option<usize>> {
    let names: BTreeSet<_> = ours
        .iter()
        .chain(theirs.iter())
        .map(|object| object.metadata())
        .map(|metadata| (metadata.namespace.as_str(), metadata.name.as_str()))
        .collect();
    let differ = names.iter().filter(|(namespace, name)| ours.get(namespace, name) != theirs.get(namespace, name));
    let mut disagreed = 0;
    for (namespace, name) in differ {
        disagreed += 1;
        if disagreed <= SHOWN {
            let (ours, theirs) = (ours.get(namespace, name), theirs.get(namespace, name));
            writeln!(out, "{} {namespace}/{name}:\n  protobuf: {ours:?}\n  JSON:     {theirs:?}", T::KIND)?;
        }
    }
    Ok((disagreed == 0).then_some(names.len()))
}

/// Compares the collections of all kinds, and prints the results. Returns whether all agree.
fn agree_in_all(out: &mut impl Write, what: &str, ours: &Cluster, theirs: &Cluster) -> Result<bool> {
    let kinds = [
        ("namespaces", agree(out, &ours.namespaces, &theirs.namespaces)?),
        ("nodes", agree(out, &ours.nodes, &theirs.nodes)?),
        ("pods", agree(out, &ours.pods, &theirs.pods)?),
        ("services", agree(out, &ours.services, &theirs.services)?),
        ("endpoints", agree(out, &ours.endpoints, &theirs.endpoints)?),
        ("endpoint slices", agree(out, &ours.endpoint_slices, &theirs.endpoint_slices)?),
        ("ingresses", agree(out, &ours.ingresses, &theirs.ingresses)?),
        ("replica sets", agree(out, &ours.replica_sets, &theirs.replica_sets)?),
        ("jobs", agree(out, &ours.jobs, &theirs.jobs)?),
    ];
    for (kind, agreed) in kinds {
        match agreed {
            Some(count) => writeln!(out, "{what}: all {count} {kind} agree")?,
            None => writeln!(out, "{what}: {kind} DISAGREE")?,
        }
    }
    Ok(kinds.iter().all(|(_, agreed)| agreed.is_some_and(|count| count > 0)))
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).context("usage: encodings_differential FOLDER")?);
    let [first, followed] = read(&folder.join("protobuf")).await?;
    let [first_in_json, followed_in_json] = read(&folder.join("json")).await?;
    let [later, _] = read(&folder.join("later")).await?;
    let mut out = std::io::stdout().lock();
    let comparisons = [
        ("listed", &first, &first_in_json),
        ("watched", &followed, &later),
        ("watched in JSON", &followed_in_json, &later),
    ];
    let mut agreed = true;
    for (what, ours, theirs) in comparisons {
        agreed &= agree_in_all(&mut out, what, ours, theirs)?;
    }
    ensure!(agreed, "not everything agrees");
    Ok(())
}
