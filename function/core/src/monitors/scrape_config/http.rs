//! `httpSDConfigs` of a `ScrapeConfig`.

use super::client::{check_url, refresh, sd_client};
use crate::monitors::assets::Assets;
use crate::monitors::finding::{Finding, Within};
use crate::objects::monitoring::scrape_config::HttpSdConfig;
use crate::scrape_config::discovery::HttpSd;

pub(super) fn sd_config(
    config: &HttpSdConfig,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> Result<HttpSd, Finding> {
    let HttpSdConfig { url, refresh_interval, client } = config;
    check_url(url).within("url")?;
    let mut http = HttpSd { http_client: sd_client(client, assets, notes)?, ..HttpSd::new(url.as_str()) };
    refresh(refresh_interval.as_deref(), &mut http.refresh_interval)?;
    Ok(http)
}
