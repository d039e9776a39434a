//! `dns_sd_configs`: names whose DNS records are targets.

use serde::Serialize;

use super::kind::{SdConfig, refused};
use crate::duration::Duration;
use crate::scrape_config::fields::{Node, ParseError, Refusal};
use crate::scrape_config::is_default;

/// Names whose DNS records are targets. Follows `discovery/dns/dns.go`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct DnsSd {
    pub names: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub refresh_interval: Duration,
    /// `SRV`, `A`, `AAAA`, `MX` or `NS`. The case does not matter.
    pub r#type: String,
    /// The port of the targets. Ignored for `SRV`, whose records contain the port.
    pub port: i64,
}

impl Default for DnsSd {
    fn default() -> Self {
        Self { names: Vec::new(), refresh_interval: Duration::from_secs(30), r#type: "SRV".to_owned(), port: 0 }
    }
}

impl SdConfig for DnsSd {
    fn read(node: &Node<'_>) -> Result<Self, ParseError> {
        let mut fields = node.fields()?;
        let mut config = DnsSd::default();
        let DnsSd { names, refresh_interval, r#type, port } = &mut config;
        fields.read("names", names, Node::strings)?;
        fields.read("refresh_interval", refresh_interval, Node::duration)?;
        fields.string("type", r#type)?;
        fields.read("port", port, Node::signed)?;
        fields.finish()?;
        Ok(config)
    }

    fn validate(&mut self) -> Result<(), Refusal> {
        if self.names.is_empty() {
            return refused(DnsError::NoNames);
        }
        match self.r#type.to_uppercase().as_str() {
            "A" | "AAAA" | "MX" | "NS" if self.port == 0 => refused(DnsError::NoPort),
            "SRV" | "A" | "AAAA" | "MX" | "NS" => Ok(()),
            _ => refused(DnsError::UnknownRecord(self.r#type.clone())),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum DnsError {
    #[error("dns_sd_configs.names is empty")]
    NoNames,
    #[error("dns_sd_configs.type is unknown, use SRV, A, AAAA, MX or NS: {0:?}")]
    UnknownRecord(String),
    #[error("dns_sd_configs.port is not set, but every type except SRV requires it")]
    NoPort,
}
