//! Where the objects come from: an API server or manifests.
//!
//! Input: a [`Source`] and the kinds that are wanted. Output: slim typed objects
//! and a report of those that could not be read. The only module that talks to
//! a cluster. A list is complete or it is an error.

mod api;
mod bearer;
mod connections;
mod definition;
mod eks;
pub mod encoding;
mod error;
mod follow;
mod items;
mod known_references;
mod limits;
mod list;
mod manifests;
mod namespaces;
mod parts;
mod protobuf;
mod proxy;
mod reading;
mod references;
mod request;
mod resource;
mod trust;
mod wrong;

use std::collections::BTreeSet;
use std::sync::Arc;

use target_allocator_core::discovery::proxy::EnvironmentProxies;
use target_allocator_core::objects::ReferencedObject;
use tokio::select;

pub use error::ClusterError;
pub use reading::Reading;
pub use target_allocator_core::allocation::Kind;

use crate::settings::Source;
use limits::Exceeded;

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
    /// Prepares access to the objects of `source`, through a proxy of the environment if there is one. Sends no request.
    ///
    /// # Errors
    /// When the kubeconfig or the proxy cannot be used.
    pub async fn open(source: &Source, proxies: &EnvironmentProxies) -> Result<Self, ClusterError> {
        match source {
            Source::Kubeconfig(path) => Ok(Self::Api(api::Api::from_kubeconfig(path.as_deref(), proxies).await?)),
            Source::Eks(cluster) => Ok(Self::Eks(eks::Eks::new(cluster.clone(), proxies.clone()))),
            Source::Manifests(path) => Ok(Self::Manifests(manifests::Manifests::new(path.clone()))),
        }
    }

    /// The issuer of the cluster's service account tokens, where the source names it.
    ///
    /// EKS names it once it has been asked about the cluster, which the first reading does.
    #[must_use]
    pub fn issuer(&self) -> Option<Arc<str>> {
        match self {
            Self::Eks(eks) => eks.issuer(),
            Self::Api(_) | Self::Manifests(_) => None,
        }
    }

    /// The objects of the API server behind a client: fuzzing answers its requests from memory. Lists of
    /// `worth_following` bytes are followed by watches.
    ///
    /// # Errors
    /// Never: the client exists.
    pub fn behind(client: kube::Client, worth_following: usize) -> Result<Self, ClusterError> {
        api::Api::behind(client, worth_following).map(Self::Api)
    }

    /// Brings all objects of `kinds` up to date.
    ///
    /// # Errors
    /// When one kind cannot be read; `reading` is then incomplete and must not be used.
    pub async fn list(&self, kinds: &BTreeSet<Kind>, reading: &mut Reading) -> Result<(), ClusterError> {
        let limits = reading.limits.clone();
        let listed = async {
            match self {
                Self::Api(api) => api.list(kinds, reading).await,
                Self::Eks(eks) => eks.list(kinds, reading).await,
                Self::Manifests(manifests) => manifests.list(kinds, reading),
            }
        };
        select! {
            biased;
            done = listed => done,
            () = limits.time_is_over() => Err(ClusterError::TooSlow(Exceeded::Time)),
        }
    }

    /// Reads the Secrets and ConfigMaps that monitors refer to, and forgets all others.
    ///
    /// One that does not exist is left out. One that the function may not read is in
    /// [`target_allocator_core::objects::Cluster::unreadable`], unless its value is known from before.
    ///
    /// # Errors
    /// When the API server fails, or does not answer as an API server does.
    pub async fn get(
        &self,
        references: &BTreeSet<ReferencedObject>,
        reading: &mut Reading,
    ) -> Result<(), ClusterError> {
        let limits = reading.limits.clone();
        let got = async {
            match self {
                Self::Api(api) => api.get(references, reading).await,
                Self::Eks(eks) => eks.get(references, reading).await,
                Self::Manifests(manifests) => manifests.get(references, reading),
            }
        };
        select! {
            biased;
            done = got => done,
            () = limits.time_is_over() => Err(ClusterError::TooSlow(Exceeded::Time)),
        }
    }
}
