//! Allocates a test cluster, with a config that selects its monitors and collectors.

use std::sync::Arc;

use jiff::Timestamp;
use target_allocator_core::allocation::{self, Allocation, Inputs, Plan};
use target_allocator_core::config::{Config, ConfigError};
use target_allocator_core::discovery::SourceAnswers;
use target_allocator_core::objects::Cluster;
use target_allocator_core::shard::consistent_hashing::RingError;
use target_allocator_core::targets::{ServedLabels, Views};

/// The text of the allocator config.
pub const CONFIG: &str = "collector_namespace: monitoring\n\
    collector_selector: {matchlabels: {app: otel-collector}}\n\
    prometheus_cr: {enabled: true, service_monitor_selector: {}}\n";

/// The allocator config.
///
/// # Errors
/// If the core refuses the text.
pub fn config() -> Result<Config, ConfigError> {
    Config::parse(CONFIG, None)
}

/// Computes the targets and their collectors.
///
/// # Errors
/// [`RingError`] from [`allocation::allocate`].
pub fn allocate(
    config: &Config,
    plan: &Arc<Plan>,
    cluster: &Cluster,
    views: Views,
    before: Option<&Allocation>,
) -> Result<Allocation, RingError> {
    let (external, now) = (SourceAnswers::default(), Timestamp::UNIX_EPOCH);
    let served = ServedLabels::Referenced;
    allocation::allocate(Inputs { config, plan, cluster, external: &external, served, views, now }, before)
}
