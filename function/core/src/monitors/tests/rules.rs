//! The relabelling rules that monitors generate.

use super::*;

const SHARD_BY_ADDRESS: &str = "\
replace [__address__, __tmp_hash] ~ (.+); -> __tmp_hash
hashmod [__tmp_hash] % 1 -> __tmp_hash
keep [__tmp_hash, __tmp_disable_sharding] ~ $(SHARD);|.+;.+
";

#[test]
fn a_service_monitor_generates_the_rules_of_the_operator() {
    let config = job(
        "ServiceMonitor",
        "{jobLabel: app, targetLabels: [team/name], podTargetLabels: [version], \
         selector: {matchLabels: {app.kubernetes.io/name: web}, matchExpressions: [\
         {key: a, operator: In, values: [x, y]}, {key: b, operator: NotIn, values: [z]}, \
         {key: c, operator: Exists}, {key: d, operator: DoesNotExist}]}, \
         endpoints: [{port: http, relabelings: [{targetLabel: zone, replacement: eu}]}]}",
    );
    let expected = "\
replace [job] -> __tmp_prometheus_job_name
keep […service_label_app_kubernetes_io_name, …service_labelpresent_app_kubernetes_io_name] ~ (web);true
keep […service_label_a, …service_labelpresent_a] ~ (x|y);true
drop […service_label_b, …service_labelpresent_b] ~ (z);true
keep […service_labelpresent_c] ~ true
drop […service_labelpresent_d] ~ true
keep […endpointslice_port_name] ~ http
replace […endpointslice_address_target_kind, …endpointslice_address_target_name] ~ Node;(.*) -> node = ${1}
replace […endpointslice_address_target_kind, …endpointslice_address_target_name] ~ Pod;(.*) -> pod = ${1}
replace […namespace] -> namespace
replace […service_name] -> service
replace […pod_name] -> pod
replace […pod_container_name] -> container
drop […pod_phase] ~ (Failed|Succeeded)
replace […service_label_team_name] ~ (.+) -> team_name = ${1}
replace […pod_label_version] ~ (.+) -> version = ${1}
replace […service_name] -> job = ${1}
replace […service_label_app] ~ (.+) -> job = ${1}
replace [] -> endpoint = http
replace [] -> zone = eu
";
    assert_eq!(rules(&config.relabel_configs), format!("{expected}{SHARD_BY_ADDRESS}"));
    assert_eq!(config.job_name, "serviceMonitor/shop/web/0");
}

#[test]
fn a_pod_monitor_generates_the_rules_of_the_operator() {
    let config = job(
        "PodMonitor",
        "{jobLabel: app, podTargetLabels: [version], selector: {matchLabels: {app: web}}, \
         podMetricsEndpoints: [{portNumber: 8080}]}",
    );
    let expected = "\
replace [job] -> __tmp_prometheus_job_name
drop […pod_phase] ~ (Failed|Succeeded)
keep […pod_label_app, …pod_labelpresent_app] ~ (web);true
keep […pod_container_port_number] ~ 8080
replace […namespace] -> namespace
replace […pod_container_name] -> container
replace […pod_name] -> pod
replace […pod_label_version] ~ (.+) -> version = ${1}
replace [] -> job = shop/web
replace […pod_label_app] ~ (.+) -> job = ${1}
";
    assert_eq!(rules(&config.relabel_configs), format!("{expected}{SHARD_BY_ADDRESS}"));
    assert_eq!(config.job_name, "podMonitor/shop/web/0");
}

#[test]
fn a_probe_generates_the_rules_of_the_operator() {
    let shard = SHARD_BY_ADDRESS.replace("__address__", "__param_target");
    let config = job(
        "Probe",
        "{prober: {url: 'prober:9115'}, jobName: ping, module: icmp, params: [{name: module, values: [x]}, \
         {name: a, values: [b]}], targets: {staticConfig: {static: [a.example], labels: {zone: eu}, \
         relabelingConfigs: [{action: labeldrop, regex: x}]}, ingress: {}}}",
    );
    let expected = "\
replace [job] -> __tmp_prometheus_job_name
replace [] -> job = ping
replace [__address__] -> __param_target
replace [__param_target] -> instance
replace [] -> __address__ = prober:9115
labeldrop [] ~ x
";
    assert_eq!(rules(&config.relabel_configs), format!("{expected}{shard}"));
    let served = serde_json::to_value(&config).unwrap();
    assert_eq!(served["job_name"], "probe/shop/web");
    assert_eq!(served["metrics_path"], "/probe");
    assert_eq!(served["params"], serde_json::json!({"a": ["b"], "module": ["icmp"]}));
    let targets = serde_json::json!([{"targets": ["a.example"], "labels": {"namespace": "shop", "zone": "eu"}}]);
    assert_eq!(served["static_configs"], targets, "static targets win over ingresses");

    let config = job(
        "Probe",
        "{prober: {url: prober}, targets: {ingress: {selector: {matchLabels: {app: web}}, \
         namespaceSelector: {any: true}}}}",
    );
    let expected = "\
replace [job] -> __tmp_prometheus_job_name
keep […ingress_label_app, …ingress_labelpresent_app] ~ (web);true
replace […ingress_scheme, __address__, …ingress_path] ~ (.+);(.+);(.+) -> __param_target = ${1}://${2}${3}
replace […namespace] -> namespace
replace […ingress_name] -> ingress
replace [__address__] ~ (.*) -> __tmp_ingress_address
replace [__param_target] -> instance
replace [] -> __address__ = prober
";
    assert_eq!(rules(&config.relabel_configs), format!("{expected}{shard}"));
    assert_eq!(config.service_discovery.kubernetes[0].namespaces.names, [] as [&str; 0]);
}

#[test]
fn a_port_selects_targets_and_sets_the_label_endpoint() {
    // The endpoint, the rule that keeps its port, and the rule that sets the label `endpoint`.
    let cases = [
        ("ServiceMonitor", "{}", "", ""),
        ("ServiceMonitor", "{port: web, targetPort: 80}", "…endpointslice_port_name] ~ web", "endpoint = web"),
        ("ServiceMonitor", "{targetPort: 80}", "…pod_container_port_number] ~ 80", "endpoint = 80"),
        ("ServiceMonitor", "{targetPort: '80'}", "…pod_container_port_name] ~ 80", "endpoint = 80"),
        ("ServiceMonitor", "{targetPort: 0}", "", "endpoint = 0"),
        ("ServiceMonitor", "{targetPort: ''}", "", ""),
        ("PodMonitor", "{port: web, portNumber: 80}", "…pod_container_port_name] ~ web", "endpoint = web"),
        ("PodMonitor", "{portNumber: 80}", "…pod_container_port_number] ~ 80", ""),
        ("PodMonitor", "{portNumber: 80, targetPort: web}", "…pod_container_port_number] ~ 80", "endpoint = web"),
        ("PodMonitor", "{targetPort: web}", "…pod_container_port_name] ~ web", "endpoint = web"),
    ];
    for (kind, endpoint, keep, name) in cases {
        let field = if kind == "PodMonitor" { "podMetricsEndpoints" } else { "endpoints" };
        let text = rules(&job(kind, &format!("{{{field}: [{endpoint}]}}")).relabel_configs);
        let find = |part: &str| text.lines().find(|line| line.contains(part)).unwrap_or_default().to_owned();
        assert!(find("_port_").ends_with(keep) && find("_port_").is_empty() == keep.is_empty(), "{endpoint}: {text}");
        assert!(
            find("endpoint =").ends_with(name) && find("endpoint =").is_empty() == name.is_empty(),
            "{endpoint}: {text}"
        );
    }
}
