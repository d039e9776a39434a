//! Objects from an EKS cluster.
//!
//! Where the API server is and which certificate it has, EKS is asked once; that
//! is asked again when the API server does not answer. Requests carry tokens that
//! are signed here.

pub mod token;

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_eks::error::{DisplayErrorContext, SdkError};
use aws_sdk_eks::operation::describe_cluster::DescribeClusterError;
use serde_json::json;
use target_allocator_core::monitors::ReferencedObject;
use tokio::sync::Mutex;

use super::api::Api;
use super::{ClusterError, Kind, Reading};
use token::Tokens;

/// An EKS cluster.
#[derive(Clone)]
pub struct Eks {
    name: Arc<str>,
    region: Option<String>,
    connected: Arc<Mutex<Option<Api>>>,
}

impl Eks {
    /// The cluster of that name; in the function's own region if none is given.
    pub fn new(name: &str, region: Option<&str>) -> Self {
        Self { name: name.into(), region: region.map(str::to_owned), connected: Arc::default() }
    }

    /// See [`super::Objects::list`].
    pub async fn list(&self, kinds: &BTreeSet<Kind>, reading: &mut Reading) -> Result<(), ClusterError> {
        let listed = self.api().await?.list(kinds, reading).await;
        self.remember(listed).await
    }

    /// See [`super::Objects::get`].
    pub async fn get(
        &self,
        references: &BTreeSet<ReferencedObject>,
        reading: &mut Reading,
    ) -> Result<(), ClusterError> {
        let fetched = self.api().await?.get(references, reading).await;
        self.remember(fetched).await
    }

    async fn api(&self) -> Result<Api, ClusterError> {
        let mut connected = self.connected.lock().await;
        if let Some(api) = connected.as_ref() {
            return Ok(api.clone());
        }
        let api = self.connect().await?;
        *connected = Some(api.clone());
        Ok(api)
    }

    /// An API server that does not answer may have moved: EKS is asked again next time.
    async fn remember(&self, result: Result<(), ClusterError>) -> Result<(), ClusterError> {
        if matches!(result, Err(ClusterError::Unreachable { .. })) {
            *self.connected.lock().await = None;
        }
        result
    }

    async fn connect(&self) -> Result<Api, ClusterError> {
        let loader = aws_config::defaults(BehaviorVersion::latest());
        let loader = match &self.region {
            Some(region) => loader.region(Region::new(region.clone())),
            None => loader,
        };
        let sdk = loader.load().await;
        let (endpoint, authority) = self.describe(&sdk).await?;
        let tokens = Tokens::new(&sdk, Arc::clone(&self.name))
            .ok_or_else(|| ClusterError::Eks { cluster: self.name.to_string(), reason: NO_REGION.to_owned() })?;
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "eks",
            "contexts": [{"name": "eks", "context": {"cluster": "eks", "user": "eks"}}],
            "clusters": [{"name": "eks", "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
            "users": [{"name": "eks", "user": {}}]
        });
        Api::with_tokens(kubeconfig, tokens).await
    }

    /// The endpoint and, in base64, the certificate authority.
    async fn describe(&self, sdk: &SdkConfig) -> Result<(String, String), ClusterError> {
        let failed = |reason: String| ClusterError::Eks { cluster: self.name.to_string(), reason };
        let described = aws_sdk_eks::Client::new(sdk).describe_cluster().name(&*self.name).send().await;
        let cluster = described.map_err(|error| failed(reason(&error)))?.cluster;
        let cluster = cluster.ok_or_else(|| failed("EKS describes nothing".to_owned()))?;
        let authority = cluster.certificate_authority.and_then(|authority| authority.data);
        match (cluster.endpoint, authority) {
            (Some(endpoint), Some(authority)) => Ok((endpoint, authority)),
            _ => Err(failed("it has no endpoint yet, wait until it is active".to_owned())),
        }
    }
}

const NO_REGION: &str = "no region is known, write it as eks:NAME@REGION or set AWS_REGION";

/// What is wrong, and what to do about it.
fn reason(error: &SdkError<DescribeClusterError>) -> String {
    let code = error.as_service_error().and_then(|error| error.meta().code());
    match code {
        Some("ResourceNotFoundException") => {
            "there is no cluster of that name in the region, write another region as eks:NAME@REGION".to_owned()
        }
        Some("AccessDeniedException") => {
            "the function's role may not describe it, grant eks:DescribeCluster".to_owned()
        }
        _ => DisplayErrorContext(error).to_string(),
    }
}
