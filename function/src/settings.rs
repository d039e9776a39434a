//! What the function is told by its environment.
//!
//! Input: a look-up of variables (the environment, or a table in tests). Output:
//! typed settings, or an error that names the variable. Nothing else reads the
//! environment, and an unknown value is an error, never a default.

pub mod source;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use target_allocator_core::config::Config;
use target_allocator_core::discovery::external::proxy::EnvironmentProxies;
use target_allocator_core::monitors::bounds::Bounds;
use target_allocator_core::targets::ServedLabels;

use crate::external::Place;

pub use source::{EksCluster, NamedSource, Source};

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The clusters; a single one may be nameless.
    pub clusters: Vec<NamedSource>,
    /// What `targetallocator.yaml` says.
    pub config: Config,
    /// When snapshots are refreshed.
    pub freshness: Freshness,
    /// Which labels of a target are served.
    pub target_labels: ServedLabels,
    /// Whether credentials are served.
    pub secrets: Secrets,
    /// Whether a collector notices that nothing but credentials has changed.
    pub secret_rotation: SecretRotation,
    /// Where the function runs.
    pub place: Place,
}

/// How old an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Past this age a snapshot is refreshed (`SNAPSHOT_TTL`).
    pub ttl: Duration,
    /// Past this age it no longer answers, even if refreshing fails (`SNAPSHOT_MAX_STALE`).
    pub max_stale: Duration,
}

/// Whether credentials are served (`SECRETS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// `<secret>` in their place.
    Omit,
    /// As they are, to those whom an authorizer knows.
    Inline,
}

/// How answers are sent (`RESPONSE_MODE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// In one piece, of 6 MB at most.
    Buffer,
    /// As a stream, where the gateway can have one.
    Stream,
}

impl ResponseMode {
    /// Reads the setting.
    ///
    /// # Errors
    /// When its value is unknown.
    pub fn load(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        match lookup("RESPONSE_MODE").as_deref().map(str::trim) {
            None | Some("" | "buffer") => Ok(Self::Buffer),
            Some("stream") => Ok(Self::Stream),
            Some(other) => bail!("RESPONSE_MODE must be buffer or stream: {other:?}"),
        }
    }
}

/// Whether credentials that are served bring changes of theirs to running collectors (`SECRET_ROTATION`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretRotation {
    /// A collector takes new credentials at its next start or change of anything else, as with the peer.
    Off,
    /// A rule without effect carries their version.
    On,
}

impl Settings {
    /// Reads the settings.
    ///
    /// `lookup` gives the value of a variable; an empty value counts as unset,
    /// as SAM passes parameters that were left empty.
    ///
    /// # Errors
    /// When a variable is missing or wrong, by its name.
    pub fn load(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let get = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        // Read by itself, since it decides how an error of the others is sent.
        ResponseMode::load(&lookup)?;
        Ok(Self {
            clusters: source::parse_clusters(get("CLUSTER").as_deref())?,
            config: load_config(get)?,
            freshness: load_freshness(get("SNAPSHOT_TTL"), get("SNAPSHOT_MAX_STALE"))?,
            target_labels: match get("TARGET_LABELS").as_deref() {
                None | Some("referenced") => ServedLabels::Referenced,
                Some("all") => ServedLabels::All,
                Some(other) => bail!("TARGET_LABELS must be referenced or all: {other:?}"),
            },
            secrets: match get("SECRETS").as_deref() {
                None | Some("omit") => Secrets::Omit,
                Some("inline") => Secrets::Inline,
                Some(other) => bail!("SECRETS must be omit or inline: {other:?}"),
            },
            secret_rotation: match get("SECRET_ROTATION").as_deref() {
                None | Some("off") => SecretRotation::Off,
                Some("on") => SecretRotation::On,
                Some(other) => bail!("SECRET_ROTATION must be on or off: {other:?}"),
            },
            place: Place {
                folder: get("LAMBDA_TASK_ROOT").map_or_else(|| PathBuf::from("."), PathBuf::from),
                runtime_api: get("AWS_LAMBDA_RUNTIME_API"),
                proxies: load_proxies(get),
            },
        })
    }
}

/// The usual variables, in capitals or not.
fn load_proxies(get: impl Fn(&str) -> Option<String>) -> EnvironmentProxies {
    let either = |name: &str| get(name).or_else(|| get(&name.to_ascii_lowercase())).unwrap_or_default();
    EnvironmentProxies { http: either("HTTP_PROXY"), https: either("HTTPS_PROXY"), no_proxy: either("NO_PROXY") }
}

fn load_freshness(ttl: Option<String>, max_stale: Option<String>) -> Result<Freshness> {
    let freshness =
        Freshness { ttl: seconds("SNAPSHOT_TTL", ttl, 15)?, max_stale: seconds("SNAPSHOT_MAX_STALE", max_stale, 600)? };
    ensure!(
        freshness.ttl <= freshness.max_stale,
        "SNAPSHOT_TTL must not be more than SNAPSHOT_MAX_STALE: {:?} > {:?}",
        freshness.ttl,
        freshness.max_stale
    );
    Ok(freshness)
}

fn seconds(name: &str, value: Option<String>, default: u64) -> Result<Duration> {
    let Some(value) = value else { return Ok(Duration::from_secs(default)) };
    let seconds =
        value.trim().parse().with_context(|| format!("{name} must be a whole number of seconds: {value:?}"))?;
    Ok(Duration::from_secs(seconds))
}

fn load_config(get: impl Fn(&str) -> Option<String> + Copy) -> Result<Config> {
    let mut config = read_config(get)?;
    // Lambda says how many megabytes the function has. A job of a quarter leaves room for the next snapshot.
    if let Some(memory) = get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|memory| memory.parse::<usize>().ok()) {
        config.most_of_a_job = (memory << 20) / 4;
    }
    let bounds = load_bounds(get)?;
    if let Some(monitors) = &mut config.monitors {
        monitors.bounds = bounds;
    }
    Ok(config)
}

fn load_bounds(get: impl Fn(&str) -> Option<String>) -> Result<Bounds> {
    let defaults = Bounds::default();
    let limit = |name: &str, default: usize| {
        let Some(value) = get(name) else { return Ok(default) };
        let limit = value.trim().parse().ok().filter(|limit| *limit > 0);
        limit.with_context(|| format!("{name} must be a whole number of at least 1: {value:?}"))
    };
    Ok(Bounds {
        object_endpoints: limit("OBJECT_LIMIT_ENDPOINTS", defaults.object_endpoints)?,
        object_bytes: limit("OBJECT_LIMIT_BYTES", defaults.object_bytes)?,
        namespace_bytes: limit("NAMESPACE_LIMIT_BYTES", defaults.namespace_bytes)?,
        total_bytes: limit("TOTAL_LIMIT_BYTES", defaults.total_bytes)?,
    })
}

fn read_config(get: impl Fn(&str) -> Option<String>) -> Result<Config> {
    let (inline, file) = (get("ALLOCATOR_CONFIG"), get("ALLOCATOR_CONFIG_FILE"));
    let namespace = get("OTELCOL_NAMESPACE");
    let (text, origin) = match (inline, file.map(PathBuf::from)) {
        (Some(_), Some(_)) => bail!("set one of ALLOCATOR_CONFIG and ALLOCATOR_CONFIG_FILE, not both"),
        (Some(text), None) => (text, "ALLOCATOR_CONFIG".to_owned()),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("ALLOCATOR_CONFIG_FILE cannot be read: {}", path.display()))?;
            (text, path.display().to_string())
        }
        (None, None) => return Ok(Config::default()),
    };
    Config::parse(&text, namespace.as_deref()).with_context(|| format!("the allocator config is not valid: {origin}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<Settings> {
        Settings::load(|name| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let settings = load(&[("CLUSTER", "kubeconfig"), ("SECRETS", ""), ("SNAPSHOT_TTL", " ")]).unwrap();
        let freshness = Freshness { ttl: Duration::from_secs(15), max_stale: Duration::from_secs(600) };
        assert_eq!(settings.freshness, freshness);
        assert_eq!(settings.target_labels, ServedLabels::Referenced);
        assert_eq!(settings.secrets, Secrets::Omit);
        assert_eq!(settings.secret_rotation, SecretRotation::Off);
    }

    #[test]
    fn bounds_are_read_one_by_one() {
        let bounds = |variables: &[(&str, &str)]| {
            let variables = [&[("CLUSTER", "kubeconfig")], variables].concat();
            load(&variables).unwrap().config.monitors.unwrap().bounds
        };
        let defaults = Bounds::default();
        assert_eq!(bounds(&[("TOTAL_LIMIT_BYTES", " ")]), defaults);
        assert_eq!(bounds(&[("OBJECT_LIMIT_ENDPOINTS", "7")]), Bounds { object_endpoints: 7, ..defaults });
        assert_eq!(bounds(&[("OBJECT_LIMIT_BYTES", "7")]), Bounds { object_bytes: 7, ..defaults });
        assert_eq!(bounds(&[("NAMESPACE_LIMIT_BYTES", "7")]), Bounds { namespace_bytes: 7, ..defaults });
        assert_eq!(bounds(&[("TOTAL_LIMIT_BYTES", " 7 ")]), Bounds { total_bytes: 7, ..defaults });
    }

    #[test]
    fn a_wrong_value_is_an_error_that_names_the_variable() {
        let cases = [
            (("SNAPSHOT_TTL", "15s"), "SNAPSHOT_TTL must be a whole number of seconds: \"15s\""),
            (("SNAPSHOT_TTL", "601"), "SNAPSHOT_TTL must not be more than SNAPSHOT_MAX_STALE: 601s > 600s"),
            (("SNAPSHOT_MAX_STALE", "-1"), "SNAPSHOT_MAX_STALE must be a whole number of seconds: \"-1\""),
            (("TARGET_LABELS", "some"), "TARGET_LABELS must be referenced or all: \"some\""),
            (("SECRETS", "yes"), "SECRETS must be omit or inline: \"yes\""),
            (("RESPONSE_MODE", "chunks"), "RESPONSE_MODE must be buffer or stream: \"chunks\""),
            (("OBJECT_LIMIT_BYTES", "2M"), "OBJECT_LIMIT_BYTES must be a whole number of at least 1: \"2M\""),
            (("OBJECT_LIMIT_ENDPOINTS", "0"), "OBJECT_LIMIT_ENDPOINTS must be a whole number of at least 1: \"0\""),
            (("SECRET_ROTATION", "true"), "SECRET_ROTATION must be on or off: \"true\""),
            (("ALLOCATOR_CONFIG_FILE", "/nonexistent"), "ALLOCATOR_CONFIG_FILE cannot be read: /nonexistent"),
            (("ALLOCATOR_CONFIG", "nonsense: 1"), "the allocator config is not valid: ALLOCATOR_CONFIG"),
        ];
        for (variable, expected) in cases {
            let error = load(&[("CLUSTER", "kubeconfig"), variable]).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let both = [("CLUSTER", "kubeconfig"), ("ALLOCATOR_CONFIG", "a"), ("ALLOCATOR_CONFIG_FILE", "b")];
        assert_eq!(
            load(&both).unwrap_err().to_string(),
            "set one of ALLOCATOR_CONFIG and ALLOCATOR_CONFIG_FILE, not both"
        );
    }
}
