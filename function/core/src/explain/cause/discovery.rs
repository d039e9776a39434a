//! Why service discovery gives no target for the selected objects.

use std::collections::BTreeSet;

use super::super::job::JobTracer;
use super::{Key, SubjectKind, Subjects, are_selected};
use crate::discovery::PassedOver;
use crate::objects::{EndpointSlice, Service};
use crate::scrape_config::discovery::Role;

/// Why none of the selected objects has an address.
pub(super) fn why_no_addresses(tracer: &JobTracer<'_>, subjects: &Subjects) -> String {
    let Some((namespace, name)) = subjects.keys.first() else { return why_nothing_is_found(tracer) };
    let cluster = tracer.world().cluster;
    let why = match subjects.kind {
        SubjectKind::Service => cluster.services.get(namespace, name).map(|service| of_service(tracer, service)),
        SubjectKind::Pod => cluster.pods.get(namespace, name).map(|pod| match pod.status.phase.as_str() {
            "" => "it has no address yet".to_owned(),
            phase => format!("it has no address yet: its phase is {phase}"),
        }),
        SubjectKind::Ingress => Some("its rules have no host".to_owned()),
    };
    let one: BTreeSet<Key> = BTreeSet::from([(namespace.clone(), name.clone())]);
    let selected = are_selected(subjects.kind, if subjects.keys.len() > 1 { &subjects.keys } else { &one });
    format!("{selected}; {}", why.unwrap_or_else(|| "it gave no target".to_owned()))
}

fn of_service(tracer: &JobTracer<'_>, service: &Service) -> String {
    let metadata = &service.metadata;
    if service.spec.r#type == "ExternalName" {
        return "it is of the type ExternalName, which has no endpoints: use a Probe or a ScrapeConfig".to_owned();
    }
    if tracer.planned().queries.iter().any(|query| query.role() == Role::Endpoints) {
        return "its Endpoints object has no address, or does not exist".to_owned();
    }
    let slices = tracer.world().cluster.endpoint_slices.in_namespace(&metadata.namespace);
    let slices: Vec<&EndpointSlice> =
        slices.map(AsRef::as_ref).filter(|slice| slice.service_name() == Some(metadata.name.as_str())).collect();
    if slices.is_empty() {
        return "it has no EndpointSlice: check its spec.selector".to_owned();
    }
    let is_slice = |name: &str| slices.iter().any(|slice| slice.metadata.name == name);
    let passed_over =
        tracer.passed_over(|candidate| candidate.namespace == metadata.namespace && is_slice(&candidate.name));
    let second = passed_over.iter().find(|(_, reason)| *reason == PassedOver::SecondFamily);
    if let Some((slice, _)) = second {
        let family = slices.iter().find(|other| other.metadata.name == slice.name).map(|slice| &slice.address_type);
        let first = service.spec.ip_families.first();
        return format!(
            "its EndpointSlice {} is of the family {}, and Prometheus takes only the first of spec.ipFamilies: {}",
            slice.name,
            family.map(ToString::to_string).unwrap_or_default(),
            first.map(ToString::to_string).unwrap_or_default()
        );
    }
    if slices.iter().all(|slice| slice.endpoints.is_empty()) {
        return "it has no endpoints: no pod matches its spec.selector".to_owned();
    }
    if slices.iter().all(|slice| slice.ports.is_empty()) {
        return "its EndpointSlices have no ports: no container has the targetPort of its ports".to_owned();
    }
    match passed_over.first() {
        Some((slice, reason)) => format!("EndpointSlice {}: {reason}", slice.name),
        None => "it gave no target".to_owned(),
    }
}

/// Why a job without a label selector discovers nothing.
pub(super) fn why_nothing_is_found(tracer: &JobTracer<'_>) -> String {
    let planned = tracer.planned();
    let places = planned.queries.iter().map(|query| query.scope().to_string());
    let sources = planned.sources.iter().map(|source| source.request.to_string());
    let places: Vec<_> = places.chain(sources).collect();
    let first = tracer.passed_over(|_| true).into_iter().next();
    let why = first.map(|(object, reason)| format!("; for example {}/{}: {reason}", object.namespace, object.name));
    if places.is_empty() {
        return "it has no service discovery with targets".to_owned();
    }
    format!("service discovery finds no target in {}{}", places.join(" or "), why.unwrap_or_default())
}
