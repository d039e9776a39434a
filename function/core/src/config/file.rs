//! The file as it is written, key by key, and what becomes of each.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::collectors::CollectorsKey;
use super::go_duration::GoDuration;
use super::pipelines::{self, PipelinesKey};
use super::prometheus::{self, BodySize, Limit, LimitKeys};
use super::selector::Selector;
use super::{
    Config, ConfigError, Egress, KEEP_UNKNOWN, MOST_OF_A_JOB, NOT_READY_GRACE_PERIOD, Note, access, collectors,
    strategy,
};
use crate::duration::Duration;
use crate::monitors;
use crate::monitors::bounds::Bounds;
use crate::monitors::draft::Files;
use crate::monitors::finding::Finding;
use crate::monitors::scrape_class::ScrapeClasses;
use crate::monitors::selection::{KindSelection, NamespaceRules, is_namespace_name};
use crate::objects::monitoring::ScrapeClass;
use crate::objects::monitoring::service_monitor::ServiceDiscoveryRole;
use crate::objects::null_to_default;
use crate::scrape_config::parse;
use crate::scrape_config::validation::check_protocols;
use crate::unknown_key::UnknownKey;

/// All keys, the peer's and ours.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    listen_addr: Option<IgnoredAny>,
    kube_config_file_path: Option<IgnoredAny>,
    pub(super) collector_namespace: Option<String>,
    collector_selector: Option<Selector>,
    collector_not_ready_grace_period: Option<GoDuration>,
    config: Option<Value>,
    allocation_strategy: Option<String>,
    allocation_fallback_strategy: Option<String>,
    #[serde(deserialize_with = "null_to_default")]
    allocation_strategy_config: strategy::StrategyConfigKey,
    filter_strategy: Option<String>,
    #[serde(deserialize_with = "null_to_default")]
    prometheus_cr: PrometheusCr,
    https: Option<IgnoredAny>,
    telemetry: Option<IgnoredAny>,
    allow_insecure_auth_secrets: Option<bool>,
    collectors: Option<CollectorsKey>,
    allocation_replicas: Option<u32>,
    allocation_fallback_without_collector: Option<bool>,
    rendezvous_hashing: Option<strategy::RendezvousKey>,
    http_sd_allow: Option<Vec<String>>,
    dns_sd_servers: Option<Vec<SocketAddr>>,
    allowed_subjects: Option<Vec<String>>,
    viewers: Option<Vec<String>>,
    collector_identity: Option<String>,
    pipelines: Option<PipelinesKey>,
}

/// `prometheus_cr`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PrometheusCr {
    enabled: Option<bool>,
    allow_namespaces: Option<Vec<String>>,
    deny_namespaces: Option<Vec<String>>,
    secret_namespaces: Option<IgnoredAny>,
    service_monitor_selector: Option<Selector>,
    service_monitor_namespace_selector: Option<Selector>,
    pod_monitor_selector: Option<Selector>,
    pod_monitor_namespace_selector: Option<Selector>,
    probe_selector: Option<Selector>,
    probe_namespace_selector: Option<Selector>,
    scrape_config_selector: Option<Selector>,
    scrape_config_namespace_selector: Option<Selector>,
    scrape_interval: Option<GoDuration>,
    evaluation_interval: Option<IgnoredAny>,
    scrape_protocols: Option<Vec<String>>,
    scrape_classes: Option<Vec<ScrapeClass>>,
    deny_fs_access_through_sms: Option<bool>,
    scrape_timeout: Option<GoDuration>,
    override_honor_labels: Option<bool>,
    override_honor_timestamps: Option<bool>,
    ignore_namespace_selectors: Option<bool>,
    pod_target_labels: Option<Vec<String>>,
    service_discovery_role: Option<ServiceDiscoveryRole>,
    enforced_namespace_label: Option<String>,
    excluded_from_enforcement: Option<Vec<prometheus::ObjectReference>>,
    sample_limit: Option<Limit>,
    target_limit: Option<Limit>,
    label_limit: Option<Limit>,
    label_name_length_limit: Option<Limit>,
    label_value_length_limit: Option<Limit>,
    keep_dropped_targets: Option<Limit>,
    body_size_limit: Option<BodySize>,
    enforced_sample_limit: Option<Limit>,
    enforced_target_limit: Option<Limit>,
    enforced_label_limit: Option<Limit>,
    enforced_label_name_length_limit: Option<Limit>,
    enforced_label_value_length_limit: Option<Limit>,
    enforced_keep_dropped_targets: Option<Limit>,
    enforced_body_size_limit: Option<BodySize>,
}

/// What the peer asks for when the file says nothing, best first.
const SCRAPE_PROTOCOLS: [&str; 4] =
    ["OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4"];

const SCRAPE_INTERVAL: Duration = Duration::from_secs(30);

impl File {
    /// Checks the keys and turns them into settings. `unknown` are the keys that were taken out of the file before.
    pub(super) fn into_config(self, mut unknown: Vec<UnknownKey>) -> Result<Config, ConfigError> {
        let Self {
            listen_addr,
            kube_config_file_path,
            collector_namespace,
            collector_selector,
            collector_not_ready_grace_period,
            config,
            allocation_strategy,
            allocation_fallback_strategy,
            allocation_strategy_config,
            filter_strategy,
            prometheus_cr,
            https,
            telemetry,
            allow_insecure_auth_secrets,
            collectors,
            allocation_replicas,
            allocation_fallback_without_collector,
            rendezvous_hashing,
            http_sd_allow,
            dns_sd_servers,
            allowed_subjects,
            viewers,
            collector_identity,
            pipelines,
        } = self;
        let mut notes = Vec::new();
        let mut note = |present: bool, key: &str, reason| {
            if present {
                notes.push(Note { key: String::from(key), reason });
            }
        };
        note(listen_addr.is_some(), "listen_addr", "API Gateway listens");
        note(
            kube_config_file_path.is_some(),
            "kube_config_file_path",
            "the CLUSTER variable says where the cluster is",
        );
        note(https.is_some(), "https", "API Gateway ends TLS and authenticates collectors");
        note(telemetry.is_some(), "telemetry", "metrics go to CloudWatch");
        note(
            allow_insecure_auth_secrets == Some(true),
            "allow_insecure_auth_secrets",
            "SECRETS=inline serves credentials",
        );
        note(
            prometheus_cr.secret_namespaces.is_some(),
            "prometheus_cr.secret_namespaces",
            "secrets that a selected monitor names are read where they are",
        );
        note(prometheus_cr.evaluation_interval.is_some(), "prometheus_cr.evaluation_interval", "nothing is evaluated");
        let namespace = collector_namespace.unwrap_or_default();
        let prometheus = config.as_ref().map(parse::parse).transpose()?;
        let (scrape_configs, passed_over, unknown_in_config) =
            prometheus.map(|parsed| (parsed.jobs, parsed.passed_over, parsed.unknown)).unwrap_or_default();
        unknown.extend(unknown_in_config);
        for section in passed_over {
            note(true, &format!("config.{section}"), "it has no bearing on what is scraped");
        }
        let monitors = prometheus_cr.into_settings(&namespace, &mut notes)?;
        if monitors.is_none() && scrape_configs.is_empty() {
            let reason = "enable prometheus_cr, or give config.scrape_configs: there is nothing to scrape";
            return Err(ConfigError::key("prometheus_cr.enabled", reason));
        }
        // DIFFERENCE(one-bad-job): the operator does not start if one job is wrong. Here only this job is left out.
        // If no job is left, `/scrape_configs` would be `{}`, which stops all scraping. So this is an error.
        if monitors.is_none()
            && scrape_configs.iter().all(Result::is_err)
            && let Some(Err(refused)) = scrape_configs.first()
        {
            return Err(ConfigError::NoJobs(refused.clone()));
        }
        let grace_period = collector_not_ready_grace_period.map_or(NOT_READY_GRACE_PERIOD, |given| given.0);
        let selector = collector_selector.map(|selector| selector.0.selector()).transpose();
        let selector = selector.map_err(|error| ConfigError::key("collector_selector", error.to_string()))?;
        let egress = Egress::new(&http_sd_allow.unwrap_or_default()).map_err(|text| {
            ConfigError::key(
                "http_sd_allow",
                format!("not a host, an address or a network such as 10.0.0.0/8: {text:?}"),
            )
        })?;
        Ok(Config {
            collectors: collectors::read(collectors, selector, &namespace, grace_period)?,
            namespace,
            access: access::read(access::Keys { allowed_subjects, viewers, collector_identity })?,
            strategy: strategy::read(strategy::Keys {
                strategy: allocation_strategy,
                fallback: allocation_fallback_strategy,
                config: allocation_strategy_config,
                replicas: allocation_replicas,
                fallback_without_collector: allocation_fallback_without_collector,
                rendezvous: rendezvous_hashing,
            })?,
            filter: strategy::read_filter(filter_strategy.as_deref())?,
            monitors,
            scrape_configs,
            pipelines: pipelines::read(pipelines.unwrap_or_default())?,
            egress,
            dns_servers: dns_sd_servers.unwrap_or_default(),
            most_of_a_job: MOST_OF_A_JOB,
            most_of_a_list: usize::MAX,
            keep_unknown: KEEP_UNKNOWN,
            notes,
            unknown,
        })
    }
}

impl PrometheusCr {
    fn into_settings(self, namespace: &str, notes: &mut Vec<Note>) -> Result<Option<monitors::Settings>, ConfigError> {
        if self.enabled != Some(true) {
            return Ok(None);
        }
        let allow_namespaces = read_allowed(self.allow_namespaces.unwrap_or_default())?;
        let deny_namespaces = self.deny_namespaces.unwrap_or_default();
        if !allow_namespaces.is_empty() && !deny_namespaces.is_empty() {
            let reason = "only one of prometheus_cr.allow_namespaces and prometheus_cr.deny_namespaces can be set";
            return Err(ConfigError::key("prometheus_cr.deny_namespaces", reason));
        }
        let scrape_classes = ScrapeClasses::new(self.scrape_classes.unwrap_or_default()).map_err(
            |Finding { field, reason, .. }| ConfigError::File {
                path: format!("prometheus_cr.scrape_classes{field}"),
                message: reason,
            },
        )?;
        let protocols = self.scrape_protocols.unwrap_or_else(|| SCRAPE_PROTOCOLS.map(str::to_owned).to_vec());
        // With a wrong name here, the jobs of all monitors would be left out.
        check_protocols(&protocols)
            .map_err(|error| ConfigError::key("prometheus_cr.scrape_protocols", error.to_string()))?;
        let scrape_interval = self.scrape_interval.map_or(SCRAPE_INTERVAL, |given| given.0);
        let keys = prometheus::Keys {
            scrape_timeout: self.scrape_timeout,
            override_honor_labels: self.override_honor_labels,
            override_honor_timestamps: self.override_honor_timestamps,
            ignore_namespace_selectors: self.ignore_namespace_selectors,
            pod_target_labels: self.pod_target_labels,
            service_discovery_role: self.service_discovery_role,
            enforced_namespace_label: self.enforced_namespace_label,
            excluded_from_enforcement: self.excluded_from_enforcement,
            default_limits: LimitKeys {
                sample_limit: self.sample_limit,
                target_limit: self.target_limit,
                label_limit: self.label_limit,
                label_name_length_limit: self.label_name_length_limit,
                label_value_length_limit: self.label_value_length_limit,
                keep_dropped_targets: self.keep_dropped_targets,
                body_size_limit: self.body_size_limit,
            },
            enforced_limits: LimitKeys {
                sample_limit: self.enforced_sample_limit,
                target_limit: self.enforced_target_limit,
                label_limit: self.enforced_label_limit,
                label_name_length_limit: self.enforced_label_name_length_limit,
                label_value_length_limit: self.enforced_label_value_length_limit,
                keep_dropped_targets: self.enforced_keep_dropped_targets,
                body_size_limit: self.enforced_body_size_limit,
            },
        };
        let prometheus = prometheus::read(keys, scrape_interval, notes)?;
        let select = |key, selector: Option<Selector>, namespaces: Option<Selector>| {
            // Without a namespace selector the peer's default config means all namespaces.
            let namespaces = namespaces.map(|selector| selector.0).unwrap_or_default();
            KindSelection::new(selector.map(|selector| selector.0).as_ref(), Some(&namespaces))
                .map_err(|error| ConfigError::key(key, error.to_string()))
        };
        Ok(Some(monitors::Settings {
            namespaces: NamespaceRules {
                own: namespace.to_owned(),
                allowed: allow_namespaces,
                denied: deny_namespaces.into_iter().collect(),
            },
            service_monitors: select(
                "prometheus_cr.service_monitor_selector",
                self.service_monitor_selector,
                self.service_monitor_namespace_selector,
            )?,
            pod_monitors: select(
                "prometheus_cr.pod_monitor_selector",
                self.pod_monitor_selector,
                self.pod_monitor_namespace_selector,
            )?,
            probes: select("prometheus_cr.probe_selector", self.probe_selector, self.probe_namespace_selector)?,
            scrape_configs: select(
                "prometheus_cr.scrape_config_selector",
                self.scrape_config_selector,
                self.scrape_config_namespace_selector,
            )?,
            scrape_interval,
            scrape_protocols: protocols,
            scrape_classes,
            prometheus,
            files: match self.deny_fs_access_through_sms {
                None => Files::WithoutTls,
                Some(true) => Files::Denied,
                Some(false) => Files::Allowed,
            },
            bounds: Bounds::default(),
        }))
    }
}

/// Reads `allow_namespaces`. As in the operator, an empty list and an empty name stand for all namespaces.
fn read_allowed(names: Vec<String>) -> Result<BTreeSet<String>, ConfigError> {
    if names.iter().any(String::is_empty) {
        return Ok(BTreeSet::new());
    }
    // Without this, `/scrape_configs` would be `{}`, which stops all scraping.
    if let Some(first) = names.first()
        && !names.iter().any(|name| is_namespace_name(name))
    {
        let reason = format!(
            "write names of namespaces: lower case letters, digits and -, at most 63 characters, no pattern: {first:?}"
        );
        return Err(ConfigError::key("prometheus_cr.allow_namespaces", reason));
    }
    Ok(names.into_iter().collect())
}

impl monitors::Settings {
    /// What the peer would do with the shortest config that selects everything.
    pub(super) fn selecting_all() -> Self {
        Self {
            service_monitors: KindSelection::all(),
            pod_monitors: KindSelection::all(),
            probes: KindSelection::all(),
            scrape_configs: KindSelection::all(),
            scrape_interval: SCRAPE_INTERVAL,
            scrape_protocols: SCRAPE_PROTOCOLS.map(str::to_owned).to_vec(),
            ..Self::default()
        }
    }
}
