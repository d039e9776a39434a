//! The targets of `static_configs`.

use super::group::TargetGroup;
use crate::labels::{ADDRESS, LabelSet};
use crate::scrape_config::discovery::StaticSd;

/// The target groups of static configs: one for each config. The source of a group is its position.
pub fn static_groups(configs: &[StaticSd]) -> impl Iterator<Item = TargetGroup<'_>> {
    configs.iter().enumerate().map(|(position, StaticSd { targets, labels })| TargetGroup {
        source: position.to_string(),
        labels: labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        targets: targets.iter().map(|target| LabelSet::from_iter([(ADDRESS, target.as_str())])).collect(),
    })
}
