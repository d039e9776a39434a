//! Scrape classes: settings that a monitor takes by name or by default.
//!
//! Follows `getScrapeClassConfig` and `getScrapeClassOrDefault` of the Prometheus operator.
//! DIFFERENCE(scrape-class): a class that Prometheus cannot load is refused too. The operator leaves it to Prometheus, which then
//! loads no job. Here the jobs of all monitors of the class would be left out, and collectors would lose them.

use std::collections::BTreeMap;

use super::finding::{Finding, Within};
use super::http_client;
use super::relabeling;
use crate::objects::monitoring::ScrapeClass;
use crate::objects::monitoring::http::{Authorization, TlsConfig};
use crate::scrape_config::http_client::TLS_VERSIONS;
use crate::scrape_config::validation::PROTOCOLS;

/// Checked scrape classes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScrapeClasses {
    by_name: BTreeMap<String, ScrapeClass>,
    /// The class of monitors that do not name one. Empty if no class is the default.
    default: ScrapeClass,
}

impl ScrapeClasses {
    /// Checks scrape classes. If several classes have one name, the last one wins.
    ///
    /// # Errors
    /// A class that makes no job that Prometheus can load. The field is the field in the list.
    pub fn new(classes: Vec<ScrapeClass>) -> Result<Self, Finding> {
        let mut default_name: Option<String> = None;
        let mut by_name = BTreeMap::new();
        for (index, class) in classes.into_iter().enumerate() {
            check(&class).within(&format!("[{index}]"))?;
            if class.default {
                if default_name.as_deref().is_some_and(|name| !name.is_empty()) {
                    return Err(Finding::refused("is set in more than one scrape class, keep one")
                        .within(&format!("[{index}].default")));
                }
                default_name = Some(class.name.clone());
            }
            by_name.insert(class.name.clone(), class);
        }
        let default = default_name.and_then(|name| by_name.get(&name).cloned()).unwrap_or_default();
        Ok(Self { by_name, default })
    }

    /// The scrape class of a monitor. Without a name, the default class, or an empty class if there is no default.
    ///
    /// # Errors
    /// [`Finding`] if no class has this name.
    pub fn of(&self, name: Option<&str>) -> Result<&ScrapeClass, Finding> {
        match name {
            None | Some("") => Ok(&self.default),
            Some(name) => self.by_name.get(name).ok_or_else(|| {
                let reason = format_args!("is not in prometheus_cr.scrape_classes, add it there: {name:?}").to_string();
                Finding::refused(reason).within("scrapeClass")
            }),
        }
    }

    /// All classes, each name once.
    pub fn iter(&self) -> impl Iterator<Item = &ScrapeClass> {
        self.by_name.values()
    }
}

fn check(class: &ScrapeClass) -> Result<(), Finding> {
    let ScrapeClass {
        name: _,
        default: _,
        fallback_scrape_protocol,
        tls_config,
        authorization,
        relabelings,
        metric_relabelings,
        attach_metadata: _,
    } = class;
    check_name("fallbackScrapeProtocol", fallback_scrape_protocol.as_deref(), &PROTOCOLS)?;
    relabeling::check_loadable(relabelings).within("relabelings")?;
    relabeling::check_loadable(metric_relabelings).within("metricRelabelings")?;
    tls_config.as_ref().map_or(Ok(()), check_tls).within("tlsConfig")?;
    authorization.as_ref().map_or(Ok(()), check_authorization).within("authorization")
}

fn check_tls(config: &TlsConfig) -> Result<(), Finding> {
    check_name("minVersion", config.safe.min_version.as_deref(), &TLS_VERSIONS)?;
    check_name("maxVersion", config.safe.max_version.as_deref(), &TLS_VERSIONS)?;
    http_client::check_tls(config)
}

/// Refuses a name that Prometheus does not know. An empty name is none.
fn check_name(field: &str, name: Option<&str>, known: &[&str]) -> Result<(), Finding> {
    match name.filter(|name| !name.is_empty() && !known.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let reason = format!("is unknown, use one of {}: {name:?}", known.join(", "));
            Err(Finding::refused(reason).within(field))
        }
    }
}

fn check_authorization(authorization: &Authorization) -> Result<(), Finding> {
    let Authorization { safe, credentials_file } = authorization;
    if safe.credentials.is_some() && !credentials_file.is_empty() {
        return Err(Finding::refused("cannot be set beside credentials, keep one").within("credentialsFile"));
    }
    http_client::check_type(&safe.r#type)
}
