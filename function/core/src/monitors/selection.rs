//! Selects monitors by their labels and namespaces.
//!
//! Input: the selectors of a kind, the allowed and denied namespaces, and the objects. Output: the selected objects.
//! Follows `selectObjects` of the Prometheus operator, and the informers that its allocator passes to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::object_name::check_name;
use crate::objects::{Cluster, Collection, Metadata, Namespace, Object, TextMap};
use crate::selector::{Gap, LabelSelector, Selector, SelectorError};

/// The selectors for one kind of object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KindSelection {
    /// `None` selects no object.
    selector: Option<Selector>,
    /// `None` selects the namespace of the collectors.
    namespaces: Option<Selector>,
}

impl KindSelection {
    /// Parses `..._selector` and `..._namespace_selector` of a config.
    ///
    /// Without `selector` no object is selected, and an empty one selects all objects. Without `namespaces` the
    /// namespace of the collectors is selected, and an empty one selects all namespaces.
    ///
    /// # Errors
    /// The first invalid requirement of a selector.
    pub fn new(
        selector: Option<&LabelSelector>,
        namespace_selector: Option<&LabelSelector>,
    ) -> Result<Self, SelectorError> {
        let checked = |selector: Option<&LabelSelector>| selector.map(LabelSelector::selector).transpose();
        Ok(Self { selector: checked(selector)?, namespaces: checked(namespace_selector)? })
    }

    /// Whether any object can be selected.
    #[must_use]
    pub const fn selects_any(&self) -> bool {
        self.selector.is_some()
    }

    /// Whether labels of namespaces decide which objects are selected.
    #[must_use]
    pub fn reads_namespace_labels(&self) -> bool {
        self.selects_any() && self.namespaces.as_ref().is_some_and(|selector| !selector.is_empty())
    }

    /// The canonical texts of both selectors. `None` for an absent selector.
    #[cfg(test)]
    pub(crate) fn texts(&self) -> (Option<String>, Option<String>) {
        let text = |selector: &Option<Selector>| selector.as_ref().map(Selector::to_string);
        (text(&self.selector), text(&self.namespaces))
    }

    /// Selects all objects in all namespaces.
    #[must_use]
    pub fn all() -> Self {
        Self { selector: Some(Selector::default()), namespaces: Some(Selector::default()) }
    }
}

/// The namespaces from which monitors are accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamespaceRules {
    /// The namespace of the collectors. Empty if unknown. All namespaces are then selected.
    pub own: String,
    /// The allowed namespaces. If this set is not empty, `denied` has no effect.
    pub allowed: BTreeSet<String>,
    /// The denied namespaces.
    pub denied: BTreeSet<String>,
}

impl NamespaceRules {
    /// Whether only some namespaces are read.
    #[must_use]
    pub fn narrows(&self) -> bool {
        !self.allowed.is_empty()
    }

    /// The namespaces that are read, if only some are. A name that no namespace can have is left out.
    pub fn readable(&self) -> impl Iterator<Item = &str> {
        self.allowed.iter().map(String::as_str).filter(|name| is_namespace_name(name))
    }

    fn admit(&self, namespace: &str) -> bool {
        if self.allowed.is_empty() { !self.denied.contains(namespace) } else { self.allowed.contains(namespace) }
    }

    fn includes(&self, selection: &KindSelection, namespace: &str, cluster: &Cluster) -> bool {
        match &selection.namespaces {
            None => self.own.is_empty() || namespace == self.own,
            Some(selector) => selector.is_empty() || selector.matches(&namespace_labels(namespace, cluster)),
        }
    }
}

/// The most characters of the name of a namespace.
const LONGEST_NAMESPACE: usize = 63;

/// Whether a namespace can have this name: Kubernetes requires a DNS label (RFC 1123) in lower case.
#[must_use]
pub fn is_namespace_name(name: &str) -> bool {
    name.len() <= LONGEST_NAMESPACE && !name.contains('.') && check_name(name).is_ok()
}

/// The reason why an object is not selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSelected {
    /// The config has no selector for the kind, so no object is selected.
    #[error("the config has no selector for this kind, so no object of this kind is selected")]
    NoSelector,
    /// The labels of the object do not match a requirement.
    #[error("its labels do not match the selector: {0}")]
    Labels(Gap),
    /// The namespace of the object is not in the list of allowed namespaces.
    #[error("its namespace is not in allow_namespaces: {0}")]
    NotAllowed(String),
    /// The namespace of the object is denied.
    #[error("its namespace is in deny_namespaces: {0}")]
    Denied(String),
    /// The object is outside the namespace of the collectors, and there is no namespace selector.
    #[error(
        "it is in the namespace {namespace}, and without a namespace selector only the collectors' namespace is selected: {own}"
    )]
    OtherNamespace {
        /// The namespace of the object.
        namespace: String,
        /// The namespace of the collectors.
        own: String,
    },
    /// The labels of the namespace do not match a requirement.
    #[error("the labels of its namespace do not match the namespace selector: {0}")]
    NamespaceLabels(Gap),
}

/// All reasons why an object is not selected. Empty for an object that [`select`] returns.
pub fn reasons(
    selection: &KindSelection,
    rules: &NamespaceRules,
    metadata: &Metadata,
    cluster: &Cluster,
) -> Vec<NotSelected> {
    let namespace = metadata.namespace.as_str();
    let mut reasons = Vec::new();
    match &selection.selector {
        None => reasons.push(NotSelected::NoSelector),
        Some(selector) => reasons.extend(selector.gaps(&metadata.labels).into_iter().map(NotSelected::Labels)),
    }
    if !rules.admit(namespace) {
        let reason = if rules.allowed.is_empty() { NotSelected::Denied } else { NotSelected::NotAllowed };
        reasons.push(reason(namespace.to_owned()));
    }
    if !rules.includes(selection, namespace, cluster) {
        match &selection.namespaces {
            None => {
                reasons.push(NotSelected::OtherNamespace { namespace: namespace.to_owned(), own: rules.own.clone() });
            }
            Some(selector) => {
                let gaps = selector.gaps(&namespace_labels(namespace, cluster));
                reasons.extend(gaps.into_iter().map(NotSelected::NamespaceLabels));
            }
        }
    }
    reasons
}

/// The selected objects, ordered by namespace and name.
pub fn select<'a, T: Object>(
    selection: &'a KindSelection,
    rules: &'a NamespaceRules,
    objects: &'a Collection<T>,
    cluster: &'a Cluster,
) -> impl Iterator<Item = &'a T> {
    let mut namespaces: BTreeMap<&str, bool> = BTreeMap::new();
    objects.iter().map(|object| &**object).filter(move |object| {
        let metadata = object.metadata();
        let namespace = metadata.namespace.as_str();
        selection.selector.as_ref().is_some_and(|selector| selector.matches(&metadata.labels))
            && *namespaces
                .entry(namespace)
                .or_insert_with(|| rules.admit(namespace) && rules.includes(selection, namespace, cluster))
    })
}

/// The labels of a namespace. The label with the name of the namespace is always present, even without a Namespace
/// object.
pub(crate) fn namespace_labels(namespace: &str, cluster: &Cluster) -> Arc<TextMap> {
    let mut labels =
        cluster.namespaces.get("", namespace).map(|namespace| namespace.metadata.labels.clone()).unwrap_or_default();
    if !labels.contains_key(Namespace::NAME_LABEL) {
        Arc::make_mut(&mut labels).insert(Namespace::NAME_LABEL, namespace);
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Namespace;
    use crate::objects::monitoring::PodMonitor;

    fn cluster() -> Cluster {
        let monitors =
            ["{namespace: a, name: one, labels: {team: x}}", "{namespace: a, name: two}", "{namespace: b, name: one}"];
        let monitor = |metadata: &&str| -> PodMonitor {
            serde_norway::from_str(&format!("{{metadata: {metadata}, spec: {{}}}}")).unwrap()
        };
        let namespace: Namespace = serde_norway::from_str("{metadata: {name: a, labels: {env: prod}}}").unwrap();
        Cluster {
            pod_monitors: monitors.iter().map(monitor).collect(),
            namespaces: [namespace].into_iter().collect(),
            ..Cluster::default()
        }
    }

    #[test]
    fn selectors_and_namespaces_select_as_in_the_operator() {
        // Selector, namespace selector, namespace of the collectors, allowed, denied, expected monitors.
        type Case = (
            Option<&'static str>,
            Option<&'static str>,
            &'static str,
            &'static [&'static str],
            &'static [&'static str],
            &'static [&'static str],
        );
        let cases: &[Case] = &[
            (None, Some("{}"), "a", &[], &[], &[]),
            (Some("{}"), Some("{}"), "a", &[], &[], &["a/one", "a/two", "b/one"]),
            (Some("{}"), None, "a", &[], &[], &["a/one", "a/two"]),
            (Some("{}"), None, "", &[], &[], &["a/one", "a/two", "b/one"]),
            (Some("{matchLabels: {team: x}}"), Some("{}"), "", &[], &[], &["a/one"]),
            (Some("{}"), Some("{matchLabels: {env: prod}}"), "b", &[], &[], &["a/one", "a/two"]),
            (Some("{}"), Some("{matchLabels: {kubernetes.io/metadata.name: b}}"), "", &[], &[], &["b/one"]),
            (Some("{}"), Some("{}"), "", &["b"], &[], &["b/one"]),
            (Some("{}"), Some("{}"), "", &["b"], &["b"], &["b/one"]),
            (Some("{}"), Some("{}"), "", &[], &["b"], &["a/one", "a/two"]),
            (Some("{}"), None, "a", &["b"], &[], &[]),
            (Some("{}"), None, "a", &[], &["a"], &[]),
        ];
        let cluster = cluster();
        for case @ (selector, namespace_selector, own, allowed, denied, expected) in cases {
            let read = |text: &Option<&str>| -> Option<LabelSelector> {
                text.map(|text| serde_norway::from_str(text).unwrap())
            };
            let selection = KindSelection::new(read(selector).as_ref(), read(namespace_selector).as_ref()).unwrap();
            let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let rules = NamespaceRules { own: (*own).to_owned(), allowed: names(allowed), denied: names(denied) };
            let selected = select(&selection, &rules, &cluster.pod_monitors, &cluster);
            let got: Vec<String> = selected.map(|m| format!("{}/{}", m.metadata.namespace, m.metadata.name)).collect();
            assert_eq!(got, *expected, "{case:?}");
            for monitor in cluster.pod_monitors.iter() {
                let Metadata { namespace, name, .. } = &monitor.metadata;
                let reasons = reasons(&selection, &rules, &monitor.metadata, &cluster);
                assert_eq!(reasons.is_empty(), got.contains(&format!("{namespace}/{name}")), "{case:?}: {reasons:?}");
            }
        }
    }
}
