//! `kubernetesSDConfigs` of a `ScrapeConfig`.

use super::client::sd_client;
use crate::monitors::assets::Assets;
use crate::monitors::finding::{Finding, Within};
use crate::objects::monitoring::scrape_config::{KubernetesRole, KubernetesSdConfig};
use crate::scrape_config::discovery::{AttachMetadata, KubernetesSd, Namespaces, Role, Selector as RoleSelector};
use crate::selector::{FieldSelector, Selector};

pub(super) fn sd_config(
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
        kubernetes.api_server = server.as_str().into();
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
    // As in the operator, other roles ignore the field.
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

/// The roles for which a config may have selectors. For pods, the operator accepts fewer than Prometheus.
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
