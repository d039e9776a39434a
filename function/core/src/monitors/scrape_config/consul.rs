//! `consulSDConfigs` of a `ScrapeConfig`.

use super::client::{optional_secret, refresh, sd_client};
use crate::monitors::assets::Assets;
use crate::monitors::finding::{Finding, Within};
use crate::objects::monitoring::scrape_config::ConsulSdConfig;
use crate::scrape_config::discovery::ConsulSd;
use crate::scrape_config::secret::Secret;

pub(super) fn sd_config(
    config: &ConsulSdConfig,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> Result<ConsulSd, Finding> {
    let token = optional_secret(config.token_ref.as_ref(), assets).within("tokenRef")?;
    let http_client = sd_client(&config.client, assets, notes)?;
    let mut consul = ConsulSd {
        server: config.server.clone(),
        token: token.map(Secret::from).unwrap_or_default(),
        services: config.services.clone(),
        tags: config.tags.clone(),
        node_meta: config.node_meta.clone(),
        http_client,
        ..ConsulSd::default()
    };
    let scheme = config.scheme.map(|scheme| scheme.as_str().to_owned());
    let texts = [
        (&config.path_prefix, &mut consul.path_prefix),
        (&config.datacenter, &mut consul.datacenter),
        (&config.namespace, &mut consul.namespace),
        (&config.partition, &mut consul.partition),
        (&scheme, &mut consul.scheme),
        (&config.tag_separator, &mut consul.tag_separator),
        (&config.filter, &mut consul.filter),
        (&config.health_filter, &mut consul.health_filter),
    ];
    for (given, place) in texts {
        if let Some(text) = given {
            place.clone_from(text);
        }
    }
    consul.allow_stale = config.allow_stale.unwrap_or(consul.allow_stale);
    refresh(config.refresh_interval.as_deref(), &mut consul.refresh_interval)?;
    Ok(consul)
}
