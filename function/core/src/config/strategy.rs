//! How targets are given out: the strategy, its fallback, copies, the filter.

use super::ConfigError;
use crate::shard::consistent_hashing::Version;
use crate::shard::{Fallback, Spread, Strategy};

/// The keys that decide the strategy.
pub(super) struct Keys {
    pub strategy: Option<String>,
    pub fallback: Option<String>,
    pub replicas: Option<u32>,
    pub fallback_without_collector: Option<bool>,
}

const SPREADS: &str = "consistent-hashing, consistent-hashing-v0.10, least-weighted";

pub(super) fn read(keys: Keys) -> Result<Strategy, ConfigError> {
    let Keys { strategy, fallback, replicas, fallback_without_collector } = keys;
    // The operator writes an empty text for what is not set.
    let (strategy, fallback) = (strategy.unwrap_or_default(), fallback.unwrap_or_default());
    let replicas = replicas.unwrap_or(1);
    if replicas == 0 {
        return Err(ConfigError::key("allocation_replicas", "must be at least 1: 0"));
    }
    if fallback_without_collector == Some(true) && (strategy != "per-node" || fallback.is_empty()) {
        let reason = "goes with allocation_strategy: per-node and an allocation_fallback_strategy";
        return Err(ConfigError::key("allocation_fallback_without_collector", reason));
    }
    if strategy == "per-node" {
        if replicas > 1 {
            let reason = format!("per-node gives a target to the one collector on its node: {replicas}");
            return Err(ConfigError::key("allocation_replicas", reason));
        }
        return Ok(Strategy::PerNode {
            fallback: read_fallback(&fallback)?.map(|strategy| Fallback {
                strategy,
                also_without_collector: fallback_without_collector.unwrap_or_default(),
            }),
        });
    }
    // As in the peer, a fallback of another strategy must exist but is never asked.
    read_fallback(&fallback)?;
    let strategy = if strategy.is_empty() { "consistent-hashing" } else { &strategy };
    match read_spread(strategy) {
        Some(strategy) => Ok(Strategy::Spread { strategy, replicas }),
        None => {
            Err(ConfigError::key("allocation_strategy", format!("must be one of {SPREADS}, per-node: {strategy:?}")))
        }
    }
}

fn read_fallback(fallback: &str) -> Result<Option<Spread>, ConfigError> {
    match (fallback, read_spread(fallback)) {
        ("", _) => Ok(None),
        (_, Some(strategy)) => Ok(Some(strategy)),
        (_, None) => {
            Err(ConfigError::key("allocation_fallback_strategy", format!("must be one of {SPREADS}: {fallback:?}")))
        }
    }
}

fn read_spread(name: &str) -> Option<Spread> {
    match name {
        "consistent-hashing" => Some(Spread::ConsistentHashing(Version::V1_0)),
        "consistent-hashing-v0.10" => Some(Spread::ConsistentHashing(Version::V0_10)),
        "least-weighted" => Some(Spread::LeastWeighted),
        _ => None,
    }
}

/// Whether relabelling decides which targets are served.
pub(super) fn read_filter(filter: Option<&str>) -> Result<bool, ConfigError> {
    match filter {
        None | Some("relabel-config") => Ok(true),
        Some("" | "none") => Ok(false),
        Some(other) => {
            let reason = format!("must be relabel-config, or none to serve what relabelling drops too: {other:?}");
            Err(ConfigError::key("filter_strategy", reason))
        }
    }
}
