//! Objects from a Kubernetes API server.
//!
//! Lists come from the server's watch cache, page by page, all kinds at once.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{FutureExt, try_join_all};
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use target_allocator_core::monitors::ReferencedObject;
use target_allocator_core::objects::{Cluster, Collection, Object};
use target_allocator_core::report::Report;

use super::eks::token::Tokens;
use super::error::advice;
use super::page::{Page, decode};
use super::{ClusterError, Kind};

/// Objects a page; the watch cache may answer more.
const PAGE: u32 = 500;

/// How long to wait for a connection, and for the next piece of an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// An API server.
#[derive(Clone)]
pub struct Api {
    client: Client,
    /// What requests carry where the kubeconfig has no credentials.
    tokens: Option<Tokens>,
}

/// Where a kind is listed, and whether it may be missing from the server.
struct Resource {
    path: &'static str,
    name: &'static str,
    optional: bool,
}

/// Custom resources are optional: their definitions may be installed later.
const fn resource(kind: Kind) -> Resource {
    let (path, name, optional) = match kind {
        Kind::Namespace => ("/api/v1/namespaces", "namespaces", false),
        Kind::Node => ("/api/v1/nodes", "nodes", false),
        Kind::Pod => ("/api/v1/pods", "pods", false),
        Kind::Service => ("/api/v1/services", "services", false),
        Kind::Endpoints => ("/api/v1/endpoints", "endpoints", false),
        Kind::EndpointSlice => ("/apis/discovery.k8s.io/v1/endpointslices", "endpointslices", false),
        Kind::Ingress => ("/apis/networking.k8s.io/v1/ingresses", "ingresses", false),
        Kind::ReplicaSet => ("/apis/apps/v1/replicasets", "replicasets", false),
        Kind::Job => ("/apis/batch/v1/jobs", "jobs", false),
        Kind::ServiceMonitor => ("/apis/monitoring.coreos.com/v1/servicemonitors", "servicemonitors", true),
        Kind::PodMonitor => ("/apis/monitoring.coreos.com/v1/podmonitors", "podmonitors", true),
        Kind::Probe => ("/apis/monitoring.coreos.com/v1/probes", "probes", true),
        Kind::ScrapeConfig => ("/apis/monitoring.coreos.com/v1alpha1/scrapeconfigs", "scrapeconfigs", true),
    };
    Resource { path, name, optional }
}

async fn config(kubeconfig: Kubeconfig) -> Result<Config, ClusterError> {
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(ClusterError::Kubeconfig)?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    // Whoever waits is better served from the last snapshot than by waiting on.
    config.default_retry = false;
    Ok(config)
}

impl Api {
    /// Makes a client for the current context of a kubeconfig: the file named, or the usual places.
    pub async fn from_kubeconfig(path: Option<&Path>) -> Result<Self, ClusterError> {
        let kubeconfig = match path {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let config = config(kubeconfig.map_err(ClusterError::Kubeconfig)?).await?;
        Ok(Self { client: Client::try_from(config).map_err(ClusterError::Client)?, tokens: None })
    }

    /// Makes a client for a kubeconfig without credentials: each request carries one of `tokens`.
    pub async fn with_tokens(kubeconfig: serde_json::Value, tokens: Tokens) -> Result<Self, ClusterError> {
        let kubeconfig = serde_json::from_value(kubeconfig).map_err(|source| ClusterError::Malformed {
            verb: "read",
            resource: "the description of the EKS cluster",
            source,
        })?;
        let client = Client::try_from(config(kubeconfig).await?).map_err(ClusterError::Client)?;
        Ok(Self { client, tokens: Some(tokens) })
    }

    /// See [`super::Objects::list`].
    pub async fn list(
        &self,
        kinds: &BTreeSet<Kind>,
        cluster: &mut Cluster,
        report: &mut Report,
    ) -> Result<(), ClusterError> {
        let lists = vec![
            self.list_kind(kinds, Kind::Namespace, &mut cluster.namespaces).boxed(),
            self.list_kind(kinds, Kind::Node, &mut cluster.nodes).boxed(),
            self.list_kind(kinds, Kind::Pod, &mut cluster.pods).boxed(),
            self.list_kind(kinds, Kind::Service, &mut cluster.services).boxed(),
            self.list_kind(kinds, Kind::Endpoints, &mut cluster.endpoints).boxed(),
            self.list_kind(kinds, Kind::EndpointSlice, &mut cluster.endpoint_slices).boxed(),
            self.list_kind(kinds, Kind::Ingress, &mut cluster.ingresses).boxed(),
            self.list_kind(kinds, Kind::ReplicaSet, &mut cluster.replica_sets).boxed(),
            self.list_kind(kinds, Kind::Job, &mut cluster.jobs).boxed(),
            self.list_kind(kinds, Kind::ServiceMonitor, &mut cluster.service_monitors).boxed(),
            self.list_kind(kinds, Kind::PodMonitor, &mut cluster.pod_monitors).boxed(),
            self.list_kind(kinds, Kind::Probe, &mut cluster.probes).boxed(),
            self.list_kind(kinds, Kind::ScrapeConfig, &mut cluster.scrape_configs).boxed(),
        ];
        for part in try_join_all(lists).await? {
            report.extend(part);
        }
        Ok(())
    }

    /// See [`super::Objects::get`].
    pub async fn get(
        &self,
        references: &BTreeSet<ReferencedObject>,
        cluster: &mut Cluster,
        report: &mut Report,
    ) -> Result<(), ClusterError> {
        let fetched = references.iter().map(async |reference| {
            let (resource, namespace, name) = match reference {
                ReferencedObject::Secret { namespace, name } => ("secrets", namespace, name),
                ReferencedObject::ConfigMap { namespace, name } => ("configmaps", namespace, name),
            };
            let path = format!("/api/v1/namespaces/{}/{resource}/{}", segment(namespace), segment(name));
            Ok::<_, ClusterError>((reference, self.fetch("get", resource, &path).await?))
        });
        for (reference, answer) in try_join_all(fetched).await? {
            let Answer::Found(body) = answer else { continue };
            match reference {
                ReferencedObject::Secret { .. } => decode(&body, &mut cluster.secrets, report),
                ReferencedObject::ConfigMap { .. } => decode(&body, &mut cluster.config_maps, report),
            }
        }
        Ok(())
    }

    async fn list_kind<T: Object + DeserializeOwned>(
        &self,
        wanted: &BTreeSet<Kind>,
        kind: Kind,
        collection: &mut Collection<T>,
    ) -> Result<Report, ClusterError> {
        let mut report = Report::default();
        if !wanted.contains(&kind) {
            return Ok(report);
        }
        let Resource { path, name, optional } = resource(kind);
        let mut query = format!("limit={PAGE}&resourceVersion=0");
        loop {
            let body = match self.fetch("list", name, &format!("{path}?{query}")).await? {
                Answer::Found(body) => body,
                Answer::NotFound { .. } if optional => return Ok(report),
                Answer::NotFound { message } => return Err(refused("list", name, StatusCode::NOT_FOUND, message)),
            };
            let page: Page<'_> = serde_json::from_slice(&body).map_err(|source| ClusterError::Malformed {
                verb: "list",
                resource: name,
                source,
            })?;
            page.decode_into(collection, &mut report);
            if page.metadata.next.is_empty() {
                return Ok(report);
            }
            query = format!("limit={PAGE}&continue={}", utf8_percent_encode(&page.metadata.next, NON_ALPHANUMERIC));
        }
    }

    async fn fetch(
        &self,
        verb: &'static str,
        resource: &'static str,
        path_and_query: &str,
    ) -> Result<Answer, ClusterError> {
        let unreachable = |source| ClusterError::Unreachable { verb, resource, source };
        let mut request = Request::get(path_and_query)
            .header(http::header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(|error| unreachable(kube::Error::HttpError(error)))?;
        if let Some(tokens) = &self.tokens {
            let bearer = tokens.bearer().await.map_err(ClusterError::Token)?;
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        let response = self.client.send(request).await.map_err(unreachable)?;
        let status = response.status();
        let body = response.into_body().collect().await;
        let body = body.map_err(|source| ClusterError::CutOff { verb, resource, source })?.to_bytes();
        match status {
            StatusCode::OK => Ok(Answer::Found(body)),
            StatusCode::NOT_FOUND => Ok(Answer::NotFound { message: message_of(&body) }),
            _ => Err(refused(verb, resource, status, message_of(&body))),
        }
    }
}

/// What came of a request that did not fail.
enum Answer {
    Found(Bytes),
    NotFound { message: String },
}

fn refused(verb: &'static str, resource: &'static str, status: StatusCode, message: String) -> ClusterError {
    ClusterError::Refused { verb, resource, status, message, advice: advice(status) }
}

fn segment(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}

/// The message of a Kubernetes `Status`, or the beginning of whatever else came.
fn message_of(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Status {
        message: String,
    }
    serde_json::from_slice::<Status>(body)
        .map_or_else(|_| String::from_utf8_lossy(body).chars().take(200).collect(), |status| status.message)
}
