//! An EKS cluster: the search for its endpoint, and its callers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::clusters::issued;
use crate::events::{http_api, rest_api};
use crate::function::Function;
use crate::kubernetes::{Behaviour, Kubernetes};

const AUTHORITY: &str = include_str!("../../function/core/src/monitors/certificate/test-data/ed25519.crt");

/// A role that the function can assume.
const ROLE: &str = "arn:aws:iam::210987654321:role/reader";

/// Servers for EKS and STS, with clusters by name.
#[derive(Clone, Default)]
struct Aws {
    clusters: Arc<Mutex<BTreeMap<String, Value>>>,
    url: String,
}

impl Aws {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let aws = Self { url, ..Self::default() };
        let router = Router::new()
            .route("/clusters/{name}", get(describe))
            .route("/", post(assume_role))
            .with_state(aws.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        aws
    }

    /// Adds or changes a cluster.
    fn put(&self, name: &str, server: &str, public: bool) {
        let cluster = json!({
            "name": name, "endpoint": server, "certificateAuthority": {"data": STANDARD.encode(AUTHORITY)},
            "resourcesVpcConfig": {"endpointPublicAccess": public, "endpointPrivateAccess": !public},
            "identity": {"oidc": {"issuer": issuer(name)}}
        });
        self.clusters.lock().unwrap().insert(name.to_owned(), cluster);
    }

    async fn function(&self, cluster: &str) -> Function {
        Function::start(&[
            ("CLUSTER", cluster),
            ("SNAPSHOT_TTL", "0"),
            ("AWS_ENDPOINT_URL_EKS", &self.url),
            ("AWS_ENDPOINT_URL_STS", &self.url),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_MAX_ATTEMPTS", "1"),
        ])
        .await
    }
}

/// The issuer of a cluster's tokens in the answer of EKS.
fn issuer(cluster: &str) -> String {
    format!("https://oidc.eks.eu-central-1.amazonaws.com/id/{cluster}")
}

fn refuse(status: StatusCode, code: &str) -> Response {
    (status, [("x-amzn-errortype", code.to_owned())], json!({"message": "no"}).to_string()).into_response()
}

async fn describe(State(aws): State<Aws>, Path(name): Path<String>) -> Response {
    match (name.as_str(), aws.clusters.lock().unwrap().get(&name)) {
        ("young", _) => json!({"cluster": {"name": name, "status": "CREATING"}}).to_string().into_response(),
        ("secret", _) => refuse(StatusCode::FORBIDDEN, "AccessDeniedException"),
        (_, Some(cluster)) => json!({"cluster": cluster}).to_string().into_response(),
        (_, None) => refuse(StatusCode::NOT_FOUND, "ResourceNotFoundException"),
    }
}

async fn assume_role(body: String) -> Response {
    let role = ROLE.replace(':', "%3A").replace('/', "%2F");
    if !body.contains(&format!("RoleArn={role}&")) && !body.ends_with(&format!("RoleArn={role}")) {
        let error = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
            <Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>";
        return (StatusCode::FORBIDDEN, error).into_response();
    }
    "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId>\
     <Arn>arn:aws:sts::210987654321:assumed-role/reader/target-allocator</Arn></AssumedRoleUser>\
     <Credentials><AccessKeyId>ASIAOFTHEROLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
     <SessionToken>session</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>\
     </AssumeRoleResult></AssumeRoleResponse>"
        .into_response()
}

/// The URL in the token of the last request.
fn presigned(kubernetes: &Kubernetes) -> String {
    let authorization = kubernetes.authorization().expect("requests carry a token");
    let token = authorization.strip_prefix("Bearer k8s-aws-v1.").expect("a token of EKS");
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap()
}

#[tokio::test]
async fn a_cluster_is_found_by_its_name_and_read_with_a_signed_token() {
    let kubernetes = Kubernetes::start(&[]).await;
    let aws = Aws::start().await;
    aws.put("shop", &kubernetes.server, true);
    let role = format!("eks:shop?role={ROLE}");
    let cases = [
        ("eks:shop", "eu-central-1", "AKIDEXAMPLE"),
        ("eks:shop@us-west-2", "us-west-2", "AKIDEXAMPLE"),
        (&role, "eu-central-1", "ASIAOFTHEROLE"),
    ];
    for (cluster, region, key) in cases {
        let answer = aws.function(cluster).await.get("/jobs").await;
        assert_eq!((answer.status, answer.json()), (200, json!({})), "{cluster}");
        let url = presigned(&kubernetes);
        assert!(url.starts_with(&format!("https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity")), "{url}");
        assert!(url.contains(&format!("X-Amz-Credential={key}%2F")), "{cluster}: {url}");
    }
}

/// EKS publishes the issuer of each cluster, so no setting is needed.
#[tokio::test]
async fn a_token_of_one_eks_cluster_is_refused_by_another() {
    let kubernetes = Kubernetes::start(&[]).await;
    let aws = Aws::start().await;
    for name in ["prod-1", "dev-1"] {
        aws.put(name, &kubernetes.server, true);
    }
    let function = aws.function("prod=eks:prod-1,dev=eks:dev-1").await;
    for (path, issued_by, status) in [
        ("/prod/scrape_configs", "prod-1", 200),
        ("/dev/scrape_configs", "dev-1", 200),
        ("/prod/scrape_configs", "dev-1", 403),
        ("/dev/scrape_configs", "prod-1", 403),
    ] {
        for event in [http_api, rest_api] {
            let event = issued(event(path), "system:serviceaccount:monitoring:collector", Some(&issuer(issued_by)));
            let answer = function.invoke(event).await;
            assert_eq!(answer.status, status, "{path} with a token of {issued_by}");
            let refused = String::from_utf8_lossy(&answer.body).contains("tokens of this issuer are not accepted");
            assert_eq!(refused, status == 403, "{path} with a token of {issued_by}");
        }
    }
    // A single cluster accepts tokens of any issuer. Its config decides about the subject.
    let event = issued(http_api("/scrape_configs"), "anyone", Some("https://other.example.com"));
    assert_eq!(aws.function("eks:prod-1").await.invoke(event).await.status, 200);
}

#[tokio::test]
async fn each_reason_why_a_cluster_cannot_be_read_has_its_own_error() {
    let aws = Aws::start().await;
    aws.put("shop", "http://127.0.0.1:1", true);
    aws.put("inside", "http://127.0.0.1:1", false);
    let cases = [
        ("eks:shop", "its endpoint is public: check that the function reaches the internet"),
        ("eks:inside", "its endpoint is private: put the function into the cluster's VPC"),
        ("eks:young", "it has no endpoint yet"),
        ("eks:secret", "may not describe it, grant eks:DescribeCluster"),
        ("eks:nowhere", "there is no cluster of that name in the account and region"),
        (
            "eks:shop?role=arn:aws:iam::1:role/other",
            "the role arn:aws:iam::1:role/other cannot be assumed, name the function's role in its trust policy",
        ),
    ];
    for (cluster, expected) in cases {
        let answer = aws.function(cluster).await.get("/scrape_configs").await;
        assert_eq!(answer.status, 503, "{cluster}");
        assert!(answer.message().contains(expected), "{cluster}: {}", answer.message());
        assert!(!answer.message().contains("k8s-aws-v1"), "{cluster}: a token in a message");
    }
}

#[tokio::test]
async fn a_request_that_the_cluster_forbids_is_an_error_with_advice() {
    let kubernetes = Kubernetes::start(&[]).await;
    let aws = Aws::start().await;
    aws.put("shop", &kubernetes.server, true);
    let function = aws.function("eks:shop").await;
    let cases = [
        ("*", 401, "401 Unauthorized: no, the token is not accepted: make an access entry for the function's role"),
        (
            "pods",
            403,
            "cannot list pods: 403 Forbidden: no, apply the ClusterRole target-allocator of examples/rbac.yaml",
        ),
    ];
    for (resource, status, expected) in cases {
        kubernetes.set(resource, Behaviour::Status(status, json!({"kind": "Status", "message": "no"}).to_string()));
        let config = "collector_namespace: m\ncollector_selector: {}\nprometheus_cr: {enabled: true}";
        let function = if status == 403 {
            &Function::start(&[
                ("CLUSTER", "eks:shop"),
                ("ALLOCATOR_CONFIG", config),
                ("AWS_ENDPOINT_URL_EKS", &aws.url),
                ("AWS_REGION", "eu-central-1"),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
            ])
            .await
        } else {
            &function
        };
        let answer = function.get("/jobs").await;
        assert_eq!(answer.status, 503, "{resource}");
        assert!(answer.message().contains(expected), "{}", answer.message());
        kubernetes.unset(resource);
    }
}

#[tokio::test]
async fn a_cluster_with_a_new_endpoint_is_looked_up_again() {
    let kubernetes = Kubernetes::start(&[]).await;
    let aws = Aws::start().await;
    aws.put("shop", "http://127.0.0.1:1", true);
    let function = aws.function("eks:shop").await;
    assert_eq!(function.get("/jobs").await.status, 503);
    aws.put("shop", &kubernetes.server, true);
    assert_eq!(function.get("/jobs").await.status, 200);
}
