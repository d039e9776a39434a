//! Service discovery as in Prometheus: Kubernetes objects, static configs and sources outside the cluster.
//!
//! Input: an SD config, and the prepared objects of a cluster or the answer of a source. Output: target groups with the
//! `__meta_` labels that a job needs. Follows `discovery/` of Prometheus 3.14. This module sends no requests and does
//! not relabel.
//!
//! The files for Kubernetes, in the order of the flow: `label_table` and `role_table` list all labels and roles.
//! `index` prepares the objects. `query` reads an SD config. `changes` compares two states of the cluster. `view` looks
//! up objects and builds label sets. A file for each role implements `role`. `group` makes the groups.
//!
//! Sources outside the cluster: a file for each kind implements `source_config`; `source` has the table of kinds.

pub mod bounded;
mod changes;
pub mod client_check;
pub mod consul;
pub mod dns;
pub mod ec2;
mod endpoint_slice;
mod endpoints;
pub mod file;
mod group;
pub mod http;
mod index;
mod ingress;
mod label_table;
mod names;
mod node;
mod passed_over;
mod pod;
pub mod proxy;
mod query;
mod role;
mod role_table;
mod service;
mod source;
mod source_config;
mod source_group;
mod static_targets;
mod target_lists;
#[cfg(test)]
pub(crate) mod tests;
mod view;

pub use bounded::{MOST_TARGETS, PartTarget, TooMany};
pub use changes::{Changes, Touched};
pub use group::{Group, LookedAt, TargetGroup};
pub use index::Index;
pub use label_table::differs_between_targets;
pub use passed_over::{PassedOver, Scope};
pub use query::{NotRead, Query, QueryError};
pub use source::{
    Source, SourceAnswer, SourceAnswers, SourceKey, SourceRefusal, SourceRequest, check_sources, sources,
};
pub use source_config::{Author, SourceConfig, TenantRule};
pub use source_group::SourceGroup;
pub use static_targets::static_groups;
pub use target_lists::TargetListError;
pub use view::LabelFilter;

use crate::scrape_config::discovery::KubernetesSd;

/// All target groups of an SD config. Groups that are too large are skipped.
///
/// # Errors
/// [`QueryError`] if the targets of the config cannot be discovered.
pub fn discover<'a>(
    config: &KubernetesSd,
    own_namespace: Option<&str>,
    index: &'a Index,
    filter: &LabelFilter,
) -> Result<Vec<TargetGroup<'a>>, QueryError> {
    let query = Query::new(config, own_namespace)?;
    Ok(query.groups(index, filter).filter_map(|group| group.target_group().ok()).collect())
}
