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
use target_allocator_core::discovery::proxy::EnvironmentProxies;
use target_allocator_core::monitors::bounds::Bounds;
use target_allocator_core::targets::ServedLabels;

use crate::external::Place;

pub use source::{EksCluster, NamedSource, Source};

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The clusters. A single cluster may have no name.
    pub clusters: Vec<NamedSource>,
    /// What stands before a cluster's name in paths (`BASE_PATH`), such as `/allocator`.
    pub base_path: Option<String>,
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

/// More than the head of any answer takes.
const MOST_HEAD: usize = 8 * 1024;

impl ResponseMode {
    /// What the body of an answer may take: Lambda refuses buffered answers of more than 6 MiB, head and
    /// JSON escapes included.
    #[must_use]
    pub const fn most_bytes(self) -> usize {
        match self {
            Self::Buffer => 6 * 1024 * 1024 - MOST_HEAD,
            Self::Stream => usize::MAX,
        }
    }

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
        Self::load_with(&lookup, &lookup)
    }

    /// Reads the settings as [`Settings::load`] does. `variable` gives the value of a variable that the allocator
    /// config refers to by `${env:NAME}`.
    ///
    /// # Errors
    /// When a variable is missing or wrong, by its name.
    pub fn load_with(
        lookup: &dyn Fn(&str) -> Option<String>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let get = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        // Read by itself, since it decides how an error of the others is sent.
        let mode = ResponseMode::load(lookup)?;
        let clusters = source::parse(&source::Variables {
            cluster: get("CLUSTER"),
            issuers: get("CLUSTER_ISSUERS"),
            subjects: get("CLUSTER_SUBJECTS"),
        })?;
        let freshness = load_freshness(get("SNAPSHOT_TTL"), get("SNAPSHOT_MAX_STALE"))?;
        let config = Config {
            most_of_a_list: mode.most_bytes(),
            keep_unknown: freshness.max_stale,
            ..load_config(get, variable)?
        };
        Ok(Self {
            base_path: source::parse_base_path(get("BASE_PATH").as_deref(), &clusters)?,
            clusters,
            config,
            freshness,
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

fn load_config(
    get: impl Fn(&str) -> Option<String> + Copy,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Config> {
    let mut config = read_config(get, variable)?;
    // Lambda says how many megabytes the function has. A job of a quarter leaves room for the next snapshot.
    if let Some(memory) = get(MEMORY_SIZE) {
        config.most_of_a_job = (parse_memory(&memory)? << 20) / 4;
    }
    let bounds = load_bounds(get)?;
    if let Some(monitors) = &mut config.monitors {
        monitors.bounds = bounds;
    }
    Ok(config)
}

/// The variable in which Lambda says how many megabytes the function has.
pub const MEMORY_SIZE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// Far more megabytes than a function can have. A sum with more could overflow.
const MOST_MEMORY: usize = 1 << 20;

fn parse_memory(text: &str) -> Result<usize> {
    let megabytes = text.trim().parse().ok().filter(|megabytes| (1..=MOST_MEMORY).contains(megabytes));
    megabytes.with_context(|| format!("{MEMORY_SIZE} must be the function's memory in MB, Lambda sets it: {text:?}"))
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

fn read_config(get: impl Fn(&str) -> Option<String>, variable: &dyn Fn(&str) -> Option<String>) -> Result<Config> {
    let (inline, file) = (get("ALLOCATOR_CONFIG"), get("ALLOCATOR_CONFIG_FILE"));
    let namespace = get("OTELCOL_NAMESPACE");
    // Checked without a config too: a wrong value is always an error.
    is_strict(get("ALLOCATOR_CONFIG_STRICT"))?;
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
    let config = Config::parse_with(&text, namespace.as_deref(), variable)
        .with_context(|| format!("the allocator config is not valid: {origin}"))?;
    if is_strict(get("ALLOCATOR_CONFIG_STRICT"))? && !config.unknown.is_empty() {
        let unknown: Vec<_> = config.unknown.iter().map(ToString::to_string).collect();
        bail!(
            "the allocator config has unknown keys, which ALLOCATOR_CONFIG_STRICT=on refuses: {}",
            unknown.join(", ")
        );
    }
    Ok(config)
}

/// Whether unknown keys of the config stop the start (`ALLOCATOR_CONFIG_STRICT`).
fn is_strict(value: Option<String>) -> Result<bool> {
    match value.as_deref().map(str::trim) {
        None | Some("off") => Ok(false),
        Some("on") => Ok(true),
        Some(other) => bail!("ALLOCATOR_CONFIG_STRICT must be on or off: {other:?}"),
    }
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
    fn defaults_equal_the_contract() {
        let settings = load(&[("CLUSTER", "kubeconfig"), ("SECRETS", ""), ("SNAPSHOT_TTL", " ")]).unwrap();
        let freshness = Freshness { ttl: Duration::from_secs(15), max_stale: Duration::from_secs(600) };
        assert_eq!(settings.freshness, freshness);
        assert_eq!(settings.target_labels, ServedLabels::Referenced);
        assert_eq!(settings.secrets, Secrets::Omit);
        assert_eq!(settings.secret_rotation, SecretRotation::Off);
    }

    #[test]
    fn a_strict_config_has_no_unknown_keys() {
        let text = "{prometheus_cr: {enabled: true, scrapeInterval: 30s}, nonsense: 1}";
        let with = |strict| load(&[("CLUSTER", "kubeconfig"), ("ALLOCATOR_CONFIG", text), strict]);
        assert_eq!(with(("ALLOCATOR_CONFIG_STRICT", "off")).unwrap().config.unknown.len(), 2);
        assert_eq!(
            with(("ALLOCATOR_CONFIG_STRICT", "on")).unwrap_err().to_string(),
            "the allocator config has unknown keys, which ALLOCATOR_CONFIG_STRICT=on refuses: nonsense, \
             prometheus_cr.scrapeInterval (did you mean scrape_interval?)"
        );
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
            (
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "lots"),
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE must be the function's memory in MB, Lambda sets it: \"lots\"",
            ),
            (
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "-1"),
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE must be the function's memory in MB, Lambda sets it: \"-1\"",
            ),
            (("BASE_PATH", "/a//b"), "BASE_PATH must be a path such as /allocator or /a/b: \"a//b\""),
            (("CLUSTER_ISSUERS", "any"), "CLUSTER_ISSUERS must have the form CLUSTER=VALUE,CLUSTER=VALUE: \"any\""),
            (("OBJECT_LIMIT_BYTES", "2M"), "OBJECT_LIMIT_BYTES must be a whole number of at least 1: \"2M\""),
            (("OBJECT_LIMIT_ENDPOINTS", "0"), "OBJECT_LIMIT_ENDPOINTS must be a whole number of at least 1: \"0\""),
            (("SECRET_ROTATION", "true"), "SECRET_ROTATION must be on or off: \"true\""),
            (("ALLOCATOR_CONFIG_FILE", "/nonexistent"), "ALLOCATOR_CONFIG_FILE cannot be read: /nonexistent"),
            (("ALLOCATOR_CONFIG", "nonsense: 1"), "the allocator config is not valid: ALLOCATOR_CONFIG"),
            (("ALLOCATOR_CONFIG_STRICT", "true"), "ALLOCATOR_CONFIG_STRICT must be on or off: \"true\""),
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
