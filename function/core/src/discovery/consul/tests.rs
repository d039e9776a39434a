use super::*;

fn config(text: &str) -> ConsulSd {
    let text = format!("{{job_name: a, consul_sd_configs: [{text}]}}");
    let value = crate::yaml::parse(&format!("scrape_configs: [{text}]")).unwrap();
    let mut jobs = crate::scrape_config::parse::parse(&value).unwrap().jobs;
    jobs.remove(0).unwrap().service_discovery.consul.remove(0)
}

#[test]
fn the_api_address_is_that_of_the_consul_client() {
    let cases = [
        ("{}", Some(("http://localhost:8500", ""))),
        ("{server: 'a:1', scheme: https, path_prefix: /p}", Some(("https://a:1", "/p"))),
        ("{server: 'a:1', scheme: ''}", Some(("http://a:1", ""))),
        ("{server: 'https://a:1'}", Some(("https://a:1", ""))),
        ("{server: 'http://a:1', scheme: https}", Some(("https://a:1", ""))),
        ("{server: 'http://a:1/b/c', path_prefix: /p}", Some(("http://a:1", "/b/c"))),
        ("{server: 'unix:///run/consul'}", None),
        ("{server: 'ftp://a'}", None),
        ("{server: 'a:1/b'}", None),
        ("{server: 'u:p@a:1'}", None),
    ];
    for (text, expected) in cases {
        let found = api(&config(text)).ok();
        let found = found.as_ref().map(|api| (api.origin.as_str(), api.prefix.as_str()));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn requests_have_the_parameters_of_the_config() {
    let text =
        "{datacenter: d, namespace: ns1, partition: p, filter: f, health_filter: h, tags: [t, u], node_meta: {a: b}}";
    let own = [("dc", "d"), ("ns", "ns1"), ("partition", "p")];
    let stale = ("stale", "");
    let meta = ("node-meta", "a:b");
    let cases = [
        (agent_query(&config(text)), "/v1/agent/self", own.to_vec()),
        (services_query(&config(text)), "/v1/catalog/services", [&own[..], &[stale, ("filter", "f"), meta]].concat()),
        (
            instances_query(&config(text), "a b"),
            "/v1/health/service/a b",
            [&own[..], &[stale, ("filter", "h"), meta, ("tag", "t"), ("tag", "u")]].concat(),
        ),
        (services_query(&config("{allow_stale: false}")), "/v1/catalog/services", Vec::new()),
    ];
    for (query, path, parameters) in cases {
        assert_eq!(query.path, path);
        let found: Vec<_> = query.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(found, parameters, "{path}");
    }
}

#[test]
fn services_are_selected_by_name_and_by_all_tags() {
    let tags = ["a".to_owned(), "b".to_owned()];
    let cases = [
        ("{}", true, false),
        ("{services: [web]}", true, true),
        ("{services: [other]}", false, true),
        ("{tags: [a, b]}", true, false),
        ("{tags: [a, c]}", false, false),
        ("{services: [web], tags: [b]}", true, false),
        ("{services: [web], filter: f}", true, false),
        ("{services: [other], tags: [a]}", false, false),
    ];
    for (text, selected, named) in cases {
        let config = config(text);
        assert_eq!(selects(&config, "web", &tags), selected, "{text}");
        assert_eq!(named_services(&config).is_some(), named, "{text}");
    }
}

#[test]
fn an_instance_becomes_a_target_with_all_labels() {
    let body = br#"[{"Node": {"Node": "n", "Address": "10.0.0.1", "Meta": {"rack-id": "1"},
        "TaggedAddresses": {"wan-ipv4": "1.2.3.4"}}, "Service": {"ID": "web-1", "Port": 80, "Tags": ["a", null],
        "Meta": {"x.y": null}, "Namespace": "team"}, "Checks": null}, {"Node": {}, "Service": {"Address": "fd00::1"}}] end"#;
    let instances = instances(body).unwrap();
    let group = group(&config("{tag_separator: ';'}"), "dc1", "web", &instances);
    assert_eq!(group.source, "web");
    let shared = [("__meta_consul_dc", "dc1"), ("__meta_consul_service", "web")];
    let labels = |labels: &[(&str, &str)]| -> BTreeMap<String, String> {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(group.labels, labels(&shared));
    let first = [
        ("__address__", "10.0.0.1:80"),
        ("__meta_consul_address", "10.0.0.1"),
        ("__meta_consul_node", "n"),
        ("__meta_consul_namespace", "team"),
        ("__meta_consul_partition", ""),
        ("__meta_consul_tags", ";a;;"),
        ("__meta_consul_service_address", ""),
        ("__meta_consul_service_port", "80"),
        ("__meta_consul_service_id", "web-1"),
        ("__meta_consul_health", "passing"),
        ("__meta_consul_metadata_rack_id", "1"),
        ("__meta_consul_service_metadata_x_y", ""),
        ("__meta_consul_tagged_address_wan_ipv4", "1.2.3.4"),
    ];
    assert_eq!(group.targets[0], labels(&first));
    assert_eq!(group.targets[1]["__address__"], "[fd00::1]:0");
}

#[test]
fn the_health_is_the_worst_status() {
    let check = |text: &str| {
        let (check_id, status) = text.split_once('=').unwrap();
        answer::Check { check_id: check_id.to_owned(), status: status.to_owned() }
    };
    let cases: [(&[&str], &str); 7] = [
        (&[], "passing"),
        (&["a=passing", "b=warning"], "warning"),
        (&["a=critical", "b=warning"], "critical"),
        (&["_node_maintenance=critical", "b=critical"], "maintenance"),
        (&["_service_maintenance:a=odd"], "maintenance"),
        (&["_node_maintenance=critical", "b=odd"], ""),
        (&["a="], ""),
    ];
    for (checks, expected) in cases {
        let checks: Vec<_> = checks.iter().map(|text| check(text)).collect();
        assert_eq!(answer::health(&checks), expected, "{checks:?}");
    }
}

#[test]
fn invalid_responses_are_errors_and_never_shorter_lists() {
    for body in ["", "{}", "7", "[null]", "[{}]", r#"[{"Node": {}, "Service": {"Port": "80"}}]"#, "[{"] {
        assert!(instances(body.as_bytes()).is_err(), "{body}");
    }
    for body in ["", "[]", r#"{"a": "b"}"#, r#"{"a": [1]}"#] {
        assert!(services(body.as_bytes()).is_err(), "{body}");
    }
    for body in ["", "{}", r#"{"Config": null}"#, r#"{"Config": {"Datacenter": 7}}"#, r#"{"Config": []}"#] {
        assert!(datacenter(body.as_bytes()).is_err(), "{body}");
    }
    assert_eq!(datacenter(br#"{"Config": {"Datacenter": "dc1"}, "Stats": null}"#).unwrap(), "dc1");
    assert_eq!(services(br#"{"a": null, "b": ["c"]}"#).unwrap()["b"], ["c"]);
}

#[test]
fn long_tag_separators_of_tenants_are_refused() {
    let rule = |text: &str| config(text).tenant_rule();
    assert_eq!(rule("{tag_separator: '12345678'}"), TenantRule::Served);
    assert_eq!(rule("{tag_separator: '123456789'}"), TenantRule::LeftOut(LONG_SEPARATOR));
}

#[test]
fn reports_do_not_show_the_secrets_of_a_server() {
    for server in ["a:1", "http://a:1", "http://u:p@a:1?token=x", "u:p@a:1"] {
        let shown = ConsulSd::describe(&Box::new(config(&format!("{{server: '{server}'}}"))));
        assert!(shown.ends_with("a:1") && !shown.contains("p@"), "{server}: {shown}");
    }
}
