//! The callers that are admitted, and their shares.

use serde_json::json;

use super::*;
use crate::objects::Pod;

fn config(keys: &str) -> Config {
    Config::parse(&format!("prometheus_cr: {{enabled: true}}\n{keys}"), None).unwrap()
}

/// Pods of two collectors with their own service accounts, and two pods that are not collectors.
fn cluster() -> Cluster {
    let pod = |namespace: &str, name: &str, app: &str, account: &str| -> Pod {
        serde_json::from_value(json!({
            "metadata": {"namespace": namespace, "name": name, "labels": {"app": app}},
            "spec": {"serviceAccountName": account}
        }))
        .unwrap()
    };
    let pods = [
        pod("monitoring", "c-0", "otel", "collector"),
        pod("monitoring", "c-1", "otel", "gateway"),
        pod("monitoring", "grafana", "grafana", "grafana"),
        pod("bare", "c-0", "otel", ""),
    ];
    Cluster { pods: pods.into_iter().collect(), ..Cluster::default() }
}

fn access(keys: &str) -> Access {
    Access::new(&config(keys), &cluster())
}

fn caller(subject: &str, pod: Option<&str>) -> Caller {
    let node = pod.map(|_| "node-a".to_owned());
    Caller::Verified(Identity { subject: subject.to_owned(), pod: pod.map(str::to_owned), node, issuer: None })
}

const PODS: &str = "collector_namespace: monitoring\ncollector_selector: {matchLabels: {app: otel}}\n";
const COLLECTOR: &str = "system:serviceaccount:monitoring:collector";

#[test]
fn the_config_can_name_the_admitted_subjects() {
    let bare = PODS.replace("monitoring", "bare");
    let named = |subjects: &str| format!("{PODS}allowed_subjects: {subjects}");
    let everybody_of_it = "collector_namespace: monitoring\ncollectors: {names: [a]}";
    let subject = |namespace: &str, name: &str| format!("system:serviceaccount:{namespace}:{name}");
    let cases = [
        (PODS.to_owned(), subject("monitoring", "collector"), true),
        (PODS.to_owned(), subject("monitoring", "gateway"), true),
        (PODS.to_owned(), subject("monitoring", "grafana"), false),
        (PODS.to_owned(), subject("shop", "collector"), false),
        (PODS.to_owned(), "arn:aws:iam::1:role/admin".to_owned(), false),
        (PODS.replace("otel", "nobody"), subject("monitoring", "collector"), true),
        (PODS.replace("otel", "nobody"), subject("shop", "collector"), false),
        (bare.clone(), subject("bare", "whoever"), true),
        (bare, subject("monitoring", "collector"), false),
        (everybody_of_it.to_owned(), subject("monitoring", "whoever"), true),
        (everybody_of_it.to_owned(), subject("monitoring2", "whoever"), false),
        (everybody_of_it.to_owned(), "monitoring".to_owned(), false),
        (String::new(), "anyone".to_owned(), true),
        (named("[anna, 'system:serviceaccount:ops:*']"), "anna".to_owned(), true),
        (named("[anna, 'system:serviceaccount:ops:*']"), subject("ops", "x"), true),
        (named("[anna, 'system:serviceaccount:ops:*']"), subject("opsy", "x"), false),
        (named("[anna, 'system:serviceaccount:ops:*']"), "anna2".to_owned(), false),
        // Subjects in the config replace the collectors.
        (named("[anna]"), subject("monitoring", "collector"), false),
    ];
    for (keys, subject, expected) in cases {
        let admitted = access(&keys).admit(&caller(&subject, Some("c-0")));
        assert_eq!(admitted.is_ok(), expected, "{keys}: {subject}: {admitted:?}");
        if let Err(denied) = admitted {
            assert!(denied.to_string().contains(&format!("{subject:?}")), "{denied}");
        }
    }
}

#[test]
fn anonymous_callers_are_admitted_unless_the_config_names_subjects() {
    let named = format!("{PODS}allowed_subjects: ['*']");
    let refused = Err(Denied::Unauthenticated { setting: "allowed_subjects" });
    for (keys, expected) in [(PODS, Ok(Reader::Anonymous)), ("", Ok(Reader::Anonymous)), (&named, refused)] {
        let access = access(keys);
        assert_eq!(access.admit(&Caller::Unknown), expected, "{keys}");
        for asked in [None, Some("c-9")] {
            assert_eq!(access.share(&Caller::Unknown, asked), Ok(asked.map(str::to_owned)));
        }
    }
}

#[test]
fn a_collector_may_request_its_own_share_and_the_shares_that_the_config_allows() {
    let identity = |pattern: &str| format!("{PODS}collector_identity: '{pattern}'");
    let cases = [
        // The default: a collector may see only its own share.
        (PODS.to_owned(), Some("c-0"), None, Ok(Some("c-0"))),
        (PODS.to_owned(), Some("c-0"), Some("c-0"), Ok(Some("c-0"))),
        (PODS.to_owned(), Some("c-0"), Some("c-1"), Err("does not let the pod \"c-0\" request the share")),
        (PODS.to_owned(), Some("c-0"), Some(""), Err("does not let the pod \"c-0\" request the share")),
        (PODS.to_owned(), None, None, Err("compares the caller's pod")),
        (PODS.to_owned(), None, Some("c-0"), Err("compares the caller's pod")),
        (identity("pod"), Some("c-0"), Some("c-1"), Err("does not let")),
        (identity("any"), Some("c-0"), Some("c-1"), Ok(Some("c-1"))),
        (identity("any"), Some("c-0"), None, Ok(Some("c-0"))),
        (identity("any"), None, None, Ok(None)),
        (identity("edge-*"), None, Some("edge-7"), Ok(Some("edge-7"))),
        (identity("edge-*"), None, Some("core-7"), Err("does not let \"system:serviceaccount:monitoring:collector\"")),
        (identity("edge-*"), Some("c-0"), None, Err("request all shares: set collector_id")),
        (identity("{pod}-*"), Some("c-0"), Some("c-0-b"), Ok(Some("c-0-b"))),
        (identity("{pod}-*"), Some("c-0"), Some("c-1-b"), Err("does not let")),
        (identity("*-of-{pod}-*-x"), Some("c-0"), Some("a-of-c-0-of-c-0-x-x"), Ok(Some("a-of-c-0-of-c-0-x-x"))),
        (identity("*-of-{pod}-*-x"), Some("c-0"), Some("a-of-c-0-x"), Err("does not let")),
        (identity("{node}/{serviceaccount}"), Some("c-0"), None, Ok(Some("node-a/collector"))),
        (identity("{node}/{serviceaccount}"), None, None, Err("compares the caller's node")),
        (identity("{namespace}.{pod}"), Some("c-0"), Some("monitoring.c-0"), Ok(Some("monitoring.c-0"))),
        (identity("{subject}"), None, None, Ok(Some(COLLECTOR))),
        // A star in the token is not a wildcard.
        (identity("{pod}"), Some("*"), Some("c-0"), Err("does not let")),
    ];
    for (keys, pod, asked, expected) in cases {
        let share = access(&keys).share(&caller(COLLECTOR, pod), asked);
        match (share, expected) {
            (Ok(share), Ok(expected)) => assert_eq!(share.as_deref(), expected, "{keys}: {pod:?} {asked:?}"),
            (Err(denied), Err(reason)) => assert!(denied.to_string().contains(reason), "{keys}: {denied}"),
            (share, expected) => panic!("{keys}: {pod:?} {asked:?}: {share:?}, not {expected:?}"),
        }
    }
}

#[test]
fn a_pod_of_another_namespace_is_not_the_collector_of_the_same_name() {
    let keys = format!("{PODS}allowed_subjects: ['system:serviceaccount:*']");
    let tenant = caller("system:serviceaccount:tenant:collector", Some("c-0"));
    let expected = Denied::Namespace { collectors: "monitoring".to_owned(), token: "tenant".to_owned() };
    for asked in [None, Some("c-0")] {
        assert_eq!(access(&keys).share(&tenant, asked), Err(expected.clone()));
    }
    // Collectors that the config names can run in any namespace.
    let share = access("collectors: {names: [c-0]}").share(&tenant, None);
    assert_eq!(share, Ok(Some("c-0".to_owned())));
}

#[test]
fn viewers_read_all_shares_and_are_never_collectors() {
    let viewers = "viewers: ['system:serviceaccount:ops:*', 'arn:aws:iam::1:role/ops']\n";
    let named = format!("{viewers}allowed_subjects: ['system:serviceaccount:monitoring:*']\n");
    let everybody = format!("{PODS}viewers: ['*']\n");
    let subject = |namespace: &str, name: &str| format!("system:serviceaccount:{namespace}:{name}");
    let cases = [
        (format!("{PODS}{viewers}"), subject("ops", "anna"), Some(Reader::Viewer)),
        (format!("{PODS}{viewers}"), "arn:aws:iam::1:role/ops".to_owned(), Some(Reader::Viewer)),
        (format!("{PODS}{viewers}"), COLLECTOR.to_owned(), Some(Reader::Collector)),
        (format!("{PODS}{viewers}"), subject("shop", "web"), None),
        (format!("{PODS}{viewers}"), subject("opsy", "anna"), None),
        // Viewers are added to `allowed_subjects`, and lose the rights of a collector.
        (format!("{PODS}{named}"), subject("ops", "anna"), Some(Reader::Viewer)),
        (everybody, COLLECTOR.to_owned(), Some(Reader::Viewer)),
        (PODS.to_owned(), subject("ops", "anna"), None),
    ];
    for (keys, subject, expected) in cases {
        let access = access(&keys);
        for pod in [None, Some("c-0")] {
            let caller = caller(&subject, pod);
            assert_eq!(access.admit(&caller).ok(), expected, "{keys}: {subject}");
            if expected == Some(Reader::Viewer) {
                for asked in [None, Some("c-0"), Some("c-1"), Some("nobody")] {
                    assert_eq!(access.share(&caller, asked), Ok(asked.map(str::to_owned)), "{keys}: {subject}");
                }
                assert_eq!(access.all_shares(&caller), Ok(()), "{keys}: {subject}");
            }
        }
    }
    assert_eq!(access(&format!("{PODS}{viewers}")).admit(&Caller::Unknown), Ok(Reader::Anonymous));
}
