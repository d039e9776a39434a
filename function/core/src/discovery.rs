//! Targets of Kubernetes objects and of static configs, as Prometheus finds them.
//!
//! Input: an SD config and the prepared objects of a cluster. Output: target groups with the `__meta_` labels
//! that are wanted, borrowed from the objects. Everything follows `discovery/kubernetes` of Prometheus 3.14.
//! Nothing is relabelled here.
//!
//! In the order of the flow: `label_table` and `role_table` say what there is; `index` prepares the objects;
//! `query` reads an SD config; `changes` compares two states; `view` looks objects up and builds label
//! sets; a file for each role implements `role`; `group` puts them together.

pub mod bounded;
mod changes;
mod endpoint_slice;
mod endpoints;
pub mod external;
mod group;
mod index;
mod ingress;
mod label_table;
mod names;
mod node;
mod passed_over;
mod pod;
mod query;
mod role;
mod role_table;
mod service;
mod static_targets;
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
pub use static_targets::static_groups;
pub use view::LabelFilter;

use crate::scrape_config::discovery::KubernetesSd;

/// All target groups of an SD config, without those that are too large.
///
/// # Errors
/// As [`Query::new`].
pub fn discover<'a>(
    config: &KubernetesSd,
    own_namespace: Option<&str>,
    index: &'a Index,
    filter: &LabelFilter,
) -> Result<Vec<TargetGroup<'a>>, QueryError> {
    let query = Query::new(config, own_namespace)?;
    Ok(query.groups(index, filter).filter_map(|group| group.target_group().ok()).collect())
}
