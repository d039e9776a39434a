//! `dnsSDConfigs` of a `ScrapeConfig`.

use super::client::refresh;
use crate::monitors::finding::{Finding, Within};
use crate::objects::monitoring::scrape_config::DnsSdConfig;
use crate::scrape_config::discovery::DnsSd;

pub(super) fn sd_config(config: &DnsSdConfig) -> Result<DnsSd, Finding> {
    let DnsSdConfig { names, refresh_interval, r#type, port } = config;
    let mut dns = DnsSd { names: names.clone(), ..DnsSd::default() };
    if let Some(kind) = r#type {
        if kind != "SRV" && port.is_none() {
            return Err(
                Finding::refused(format_args!("is not set, but the record type requires it: {kind}")).within("port")
            );
        }
        dns.r#type.clone_from(kind);
    }
    refresh(refresh_interval.as_deref(), &mut dns.refresh_interval)?;
    if let Some(port) = port {
        dns.port = i64::from(*port);
    }
    Ok(dns)
}
