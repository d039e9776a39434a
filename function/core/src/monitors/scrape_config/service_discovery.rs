//! The service discovery of `ScrapeConfig` objects.
//!
//! Input: the SD configs of an object. Output: the SD configs of its job, or the reason why the operator refuses the
//! object. Each kind has its own file in this directory. Follows the `validate...SDConfigs` functions of
//! `pkg/prometheus/resource_selector.go` and `generateScrapeConfig` of `promcfg.go`.

use super::{consul, dns, ec2, file, http, kubernetes, not_served, static_targets};
use crate::monitors::assets::Assets;
use crate::monitors::finding::{Finding, Within};
use crate::objects::monitoring::scrape_config::ScrapeConfigSpec;
use crate::scrape_config::discovery::ServiceDiscovery;

/// The service discovery of a job.
///
/// # Errors
/// The first rule of the operator that a config breaks, or else the first unsupported kind.
pub(super) fn service_discovery(
    spec: &ScrapeConfigSpec,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> Result<ServiceDiscovery, Finding> {
    let discovery = ServiceDiscovery {
        r#static: each(&spec.static_configs, "staticConfigs", static_targets::sd_config)?,
        http: each(&spec.http_sd_configs, "httpSDConfigs", |config| http::sd_config(config, assets, notes))?,
        kubernetes: each(&spec.kubernetes_sd_configs, "kubernetesSDConfigs", |config| {
            kubernetes::sd_config(config, assets, notes)
        })?,
        consul: each(&spec.consul_sd_configs, "consulSDConfigs", |config| consul::sd_config(config, assets, notes))?,
        dns: each(&spec.dns_sd_configs, "dnsSDConfigs", dns::sd_config)?,
        ec2: each(&spec.ec2_sd_configs, "ec2SDConfigs", |config| ec2::sd_config(config, assets, notes))?,
        file: each(&spec.file_sd_configs, "fileSDConfigs", file::sd_config)?,
    };
    // Unsupported kinds are reported last, because the operator's own refusal takes precedence.
    let mut index = (None, 0);
    for (kind, config) in spec.other_sd_configs.each() {
        index = if index.0 == Some(kind) { (index.0, index.1 + 1) } else { (Some(kind), 0) };
        let field = format!("{}[{}]", kind.field(), index.1);
        not_served::check(kind, config, assets, &mut Vec::new()).within(&field)?;
    }
    match spec.other_sd_configs.each().next() {
        None => Ok(discovery),
        Some((kind, _)) => {
            let reason = "this kind of service discovery is not supported, use another kind";
            Err(Finding::left_out(reason).within(kind.field()))
        }
    }
}

fn each<C, T>(configs: &[C], field: &str, mut make: impl FnMut(&C) -> Result<T, Finding>) -> Result<Vec<T>, Finding> {
    let one = |(at, config)| make(config).within(&format!("[{at}]")).within(field);
    configs.iter().enumerate().map(one).collect()
}
