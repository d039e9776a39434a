//! `dns_sd_configs`: the records of DNS names.
//!
//! Input: a DNS query and its records. Output: a target group. Follows `discovery/dns/dns.go` of Prometheus.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Serialize;

use super::source_config::{SourceConfig, TenantRule};
use super::source_group::{SourceGroup, host_port};
use crate::duration::Duration;
use crate::labels::ADDRESS;
use crate::scrape_config::discovery::DnsSd;
use crate::scrape_config::http_client::HttpClientConfig;

impl SourceConfig for DnsSd {
    const FIELD: &'static str = "dns_sd_configs";
    type Request = DnsQuestion;

    fn requests(&self) -> Vec<DnsQuestion> {
        self.names.iter().map(|name| DnsQuestion::new(self, name)).collect()
    }

    fn describe(question: &DnsQuestion) -> String {
        format!("{} {}", question.record, question.name)
    }

    fn refresh_interval(&self) -> Duration {
        self.refresh_interval
    }

    fn client(&self) -> Option<&HttpClientConfig> {
        None
    }

    fn tenant_rule(&self) -> TenantRule {
        TenantRule::Served
    }
}

/// A name, and the type of records to look up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DnsQuestion {
    /// The name as written in the config.
    pub name: String,
    /// The type of record.
    pub record: RecordType,
    /// The port of the targets, unless the record has one.
    pub port: i64,
}

/// A type of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in the DNS")]
pub enum RecordType {
    Srv,
    A,
    Aaaa,
    Mx,
    Ns,
}

/// A record. Names are as in the response, with a dot at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in the DNS")]
pub enum Record {
    Srv { target: String, port: u16 },
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Mx(String),
    Ns(String),
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Srv => "SRV",
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Mx => "MX",
            Self::Ns => "NS",
        })
    }
}

impl DnsQuestion {
    fn new(config: &DnsSd, name: &str) -> Self {
        let record = match config.r#type.to_ascii_uppercase().as_str() {
            "A" => RecordType::A,
            "AAAA" => RecordType::Aaaa,
            "MX" => RecordType::Mx,
            "NS" => RecordType::Ns,
            // Validation refuses all other types.
            _ => RecordType::Srv,
        };
        Self { name: name.to_owned(), record, port: config.port }
    }

    /// The target group of all records of the name.
    #[must_use]
    pub fn group(&self, records: &[Record]) -> SourceGroup {
        let targets = records.iter().map(|record| self.target(record)).collect();
        SourceGroup { source: self.name.clone(), labels: BTreeMap::new(), targets }
    }

    fn target(&self, record: &Record) -> BTreeMap<String, String> {
        let (mut srv_target, mut srv_port, mut mx, mut ns) = Default::default();
        let address = match record {
            Record::Srv { target, port } => {
                (srv_target, srv_port) = (target.clone(), port.to_string());
                host_port(target.trim_end_matches('.'), i64::from(*port))
            }
            Record::Mx(target) => {
                mx = target.clone();
                host_port(target.trim_end_matches('.'), self.port)
            }
            Record::Ns(target) => {
                ns = target.clone();
                host_port(target.trim_end_matches('.'), self.port)
            }
            Record::A(address) => host_port(&address.to_string(), self.port),
            Record::Aaaa(address) => host_port(&go_text(*address), self.port),
        };
        // Prometheus also sets labels with an empty value.
        BTreeMap::from(
            [
                (ADDRESS, address),
                ("__meta_dns_name", self.name.clone()),
                ("__meta_dns_srv_record_target", srv_target),
                ("__meta_dns_srv_record_port", srv_port),
                ("__meta_dns_mx_record_target", mx),
                ("__meta_dns_ns_record_target", ns),
            ]
            .map(|(name, value): (&str, String)| (name.to_owned(), value)),
        )
    }
}

/// The address as Go writes it: an IPv4-mapped IPv6 address is written as IPv4.
fn go_text(address: Ipv6Addr) -> String {
    address.to_ipv4_mapped().map_or_else(|| address.to_string(), |address| address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_become_the_same_targets_as_in_prometheus() {
        let cases = [
            (
                "SRV",
                Record::Srv { target: "web-1.shop.".to_owned(), port: 9100 },
                ["web-1.shop:9100", "web-1.shop.", "9100", "", ""],
            ),
            ("a", Record::A(Ipv4Addr::new(10, 0, 0, 1)), ["10.0.0.1:80", "", "", "", ""]),
            ("AAAA", Record::Aaaa("fd00::1".parse().unwrap()), ["[fd00::1]:80", "", "", "", ""]),
            ("AAAA", Record::Aaaa("::ffff:10.0.0.1".parse().unwrap()), ["10.0.0.1:80", "", "", "", ""]),
            ("mx", Record::Mx("mail.".to_owned()), ["mail:80", "", "", "mail.", ""]),
            ("NS", Record::Ns("ns.".to_owned()), ["ns:80", "", "", "", "ns."]),
        ];
        for (kind, record, [address, srv_target, srv_port, mx, ns]) in cases {
            let config = DnsSd { names: Vec::new(), r#type: kind.to_owned(), port: 80, ..DnsSd::default() };
            let question = DnsQuestion::new(&config, "web.shop");
            assert!(question.record.to_string().eq_ignore_ascii_case(kind), "{kind}");
            let group = question.group(&[record]);
            assert_eq!((group.source.as_str(), group.labels.len()), ("web.shop", 0), "{kind}");
            let expected = BTreeMap::from(
                [
                    ("__address__", address),
                    ("__meta_dns_name", "web.shop"),
                    ("__meta_dns_srv_record_target", srv_target),
                    ("__meta_dns_srv_record_port", srv_port),
                    ("__meta_dns_mx_record_target", mx),
                    ("__meta_dns_ns_record_target", ns),
                ]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
            );
            assert_eq!(group.targets, [expected], "{kind}");
        }
    }
}
