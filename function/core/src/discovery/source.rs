//! Sources of targets outside the cluster: URLs, the DNS, AWS, files, Consul.
//!
//! Input: the SD configs of a job, and the last responses of sources. Output: the requests to send, or the reason why a
//! job is not served. This module sends no requests. The table at [`sources`] lists the kinds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::client_check::{ClientError, check_client};
use super::source_config::{Author, SourceConfig, TenantRule};
use super::source_group::SourceGroup;
use crate::duration::Duration;
use crate::scrape_config::discovery::{ConsulSd, DnsSd, Ec2Sd, FileSd, HttpSd, ServiceDiscovery};
use crate::scrape_config::secret::WithSecrets;

/// A request that the function sends once for all jobs that need the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The key of the source. Equal sources have equal keys.
    pub key: SourceKey,
    /// How long the function uses a response before it sends the request again.
    pub refresh_interval: Duration,
    /// The request.
    pub request: SourceRequest,
}

/// Identifies a source by everything that its response depends on, including credentials.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceKey(String);

impl fmt::Debug for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text contains credentials.
        f.write_str("SourceKey")
    }
}

impl Source {
    fn new(request: SourceRequest, refresh_interval: Duration) -> Result<Self, serde_json::Error> {
        let key = SourceKey(serde_json::to_string(&WithSecrets(&(&request, refresh_interval)))?);
        Ok(Self { key, refresh_interval, request })
    }
}

/// The reason why a job is left out because of its SD configs.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum SourceRefusal {
    #[error("{field}: {reason}")]
    Tenant { field: &'static str, reason: &'static str },
    #[error("{field}: {error}")]
    Client { field: &'static str, error: ClientError },
}

/// Refuses a config that its author may not use. Returns a reason if the function must not send its requests.
fn check_tenant<C: SourceConfig>(config: &C, author: Author) -> Result<Option<String>, SourceRefusal> {
    match (author, config.tenant_rule()) {
        (Author::Operator, _) | (Author::Tenant, TenantRule::Served) => Ok(None),
        (Author::Tenant, TenantRule::NotRequested(reason)) => Ok(Some(format!("{}: {reason}", C::FIELD))),
        (Author::Tenant, TenantRule::LeftOut(reason)) => Err(SourceRefusal::Tenant { field: C::FIELD, reason }),
    }
}

/// Refuses a config if the function cannot use its HTTP client.
fn check_clients<C: SourceConfig>(configs: &[C], author: Author) -> Result<(), SourceRefusal> {
    let mut clients = configs.iter().filter_map(SourceConfig::client);
    let refused = |error| SourceRefusal::Client { field: C::FIELD, error };
    clients.try_for_each(|client| check_client(client, author).map_err(refused))
}

/// Generates requests and checks from one row for each kind. A row has the field in [`ServiceDiscovery`], the variant
/// of the request, and the type of the SD config.
macro_rules! source_kinds {
    ($($field:ident: $variant:ident = $config:ty),+ $(,)?) => {
        /// A request to a source.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[allow(missing_docs, reason = "one variant for each kind")]
        pub enum SourceRequest {
            $($variant(<$config as SourceConfig>::Request),)+
        }

        impl fmt::Display for SourceRequest {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant(request) => {
                        write!(f, "{}: {}", <$config>::FIELD, <$config>::describe(request))
                    })+
                }
            }
        }

        /// The sources of a job, in the order of its configs.
        ///
        /// # Errors
        /// [`SourceRefusal`] if a request cannot be written as JSON. The JSON identifies the source.
        pub fn sources(discovery: &ServiceDiscovery) -> Result<Vec<Source>, serde_json::Error> {
            // The targets of these two kinds do not come from sources outside the cluster.
            let ServiceDiscovery { kubernetes: _, r#static: _, $($field),+ } = discovery;
            let mut sources = Vec::new();
            $(for config in $field {
                for request in config.requests() {
                    sources.push(Source::new(SourceRequest::$variant(request), config.refresh_interval())?);
                }
            })+
            Ok(sources)
        }

        /// Checks the SD configs of a job. Returns a reason if the function must not send the requests of the job.
        ///
        /// # Errors
        /// The first config that the function refuses.
        pub fn check_sources(discovery: &ServiceDiscovery, author: Author) -> Result<Option<String>, SourceRefusal> {
            let mut not_requested = None;
            $(for config in &discovery.$field {
                let reason = check_tenant(config, author)?;
                not_requested = not_requested.or(reason);
            })+
            $(check_clients(&discovery.$field, author)?;)+
            Ok(not_requested)
        }
    };
}

source_kinds! {
    http: Http = HttpSd,
    dns: Dns = DnsSd,
    ec2: Ec2 = Ec2Sd,
    file: File = FileSd,
    consul: Consul = ConsulSd,
}

/// The last response of each source.
#[derive(Debug, Clone, Default)]
pub struct SourceAnswers {
    /// The responses by the keys of the sources.
    pub answers: BTreeMap<SourceKey, SourceAnswer>,
}

/// The last response of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceAnswer {
    /// The last request succeeded. Contains the targets.
    Known(Arc<[SourceGroup]>),
    /// The last request failed. Contains the targets of the last response, and the error.
    Kept(Arc<[SourceGroup]>, String),
    /// No request succeeded yet. Contains the error.
    Unknown(String),
}
