//! Checks a scrape config like the parser of Prometheus, and fills in the defaults.
//!
//! Input: a scrape config with unset values (zero, empty), and the globals. Output: the config as Prometheus prints it,
//! or the first rule that the config breaks. Follows `ScrapeConfig.UnmarshalYAML` and `ScrapeConfig.Validate` in
//! `config/config.go`. Rules about the notation of a value (`null`, an empty list) belong to the parser.

use super::fields::Refusal;
use super::globals::{ALLOW_UTF8, Globals, UNDERSCORES, default_escaping};
use super::http_client::HttpClientError;
use super::{NameValidation, ScrapeConfig};
use crate::regex::RegexCache;
use crate::relabel::{RelabelError, Rules};

/// The protocols that a target can be scraped with.
pub const PROTOCOLS: [&str; 5] =
    ["PrometheusProto", "OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4"];

/// The reason why Prometheus rejects a scrape config.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message says it")]
pub enum ScrapeConfigError {
    #[error("job_name is empty")]
    EmptyJobName,
    #[error("scrape_timeout is greater than scrape_interval, lower it: {timeout} > {interval}")]
    TimeoutAboveInterval { timeout: String, interval: String },
    #[error("scrape_protocols names a protocol twice: {0}")]
    DuplicateProtocol(String),
    #[error("scrape_protocols names an unknown protocol, use some of {known}: {0:?}", known = PROTOCOLS.join(", "))]
    UnknownProtocol(String),
    #[error("fallback_scrape_protocol is unknown, use one of {known}: {0:?}", known = PROTOCOLS.join(", "))]
    UnknownFallbackProtocol(String),
    #[error("metric_name_escaping_scheme is unknown, use allow-utf-8, underscores, dots or values: {0:?}")]
    UnknownEscapingScheme(String),
    #[error("metric_name_escaping_scheme allow-utf-8 requires metric_name_validation_scheme utf8")]
    EscapingNeedsUtf8,
    #[error("static_configs holds a target that is not a host name, leave out scheme and path: {0:?}")]
    TargetIsUrl(String),
    #[error("{field} holds a rule that cannot be used")]
    Relabel {
        field: &'static str,
        #[source]
        source: RelabelError,
    },
    #[error(transparent)]
    HttpClient(#[from] HttpClientError),
    #[error(transparent)]
    ServiceDiscovery(#[from] Refusal),
}

impl ScrapeConfig {
    /// Fills in unset values, and rejects configs that Prometheus rejects. `regexes` holds the regular expressions that
    /// were accepted before.
    ///
    /// # Errors
    /// The first rule that the config breaks.
    pub fn validate(&mut self, globals: &Globals, regexes: &RegexCache) -> Result<(), ScrapeConfigError> {
        if self.job_name.is_empty() {
            return Err(ScrapeConfigError::EmptyJobName);
        }
        self.http_client.validate()?;
        self.service_discovery.validate()?;
        self.check_static_targets()?;
        self.fill_in_times(globals)?;
        self.fill_in_limits(globals);
        self.fill_in_protocols(globals)?;
        self.fill_in_name_schemes(globals)?;
        self.check_rules(regexes)
    }

    /// Rejects a URL in place of an address, unless relabelling rules exist that could correct it.
    fn check_static_targets(&self) -> Result<(), ScrapeConfigError> {
        if !self.relabel_configs.is_empty() {
            return Ok(());
        }
        let mut targets = self.service_discovery.r#static.iter().flat_map(|group| &group.targets);
        targets
            .find(|target| target.contains('/'))
            .map_or(Ok(()), |target| Err(ScrapeConfigError::TargetIsUrl(target.clone())))
    }

    fn check_rules(&self, regexes: &RegexCache) -> Result<(), ScrapeConfigError> {
        let names = self.metric_name_validation_scheme;
        for (field, rules) in
            [("relabel_configs", &self.relabel_configs), ("metric_relabel_configs", &self.metric_relabel_configs)]
        {
            Rules::check(rules, names, regexes).map_err(|source| ScrapeConfigError::Relabel { field, source })?;
        }
        Ok(())
    }

    fn fill_in_times(&mut self, globals: &Globals) -> Result<(), ScrapeConfigError> {
        if self.scrape_interval.is_zero() {
            self.scrape_interval = globals.scrape_interval;
        }
        if self.scrape_timeout > self.scrape_interval {
            return Err(ScrapeConfigError::TimeoutAboveInterval {
                timeout: self.scrape_timeout.to_string(),
                interval: self.scrape_interval.to_string(),
            });
        }
        if self.scrape_timeout.is_zero() {
            self.scrape_timeout = globals.scrape_timeout.min(self.scrape_interval);
        }
        Ok(())
    }

    fn fill_in_limits(&mut self, globals: &Globals) {
        or_global(&mut self.body_size_limit, &globals.body_size_limit);
        or_global(&mut self.sample_limit, &globals.sample_limit);
        or_global(&mut self.target_limit, &globals.target_limit);
        or_global(&mut self.label_limit, &globals.label_limit);
        or_global(&mut self.label_name_length_limit, &globals.label_name_length_limit);
        or_global(&mut self.label_value_length_limit, &globals.label_value_length_limit);
        or_global(&mut self.keep_dropped_targets, &globals.keep_dropped_targets);
        or_global(&mut self.scrape_failure_log_file, &globals.scrape_failure_log_file);
    }

    fn fill_in_protocols(&mut self, globals: &Globals) -> Result<(), ScrapeConfigError> {
        if self.scrape_protocols.is_empty() {
            self.scrape_protocols = if !globals.scrape_protocols.is_empty() {
                globals.scrape_protocols.clone()
            } else {
                // Only the first protocol of the list supports native histograms. It is skipped unless they are
                // scraped.
                let skipped = usize::from(!self.scrape_native_histograms);
                PROTOCOLS[skipped..].iter().copied().map(str::to_owned).collect()
            };
        }
        check_protocols(&self.scrape_protocols)?;
        let fallback = self.fallback_scrape_protocol.as_str();
        if !fallback.is_empty() && !PROTOCOLS.contains(&fallback) {
            return Err(ScrapeConfigError::UnknownFallbackProtocol(fallback.to_owned()));
        }
        Ok(())
    }

    fn fill_in_name_schemes(&mut self, globals: &Globals) -> Result<(), ScrapeConfigError> {
        check_escaping(globals.escaping_scheme())?;
        if self.metric_name_escaping_scheme.is_empty() {
            let inherited = self.metric_name_validation_scheme == globals.metric_name_validation_scheme;
            let scheme = if inherited {
                globals.escaping_scheme()
            } else {
                default_escaping(self.metric_name_validation_scheme)
            };
            scheme.clone_into(&mut self.metric_name_escaping_scheme);
        }
        check_escaping(&self.metric_name_escaping_scheme)?;
        if self.metric_name_escaping_scheme == ALLOW_UTF8
            && self.metric_name_validation_scheme == NameValidation::Legacy
        {
            return Err(ScrapeConfigError::EscapingNeedsUtf8);
        }
        Ok(())
    }
}

/// Rejects unknown and duplicate protocols.
///
/// # Errors
/// The first unknown or duplicate protocol.
pub fn check_protocols(protocols: &[String]) -> Result<(), ScrapeConfigError> {
    for (at, protocol) in protocols.iter().enumerate() {
        if protocols[..at].iter().any(|earlier| earlier.eq_ignore_ascii_case(protocol)) {
            return Err(ScrapeConfigError::DuplicateProtocol(protocol.clone()));
        }
        if !PROTOCOLS.contains(&protocol.as_str()) {
            return Err(ScrapeConfigError::UnknownProtocol(protocol.clone()));
        }
    }
    Ok(())
}

fn check_escaping(scheme: &str) -> Result<(), ScrapeConfigError> {
    match scheme {
        ALLOW_UTF8 | UNDERSCORES | "dots" | "values" => Ok(()),
        _ => Err(ScrapeConfigError::UnknownEscapingScheme(scheme.to_owned())),
    }
}

fn or_global<T: Clone + Default + PartialEq>(value: &mut T, global: &T) {
    if *value == T::default() {
        value.clone_from(global);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::Duration;
    use crate::error::chain;
    use crate::relabel::RelabelConfig;
    use crate::scrape_config::discovery::{
        DnsSd, Ec2Filter, Ec2Sd, FileSd, HttpSd, KubernetesSd, Role, Selector, StaticSd,
    };
    use crate::scrape_config::http_client::{Authorization, BasicAuth, HttpHeader, OAuth2, ProxyConfig, TlsConfig};

    fn validated(edit: impl FnOnce(&mut ScrapeConfig)) -> Result<ScrapeConfig, String> {
        let mut config = ScrapeConfig::new("job");
        edit(&mut config);
        config.validate(&Globals::default(), &RegexCache::default()).map(|()| config).map_err(|error| chain(&error))
    }

    #[test]
    fn scrape_configs_that_prometheus_refuses_are_refused() {
        type Edit = fn(&mut ScrapeConfig);
        let cases: &[(&str, Edit)] = &[
            ("job_name", |c| c.job_name.clear()),
            ("scrape_timeout", |c| c.scrape_timeout = Duration::from_secs(61)),
            ("names a protocol twice", |c| {
                c.scrape_protocols = vec!["PrometheusProto".to_owned(), "prometheusproto".to_owned()];
            }),
            ("scrape_protocols names an unknown", |c| c.scrape_protocols = vec!["Text".to_owned()]),
            ("fallback_scrape_protocol", |c| c.fallback_scrape_protocol = "Text".to_owned()),
            ("metric_name_escaping_scheme is unknown", |c| c.metric_name_escaping_scheme = "x".to_owned()),
            ("requires metric_name_validation_scheme utf8", |c| {
                c.metric_name_validation_scheme = NameValidation::Legacy;
                c.metric_name_escaping_scheme = ALLOW_UTF8.to_owned();
            }),
            ("not a host name", |c| {
                c.service_discovery.r#static =
                    vec![StaticSd { targets: vec!["http://x".to_owned()], ..StaticSd::default() }];
            }),
            ("metric_relabel_configs holds a rule that cannot be used: rule 0: regex", |c| {
                let rule = RelabelConfig { regex: Some("(".to_owned()), ..RelabelConfig::default() };
                c.metric_relabel_configs = vec![RelabelConfig { target_label: "a".to_owned(), ..rule }];
            }),
            ("basic_auth, oauth2 and authorization", |c| {
                c.http_client.basic_auth = Some(BasicAuth::default());
                c.http_client.authorization = Some(Authorization::default());
            }),
            ("basic_auth.username", |c| {
                c.http_client.basic_auth =
                    Some(BasicAuth { username: "a".to_owned(), username_file: "b".to_owned(), ..BasicAuth::default() });
            }),
            ("basic_auth.password", |c| {
                c.http_client.basic_auth =
                    Some(BasicAuth { password: "a".into(), password_ref: "b".to_owned(), ..BasicAuth::default() });
            }),
            ("authorization.credentials", |c| {
                c.http_client.authorization = Some(Authorization {
                    credentials: "a".into(),
                    credentials_file: "b".to_owned(),
                    ..Authorization::default()
                });
            }),
            ("authorization.type", |c| {
                c.http_client.authorization =
                    Some(Authorization { r#type: " BASIC ".to_owned(), ..Authorization::default() });
            }),
            ("oauth2.client_id", |c| c.http_client.oauth2 = Some(OAuth2::default())),
            ("oauth2.token_url", |c| {
                c.http_client.oauth2 = Some(OAuth2 { client_id: "a".to_owned(), ..OAuth2::default() });
            }),
            ("oauth2.client_secret", |c| {
                c.http_client.oauth2 = Some(OAuth2 {
                    client_id: "a".to_owned(),
                    token_url: "a".to_owned(),
                    client_secret: "a".into(),
                    client_secret_file: "a".to_owned(),
                    ..OAuth2::default()
                });
            }),
            ("oauth2.signature_algorithm", |c| {
                c.http_client.oauth2 = Some(OAuth2 {
                    client_id: "a".to_owned(),
                    token_url: "a".to_owned(),
                    grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned(),
                    signature_algorithm: "ES256".to_owned(),
                    ..OAuth2::default()
                });
            }),
            ("certificate without a key", |c| {
                c.http_client.tls_config = TlsConfig { cert: "a".to_owned(), ..TlsConfig::default() };
            }),
            ("key without a certificate", |c| {
                c.http_client.tls_config = TlsConfig { key: "a".into(), ..TlsConfig::default() };
            }),
            ("tls_config.ca", |c| {
                c.http_client.tls_config =
                    TlsConfig { ca: "a".to_owned(), ca_file: "a".to_owned(), ..TlsConfig::default() };
            }),
            ("tls_config.min_version", |c| {
                c.http_client.tls_config = TlsConfig { min_version: "TLS9".to_owned(), ..TlsConfig::default() };
            }),
            ("proxy_url is not a url", |c| c.http_client.proxy.proxy_url = Some("http://a b".into())),
            ("proxy_connect_header", |c| {
                c.http_client.proxy.proxy_connect_header.insert("A".to_owned(), vec!["b".into()]);
            }),
            ("no_proxy", |c| c.http_client.proxy.no_proxy = "a".to_owned()),
            ("proxy_from_environment and proxy_url", |c| {
                c.http_client.proxy = ProxyConfig {
                    proxy_url: Some("http://a".into()),
                    proxy_from_environment: true,
                    ..ProxyConfig::default()
                };
            }),
            ("http_headers", |c| {
                c.http_client.http_headers.insert("user-agent".to_owned(), HttpHeader::default());
            }),
            ("without api_server", |c| {
                let mut kubernetes = KubernetesSd::new(Role::Pod);
                kubernetes.http_client.follow_redirects = false;
                c.service_discovery.kubernetes = vec![kubernetes];
            }),
            ("selectors has a role", |c| {
                let selector = Selector { role: Role::Pod, label: String::new(), field: String::new() };
                let kubernetes = KubernetesSd { selectors: vec![selector], ..KubernetesSd::new(Role::Node) };
                c.service_discovery.kubernetes = vec![kubernetes];
            }),
            ("invalid label selector: selector cannot be read", |c| {
                let selector = Selector { role: Role::Pod, label: "a b".to_owned(), field: String::new() };
                let kubernetes = KubernetesSd { selectors: vec![selector], ..KubernetesSd::new(Role::Pod) };
                c.service_discovery.kubernetes = vec![kubernetes];
            }),
            ("http or https url", |c| c.service_discovery.http = vec![HttpSd::new("ftp://a")]),
            ("dns_sd_configs.names", |c| c.service_discovery.dns = vec![DnsSd::default()]),
            ("dns_sd_configs.port", |c| {
                let dns = DnsSd { names: vec!["a".to_owned()], r#type: "a".to_owned(), ..DnsSd::default() };
                c.service_discovery.dns = vec![dns];
            }),
            ("ec2_sd_configs.filters", |c| {
                c.service_discovery.ec2 = vec![Ec2Sd { filters: vec![Ec2Filter::default()], ..Ec2Sd::default() }];
            }),
            ("file_sd_configs.files is empty", |c| c.service_discovery.file = vec![FileSd::default()]),
            ("file_sd_configs.files has", |c| {
                let files = vec!["a*/b.json".to_owned()];
                c.service_discovery.file = vec![FileSd { files, ..FileSd::default() }];
            }),
        ];
        for (expected, edit) in cases {
            let got = validated(edit);
            assert!(got.as_ref().is_err_and(|error| error.contains(expected)), "{expected}: {got:?}");
        }
    }

    #[test]
    fn unset_fields_come_from_the_globals() {
        let globals = Globals {
            scrape_interval: Duration::from_secs(5),
            sample_limit: 7,
            scrape_protocols: vec!["PrometheusText0.0.4".to_owned()],
            metric_name_escaping_scheme: "dots".to_owned(),
            ..Globals::default()
        };
        let mut config = ScrapeConfig::with_globals("job", &globals);
        config.validate(&globals, &RegexCache::default()).unwrap();
        assert_eq!(config.scrape_timeout, Duration::from_secs(5), "no longer than the interval");
        assert_eq!(config.sample_limit, 7);
        assert_eq!(config.scrape_protocols, globals.scrape_protocols);
        assert_eq!(config.metric_name_escaping_scheme, "dots");

        let mut config = ScrapeConfig::with_globals("job", &globals);
        config.set_name_validation(NameValidation::Utf8);
        config.validate(&globals, &RegexCache::default()).unwrap();
        assert_eq!(config.metric_name_escaping_scheme, ALLOW_UTF8, "a scheme of its own, an escaping of its own");
    }

    #[test]
    fn native_histograms_request_protobuf_first() {
        let plain = validated(|_| {}).unwrap();
        let native = validated(|config| config.scrape_native_histograms = true).unwrap();
        assert_eq!(plain.scrape_protocols, PROTOCOLS[1..]);
        assert_eq!(native.scrape_protocols, PROTOCOLS);
    }
}
