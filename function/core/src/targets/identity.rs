//! Hashes over labels: of a target's identity, of its address, of the labels that it was made from.
//!
//! Follows `internal/target/target.go` of the operator's allocator: the same target has the same identity there.

use xxhash_rust::xxh64::xxh64;

use crate::labels::META_PREFIX;

/// Hash of an address. The strategies assign targets by it.
#[must_use]
pub fn address_hash(address: &str) -> u64 {
    xxh64(address.as_bytes(), 0)
}

/// Computes hashes over labels. The buffer is used again from hash to hash.
#[derive(Debug, Default)]
pub(super) struct LabelHasher {
    joined: Vec<u8>,
}

impl LabelHasher {
    /// Hash of the labels that a target is made from; `seed` is the hash of the labels in front of them.
    pub(super) fn source<'l>(&mut self, seed: u64, labels: impl Iterator<Item = (&'l str, &'l str)>) -> u64 {
        self.join(labels);
        xxh64(&self.joined, seed)
    }

    /// Hash of a target's labels and its job. Targets with equal identities are one target.
    pub(super) fn identity<'l>(&mut self, labels: impl Iterator<Item = (&'l str, &'l str)>, job_name: &str) -> u64 {
        // After relabelling, a label without a value is no label.
        self.join(labels.filter(|(name, value)| !name.starts_with(META_PREFIX) && !value.is_empty()));
        self.joined.extend_from_slice(job_name.as_bytes());
        xxh64(&self.joined, 0)
    }

    /// Fills the buffer with names and values. The byte 0xff follows each; it is in no UTF-8 text.
    fn join<'l>(&mut self, labels: impl Iterator<Item = (&'l str, &'l str)>) {
        self.joined.clear();
        for part in labels.flat_map(|(name, value)| [name, value]) {
            self.joined.extend_from_slice(part.as_bytes());
            self.joined.push(0xff);
        }
    }
}
