//! An HTTP SD server, a proxy and a DNS server. A test sets their answers and faults.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, future, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// A received request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query. The whole URL for a request to a proxy.
    pub target: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The fields of a form, sorted.
    pub fn form(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

/// The reaction of the HTTP server to a request.
#[derive(Clone)]
pub enum Reply {
    /// Status, content type, body.
    Body(u16, &'static str, String),
    /// Redirects to this URL.
    Redirect(String),
    /// JSON with additional headers: a first piece, then another piece repeated this number of times.
    Pieces(Vec<(&'static str, String)>, Bytes, Bytes, usize),
    /// The beginning of a JSON answer. The rest never comes.
    Stalls(Bytes),
    /// Answers with an empty list after this time.
    Slow(Duration),
    /// Answers with the result of a function.
    By(Arc<dyn Fn(&Request) -> Reply + Send + Sync>),
}

impl Reply {
    pub fn json(body: &str) -> Self {
        Self::Body(200, "application/json", body.to_owned())
    }

    pub fn by(decide: impl Fn(&Request) -> Self + Send + Sync + 'static) -> Self {
        Self::By(Arc::new(decide))
    }
}

/// An HTTP server with replies by path.
#[derive(Clone, Default)]
pub struct HttpServer {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    replies: Mutex<BTreeMap<String, Reply>>,
    requests: Mutex<Vec<Request>>,
}

impl HttpServer {
    /// Starts a server, and returns its address.
    pub async fn start() -> (Self, SocketAddr) {
        let server = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(reply).with_state(Arc::clone(&server.shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (server, address)
    }

    pub fn set(&self, path: &str, reply: Reply) {
        self.shared.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// The number of requests so far.
    pub fn requests(&self) -> usize {
        self.shared.requests.lock().unwrap().len()
    }

    /// The requests since the last call.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut *self.shared.requests.lock().unwrap())
    }
}

async fn reply(
    State(shared): State<Arc<Shared>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = String::from_utf8(body.into()).unwrap();
    let request = Request { target: uri.to_string(), headers, body };
    let mut reply = shared.replies.lock().unwrap().get(uri.path()).cloned();
    if let Some(Reply::By(decide)) = reply {
        reply = Some(decide(&request));
    }
    shared.requests.lock().unwrap().push(request);
    match reply {
        None | Some(Reply::By(_)) => StatusCode::NOT_FOUND.into_response(),
        Some(Reply::Body(status, content_type, body)) => {
            (StatusCode::from_u16(status).unwrap(), [("content-type", content_type)], body).into_response()
        }
        Some(Reply::Pieces(headers, start, piece, times)) => {
            let rest = stream::repeat(piece).take(times);
            let pieces = stream::once(future::ready(start)).chain(rest).map(Ok::<_, Infallible>);
            let mut response = ([("content-type", "application/json")], Body::from_stream(pieces)).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Some(Reply::Stalls(start)) => {
            let pieces = stream::once(future::ready(start)).chain(stream::pending()).map(Ok::<_, Infallible>);
            ([("content-type", "application/json")], Body::from_stream(pieces)).into_response()
        }
        Some(Reply::Redirect(location)) => (StatusCode::FOUND, [("location", location)]).into_response(),
        Some(Reply::Slow(time)) => {
            tokio::time::sleep(time).await;
            ([("content-type", "application/json")], "[]").into_response()
        }
    }
}

/// A proxy that knows only the given hosts.
#[derive(Clone, Default)]
pub struct Proxy {
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Starts a proxy that connects each `host:port` to an address. Returns its own address.
    pub async fn start(known: &[(&str, SocketAddr)]) -> (Self, SocketAddr) {
        let proxy = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let known: BTreeMap<_, _> = known.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        let heads = Arc::clone(&proxy.heads);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (known, heads) = (known.clone(), Arc::clone(&heads));
                // A closed client connection is not an error of the proxy.
                tokio::spawn(async move { pass_on(stream, &known, &heads).await.ok() });
            }
        });
        (proxy, address)
    }

    /// The heads of the requests since the last call, in lower case.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.heads.lock().unwrap())
    }
}

async fn pass_on(
    mut client: TcpStream,
    known: &BTreeMap<String, SocketAddr>,
    heads: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).to_lowercase();
    heads.lock().unwrap().push(text.clone());
    let (method, rest) = text.split_once(' ').unwrap();
    let host = rest.trim_start_matches("http://").split(['/', ' ']).next().unwrap();
    let Some(address) = known.get(host) else {
        return client.write_all(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n").await;
    };
    let mut server = TcpStream::connect(address).await?;
    if method == "connect" {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    } else {
        server.write_all(&head).await?;
    }
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The answer of a DNS server for a name and a type.
#[derive(Debug, Clone)]
pub enum Said {
    /// The data of records, in wire format.
    Records(Vec<Vec<u8>>),
    /// An error code: 2 for a failure, 3 for a name that does not exist.
    Code(u8),
}

/// A name and a type of record.
type Question = (String, u16);

/// A DNS server over UDP.
#[derive(Clone, Default)]
pub struct DnsServer {
    shared: Arc<Mutex<Names>>,
}

#[derive(Default)]
struct Names {
    /// The answers in their order. The last one is repeated.
    said: BTreeMap<Question, VecDeque<Said>>,
    asked: Vec<Question>,
}

impl Names {
    fn ask(&mut self, question: Question) -> Said {
        self.asked.push(question.clone());
        let has_others = self.said.keys().any(|(name, _)| *name == question.0);
        match self.said.get_mut(&question) {
            Some(said) if said.len() > 1 => said.pop_front().unwrap(),
            Some(said) => said[0].clone(),
            None if has_others => Said::Records(Vec::new()),
            None => Said::Code(3),
        }
    }
}

impl DnsServer {
    /// Starts a server, and returns its address.
    pub async fn start() -> (Self, SocketAddr) {
        let server = Self::default();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let shared = Arc::clone(&server.shared);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let answer = answer(&buffer[..length], &mut shared.lock().unwrap());
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        (server, address)
    }

    pub fn set(&self, name: &str, kind: u16, said: Said) {
        self.set_each(name, kind, [said]);
    }

    /// Sets a sequence of answers.
    pub fn set_each(&self, name: &str, kind: u16, said: impl IntoIterator<Item = Said>) {
        self.shared.lock().unwrap().said.insert((name.to_owned(), kind), said.into_iter().collect());
    }

    /// The number of queries so far.
    pub fn asked(&self, name: &str, kind: u16) -> usize {
        self.shared.lock().unwrap().asked.iter().filter(|asked| (asked.0.as_str(), asked.1) == (name, kind)).count()
    }
}

/// The environment variables with which a program uses the DNS server at `address` for all names.
pub fn resolved_by(address: SocketAddr, folder: &Path) -> [(&'static str, String); 2] {
    let library = folder.join("resolver.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/resolver.c");
    let compiler =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl", "-lresolv"]).status();
    assert!(compiler.unwrap().success());
    [("LD_PRELOAD", library.display().to_string()), ("DNS_PORT", address.port().to_string())]
}

/// A name in wire format.
pub fn dns_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn answer(query: &[u8], names: &mut Names) -> Vec<u8> {
    let mut at = 12;
    let mut labels = Vec::new();
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8(query[at + 1..=at + length].to_vec()).unwrap().to_lowercase());
        at += length + 1;
    }
    let question = &query[12..at + 5];
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let (code, records) = match names.ask((labels.join("."), kind)) {
        Said::Records(records) => (0, records),
        Said::Code(code) => (code, Vec::new()),
    };
    let count = u8::try_from(records.len()).unwrap();
    let mut message = query[..2].to_vec();
    // A recursive, authoritative answer to one question.
    message.extend_from_slice(&[0x85, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    message.extend_from_slice(question);
    for data in records {
        // The name of the question, its type, class IN, a TTL of one minute.
        message.extend_from_slice(&[0xc0, 12]);
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
        message.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        message.extend_from_slice(&data);
    }
    message
}
