//! Who is answered what: every route, for every kind of asker, through every gateway.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::events::{COLLECTOR, GATEWAYS, Gateway, http_api, verified};
use crate::function::Answer;
use crate::shop::shop_with;

const OWN: &str = "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets?collector_id=otel-collector-0";
const ALL: &str = "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets";
const OTHER: &str = "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets?collector_id=otel-collector-1";
const NO_JOB: &str = "/jobs/nothing/targets?collector_id=otel-collector-1";

/// Who asks.
#[derive(Debug, Clone, Copy)]
enum Asker {
    /// No authorizer stands before the function.
    Unknown,
    /// A token that nobody has verified.
    Unverified,
    /// A collector with a token of its own.
    Collector,
    /// Its service account, with a token that is not a pod's.
    NoPod,
    /// Another service account of the namespace.
    OtherAccount,
    /// The same account's name in another namespace.
    OtherNamespace,
}

impl Asker {
    const ALL: [Self; 6] =
        [Self::Unknown, Self::Unverified, Self::Collector, Self::NoPod, Self::OtherAccount, Self::OtherNamespace];

    fn event(self, gateway: Gateway, path: &str) -> Value {
        let event = gateway(path);
        match self {
            Self::Unknown => event,
            Self::Unverified => {
                let mut event = verified(event, COLLECTOR, Some("otel-collector-0"));
                event["requestContext"].as_object_mut().unwrap().remove("authorizer");
                event
            }
            Self::Collector => verified(event, COLLECTOR, Some("otel-collector-0")),
            Self::NoPod => verified(event, COLLECTOR, None),
            Self::OtherAccount => verified(event, "system:serviceaccount:monitoring:grafana", Some("grafana-0")),
            Self::OtherNamespace => {
                verified(event, "system:serviceaccount:shop:otel-collector", Some("otel-collector-0"))
            }
        }
    }
}

/// Checks a status, and that a failure has a message and a success is none.
fn check(answer: &Answer, expected: u16, what: &str) {
    assert_eq!(answer.status, expected, "{what}: {}", String::from_utf8_lossy(&answer.body));
    if expected != 200 {
        assert!(!answer.message().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn behind_an_authorizer_collectors_get_what_is_theirs() {
    let function = shop_with(&[("SECRETS", "inline")]).await;
    // Unknown, unverified, collector, without a pod, two strangers.
    let table = [
        ("/", [200, 200, 200, 200, 403, 403]),
        ("/scrape_configs", [200, 200, 200, 200, 403, 403]),
        ("/jobs", [200, 200, 200, 200, 403, 403]),
        ("/debug/report", [200, 200, 200, 200, 403, 403]),
        (OWN, [200, 200, 200, 403, 403, 403]),
        (OTHER, [200, 200, 403, 403, 403, 403]),
        (ALL, [200, 200, 200, 403, 403, 403]),
        (NO_JOB, [200, 200, 403, 403, 403, 403]),
        ("/merged/scrape_configs", [200, 200, 200, 200, 403, 403]),
        ("/merged/jobs", [200, 200, 200, 200, 403, 403]),
        ("/merged/targets?collector_id=otel-collector-0", [200, 200, 200, 403, 403, 403]),
        ("/merged/targets?collector_id=otel-collector-1", [200, 200, 403, 403, 403, 403]),
        ("/merged/jobs/nothing/targets?collector_id=otel-collector-1", [200, 200, 403, 403, 403, 403]),
        ("/livez", [200; 6]),
        ("/readyz", [200; 6]),
        ("/nothing/here", [404; 6]),
    ];
    for (path, expected) in table {
        for (asker, expected) in Asker::ALL.into_iter().zip(expected) {
            for (gateway, event) in GATEWAYS {
                let what = format!("{path} for {asker:?} through {gateway}");
                // What a load balancer sends is always of the unknown.
                let expected =
                    if gateway == "ALB" { if path == "/nothing/here" { 404 } else { 200 } } else { expected };
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
async fn subjects_that_the_config_names_are_asked_for_a_token() {
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
async fn credentials_are_served_where_it_is_set_to_those_whom_an_authorizer_knows() {
    for mode in ["omit", "inline"] {
        let function = shop_with(&[("SECRETS", mode)]).await;
        for asker in [Asker::Unknown, Asker::Unverified, Asker::Collector, Asker::NoPod] {
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
                assert_eq!(answer.headers["vary"], "accept-encoding, authorization");
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

/// A rule that carries the version of credentials stands in jobs that have some, and
/// changes when they do and with nothing else.
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
