//! The keys of the strategy: its fallback, the number of replicas and the filter.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::ConfigError;
use crate::objects::null_to_default;
use crate::shard::consistent_hashing::Version;
use crate::shard::rendezvous::Rendezvous;
use crate::shard::{Fallback, Spread, Strategy};

/// The keys that define the strategy.
pub(super) struct Keys {
    pub strategy: Option<String>,
    pub fallback: Option<String>,
    pub config: StrategyConfigKey,
    pub replicas: Option<u32>,
    pub fallback_without_collector: Option<bool>,
    pub rendezvous: Option<RendezvousKey>,
}

/// `allocation_strategy_config`: a section for each of the operator's strategies (operator PR 5492).
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StrategyConfigKey {
    consistent_hashing: Option<IgnoredAny>,
    least_weighted: Option<IgnoredAny>,
    #[serde(deserialize_with = "null_to_default")]
    per_node: PerNodeKey,
}

/// `allocation_strategy_config.per_node`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PerNodeKey {
    fallback_strategy: Option<FallbackKey>,
}

/// `allocation_strategy_config.per_node.fallback_strategy`: a name, and empty sections as above.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FallbackKey {
    name: Option<String>,
    consistent_hashing: Option<IgnoredAny>,
    least_weighted: Option<IgnoredAny>,
}

/// `rendezvous_hashing`: the settings of the rendezvous strategy.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RendezvousKey {
    bound: Option<f64>,
    same_zone_first: bool,
    by_scrape_rate: bool,
}

/// The default maximum load of a collector, in thousandths of the mean.
const BOUND: u32 = 1030;
/// The maximum of the setting `bound`. A larger bound would never apply.
const LARGEST_BOUND: f64 = 100.0;

const SPREADS: &str = "consistent-hashing, consistent-hashing-v0.10, least-weighted, rendezvous-hashing";

pub(super) fn read(keys: Keys) -> Result<Strategy, ConfigError> {
    let Keys { strategy, fallback, config, replicas, fallback_without_collector, rendezvous } = keys;
    // The operator writes an empty text for an unset strategy.
    let (strategy, fallback) = (strategy.unwrap_or_default(), fallback_name(fallback.unwrap_or_default(), config)?);
    let replicas = replicas.unwrap_or(1);
    if rendezvous.is_some() && strategy != RENDEZVOUS && fallback != RENDEZVOUS {
        let reason = "requires allocation_strategy or allocation_fallback_strategy: rendezvous-hashing";
        return Err(ConfigError::key("rendezvous_hashing", reason));
    }
    let rendezvous = read_rendezvous(rendezvous.unwrap_or_default())?;
    if replicas == 0 {
        return Err(ConfigError::key("allocation_replicas", "must be at least 1: 0"));
    }
    if fallback_without_collector == Some(true) && (strategy != PER_NODE || fallback.is_empty()) {
        let reason = "requires allocation_strategy: per-node and an allocation_fallback_strategy";
        return Err(ConfigError::key("allocation_fallback_without_collector", reason));
    }
    if strategy == PER_NODE {
        if replicas > 1 {
            let reason = format!("per-node gives a target to the one collector on its node: {replicas}");
            return Err(ConfigError::key("allocation_replicas", reason));
        }
        return Ok(Strategy::PerNode {
            fallback: read_fallback(&fallback, rendezvous)?.map(|strategy| Fallback {
                strategy,
                also_without_collector: fallback_without_collector.unwrap_or_default(),
            }),
        });
    }
    // As in the operator, a fallback of another strategy must be valid, but is never used.
    read_fallback(&fallback, rendezvous)?;
    let strategy = if strategy.is_empty() { CONSISTENT_HASHING } else { &strategy };
    match read_spread(strategy, rendezvous) {
        Some(strategy) => Ok(Strategy::Spread { strategy, replicas }),
        None => {
            Err(ConfigError::key("allocation_strategy", format!("must be one of {SPREADS}, per-node: {strategy:?}")))
        }
    }
}

fn read_rendezvous(key: RendezvousKey) -> Result<Rendezvous, ConfigError> {
    let RendezvousKey { bound, same_zone_first, by_scrape_rate } = key;
    let bound = match bound {
        None => BOUND,
        Some(bound) if (1.0..=LARGEST_BOUND).contains(&bound) => {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1000 and 100000")]
            let thousandths = (bound * 1000.0).round() as u32;
            thousandths
        }
        Some(bound) => {
            let reason =
                format!("the most a collector takes, as a multiple of the mean, from 1 to {LARGEST_BOUND}: {bound}");
            return Err(ConfigError::key("rendezvous_hashing.bound", reason));
        }
    };
    Ok(Rendezvous { bound, same_zone_first, by_scrape_rate })
}

const NEWER_FALLBACK: &str = "allocation_strategy_config.per_node.fallback_strategy.name";

/// The name of the fallback, in either spelling.
///
/// DIFFERENCE(two-fallbacks): two different names are an error. In the operator the newer spelling wins without a
/// message.
fn fallback_name(older: String, config: StrategyConfigKey) -> Result<String, ConfigError> {
    let StrategyConfigKey { consistent_hashing: _, least_weighted: _, per_node } = config;
    let Some(newer) = per_node.fallback_strategy else { return Ok(older) };
    let FallbackKey { name, consistent_hashing: _, least_weighted: _ } = newer;
    let newer = name.unwrap_or_default();
    if newer.is_empty() {
        return Err(ConfigError::key(NEWER_FALLBACK, format!("must be one of {SPREADS}, per-node: \"\"")));
    }
    if !older.is_empty() && older != newer {
        let reason = format!("contradicts allocation_fallback_strategy {older:?}, set only one of them: {newer:?}");
        return Err(ConfigError::key(NEWER_FALLBACK, reason));
    }
    Ok(newer)
}

fn read_fallback(fallback: &str, rendezvous: Rendezvous) -> Result<Option<Spread>, ConfigError> {
    match (fallback, read_spread(fallback, rendezvous)) {
        // The operator accepts per-node as a fallback. It has no effect, because it cannot place a target that per-node
        // did not place.
        ("" | PER_NODE, _) => Ok(None),
        (_, Some(strategy)) => Ok(Some(strategy)),
        (_, None) => {
            let reason = format!("must be one of {SPREADS}, per-node: {fallback:?}");
            Err(ConfigError::key("allocation_fallback_strategy", reason))
        }
    }
}

const RENDEZVOUS: &str = "rendezvous-hashing";
const CONSISTENT_HASHING: &str = "consistent-hashing";
const CONSISTENT_HASHING_V0_10: &str = "consistent-hashing-v0.10";
const LEAST_WEIGHTED: &str = "least-weighted";
const PER_NODE: &str = "per-node";

impl Strategy {
    /// The value of `allocation_strategy` that selects this strategy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PerNode { .. } => PER_NODE,
            Self::Spread { strategy, .. } => match strategy {
                Spread::ConsistentHashing(Version::V1_0) => CONSISTENT_HASHING,
                Spread::ConsistentHashing(Version::V0_10) => CONSISTENT_HASHING_V0_10,
                Spread::LeastWeighted => LEAST_WEIGHTED,
                Spread::Rendezvous(_) => RENDEZVOUS,
            },
        }
    }
}

fn read_spread(name: &str, rendezvous: Rendezvous) -> Option<Spread> {
    match name {
        RENDEZVOUS => Some(Spread::Rendezvous(rendezvous)),
        CONSISTENT_HASHING => Some(Spread::ConsistentHashing(Version::V1_0)),
        CONSISTENT_HASHING_V0_10 => Some(Spread::ConsistentHashing(Version::V0_10)),
        LEAST_WEIGHTED => Some(Spread::LeastWeighted),
        _ => None,
    }
}

/// Whether targets that relabelling drops are left out.
pub(super) fn read_filter(filter: Option<&str>) -> Result<bool, ConfigError> {
    match filter {
        None | Some("relabel-config") => Ok(true),
        Some("" | "none") => Ok(false),
        Some(other) => {
            let reason =
                format!("must be relabel-config, or none to serve targets that relabelling drops, too: {other:?}");
            Err(ConfigError::key("filter_strategy", reason))
        }
    }
}
