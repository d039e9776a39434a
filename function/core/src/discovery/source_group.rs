//! Target groups of sources outside the cluster. Unlike those of objects, they own their texts.

use std::collections::BTreeMap;

use super::group::TargetGroup;
use crate::address::join_host_port;
use crate::labels::{ADDRESS, Label, LabelSet};

/// Targets of a source that share labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceGroup {
    /// Names the source and the group's place in it.
    pub source: String,
    /// Labels of all targets.
    pub labels: BTreeMap<String, String>,
    /// Labels of each target, `__address__` among them.
    pub targets: Vec<BTreeMap<String, String>>,
}

impl SourceGroup {
    /// The group with the labels that a job needs.
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

/// A target that has an address and no other label.
pub fn address_only(address: String) -> BTreeMap<String, String> {
    BTreeMap::from([(ADDRESS.to_owned(), address)])
}

/// An address as Go joins it.
pub fn host_port(host: &str, port: i64) -> String {
    join_host_port(host, &port.to_string())
}
