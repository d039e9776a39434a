//! `http_sd_configs`: lists of targets at URLs.
//!
//! Input: type and body of a response. Output: target groups with `__meta_url`. Follows `discovery/http/http.go` of
//! Prometheus.

use super::source_config::{SourceConfig, TenantRule};
use super::source_group::SourceGroup;
use super::target_lists::{self, TargetListError};
use crate::duration::Duration;
use crate::scrape_config::discovery::HttpSd;
use crate::scrape_config::http_client::HttpClientConfig;

impl SourceConfig for HttpSd {
    const FIELD: &'static str = "http_sd_configs";
    type Request = Box<Self>;

    fn requests(&self) -> Vec<Box<Self>> {
        vec![Box::new(self.clone())]
    }

    fn describe(request: &Box<Self>) -> String {
        shown(request.url.expose())
    }

    fn refresh_interval(&self) -> Duration {
        self.refresh_interval
    }

    fn client(&self) -> Option<&HttpClientConfig> {
        Some(&self.http_client)
    }

    /// `http_sd_allow` limits the addresses that the requests may reach.
    fn tenant_rule(&self) -> TenantRule {
        TenantRule::Served
    }
}

/// Whether Prometheus accepts the content type of a response.
#[must_use]
pub fn is_json(content_type: &str) -> bool {
    let lower = content_type.trim().to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("application/json") else { return false };
    let Some(parameter) = rest.strip_prefix(';') else { return rest.is_empty() };
    matches!(parameter.trim_start(), "charset=utf-8" | "charset=\"utf-8\"")
}

/// The target groups of the response of `url`.
///
/// # Errors
/// The reason why Prometheus would refuse the body.
pub fn groups(url: &str, body: &[u8]) -> Result<Vec<SourceGroup>, TargetListError> {
    target_lists::json(body, ("__meta_url", url))
}

/// A URL without the parts that can be secret: user, password and query.
#[must_use]
pub fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = host.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_accepted_as_in_prometheus() {
        let cases = [
            ("application/json", true),
            (" Application/JSON ", true),
            ("application/json;charset=utf-8", true),
            ("application/json;  charset=\"UTF-8\"", true),
            ("application/json; charset=latin1", false),
            ("application/json ; charset=utf-8", false),
            ("application/json;", false),
            ("application/jsonp", false),
            ("text/plain", false),
            ("", false),
        ];
        for (content_type, expected) in cases {
            assert_eq!(is_json(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn secret_parts_of_a_url_are_not_shown() {
        let cases = [
            ("http://u:p@sd:80/a?token=b#c", "http://sd:80/a"),
            ("https://sd", "https://sd"),
            ("http://sd?x=http://u@y/", "http://sd"),
            ("odd", "odd"),
        ];
        for (url, expected) in cases {
            assert_eq!(shown(url), expected, "{url}");
        }
    }
}
