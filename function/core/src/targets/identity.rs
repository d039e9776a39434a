//! Hashes of labels: the identity of a target, its address, and the labels from which it was made.
//!
//! Input: labels. Output: hashes. Follows `internal/target/target.go` of the operator's allocator, so that a target has
//! the same identity there.

use xxhash_rust::xxh64::xxh64;

use crate::labels::META_PREFIX;

/// Hash of an address. The strategies assign targets by this hash.
#[must_use]
pub fn address_hash(address: &str) -> u64 {
    xxh64(address.as_bytes(), 0)
}

/// Computes hashes of labels. All hashes share one buffer.
#[derive(Debug, Default)]
pub(super) struct LabelHasher {
    joined: Vec<u8>,
}

impl LabelHasher {
    /// Hash of discovered labels. `seed` is the hash of the labels before them.
    pub(super) fn source<'l>(&mut self, seed: u64, labels: impl Iterator<Item = (&'l str, &'l str)>) -> u64 {
        self.join(labels);
        xxh64(&self.joined, seed)
    }

    /// Hash of the relabelled labels of a target and its job. Targets with equal identities are one target.
    pub(super) fn identity<'l>(&mut self, labels: impl Iterator<Item = (&'l str, &'l str)>, job_name: &str) -> u64 {
        // After relabelling, a label with an empty value counts as absent.
        self.join(labels.filter(|(name, value)| !name.starts_with(META_PREFIX) && !value.is_empty()));
        self.joined.extend_from_slice(job_name.as_bytes());
        xxh64(&self.joined, 0)
    }

    /// Fills the buffer with names and values. The byte 0xff separates them, because no UTF-8 text contains it.
    fn join<'l>(&mut self, labels: impl Iterator<Item = (&'l str, &'l str)>) {
        self.joined.clear();
        for part in labels.flat_map(|(name, value)| [name, value]) {
            self.joined.extend_from_slice(part.as_bytes());
            self.joined.push(0xff);
        }
    }
}
