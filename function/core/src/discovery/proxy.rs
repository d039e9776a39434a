//! Selects the proxy of a connection.
//!
//! Input: the settings of a client, a host and its port. Output: the URL of the proxy, or none. Follows `ProxyConfig`
//! of prometheus/common and `x/net/http/httpproxy` of Go.

use std::net::IpAddr;

use crate::address::{parse_network, split_host_port};
use crate::scrape_config::http_client::ProxyConfig;

/// The proxies from the environment of the function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentProxies {
    /// The proxy for `http` URLs (`HTTP_PROXY`).
    pub http: String,
    /// The proxy for `https` URLs (`HTTPS_PROXY`).
    pub https: String,
    /// Hosts that do not use a proxy (`NO_PROXY`).
    pub no_proxy: String,
}

/// The URL of the proxy for a connection to `host`.
#[must_use]
pub fn proxy_for<'a>(
    config: &'a ProxyConfig,
    environment: &'a EnvironmentProxies,
    secure: bool,
    host: &str,
    port: u16,
) -> Option<&'a str> {
    let ProxyConfig { proxy_url, no_proxy, proxy_from_environment, proxy_connect_header: _ } = config;
    let (url, no_proxy) = if *proxy_from_environment {
        let EnvironmentProxies { http, https, no_proxy } = environment;
        (if secure { https.as_str() } else { http.as_str() }, no_proxy)
    } else {
        let url = proxy_url.as_ref()?.expose();
        // Without exceptions, even connections to the own machine use the proxy.
        if no_proxy.is_empty() && !url.is_empty() {
            return Some(url);
        }
        (url, no_proxy)
    };
    (!url.is_empty() && !is_excepted(no_proxy, host, port)).then_some(url)
}

/// Whether a list of exceptions names the host.
fn is_excepted(no_proxy: &str, host: &str, port: u16) -> bool {
    let host = host.to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback()) {
        return true;
    }
    let exceptions = no_proxy.split(',').map(|exception| exception.trim().to_ascii_lowercase());
    exceptions.filter(|exception| !exception.is_empty()).any(|exception| names(&exception, &host, address, port))
}

fn names(exception: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if exception == "*" {
        return true;
    }
    if exception.contains('/') {
        let network = parse_network(exception);
        return network.zip(address).is_some_and(|(network, address)| network.contains(&address.to_canonical()));
    }
    let (named, its_port) = split_host_port(exception).map_or((exception, None), |(host, port)| (host, Some(port)));
    if its_port.is_some_and(|its_port| its_port != port.to_string()) {
        return false;
    }
    if let Ok(named) = named.parse::<IpAddr>() {
        return address.is_some_and(|address| address.to_canonical() == named.to_canonical());
    }
    // `.a` and `*.a` match the subdomains of `a`. `a` also matches the host `a`.
    let below = named.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(named);
    match below.strip_prefix('.') {
        Some("") => false,
        Some(_) => host.ends_with(below),
        None if below.is_empty() => false,
        None => host == below || host.strip_suffix(below).is_some_and(|rest| rest.ends_with('.')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_is_read_as_in_go() {
        let cases = [
            ("", "a.example", false),
            ("*", "a.example", true),
            ("a.example", "a.example", true),
            ("A.Example", "a.exAmple", true),
            ("example", "a.example", true),
            ("example", "anexample", false),
            (".example", "example", false),
            (".example", "a.example", true),
            ("*.example", "b.a.example", true),
            ("*.example", "example", false),
            ("a.example:80", "a.example", true),
            ("a.example:81", "a.example", false),
            (" b , a.example ", "a.example", true),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.0.0.0/8", "ten.example", false),
            ("10.0.0.0/33", "10.1.2.3", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3:80", "10.1.2.3", true),
            ("10.1.2.3:81", "10.1.2.3", false),
            ("fd00::1", "fd00::1", true),
            ("[fd00::1]:80", "fd00::1", true),
            ("[fd00::1]:81", "fd00::1", false),
            ("fd00::/8", "fd00::1", true),
            (":80", "a.example", false),
            ("b", "localhost", true),
            ("b", "127.1.2.3", true),
            ("b", "::1", true),
        ];
        for (no_proxy, host, expected) in cases {
            assert_eq!(is_excepted(no_proxy, host, 80), expected, "{no_proxy:?} {host}");
        }
    }

    #[test]
    fn the_proxy_comes_from_the_config_or_the_environment() {
        let text = str::to_owned;
        let environment =
            EnvironmentProxies { http: text("http://e"), https: text("http://s"), no_proxy: text("b.example") };
        let own = |url: &str, no_proxy: &str| ProxyConfig {
            proxy_url: Some(url.into()),
            no_proxy: text(no_proxy),
            ..ProxyConfig::default()
        };
        let inherited = ProxyConfig { proxy_from_environment: true, ..ProxyConfig::default() };
        let cases = [
            (ProxyConfig::default(), false, "a.example", None),
            (own("", ""), false, "a.example", None),
            (own("http://p", ""), false, "a.example", Some("http://p")),
            (own("http://p", ""), true, "localhost", Some("http://p")),
            (own("http://p", "b.example"), false, "localhost", None),
            (own("http://p", "b.example"), false, "b.example", None),
            (own("http://p", "b.example"), true, "a.example", Some("http://p")),
            (inherited.clone(), false, "a.example", Some("http://e")),
            (inherited.clone(), true, "a.example", Some("http://s")),
            (inherited.clone(), true, "b.example", None),
            (inherited, false, "localhost", None),
        ];
        for (config, secure, host, expected) in cases {
            assert_eq!(proxy_for(&config, &environment, secure, host, 80), expected, "{config:?} {secure} {host}");
        }
    }
}
