//! The groups of a query: one for each object, with its labels, its parts and its targets.
//!
//! Input: a query and the index. Output: groups. A group is made before its targets, so that rules on labels of the
//! group can drop the group early.

use super::bounded::{PartTarget, TooMany};
use super::endpoint_slice;
use super::index::{Index, Prepared};
use super::passed_over::PassedOver;
use super::query::Query;
use super::role::RoleObject;
use super::role_table::for_each_role;
use super::view::{LabelFilter, View};
use crate::labels::LabelSet;
use crate::objects::{EndpointSlice, Endpoints, Ingress, Metadata, Node, Object, ObjectKey, Pod, Service};
use crate::scrape_config::discovery::Role;
use crate::selector::Selectable;

/// The targets of one object or of one static config. They share labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup<'a> {
    /// The name of the object as in Prometheus: `endpointslice/namespace/name`.
    pub source: String,
    /// The labels that all targets share.
    pub labels: LabelSet<'a>,
    /// The own labels of each target, including `__address__`.
    pub targets: Vec<LabelSet<'a>>,
}

impl<'a> TargetGroup<'a> {
    /// All labels of each target. A label of the target replaces a label of the group with the same name.
    pub fn label_sets(&self) -> impl Iterator<Item = LabelSet<'a>> {
        self.targets.iter().map(|target| self.labels.merged(target))
    }
}

/// A group before its targets are made.
#[derive(Debug, Clone)]
pub struct Group<'a, 'q> {
    view: View<'a, 'q>,
    object: GroupObject<'a>,
    labels: LabelSet<'a>,
}

/// An object of the role and the namespaces of a query.
#[derive(Debug, Clone)]
pub struct LookedAt<'a, 'q> {
    /// The metadata of the object.
    pub metadata: &'a Metadata,
    /// The group of the object, or the reason why it has none.
    pub group: Result<Group<'a, 'q>, PassedOver>,
}

macro_rules! group_objects {
    ($($role:ident: $source:literal, $objects:ident;)+) => {
        /// The object of a group.
        #[derive(Debug, Clone, Copy)]
        enum GroupObject<'a> {
            $($role(&'a Prepared<$role>),)+
        }

        impl<'a> GroupObject<'a> {
            /// The objects of the query's role, in the namespaces of the query.
            fn all<'q>(view: View<'a, 'q>) -> Box<dyn Iterator<Item = Self> + 'q>
            where
                'a: 'q,
            {
                match view.query.role() {
                    $(Role::$role => Box::new(view.walk(&view.index.$objects).map(Self::$role)),)+
                }
            }

            /// The object of the query's role with this name.
            fn find(view: View<'a, '_>, namespace: &str, name: &str) -> Option<Self> {
                Some(match view.query.role() {
                    $(Role::$role => Self::$role(view.index.$objects.get(namespace, name)?),)+
                })
            }

            fn metadata(self) -> &'a Metadata {
                match self {
                    $(Self::$role(object) => object.object.metadata(),)+
                }
            }

            /// The name of the object as in Prometheus.
            fn source(self) -> String {
                let Metadata { namespace, name, .. } = self.metadata();
                match self {
                    $(Self::$role(_) if $role::NAMESPACED => format!("{}/{namespace}/{name}", $source),
                    Self::$role(_) => format!("{}/{name}", $source),)+
                }
            }

            fn labels(self, view: View<'a, '_>) -> Result<LabelSet<'a>, PassedOver> {
                match self {
                    $(Self::$role(object) => $role::labels(view, object),)+
                }
            }

            fn parts(self, view: View<'a, '_>) -> Vec<LabelSet<'a>> {
                match self {
                    $(Self::$role(object) => $role::parts(view, object),)+
                }
            }

            fn targets(self, view: View<'a, '_>, parts: &[usize]) -> Result<Vec<PartTarget<'a>>, TooMany> {
                match self {
                    $(Self::$role(object) => $role::targets(view, object, parts),)+
                }
            }
        }
    };
}

for_each_role!(group_objects);

impl Query {
    /// The groups of the query, ordered by namespace and name of their objects.
    pub fn groups<'a, 'q>(
        &'q self,
        index: &'a Index,
        filter: &'q LabelFilter,
    ) -> Box<dyn Iterator<Item = Group<'a, 'q>> + 'q>
    where
        'a: 'q,
    {
        let view = View { index, query: self, filter };
        Box::new(GroupObject::all(view).filter_map(move |object| Group::new(view, object).ok()))
    }

    /// The group of one object. `None` if the query does not select the object.
    #[must_use]
    pub fn group<'a, 'q>(
        &'q self,
        index: &'a Index,
        filter: &'q LabelFilter,
        namespace: &str,
        name: &str,
    ) -> Option<Group<'a, 'q>> {
        let view = View { index, query: self, filter };
        if !view.sees(namespace) {
            return None;
        }
        Group::new(view, GroupObject::find(view, namespace, name)?).ok()
    }

    /// The objects of the query's role for which `pick` returns true. Each has its group, or the reason why it has
    /// none.
    pub fn looked_at<'a, 'q>(
        &'q self,
        index: &'a Index,
        filter: &'q LabelFilter,
        mut pick: impl FnMut(&Metadata) -> bool + 'q,
    ) -> impl Iterator<Item = LookedAt<'a, 'q>> + 'q
    where
        'a: 'q,
    {
        let view = View { index, query: self, filter };
        let picked = GroupObject::all(view).filter(move |object| pick(object.metadata()));
        picked.map(move |object| LookedAt { metadata: object.metadata(), group: Group::new(view, object) })
    }
}

impl<'a, 'q> Group<'a, 'q> {
    fn new(view: View<'a, 'q>, object: GroupObject<'a>) -> Result<Self, PassedOver> {
        Ok(Self { view, object, labels: object.labels(view)? })
    }

    /// The labels that all targets share.
    #[must_use]
    pub const fn labels(&self) -> &LabelSet<'a> {
        &self.labels
    }

    /// Whether the object is a slice of the second address family of a dual-stack service. Such a slice has no targets.
    #[must_use]
    pub fn is_second_family(&self) -> bool {
        matches!(self.object, GroupObject::EndpointSlice(slice) if endpoint_slice::is_second_family(self.view, slice))
    }

    /// Namespace and name of the object.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        let Metadata { namespace, name, .. } = self.object.metadata();
        ObjectKey { namespace: namespace.as_str().into(), name: name.as_str().into() }
    }

    /// The name of the object as in Prometheus.
    #[must_use]
    pub fn source(&self) -> String {
        self.object.source()
    }

    /// The labels that the targets of each part share, without the labels of the group. An endpoint slice has one part
    /// for each port. Other objects have one part.
    #[must_use]
    pub fn parts(&self) -> Vec<LabelSet<'a>> {
        self.object.parts(self.view)
    }

    /// Makes the targets of the parts at these positions, in the order of discovery.
    ///
    /// # Errors
    /// [`TooMany`] if the object has too many targets.
    pub fn targets_of_parts(&self, parts: &[usize]) -> Result<Vec<PartTarget<'a>>, TooMany> {
        if parts.is_empty() { Ok(Vec::new()) } else { self.object.targets(self.view, parts) }
    }

    /// Makes all targets. Each has all its labels except those of the group.
    ///
    /// # Errors
    /// [`TooMany`] if the object has too many targets.
    pub fn targets(&self) -> Result<Vec<LabelSet<'a>>, TooMany> {
        let parts = self.parts();
        let all: Vec<usize> = (0..parts.len()).collect();
        let whole = |PartTarget { part, labels }: PartTarget<'a>| match &parts[part] {
            shared if shared.is_empty() => labels,
            shared => shared.merged(&labels),
        };
        Ok(self.targets_of_parts(&all)?.into_iter().map(whole).collect())
    }

    /// Makes the targets and returns them with their group.
    ///
    /// # Errors
    /// [`TooMany`] if the object has too many targets.
    pub fn target_group(self) -> Result<TargetGroup<'a>, TooMany> {
        Ok(TargetGroup { source: self.source(), targets: self.targets()?, labels: self.labels })
    }
}
