//! The ingress role: one target for each path of an ingress.
//!
//! Follows `discovery/kubernetes/ingress.go` of Prometheus.

use super::bounded::{PartTarget, TooMany};
use super::index::Prepared;
use super::label_table::MetaLabel;
use super::passed_over::PassedOver;
use super::role::RoleObject;
use super::view::View;
use crate::labels::LabelSet;
use crate::objects::Ingress;

impl RoleObject for Ingress {
    fn labels<'a>(view: View<'a, '_>, ingress: &'a Prepared<Ingress>) -> Result<LabelSet<'a>, PassedOver> {
        let Ingress { metadata, spec } = ingress.object.as_ref();
        if !view.query.selections.ingresses.selects(ingress.object.as_ref()) {
            return Err(PassedOver::NotChosen);
        }
        let mut labels = view.labels();
        labels.push_annotations(ingress);
        labels.push_some(MetaLabel::IngressClassName, spec.ingress_class_name.as_deref());
        labels.push_labels(ingress);
        labels.push(MetaLabel::IngressName, metadata.name.as_str());
        labels.push_namespace(view, &metadata.namespace);
        Ok(labels.finish())
    }

    fn targets<'a>(
        view: View<'a, '_>,
        ingress: &'a Prepared<Ingress>,
        _: &[usize],
    ) -> Result<Vec<PartTarget<'a>>, TooMany> {
        let spec = &ingress.object.spec;
        let mut targets = Vec::new();
        for rule in &spec.rules {
            let host = rule.host.as_str();
            let secure = spec.tls.iter().flat_map(|tls| &tls.hosts).any(|pattern| matches_host(pattern, host));
            let mut push = |path: &'a str| {
                let mut labels = view.labels().with_address(host);
                labels.push(MetaLabel::IngressHost, host);
                labels.push(MetaLabel::IngressPath, if path.is_empty() { "/" } else { path });
                labels.push(MetaLabel::IngressScheme, if secure { "https" } else { "http" });
                targets.push(labels.finish());
            };
            match &rule.http {
                None => push("/"),
                Some(http) => http.paths.iter().for_each(|path| push(&path.path)),
            }
        }
        Ok(PartTarget::of_one_part(targets))
    }
}

/// Whether a certificate covers the host. The first part of the pattern can be `*`.
fn matches_host(pattern: &str, host: &str) -> bool {
    if pattern == host {
        return true;
    }
    // Only the pattern `*` matches a host without a dot.
    match (pattern.strip_prefix('*'), host.find('.')) {
        (Some(""), None) => true,
        (Some(rest), Some(dot)) => rest == &host[dot..],
        _ => false,
    }
}
