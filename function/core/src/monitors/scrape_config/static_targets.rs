//! `staticConfigs` of a `ScrapeConfig`.

use crate::monitors::finding::{Finding, Within};
use crate::objects::monitoring::scrape_config::StaticConfig;
use crate::scrape_config::discovery::StaticSd;

pub(super) fn sd_config(config: &StaticConfig) -> Result<StaticSd, Finding> {
    let StaticConfig { targets, labels } = config;
    if labels.contains_key("") {
        return Err(Finding::refused("has a label without a name").within("labels"));
    }
    Ok(StaticSd { targets: targets.clone(), labels: labels.clone() })
}
