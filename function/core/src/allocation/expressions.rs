//! Bounds on the memory of compiled regular expressions.
//!
//! Input: the size of each job after it is compiled. Output: the objects whose jobs are left out. A regular expression of
//! 20 characters can take 20 MiB, so the bounds on the text of scrape configs do not bound it. If a namespace or the total
//! exceeds its bound, the largest objects are left out first, so that small objects stay.

use std::collections::{BTreeMap, BTreeSet};

use crate::monitors::bounds::Bounds;
use crate::relabel::MOST_BYTES;
use crate::report::ObjectRef;

/// How many bytes compiled expressions may take for each byte that scrape configs may have: 64 MiB for a namespace and
/// 128 MiB in total with the default bounds.
///
/// An ordinary expression takes 23 kB, or nothing if it is fixed text around `.*`. So a namespace can have about 2,900
/// expressions that are no fixed text.
const EXPRESSIONS_PER_BYTE: usize = 4;

/// What an expression that is too large counts. The parser needs as much time to find that out as to compile one that is
/// not too large.
const FAILED: usize = MOST_BYTES / 4;

/// How many times the bytes that it can keep a namespace may compile.
const COMPILED_PER_KEPT: usize = 8;

/// Why the jobs of an object are left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// The object itself is too large.
    #[error("the regular expressions of the jobs before this one take more than {} MiB", MOST_BYTES >> 20)]
    Object,
    /// All objects of the namespace are too large together.
    #[error(
        "the regular expressions of its namespace take more than {0} MiB, and the largest objects are left out first, \
         make them smaller or raise NAMESPACE_LIMIT_BYTES"
    )]
    Namespace(usize),
    /// All objects are too large together.
    #[error(
        "the regular expressions of all objects take more than {0} MiB, and the largest objects are left out first, make \
         them smaller or raise TOTAL_LIMIT_BYTES"
    )]
    Total(usize),
}

/// The sizes of all objects so far.
pub struct Expressions {
    namespace_bytes: usize,
    total_bytes: usize,
    objects: BTreeMap<ObjectRef, Size>,
    namespaces: BTreeMap<String, Usage>,
    total: Usage,
}

/// What one object has taken.
#[derive(Default)]
struct Size {
    /// Bytes of its jobs.
    bytes: usize,
    /// Bytes with the expressions that are too large.
    tried: usize,
    left_out: Option<TooLarge>,
}

/// The objects that share a bound, by size.
#[derive(Default)]
struct Usage {
    /// Bytes of all of them together.
    bytes: usize,
    /// Bytes that were compiled, also for objects that are left out by now.
    compiled: usize,
    objects: BTreeSet<(usize, ObjectRef)>,
}

impl Usage {
    fn resize(&mut self, object: &ObjectRef, before: usize, now: usize) {
        self.objects.remove(&(before, object.clone()));
        self.bytes = self.bytes - before + now;
        if now > 0 {
            self.objects.insert((now, object.clone()));
        }
    }

    /// The largest object, if the total exceeds `bound`.
    fn excess(&self, bound: usize) -> Option<ObjectRef> {
        let (_, object) = self.objects.last()?;
        (self.bytes > bound).then(|| object.clone())
    }
}

impl Expressions {
    /// No object yet.
    pub fn within(bounds: Bounds) -> Self {
        Self {
            namespace_bytes: bounds.namespace_bytes.saturating_mul(EXPRESSIONS_PER_BYTE),
            total_bytes: bounds.total_bytes.saturating_mul(EXPRESSIONS_PER_BYTE),
            objects: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            total: Usage::default(),
        }
    }

    /// Whether the object may have another job.
    ///
    /// # Errors
    /// [`TooLarge`] if the object is left out, or has no bytes left.
    pub fn admit(&self, object: &ObjectRef) -> Result<(), TooLarge> {
        let Some(Size { tried, left_out, .. }) = self.objects.get(object) else { return Ok(()) };
        match left_out {
            Some(too_large) => Err(too_large.clone()),
            None if *tried > MOST_BYTES => Err(TooLarge::Object),
            None => Ok(()),
        }
    }

    /// Whether a job of the object may be compiled. A namespace with many large objects would otherwise take the time of
    /// all others, although its objects are left out in the end.
    ///
    /// # Errors
    /// [`TooLarge`] if the namespace has compiled too much.
    pub fn admit_compilation(&self, object: &ObjectRef) -> Result<(), TooLarge> {
        let compiled = self.namespaces.get(&object.namespace).map_or(0, |usage| usage.compiled);
        if compiled > self.namespace_bytes.saturating_mul(COMPILED_PER_KEPT) {
            return Err(TooLarge::Namespace(self.namespace_bytes >> 20));
        }
        Ok(())
    }

    /// Adds an expression of the object that is too large.
    pub fn fail(&mut self, object: &ObjectRef) {
        self.objects.entry(object.clone()).or_default().tried += FAILED;
        self.namespaces.entry(object.namespace.clone()).or_default().compiled += FAILED;
    }

    /// Adds the bytes of a job that was compiled now.
    pub fn compile(&mut self, object: &ObjectRef, bytes: usize) {
        self.namespaces.entry(object.namespace.clone()).or_default().compiled += bytes;
    }

    /// Adds the expressions of a job. Returns the objects whose jobs must be left out, each with the reason.
    pub fn add(&mut self, object: &ObjectRef, bytes: usize) -> Vec<(ObjectRef, TooLarge)> {
        let size = self.objects.entry(object.clone()).or_default();
        let before = size.bytes;
        (size.bytes, size.tried) = (before + bytes, size.tried + bytes);
        self.resize(object, before, before + bytes);
        let (namespace, total) = (self.namespace_bytes, self.total_bytes);
        let mut left_out = Vec::new();
        while let Some(largest) = self.namespaces.get(&object.namespace).and_then(|usage| usage.excess(namespace)) {
            left_out.push(self.leave_out(largest, TooLarge::Namespace(namespace >> 20)));
        }
        while let Some(largest) = self.total.excess(total) {
            left_out.push(self.leave_out(largest, TooLarge::Total(total >> 20)));
        }
        left_out
    }

    fn leave_out(&mut self, object: ObjectRef, too_large: TooLarge) -> (ObjectRef, TooLarge) {
        let size = self.objects.entry(object.clone()).or_default();
        size.left_out = Some(too_large.clone());
        let before = std::mem::take(&mut size.bytes);
        self.resize(&object, before, 0);
        (object, too_large)
    }

    fn resize(&mut self, object: &ObjectRef, before: usize, now: usize) {
        self.namespaces.entry(object.namespace.clone()).or_default().resize(object, before, now);
        self.total.resize(object, before, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    /// 8 MiB of expressions for a namespace, 12 MiB in total.
    fn bounds() -> Bounds {
        Bounds {
            namespace_bytes: 8 * MIB / EXPRESSIONS_PER_BYTE,
            total_bytes: 12 * MIB / EXPRESSIONS_PER_BYTE,
            ..Bounds::default()
        }
    }

    fn object(name: &str) -> ObjectRef {
        let (namespace, name) = name.split_once('/').unwrap();
        ObjectRef::new("ServiceMonitor", namespace, name)
    }

    /// The objects that are left out, each with its bound.
    fn left_out(objects: impl Iterator<Item = (&'static str, usize)>) -> Vec<String> {
        let mut expressions = Expressions::within(bounds());
        let mut left_out = Vec::new();
        for (name, mib) in objects {
            for (object, too_large) in expressions.add(&object(name), mib * MIB) {
                assert_eq!(expressions.admit(&object), Err(too_large.clone()), "{object}");
                let bound = if matches!(too_large, TooLarge::Namespace(8)) { "namespace" } else { "total" };
                left_out.push(format!("{} {bound}", object.name));
            }
        }
        left_out.sort();
        left_out
    }

    #[test]
    fn the_largest_objects_are_left_out_first_in_any_order() {
        // The objects with their sizes in MiB, and the objects that are left out.
        type Case = (&'static [(&'static str, usize)], &'static [&'static str]);
        let cases: &[Case] = &[
            (&[("a/one", 8)], &[]),
            (&[("a/one", 9)], &["one namespace"]),
            (&[("a/one", 0), ("a/two", 9), ("a/three", 0)], &["two namespace"]),
            (&[("a/small", 1), ("a/large", 7), ("a/medium", 2)], &["large namespace"]),
            (&[("a/one", 5), ("b/two", 4), ("c/three", 3)], &[]),
            (&[("a/one", 5), ("b/two", 4), ("c/three", 4)], &["one total"]),
        ];
        for (objects, expected) in cases {
            assert_eq!(left_out(objects.iter().copied()), *expected, "{objects:?}");
            assert_eq!(left_out(objects.iter().rev().copied()), *expected, "{objects:?}, the other way round");
        }
    }

    #[test]
    fn the_jobs_of_one_object_count_together() {
        assert_eq!(left_out([("a/one", 4), ("a/two", 1), ("a/one", 4)].into_iter()), ["one namespace"]);
        let mut expressions = Expressions::within(Bounds::default());
        let one = object("a/one");
        for _ in 0..=MOST_BYTES / FAILED {
            assert_eq!(expressions.admit(&one), Ok(()));
            expressions.fail(&one);
        }
        assert_eq!(expressions.admit(&one), Err(TooLarge::Object));
        assert_eq!(expressions.admit(&object("a/two")), Ok(()));
    }

    #[test]
    fn a_namespace_can_compile_a_few_times_what_it_can_keep() {
        let mut expressions = Expressions::within(bounds());
        for _ in 0..COMPILED_PER_KEPT {
            expressions.compile(&object("a/one"), 8 * MIB);
            assert_eq!(expressions.admit_compilation(&object("a/two")), Ok(()));
        }
        expressions.compile(&object("a/one"), 1);
        assert_eq!(expressions.admit_compilation(&object("a/two")), Err(TooLarge::Namespace(8)));
        assert_eq!(expressions.admit_compilation(&object("b/one")), Ok(()));
    }
}
