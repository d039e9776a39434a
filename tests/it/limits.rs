//! Responses of an API server without an end, and connections that die: a refresh is bounded, and one broken
//! connection costs nobody an answer.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use serde_json::json;
use target_allocator::cluster::{Kind, Objects, Reading};
use target_allocator_core::allocation::ReadScope;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use crate::faults::service;
use crate::function::Function;
use crate::kubernetes::{Behaviour, Kubernetes, Make};

const SHARE: &str = "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets?collector_id=c-0";
const CONFIG: &str = "collectors: {names: [c-0]}\nprometheus_cr: {enabled: true, service_monitor_selector: {}}\n";

const fn settings(cluster: &str) -> [(&str, &str); 4] {
    [("CLUSTER", cluster), ("ALLOCATOR_CONFIG", CONFIG), ("SNAPSHOT_TTL", "0"), ("SNAPSHOT_MAX_STALE", "600")]
}

async fn shop(address: &str) -> Kubernetes {
    Kubernetes::start(&service(&[json!({"addresses": [address], "conditions": {"ready": true}})])).await
}

fn endless(bytes: Bytes) -> Response {
    let pieces = stream::repeat_with(move || Ok::<_, std::io::Error>(bytes.clone()));
    Body::from_stream(pieces).into_response()
}

#[tokio::test]
async fn an_endless_answer_fails_the_refresh_within_bounds() {
    // Each page names another page, because a page that names itself is rejected at once.
    let page = AtomicUsize::new(0);
    let pages = Make::new(move |_| {
        let next = page.fetch_add(1, Ordering::Relaxed).to_string();
        let metadata = json!({"resourceVersion": "1", "continue": next});
        let list = json!({"kind": "ServiceList", "apiVersion": "v1", "metadata": metadata, "items": []});
        list.to_string().into_response()
    });
    let one_object = Make::new(|_| endless(Bytes::from(r#"{"items":[{"a":""#.to_owned() + &"x".repeat(1 << 20))));
    let no_object = Make::new(|_| endless(Bytes::from(" ".repeat(1 << 20))));
    let cases = [
        ("pages", pages, "a list may have 2000 pages"),
        ("one object", one_object, "one object may have 16 MiB"),
        ("white space", no_object, "one object may have 16 MiB"),
    ];
    for (what, make, expected) in cases {
        let kubernetes = shop("10.0.0.1").await;
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let function = Function::start_with_log(&settings(&kubernetes.cluster()), &log).await;
        assert_eq!(function.get(SHARE).await.status, 200, "{what}");
        kubernetes.set("services", Behaviour::Made(make));
        let failure = async {
            loop {
                let answer = function.get(SHARE).await;
                assert_eq!(answer.status, 200, "{what}: the last snapshot serves");
                if std::fs::read_to_string(&log).unwrap().contains(expected) {
                    return;
                }
                sleep(Duration::from_millis(200)).await;
            }
        };
        // The refresh ends after 60 s, even on a slow machine.
        assert!(tokio::time::timeout(Duration::from_secs(180), failure).await.is_ok(), "{what}: no failure");
        assert!(function.peak_memory() < 200 << 20, "{what}: {} MiB", function.peak_memory() >> 20);
    }
}

/// How a server in memory answers requests for slices.
#[derive(Debug, Clone, Copy)]
enum Answers {
    /// A list, with a slice of this name. A watch ends at once.
    Named(&'static str),
    /// The beginning of a response, then one space each second.
    Bytes(&'static str),
    /// Lists with a slice of this name. A watch sends bookmarks, with pauses that are too short to end it.
    Bookmarks(&'static str),
    /// Lists with a slice of this name. A watch stops in the middle of an event.
    HalfAnEvent(&'static str),
}

impl Answers {
    fn body(self, is_watch: bool) -> Body {
        const BOOKMARK: &str = r#"{"type":"BOOKMARK","object":{"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"resourceVersion":"1"}}}"#;
        match self {
            Self::Bytes(start) => endless_pieces(start, " ", Duration::from_secs(1)),
            Self::Bookmarks(_) if is_watch => endless_pieces("", &format!("{BOOKMARK}\n"), Duration::from_millis(50)),
            Self::HalfAnEvent(_) if is_watch => endless_pieces(r#"{"type":"BOOKM"#, "", Duration::from_secs(1)),
            Self::Named(_) if is_watch => Body::empty(),
            Self::Named(name) | Self::Bookmarks(name) | Self::HalfAnEvent(name) => slices(name).into(),
        }
    }
}

fn slices(name: &str) -> String {
    let slice = json!({"metadata": {"namespace": "shop", "name": name, "resourceVersion": "1"}, "addressType": "IPv4", "endpoints": []});
    let metadata = json!({"resourceVersion": "1"});
    json!({"kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1", "metadata": metadata, "items": [slice]})
        .to_string()
}

/// A response that begins with a text. The other text follows after each pause, without an end.
fn endless_pieces(start: &str, more: &str, pause: Duration) -> Body {
    let start = Bytes::from(start.to_owned());
    let first = stream::once(async { Ok::<_, Infallible>(start) });
    let more = Bytes::from(more.to_owned());
    let others = stream::repeat(more).then(move |piece| async move {
        sleep(pause).await;
        Ok(piece)
    });
    Body::from_stream(first.chain(others))
}

/// Reads the slices of a server in memory. Watches follow lists of any size. Returns the names of the slices, or the
/// error with its causes, and how long it took.
async fn read(answers: Answers, reading: &mut Reading) -> (Result<Vec<String>, String>, Duration) {
    let service = tower::service_fn(move |request: axum::http::Request<kube::client::Body>| async move {
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=1"));
        let response = Response::builder().header("content-type", "application/json");
        Ok::<_, Infallible>(response.body(answers.body(is_watch)).unwrap())
    });
    let objects = Objects::behind(kube::Client::new(service, "default"), 0).unwrap();
    let began = Instant::now();
    let mut next = reading.clone();
    next.begin(Duration::from_secs(600), ReadScope::Cluster);
    let listed = objects.list(&BTreeSet::from([Kind::EndpointSlice]), &mut next).await;
    let names = listed.map_err(|error| format!("{:#}", anyhow::Error::from(error))).map(|()| {
        *reading = next;
        reading.cluster.endpoint_slices.iter().map(|slice| slice.metadata.name.to_string()).collect()
    });
    (names, began.elapsed())
}

/// The test moves the clock, so these durations do not depend on the machine.
#[tokio::test(start_paused = true)]
async fn bytes_one_by_one_and_endless_watches_end_in_time() {
    const LIST: &str = r#"{"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","metadata":{"resourceVersion":"1"},"items":["#;
    let cases = [
        ("a list byte by byte", Answers::Bytes(LIST), Err("a refresh may take 60 s"), 60),
        ("nothing but white space", Answers::Bytes(""), Err("a refresh may take 60 s"), 60),
        ("endless bookmarks", Answers::Bookmarks("second"), Ok("second"), 10),
        ("half an event", Answers::HalfAnEvent("second"), Ok("second"), 10),
    ];
    for (case, answers, expected, seconds) in cases {
        let mut reading = Reading::default();
        assert_eq!(read(Answers::Named("first"), &mut reading).await.0.unwrap(), ["first"], "{case}");
        let (names, took) = read(answers, &mut reading).await;
        match expected {
            Ok(name) => assert_eq!(names.unwrap(), [name], "{case}: the function lists again"),
            Err(reason) => assert!(names.as_ref().is_err_and(|error| error.contains(reason)), "{case}: {names:?}"),
        }
        assert!(took.as_secs().abs_diff(seconds) <= 1, "{case}: {took:?}");
        // After a refresh that failed, the next one starts from the last reading.
        assert_eq!(read(Answers::Named("third"), &mut reading).await.0.unwrap(), ["third"], "{case}");
    }
}

/// A proxy whose connections can break: from then on those that are open are reset by the next request on them.
#[derive(Clone, Default)]
struct Breaking {
    open: Arc<AtomicUsize>,
    broken_below: Arc<AtomicUsize>,
    always: Arc<AtomicBool>,
}

impl Breaking {
    async fn start(self, server: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = server.trim_start_matches("http://").to_owned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = self.open.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(self.clone().pass_on(client, server.clone(), number));
            }
        });
        url
    }

    async fn pass_on(self, mut client: TcpStream, server: String, number: usize) {
        let mut server = TcpStream::connect(server).await.unwrap();
        let (mut up, mut down) = ([0; 16 << 10], [0; 16 << 10]);
        loop {
            tokio::select! {
                read = client.read(&mut up) => {
                    let Ok(length @ 1..) = read else { return };
                    let broken = self.always.load(Ordering::SeqCst) || number < self.broken_below.load(Ordering::SeqCst);
                    if broken {
                        client.set_zero_linger().unwrap();
                        return;
                    }
                    server.write_all(&up[..length]).await.unwrap();
                }
                read = server.read(&mut down) => {
                    let Ok(length @ 1..) = read else { return };
                    if client.write_all(&down[..length]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn break_open_connections(&self) {
        self.broken_below.store(self.open.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

fn kubeconfig(folder: &tempfile::TempDir, server: &str) -> String {
    let path = folder.path().join("kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {}}]
    });
    std::fs::write(&path, config.to_string()).unwrap();
    format!("kubeconfig:{}", path.display())
}

#[tokio::test]
async fn connections_that_broke_while_idle_cost_no_answer() {
    let kubernetes = shop("10.0.0.1").await;
    let (proxy, folder) = (Breaking::default(), tempfile::tempdir().unwrap());
    let url = proxy.clone().start(&kubernetes.server).await;
    let function = Function::start(&settings(&kubeconfig(&folder, &url))).await;
    assert_eq!(function.get(SHARE).await.status, 200);
    for round in 2..5 {
        proxy.break_open_connections();
        kubernetes.put(&service(&[json!({"addresses": [format!("10.0.0.{round}")], "conditions": {"ready": true}})]));
        let answer = function.get(SHARE).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()[0]["targets"][0], format!("10.0.0.{round}:8080"), "the refresh did not fail");
    }
}

#[tokio::test]
async fn a_failed_request_is_retried_once() {
    let kubernetes = shop("10.0.0.1").await;
    let (proxy, folder) = (Breaking::default(), tempfile::tempdir().unwrap());
    proxy.always.store(true, Ordering::SeqCst);
    let url = proxy.clone().start(&kubernetes.server).await;
    let function = Function::start(&settings(&kubeconfig(&folder, &url))).await;
    let answer = function.get(SHARE).await;
    assert_eq!(answer.status, 503);
    assert!(answer.message().contains("does not answer"), "{}", answer.message());
    // Monitors and namespaces are listed first: two requests, each with one retry.
    assert!(proxy.open.load(Ordering::SeqCst) <= 4, "{} connections", proxy.open.load(Ordering::SeqCst));
}
