//! Several clusters behind one URL: the paths that reach each cluster, and the tokens that it accepts.

use serde_json::{Value, json};

use crate::events::{COLLECTOR, GATEWAYS, Gateway, function_url, http_api, rest_api};
use crate::function::{Answer, Function};

const PROD: &str = "https://oidc.eks.eu-central-1.amazonaws.com/id/PROD";
const DEV: &str = "https://oidc.eks.eu-central-1.amazonaws.com/id/DEV";
const ROLE: &str = "arn:aws:iam::123456789012:role/prod-collectors";

/// Two clusters with equal objects. Only the names of their service accounts differ.
pub async fn two(more: &[(&str, &str)]) -> Function {
    let root = env!("CARGO_MANIFEST_DIR");
    let manifests = format!("manifests:{root}/examples/shop/cluster");
    let clusters = format!("prod={manifests},dev={manifests}");
    let config = format!("{root}/examples/shop/targetallocator.yaml");
    let variables = [("CLUSTER", clusters.as_str()), ("ALLOCATOR_CONFIG_FILE", &config), ("SECRETS", "inline")];
    Function::start(&[&variables, more].concat()).await
}

/// The event after an authorizer verified a token of this issuer, or AWS credentials.
pub fn issued(mut event: Value, subject: &str, issuer: Option<&str>) -> Value {
    event["requestContext"]["authorizer"] = match (event["version"] == "2.0", issuer) {
        (true, Some(issuer)) => json!({"jwt": {"claims": {"sub": subject, "iss": issuer}, "scopes": null}}),
        (true, None) => json!({"iam": {"userArn": subject}}),
        (false, Some(issuer)) => json!({"principalId": subject, "sub": subject, "iss": issuer}),
        (false, None) => json!({"principalId": subject}),
    };
    event
}

/// The gateways that have authorizers.
const AUTHORIZED: [(&str, Gateway); 3] =
    [("HTTP API", http_api), ("REST API", rest_api), ("function URL", function_url)];

fn shows_credentials(answer: &Answer) -> bool {
    String::from_utf8_lossy(&answer.body).contains("example-payments-token")
}

const ROUTES: [&str; 7] =
    ["/", "/scrape_configs", "/jobs", "/merged/scrape_configs", "/merged/jobs", "/metrics", "/debug/report"];

#[tokio::test]
async fn a_token_is_accepted_only_for_the_clusters_of_its_issuer() {
    let issuers = format!("prod={PROD},dev={DEV}");
    let function = two(&[("CLUSTER_ISSUERS", &issuers)]).await;
    for (gateway, event) in AUTHORIZED {
        for route in ROUTES {
            for (cluster, own, other) in [("prod", PROD, DEV), ("dev", DEV, PROD)] {
                let path = format!("/{cluster}{route}");
                let what = format!("{path} through {gateway}");
                let answer = function.invoke(issued(event(&path), COLLECTOR, Some(own))).await;
                assert_eq!(answer.status, 200, "{what}");
                assert_eq!(shows_credentials(&answer), route.ends_with("scrape_configs"), "{what}");
                for issuer in [other, "https://other.example.com", ""] {
                    let answer = function.invoke(issued(event(&path), COLLECTOR, Some(issuer))).await;
                    assert_eq!(answer.status, 403, "{what}, issuer {issuer:?}");
                    assert!(!answer.message().contains(own), "{what}: {}", answer.message());
                }
                let unnamed = function.invoke(issued(event(&path), COLLECTOR, None)).await;
                assert_eq!(unnamed.status, 403, "{what}");
                assert!(unnamed.message().contains("CLUSTER_SUBJECTS"), "{what}: {}", unnamed.message());
                assert_eq!(function.invoke(event(&path)).await.status, 401, "{what}, without an authorizer");
            }
        }
    }
}

/// The pod is read from the bearer token, but never the issuer. A Lambda authorizer can verify another token.
#[tokio::test]
async fn the_issuer_is_never_read_from_the_bearer_token() {
    let issuers = "prod=https://issuer.example.com,dev=any";
    let function = two(&[("CLUSTER_ISSUERS", issuers)]).await;
    let event = |path| crate::events::verified(rest_api(path), COLLECTOR, Some("otel-collector-0"));
    assert_eq!(function.invoke(event("/prod/scrape_configs")).await.status, 403);
    assert_eq!(function.invoke(event("/dev/scrape_configs")).await.status, 200);
}

#[tokio::test]
async fn without_settings_no_identity_reaches_two_clusters() {
    let function = two(&[]).await;
    for cluster in ["prod", "dev"] {
        for route in ROUTES {
            let path = format!("/{cluster}{route}");
            for (gateway, event) in GATEWAYS {
                let anonymous = function.invoke(event(&path)).await;
                assert_eq!(anonymous.status, 200, "{gateway}: {path}");
                assert!(!shows_credentials(&anonymous), "{gateway}: {path}");
            }
            for (gateway, event) in AUTHORIZED {
                let answer = function.invoke(issued(event(&path), COLLECTOR, Some(PROD))).await;
                assert_eq!(answer.status, 403, "{gateway}: {path}");
                assert!(answer.message().contains("set CLUSTER_ISSUERS"), "{}", answer.message());
            }
        }
        assert_eq!(function.get(&format!("/{cluster}/readyz")).await.status, 200);
    }
}

/// AWS credentials have no issuer, so a setting names the subjects of each cluster.
#[tokio::test]
async fn aws_credentials_are_accepted_only_for_the_clusters_that_name_them() {
    let subjects = format!("prod={ROLE}");
    let config = include_str!("../../examples/shop/targetallocator.yaml");
    let config = format!("{config}\nallowed_subjects: ['*']\n");
    let variables =
        [("CLUSTER_SUBJECTS", subjects.as_str()), ("ALLOCATOR_CONFIG", &config), ("ALLOCATOR_CONFIG_FILE", "")];
    let function = two(&variables).await;
    for (gateway, event) in AUTHORIZED {
        for (path, subject, status) in [
            ("/prod/scrape_configs", ROLE, 200),
            ("/dev/scrape_configs", ROLE, 403),
            ("/prod/scrape_configs", "arn:aws:iam::123456789012:role/dev-collectors", 403),
        ] {
            let answer = function.invoke(issued(event(path), subject, None)).await;
            assert_eq!(answer.status, status, "{gateway}: {path} for {subject}");
        }
    }
}

#[tokio::test]
async fn only_the_exact_prefix_reaches_a_cluster() {
    let function = two(&[("CLUSTER_ISSUERS", "prod=any,dev=any"), ("BASE_PATH", "/allocator")]).await;
    let nowhere = [
        "/dev/prod/scrape_configs",
        "/dev/../prod/scrape_configs",
        "/dev//prod/scrape_configs",
        "/dev/./prod/scrape_configs",
        "/dev/%2e%2e/prod/scrape_configs",
        "/dev/%2E%2E%2Fprod/scrape_configs",
        "/dev%2F..%2Fprod/scrape_configs",
        "/dev/x/../../prod/jobs",
        "/dev/allocator/prod/jobs",
        "/other/prod/jobs",
        "/allocator/dev/prod/jobs",
        "/allocator/../prod/jobs",
        "//prod/jobs",
        "/prod/prod/jobs",
        "/prod/dev/merged/targets?collector_id=otel-collector-0",
        "/dev/prod/livez",
        "/dev/prod/",
        "/PROD/jobs",
        "/scrape_configs",
    ];
    for path in nowhere {
        for (gateway, event) in GATEWAYS {
            let answer = function.invoke(event(path)).await;
            assert_eq!(answer.status, 404, "{gateway}: {path}");
            assert!(!answer.message().is_empty(), "{gateway}: {path}");
        }
    }
    for (gateway, event) in GATEWAYS {
        for path in ["/prod/jobs", "/dev/jobs", "/allocator/prod/jobs", "/livez", "/dev/livez", "/allocator/dev/readyz"]
        {
            assert_eq!(function.invoke(event(path)).await.status, 200, "{gateway}: {path}");
        }
    }
}

/// The event contains the stage of an API, and the base path of a custom domain.
#[tokio::test]
async fn a_stage_or_a_base_path_can_have_the_name_of_a_cluster() {
    let function = two(&[]).await;
    // REST APIs omit the stage `prod` from the path.
    for path in ["/prod/scrape_configs", "/dev/scrape_configs"] {
        assert_eq!(function.invoke(rest_api(path)).await.status, 200, "{path}");
        let mut bare = rest_api(path);
        bare["pathParameters"] = Value::Null;
        bare["resource"] = json!("/");
        assert_eq!(function.invoke(bare).await.status, 200, "{path}");
    }
    assert_eq!(function.invoke(rest_api("/prod/dev/scrape_configs")).await.status, 404);
    // A custom domain adds its base path to the path of a REST API.
    let mapped = |base: &str, path: &str| {
        let mut event = rest_api(path);
        event["path"] = json!(format!("{base}{path}"));
        event["requestContext"]["path"] = json!(format!("{base}{path}"));
        event
    };
    for (base, path, status) in [
        ("/targets", "/prod/scrape_configs", 200),
        ("/a/b", "/dev/scrape_configs", 200),
        ("/dev", "/prod/scrape_configs", 200),
        ("/dev", "/dev/prod/scrape_configs", 404),
        ("/dev/..", "/prod/scrape_configs", 404),
        ("/dev/", "/prod/scrape_configs", 404),
    ] {
        assert_eq!(function.invoke(mapped(base, path)).await.status, status, "{base}{path}");
    }
    // HTTP APIs add a named stage to the path.
    let staged = |stage: &str, path: &str| {
        let mut event = http_api(path);
        event["requestContext"]["stage"] = json!(stage);
        event
    };
    for (stage, path, status) in [
        ("prod", "/prod/prod/jobs", 200),
        ("live", "/live/dev/jobs", 200),
        ("live", "/other/dev/jobs", 404),
        ("live", "/live/dev/prod/jobs", 404),
    ] {
        assert_eq!(function.invoke(staged(stage, path)).await.status, status, "{stage}: {path}");
    }
}
