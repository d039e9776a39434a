//! Target groups of sources outside the cluster.
//!
//! These groups own their texts. Groups of Kubernetes objects borrow their texts from the objects.

use std::collections::BTreeMap;

use super::group::TargetGroup;
use crate::address::join_host_port;
use crate::labels::{ADDRESS, Label, LabelSet};

/// The targets of one group of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceGroup {
    /// The name of the source, with the position of the group in the source.
    pub source: String,
    /// The labels that all targets share.
    pub labels: BTreeMap<String, String>,
    /// The own labels of each target, including `__address__`.
    pub targets: Vec<BTreeMap<String, String>>,
}

impl SourceGroup {
    /// This group with only the labels that a job needs.
    pub fn target_group(&self, mut needs: impl FnMut(&str) -> bool) -> TargetGroup<'_> {
        TargetGroup {
            source: self.source.clone(),
            labels: LabelSet::from_sorted(borrowed(&self.labels, &mut needs)),
            targets: self.targets.iter().map(|target| LabelSet::from_sorted(borrowed(target, &mut needs))).collect(),
        }
    }
}

fn borrowed<'a>(labels: &'a BTreeMap<String, String>, needs: &mut impl FnMut(&str) -> bool) -> Vec<Label<'a>> {
    let needed = labels.iter().filter(|(name, _)| needs(name));
    needed.map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect()
}

/// A target with no label except its address.
pub fn address_only(address: String) -> BTreeMap<String, String> {
    BTreeMap::from([(ADDRESS.to_owned(), address)])
}

/// Host and port as Go joins them.
pub fn host_port(host: &str, port: i64) -> String {
    join_host_port(host, &port.to_string())
}
