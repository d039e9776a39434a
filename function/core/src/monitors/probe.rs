//! The job of a `Probe`.
//!
//! Input: the monitor, the settings, and the secrets and config maps. Output: a scrape config as the operator generates
//! it. Follows `checkProbe` and `generateProbeConfig` of the Prometheus operator.

use std::net::IpAddr;

use super::draft::{Context, Draft};
use super::finding::{Finding, Within};
use super::job_settings::{self, Times};
use super::object_jobs::Builder;
use super::{http_client, relabeling};
use crate::address::split_host_port;
use crate::objects::monitoring::ScrapeClass;
use crate::objects::monitoring::probe::{IngressTargets, Probe, ProbeParam, ProbeSpec, ProbeTargets, StaticTargets};
use crate::objects::monitoring::relabeling::Relabeling;
use crate::relabel::RelabelConfig;
use crate::scrape_config::discovery::{Role, StaticSd};
use crate::scrape_config::http_client::HttpClientConfig;

/// The targets of a probe. If a probe has both kinds, static targets win.
#[derive(Debug, Clone, Copy)]
enum Targets<'a> {
    Static(&'a StaticTargets),
    Ingress(&'a IngressTargets),
}

/// Builds the job. An error that only Prometheus detects leaves out the job.
///
/// # Errors
/// [`Finding`] if the operator refuses the monitor, or if the monitor exceeds a bound.
pub fn build(probe: &Probe, context: &mut Context<'_>, jobs: &mut Builder<'_>) -> Result<(), Finding> {
    let class = context.settings.scrape_classes.of(probe.spec.scrape_class_name.as_deref()).within("spec")?;
    let targets = targets(&probe.spec.targets).within("spec.targets")?;
    let mut notes = Vec::new();
    let draft = draft(probe, targets, class, context, &mut notes);
    context.notes.extend(notes.into_iter().map(|note| note.within("spec")));
    jobs.take(draft)
}

fn targets(targets: &ProbeTargets) -> Result<Targets<'_>, Finding> {
    match (&targets.static_config, &targets.ingress) {
        (Some(targets), _) => Ok(Targets::Static(targets)),
        (None, Some(targets)) => Ok(Targets::Ingress(targets)),
        (None, None) => Err(Finding::refused("must name staticConfig or ingress")),
    }
}

fn draft(
    probe: &Probe,
    targets: Targets<'_>,
    class: &ScrapeClass,
    context: &Context<'_>,
    notes: &mut Vec<Finding>,
) -> Result<Draft, Finding> {
    let Probe { metadata, spec } = probe;
    let (client, token) = client(spec, class, context, notes).within("spec")?;
    check_rules(spec)?;
    check_prober(&spec.prober.url).within("spec.prober.url")?;
    let times = Times::new(&spec.interval, &spec.scrape_timeout, context.settings.scrape_interval).within("spec")?;

    let job_name = format!("probe/{}/{}", metadata.namespace, metadata.name);
    let prometheus = &context.settings.prometheus;
    let mut draft = Draft::new(probe, context.settings, job_name, "spec".to_owned(), None);
    let config = &mut draft.config;
    times.apply(config);
    config.http_client = client;
    http_client::set_bearer_token(&mut config.http_client, token, "").within("spec")?;
    config.metrics_path.clone_from(&spec.prober.path);
    config.honor_timestamps = !prometheus.override_honor_timestamps;
    if let Some(scheme) = spec.prober.scheme {
        scheme.as_str().clone_into(&mut config.scheme);
    }
    for ProbeParam { name, values } in &spec.params {
        config.params.insert(name.clone(), values.clone());
    }
    if !spec.module.is_empty() {
        config.params.insert("module".to_owned(), vec![spec.module.clone()]);
    }
    job_settings::limits(&spec.limits, &prometheus.enforced_limits, config).within("spec")?;
    job_settings::body_size_limit(None, &prometheus.enforced_limits, config)?;
    job_settings::native_histograms(&spec.native_histograms, config).within("spec")?;
    job_settings::protocols(&spec.protocols, class, config);

    let mut rules = vec![relabeling::keep_job_name()];
    if !spec.job_name.is_empty() {
        rules.push(relabeling::set("job", &spec.job_name));
    }
    let (own, own_field) = match targets {
        Targets::Static(targets) => {
            config.service_discovery.r#static = vec![static_targets(targets, &metadata.namespace)];
            rules.extend(static_rules(&spec.prober.url));
            (&targets.relabeling_configs, "targets.staticConfig.relabelingConfigs")
        }
        Targets::Ingress(targets) => {
            let namespaces = job_settings::namespaces(&targets.namespace_selector, &metadata.namespace, prometheus);
            config.service_discovery.kubernetes = vec![job_settings::kubernetes(Role::Ingress, namespaces, None)];
            rules.extend(relabeling::select("ingress", &targets.selector));
            rules.extend(ingress_rules(&spec.prober.url));
            (&targets.relabeling_configs, "targets.ingress.relabelingConfigs")
        }
    };
    let own = relabeling::converted(own).within(own_field).within("spec")?;
    let own_metric = relabeling::converted(&spec.metric_relabelings).within("metricRelabelings").within("spec")?;
    draft.set_relabelings(rules, class, own, own_field, "__param_target")?;
    draft.set_metric_relabelings(class, own_metric)?;
    Ok(draft)
}

/// The client config for the prober. As in the operator, conflicting credentials are checked only by the rules of
/// Prometheus.
fn client(
    spec: &ProbeSpec,
    class: &ScrapeClass,
    context: &Context<'_>,
    notes: &mut Vec<Finding>,
) -> Result<(HttpClientConfig, String), Finding> {
    let assets = context.assets;
    let token = spec.http.bearer_token_secret.as_ref();
    let token = token.map_or_else(|| Ok(String::new()), |selector| http_client::bearer_token(selector, assets))?;
    let tls_config = http_client::without_files(spec.tls_config.as_ref());
    let mut client = http_client::http_client(&spec.http, tls_config.as_ref(), class, assets, notes)?;
    client.proxy = http_client::proxy(&spec.prober.proxy, assets).within("prober")?;
    Ok((client, token))
}

/// Checks the rules of static targets and of ingresses. As in the operator, unused rules are also checked.
fn check_rules(spec: &ProbeSpec) -> Result<(), Finding> {
    let ProbeTargets { static_config, ingress } = &spec.targets;
    let check = |rules: &[Relabeling], field: &str| relabeling::check(rules).within(field);
    check(&spec.metric_relabelings, "spec.metricRelabelings")?;
    if let Some(targets) = static_config {
        if targets.labels.contains_key("") {
            return Err(
                Finding::refused("cannot hold a label without a name").within("spec.targets.staticConfig.labels")
            );
        }
        check(&targets.relabeling_configs, "spec.targets.staticConfig.relabelingConfigs")?;
    }
    if let Some(targets) = ingress {
        check(&targets.relabeling_configs, "spec.targets.ingress.relabelingConfigs")?;
    }
    Ok(())
}

/// Checks that the URL of a prober is `host` or `host:port`.
fn check_prober(url: &str) -> Result<(), Finding> {
    let (host, port) = split_host_port(url).map_or((url, None), |(host, port)| (host, Some(port)));
    let valid_port = matches!(port.map(str::parse::<i64>), None | Some(Ok(1..=65535)));
    if is_host(host) && valid_port {
        return Ok(());
    }
    Err(Finding::refused(format_args!("must be a host or host:port, without scheme and path: {url:?}")))
}

/// Follows `IsHost` of asaskevich/govalidator: an IP address or a DNS name. Names may contain `_` and end with a dot.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        (1..=63).contains(&label.len()) && !label.starts_with('-') && label.bytes().all(inner)
    };
    let name = |text: &str| text.split('.').all(label);
    let short = text.bytes().filter(|byte| *byte != b'.').count() <= 255;
    text.parse::<IpAddr>().is_ok() || short && (name(text) || text.strip_suffix(['.', '_']).is_some_and(name))
}

fn static_targets(targets: &StaticTargets, namespace: &str) -> StaticSd {
    let mut labels = targets.labels.clone();
    labels.entry("namespace".to_owned()).or_insert_with(|| namespace.to_owned());
    StaticSd { targets: targets.r#static.clone(), labels }
}

fn static_rules(prober: &str) -> [RelabelConfig; 3] {
    [
        relabeling::copy("__address__", "__param_target"),
        relabeling::copy("__param_target", "instance"),
        relabeling::set("__address__", prober),
    ]
}

fn ingress_rules(prober: &str) -> [RelabelConfig; 6] {
    let parts = ["__meta_kubernetes_ingress_scheme", "__address__", "__meta_kubernetes_ingress_path"];
    [
        RelabelConfig {
            source_labels: parts.map(str::to_owned).to_vec(),
            regex: Some("(.+);(.+);(.+)".to_owned()),
            target_label: "__param_target".to_owned(),
            replacement: "${1}://${2}${3}".to_owned(),
            ..RelabelConfig::default()
        },
        relabeling::copy("__meta_kubernetes_namespace", "namespace"),
        relabeling::copy("__meta_kubernetes_ingress_name", "ingress"),
        RelabelConfig { regex: Some("(.*)".to_owned()), ..relabeling::copy("__address__", "__tmp_ingress_address") },
        relabeling::copy("__param_target", "instance"),
        relabeling::set("__address__", prober),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prober_is_a_host_with_an_optional_port() {
        let long = "a".repeat(64);
        let valid = [
            "prober",
            "prober:9115",
            "a.b.c.",
            "a_b-c",
            "_a",
            "1.2.3.4",
            "1.2.3.4:80",
            "[::1]:80",
            "::1",
            "a:+80",
            "1.2.3.4.5",
            "a_",
        ];
        let invalid = [
            "",
            ":80",
            "http://prober",
            "prober:9115/probe",
            "prober/",
            "prober:0",
            "prober:65536",
            "prober:http",
            "prober:",
            "[::1]",
            "::1:x:80",
            "[a",
            "-a",
            "a..b",
            "a b",
            "é",
            "fe80::1%eth0",
            &long,
        ];
        for url in valid {
            assert_eq!(check_prober(url), Ok(()), "{url}");
        }
        for url in invalid {
            assert!(check_prober(url).is_err(), "{url}");
        }
    }
}
