//! Targets that are not found in the cluster: at URLs, in the DNS, in AWS, in files.
//!
//! Input: the SD configs of a job, and what was answered elsewhere. Output: what to
//! ask for, and target groups with the labels of Prometheus 3.14. Nothing is fetched here.

pub mod client;
pub mod dns;
pub mod ec2;
mod groups;
pub mod http;
pub mod proxy;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::TargetGroup;
use crate::address::join_host_port;
use crate::duration::Duration;
use crate::labels::{ADDRESS, Label, LabelSet};
use crate::scrape_config::discovery::{Ec2Sd, HttpSd, ServiceDiscovery};
use crate::scrape_config::secret::WithSecrets;
use dns::DnsQuestion;
pub use groups::{GroupsError, file as file_groups};

/// Something to ask for, once for all jobs that want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Equal for equal sources.
    pub key: SourceKey,
    /// How long an answer counts.
    pub refresh_interval: Duration,
    /// What to ask for.
    pub wanted: Wanted,
}

/// What to ask for. An SD config with several names or paths is several sources, so
/// that the failure of one does not touch the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Wanted {
    /// A URL.
    Http(Box<HttpSd>),
    /// A name.
    Dns(DnsQuestion),
    /// The instances of an account.
    Ec2(Box<Ec2Sd>),
    /// A path, whose last part may hold one `*`.
    File(String),
}

/// Tells sources apart: all that an answer depends on, credentials included.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceKey(String);

impl fmt::Debug for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text holds credentials.
        f.write_str("SourceKey")
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(config) => write!(f, "http_sd_configs: {}", http::shown(config.url.expose())),
            Self::Dns(question) => write!(f, "dns_sd_configs: {} {}", question.record, question.name),
            Self::Ec2(config) if config.region.is_empty() => write!(f, "ec2_sd_configs: the function's region"),
            Self::Ec2(config) => write!(f, "ec2_sd_configs: {}", config.region),
            Self::File(path) => write!(f, "file_sd_configs: {path}"),
        }
    }
}

impl Source {
    fn new(wanted: Wanted, refresh_interval: Duration) -> Result<Self, serde_json::Error> {
        let key = SourceKey(serde_json::to_string(&WithSecrets(&(&wanted, refresh_interval)))?);
        Ok(Self { key, refresh_interval, wanted })
    }
}

/// The sources of a job, in the order of its configs.
///
/// # Errors
/// When a config cannot be written as JSON, by which sources are told apart.
pub fn sources(discovery: &ServiceDiscovery) -> Result<Vec<Source>, serde_json::Error> {
    let ServiceDiscovery { kubernetes: _, r#static: _, http, dns, ec2, file } = discovery;
    let http = http.iter().map(|config| (Wanted::Http(Box::new(config.clone())), config.refresh_interval));
    let dns = dns.iter().flat_map(|config| {
        let question = |name: &String| Wanted::Dns(DnsQuestion::new(config, name));
        config.names.iter().map(move |name| (question(name), config.refresh_interval))
    });
    let ec2 = ec2.iter().map(|config| (Wanted::Ec2(Box::new(config.clone())), config.refresh_interval));
    let file = file
        .iter()
        .flat_map(|config| config.files.iter().map(|path| (Wanted::File(path.clone()), config.refresh_interval)));
    http.chain(dns).chain(ec2).chain(file).map(|(wanted, interval)| Source::new(wanted, interval)).collect()
}

/// What is known of each source.
#[derive(Debug, Clone, Default)]
pub struct External {
    /// By the sources' keys.
    pub answers: BTreeMap<SourceKey, Answer>,
}

/// What is known of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Its targets.
    Known(Arc<[ExternalGroup]>),
    /// Its targets as they were before asking again failed.
    Kept(Arc<[ExternalGroup]>, String),
    /// There never was an answer; why.
    Unknown(String),
}

/// Targets that share labels, with texts of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExternalGroup {
    /// Names the source and the group's place in it.
    pub source: String,
    /// Labels of all targets.
    pub labels: BTreeMap<String, String>,
    /// Labels of each target, `__address__` among them.
    pub targets: Vec<BTreeMap<String, String>>,
}

impl ExternalGroup {
    /// The group with the labels that are wanted.
    pub fn target_group(&self, mut wants: impl FnMut(&str) -> bool) -> TargetGroup<'_> {
        TargetGroup {
            source: self.source.clone(),
            labels: LabelSet::from_sorted(borrowed(&self.labels, &mut wants)),
            targets: self.targets.iter().map(|target| LabelSet::from_sorted(borrowed(target, &mut wants))).collect(),
        }
    }
}

fn borrowed<'a>(labels: &'a BTreeMap<String, String>, wants: &mut impl FnMut(&str) -> bool) -> Vec<Label<'a>> {
    let wanted = labels.iter().filter(|(name, _)| wants(name));
    wanted.map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect()
}

/// A target that has an address and nothing else.
fn address_only(address: String) -> BTreeMap<String, String> {
    BTreeMap::from([(ADDRESS.to_owned(), address)])
}

fn host_port(host: &str, port: i64) -> String {
    join_host_port(host, &port.to_string())
}
