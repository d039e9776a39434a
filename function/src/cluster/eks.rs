//! Objects from an EKS cluster.
//!
//! Input: the name of a cluster. Output: its objects. The function requests the endpoint and the certificate of the API
//! server from EKS once. It requests them again if the API server does not answer. Requests have tokens that are signed
//! with the credentials of the function, or with those of a role that the function assumes.

pub mod token;

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_eks::error::{DisplayErrorContext, SdkError};
use aws_sdk_eks::operation::describe_cluster::DescribeClusterError;
use serde_json::json;
use target_allocator_core::discovery::proxy::EnvironmentProxies;
use target_allocator_core::objects::ReferencedObject;
use tokio::sync::Mutex;

use super::api::Api;
use super::{ClusterError, Kind, Reading};
use crate::settings::EksCluster;
use token::Tokens;

/// An EKS cluster.
#[derive(Clone)]
pub struct Eks {
    cluster: Arc<EksCluster>,
    /// The proxies for the API server. The AWS SDK reads the environment itself.
    proxies: Arc<EnvironmentProxies>,
    connected: Arc<Mutex<Option<Connection>>>,
    /// The issuer. It stays known while the endpoint is requested again, because it decides who may access the cluster.
    issuer: Arc<RwLock<Option<Arc<str>>>>,
}

#[derive(Clone)]
struct Connection {
    api: Api,
    /// Whether the API server has a public endpoint.
    public: bool,
}

impl Eks {
    /// Prepares the cluster. Sends no requests yet.
    pub fn new(cluster: EksCluster, proxies: EnvironmentProxies) -> Self {
        let (cluster, proxies) = (Arc::new(cluster), Arc::new(proxies));
        Self { cluster, proxies, connected: Arc::default(), issuer: Arc::default() }
    }

    /// See [`super::Objects::issuer`].
    pub fn issuer(&self) -> Option<Arc<str>> {
        self.issuer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// See [`super::Objects::list`].
    pub async fn list(&self, kinds: &BTreeSet<Kind>, reading: &mut Reading) -> Result<(), ClusterError> {
        let connection = self.connection().await?;
        let listed = connection.api.list(kinds, reading).await;
        self.explain(listed, &connection).await
    }

    /// See [`super::Objects::get`].
    pub async fn get(
        &self,
        references: &BTreeSet<ReferencedObject>,
        reading: &mut Reading,
    ) -> Result<(), ClusterError> {
        let connection = self.connection().await?;
        let fetched = connection.api.get(references, reading).await;
        self.explain(fetched, &connection).await
    }

    async fn connection(&self) -> Result<Connection, ClusterError> {
        let mut connected = self.connected.lock().await;
        if let Some(connection) = connected.as_ref() {
            return Ok(connection.clone());
        }
        let connection = self.connect().await?;
        *connected = Some(connection.clone());
        Ok(connection)
    }

    /// Adds what to do to an error. If the API server does not answer, the next refresh requests its endpoint again.
    async fn explain<T>(&self, result: Result<T, ClusterError>, connection: &Connection) -> Result<T, ClusterError> {
        match result {
            Err(source @ ClusterError::Unreachable { .. }) => {
                *self.connected.lock().await = None;
                let advice = if connection.public { PUBLIC } else { PRIVATE };
                Err(ClusterError::EksUnreachable { cluster: self.cluster.name.clone(), advice, source: source.into() })
            }
            Err(ClusterError::Refused { verb, resource, status, message, advice }) => {
                let advice = match status.as_u16() {
                    401 => NO_ACCESS_ENTRY,
                    403 => NO_ROLE,
                    _ => advice,
                };
                Err(ClusterError::Refused { verb, resource, status, message, advice })
            }
            other => other,
        }
    }

    async fn connect(&self) -> Result<Connection, ClusterError> {
        let sdk = self.credentials().await?;
        let described = self.describe(&sdk).await?;
        *self.issuer.write().unwrap_or_else(PoisonError::into_inner) = described.issuer.map(Arc::from);
        let (Some(credentials), Some(region)) = (sdk.credentials_provider(), sdk.region()) else {
            return Err(self.failed(NO_REGION));
        };
        let tokens = Tokens::new(credentials, region.to_string(), &self.cluster.name);
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "eks",
            "contexts": [{"name": "eks", "context": {"cluster": "eks", "user": "eks"}}],
            "clusters": [{"name": "eks", "cluster": {
                "server": described.endpoint, "certificate-authority-data": described.authority
            }}],
            "users": [{"name": "eks", "user": {}}]
        });
        let api = Api::with_bearer(kubeconfig, Arc::new(tokens), &self.proxies).await?;
        Ok(Connection { api, public: described.public })
    }

    /// The region and the credentials of the function, or those of the role that the function assumes.
    async fn credentials(&self) -> Result<SdkConfig, ClusterError> {
        let loader = aws_config::defaults(BehaviorVersion::latest());
        let loader = match &self.cluster.region {
            Some(region) => loader.region(Region::new(region.clone())),
            None => loader,
        };
        let sdk = loader.load().await;
        if sdk.region().is_none() {
            return Err(self.failed(NO_REGION));
        }
        let Some(role) = &self.cluster.role else { return Ok(sdk) };
        let assumed = AssumeRoleProvider::builder(role).session_name(SESSION).configure(&sdk).build().await;
        // The credentials are requested now, so that the error of a role that cannot be assumed is clear.
        if let Err(error) = assumed.provide_credentials().await {
            let error = DisplayErrorContext(&error);
            return Err(self.failed(format!(
                "the role {role} cannot be assumed, name the function's role in its trust policy, \
                 and let that have sts:AssumeRole on it: {error}"
            )));
        }
        Ok(sdk.into_builder().credentials_provider(SharedCredentialsProvider::new(assumed)).build())
    }

    async fn describe(&self, sdk: &SdkConfig) -> Result<Described, ClusterError> {
        let described = aws_sdk_eks::Client::new(sdk).describe_cluster().name(&self.cluster.name).send().await;
        let cluster = described.map_err(|error| self.failed(reason(&error)))?.cluster;
        let cluster = cluster.ok_or_else(|| self.failed("EKS describes nothing"))?;
        let authority = cluster.certificate_authority.and_then(|authority| authority.data);
        let issuer = cluster.identity.and_then(|identity| identity.oidc).and_then(|oidc| oidc.issuer);
        match (cluster.endpoint, authority) {
            (Some(endpoint), Some(authority)) => {
                let public = cluster.resources_vpc_config.is_none_or(|vpc| vpc.endpoint_public_access);
                Ok(Described { endpoint, authority, public, issuer })
            }
            _ => Err(self.failed("it has no endpoint yet, wait until it is active")),
        }
    }

    fn failed(&self, reason: impl Into<String>) -> ClusterError {
        ClusterError::Eks { cluster: self.cluster.name.clone(), reason: reason.into() }
    }
}

/// The description of a cluster from EKS.
struct Described {
    endpoint: String,
    /// The CA certificate in base64.
    authority: String,
    public: bool,
    /// The issuer of service account tokens.
    issuer: Option<String>,
}

/// The session name for a role that the function assumes.
const SESSION: &str = "target-allocator";

const PRIVATE: &str = "its endpoint is private: put the function into the cluster's VPC, with subnets and security \
    groups that reach it (SubnetIds and SecurityGroupIds of template.yaml)";

const PUBLIC: &str = "its endpoint is public: check that the function reaches the internet, and that the endpoint's \
    public access is not limited to other addresses";

const NO_ACCESS_ENTRY: &str = ", the token is not accepted: make an access entry for the function's role, or the role \
    that it assumes, with the Kubernetes group target-allocator (EksAccessEntry of template.yaml, or \
    aws eks create-access-entry), and check the cluster's name";

const NO_ROLE: &str = ", apply the ClusterRole target-allocator of examples/rbac.yaml, and put the role's access entry \
    into the group target-allocator that it is bound to";

const NO_REGION: &str = "no region is known, write it as eks:NAME@REGION or set AWS_REGION";

/// The reason of a failure, and what to do about it.
fn reason(error: &SdkError<DescribeClusterError>) -> String {
    let code = error.as_service_error().and_then(|error| error.meta().code());
    match code {
        Some("ResourceNotFoundException") => {
            "there is no cluster of that name in the account and region, write another region as eks:NAME@REGION, \
             and a role of another account as eks:NAME?role=ARN"
                .to_owned()
        }
        Some("AccessDeniedException") => {
            "the function's role, or the role that it assumes, may not describe it, grant eks:DescribeCluster"
                .to_owned()
        }
        _ => DisplayErrorContext(error).to_string(),
    }
}
