//! Targets of Kubernetes objects and of static configs, as Prometheus finds them.
//!
//! Input: an SD config and the prepared objects of a cluster. Output: target groups
//! with the `__meta_` labels that are wanted, borrowed from the objects. Everything is
//! as `discovery/kubernetes` of Prometheus 3.14 makes it; nothing is relabelled here.

mod endpoint_slice;
mod endpoints;
pub mod external;
mod index;
mod ingress;
mod names;
mod node;
mod pod;
mod query;
mod service;
mod static_targets;
#[cfg(test)]
mod tests;
mod view;

pub use index::Index;
pub use query::{Query, QueryError};
pub use static_targets::static_groups;
pub use view::Wanted;

use crate::labels::LabelSet;
use crate::objects::{EndpointSlice, Endpoints, Ingress, Node, Object, Pod, Service};
use crate::scrape_config::service_discovery::{KubernetesSd, Role};
use index::Prepared;
use view::View;

/// Targets that share labels: those of one object, or of one static config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup<'a> {
    /// Names the object, as Prometheus does: `endpointslice/namespace/name`.
    pub source: String,
    /// Labels of all targets.
    pub labels: LabelSet<'a>,
    /// Labels of each target, `__address__` among them.
    pub targets: Vec<LabelSet<'a>>,
}

impl<'a> TargetGroup<'a> {
    /// All labels of each target; its own count before those of the group.
    pub fn label_sets(&self) -> impl Iterator<Item = LabelSet<'a>> {
        self.targets.iter().map(|target| self.labels.merged(target))
    }
}

/// A group whose targets are not made yet: rules that read only what all targets
/// share can decide on the group as a whole.
#[derive(Debug, Clone)]
pub struct Group<'a, 'q> {
    view: View<'a, 'q>,
    object: GroupObject<'a>,
    labels: LabelSet<'a>,
}

#[derive(Debug, Clone, Copy)]
enum GroupObject<'a> {
    Endpoints(&'a Prepared<Endpoints>),
    EndpointSlice(&'a Prepared<EndpointSlice>),
    Ingress(&'a Prepared<Ingress>),
    Node(&'a Prepared<Node>),
    Pod(&'a Prepared<Pod>),
    Service(&'a Prepared<Service>),
}

impl<'a> Group<'a, '_> {
    /// Labels of all targets.
    #[must_use]
    pub const fn labels(&self) -> &LabelSet<'a> {
        &self.labels
    }

    /// Names the object, as Prometheus does.
    #[must_use]
    pub fn source(&self) -> String {
        let (prefix, metadata) = match self.object {
            GroupObject::Endpoints(object) => ("endpoints", object.metadata()),
            GroupObject::EndpointSlice(object) => ("endpointslice", object.metadata()),
            GroupObject::Ingress(object) => ("ingress", object.metadata()),
            GroupObject::Node(object) => return format!("node/{}", object.metadata().name),
            GroupObject::Pod(object) => ("pod", object.metadata()),
            GroupObject::Service(object) => ("svc", object.metadata()),
        };
        format!("{prefix}/{}/{}", metadata.namespace, metadata.name)
    }

    /// Makes the targets.
    #[must_use]
    pub fn targets(&self) -> Vec<LabelSet<'a>> {
        match self.object {
            GroupObject::Endpoints(object) => endpoints::targets(self.view, object),
            GroupObject::EndpointSlice(object) => endpoint_slice::targets(self.view, object),
            GroupObject::Ingress(object) => ingress::targets(self.view, object),
            GroupObject::Node(object) => node::targets(self.view, object),
            GroupObject::Pod(object) => pod::targets(self.view, object),
            GroupObject::Service(object) => service::targets(self.view, object),
        }
    }

    /// Makes the targets and keeps them with their group.
    #[must_use]
    pub fn target_group(self) -> TargetGroup<'a> {
        TargetGroup { source: self.source(), targets: self.targets(), labels: self.labels }
    }
}

impl Query {
    /// Whether a label is the same in all targets of a group. A rule that reads only
    /// such labels decides on the whole group by [`Group::labels`], before any target is made.
    #[must_use]
    pub fn is_shared(&self, name: &str) -> bool {
        names::is_shared(self.role, name)
    }

    /// The groups that the query asks for, ordered by namespace and name of their objects.
    pub fn groups<'a, 'q>(
        &'q self,
        index: &'a Index,
        wanted: &'q Wanted,
    ) -> Box<dyn Iterator<Item = Group<'a, 'q>> + 'q>
    where
        'a: 'q,
    {
        let view = View { index, query: self, wanted };
        let group = move |labels: Option<LabelSet<'a>>, object| Some(Group { view, object, labels: labels? });
        match self.role {
            Role::Endpoints => Box::new(
                view.walk(&index.endpoints)
                    .filter_map(move |object| group(endpoints::group(view, object), GroupObject::Endpoints(object))),
            ),
            Role::EndpointSlice => Box::new(view.walk(&index.endpoint_slices).filter_map(move |object| {
                group(endpoint_slice::group(view, object), GroupObject::EndpointSlice(object))
            })),
            Role::Ingress => Box::new(
                view.walk(&index.ingresses)
                    .filter_map(move |object| group(ingress::group(view, object), GroupObject::Ingress(object))),
            ),
            // Nodes are in no namespace: those of the query do not matter.
            Role::Node => Box::new(
                index
                    .nodes
                    .iter()
                    .filter_map(move |object| group(node::group(view, object), GroupObject::Node(object))),
            ),
            Role::Pod => Box::new(
                view.walk(&index.pods)
                    .filter_map(move |object| group(pod::group(view, object), GroupObject::Pod(object))),
            ),
            Role::Service => Box::new(
                view.walk(&index.services)
                    .filter_map(move |object| group(service::group(view, object), GroupObject::Service(object))),
            ),
        }
    }
}

/// All target groups of an SD config.
///
/// # Errors
/// As [`Query::new`].
pub fn discover<'a>(
    config: &KubernetesSd,
    own_namespace: Option<&str>,
    index: &'a Index,
    wanted: &Wanted,
) -> Result<Vec<TargetGroup<'a>>, QueryError> {
    let query = Query::new(config, own_namespace)?;
    Ok(query.groups(index, wanted).map(Group::target_group).collect())
}
