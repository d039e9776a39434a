//! Where the objects come from: an API server or manifests.
//!
//! Input: a [`Source`] and the kinds that are wanted. Output: slim typed objects
//! and a report of those that could not be read. The only module that talks to
//! a cluster. A list is complete or it is an error.

mod api;
mod eks;
pub mod encoding;
mod error;
mod follow;
mod items;
mod list;
mod manifests;
mod parts;
mod protobuf;
mod reading;
mod trust;
mod wrong;

use std::collections::BTreeSet;

use target_allocator_core::monitors::ReferencedObject;

pub use error::ClusterError;
pub use reading::Reading;
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

    /// The objects of the API server behind a client: fuzzing answers its requests from memory. Lists of
    /// `worth_following` bytes are followed by watches.
    #[must_use]
    pub const fn behind(client: kube::Client, worth_following: usize) -> Self {
        Self::Api(api::Api::behind(client, worth_following))
    }

    /// Brings all objects of `kinds` up to date.
    ///
    /// # Errors
    /// When one kind cannot be read; `reading` is then incomplete and must not be used.
    pub async fn list(&self, kinds: &BTreeSet<Kind>, reading: &mut Reading) -> Result<(), ClusterError> {
        match self {
            Self::Api(api) => api.list(kinds, reading).await,
            Self::Eks(eks) => eks.list(kinds, reading).await,
            Self::Manifests(manifests) => manifests.list(kinds, reading),
        }
    }

    /// Reads the secrets and config maps that are referred to, and forgets others; one
    /// that does not exist is left out.
    ///
    /// # Errors
    /// When one cannot be read for another reason than that it does not exist.
    pub async fn get(
        &self,
        references: &BTreeSet<ReferencedObject>,
        reading: &mut Reading,
    ) -> Result<(), ClusterError> {
        match self {
            Self::Api(api) => api.get(references, reading).await,
            Self::Eks(eks) => eks.get(references, reading).await,
            Self::Manifests(manifests) => manifests.get(references, reading),
        }
    }
}
