//! A duration in `targetallocator.yaml`, as the operator reads it.

use serde::Deserialize;
use serde::de::Deserializer;

use crate::duration::Duration;

/// A duration as Go's `time.ParseDuration` reads it, or a number of nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct GoDuration(pub(super) Duration);

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a duration such as 30s or 1m30s")]
        enum Written {
            Text(String),
            Nanoseconds(u64),
        }
        match Written::deserialize(deserializer)? {
            Written::Text(text) => Duration::parse_go(&text).map(Self).map_err(serde::de::Error::custom),
            // The operator would take 5 for 5 ns.
            Written::Nanoseconds(nanoseconds @ 1..1_000_000) => Err(serde::de::Error::custom(format_args!(
                "a number is in nanoseconds, write a duration such as 30s: {nanoseconds}"
            ))),
            Written::Nanoseconds(nanoseconds) => Ok(Self(Duration::from_millis(nanoseconds / 1_000_000))),
        }
    }
}
