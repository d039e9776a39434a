//! The `*_sd_configs` and `static_configs` of a scrape config.

use super::fields::{Fields, Node};
use super::{ParseError, Problem, http_client};
use crate::scrape_config::service_discovery::{
    AttachMetadata, DnsSd, Ec2Filter, Ec2Sd, FileSd, HttpSd, KubernetesSd, NOT_SERVED, Namespaces, Role, Selector,
    ServiceDiscovery, StaticSd,
};

type Result<T> = std::result::Result<T, ParseError>;

/// What follows a kind's name in the name of its field.
const SUFFIX: &str = "_sd_configs";

/// Reads all kinds that are served.
pub fn read<'a>(fields: &mut Fields<'a>) -> Result<ServiceDiscovery> {
    Ok(ServiceDiscovery {
        kubernetes: each(fields, "kubernetes_sd_configs", kubernetes)?,
        r#static: each(fields, "static_configs", static_targets)?,
        http: each(fields, "http_sd_configs", http)?,
        dns: each(fields, "dns_sd_configs", dns)?,
        ec2: each(fields, "ec2_sd_configs", ec2)?,
        file: each(fields, "file_sd_configs", file)?,
    })
}

/// Refuses a job that uses a kind which Prometheus knows and which is not served here.
pub fn refuse_others<'a>(job: &Node<'a>, fields: &mut Fields<'a>) -> Result<()> {
    for (name, node) in job.entries()? {
        let kind = name.strip_suffix(SUFFIX).and_then(|kind| NOT_SERVED.iter().find(|known| **known == kind));
        let Some(kind) = kind else { continue };
        fields.allow(name);
        if !node.list()?.is_empty() {
            return Err(node.error(Problem::NotServed { kind }));
        }
    }
    Ok(())
}

fn each<'a, T>(fields: &mut Fields<'a>, name: &'a str, read: fn(&Node<'a>) -> Result<T>) -> Result<Vec<T>> {
    let Some(node) = fields.get(name) else { return Ok(Vec::new()) };
    let entry = |node: &Node<'a>| if node.is_null() { Err(node.error(Problem::Empty)) } else { read(node) };
    node.list()?.iter().map(entry).collect()
}

fn kubernetes(node: &Node<'_>) -> Result<KubernetesSd> {
    let mut fields = node.fields()?;
    let role = fields.given("role").ok_or_else(|| node.error(Problem::NoRole))?;
    let mut config = KubernetesSd::new(self::role(&role)?);
    let KubernetesSd {
        api_server,
        kubeconfig_file,
        role: _,
        http_client: client,
        namespaces,
        selectors,
        attach_metadata,
    } = &mut config;
    fields.string("api_server", api_server)?;
    fields.string("kubeconfig_file", kubeconfig_file)?;
    fields.read("namespaces", namespaces, self::namespaces)?;
    fields.read("selectors", selectors, |node| node.list()?.iter().map(selector).collect())?;
    fields.read("attach_metadata", attach_metadata, self::attach_metadata)?;
    http_client::read(&mut fields, client)?;
    fields.finish()?;
    Ok(config)
}

fn role(node: &Node<'_>) -> Result<Role> {
    let name = node.string()?;
    if name.is_empty() {
        return Err(node.error(Problem::NoRole));
    }
    let role = Role::ALL.into_iter().find(|role| role.name() == name);
    role.ok_or_else(|| node.error(Problem::UnknownRole(name)))
}

fn namespaces(node: &Node<'_>) -> Result<Namespaces> {
    let mut fields = node.fields()?;
    let mut namespaces = Namespaces::default();
    let Namespaces { own_namespace, names } = &mut namespaces;
    fields.read("own_namespace", own_namespace, Node::boolean)?;
    fields.read("names", names, Node::strings)?;
    fields.finish()?;
    Ok(namespaces)
}

fn selector(node: &Node<'_>) -> Result<Selector> {
    let mut fields = node.fields()?;
    let role = fields.given("role").ok_or_else(|| node.error(Problem::NoRole))?;
    let mut selector = Selector { role: self::role(&role)?, label: String::new(), field: String::new() };
    fields.string("label", &mut selector.label)?;
    fields.string("field", &mut selector.field)?;
    fields.finish()?;
    Ok(selector)
}

fn attach_metadata(node: &Node<'_>) -> Result<AttachMetadata> {
    let mut fields = node.fields()?;
    let mut attach = AttachMetadata::default();
    let AttachMetadata { node, namespace, deployment, job, cronjob } = &mut attach;
    fields.read("node", node, Node::boolean)?;
    fields.read("namespace", namespace, Node::boolean)?;
    fields.read("deployment", deployment, Node::boolean)?;
    fields.read("job", job, Node::boolean)?;
    fields.read("cronjob", cronjob, Node::boolean)?;
    fields.finish()?;
    Ok(attach)
}

/// A target group of a list; Prometheus refuses null there.
pub fn target_group(node: &Node<'_>) -> Result<StaticSd> {
    if node.is_null() {
        return Err(node.error(Problem::WrongType { wanted: "a map" }));
    }
    static_targets(node)
}

fn static_targets(node: &Node<'_>) -> Result<StaticSd> {
    let mut fields = node.fields()?;
    let mut group = StaticSd::default();
    let StaticSd { targets, labels } = &mut group;
    fields.read("targets", targets, Node::strings)?;
    fields.read("labels", labels, Node::string_map)?;
    fields.finish()?;
    if labels.contains_key("") {
        return Err(node.error(Problem::EmptyLabelName));
    }
    Ok(group)
}

fn http(node: &Node<'_>) -> Result<HttpSd> {
    let mut fields = node.fields()?;
    let mut config = HttpSd::new("");
    let HttpSd { http_client: client, refresh_interval, url } = &mut config;
    fields.read("refresh_interval", refresh_interval, Node::duration)?;
    fields.string("url", url)?;
    http_client::read(&mut fields, client)?;
    fields.finish()?;
    Ok(config)
}

fn dns(node: &Node<'_>) -> Result<DnsSd> {
    let mut fields = node.fields()?;
    let mut config = DnsSd::default();
    let DnsSd { names, refresh_interval, r#type, port } = &mut config;
    fields.read("names", names, Node::strings)?;
    fields.read("refresh_interval", refresh_interval, Node::duration)?;
    fields.string("type", r#type)?;
    fields.read("port", port, Node::signed)?;
    fields.finish()?;
    Ok(config)
}

fn ec2(node: &Node<'_>) -> Result<Ec2Sd> {
    let mut fields = node.fields()?;
    let mut config = Ec2Sd::default();
    let Ec2Sd {
        endpoint,
        region,
        access_key,
        secret_key,
        profile,
        role_arn,
        external_id,
        refresh_interval,
        port,
        filters,
        http_client: client,
    } = &mut config;
    fields.string("endpoint", endpoint)?;
    fields.string("region", region)?;
    fields.string("access_key", access_key)?;
    fields.secret("secret_key", secret_key)?;
    fields.string("profile", profile)?;
    fields.string("role_arn", role_arn)?;
    fields.string("external_id", external_id)?;
    fields.read("refresh_interval", refresh_interval, Node::duration)?;
    fields.read("port", port, Node::signed)?;
    *filters = each(&mut fields, "filters", ec2_filter)?;
    http_client::read(&mut fields, client)?;
    fields.finish()?;
    Ok(config)
}

fn ec2_filter(node: &Node<'_>) -> Result<Ec2Filter> {
    let mut fields = node.fields()?;
    let mut filter = Ec2Filter::default();
    fields.string("name", &mut filter.name)?;
    fields.read("values", &mut filter.values, Node::strings)?;
    fields.finish()?;
    Ok(filter)
}

fn file(node: &Node<'_>) -> Result<FileSd> {
    let mut fields = node.fields()?;
    let mut config = FileSd::default();
    let FileSd { files, refresh_interval } = &mut config;
    fields.read("files", files, Node::strings)?;
    fields.read("refresh_interval", refresh_interval, Node::duration)?;
    fields.finish()?;
    Ok(config)
}
