//! The proxy between the function and an API server.
//!
//! Input: a kubeconfig, the address of the API server, and the proxies of the environment. Output: the proxy, or none.
//! kube compares `NO_PROXY` with the address of the proxy. `kubectl` compares `NO_PROXY` with the address of the API
//! server, and so does this module.

use http::Uri;
use kube::config::Kubeconfig;
use target_allocator_core::discovery::proxy::{EnvironmentProxies, proxy_for};
use target_allocator_core::scrape_config::http_client::ProxyConfig;

use super::ClusterError;

/// The place where the URL of a proxy is configured.
const PROXY_URL: &str = "proxy-url of the kubeconfig";
const HTTPS_PROXY: &str = "HTTPS_PROXY";
const HTTP_PROXY: &str = "HTTP_PROXY";

/// The proxy that the current context of a kubeconfig names. It serves all requests. `NO_PROXY` does not apply to it.
pub fn of_context(kubeconfig: &Kubeconfig) -> Option<String> {
    let current = kubeconfig.current_context.as_ref()?;
    let context = kubeconfig.contexts.iter().find(|context| context.name == *current)?.context.as_ref()?;
    let cluster = kubeconfig.clusters.iter().find(|cluster| cluster.name == context.cluster)?.cluster.as_ref()?;
    cluster.proxy_url.clone().filter(|url| !url.is_empty())
}

/// The proxy for requests to `server`: the proxy of the kubeconfig, or else the proxy of the environment.
pub fn proxy_url(
    own: Option<&str>,
    server: &Uri,
    environment: &EnvironmentProxies,
) -> Result<Option<Uri>, ClusterError> {
    if let Some(own) = own {
        return parse(own, PROXY_URL).map(Some);
    }
    let is_secure = server.scheme_str() == Some("https");
    let host = server.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let port = server.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let inherited = ProxyConfig { proxy_from_environment: true, ..ProxyConfig::default() };
    let found = proxy_for(&inherited, environment, is_secure, host, port);
    found.map(|url| parse(url, if is_secure { HTTPS_PROXY } else { HTTP_PROXY })).transpose()
}

/// Reads the URL of a proxy. A URL without a scheme belongs to an HTTP proxy. The error does not show the URL, because
/// it may have a password.
fn parse(url: &str, origin: &'static str) -> Result<Uri, ClusterError> {
    let with_scheme = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let parsed: Option<Uri> = with_scheme.parse().ok();
    let is_served = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https" | "socks5")) && uri.host().is_some();
    parsed.filter(is_served).ok_or(ClusterError::Proxy { origin })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_of_an_api_server_follows_the_rules_of_kubectl() {
        let environment = |no_proxy: &str| EnvironmentProxies {
            http: "http://plain:3128".to_owned(),
            https: "proxy:3128".to_owned(),
            no_proxy: no_proxy.to_owned(),
        };
        let cases = [
            ("the environment", None, "https://api.example", "", Some("http://proxy:3128/")),
            ("an API server without TLS", None, "http://api.example", "", Some("http://plain:3128/")),
            ("an exception for the API server", None, "https://api.example", "b,.example", None),
            ("an exception with a port", None, "https://api.example:6443", "api.example:6443", None),
            ("an exception for the proxy", None, "https://api.example", "proxy", Some("http://proxy:3128/")),
            ("a network", None, "https://10.0.0.1:6443", "10.0.0.0/8", None),
            ("the own machine", None, "https://127.0.0.1:6443", "", None),
            ("an IPv6 address", None, "https://[fd00::1]:6443", "fd00::/8", None),
            ("the kubeconfig", Some("socks5://own:1080"), "https://api.example", "", Some("socks5://own:1080/")),
            ("the kubeconfig, always", Some("http://own:1"), "https://127.0.0.1", "*", Some("http://own:1/")),
        ];
        for (name, own, server, no_proxy, expected) in cases {
            let found = proxy_url(own, &server.parse().unwrap(), &environment(no_proxy)).unwrap();
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), expected, "{name}");
        }
        let nothing = EnvironmentProxies::default();
        assert_eq!(proxy_url(None, &"https://api.example".parse().unwrap(), &nothing).unwrap(), None);
    }

    #[test]
    fn a_proxy_of_another_kind_is_an_error_that_hides_its_password() {
        for url in ["ftp://u:secret@p", "socks4://u:secret@p", "http://u:secret@", "http://u:secret@a b"] {
            let error = proxy_url(Some(url), &Uri::from_static("https://a"), &EnvironmentProxies::default());
            let error = error.unwrap_err().to_string();
            assert!(error.contains("proxy-url of the kubeconfig") && !error.contains("secret"), "{url}: {error}");
        }
    }
}
