//! Consistent hashing with bounded loads, equal to `buraksezer/consistent`.
//!
//! The keys of members and partitions are xxhash64; partitions go round the ring
//! to the next member that has room. Settings as in the operator's allocator
//! (`allocation/consistent_hashing.go`): 1061 partitions, 5 replicas, load 1.1.

use std::collections::BTreeMap;

use serde::Serialize;
use xxhash_rust::xxh64::xxh64;

use super::{CollectorIndex, Members};

const PARTITIONS: u64 = 1061;
const REPLICAS: usize = 5;
const LOAD: f64 = 1.1;

/// The release of `buraksezer/consistent` whose assignment is wanted; they differ
/// in the ring keys of members and in how many partitions a member takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum Version {
    /// v1.0.0: the operator's main branch.
    #[default]
    V1_0,
    /// v0.10.0: operator releases up to 0.158.
    V0_10,
}

impl Version {
    fn member_key(self, name: &str, replica: usize) -> String {
        match self {
            Self::V1_0 => format!("{replica}:{name}"),
            Self::V0_10 => format!("{name}{replica}"),
        }
    }

    /// The most partitions that one of `members` members takes.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the peer computes in float64 and rounds up; the values are between 0 and 1168"
    )]
    fn capacity(self, members: usize) -> u32 {
        let mean = match self {
            Self::V1_0 => PARTITIONS as f64 / members as f64,
            Self::V0_10 => (PARTITIONS / members as u64) as f64,
        };
        (mean * LOAD).ceil() as u32
    }
}

/// Why there is no ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// v0.10.0 gives a member no partition at all then.
    #[error(
        "consistent-hashing-v0.10 takes at most {PARTITIONS} collectors, use consistent-hashing instead: {0} collectors"
    )]
    TooManyCollectors(usize),
}

/// Which member owns each partition.
#[derive(Debug, Clone)]
pub struct Ring {
    owners: Vec<CollectorIndex>,
}

/// The partition of a target address, by the address' xxhash64.
#[must_use]
pub fn partition(address: u64) -> usize {
    usize::try_from(address % PARTITIONS).unwrap_or_default()
}

impl Ring {
    /// Distributes the partitions over `members`.
    ///
    /// # Errors
    /// [`RingError`] when the members have no room for all partitions.
    pub fn new(version: Version, members: &Members) -> Result<Self, RingError> {
        let count = members.collectors().len();
        let points = points(version, members);
        let capacity = if count == 0 { 0 } else { version.capacity(count) };
        let mut load = vec![0_u32; count];
        let mut owners = Vec::new();
        for partition in 0..PARTITIONS {
            let key = xxh64(&partition.to_le_bytes(), 0);
            let start = points.partition_point(|(point, _)| *point < key);
            let owner = points[start..].iter().chain(&points[..start]).map(|(_, member)| *member);
            let with_room = owner.into_iter().find(|member| load[*member as usize] < capacity);
            let Some(member) = with_room else { return Err(RingError::TooManyCollectors(count)) };
            load[member as usize] += 1;
            owners.push(member);
        }
        Ok(Self { owners })
    }

    /// The member that owns an address.
    #[must_use]
    pub fn owner(&self, address: u64) -> Option<CollectorIndex> {
        self.owners.get(partition(address)).copied()
    }

    /// The members that own an address, the first choice first, each once.
    ///
    /// The first is the peer's. The others are the owners of the partitions that
    /// follow, so that copies spread as evenly as the partitions do.
    pub fn owners(&self, address: u64) -> impl Iterator<Item = CollectorIndex> {
        let start = partition(address);
        let mut seen = Vec::new();
        self.owners[start..].iter().chain(&self.owners[..start]).copied().filter(move |owner| {
            let new = !seen.contains(owner);
            if new {
                seen.push(*owner);
            }
            new
        })
    }
}

/// The ring: points in order, each with its member.
fn points(version: Version, members: &Members) -> Vec<(u64, CollectorIndex)> {
    let mut ring = BTreeMap::new();
    for (index, collector) in (0..).zip(members.collectors()) {
        for replica in 0..REPLICAS {
            ring.insert(xxh64(version.member_key(&collector.name, replica).as_bytes(), 0), index);
        }
    }
    ring.into_iter().collect()
}
