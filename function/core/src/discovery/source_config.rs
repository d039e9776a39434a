//! What a kind of service discovery says about itself, if its targets are found outside the cluster.
//!
//! Each kind implements [`SourceConfig`] for its SD config, in the file of this folder that has the kind's name.

use crate::duration::Duration;
use crate::scrape_config::http_client::HttpClientConfig;

/// An SD config whose targets are found outside the cluster.
pub trait SourceConfig {
    /// The list of a scrape config that holds these configs, such as `http_sd_configs`.
    const FIELD: &'static str;

    /// One request. Must hold everything that the answer depends on.
    type Request;

    /// The requests of this config. A config with several names or paths has several requests: if one fails, the
    /// others still have their targets.
    fn requests(&self) -> Vec<Self::Request>;

    /// How reports name a request. Must not show secrets.
    fn describe(request: &Self::Request) -> String;

    /// How long an answer is used before the function requests it again.
    fn refresh_interval(&self) -> Duration;

    /// The HTTP client that sends the requests, if HTTP is used.
    fn client(&self) -> Option<&HttpClientConfig>;

    /// What applies to this config if an object of the cluster holds it.
    fn tenant_rule(&self) -> TenantRule;
}

/// Who wrote an SD config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// The operator of the function, in `config.scrape_configs`. This config is as trusted as the function.
    Operator,
    /// A tenant, in an object of the cluster.
    Tenant,
}

/// What a tenant's SD config may have the function do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantRule {
    /// Everything that it says.
    Served,
    /// No request is sent, and the targets of the job are unknown. Holds the reason.
    NotRequested(&'static str),
    /// The job is left out. Holds the reason.
    LeftOut(&'static str),
}
