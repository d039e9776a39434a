//! Bounds on the scrape configs of one object, of one namespace and of all objects.
//!
//! Input: the jobs of one object after the other. Output: the jobs within the bounds, and a finding for each refused
//! object. If a namespace or the total exceeds its bound, the largest objects are refused first, so that small objects
//! stay. The order of the objects does not change the result for one bound.

use std::collections::{BTreeMap, BTreeSet};

use super::ScrapeJob;
use super::finding::Finding;
use crate::report::{ObjectRef, Report};

/// The bounds. Sizes are in bytes of JSON, as in `/scrape_configs`.
///
/// The defaults are far above normal use. Of 950 recorded monitors, the largest produces 16 kB from two endpoints, and
/// all together produce 3.3 MB.
/// DIFFERENCE(large-monitor): the operator has no bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Endpoints of one object (`OBJECT_LIMIT_ENDPOINTS`).
    pub object_endpoints: usize,
    /// Bytes of all scrape configs of one object (`OBJECT_LIMIT_BYTES`).
    pub object_bytes: usize,
    /// Bytes of all scrape configs of one namespace (`NAMESPACE_LIMIT_BYTES`).
    pub namespace_bytes: usize,
    /// Bytes of all scrape configs that come from objects (`TOTAL_LIMIT_BYTES`).
    pub total_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { object_endpoints: 200, object_bytes: 2 << 20, namespace_bytes: 16 << 20, total_bytes: 32 << 20 }
    }
}

/// How much of each bound the served objects use. Objects that are refused do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Endpoints of the object with the most endpoints.
    pub object_endpoints: usize,
    /// Bytes of the scrape configs of the largest object.
    pub object_bytes: usize,
    /// Bytes of the scrape configs of the largest namespace.
    pub namespace_bytes: usize,
    /// Bytes of the scrape configs of all objects.
    pub total_bytes: usize,
}

/// The jobs of one object.
#[derive(Debug)]
pub(super) struct ObjectJobs {
    pub object: ObjectRef,
    pub jobs: Vec<ScrapeJob>,
    pub findings: Vec<Finding>,
    /// The size of the scrape configs of the jobs, in bytes of JSON.
    pub bytes: usize,
    /// The number of endpoints, including those whose job is left out.
    pub endpoints: usize,
}

/// Objects by size. Objects are refused from the end of this order.
type BySize = BTreeSet<(usize, ObjectRef, usize)>;

/// The objects that share a bound, with their total size.
#[derive(Debug, Default)]
struct Usage {
    bytes: usize,
    objects: BySize,
}

impl Usage {
    fn add(&mut self, bytes: usize, object: &ObjectRef, position: usize) {
        self.bytes += bytes;
        self.objects.insert((bytes, object.clone(), position));
    }

    fn remove(&mut self, bytes: usize, object: &ObjectRef, position: usize) {
        if self.objects.remove(&(bytes, object.clone(), position)) {
            self.bytes -= bytes;
        }
    }

    /// The position of the largest object, if the total exceeds `bound`.
    fn excess(&self, bound: usize) -> Option<usize> {
        let (_, _, position) = self.objects.last()?;
        (self.bytes > bound).then_some(*position)
    }
}

/// The built objects that are within the bounds.
#[derive(Debug)]
pub(super) struct Kept {
    bounds: Bounds,
    objects: Vec<ObjectJobs>,
    namespaces: BTreeMap<String, Usage>,
    total: Usage,
}

impl Kept {
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, objects: Vec::new(), namespaces: BTreeMap::new(), total: Usage::default() }
    }

    /// Adds an object. If a bound is then exceeded, refuses the largest objects at once, so that their jobs do not stay
    /// in memory.
    pub fn add(&mut self, added: ObjectJobs) {
        let Bounds { namespace_bytes, total_bytes, .. } = self.bounds;
        let (position, namespace) = (self.objects.len(), added.object.namespace.clone());
        self.total.add(added.bytes, &added.object, position);
        self.namespaces.entry(namespace.clone()).or_default().add(added.bytes, &added.object, position);
        self.objects.push(added);
        while let Some(largest) = self.namespaces.get(&namespace).and_then(|usage| usage.excess(namespace_bytes)) {
            self.refuse(largest, "of its namespace", "NAMESPACE_LIMIT_BYTES", namespace_bytes);
        }
        while let Some(largest) = self.total.excess(total_bytes) {
            self.refuse(largest, "of all objects", "TOTAL_LIMIT_BYTES", total_bytes);
        }
    }

    fn refuse(&mut self, position: usize, whose: &str, setting: &str, bound: usize) {
        let Some(refused) = self.objects.get_mut(position) else { return };
        let ObjectJobs { object, jobs, findings, bytes, endpoints } = refused;
        self.total.remove(*bytes, object, position);
        if let Some(usage) = self.namespaces.get_mut(&object.namespace) {
            usage.remove(*bytes, object, position);
        }
        *jobs = Vec::new();
        *findings = vec![Finding::refused(format_args!(
            "the scrape configs {whose} take more than {bound} bytes, and the largest objects are refused first, \
             make this one smaller or raise {setting}: {bytes} bytes"
        ))];
        (*bytes, *endpoints) = (0, 0);
    }

    /// How much of each bound the remaining objects use.
    pub fn used(&self) -> Used {
        let largest = |sizes: &mut dyn Iterator<Item = usize>| sizes.max().unwrap_or_default();
        Used {
            object_endpoints: largest(&mut self.objects.iter().map(|object| object.endpoints)),
            object_bytes: largest(&mut self.objects.iter().map(|object| object.bytes)),
            namespace_bytes: largest(&mut self.namespaces.values().map(|usage| usage.bytes)),
            total_bytes: self.total.bytes,
        }
    }

    /// Returns the remaining jobs in the order of their objects, and adds the findings to `report`.
    pub fn finish(self, report: &mut Report) -> Vec<ScrapeJob> {
        let mut all = Vec::new();
        for ObjectJobs { object, jobs, findings, bytes: _, endpoints: _ } in self.objects {
            all.extend(jobs);
            findings.into_iter().for_each(|finding| finding.report(&object, report));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, bytes: usize) -> ObjectJobs {
        let (namespace, name) = name.split_once('/').unwrap();
        let object = ObjectRef::new("ServiceMonitor", namespace, name);
        ObjectJobs { object, jobs: Vec::new(), findings: Vec::new(), bytes, endpoints: bytes / 2 }
    }

    #[test]
    fn refused_objects_use_no_part_of_a_bound() {
        let bounds = Bounds { namespace_bytes: 10, total_bytes: 15, ..Bounds::default() };
        let used = |objects: &[(&str, usize)]| {
            let mut kept = Kept::new(bounds);
            objects.iter().for_each(|(name, bytes)| kept.add(object(name, *bytes)));
            let Used { object_endpoints, object_bytes, namespace_bytes, total_bytes } = kept.used();
            [object_endpoints, object_bytes, namespace_bytes, total_bytes]
        };
        assert_eq!(used(&[]), [0, 0, 0, 0]);
        assert_eq!(used(&[("a/one", 4), ("a/two", 6), ("b/three", 5)]), [3, 6, 10, 15]);
        assert_eq!(used(&[("a/large", 8), ("a/small", 4), ("b/other", 2)]), [2, 4, 4, 6], "large is refused");
    }

    /// The refused objects, each with the setting that refuses it.
    fn refused(bounds: Bounds, objects: impl IntoIterator<Item = (&'static str, usize)>) -> Vec<String> {
        let mut kept = Kept::new(bounds);
        objects.into_iter().for_each(|(name, bytes)| kept.add(object(name, bytes)));
        let mut report = Report::default();
        kept.finish(&mut report);
        let setting = |reason: &str| if reason.contains("NAMESPACE_LIMIT_BYTES") { "namespace" } else { "total" };
        let entries = report.sorted();
        let entries = entries.entries().iter();
        entries.map(|entry| format!("{} {}", entry.object.name, setting(&entry.reason))).collect()
    }

    #[test]
    fn the_largest_objects_are_refused_first_in_any_order() {
        // The objects with their sizes, and the refused objects with the bound that each exceeds.
        type Case = (&'static [(&'static str, usize)], &'static [&'static str]);
        let bounds = Bounds { namespace_bytes: 10, total_bytes: 15, ..Bounds::default() };
        let cases: &[Case] = &[
            (&[("a/one", 10)], &[]),
            (&[("a/one", 11)], &["one namespace"]),
            (&[("a/small", 1), ("a/large", 8), ("a/medium", 2)], &["large namespace"]),
            (&[("a/small", 3), ("a/large", 9), ("a/medium", 6)], &["large namespace"]),
            (&[("a/one", 6), ("a/two", 6)], &["two namespace"]),
            (&[("a/one", 6), ("b/two", 5), ("c/three", 4)], &[]),
            (&[("a/one", 6), ("b/two", 5), ("c/three", 5)], &["one total"]),
        ];
        for (objects, expected) in cases {
            assert_eq!(refused(bounds, objects.iter().copied()), *expected, "{objects:?}");
            assert_eq!(refused(bounds, objects.iter().rev().copied()), *expected, "{objects:?}, the other way round");
        }
    }
}
