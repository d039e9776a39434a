//! Targets that are written out in a scrape config.

use super::group::TargetGroup;
use crate::labels::{ADDRESS, LabelSet};
use crate::scrape_config::discovery::StaticSd;

/// The targets of static configs, a group each; groups are named by their position.
pub fn static_groups(configs: &[StaticSd]) -> impl Iterator<Item = TargetGroup<'_>> {
    configs.iter().enumerate().map(|(position, StaticSd { targets, labels })| TargetGroup {
        source: position.to_string(),
        labels: labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        targets: targets.iter().map(|target| LabelSet::from_iter([(ADDRESS, target.as_str())])).collect(),
    })
}
