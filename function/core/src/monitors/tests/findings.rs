//! Errors in monitors, and the findings that report them.

use super::*;
use crate::monitors::draft::SERVICE_ACCOUNT_CA;

#[test]
fn each_error_is_reported_with_its_field() {
    // The kind, its endpoint or spec, and the beginning of the only entry.
    let service = |endpoint: &str| ("ServiceMonitor", format!("{{endpoints: [{endpoint}, {{port: other}}]}}"));
    let pod = |endpoint: &str| ("PodMonitor", format!("{{podMetricsEndpoints: [{endpoint}, {{port: other}}]}}"));
    let probe = |spec: &str| ("Probe", format!("{{prober: {{url: a}}, targets: {{staticConfig: {{}}}}, {spec}}}"));
    let token = "{name: auth, key: token}";
    let cases = [
        (
            service("{basicAuth: {username: {name: auth, key: user}, password: {name: auth, key: gone}}}"),
            "refused spec.endpoints[0].basicAuth.password: secret shop/auth has no key \"gone\"",
        ),
        (
            service("{basicAuth: {username: {name: gone, key: a}}}"),
            "refused spec.endpoints[0].basicAuth.username: secret shop/gone does not exist, create it",
        ),
        (service("{basicAuth: {}}"), "refused spec.endpoints[0].basicAuth.username: names no secret"),
        (
            service(&format!("{{authorization: {{credentials: {token}}}, basicAuth: {{}}}}")),
            "refused spec.endpoints[0].basicAuth: cannot be set beside authorization",
        ),
        (service("{authorization: {}}"), "refused spec.endpoints[0].authorization.credentials: is missing"),
        (
            service(&format!("{{authorization: {{type: ' Basic', credentials: {token}}}}}")),
            "refused spec.endpoints[0].authorization.type: cannot be basic",
        ),
        (
            service("{bearerTokenSecret: {name: auth, key: gone}}"),
            "refused spec.endpoints[0].bearerTokenSecret: secret shop/auth has no key",
        ),
        (
            service(&format!("{{bearerTokenSecret: {token}, bearerTokenFile: /f}}")),
            "job-left-out spec.endpoints[0].bearerTokenFile: cannot be set beside bearerTokenSecret",
        ),
        (
            service("{tlsConfig: {ca: {secret: {name: auth, key: token}}}}"),
            "refused spec.endpoints[0].tlsConfig.ca: holds no PEM block",
        ),
        (
            service(&format!("{{tlsConfig: {{cert: {{secret: {token}}}, keySecret: {token}}}}}")),
            "refused spec.endpoints[0].tlsConfig.cert: holds no certificate",
        ),
        (
            service("{tlsConfig: {ca: {secret: {name: auth, key: token}}, caFile: /f}}"),
            "refused spec.endpoints[0].tlsConfig.caFile: cannot be set beside ca",
        ),
        (
            service("{tlsConfig: {cert: {secret: {name: auth, key: token}}}}"),
            "refused spec.endpoints[0].tlsConfig.cert: is set without a key",
        ),
        (service("{tlsConfig: {keyFile: /f}}"), "refused spec.endpoints[0].tlsConfig.keySecret: is set without a cert"),
        (
            service("{tlsConfig: {minVersion: TLS13, maxVersion: TLS12}}"),
            "refused spec.endpoints[0].tlsConfig.maxVersion: is below minVersion",
        ),
        (service("{oauth2: {}}"), "refused spec.endpoints[0].oauth2.tokenUrl: is empty"),
        (service("{oauth2: {tokenUrl: a}}"), "refused spec.endpoints[0].oauth2.clientId: is empty"),
        (
            service(
                "{oauth2: {tokenUrl: a, clientId: {secret: {name: auth, key: empty}}, \
                  clientSecret: {name: auth, key: user}}}",
            ),
            "job-left-out spec.endpoints[0]: cannot be used by prometheus: oauth2.client_id is empty",
        ),
        (service("{proxyUrl: '://'}"), "refused spec.endpoints[0].proxyUrl: "),
        (service("{noProxy: a}"), "refused spec.endpoints[0].noProxy: requires proxyUrl"),
        (service("{proxyFromEnvironment: true, proxyUrl: a}"), "refused spec.endpoints[0].proxyUrl: cannot be set"),
        (
            service("{proxyUrl: a, proxyConnectHeader: {X: []}}"),
            "refused spec.endpoints[0].proxyConnectHeader[X]: is empty",
        ),
        (
            service("{proxyUrl: a, proxyConnectHeader: {X: [{name: gone, key: a}]}}"),
            "refused spec.endpoints[0].proxyConnectHeader[X][0]: secret shop/gone does not exist",
        ),
        (
            service("{scrapeTimeout: 31s}"),
            "refused spec.endpoints[0].scrapeTimeout: is greater than the scrape interval",
        ),
        (service("{interval: soon}"), "job-left-out spec.endpoints[0].interval: not a valid duration"),
        (
            service("{relabelings: [{action: keep}, {action: replace}]}"),
            "refused spec.endpoints[0].relabelings[1].targetLabel: must be set",
        ),
        (
            service("{metricRelabelings: [{action: drop, regex: '('}]}"),
            "refused spec.endpoints[0].metricRelabelings[0].regex: is not a regular expression",
        ),
        (
            service("{relabelings: [{action: keep}, {action: keepequal, targetLabel: a, regex: '(.*)'}]}"),
            "job-left-out spec.endpoints[0].relabelings[1]: cannot be used by prometheus: regex: must not be set",
        ),
        (service("{port: 'a('}"), "job-left-out spec.endpoints[0]: cannot be used by prometheus: relabel_configs"),
        (pod("{scrapeTimeout: 1h}"), "refused spec.podMetricsEndpoints[0].scrapeTimeout: is greater"),
        (
            pod("{bearerTokenSecret: {name: auth, key: gone}}"),
            "refused spec.podMetricsEndpoints[0].bearerTokenSecret: ",
        ),
        (probe("bearerTokenSecret: {key: a}"), "refused spec.bearerTokenSecret: names no secret"),
        (probe("interval: 10s, scrapeTimeout: 11s"), "refused spec.scrapeTimeout: is greater"),
        (probe("metricRelabelings: [{}]"), "refused spec.metricRelabelings[0].targetLabel: must be set"),
        (
            probe(&format!("bearerTokenSecret: {token}, authorization: {{credentials: {token}}}")),
            "job-left-out spec.bearerTokenSecret: cannot be set beside authorization",
        ),
        (probe("scrapeProtocols: [Text]"), "job-left-out spec: cannot be used by prometheus: scrape_protocols names"),
        (("Probe", "{prober: {url: a}}".to_owned()), "refused spec.targets: must name staticConfig or ingress"),
        (
            ("Probe", "{prober: {url: 'http://a'}, targets: {ingress: {}}}".to_owned()),
            "refused spec.prober.url: must be a host or host:port",
        ),
        (
            ("Probe", "{prober: {url: a}, targets: {staticConfig: {}, ingress: {relabelingConfigs: [{}]}}}".to_owned()),
            "refused spec.targets.ingress.relabelingConfigs[0].targetLabel: must be set",
        ),
        (
            ("Probe", "{prober: {url: a}, targets: {staticConfig: {labels: {'': a}}}}".to_owned()),
            "refused spec.targets.staticConfig.labels: cannot hold a label without a name",
        ),
        (
            ("Probe", "{prober: {url: a, noProxy: a}, targets: {ingress: {}}}".to_owned()),
            "refused spec.prober.noProxy: requires proxyUrl",
        ),
        (
            ("ServiceMonitor", "{endpoints: [], selector: {matchExpressions: [{key: a, operator: In}]}}".to_owned()),
            "refused spec.selector: values must not be empty",
        ),
        (("PodMonitor", "{selector: {matchLabels: {'a b': c}}}".to_owned()), "refused spec.selector: key is not"),
        (("PodMonitor", "{scrapeClass: gone}".to_owned()), "refused spec.scrapeClass: is not in prometheus_cr"),
        (
            ("ServiceMonitor", "{endpoints: [{}], bodySizeLimit: much}".to_owned()),
            "job-left-out spec.bodySizeLimit: not a size",
        ),
        (
            ("ServiceMonitor", "{endpoints: [{}], sampleLimit: -1}".to_owned()),
            "job-left-out spec.sampleLimit: must not be negative",
        ),
        (
            ("ServiceMonitor", "{endpoints: [{}], nativeHistogramBucketLimit: -1}".to_owned()),
            "job-left-out spec.nativeHistogramBucketLimit: must not be negative",
        ),
        (
            ("ServiceMonitor", "{endpoints: [{}], targetLabels: ['']}".to_owned()),
            "job-left-out spec.endpoints[0]: cannot be used by prometheus: relabel_configs holds a rule",
        ),
    ];
    for ((kind, spec), expected) in cases {
        let (jobs, report) = outcome(&settings(), kind, &spec);
        assert!(matches!(report.as_slice(), [entry] if entry.starts_with(expected)), "{spec}: {report:?}");
        // A refused monitor has no job. If only a job is left out, the job of the valid endpoint remains.
        let left = usize::from(expected.starts_with("job-left-out") && spec.contains("other"));
        assert_eq!(jobs.len(), left, "{spec}");
        assert!(!report[0].contains("t0ken") && !report[0].contains("p&w"), "{report:?}");
    }
}

#[test]
fn incomplete_references_are_ignored_as_in_the_operator() {
    let (jobs, report) =
        outcome(&settings(), "PodMonitor", "{podMetricsEndpoints: [{bearerTokenSecret: {name: gone}}]}");
    assert_eq!((jobs.len(), report.len()), (1, 0));
    let (jobs, report) =
        outcome(&settings(), "ServiceMonitor", "{endpoints: [{authorization: {credentials: {key: a}}}]}");
    assert_eq!(jobs[0].scrape_config.http_client.authorization.as_ref().unwrap().r#type, "Bearer");
    assert_eq!(
        report,
        ["adjusted spec.endpoints[0].authorization.credentials: names no secret: scraped without credentials"]
    );
}

#[test]
fn files_of_collectors_are_denied_as_the_settings_say() {
    let with = |files| Settings { files, ..settings() };
    let (unset, denied, allowed) = (with(Files::WithoutTls), with(Files::Denied), with(Files::Allowed));
    let reads = "job-left-out spec.endpoints[0]: reads a file";
    let service_account_ca = format!("tlsConfig: {{caFile: {SERVICE_ACCOUNT_CA}}}");
    // The endpoint, and the finding if the key is absent. `true` denies all files, `false` allows all.
    let cases = [
        ("bearerTokenFile: /f", None),
        (&service_account_ca, None),
        ("tlsConfig: {caFile: /f}", Some("job-left-out spec.endpoints[0].tlsConfig.caFile: names a file")),
        (
            "tlsConfig: {certFile: /c, keyFile: /k}",
            Some("job-left-out spec.endpoints[0].tlsConfig.certFile: names a file"),
        ),
    ];
    for (endpoint, by_default) in cases {
        let spec = format!("{{endpoints: [{{{endpoint}}}, {{port: other}}]}}");
        for (settings, refusal) in [(&unset, by_default), (&denied, Some(reads)), (&allowed, None)] {
            let (jobs, report) = outcome(settings, "ServiceMonitor", &spec);
            assert_eq!(jobs.len(), 2 - usize::from(refusal.is_some()), "{endpoint}: {report:?}");
            match refusal {
                Some(refusal) => assert!(report[0].starts_with(refusal), "{endpoint}: {report:?}"),
                None => assert!(report.is_empty(), "{endpoint}: {report:?}"),
            }
        }
    }
}

#[test]
fn jobs_that_a_collector_cannot_load_are_left_out_alone() {
    let rule = r#"{action: drop, sourceLabels: [__name__], regex: "x{2,$(SHARD)}"}"#;
    let cases = [
        (format!("metricRelabelings: [{rule}]"), "job-left-out spec.endpoints[0].metricRelabelings[0]: metric_relabel"),
        (format!("relabelings: [{{targetLabel: a}}, {rule}]"), "job-left-out spec.endpoints[0].relabelings[1]: "),
        (
            "params: {a$(SHARD): [b], a0: [c]}".to_owned(),
            "job-left-out spec.endpoints[0]: two names are the same for a collector",
        ),
    ];
    for (endpoint, expected) in cases {
        let spec = format!("{{endpoints: [{{{endpoint}}}, {{port: other}}]}}");
        let (jobs, report) = outcome(&settings(), "ServiceMonitor", &spec);
        assert_eq!(jobs.len(), 1, "{report:?}");
        assert!(report[0].starts_with(expected), "{report:?}");
    }
}

#[test]
fn objects_over_a_bound_are_refused_before_all_their_jobs_are_built() {
    let bounds = Bounds { object_endpoints: 3, object_bytes: 20_000, ..Bounds::default() };
    let settings = Settings { bounds, ..settings() };
    let labels: Vec<String> = (0..100).map(|n| format!("label-{n}")).collect();
    let targets: Vec<String> = (0..1_000).map(|n| format!("host-{n}.example:80")).collect();
    let cases = [
        ("ServiceMonitor", "{endpoints: [{}, {}, {}]}".to_owned(), Ok(3)),
        (
            "ServiceMonitor",
            "{endpoints: [{}, {}, {}, {}]}".to_owned(),
            Err("refused spec.endpoints: an object may have 3"),
        ),
        (
            "PodMonitor",
            "{podMetricsEndpoints: [{}, {}, {}, {}]}".to_owned(),
            Err("refused spec.podMetricsEndpoints: an object may have 3"),
        ),
        (
            "ScrapeConfig",
            format!("{{kubernetesSDConfigs: [{}]}}", ["{role: Pod}"; 4].join(", ")),
            Err("refused spec.kubernetesSDConfigs: an object may have 3"),
        ),
        (
            "ServiceMonitor",
            format!("{{endpoints: [{{}}, {{}}], podTargetLabels: {labels:?}}}"),
            Err("refused spec.endpoints[1]: the scrape configs of this object take more than 20000 bytes"),
        ),
        (
            "ScrapeConfig",
            format!("{{staticConfigs: [{{targets: {targets:?}}}]}}"),
            Err("refused spec: the scrape configs of this object take more than 20000 bytes"),
        ),
    ];
    for (kind, spec, expected) in cases {
        let (jobs, report) = outcome(&settings, kind, &spec);
        match expected {
            Ok(count) => assert_eq!((jobs.len(), report.len()), (count, 0), "{report:?}"),
            Err(start) => assert!(jobs.is_empty() && report[0].starts_with(start), "{spec}: {report:?}"),
        }
    }
}
