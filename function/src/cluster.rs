//! Where the objects come from: an API server or manifests.
//!
//! Input: a [`Source`] and the kinds that are wanted. Output: slim typed objects
//! and a report of those that could not be read. The only module that talks to
//! a cluster. A list is complete or it is an error.

mod api;
mod eks;
mod error;
mod manifests;
mod page;

use std::collections::BTreeSet;

use target_allocator_core::monitors::ReferencedObject;
use target_allocator_core::objects::Cluster;
use target_allocator_core::report::Report;

pub use error::ClusterError;
pub use target_allocator_core::allocation::Kind;

use crate::settings::Source;

/// A cluster whose objects can be listed.
#[derive(Clone)]
pub enum Objects {
    /// Behind an API server.
    Api(api::Api),
    /// In EKS.
    Eks(eks::Eks),
    /// In files.
    Manifests(manifests::Manifests),
}

impl Objects {
    /// Prepares access to the objects of `source`; nothing is asked of the cluster yet.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn open(source: &Source) -> Result<Self, ClusterError> {
        match source {
            Source::Kubeconfig(path) => Ok(Self::Api(api::Api::from_kubeconfig(path.as_deref()).await?)),
            Source::Eks(cluster) => Ok(Self::Eks(eks::Eks::new(cluster.clone()))),
            Source::Manifests(path) => Ok(Self::Manifests(manifests::Manifests::new(path.clone()))),
        }
    }

    /// Adds all objects of `kinds` to `cluster`.
    ///
    /// # Errors
    /// When one list fails; `cluster` is then incomplete and must not be used.
    pub async fn list(
        &self,
        kinds: &BTreeSet<Kind>,
        cluster: &mut Cluster,
        report: &mut Report,
    ) -> Result<(), ClusterError> {
        match self {
            Self::Api(api) => api.list(kinds, cluster, report).await,
            Self::Eks(eks) => eks.list(kinds, cluster, report).await,
            Self::Manifests(manifests) => manifests.list(kinds, cluster, report),
        }
    }

    /// Adds the secrets and config maps that are referred to; one that does not exist is left out.
    ///
    /// # Errors
    /// When one cannot be read for another reason than that it does not exist.
    pub async fn get(
        &self,
        references: &BTreeSet<ReferencedObject>,
        cluster: &mut Cluster,
        report: &mut Report,
    ) -> Result<(), ClusterError> {
        match self {
            Self::Api(api) => api.get(references, cluster, report).await,
            Self::Eks(eks) => eks.get(references, cluster, report).await,
            Self::Manifests(manifests) => manifests.get(references, cluster, report),
        }
    }
}
