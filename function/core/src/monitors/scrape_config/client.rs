//! The settings that several kinds of service discovery share: HTTP client, secrets, URLs and intervals.

use crate::duration::Duration;
use crate::monitors::assets::Assets;
use crate::monitors::finding::{Finding, Within, chain};
use crate::monitors::http_client::{basic_auth, oauth2, own_authorization, proxy, safe_tls};
use crate::objects::monitoring::KeySelector;
use crate::objects::monitoring::scrape_config::SdClient;
use crate::scrape_config::http_client::HttpClientConfig;
use crate::scrape_config::url::GoUrl;

/// The HTTP client of a service discovery. Scrape classes do not apply to it.
pub(super) fn sd_client(
    client: &SdClient,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> Result<HttpClientConfig, Finding> {
    let SdClient {
        basic_auth: basic,
        authorization,
        oauth2: oauth,
        tls_config,
        proxy: own_proxy,
        follow_redirects,
        enable_http2,
    } = client;
    let defaults = HttpClientConfig::default();
    Ok(HttpClientConfig {
        basic_auth: basic.as_ref().map(|own| basic_auth(own, assets).within("basicAuth")).transpose()?,
        authorization: authorization
            .as_ref()
            .map(|own| own_authorization(own, assets, notes).within("authorization"))
            .transpose()?,
        oauth2: oauth.as_ref().map(|own| oauth2(own, assets).within("oauth2")).transpose()?,
        tls_config: tls_config
            .as_ref()
            .map(|own| safe_tls(own, assets).within("tlsConfig"))
            .transpose()?
            .unwrap_or_default(),
        proxy: proxy(own_proxy, assets)?,
        follow_redirects: follow_redirects.unwrap_or(defaults.follow_redirects),
        enable_http2: enable_http2.unwrap_or(defaults.enable_http2),
        http_headers: defaults.http_headers,
    })
}

pub(super) fn check_url(url: &str) -> Result<GoUrl, Finding> {
    url.parse().map_err(|error| Finding::refused(chain(&error)))
}

pub(super) fn optional_secret(selector: Option<&KeySelector>, assets: Assets<'_>) -> Result<Option<String>, Finding> {
    selector.map(|selector| assets.secret(selector).map_err(Finding::from)).transpose()
}

/// Parses a refresh interval. Only Prometheus checks it, so an error leaves out only the job.
pub(super) fn refresh(text: Option<&str>, place: &mut Duration) -> Result<(), Finding> {
    if let Some(text) = text {
        *place = text.parse().map_err(|error| Finding::left_out(chain(&error)).within("refreshInterval"))?;
    }
    Ok(())
}
