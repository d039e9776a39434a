//! Targets of Kubernetes objects and of static configs, as Prometheus finds them.
//!
//! Input: an SD config and the prepared objects of a cluster. Output: target groups
//! with the `__meta_` labels that are wanted, borrowed from the objects. Everything is
//! as `discovery/kubernetes` of Prometheus 3.14 makes it; nothing is relabelled here.

pub mod bounded;
mod changes;
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
pub(crate) mod tests;
mod view;

pub use bounded::{MOST_TARGETS, TooMany};
pub use changes::{Changes, Touched};
pub use index::Index;
pub use passed_over::{PassedOver, Scope};
pub use query::{Query, QueryError};
pub use static_targets::static_groups;
pub use view::Wanted;

use crate::labels::{ADDRESS, LabelSet, META_PREFIX};
use crate::objects::{Collection, EndpointSlice, Endpoints, Ingress, Metadata, Node, Object, ObjectKey, Pod, Service};
use crate::scrape_config::discovery::{KubernetesSd, Role};
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
            Self::Endpoints(object) => &object.object.metadata,
            Self::EndpointSlice(object) => &object.object.metadata,
            Self::Ingress(object) => &object.object.metadata,
            Self::Node(object) => &object.object.metadata,
            Self::Pod(object) => &object.object.metadata,
            Self::Service(object) => &object.object.metadata,
        }
    }
}

impl<'a> Group<'a, '_> {
    /// Labels of all targets.
    #[must_use]
    pub const fn labels(&self) -> &LabelSet<'a> {
        &self.labels
    }

    /// Namespace and name of the object; groups of a query are in their order.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        let Metadata { namespace, name, .. } = self.object.metadata();
        ObjectKey { namespace: namespace.as_str().into(), name: name.as_str().into() }
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

    /// Labels that the targets of each part share, beyond those of the group. A part is a port of an
    /// endpoint slice; other objects are of one part.
    #[must_use]
    pub fn parts(&self) -> Vec<LabelSet<'a>> {
        match self.object {
            GroupObject::EndpointSlice(object) => endpoint_slice::parts(self.view, object),
            _ => vec![LabelSet::new()],
        }
    }

    /// Makes the targets of the parts that are to be kept, in the order of discovery. Each comes
    /// with its part, and with the labels that neither the part nor the group has.
    ///
    /// # Errors
    /// If there are too many of them.
    pub fn targets_of_parts(&self, keep: impl Fn(usize) -> bool) -> Result<Vec<(usize, LabelSet<'a>)>, TooMany> {
        Ok(whole_group(match self.object {
            GroupObject::EndpointSlice(object) => return endpoint_slice::targets(self.view, object, keep),
            _ if !keep(0) => Vec::new(),
            GroupObject::Endpoints(object) => return endpoints::targets(self.view, object),
            GroupObject::Ingress(object) => ingress::targets(self.view, object),
            GroupObject::Node(object) => node::targets(self.view, object),
            GroupObject::Pod(object) => pod::targets(self.view, object),
            GroupObject::Service(object) => service::targets(self.view, object),
        }))
    }

    /// Makes the targets, with all labels that are not the group's.
    ///
    /// # Errors
    /// If there are too many of them.
    pub fn targets(&self) -> Result<Vec<LabelSet<'a>>, TooMany> {
        let parts = self.parts();
        let targets = self.targets_of_parts(|_| true)?.into_iter();
        Ok(targets.map(|(part, own)| if parts[part].is_empty() { own } else { parts[part].merged(&own) }).collect())
    }

    /// Makes the targets and keeps them with their group.
    ///
    /// # Errors
    /// If there are too many of them.
    pub fn target_group(self) -> Result<TargetGroup<'a>, TooMany> {
        Ok(TargetGroup { source: self.source(), targets: self.targets()?, labels: self.labels })
    }
}

impl Query {
    /// Whether a label is the same in all targets of a group. A rule that reads only
    /// such labels decides on the whole group by [`Group::labels`], before any target is made.
    #[must_use]
    pub fn is_shared(&self, name: &str) -> bool {
        names::is_shared(self.role, name)
    }

    /// Whether a label of a job's target is the same in all targets of a part, or in none of them.
    /// Of what discovery makes the address and the `instance` of a node differ, too.
    #[must_use]
    pub fn is_shared_in_parts(&self, name: &str) -> bool {
        let is_own =
            name == ADDRESS || name.starts_with(META_PREFIX) || (self.role == Role::Node && name == "instance");
        !is_own || self.is_shared(name) || names::is_shared_in_parts(self.role, name)
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
        Scope { role, namespaces: self.groups_namespaces() }
    }

    /// The objects of the query that `pick` approves of, with their groups; those that are
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
        let objects: Box<dyn Iterator<Item = GroupObject<'a>> + 'q> = match self.role {
            Role::Endpoints => Box::new(view.walk(&index.endpoints).map(GroupObject::Endpoints)),
            Role::EndpointSlice => Box::new(view.walk(&index.endpoint_slices).map(GroupObject::EndpointSlice)),
            Role::Ingress => Box::new(view.walk(&index.ingresses).map(GroupObject::Ingress)),
            Role::Node => Box::new(view.walk(&index.nodes).map(GroupObject::Node)),
            Role::Pod => Box::new(view.walk(&index.pods).map(GroupObject::Pod)),
            Role::Service => Box::new(view.walk(&index.services).map(GroupObject::Service)),
        };
        let picked = objects.filter(move |object| pick(object.metadata()));
        picked.map(move |object| (object.metadata(), view.try_group(object)))
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
        match self.role {
            Role::Endpoints => view.groups(&index.endpoints, GroupObject::Endpoints),
            Role::EndpointSlice => view.groups(&index.endpoint_slices, GroupObject::EndpointSlice),
            Role::Ingress => view.groups(&index.ingresses, GroupObject::Ingress),
            Role::Node => view.groups(&index.nodes, GroupObject::Node),
            Role::Pod => view.groups(&index.pods, GroupObject::Pod),
            Role::Service => view.groups(&index.services, GroupObject::Service),
        }
    }

    /// The group of one object, if there is one and the query asks for it.
    #[must_use]
    pub fn group<'a, 'q>(
        &'q self,
        index: &'a Index,
        wanted: &'q Wanted,
        namespace: &str,
        name: &str,
    ) -> Option<Group<'a, 'q>> {
        let view = View { index, query: self, wanted };
        if !view.sees(namespace) {
            return None;
        }
        view.group(match self.role {
            Role::Endpoints => GroupObject::Endpoints(index.endpoints.get(namespace, name)?),
            Role::EndpointSlice => GroupObject::EndpointSlice(index.endpoint_slices.get(namespace, name)?),
            Role::Ingress => GroupObject::Ingress(index.ingresses.get(namespace, name)?),
            Role::Node => GroupObject::Node(index.nodes.get(namespace, name)?),
            Role::Pod => GroupObject::Pod(index.pods.get(namespace, name)?),
            Role::Service => GroupObject::Service(index.services.get(namespace, name)?),
        })
    }
}

impl<'a, 'q> View<'a, 'q> {
    fn groups<T: Object + 'q>(
        self,
        objects: &'a Collection<Prepared<T>>,
        object: impl Fn(&'a Prepared<T>) -> GroupObject<'a> + 'q,
    ) -> Box<dyn Iterator<Item = Group<'a, 'q>> + 'q>
    where
        'a: 'q,
    {
        Box::new(self.walk(objects).filter_map(move |prepared| self.group(object(prepared))))
    }

    fn group(self, object: GroupObject<'a>) -> Option<Group<'a, 'q>> {
        self.try_group(object).ok()
    }

    fn try_group(self, object: GroupObject<'a>) -> Result<Group<'a, 'q>, PassedOver> {
        let labels = match object {
            GroupObject::Endpoints(object) => endpoints::group(self, object),
            GroupObject::EndpointSlice(object) => endpoint_slice::group(self, object),
            GroupObject::Ingress(object) => ingress::group(self, object),
            GroupObject::Node(object) => node::group(self, object),
            GroupObject::Pod(object) => pod::group(self, object),
            GroupObject::Service(object) => service::group(self, object),
        };
        Ok(Group { view: self, object, labels: labels? })
    }
}

/// Targets of an object that is of one part.
fn whole_group(targets: Vec<LabelSet<'_>>) -> Vec<(usize, LabelSet<'_>)> {
    targets.into_iter().map(|target| (0, target)).collect()
}

/// All target groups of an SD config, but those that are too large.
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
    Ok(query.groups(index, wanted).filter_map(|group| group.target_group().ok()).collect())
}
