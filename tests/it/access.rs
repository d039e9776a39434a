//! The status of every route, for every kind of caller, through every gateway.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use target_allocator::http::patterns;

use crate::events::{COLLECTOR, GATEWAYS, Gateway, http_api, verified};
use crate::function::{Answer, Function};
use crate::shop::shop_with;

const OWN: &str = "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets?collector_id=otel-collector-0";
const ALL: &str = "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets";
const OTHER: &str = "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets?collector_id=otel-collector-1";
const NO_JOB: &str = "/jobs/nothing/targets?collector_id=otel-collector-1";

/// A caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// There is no authorizer.
    Unknown,
    /// The authorizer did not verify the token.
    Unverified,
    /// A collector with its own token.
    Collector,
    /// Another collector of the same service account, with its own token.
    OtherPod,
    /// The collectors' service account, with a token that belongs to no pod.
    NoPod,
    /// Another service account of the namespace.
    OtherAccount,
    /// A service account of another namespace with the name of the collectors' account.
    OtherNamespace,
    /// A subject that the config names under `viewers`.
    Viewer,
}

/// A pipeline with the jobs of the shop.
const PIPELINES: &str = "pipelines: {shop: {jobs: ['serviceMonitor/shop/*']}}\n";

/// The key that makes [`Asker::Viewer`] a viewer.
pub const VIEWERS: &str = "viewers: ['system:serviceaccount:ops:*']\n";

impl Asker {
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Unverified,
        Self::Collector,
        Self::OtherPod,
        Self::NoPod,
        Self::OtherAccount,
        Self::OtherNamespace,
        Self::Viewer,
    ];

    /// Whether the caller is a verified collector.
    pub fn may_have_credentials(self) -> bool {
        matches!(self, Self::Collector | Self::OtherPod | Self::NoPod)
    }

    pub fn event(self, gateway: Gateway, path: &str) -> Value {
        let event = gateway(path);
        match self {
            Self::Unknown => event,
            Self::Unverified => {
                let mut event = verified(event, COLLECTOR, Some("otel-collector-0"));
                event["requestContext"].as_object_mut().unwrap().remove("authorizer");
                event
            }
            Self::Collector => verified(event, COLLECTOR, Some("otel-collector-0")),
            Self::OtherPod => verified(event, COLLECTOR, Some("otel-collector-1")),
            Self::NoPod => verified(event, COLLECTOR, None),
            Self::OtherAccount => verified(event, "system:serviceaccount:monitoring:grafana", Some("grafana-0")),
            Self::OtherNamespace => {
                verified(event, "system:serviceaccount:shop:otel-collector", Some("otel-collector-0"))
            }
            Self::Viewer => verified(event, "system:serviceaccount:ops:grafana", Some("otel-collector-0")),
        }
    }
}

/// Admitted callers get an answer. Others do not.
const ADMITTED: [u16; 8] = [200, 200, 200, 200, 200, 403, 403, 200];
/// Only callers that may see all shares get an answer.
const OF_ALL: [u16; 8] = [200, 200, 403, 403, 403, 403, 403, 200];
/// As [`OF_ALL`], but a parameter is missing or wrong.
const BAD: [u16; 8] = [400, 400, 403, 403, 403, 403, 403, 400];
/// As [`OF_ALL`], but the object does not exist.
const ABSENT: [u16; 8] = [404, 404, 403, 403, 403, 403, 403, 404];
/// As [`ADMITTED`], but the object does not exist.
const UNKNOWN: [u16; 8] = [404, 404, 404, 404, 404, 403, 403, 404];
/// The share of the first collector, of the second collector, and of the caller.
const FIRST: [u16; 8] = [200, 200, 200, 403, 403, 403, 403, 200];
const SECOND: [u16; 8] = [200, 200, 403, 200, 403, 403, 403, 200];
const ONES_OWN: [u16; 8] = [200, 200, 200, 200, 403, 403, 403, 200];

/// Routes with the status for each caller. `docs/security.md` contains the same table.
pub const TABLE: [(&str, [u16; 8]); 48] = [
    ("/livez", [200; 8]),
    ("/readyz", [200; 8]),
    ("/", ADMITTED),
    ("/scrape_configs", ADMITTED),
    ("/jobs", ADMITTED),
    ("/metrics", ADMITTED),
    ("/debug/report", ADMITTED),
    ("/merged/scrape_configs", ADMITTED),
    ("/merged/jobs", ADMITTED),
    (OWN, FIRST),
    (OTHER, SECOND),
    (ALL, ONES_OWN),
    (NO_JOB, SECOND),
    ("/merged/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets?collector_id=otel-collector-0", FIRST),
    ("/merged/jobs/nothing/targets?collector_id=otel-collector-1", SECOND),
    ("/merged/targets?collector_id=otel-collector-0", FIRST),
    ("/merged/targets?collector_id=otel-collector-1", SECOND),
    ("/merged/targets?collector_id=nobody", OF_ALL),
    ("/pipelines/shop/scrape_configs", ADMITTED),
    ("/pipelines/shop/jobs", ADMITTED),
    ("/pipelines/shop/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets?collector_id=otel-collector-0", FIRST),
    ("/pipelines/shop/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets", ONES_OWN),
    ("/pipelines/shop/merged/scrape_configs", ADMITTED),
    ("/pipelines/shop/merged/jobs", ADMITTED),
    ("/pipelines/shop/merged/jobs/nothing/targets?collector_id=otel-collector-1", SECOND),
    ("/pipelines/shop/merged/targets?collector_id=otel-collector-0", FIRST),
    ("/pipelines/nothing/scrape_configs", UNKNOWN),
    ("/explain", BAD),
    ("/explain?any=web", OF_ALL),
    ("/explain?monitor=ServiceMonitor/shop/web", OF_ALL),
    ("/explain?pod=shop/web-0", OF_ALL),
    ("/explain?service=shop/web", OF_ALL),
    ("/explain?target=10.0.0.1:80", OF_ALL),
    ("/explain?collector=otel-collector-0", OF_ALL),
    ("/debug/jobs", OF_ALL),
    ("/debug/job", BAD),
    ("/debug/job?job_id=nothing", ABSENT),
    ("/debug/job?job_id=serviceMonitor/shop/web/0", OF_ALL),
    ("/debug/targets", OF_ALL),
    ("/debug/collectors", OF_ALL),
    ("/debug/collector", BAD),
    ("/debug/collector?collector_id=nobody", ABSENT),
    ("/debug/collector?collector_id=otel-collector-0", OF_ALL),
    ("/debug/scrape_configs", OF_ALL),
    ("/debug/target", BAD),
    ("/debug/target?target_hash=0", BAD),
    ("/debug/target?job_id=serviceMonitor/shop/web/0&target_hash=1", ABSENT),
    ("/nothing/here", [404; 8]),
];

/// The table in the format of the document.
fn documented() -> String {
    let rows = TABLE.iter().map(|(path, statuses)| {
        let [unknown, unverified, rest @ ..] = statuses;
        assert_eq!(unknown, unverified, "a token that nobody has verified says nothing: {path}");
        let cells: Vec<_> = [unknown].into_iter().chain(rest).map(u16::to_string).collect();
        format!("| `{path}` | {} |\n", cells.join(" | "))
    });
    rows.collect()
}

#[test]
fn the_document_contains_the_tested_table() {
    let document = include_str!("../../docs/security.md");
    let table = documented();
    assert!(document.contains(&table), "docs/security.md must have these rows:\n{table}");
}

#[test]
fn the_table_has_every_route() {
    for pattern in patterns() {
        let pattern = pattern.replace("{pipeline}", "shop");
        let (before, after) = pattern.split_once("{job}").unwrap_or((&pattern, ""));
        let has = |path: &str| {
            let path = path.split('?').next().unwrap();
            let rest = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            rest.is_some_and(|job| job.is_empty() != pattern.contains("{job}"))
        };
        assert!(TABLE.iter().any(|(path, _)| has(path)), "the table lacks a row for {pattern}");
    }
}

/// The example cluster, with viewers and a pipeline in the config.
async fn shop_with_viewers(more: &[(&str, &str)]) -> Function {
    let config = format!("{}\n{VIEWERS}{PIPELINES}", include_str!("../../examples/shop/targetallocator.yaml"));
    let config = [("ALLOCATOR_CONFIG_FILE", ""), ("ALLOCATOR_CONFIG", config.as_str())];
    shop_with(&[&config, more].concat()).await
}

/// Checks the status. Also checks that a failure has a message, and that a success has none.
fn check(answer: &Answer, expected: u16, what: &str) {
    assert_eq!(answer.status, expected, "{what}: {}", String::from_utf8_lossy(&answer.body));
    if expected != 200 && !answer.headers["content-type"].starts_with("text/html") {
        assert!(!answer.message().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn behind_an_authorizer_each_collector_gets_its_own_share() {
    let function = shop_with_viewers(&[("SECRETS", "inline")]).await;
    for (path, expected) in TABLE {
        let [as_nobody, ..] = expected;
        for (asker, expected) in Asker::ALL.into_iter().zip(expected) {
            for (gateway, event) in GATEWAYS {
                let what = format!("{path} for {asker:?} through {gateway}");
                // A load balancer has no authorizer, so its callers are anonymous.
                let expected = if gateway == "ALB" { as_nobody } else { expected };
                check(&function.invoke(asker.event(event, path)).await, expected, &what);
            }
        }
    }
}

#[tokio::test]
async fn the_identity_supplies_the_collector() {
    let function = shop_with(&[]).await;
    let own = function.get(OWN).await;
    assert!(own.json().as_array().is_some_and(|groups| !groups.is_empty()));
    let supplied = function.invoke(Asker::Collector.event(http_api, ALL)).await;
    assert_eq!((supplied.status, &supplied.body), (200, &own.body));
    let own = function.get("/merged/targets?collector_id=otel-collector-0").await;
    let supplied = function.invoke(Asker::Collector.event(http_api, "/merged/targets")).await;
    assert_eq!((supplied.status, &supplied.body), (200, &own.body));
    assert!(function.get(ALL).await.json().is_object(), "without an identity: everybody's");
}

#[tokio::test]
async fn subjects_that_the_config_names_need_a_token() {
    let config = include_str!("../../examples/shop/targetallocator.yaml");
    let config = format!("{config}\nallowed_subjects: ['system:serviceaccount:monitoring:grafana']\n");
    let function = shop_with(&[("ALLOCATOR_CONFIG_FILE", ""), ("ALLOCATOR_CONFIG", &config)]).await;
    for path in ["/", "/scrape_configs", "/jobs", "/debug/report", OWN, ALL] {
        for asker in [Asker::Unknown, Asker::Unverified] {
            for (gateway, event) in GATEWAYS {
                let answer = function.invoke(asker.event(event, path)).await;
                check(&answer, 401, &format!("{path} for {asker:?} through {gateway}"));
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
            }
        }
        check(&function.invoke(Asker::Collector.event(http_api, path)).await, 403, path);
    }
    check(&function.invoke(Asker::OtherAccount.event(http_api, "/jobs")).await, 200, "one who is named");
    check(&function.get("/readyz").await, 200, "whether it is ready, anyone may ask");
}

#[tokio::test]
async fn credentials_are_served_only_to_verified_callers_and_if_enabled() {
    for mode in ["omit", "inline"] {
        let function = shop_with_viewers(&[("SECRETS", mode)]).await;
        for asker in [Asker::Unknown, Asker::Unverified, Asker::Collector, Asker::NoPod, Asker::Viewer] {
            for (gateway, event) in GATEWAYS {
                let known = matches!(asker, Asker::Collector | Asker::NoPod) && gateway != "ALB";
                let answer = function.invoke(asker.event(event, "/scrape_configs")).await;
                let configs = answer.json();
                for (job, field) in [
                    ("serviceMonitor/payments/fraud/0", "/basic_auth/password"),
                    ("serviceMonitor/payments/payments/0", "/authorization/credentials"),
                ] {
                    let shown = configs[job].pointer(field).unwrap() != "<secret>";
                    assert_eq!(shown, known && mode == "inline", "{mode}: {asker:?}, {gateway}: {job}");
                }
                assert!(answer.headers["vary"].contains("authorization"), "{:?}", answer.headers);
                let merged = function.invoke(asker.event(event, "/merged/scrape_configs")).await.body;
                let shown = String::from_utf8(merged).unwrap().contains("example-payments-token");
                assert_eq!(shown, known && mode == "inline", "{mode}: {asker:?}, {gateway}: merged");
            }
        }
        for path in ["/", "/jobs", "/debug/report", OWN] {
            let body = function.invoke(Asker::Collector.event(http_api, path)).await.body;
            let body = String::from_utf8(body).unwrap();
            for credential in ["example-payments-token", "example-fraud-password"] {
                assert!(!body.contains(credential), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn viewers_see_all_shares_without_a_name() {
    let function = shop_with_viewers(&[("SECRETS", "inline")]).await;
    for path in [ALL, OWN, OTHER] {
        let expected = function.get(path).await;
        for (gateway, event) in GATEWAYS {
            let answer = function.invoke(Asker::Viewer.event(event, path)).await;
            assert_eq!((answer.status, &answer.body), (200, &expected.body), "{gateway}: {path}");
        }
    }
}

/// Each job with credentials has a rule with their version. The version changes only if the credentials change.
#[tokio::test]
async fn a_change_of_credentials_changes_what_collectors_compare() {
    let cluster = tempfile::tempdir().unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    for file in std::fs::read_dir(format!("{root}/examples/shop/cluster")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), cluster.path().join(file.file_name())).unwrap();
    }
    let manifests = format!("manifests:{}", cluster.path().display());
    let variables = |rotation| {
        [("CLUSTER", manifests.as_str()), ("SNAPSHOT_TTL", "0"), ("SECRETS", "inline"), ("SECRET_ROTATION", rotation)]
    };
    let (off, on) = (shop_with(&variables("off")).await, shop_with(&variables("on")).await);
    let ask = async |function: &crate::function::Function| {
        function.invoke(Asker::Collector.event(http_api, "/scrape_configs")).await.json()
    };
    let (plain, first) = (ask(&off).await, ask(&on).await);
    assert_eq!(first, ask(&on).await, "the same credentials");
    let hidden = off.get("/scrape_configs").await.json();
    assert_eq!(on.get("/scrape_configs").await.json(), hidden, "nothing to rotate");

    let credentials = cluster.path().join("3-credentials.yaml");
    let text = std::fs::read_to_string(&credentials).unwrap();
    let password = |text: &str| STANDARD.encode(text);
    let text = text.replace(&password("example-fraud-password"), &password("another-password"));
    std::fs::write(&credentials, text).unwrap();
    let second = ask(&on).await;

    let version = |configs: &Value, job: &str| {
        let rules = configs[job]["relabel_configs"].as_array().unwrap();
        let is_version = |rule: &&Value| rule["target_label"] == "__tmp_credentials_version";
        rules.iter().find(is_version).map(|rule| rule["replacement"].as_str().unwrap().to_owned())
    };
    for (job, config) in plain.as_object().unwrap() {
        let (before, after) = (version(&first, job), version(&second, job));
        let has_credentials = hidden[job].to_string().contains("<secret>");
        assert_eq!(before.is_some(), has_credentials, "{job}");
        assert_eq!(before != after, job == "serviceMonitor/payments/fraud/0", "{job}");
        if let Some(version) = before {
            let mut expected = config.clone();
            expected["relabel_configs"].as_array_mut().unwrap().push(json!({
                "source_labels": ["__tmp_credentials_version"], "separator": ";", "regex": version,
                "target_label": "__tmp_credentials_version", "replacement": version, "action": "replace"
            }));
            assert_eq!(first[job], expected, "{job}");
        }
    }
}
