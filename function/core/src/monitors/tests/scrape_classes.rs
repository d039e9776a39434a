//! Scrape classes: the values that they fill in, and the classes that are refused.

use super::*;

#[test]
fn scrape_classes_fill_in_fields_that_monitors_do_not_set() {
    let classes = "
- name: mesh
  default: true
  tlsConfig: {caFile: /ca, certFile: /crt, keyFile: /key, insecureSkipVerify: true}
  authorization: {type: X, credentialsFile: /token}
  fallbackScrapeProtocol: PrometheusText0.0.4
  attachMetadata: {node: true}
  relabelings: [{targetLabel: class, replacement: mesh}]
  metricRelabelings: [{action: drop, regex: x}]
- name: plain
- name: secret
  authorization: {credentials: {name: auth, key: token}}
- name: lost
  authorization: {credentials: {name: gone, key: token}}
  tlsConfig: {ca: {configMap: {name: gone, key: ca}}}
";
    let settings = Settings { files: Files::Allowed, ..with_classes(classes) };
    let client = |spec: &str| {
        let (jobs, report) = outcome(&settings, "ServiceMonitor", spec);
        (jobs[0].clone(), report)
    };
    let (job, report) =
        client("{endpoints: [{relabelings: [{action: labeldrop, regex: own}], metricRelabelings: [{action: keep}]}]}");
    assert_eq!(report, [] as [&str; 0]);
    let config = &job.scrape_config;
    let own = &config.relabel_configs[job.own_relabelings.clone()];
    assert_eq!(rules(own), "labeldrop [] ~ own\n");
    assert_eq!(config.relabel_configs[job.own_relabelings.start - 1].target_label, "class");
    assert_eq!(rules(&config.metric_relabel_configs), "drop [] ~ x\nkeep []\n");
    assert_eq!(config.fallback_scrape_protocol, "PrometheusText0.0.4");
    assert!(config.service_discovery.kubernetes[0].attach_metadata.node);
    let tls = &config.http_client.tls_config;
    assert!(tls.insecure_skip_verify);
    assert_eq!([&tls.ca_file, &tls.cert_file, &tls.key_file], ["/ca", "/crt", "/key"]);
    let authorization = config.http_client.authorization.as_ref().unwrap();
    assert_eq!((authorization.r#type.as_str(), authorization.credentials_file.as_str()), ("X", "/token"));

    // The settings of the monitor win. The class fills in each missing file separately.
    let (job, _) =
        client("{endpoints: [{tlsConfig: {caFile: /own}, authorization: {credentials: {name: auth, key: token}}}]}");
    let http = &job.scrape_config.http_client;
    assert!(!http.tls_config.insecure_skip_verify);
    assert_eq!([&http.tls_config.ca_file, &http.tls_config.cert_file], ["/own", "/crt"]);
    let authorization = http.authorization.as_ref().unwrap();
    assert_eq!((authorization.r#type.as_str(), authorization.credentials.expose()), ("Bearer", "t0ken"));
    assert_eq!(authorization.credentials_file, "");

    let (job, _) = client("{scrapeClass: plain, endpoints: [{}]}");
    assert_eq!(job.scrape_config.http_client, crate::scrape_config::http_client::HttpClientConfig::default());
    let (job, _) = client("{scrapeClass: secret, endpoints: [{}]}");
    assert_eq!(job.scrape_config.http_client.authorization.unwrap().credentials.expose(), "t0ken");
    let (job, report) = client("{scrapeClass: lost, endpoints: [{}]}");
    assert_eq!(job.scrape_config.http_client.tls_config.ca, "");
    assert_eq!(report.len(), 2);
    assert!(report.iter().all(|entry| entry.starts_with("adjusted spec.endpoints[0]: scraped without")), "{report:?}");

    // Prometheus does not accept basic auth beside the header of the class.
    let (jobs, report) = outcome(
        &settings,
        "ServiceMonitor",
        "{endpoints: [{basicAuth: {username: {name: auth, key: user}, password: {name: auth, key: user}}}]}",
    );
    assert!(jobs.is_empty() && report[0].starts_with("job-left-out spec.endpoints[0]: cannot be used by prometheus"));
}

#[test]
fn an_empty_tls_section_without_files_counts_as_absent() {
    let settings = with_classes("[{name: mesh, default: true, tlsConfig: {caFile: /ca, serverName: mesh}}]");
    let prober = "prober: {url: 'p:1'}, targets: {staticConfig: {static: [a]}}";
    #[rustfmt::skip]
    let cases = [
        ("ServiceMonitor", "{endpoints: [{tlsConfig: {}}]}".to_owned(), ("/ca", "")),
        ("PodMonitor", "{podMetricsEndpoints: [{tlsConfig: {}}]}".to_owned(), ("/ca", "mesh")),
        ("PodMonitor", "{podMetricsEndpoints: [{tlsConfig: {serverName: ''}}]}".to_owned(), ("/ca", "")),
        ("Probe", format!("{{{prober}, tlsConfig: {{}}}}"), ("/ca", "mesh")),
        ("Probe", format!("{{{prober}, tlsConfig: {{ca: {{}}, minVersion: TLS12}}}}"), ("/ca", "")),
        ("ScrapeConfig", "{tlsConfig: {}}".to_owned(), ("/ca", "mesh")),
        ("ScrapeConfig", "{tlsConfig: {insecureSkipVerify: false}}".to_owned(), ("/ca", "")),
    ];
    for (kind, spec, expected) in cases {
        let (jobs, report) = outcome(&settings, kind, &spec);
        assert_eq!(report, [] as [&str; 0], "{kind} {spec}");
        let tls = &jobs[0].scrape_config.http_client.tls_config;
        assert_eq!((tls.ca_file.as_str(), tls.server_name.as_str()), expected, "{kind} {spec}");
    }
}

#[test]
fn scrape_classes_are_checked_at_start() {
    let cases = [
        ("[{name: a, default: true}, {name: b, default: true}]", "[1].default"),
        ("[{name: a, relabelings: [{}]}]", "[0].relabelings[0].targetLabel"),
        ("[{name: a}, {name: b, metricRelabelings: [{action: keep, regex: '('}]}]", "[1].metricRelabelings[0].regex"),
        ("[{name: a, relabelings: [{action: nope}]}]", "[0].relabelings[0].action"),
        (
            "[{name: a, metricRelabelings: [{action: keep}, {action: keep, modulus: -1}]}]",
            "[0].metricRelabelings[1].modulus",
        ),
        ("[{name: a, fallbackScrapeProtocol: Text}]", "[0].fallbackScrapeProtocol"),
        ("[{name: a, tlsConfig: {minVersion: TLS9}}]", "[0].tlsConfig.minVersion"),
        ("[{name: a, tlsConfig: {maxVersion: tls13}}]", "[0].tlsConfig.maxVersion"),
        ("[{name: a, tlsConfig: {certFile: /f}}]", "[0].tlsConfig.cert"),
        ("[{name: a, authorization: {type: basic}}]", "[0].authorization.type"),
        (
            "[{name: a, authorization: {credentialsFile: a, credentials: {name: a}}}]",
            "[0].authorization.credentialsFile",
        ),
    ];
    for (classes, field) in cases {
        let error = ScrapeClasses::new(serde_norway::from_str(classes).unwrap()).unwrap_err();
        assert_eq!(error.field, field, "{classes}");
    }
}
