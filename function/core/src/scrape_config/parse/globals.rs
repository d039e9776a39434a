//! The `global` section. Follows `GlobalConfig.UnmarshalYAML` in `config/config.go` of Prometheus.

use super::{name_validation, protocols, read_given, size};
use crate::duration::Duration;
use crate::scrape_config::fields::{Node, ParseError};
use crate::scrape_config::globals::Globals;
use crate::scrape_config::validation::{ScrapeConfigError, check_protocols};

/// Parses the section and fills in its defaults.
pub fn parse(node: &Node<'_>) -> Result<Globals, ParseError> {
    let mut fields = node.fields()?;
    let mut globals = Globals {
        scrape_interval: Duration::default(),
        scrape_timeout: Duration::default(),
        metric_name_escaping_scheme: String::new(),
        ..Globals::default()
    };
    let Globals {
        scrape_interval,
        scrape_timeout,
        scrape_protocols,
        scrape_failure_log_file,
        body_size_limit,
        sample_limit,
        target_limit,
        label_limit,
        label_name_length_limit,
        label_value_length_limit,
        keep_dropped_targets,
        metric_name_validation_scheme,
        metric_name_escaping_scheme,
        scrape_native_histograms,
        convert_classic_histograms_to_nhcb,
        always_scrape_classic_histograms,
        extra_scrape_metrics,
    } = &mut globals;
    fields.read("scrape_interval", scrape_interval, Node::duration)?;
    fields.read("scrape_timeout", scrape_timeout, Node::duration)?;
    fields.read("scrape_protocols", scrape_protocols, protocols)?;
    fields.string("scrape_failure_log_file", scrape_failure_log_file)?;
    fields.read("body_size_limit", body_size_limit, size)?;
    fields.read("sample_limit", sample_limit, Node::unsigned)?;
    fields.read("target_limit", target_limit, Node::unsigned)?;
    fields.read("label_limit", label_limit, Node::unsigned)?;
    fields.read("label_name_length_limit", label_name_length_limit, Node::unsigned)?;
    fields.read("label_value_length_limit", label_value_length_limit, Node::unsigned)?;
    fields.read("keep_dropped_targets", keep_dropped_targets, Node::unsigned)?;
    fields.string("metric_name_escaping_scheme", metric_name_escaping_scheme)?;
    read_given(&mut fields, "scrape_native_histograms", scrape_native_histograms)?;
    read_given(&mut fields, "extra_scrape_metrics", extra_scrape_metrics)?;
    fields.read("convert_classic_histograms_to_nhcb", convert_classic_histograms_to_nhcb, Node::boolean)?;
    fields.read("always_scrape_classic_histograms", always_scrape_classic_histograms, Node::boolean)?;
    if let Some(scheme) = name_validation(&mut fields)? {
        *metric_name_validation_scheme = scheme;
    }
    check_protocols(scrape_protocols).map_err(|error| node.refused(error))?;

    // An allocator ignores these fields, but their values must be valid.
    fields.read("evaluation_interval", &mut Duration::default(), Node::duration)?;
    fields.read("rule_query_offset", &mut Duration::default(), Node::duration)?;
    fields.string("query_log_file", &mut String::new())?;
    if let Some(labels) = fields.get("external_labels") {
        labels.string_map()?;
    }
    fields.finish()?;

    let defaults = Globals::default();
    if scrape_interval.is_zero() {
        *scrape_interval = defaults.scrape_interval;
    }
    if *scrape_timeout > *scrape_interval {
        let error = ScrapeConfigError::TimeoutAboveInterval {
            timeout: scrape_timeout.to_string(),
            interval: scrape_interval.to_string(),
        };
        return Err(node.refused(error));
    }
    if scrape_timeout.is_zero() {
        *scrape_timeout = defaults.scrape_timeout.min(*scrape_interval);
    }
    Ok(globals)
}
