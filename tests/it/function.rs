//! Runs the built binary with a Lambda Runtime API of the tests.
//!
//! As in Lambda, the binary requests the next event and posts its answer.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc, oneshot};

/// The maximum time for an answer. It is far more than any test needs, even on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(120);

/// The maximum sizes of buffered and streamed answers in Lambda.
const MOST_BUFFERED: usize = (6 << 20) + 100;
const MOST_STREAMED: usize = 200 << 20;

/// An answer of the function, decoded from the format of the gateway.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
    pub streamed: bool,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", String::from_utf8_lossy(&self.body)))
    }

    /// The message of a failure.
    pub fn message(&self) -> String {
        let body = self.json();
        let fields = body.as_object().expect("a failure is an object");
        assert_eq!(fields.len(), 1, "a failure has a message and nothing else: {body}");
        fields["message"].as_str().expect("the message is a text").to_owned()
    }
}

struct Invocation {
    event: Value,
    answer: oneshot::Sender<Result<Value, String>>,
}

struct Queue {
    next: Mutex<mpsc::Receiver<Invocation>>,
    running: Mutex<HashMap<String, oneshot::Sender<Result<Value, String>>>>,
    time_limit: Mutex<Duration>,
}

/// A server with the Lambda Runtime API.
pub struct RuntimeApi(TcpListener);

impl RuntimeApi {
    pub async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }
}

/// A running function.
pub struct Function {
    api: Arc<Queue>,
    events: mpsc::Sender<Invocation>,
    process: Child,
}

impl Function {
    /// Starts the binary with these environment variables only.
    pub async fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_on(RuntimeApi::bind().await, variables)
    }

    /// Starts the binary, and writes its output to a file.
    pub async fn start_with_log(variables: &[(&str, &str)], log: &std::path::Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        Self::start_writing(RuntimeApi::bind().await, variables, log.into())
    }

    /// Starts the binary with events from `runtime`.
    pub fn start_on(runtime: RuntimeApi, variables: &[(&str, &str)]) -> Self {
        Self::start_writing(runtime, variables, Stdio::null())
    }

    fn start_writing(runtime: RuntimeApi, variables: &[(&str, &str)], log: Stdio) -> Self {
        let address = runtime.address();
        let listener = runtime.0;
        let (events, next) = mpsc::channel(16);
        let time_limit = Mutex::new(TIMEOUT);
        let api = Arc::new(Queue { next: Mutex::new(next), running: Mutex::default(), time_limit });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_event))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(take_response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(take_error))
            .layer(DefaultBodyLimit::max(MOST_STREAMED))
            .with_state(Arc::clone(&api));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let process = Command::new(env!("CARGO_BIN_EXE_target-allocator"))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "target-allocator")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .envs(variables.iter().copied())
            .stdout(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { api, events, process }
    }

    /// Sets the maximum time for the following answers.
    pub async fn limit_time(&self, limit: Duration) {
        *self.api.time_limit.lock().await = limit;
    }

    /// The peak memory of the process, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let id = self.process.id().expect("the function runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak is known");
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// The processor time of the process, without waiting times.
    pub fn processor_time(&self) -> Duration {
        let id = self.process.id().expect("the function runs");
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        // The fields after the name, which can contain any character. User and system time are in ticks, 100 per
        // second.
        let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
        Duration::from_millis(fields.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
    }

    /// Sends an event and waits for the answer.
    pub async fn invoke(&self, event: Value) -> Answer {
        self.try_invoke(event).await.unwrap_or_else(|error| panic!("the invocation failed: {error}"))
    }

    /// Sends an event. An error is a failed invocation.
    pub async fn try_invoke(&self, event: Value) -> Result<Answer, String> {
        let (sender, answer) = oneshot::channel();
        self.events.send(Invocation { event, answer: sender }).await.expect("the function is gone");
        let answer = tokio::time::timeout(TIMEOUT, answer).await.expect("no answer in time");
        Ok(read(&answer.expect("the function is gone")?))
    }

    /// Sends an event repeatedly until the first snapshot is complete. On a busy machine, a refresh can take longer
    /// than an invocation. The refresh continues between invocations.
    pub async fn invoke_patiently(&self, event: Value) -> Answer {
        let started = std::time::Instant::now();
        loop {
            let answer = self.invoke(event.clone()).await;
            let is_incomplete = answer.status == 503 && answer.message().starts_with("no snapshot of the cluster");
            if !is_incomplete || started.elapsed() > 2 * TIMEOUT {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Requests a path through an HTTP API.
    pub async fn get(&self, path_and_query: &str) -> Answer {
        self.invoke(crate::events::http_api(path_and_query)).await
    }
}

async fn next_event(State(api): State<Arc<Queue>>) -> impl IntoResponse {
    let Some(Invocation { event, answer }) = api.next.lock().await.recv().await else {
        return (StatusCode::GONE, HeaderMap::new(), String::new());
    };
    let id = uuid(&event);
    api.running.lock().await.insert(id.clone(), answer);
    let deadline = SystemTime::now() + *api.time_limit.lock().await;
    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
    let mut headers = HeaderMap::new();
    headers.insert("Lambda-Runtime-Aws-Request-Id", id.parse().unwrap());
    headers.insert("Lambda-Runtime-Deadline-Ms", deadline.parse().unwrap());
    headers.insert("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-1:1:function:f".parse().unwrap());
    (StatusCode::OK, headers, event.to_string())
}

async fn take_response(
    State(api): State<Arc<Queue>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if headers.get("lambda-runtime-function-response-mode").is_some_and(|mode| mode == "streaming") {
        assert_eq!(headers["content-type"], "application/vnd.awslambda.http-integration-response");
        return finish(&api, &id, Ok(streamed(&body))).await;
    }
    if body.len() > MOST_BUFFERED {
        let error = format!("Function.ResponseSizeTooLarge: {} bytes", body.len());
        finish(&api, &id, Err(error)).await;
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    // Gateways reject duplicate keys.
    serde_json::from_slice::<Buffered>(&body).unwrap_or_else(|error| panic!("no gateway takes the answer: {error}"));
    finish(&api, &id, Ok(serde_json::from_slice(&body).unwrap())).await
}

/// The keys that gateways read from a buffered answer, each at most once.
#[derive(Deserialize)]
struct Buffered {
    #[serde(rename = "statusCode")]
    _status: u16,
    #[serde(rename = "headers")]
    _headers: Option<HashMap<String, String>>,
    #[serde(rename = "multiValueHeaders")]
    _multi_value_headers: Option<HashMap<String, Vec<String>>>,
    #[serde(rename = "isBase64Encoded")]
    _is_base64_encoded: bool,
    #[serde(rename = "body")]
    _body: Option<String>,
}

/// Converts a streamed answer to a buffered one. A stream has a JSON head, eight NULs and the body.
fn streamed(body: &[u8]) -> Value {
    const END: [u8; 8] = [0; 8];
    let end = body.windows(END.len()).position(|bytes| bytes == END).expect("the head ends");
    let mut answer: Value = serde_json::from_slice(&body[..end]).unwrap();
    assert!(answer.get("body").is_none(), "the head holds no body");
    answer["body"] = String::from_utf8(body[end + END.len()..].to_vec()).expect("the body is a text").into();
    answer["streamed"] = true.into();
    answer
}

async fn take_error(State(api): State<Arc<Queue>>, Path(id): Path<String>, body: String) -> StatusCode {
    finish(&api, &id, Err(body)).await
}

async fn finish(api: &Queue, id: &str, answer: Result<Value, String>) -> StatusCode {
    if let Some(sender) = api.running.lock().await.remove(id) {
        // The test may no longer wait for the answer.
        let _ = sender.send(answer);
    }
    StatusCode::ACCEPTED
}

/// A unique identifier for an event.
fn uuid(event: &Value) -> String {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{count}-{}", event.to_string().len())
}

/// Parses the answer as the gateway does.
fn read(answer: &Value) -> Answer {
    let mut headers = HashMap::new();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        headers.insert(name.to_lowercase(), value.as_str().unwrap().to_owned());
    }
    for (name, values) in answer["multiValueHeaders"].as_object().into_iter().flatten() {
        headers.insert(name.to_lowercase(), values[0].as_str().unwrap().to_owned());
    }
    let body = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == true { base64(body) } else { body.as_bytes().to_vec() };
    let status = u16::try_from(answer["statusCode"].as_u64().expect("a status")).unwrap();
    Answer { status, headers, body, streamed: answer["streamed"] == true }
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}
