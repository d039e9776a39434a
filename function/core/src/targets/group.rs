//! The targets of one group.
//!
//! Input: targets, one after the other. Output: the targets of the group with their texts. Targets of the last snapshot
//! are reused if their labels did not change.

use std::ops::Range;

use foldhash::HashMap;

use super::identity::LabelHasher;
use super::text::{Text, TextBuffer, slice};
use super::{Target, TooLarge};

/// The targets of one group that the rules of the job keep, with their texts.
#[derive(Debug, Default)]
pub struct GroupTargets {
    /// In the order of discovery.
    pub targets: Box<[Target]>,
    pub(super) text: Box<str>,
    /// Size of all texts in responses, in bytes.
    served: usize,
    /// The number of targets whose relabelled labels cannot be served.
    inexpressible: usize,
    too_large: usize,
}

impl GroupTargets {
    /// The plain text: `{"targets":["host:port"],"labels":{...}}` with the labels as discovered. Empty if the plain
    /// view was not made.
    #[must_use]
    pub fn plain(&self, target: &Target) -> Text<'_> {
        let [own, shared, tail] = [&target.own, &target.shared, &target.tail].map(|range| slice(&self.text, range));
        Text { own, shared, tail }
    }

    /// The merged text: `{"targets":["host:port"],"labels":{...}}` with the relabelled labels. Empty if the merged view
    /// was not made, if a collector would drop the target, or if labels cannot express the result of the rules.
    #[must_use]
    pub fn merged(&self, target: &Target) -> Text<'_> {
        Text { own: slice(&self.text, &target.merged), shared: "", tail: "" }
    }

    /// Whether the merged view can serve all targets of the group.
    #[must_use]
    pub const fn is_expressible(&self) -> bool {
        self.inexpressible == 0 && self.too_large == 0
    }

    /// The number of targets that the merged view cannot serve, for two reasons. A rule removes a label that a
    /// collector would set again, such as `__metrics_path__`. Or a rule makes a label without a name, and Prometheus
    /// refuses a whole list with such a label.
    #[must_use]
    pub const fn inexpressible(&self) -> usize {
        self.inexpressible
    }

    /// The number of targets to which the rules write too much. Such a target is not served, unless the rules do not
    /// filter.
    #[must_use]
    pub const fn too_large(&self) -> usize {
        self.too_large
    }

    /// Bytes of the targets and of their texts in memory. A shared piece counts once.
    #[must_use]
    pub fn held(&self) -> usize {
        self.text.len() + size_of_val(&*self.targets)
    }

    /// Bytes of the targets and of their texts in answers. A shared piece is held once, but each target
    /// is served with it, so it counts for each.
    #[must_use]
    pub fn size(&self) -> usize {
        self.served + size_of_val(&*self.targets)
    }
}

/// The targets of a group in the last snapshot, by the hash of their discovered labels.
struct Previous<'b> {
    group: &'b GroupTargets,
    positions: HashMap<u64, usize>,
}

impl<'b> Previous<'b> {
    fn new(group: &'b GroupTargets) -> Self {
        let positions = group.targets.iter().zip(0..).map(|(target, position)| (target.source_hash, position));
        Self { group, positions: positions.collect() }
    }

    fn target(&self, source_hash: u64) -> Option<(&'b GroupTargets, &'b Target)> {
        let position = self.positions.get(&source_hash)?;
        Some((self.group, self.group.targets.get(*position)?))
    }
}

/// Collects the targets of a group.
pub(super) struct GroupBuilder<'b> {
    previous: Option<Previous<'b>>,
    /// Maximum size of the group, in bytes.
    limit: usize,
    targets: Vec<Target>,
    pub(super) text: TextBuffer,
    pub(super) hasher: LabelHasher,
    served: usize,
    pub(super) inexpressible: usize,
    pub(super) too_large: usize,
}

impl<'b> GroupBuilder<'b> {
    /// `previous` has the targets of the group in the last snapshot, if there are any. The same maker must have made
    /// them.
    pub(super) fn new(previous: Option<&'b GroupTargets>, limit: usize) -> Self {
        // Targets of a group that cannot be merged are not reused, because the group does not record which of them
        // cannot be served.
        let previous = previous.filter(|group| group.is_expressible()).map(Previous::new);
        Self {
            previous,
            limit,
            targets: Vec::new(),
            text: TextBuffer::default(),
            hasher: LabelHasher::default(),
            served: 0,
            inexpressible: 0,
            too_large: 0,
        }
    }

    /// Reuses the target that was made from equal labels before. Returns whether there was one.
    pub(super) fn take_over(&mut self, source_hash: u64, tail: &mut Option<Range<u32>>) -> bool {
        let Some((group, target)) = self.previous.as_ref().and_then(|previous| previous.target(source_hash)) else {
            return false;
        };
        let plain = group.plain(target);
        let tail = if plain.tail.is_empty() { 0..0 } else { self.tail(tail, |text| text.push_str(plain.tail)) };
        let shared = self.text.write_shared(|text| text.push_str(plain.shared));
        let own = self.text.write(|text| text.push_str(plain.own));
        let merged = self.text.write(|text| text.push_str(group.merged(target).own));
        self.push(Target { own, shared, tail, merged, ..target.clone() });
        true
    }

    /// The end of the texts of a part. Only the first target of the part writes it.
    pub(super) fn tail(&mut self, tail: &mut Option<Range<u32>>, write: impl FnOnce(&mut String)) -> Range<u32> {
        tail.get_or_insert_with(|| self.text.write(write)).clone()
    }

    pub(super) fn push(&mut self, target: Target) {
        let texts = [&target.own, &target.shared, &target.tail, &target.merged];
        self.served += texts.map(ExactSizeIterator::len).iter().sum::<usize>();
        self.targets.push(target);
    }

    /// Refuses a group that exceeds the limit.
    pub(super) fn check(&self) -> Result<(), TooLarge> {
        let size = self.served + size_of_val(&self.targets[..]);
        if size > self.limit { Err(TooLarge::Job(self.limit)) } else { Ok(()) }
    }

    pub(super) fn finish(self) -> GroupTargets {
        let Self { targets, text, served, inexpressible, too_large, .. } = self;
        GroupTargets { targets: targets.into(), text: text.finish(), served, inexpressible, too_large }
    }
}
