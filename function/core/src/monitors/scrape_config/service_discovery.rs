//! The service discovery of `ScrapeConfig` objects.
//!
//! In: the SD configs of an object; out: those of its job, or why the operator
//! refuses the object. Follows the `validate...SDConfigs` functions of
//! `pkg/prometheus/resource_selector.go` and `generateScrapeConfig` of `promcfg.go`.

use crate::duration::Duration;
use crate::monitors::assets::Assets;
use crate::monitors::finding::{Finding, Within, chain};
use crate::monitors::http_client::{basic_auth, oauth2, own_authorization, proxy, safe_tls};
use crate::objects::monitoring::KeySelector;
use crate::objects::monitoring::scrape_config::{
    DnsSdConfig, Ec2SdConfig, FileSdConfig, HttpSdConfig, KubernetesRole, KubernetesSdConfig, OtherSdConfig,
    OtherSdKind, ScrapeConfigSpec, SdClient, StaticConfig,
};
use crate::scrape_config::http_client::{HttpClientConfig, Secret};
use crate::scrape_config::service_discovery::{
    AttachMetadata, DnsSd, Ec2Filter, Ec2Sd, FileSd, HttpSd, KubernetesSd, Namespaces, Role, Selector as RoleSelector,
    ServiceDiscovery, StaticSd,
};
use crate::scrape_config::url::GoUrl;
use crate::selector::{FieldSelector, Selector};

/// The service discovery of a job.
///
/// # Errors
/// The first rule of the operator that a config breaks, or the kind of the first
/// that is not served here.
pub fn service_discovery(
    spec: &ScrapeConfigSpec,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> Result<ServiceDiscovery, Finding> {
    let discovery = ServiceDiscovery {
        r#static: each(&spec.static_configs, "staticConfigs", static_targets)?,
        http: each(&spec.http_sd_configs, "httpSDConfigs", |config| http(config, assets, notes))?,
        kubernetes: each(&spec.kubernetes_sd_configs, "kubernetesSDConfigs", |config| {
            kubernetes(config, assets, notes)
        })?,
        dns: each(&spec.dns_sd_configs, "dnsSDConfigs", dns)?,
        ec2: each(&spec.ec2_sd_configs, "ec2SDConfigs", |config| ec2(config, assets, notes))?,
        file: each(&spec.file_sd_configs, "fileSDConfigs", file)?,
    };
    // An object that the operator refuses is refused for that, not for its kind.
    let mut index = (None, 0);
    for (kind, config) in spec.other_sd_configs.each() {
        index = if index.0 == Some(kind) { (index.0, index.1 + 1) } else { (Some(kind), 0) };
        let field = format!("{}[{}]", kind.field(), index.1);
        check_other(kind, config, assets, &mut Vec::new()).within(&field)?;
    }
    match spec.other_sd_configs.each().next() {
        None => Ok(discovery),
        Some((kind, _)) => {
            let reason = "service discovery of this kind is not served here, name the targets by another";
            Err(Finding::left_out(reason).within(kind.field()))
        }
    }
}

fn each<C, T>(configs: &[C], field: &str, mut make: impl FnMut(&C) -> Result<T, Finding>) -> Result<Vec<T>, Finding> {
    let one = |(at, config)| make(config).within(&format!("[{at}]")).within(field);
    configs.iter().enumerate().map(one).collect()
}

/// The client of a service discovery, which no scrape class has a part in.
fn sd_client(client: &SdClient, assets: Assets<'_>, notes: &mut Vec<Finding>) -> Result<HttpClientConfig, Finding> {
    let SdClient {
        basic_auth: basic,
        authorization,
        oauth2: oauth,
        tls_config,
        proxy: own_proxy,
        follow_redirects,
        enable_http2,
    } = client;
    let defaults = HttpClientConfig::default();
    Ok(HttpClientConfig {
        basic_auth: basic.as_ref().map(|own| basic_auth(own, assets).within("basicAuth")).transpose()?,
        authorization: authorization
            .as_ref()
            .map(|own| own_authorization(own, assets, notes).within("authorization"))
            .transpose()?,
        oauth2: oauth.as_ref().map(|own| oauth2(own, assets).within("oauth2")).transpose()?,
        tls_config: tls_config
            .as_ref()
            .map(|own| safe_tls(own, assets).within("tlsConfig"))
            .transpose()?
            .unwrap_or_default(),
        proxy: proxy(own_proxy, assets)?,
        follow_redirects: follow_redirects.unwrap_or(defaults.follow_redirects),
        enable_http2: enable_http2.unwrap_or(defaults.enable_http2),
        http_headers: defaults.http_headers,
    })
}

fn static_targets(config: &StaticConfig) -> Result<StaticSd, Finding> {
    let StaticConfig { targets, labels } = config;
    if labels.contains_key("") {
        return Err(Finding::refused("has a label without a name").within("labels"));
    }
    Ok(StaticSd { targets: targets.clone(), labels: labels.clone() })
}

fn file(config: &FileSdConfig) -> Result<FileSd, Finding> {
    let FileSdConfig { files, refresh_interval } = config;
    let mut file = FileSd { files: files.clone(), ..FileSd::default() };
    refresh(refresh_interval.as_deref(), &mut file.refresh_interval)?;
    Ok(file)
}

fn http(config: &HttpSdConfig, assets: Assets<'_>, notes: &mut Vec<Finding>) -> Result<HttpSd, Finding> {
    let HttpSdConfig { url, refresh_interval, client } = config;
    check_url(url).within("url")?;
    let mut http = HttpSd { http_client: sd_client(client, assets, notes)?, ..HttpSd::new(url) };
    refresh(refresh_interval.as_deref(), &mut http.refresh_interval)?;
    Ok(http)
}

fn kubernetes(
    config: &KubernetesSdConfig,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> Result<KubernetesSd, Finding> {
    let KubernetesSdConfig { api_server, role, namespaces, attach_metadata, selectors, client } = config;
    let http_client = sd_client(client, assets, notes)?;
    let own_namespace = namespaces.as_ref().and_then(|namespaces| namespaces.own_namespace).unwrap_or_default();
    if api_server.is_some() && own_namespace {
        let reason = "cannot be combined with apiServer, which has no namespace of its own";
        return Err(Finding::refused(reason).within("ownNamespace").within("namespaces"));
    }
    let mut kubernetes = KubernetesSd { http_client, ..KubernetesSd::new(prometheus_role(*role)) };
    if let Some(server) = api_server {
        kubernetes.api_server.clone_from(server);
    }
    if let Some(namespaces) = namespaces {
        kubernetes.namespaces = Namespaces { own_namespace, names: namespaces.names.clone() };
    }
    for (at, selector) in selectors.iter().enumerate() {
        let field = format!("selectors[{at}]");
        if !selectable(*role).contains(&selector.role) {
            return Err(Finding::refused("is not a role that objects of this role are selected by")
                .within("role")
                .within(&field));
        }
        let (label, fields) = (selector.label.clone().unwrap_or_default(), selector.field.clone().unwrap_or_default());
        label.parse::<Selector>().map_err(|error| Finding::refused(error).within("label").within(&field))?;
        fields.parse::<FieldSelector>().map_err(|error| Finding::refused(error).within("field").within(&field))?;
        let role = prometheus_role(selector.role);
        kubernetes.selectors.push(RoleSelector { role, label, field: fields });
    }
    // For other roles the operator passes over it.
    if let (KubernetesRole::Pod | KubernetesRole::Endpoints | KubernetesRole::EndpointSlice, Some(attach)) =
        (role, attach_metadata)
    {
        kubernetes.attach_metadata = AttachMetadata { node: attach.node.unwrap_or_default(), ..Default::default() };
    }
    Ok(kubernetes)
}

const fn prometheus_role(role: KubernetesRole) -> Role {
    match role {
        KubernetesRole::Pod => Role::Pod,
        KubernetesRole::Endpoints => Role::Endpoints,
        KubernetesRole::Ingress => Role::Ingress,
        KubernetesRole::Service => Role::Service,
        KubernetesRole::Node => Role::Node,
        KubernetesRole::EndpointSlice => Role::EndpointSlice,
    }
}

/// The roles whose objects can be selected, which are fewer for pods than Prometheus takes.
const fn selectable(role: KubernetesRole) -> &'static [KubernetesRole] {
    use KubernetesRole::{EndpointSlice, Endpoints, Ingress, Node, Pod, Service};
    match role {
        Pod => &[Pod],
        Service => &[Service],
        EndpointSlice => &[Pod, Service, EndpointSlice],
        Endpoints => &[Pod, Service, Endpoints],
        Node => &[Node],
        Ingress => &[Ingress],
    }
}

fn dns(config: &DnsSdConfig) -> Result<DnsSd, Finding> {
    let DnsSdConfig { names, refresh_interval, r#type, port } = config;
    let mut dns = DnsSd { names: names.clone(), ..DnsSd::default() };
    if let Some(kind) = r#type {
        if kind != "SRV" && port.is_none() {
            return Err(
                Finding::refused(format_args!("is not set, which the record type needs: {kind}")).within("port")
            );
        }
        dns.r#type.clone_from(kind);
    }
    refresh(refresh_interval.as_deref(), &mut dns.refresh_interval)?;
    if let Some(port) = port {
        dns.port = i64::from(*port);
    }
    Ok(dns)
}

fn ec2(config: &Ec2SdConfig, assets: Assets<'_>, notes: &mut Vec<Finding>) -> Result<Ec2Sd, Finding> {
    let Ec2SdConfig { region, access_key, secret_key, role_arn, port, refresh_interval, filters, client } = config;
    let access = optional_secret(access_key.as_ref(), assets).within("accessKey")?;
    let secret = optional_secret(secret_key.as_ref(), assets).within("secretKey")?;
    let mut ec2 = Ec2Sd {
        region: region.clone().unwrap_or_default(),
        role_arn: role_arn.clone().unwrap_or_default(),
        http_client: sd_client(client, assets, notes)?,
        ..Ec2Sd::default()
    };
    // One without the other is checked and not used.
    if let (Some(access), Some(secret)) = (access, secret) {
        ec2.access_key = access;
        ec2.secret_key = Secret::from(secret);
    }
    refresh(refresh_interval.as_deref(), &mut ec2.refresh_interval)?;
    if let Some(port) = port {
        ec2.port = i64::from(*port);
    }
    ec2.filters =
        filters.iter().map(|filter| Ec2Filter { name: filter.name.clone(), values: filter.values.clone() }).collect();
    ec2.filters.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(ec2)
}

/// What the operator checks of a config whose kind is not served here.
fn check_other(
    kind: OtherSdKind,
    config: &OtherSdConfig,
    assets: Assets<'_>,
    notes: &mut Vec<Finding>,
) -> Result<(), Finding> {
    if kind == OtherSdKind::Azure {
        if matches!(config.authentication_method.as_str(), "ManagedIdentity" | "SDK" | "WorkloadIdentity") {
            return Ok(());
        }
        let required = [
            ("tenantID", config.tenant_id.is_empty()),
            ("clientID", config.client_id.is_empty()),
            ("clientSecret", config.client_secret.is_none()),
        ];
        if let Some((field, _)) = required.into_iter().find(|(_, missing)| *missing) {
            return Err(Finding::refused("is not set, which the authentication method needs").within(field));
        }
    }
    match kind {
        OtherSdKind::Kuma | OtherSdKind::Nomad => check_server(&config.server).within("server")?,
        OtherSdKind::Docker | OtherSdKind::DockerSwarm => check_url(&config.host).map(drop).within("host")?,
        OtherSdKind::PuppetDb => {
            let url = check_url(&config.url).within("url")?;
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
                return Err(Finding::refused("is not an http or https url with a host").within("url"));
            }
        }
        _ => {}
    }
    for secret in config.own_secrets() {
        assets.secret(secret).map_err(Finding::from)?;
    }
    sd_client(&config.client, assets, notes).map(drop)
}

fn check_url(url: &str) -> Result<GoUrl, Finding> {
    url.parse().map_err(|error| Finding::refused(chain(&error)))
}

fn check_server(server: &str) -> Result<(), Finding> {
    let url = check_url(server)?;
    if url.scheme().is_empty() || !url.has_host() {
        return Err(Finding::refused("is not a url with a scheme and a host"));
    }
    Ok(())
}

fn optional_secret(selector: Option<&KeySelector>, assets: Assets<'_>) -> Result<Option<String>, Finding> {
    selector.map(|selector| assets.secret(selector).map_err(Finding::from)).transpose()
}

/// Only Prometheus reads the text.
fn refresh(text: Option<&str>, place: &mut Duration) -> Result<(), Finding> {
    if let Some(text) = text {
        *place = text.parse().map_err(|error| Finding::left_out(chain(&error)).within("refreshInterval"))?;
    }
    Ok(())
}
