//! The ingress role: one target a path of an ingress.
//!
//! Follows `discovery/kubernetes/ingress.go` of Prometheus.

use super::index::Prepared;
use super::names::Fixed;
use super::passed_over::PassedOver;
use super::view::View;
use crate::labels::LabelSet;
use crate::objects::Ingress;

/// The labels of all targets of an ingress.
pub(super) fn group<'a>(view: View<'a, '_>, ingress: &'a Prepared<Ingress>) -> Result<LabelSet<'a>, PassedOver> {
    let Ingress { metadata, spec } = ingress.object.as_ref();
    if !view.query.ingresses.chooses(ingress.object.as_ref()) {
        return Err(PassedOver::NotChosen);
    }
    let mut labels = view.labels();
    labels.push_annotations(ingress);
    labels.push_some(Fixed::IngressClassName, spec.ingress_class_name.as_deref());
    labels.push_labels(ingress);
    labels.push(Fixed::IngressName, metadata.name.as_str());
    labels.push(Fixed::Namespace, metadata.namespace.as_str());
    if let Some(namespace) = view.attached_namespace(&metadata.namespace) {
        labels.push_annotations(namespace);
        labels.push_labels(namespace);
    }
    Ok(labels.finish())
}

/// The targets of an ingress.
pub(super) fn targets<'a>(view: View<'a, '_>, ingress: &'a Prepared<Ingress>) -> Vec<LabelSet<'a>> {
    let spec = &ingress.object.spec;
    let mut targets = Vec::new();
    for rule in &spec.rules {
        let host = rule.host.as_str();
        let secure = spec.tls.iter().flat_map(|tls| &tls.hosts).any(|pattern| matches_host(pattern, host));
        let mut push = |path: &'a str| {
            let mut labels = view.labels().with_address(host);
            labels.push(Fixed::IngressHost, host);
            labels.push(Fixed::IngressPath, if path.is_empty() { "/" } else { path });
            labels.push(Fixed::IngressScheme, if secure { "https" } else { "http" });
            targets.push(labels.finish());
        };
        match &rule.http {
            None => push("/"),
            Some(http) => http.paths.iter().for_each(|path| push(&path.path)),
        }
    }
    targets
}

/// Whether a host is the one of a certificate, whose first part can be `*`.
fn matches_host(pattern: &str, host: &str) -> bool {
    if pattern == host {
        return true;
    }
    // A host without a dot has nothing for what follows the `*`, unless nothing does.
    match (pattern.strip_prefix('*'), host.find('.')) {
        (Some(""), None) => true,
        (Some(rest), Some(dot)) => rest == &host[dot..],
        _ => false,
    }
}
