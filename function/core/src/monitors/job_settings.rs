//! Job settings that all kinds of monitors share: times, limits, histograms and protocols.
//!
//! Input: texts and numbers of a monitor. Output: fields of a scrape config, or the reason why the operator or
//! Prometheus refuses them.

use super::finding::{Finding, Within};
use super::prometheus::{self, JobLimits, PrometheusSettings};
use crate::duration::Duration;
use crate::objects::monitoring::common::{Limits, NativeHistograms, Protocols};
use crate::objects::monitoring::{AttachMetadata, NamespaceSelector, ScrapeClass};
use crate::scrape_config::ScrapeConfig;
use crate::scrape_config::discovery::{self, KubernetesSd, Namespaces, Role};
use crate::size::SizeError;

/// Interval and timeout of a scrape. Zero if the monitor does not set them.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    interval: Duration,
    timeout: Duration,
}

impl Times {
    /// Parses both texts. The operator parses them only if there is a timeout, and requires a timeout that is not
    /// longer than the interval. All other errors come from Prometheus, and leave out only the job.
    ///
    /// # Errors
    /// [`Finding`] if a text is not a duration, or if the timeout is too long.
    pub fn new(interval: &str, timeout: &str, default_interval: Duration) -> Result<Self, Finding> {
        let finding = if timeout.is_empty() { Finding::left_out } else { Finding::refused };
        let parse = |text: &str, default: Duration| if text.is_empty() { Ok(default) } else { text.parse() };
        let unset = Duration::default();
        let own_interval = parse(interval, unset).map_err(|error| finding(error.to_string())).within("interval")?;
        let timeout = parse(timeout, unset).map_err(|error| finding(error.to_string())).within("scrapeTimeout")?;
        let effective = if interval.is_empty() { default_interval } else { own_interval };
        if timeout > effective {
            let reason = format!("is greater than the scrape interval, lower it: {timeout} > {effective}");
            return Err(Finding::refused(reason).within("scrapeTimeout"));
        }
        Ok(Self { interval: own_interval, timeout })
    }

    /// Writes the times to a scrape config.
    pub fn apply(self, config: &mut ScrapeConfig) {
        config.scrape_interval = self.interval;
        config.scrape_timeout = self.timeout;
    }
}

/// Writes the limits to a scrape config. A limit of the monitor is at most the enforced limit.
///
/// # Errors
/// [`Finding`] if a limit is negative.
pub fn limits(limits: &Limits, enforced: &JobLimits, config: &mut ScrapeConfig) -> Result<(), Finding> {
    let Limits {
        sample_limit,
        target_limit,
        label_limit,
        label_name_length_limit,
        label_value_length_limit,
        keep_dropped_targets,
    } = limits;
    let limit = |own, enforced, field| count(own, field).map(|own| prometheus::capped(own, enforced));
    config.sample_limit = limit(*sample_limit, enforced.samples, "sampleLimit")?;
    config.target_limit = limit(*target_limit, enforced.targets, "targetLimit")?;
    config.label_limit = limit(*label_limit, enforced.labels, "labelLimit")?;
    config.label_name_length_limit =
        limit(*label_name_length_limit, enforced.label_name_length, "labelNameLengthLimit")?;
    config.label_value_length_limit =
        limit(*label_value_length_limit, enforced.label_value_length, "labelValueLengthLimit")?;
    config.keep_dropped_targets = limit(*keep_dropped_targets, enforced.keep_dropped_targets, "keepDroppedTargets")?;
    Ok(())
}

fn count(value: Option<i64>, field: &str) -> Result<u64, Finding> {
    u64::try_from(value.unwrap_or_default()).map_err(|_| Finding::left_out("must not be negative")).within(field)
}

/// Writes the limit on the size of a response body. A limit of the monitor is at most the enforced limit.
///
/// # Errors
/// [`Finding`] if the text is not a size.
pub fn body_size_limit(limit: Option<&str>, enforced: &JobLimits, config: &mut ScrapeConfig) -> Result<(), Finding> {
    let own = limit.filter(|limit| !limit.is_empty()).map(str::parse).transpose();
    let own = own.map_err(|error: SizeError| Finding::left_out(error)).within("bodySizeLimit")?;
    config.body_size_limit = prometheus::capped_size(own, enforced.body_size).unwrap_or_default();
    Ok(())
}

/// Writes the settings of native histograms.
///
/// # Errors
/// [`Finding`] if the limit on buckets is negative.
pub fn native_histograms(settings: &NativeHistograms, config: &mut ScrapeConfig) -> Result<(), Finding> {
    let NativeHistograms {
        scrape_native_histograms,
        scrape_classic_histograms,
        native_histogram_bucket_limit,
        native_histogram_min_bucket_factor,
        convert_classic_histograms_to_nhcb,
    } = settings;
    let set = |field: &mut bool, value: &Option<bool>| *field = value.unwrap_or(*field);
    set(&mut config.scrape_native_histograms, scrape_native_histograms);
    set(&mut config.always_scrape_classic_histograms, scrape_classic_histograms);
    set(&mut config.convert_classic_histograms_to_nhcb, convert_classic_histograms_to_nhcb);
    config.native_histogram_bucket_limit = count(*native_histogram_bucket_limit, "nativeHistogramBucketLimit")?;
    if let Some(factor) = native_histogram_min_bucket_factor {
        config.native_histogram_min_bucket_factor = factor.as_f64();
    }
    Ok(())
}

/// Writes the scrape protocols.
pub fn protocols(protocols: &Protocols, class: &ScrapeClass, config: &mut ScrapeConfig) {
    let Protocols { scrape_protocols, fallback_scrape_protocol } = protocols;
    config.scrape_protocols.clone_from(scrape_protocols);
    if let Some(fallback) = fallback_scrape_protocol.as_ref().or(class.fallback_scrape_protocol.as_ref()) {
        config.fallback_scrape_protocol.clone_from(fallback);
    }
}

/// The namespaces in which a monitor in `namespace` discovers targets.
#[must_use]
pub fn namespaces(selector: &NamespaceSelector, namespace: &str, prometheus: &PrometheusSettings) -> Namespaces {
    let NamespaceSelector { any, match_names } = selector;
    let names = if prometheus.ignore_namespace_selectors {
        vec![namespace.to_owned()]
    } else {
        match (any, match_names.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => vec![namespace.to_owned()],
            (false, false) => match_names.clone(),
        }
    };
    Namespaces { own_namespace: false, names }
}

/// Kubernetes service discovery for a monitor.
#[must_use]
pub fn kubernetes(role: Role, namespaces: Namespaces, attach_metadata: Option<&AttachMetadata>) -> KubernetesSd {
    KubernetesSd {
        namespaces,
        attach_metadata: discovery::AttachMetadata {
            node: attach_metadata.and_then(|attach| attach.node).unwrap_or_default(),
            ..discovery::AttachMetadata::default()
        },
        ..KubernetesSd::new(role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Outcome;

    #[test]
    fn a_timeout_must_fit_into_the_interval() {
        let cases = [
            ("", "", Ok(("0s", "0s"))),
            ("15s", "", Ok(("15s", "0s"))),
            ("", "30s", Ok(("0s", "30s"))),
            ("", "31s", Err((Outcome::Refused, "scrapeTimeout"))),
            ("1m", "31s", Ok(("1m", "31s"))),
            ("10s", "11s", Err((Outcome::Refused, "scrapeTimeout"))),
            // Prometheus replaces an interval of zero with the default. The check of the operator does not.
            ("0s", "1s", Err((Outcome::Refused, "scrapeTimeout"))),
            ("soon", "", Err((Outcome::JobLeftOut, "interval"))),
            ("soon", "1s", Err((Outcome::Refused, "interval"))),
            ("", "1.5s", Err((Outcome::Refused, "scrapeTimeout"))),
        ];
        for (interval, timeout, expected) in cases {
            let got = Times::new(interval, timeout, Duration::from_secs(30));
            let got = got.map(|times| (times.interval.to_string(), times.timeout.to_string()));
            match (got, expected) {
                (Ok(got), Ok(expected)) => assert_eq!((got.0.as_str(), got.1.as_str()), expected),
                (Err(got), Err(expected)) => assert_eq!((got.outcome, got.field.as_str()), expected),
                (got, expected) => panic!("{interval:?} {timeout:?}: {got:?}, expected {expected:?}"),
            }
        }
    }
}
