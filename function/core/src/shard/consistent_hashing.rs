//! Consistent hashing with bounded loads, equal to the Go module `buraksezer/consistent`.
//!
//! Members and partitions have positions on a ring, by xxhash64. Each partition goes to the next member on the ring
//! that has room. A target belongs to the partition that the hash of its address selects.

use std::collections::BTreeMap;

use serde::Serialize;
use xxhash_rust::xxh64::xxh64;

use super::{CollectorIndex, Members};

/// Number of partitions, points per member, and maximum load relative to the mean: the settings of the operator's
/// allocator (`allocation/consistent_hashing.go`). Other values would assign targets to other collectors than the
/// operator does.
const PARTITIONS: u64 = 1061;
const REPLICAS: usize = 5;
const LOAD: f64 = 1.1;

/// The release of `buraksezer/consistent` to follow.
///
/// The releases differ in the ring keys of members, and in the maximum number of partitions of a member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum Version {
    /// v1.0.0, which the operator's main branch uses.
    #[default]
    V1_0,
    /// v0.10.0, which operator releases up to 0.158 use.
    V0_10,
}

impl Version {
    fn member_key(self, name: &str, replica: usize) -> String {
        match self {
            Self::V1_0 => format!("{replica}:{name}"),
            Self::V0_10 => format!("{name}{replica}"),
        }
    }

    /// The maximum number of partitions of one member.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the Go module computes in float64 and rounds up; the values are between 0 and 1168"
    )]
    fn capacity(self, members: usize) -> u32 {
        let mean = match self {
            Self::V1_0 => PARTITIONS as f64 / members as f64,
            // v0.10.0 divides integers before it converts to a float.
            Self::V0_10 => (PARTITIONS / members as u64) as f64,
        };
        (mean * LOAD).ceil() as u32
    }
}

/// Why the partitions cannot be distributed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// v0.10.0 rounds the capacity of a member to zero partitions.
    #[error(
        "consistent-hashing-v0.10 takes at most {PARTITIONS} collectors, use consistent-hashing instead: {0} collectors"
    )]
    TooManyCollectors(usize),
}

/// The owner of each partition.
#[derive(Debug, Clone)]
pub struct Ring {
    owners: Vec<CollectorIndex>,
}

/// The partition of an address, from the xxhash64 of the address.
#[must_use]
pub fn partition(address: u64) -> usize {
    usize::try_from(address % PARTITIONS).unwrap_or_default()
}

impl Ring {
    /// Distributes the partitions over `members`.
    ///
    /// # Errors
    /// [`RingError`] if the members have no room for all partitions.
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

    /// The owner of an address, from the xxhash64 of the address. `None` without members.
    #[must_use]
    pub fn owner(&self, address: u64) -> Option<CollectorIndex> {
        self.owners.get(partition(address)).copied()
    }

    /// All members in the order in which they take replicas of an address.
    ///
    /// The first member is the owner, as in the operator. The others own the next partitions, so replicas are as even
    /// as the partitions.
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

/// The points of the members on the ring, in order.
fn points(version: Version, members: &Members) -> Vec<(u64, CollectorIndex)> {
    let mut ring = BTreeMap::new();
    for (index, collector) in (0..).zip(members.collectors()) {
        for replica in 0..REPLICAS {
            ring.insert(xxh64(version.member_key(&collector.name, replica).as_bytes(), 0), index);
        }
    }
    ring.into_iter().collect()
}
