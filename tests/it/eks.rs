//! An EKS cluster: where it is, and who calls.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use tokio::net::TcpListener;

use crate::function::Function;
use crate::kubernetes::Kubernetes;

const AUTHORITY: &str = include_str!("../../function/core/src/monitors/certificate/test-data/ed25519.crt");

/// An EKS API that knows the cluster `shop` and refuses to describe `secret`.
async fn eks(server: String) -> String {
    let describe = move |Path(name): Path<String>| async move { describe(&name, &server) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/clusters/{name}", get(describe))).await });
    url
}

fn describe(name: &str, server: &str) -> Response {
    let error = |status: StatusCode, code: &str| {
        (status, [("x-amzn-errortype", code.to_owned())], json!({"message": "no"}).to_string()).into_response()
    };
    match name {
        "shop" => {
            let authority = STANDARD.encode(AUTHORITY);
            json!({"cluster": {"name": name, "endpoint": server, "certificateAuthority": {"data": authority}}})
                .to_string()
                .into_response()
        }
        "young" => json!({"cluster": {"name": name, "status": "CREATING"}}).to_string().into_response(),
        "secret" => error(StatusCode::FORBIDDEN, "AccessDeniedException"),
        _ => error(StatusCode::NOT_FOUND, "ResourceNotFoundException"),
    }
}

async fn start(eks: &str, cluster: &str) -> Function {
    Function::start(&[
        ("CLUSTER", cluster),
        ("SNAPSHOT_TTL", "0"),
        ("AWS_ENDPOINT_URL_EKS", eks),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_MAX_ATTEMPTS", "1"),
    ])
    .await
}

#[tokio::test]
async fn a_cluster_is_found_by_its_name_and_asked_with_a_signed_token() {
    let kubernetes = Kubernetes::start(&[]).await;
    let eks = eks(kubernetes.server.clone()).await;
    for (cluster, region) in [("eks:shop", "eu-central-1"), ("eks:shop@us-west-2", "us-west-2")] {
        let answer = start(&eks, cluster).await.get("/jobs").await;
        assert_eq!((answer.status, answer.json()), (200, json!({})), "{cluster}");
        let authorization = kubernetes.authorization().expect("requests carry a token");
        let token = authorization.strip_prefix("Bearer k8s-aws-v1.").expect("a token of EKS");
        let url = String::from_utf8(URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
        assert!(url.starts_with(&format!("https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity")), "{url}");
    }
}

#[tokio::test]
async fn what_keeps_a_cluster_from_being_read_is_told_apart() {
    let eks = eks("http://127.0.0.1:1".to_owned()).await;
    let cases = [
        ("eks:shop", "the API server does not answer"),
        ("eks:young", "it has no endpoint yet"),
        ("eks:secret", "the function's role may not describe it, grant eks:DescribeCluster"),
        ("eks:nowhere", "there is no cluster of that name in the region"),
    ];
    for (cluster, expected) in cases {
        let answer = start(&eks, cluster).await.get("/scrape_configs").await;
        assert_eq!(answer.status, 503, "{cluster}");
        assert!(answer.message().contains(expected), "{cluster}: {}", answer.message());
    }
}
