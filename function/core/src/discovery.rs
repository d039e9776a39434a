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
mod passed_over;
mod pod;
mod query;
mod service;
mod static_targets;
#[cfg(test)]
mod tests;
mod view;

pub use index::Index;
pub use passed_over::{PassedOver, Scope};
pub use query::{Query, QueryError};
pub use static_targets::static_groups;
pub use view::Wanted;

use crate::labels::LabelSet;
use crate::objects::{EndpointSlice, Endpoints, Ingress, Metadata, Node, Object, Pod, Service};
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

impl<'a> GroupObject<'a> {
    fn metadata(self) -> &'a Metadata {
        match self {
            Self::Endpoints(object) => object.metadata(),
            Self::EndpointSlice(object) => object.metadata(),
            Self::Ingress(object) => object.metadata(),
            Self::Node(object) => object.metadata(),
            Self::Pod(object) => object.metadata(),
            Self::Service(object) => object.metadata(),
        }
    }

    fn group<'q>(self, view: View<'a, 'q>) -> Result<Group<'a, 'q>, PassedOver> {
        let labels = match self {
            Self::Endpoints(object) => endpoints::group(view, object),
            Self::EndpointSlice(object) => endpoint_slice::group(view, object),
            Self::Ingress(object) => ingress::group(view, object),
            Self::Node(object) => node::group(view, object),
            Self::Pod(object) => pod::group(view, object),
            Self::Service(object) => service::group(view, object),
        }?;
        Ok(Group { view, object: self, labels })
    }
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
        let Metadata { namespace, name, .. } = self.object.metadata();
        let prefix = match self.object {
            GroupObject::Endpoints(_) => "endpoints",
            GroupObject::EndpointSlice(_) => "endpointslice",
            GroupObject::Ingress(_) => "ingress",
            GroupObject::Node(_) => return format!("node/{name}"),
            GroupObject::Pod(_) => "pod",
            GroupObject::Service(_) => "svc",
        };
        format!("{prefix}/{namespace}/{name}")
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

    /// What the query looks at.
    #[must_use]
    pub fn scope(&self) -> Scope<'_> {
        let role = match self.role {
            Role::Endpoints => "endpoints",
            Role::EndpointSlice => "endpointslice",
            Role::Ingress => "ingress",
            Role::Node => "node",
            Role::Pod => "pod",
            Role::Service => "service",
        };
        let namespaces = self.namespaces.as_deref().filter(|_| self.role != Role::Node);
        Scope { role, namespaces }
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
        Box::new(self.objects(index).filter_map(move |object| object.group(view).ok()))
    }

    /// The same for the objects that `pick` approves of, each with its name; those that are
    /// passed over with the reason.
    pub fn looked_at<'a, 'q>(
        &'q self,
        index: &'a Index,
        wanted: &'q Wanted,
        mut pick: impl FnMut(&Metadata) -> bool + 'q,
    ) -> impl Iterator<Item = (&'a Metadata, Result<Group<'a, 'q>, PassedOver>)> + 'q
    where
        'a: 'q,
    {
        let view = View { index, query: self, wanted };
        let picked = self.objects(index).filter(move |object| pick(object.metadata()));
        picked.map(move |object| (object.metadata(), object.group(view)))
    }

    /// The objects of the kind and the namespaces that the query asks for.
    fn objects<'a, 'q>(&'q self, index: &'a Index) -> Box<dyn Iterator<Item = GroupObject<'a>> + 'q>
    where
        'a: 'q,
    {
        let wanted = &Wanted::ALL;
        let view = View { index, query: self, wanted };
        match self.role {
            Role::Endpoints => Box::new(view.walk(&index.endpoints).map(GroupObject::Endpoints)),
            Role::EndpointSlice => Box::new(view.walk(&index.endpoint_slices).map(GroupObject::EndpointSlice)),
            Role::Ingress => Box::new(view.walk(&index.ingresses).map(GroupObject::Ingress)),
            // Nodes are in no namespace: those of the query do not matter.
            Role::Node => Box::new(index.nodes.iter().map(|node| GroupObject::Node(node))),
            Role::Pod => Box::new(view.walk(&index.pods).map(GroupObject::Pod)),
            Role::Service => Box::new(view.walk(&index.services).map(GroupObject::Service)),
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
