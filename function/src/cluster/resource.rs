//! Where a kind is listed: in the whole cluster or in one namespace.
//!
//! Input: a kind and a namespace. Output: paths, the expected objects, and errors that say which right is missing.

use std::sync::Arc;

use http::StatusCode;
use target_allocator_core::objects::Object;
use target_allocator_core::report::ObjectRef;

use super::parts::{Expected, TypeMeta};
use super::request::{Verb, refused, segment};
use super::{ClusterError, Kind};

/// The objects of one list: those of a kind, in the whole cluster or in one namespace.
///
/// Each list has its own versions and watches, so what is known of the objects is known per list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The kind.
    pub kind: Kind,
    /// The namespace; `None` for the whole cluster.
    pub namespace: Option<Arc<str>>,
}

impl From<Kind> for Part {
    fn from(kind: Kind) -> Self {
        Self { kind, namespace: None }
    }
}

/// Where a part is listed, and whether its kind may be missing from the server.
pub struct Resource {
    group: &'static str,
    /// Such as `pods`.
    pub name: &'static str,
    /// Custom resources are optional: their definitions may be installed later.
    pub optional: bool,
    /// The namespace; `None` for the whole cluster.
    pub namespace: Option<Arc<str>>,
}

impl Resource {
    /// Where `part` is listed.
    pub fn of(part: &Part) -> Self {
        let (group, name, optional) = match part.kind {
            Kind::Namespace => ("/api/v1", "namespaces", false),
            Kind::Node => ("/api/v1", "nodes", false),
            Kind::Pod => ("/api/v1", "pods", false),
            Kind::Service => ("/api/v1", "services", false),
            Kind::Endpoints => ("/api/v1", "endpoints", false),
            Kind::EndpointSlice => ("/apis/discovery.k8s.io/v1", "endpointslices", false),
            Kind::Ingress => ("/apis/networking.k8s.io/v1", "ingresses", false),
            Kind::ReplicaSet => ("/apis/apps/v1", "replicasets", false),
            Kind::Job => ("/apis/batch/v1", "jobs", false),
            Kind::ServiceMonitor => ("/apis/monitoring.coreos.com/v1", "servicemonitors", true),
            Kind::PodMonitor => ("/apis/monitoring.coreos.com/v1", "podmonitors", true),
            Kind::Probe => ("/apis/monitoring.coreos.com/v1", "probes", true),
            Kind::ScrapeConfig => ("/apis/monitoring.coreos.com/v1alpha1", "scrapeconfigs", true),
        };
        Self { group, name, optional, namespace: part.namespace.clone() }
    }

    /// The path of the list.
    pub fn path(&self) -> String {
        let Self { group, name, .. } = self;
        match &self.namespace {
            None => format!("{group}/{name}"),
            Some(namespace) => format!("{group}/namespaces/{}/{name}", segment(namespace)),
        }
    }

    /// Such as `apps/v1`.
    pub fn api_version(&self) -> &'static str {
        self.group.trim_start_matches("/apis/").trim_start_matches("/api/")
    }

    /// What each object of the list must be.
    pub fn expected<T: Object>(&self) -> Expected {
        let type_meta = TypeMeta { api_version: self.api_version().to_owned(), kind: T::KIND.to_owned() };
        Expected { type_meta, namespace: self.namespace.clone() }
    }

    /// The error for a list or watch that the API server refuses.
    pub fn refused(&self, verb: Verb, status: StatusCode, message: String) -> ClusterError {
        match &self.namespace {
            Some(namespace) if status == StatusCode::FORBIDDEN => refused_in(namespace, verb, self.name, message),
            _ => refused(verb, self.name, status, message),
        }
    }

    /// The role that must grant a right on the resource, and the example of this role.
    pub fn role(&self) -> (ObjectRef, &'static str) {
        match &self.namespace {
            Some(namespace) => (ObjectRef::new("Role", &**namespace, self.name), "examples/rbac-namespaced.yaml"),
            None => (ObjectRef::new("ClusterRole", "", self.name), "examples/rbac.yaml"),
        }
    }
}

/// The error for a 403 in a namespace.
pub fn refused_in(namespace: &str, verb: Verb, resource: &'static str, message: String) -> ClusterError {
    ClusterError::RefusedIn { verb: verb.name(), resource, namespace: namespace.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use target_allocator_core::objects::EndpointSlice;

    use super::*;

    #[test]
    fn a_part_is_listed_in_the_cluster_or_in_its_namespace() {
        let cases = [
            (Kind::Pod, None, "/api/v1/pods"),
            (Kind::Pod, Some("shop"), "/api/v1/namespaces/shop/pods"),
            (Kind::Probe, Some("a/b"), "/apis/monitoring.coreos.com/v1/namespaces/a%2Fb/probes"),
        ];
        for (kind, namespace, path) in cases {
            let resource = Resource::of(&Part { kind, namespace: namespace.map(Arc::from) });
            assert_eq!(resource.path(), path);
        }
    }

    #[test]
    fn a_refusal_names_the_right_that_is_missing() {
        let refusal = |namespace: Option<&str>, status| {
            let part = Part { kind: Kind::EndpointSlice, namespace: namespace.map(Arc::from) };
            let resource = Resource::of(&part);
            assert_eq!(resource.expected::<EndpointSlice>().type_meta.api_version, "discovery.k8s.io/v1");
            resource.refused(Verb::List, status, "no".to_owned()).to_string()
        };
        let cases = [
            (None, StatusCode::FORBIDDEN, "ClusterRole target-allocator"),
            (Some("shop"), StatusCode::FORBIDDEN, "in the namespace shop: 403 Forbidden: no, grant the verb by a Role"),
            (Some("shop"), StatusCode::UNAUTHORIZED, "credentials are not accepted"),
        ];
        for (namespace, status, expected) in cases {
            let refusal = refusal(namespace, status);
            assert!(refusal.contains(expected), "{refusal}");
        }
    }
}
