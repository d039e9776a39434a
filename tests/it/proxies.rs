//! Proxies between the function and its API server.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::faults::{SHARE, addresses, web};
use crate::function::{Answer, Function};
use crate::kubernetes::Kubernetes;
use crate::sources::Proxy;

const CONFIG: &str = "collectors: {names: [c-0]}\nprometheus_cr: {enabled: true, service_monitor_selector: {}}\n";

/// A name that only the proxies know.
const SERVER: &str = "http://api.shop";

fn address(kubernetes: &Kubernetes) -> SocketAddr {
    kubernetes.server.trim_start_matches("http://").parse().unwrap()
}

async fn proxy(kubernetes: &Kubernetes) -> (Proxy, SocketAddr) {
    let address = address(kubernetes);
    Proxy::start(&[("api.shop:443", address), ("api.shop:80", address)]).await
}

/// A function that reads a kubeconfig of this cluster.
async fn function(folder: &Path, cluster: &Value, variables: &[(&str, &str)]) -> Function {
    let path = folder.join("kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}], "users": [{"name": "u", "user": {}}]
    });
    std::fs::write(&path, config.to_string()).unwrap();
    let cluster = format!("kubeconfig:{}", path.display());
    let own = [("CLUSTER", cluster.as_str()), ("ALLOCATOR_CONFIG", CONFIG), ("SNAPSHOT_TTL", "0")];
    let variables: Vec<_> = own.into_iter().chain(variables.iter().copied()).collect();
    Function::start(&variables).await
}

fn is_served(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 200, "{what}: {}", String::from_utf8_lossy(&answer.body));
    assert_eq!(addresses(&answer.json()), ["10.0.0.1:8080"], "{what}");
}

#[tokio::test]
async fn an_api_server_is_read_through_the_proxy_of_the_kubeconfig() {
    let (kubernetes, folder) = (Kubernetes::start(&web("web-1", "10.0.0.1")).await, tempfile::tempdir().unwrap());
    let (proxy, at) = proxy(&kubernetes).await;
    let cluster = json!({"server": SERVER, "proxy-url": format!("http://user:pass@{at}")});
    let function = function(folder.path(), &cluster, &[("NO_PROXY", "*")]).await;
    is_served(&function.get(SHARE).await, "proxy-url");
    let heads = proxy.take();
    assert!(!heads.is_empty());
    for head in heads {
        assert!(head.starts_with("connect api.shop"), "{head}");
        assert!(head.contains("proxy-authorization: basic dxnlcjpwyxnz"), "{head}");
    }
}

#[tokio::test]
async fn an_api_server_is_read_through_the_proxy_of_the_environment() {
    let (kubernetes, folder) = (Kubernetes::start(&web("web-1", "10.0.0.1")).await, tempfile::tempdir().unwrap());
    let (proxy, at) = proxy(&kubernetes).await;
    let at = format!("http://{at}");
    let named = json!({"server": SERVER});
    let function = function(folder.path(), &named, &[("HTTP_PROXY", &at), ("HTTPS_PROXY", &at)]).await;
    is_served(&function.get(SHARE).await, "HTTP_PROXY");
    assert!(proxy.take().iter().all(|head| head.starts_with("connect api.shop")));
}

#[tokio::test]
async fn no_proxy_means_the_api_server_and_not_the_proxy() {
    let (kubernetes, folder) = (Kubernetes::start(&web("web-1", "10.0.0.1")).await, tempfile::tempdir().unwrap());
    let (proxy, at) = proxy(&kubernetes).await;
    let at = format!("http://{at}");
    let (direct, named) = (json!({"server": kubernetes.server}), json!({"server": SERVER}));
    let proxies = [("HTTP_PROXY", at.as_str()), ("HTTPS_PROXY", at.as_str())];
    let with = |no_proxy| proxies.into_iter().chain([("NO_PROXY", no_proxy)]).collect::<Vec<_>>();
    // The API server is on this machine.
    is_served(&function(folder.path(), &direct, &proxies).await.get(SHARE).await, "the own machine");
    let excepted = function(folder.path(), &named, &with(".shop")).await.get(SHARE).await;
    assert_eq!(excepted.status, 503, "no server is found without the proxy");
    assert!(proxy.take().is_empty());
    is_served(&function(folder.path(), &named, &with("127.0.0.1")).await.get(SHARE).await, "the address of the proxy");
    assert!(!proxy.take().is_empty());
}

#[tokio::test]
async fn an_api_server_is_read_through_a_socks_proxy() {
    let (kubernetes, folder) = (Kubernetes::start(&web("web-1", "10.0.0.1")).await, tempfile::tempdir().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let server = address(&kubernetes);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move { socks5(stream, server).await.ok() });
        }
    });
    let cluster = json!({"server": kubernetes.server, "proxy-url": format!("socks5://{at}")});
    let function = function(folder.path(), &cluster, &[]).await;
    is_served(&function.get(SHARE).await, "socks5");
}

/// Serves one connection by the rules of RFC 1928, without authentication. Every destination is `server`.
async fn socks5(mut client: TcpStream, server: SocketAddr) -> std::io::Result<()> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting).await?;
    let mut methods = vec![0; greeting[1].into()];
    client.read_exact(&mut methods).await?;
    client.write_all(&[5, 0]).await?;
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    let length = match request[3] {
        1 => 4,
        4 => 16,
        _ => client.read_u8().await?.into(),
    };
    let mut destination = vec![0; length + 2];
    client.read_exact(&mut destination).await?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut client, &mut TcpStream::connect(server).await?).await.map(drop)
}

#[tokio::test]
async fn a_proxy_that_cannot_be_used_is_named_without_its_password() {
    let (kubernetes, folder) = (Kubernetes::start(&[]).await, tempfile::tempdir().unwrap());
    let cluster = json!({"server": kubernetes.server, "proxy-url": "ftp://user:secret@proxy"});
    let answer = function(folder.path(), &cluster, &[]).await.get("/jobs").await;
    let message = answer.message();
    assert_eq!(answer.status, 500, "{message}");
    assert!(message.contains("proxy-url of the kubeconfig") && !message.contains("secret"), "{message}");
}
