//! A query: a parsed `kubernetes_sd_config`.
//!
//! Input: an SD config. Output: the role, the namespaces and the compiled selectors. Configs with the same meaning give
//! equal queries, even if their notation differs.

use std::collections::BTreeSet;
use std::fmt;

use super::label_table;
use super::passed_over::Scope;
use super::role_table::for_each_role;
use crate::labels::Level;
use crate::objects::{EndpointSlice, Endpoints, Ingress, Node, Pod, Service};
use crate::scrape_config::discovery::{AttachMetadata, KubernetesSd, Role};
use crate::selector::{FieldSelector, FieldSelectorError, Selectable, Selector, SelectorError};

/// Selects the objects that become targets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Query {
    pub(super) role: Role,
    /// The sorted namespaces, without duplicates. `None` for all namespaces.
    pub(super) namespaces: Option<Vec<String>>,
    pub(super) attach: AttachMetadata,
    pub(super) selections: Selections,
}

/// The label and field selectors for the objects of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Selection {
    labels: Selector,
    fields: FieldSelector,
}

macro_rules! selections {
    ($($role:ident: $source:literal, $objects:ident;)+) => {
        /// The selections for the objects of all roles.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
        pub(super) struct Selections {
            $(pub(super) $objects: Selection,)+
        }

        impl Selections {
            const fn of(&self, role: Role) -> &Selection {
                match role {
                    $(Role::$role => &self.$objects,)+
                }
            }

            /// Sets the selection for a role. Fails if an API server would refuse the field selector.
            fn set(&mut self, role: Role, selection: Selection) -> Result<(), FieldSelectorError> {
                match role {
                    $(Role::$role => {
                        selection.fields.check::<$role>()?;
                        self.$objects = selection;
                    })+
                }
                Ok(())
            }
        }
    };
}

for_each_role!(selections);

/// The reason why targets cannot be discovered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The config names another cluster.
    #[error("api_server: only the function's own cluster is looked into, leave it out: {0}")]
    ApiServer(String),
    /// The config names a kubeconfig.
    #[error("kubeconfig_file: only the function's own cluster is looked into, leave it out: {0}")]
    KubeconfigFile(String),
    /// The config needs the own namespace, but it is not known.
    #[error("namespaces.own_namespace: the namespace of the collectors is not known, set collector_namespace")]
    OwnNamespace,
    /// A label selector is invalid.
    #[error("selectors[{index}].label")]
    Label {
        /// The index of the selector.
        index: usize,
        /// The error in the selector.
        source: SelectorError,
    },
    /// A field selector is invalid, or names a field that the API server refuses.
    #[error("selectors[{index}].field")]
    Field {
        /// The index of the selector.
        index: usize,
        /// The error in the selector.
        source: FieldSelectorError,
    },
}

/// The namespaces that a query needs but that the function does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRead {
    /// The query needs all namespaces, but the function reads only some.
    Others,
    /// These namespaces of the query are not read.
    Named(Vec<String>),
}

impl fmt::Display for NotRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("prometheus_cr.allow_namespaces limits what the function reads: ")?;
        match self {
            Self::Others => f.write_str("the job asks for all namespaces, and gets targets of the allowed ones only"),
            Self::Named(names) => write!(
                f,
                "the job gets no targets of other namespaces, add them to allow_namespaces: {}",
                names.join(", ")
            ),
        }
    }
}

impl Query {
    /// Parses an SD config. `own_namespace` is the namespace for the field `own_namespace` of the config.
    ///
    /// # Errors
    /// [`QueryError`] if the config names another cluster, or if an API server would refuse a selector.
    pub fn new(config: &KubernetesSd, own_namespace: Option<&str>) -> Result<Self, QueryError> {
        // The client settings are for an API server. The core sends no requests.
        let KubernetesSd { api_server, kubeconfig_file, role, http_client: _, namespaces, selectors, attach_metadata } =
            config;
        if !api_server.is_empty() {
            return Err(QueryError::ApiServer(api_server.to_string()));
        }
        if !kubeconfig_file.is_empty() {
            return Err(QueryError::KubeconfigFile(kubeconfig_file.clone()));
        }
        let mut names: BTreeSet<&str> = namespaces.names.iter().map(String::as_str).collect();
        if namespaces.own_namespace {
            names.insert(own_namespace.filter(|name| !name.is_empty()).ok_or(QueryError::OwnNamespace)?);
        }
        // In Prometheus, an informer for the namespace "" watches all namespaces.
        let all = names.is_empty() || names.contains("");
        let mut query = Self {
            role: *role,
            namespaces: (!all).then(|| names.into_iter().map(str::to_owned).collect()),
            attach: *attach_metadata,
            selections: Selections::default(),
        };
        for (index, selector) in selectors.iter().enumerate() {
            let labels = selector.label.parse().map_err(|source| QueryError::Label { index, source })?;
            let field = |source| QueryError::Field { index, source };
            let fields = selector.field.parse().map_err(field)?;
            query.selections.set(selector.role, Selection { labels, fields }).map_err(field)?;
        }
        Ok(query)
    }

    /// Limits the query to namespaces that the function reads. Returns the namespaces that are not read.
    pub fn narrow(&mut self, readable: &BTreeSet<String>) -> Option<NotRead> {
        if self.role == Role::Node {
            return None;
        }
        let Some(asked) = self.namespaces.take() else {
            self.namespaces = Some(readable.iter().cloned().collect());
            return Some(NotRead::Others);
        };
        let (read, not_read): (Vec<_>, Vec<_>) = asked.into_iter().partition(|name| readable.contains(name));
        self.namespaces = Some(read);
        (!not_read.is_empty()).then_some(NotRead::Named(not_read))
    }

    /// The kind of the objects that make groups.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The label selector for the objects that make groups.
    #[must_use]
    pub const fn selector(&self) -> &Selector {
        &self.selections.of(self.role).labels
    }

    /// The level at which discovery sets a label. `None` for a label that discovery never sets.
    #[must_use]
    pub fn level(&self, name: &str) -> Option<Level> {
        label_table::level(self.role, name)
    }

    /// The kind and the namespaces of the objects of the query.
    #[must_use]
    pub fn scope(&self) -> Scope<'_> {
        Scope { role: self.role.name(), namespaces: self.groups_namespaces() }
    }

    /// The namespaces whose objects become groups. `None` for all namespaces, and for nodes, which have no namespace.
    pub(super) fn groups_namespaces(&self) -> Option<&[String]> {
        self.namespaces.as_deref().filter(|_| self.role != Role::Node)
    }
}

impl Selection {
    pub(super) fn selects<T: Selectable>(&self, object: &T) -> bool {
        self.labels.matches(&object.metadata().labels) && self.fields.matches(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrape_config::discovery::{Namespaces, Selector as SelectorConfig};

    fn with(change: impl FnOnce(&mut KubernetesSd)) -> KubernetesSd {
        let mut config = KubernetesSd::new(Role::Pod);
        change(&mut config);
        config
    }

    fn selecting(label: &str, field: &str) -> KubernetesSd {
        let selector = SelectorConfig { role: Role::Pod, label: label.to_owned(), field: field.to_owned() };
        with(|config| config.selectors = vec![selector])
    }

    #[test]
    fn namespaces_are_sorted_and_deduplicated() {
        let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let cases = [
            (Vec::new(), false, None),
            (names("b a b"), false, Some(names("a b"))),
            (vec!["b".to_owned(), String::new()], false, None),
            (names("b"), true, Some(names("b own"))),
            (Vec::new(), true, Some(names("own"))),
        ];
        for (names, own_namespace, expected) in cases {
            let config = with(|config| config.namespaces = Namespaces { own_namespace, names });
            assert_eq!(Query::new(&config, Some("own")).unwrap().namespaces, expected);
        }
    }

    #[test]
    fn a_query_is_limited_to_the_namespaces_that_are_read() {
        let names = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let readable = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        let cases = [
            ("all namespaces", Role::Pod, "", Some("a b"), Some(NotRead::Others)),
            ("some that are read", Role::Pod, "b", Some("b"), None),
            ("some that are not read", Role::Pod, "b c d", Some("b"), Some(NotRead::Named(names("c d")))),
            ("none that is read", Role::Service, "c", Some(""), Some(NotRead::Named(names("c")))),
            ("nodes, which are in no namespace", Role::Node, "", None, None),
        ];
        for (name, role, asked, read, not_read) in cases {
            let mut config = KubernetesSd::new(role);
            config.namespaces.names = names(asked);
            let mut query = Query::new(&config, None).unwrap();
            assert_eq!(query.narrow(&readable), not_read, "{name}");
            assert_eq!(query.namespaces, read.map(names), "{name}");
        }
    }

    #[test]
    fn unsupported_settings_are_refused_by_name() {
        let cases = [
            (with(|config| config.api_server = "https://x".into()), "api_server"),
            (with(|config| config.kubeconfig_file = "x".to_owned()), "kubeconfig_file"),
            (with(|config| config.namespaces.own_namespace = true), "own_namespace"),
            (selecting("a=b c", ""), "selectors[0].label"),
            (selecting("", "a"), "selectors[0].field"),
            (selecting("", "spec.unschedulable=true"), "selectors[0].field"),
        ];
        for (config, expected) in cases {
            let error = Query::new(&config, None).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn configs_with_the_same_meaning_are_equal_queries() {
        let query = |config: KubernetesSd| Query::new(&config, None).unwrap();
        assert_eq!(query(selecting("b,a=1", "")), query(selecting(" a = 1 , b", "")));
        assert_ne!(query(selecting("a", "")), query(selecting("b", "")));
    }
}
