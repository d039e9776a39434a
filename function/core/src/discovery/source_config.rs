//! The interface of a kind of service discovery whose targets are outside the cluster.
//!
//! Each kind implements [`SourceConfig`] for its SD config, in the file of this folder that has the kind's name.

use crate::duration::Duration;
use crate::scrape_config::http_client::HttpClientConfig;

/// An SD config whose targets are outside the cluster.
pub trait SourceConfig {
    /// The field of a scrape config that contains these configs, such as `http_sd_configs`.
    const FIELD: &'static str;

    /// The type of a request. A request must contain everything that the response depends on.
    type Request;

    /// The requests of this config. A config with several names or paths has several requests. If one request fails,
    /// the targets of the others stay.
    fn requests(&self) -> Vec<Self::Request>;

    /// The name of a request in reports. Must not contain secrets.
    fn describe(request: &Self::Request) -> String;

    /// How long the function uses a response before it sends the request again.
    fn refresh_interval(&self) -> Duration;

    /// The HTTP client for the requests. `None` if the kind does not use HTTP.
    fn client(&self) -> Option<&HttpClientConfig>;

    /// The rule for this config if it comes from an object of the cluster.
    fn tenant_rule(&self) -> TenantRule;
}

/// The author of an SD config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// The operator of the function, in `config.scrape_configs`. This config is as trusted as the function.
    Operator,
    /// A tenant, in an object of the cluster.
    Tenant,
}

/// The rule for an SD config of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantRule {
    /// The function follows the config.
    Served,
    /// The function sends no request, and the targets of the job are unknown. Contains the reason.
    NotRequested(&'static str),
    /// The job is left out. Contains the reason.
    LeftOut(&'static str),
}
