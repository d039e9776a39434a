//! Hiding secrets: what an answer shows of a scrape config when secrets are omitted.
//!
//! Every field of every part is named here, so that a new one does not compile
//! before someone has decided whether it is a secret. Secrets become `<secret>` and
//! passwords inside URLs `xxxxx`, as Prometheus marshals them.

use super::ScrapeConfig;
use super::http_client::{
    Authorization, BasicAuth, HttpClientConfig, HttpHeader, OAuth2, ProxyConfig, Secret, TlsConfig,
};
use super::service_discovery::{Ec2Sd, HttpSd, KubernetesSd, ServiceDiscovery};
use super::url::GoUrl;

impl ScrapeConfig {
    /// Hides every secret, those of SD configs included.
    pub fn hide_secrets(&mut self) {
        let Self {
            job_name: _,
            honor_labels: _,
            honor_timestamps: _,
            track_timestamps_staleness: _,
            params: _,
            scrape_interval: _,
            scrape_timeout: _,
            scrape_protocols: _,
            fallback_scrape_protocol: _,
            scrape_native_histograms: _,
            always_scrape_classic_histograms: _,
            convert_classic_histograms_to_nhcb: _,
            scrape_failure_log_file: _,
            metrics_path: _,
            scheme: _,
            enable_compression: _,
            body_size_limit: _,
            sample_limit: _,
            target_limit: _,
            label_limit: _,
            label_name_length_limit: _,
            label_value_length_limit: _,
            native_histogram_bucket_limit: _,
            native_histogram_min_bucket_factor: _,
            keep_dropped_targets: _,
            metric_name_validation_scheme: _,
            metric_name_escaping_scheme: _,
            extra_scrape_metrics: _,
            service_discovery,
            http_client,
            relabel_configs: _,
            metric_relabel_configs: _,
        } = self;
        service_discovery.hide_secrets();
        http_client.hide_secrets();
    }
}

impl ServiceDiscovery {
    fn hide_secrets(&mut self) {
        let Self { kubernetes, r#static: _, http, dns: _, ec2, file: _ } = self;
        kubernetes.iter_mut().for_each(KubernetesSd::hide_secrets);
        http.iter_mut().for_each(HttpSd::hide_secrets);
        ec2.iter_mut().for_each(Ec2Sd::hide_secrets);
    }
}

impl KubernetesSd {
    fn hide_secrets(&mut self) {
        let Self {
            api_server,
            kubeconfig_file: _,
            role: _,
            http_client,
            namespaces: _,
            selectors: _,
            attach_metadata: _,
        } = self;
        hide_password(api_server);
        http_client.hide_secrets();
    }
}

impl HttpSd {
    fn hide_secrets(&mut self) {
        // Prometheus shows the URL as it is written; a password in it is one all the same.
        let Self { http_client, refresh_interval: _, url } = self;
        hide_password(url);
        http_client.hide_secrets();
    }
}

impl Ec2Sd {
    fn hide_secrets(&mut self) {
        let Self {
            endpoint: _,
            region: _,
            access_key: _,
            secret_key,
            profile: _,
            role_arn: _,
            external_id: _,
            refresh_interval: _,
            port: _,
            filters: _,
            http_client,
        } = self;
        secret_key.hide();
        http_client.hide_secrets();
    }
}

impl HttpClientConfig {
    /// Hides every secret: passwords, credentials, keys, headers, passwords in proxy URLs.
    pub fn hide_secrets(&mut self) {
        let Self {
            basic_auth,
            authorization,
            oauth2,
            tls_config,
            follow_redirects: _,
            enable_http2: _,
            proxy,
            http_headers,
        } = self;
        basic_auth.iter_mut().for_each(BasicAuth::hide_secrets);
        authorization.iter_mut().for_each(Authorization::hide_secrets);
        oauth2.iter_mut().for_each(OAuth2::hide_secrets);
        tls_config.hide_secrets();
        proxy.hide_secrets();
        http_headers.values_mut().for_each(HttpHeader::hide_secrets);
    }
}

impl BasicAuth {
    fn hide_secrets(&mut self) {
        let Self { username: _, username_file: _, username_ref: _, password, password_file: _, password_ref: _ } = self;
        password.hide();
    }
}

impl Authorization {
    fn hide_secrets(&mut self) {
        let Self { r#type: _, credentials, credentials_file: _, credentials_ref: _ } = self;
        credentials.hide();
    }
}

impl OAuth2 {
    fn hide_secrets(&mut self) {
        let Self {
            client_id: _,
            client_secret,
            client_secret_file: _,
            client_secret_ref: _,
            client_certificate_key_id: _,
            client_certificate_key,
            client_certificate_key_file: _,
            client_certificate_key_ref: _,
            grant_type: _,
            signature_algorithm: _,
            iss: _,
            audience: _,
            claims: _,
            scopes: _,
            token_url: _,
            endpoint_params: _,
            tls_config,
            proxy,
        } = self;
        client_secret.hide();
        client_certificate_key.hide();
        tls_config.hide_secrets();
        proxy.hide_secrets();
    }
}

impl TlsConfig {
    fn hide_secrets(&mut self) {
        let Self {
            ca: _,
            cert: _,
            key,
            ca_file: _,
            cert_file: _,
            key_file: _,
            ca_ref: _,
            cert_ref: _,
            key_ref: _,
            server_name: _,
            insecure_skip_verify: _,
            min_version: _,
            max_version: _,
        } = self;
        key.hide();
    }
}

impl ProxyConfig {
    fn hide_secrets(&mut self) {
        let Self { proxy_url, no_proxy: _, proxy_from_environment: _, proxy_connect_header } = self;
        proxy_url.iter_mut().for_each(hide_password);
        proxy_connect_header.values_mut().flatten().for_each(Secret::hide);
    }
}

impl HttpHeader {
    fn hide_secrets(&mut self) {
        let Self { values: _, secrets, files: _ } = self;
        secrets.iter_mut().for_each(Secret::hide);
    }
}

/// Replaces the password of a URL that has one; a text that is no URL has none.
fn hide_password(url: &mut String) {
    if let Ok(parsed) = url.parse::<GoUrl>()
        && parsed.has_password()
    {
        *url = parsed.redacted().to_string();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn client() -> HttpClientConfig {
        let tls = TlsConfig { key: "hunter2".into(), ..TlsConfig::default() };
        let proxy = ProxyConfig {
            proxy_url: Some("http://u:hunter2@proxy".to_owned()),
            proxy_connect_header: BTreeMap::from([("X".to_owned(), vec!["hunter2".into()])]),
            ..ProxyConfig::default()
        };
        HttpClientConfig {
            basic_auth: Some(BasicAuth { password: "hunter2".into(), ..BasicAuth::default() }),
            authorization: Some(Authorization { credentials: "hunter2".into(), ..Authorization::default() }),
            oauth2: Some(OAuth2 {
                client_secret: "hunter2".into(),
                client_certificate_key: "hunter2".into(),
                tls_config: tls.clone(),
                proxy: proxy.clone(),
                ..OAuth2::default()
            }),
            tls_config: tls,
            proxy,
            http_headers: BTreeMap::from([(
                "X".to_owned(),
                HttpHeader { secrets: vec!["hunter2".into()], ..HttpHeader::default() },
            )]),
            ..HttpClientConfig::default()
        }
    }

    #[test]
    fn no_secret_is_left_anywhere() {
        use crate::scrape_config::service_discovery::Role;
        let mut config = ScrapeConfig::new("job");
        config.http_client = client();
        let server = "http://u:hunter2@server".to_owned();
        let kubernetes =
            KubernetesSd { http_client: client(), api_server: server.clone(), ..KubernetesSd::new(Role::Pod) };
        config.service_discovery.kubernetes = vec![kubernetes];
        config.service_discovery.http = vec![HttpSd { http_client: client(), ..HttpSd::new(server) }];
        config.service_discovery.ec2 =
            vec![Ec2Sd { http_client: client(), secret_key: "hunter2".into(), ..Ec2Sd::default() }];
        let shown = serde_json::to_string(&config).unwrap();
        assert_eq!(shown.matches("hunter2").count(), 4 * 11 + 3);
        config.hide_secrets();
        let hidden = serde_json::to_string(&config).unwrap();
        assert!(!hidden.contains("hunter2"), "{hidden}");
        assert_eq!(hidden.matches("<secret>").count() + hidden.matches("xxxxx").count(), 4 * 11 + 3);
    }

    #[test]
    fn an_absent_secret_stays_absent() {
        let mut config = ScrapeConfig::new("job");
        config.http_client.basic_auth = Some(BasicAuth::default());
        let before = config.clone();
        config.hide_secrets();
        assert_eq!(config, before);
    }
}
