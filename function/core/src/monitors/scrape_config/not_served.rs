//! The operator's checks of kinds of service discovery that are not supported here.

use super::client::{check_url, sd_client};
use crate::monitors::assets::Assets;
use crate::monitors::finding::{Finding, Within};
use crate::objects::monitoring::scrape_config::{OtherSdConfig, OtherSdKind};

/// Checks an unsupported SD config as the operator does.
pub(super) fn check(
    kind: OtherSdKind,
    config: &OtherSdConfig,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> Result<(), Finding> {
    if kind == OtherSdKind::Azure {
        if matches!(config.authentication_method.as_str(), "ManagedIdentity" | "SDK" | "WorkloadIdentity") {
            return Ok(());
        }
        let required = [
            ("tenantID", config.tenant_id.is_empty()),
            ("clientID", config.client_id.is_empty()),
            ("clientSecret", config.client_secret.is_none()),
        ];
        if let Some((field, _)) = required.into_iter().find(|(_, missing)| *missing) {
            return Err(Finding::refused("is not set, but the authentication method requires it").within(field));
        }
    }
    match kind {
        OtherSdKind::Kuma | OtherSdKind::Nomad => check_server(&config.server).within("server")?,
        OtherSdKind::Docker | OtherSdKind::DockerSwarm => check_url(&config.host).map(drop).within("host")?,
        OtherSdKind::PuppetDb => {
            let url = check_url(&config.url).within("url")?;
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
                return Err(Finding::refused("is not an http or https url with a host").within("url"));
            }
        }
        _ => {}
    }
    for secret in config.own_secrets() {
        assets.secret(secret).map_err(Finding::from)?;
    }
    sd_client(&config.client, assets, notes).map(drop)
}

fn check_server(server: &str) -> Result<(), Finding> {
    let url = check_url(server)?;
    if url.scheme().is_empty() || !url.has_host() {
        return Err(Finding::refused("is not a url with a scheme and a host"));
    }
    Ok(())
}
