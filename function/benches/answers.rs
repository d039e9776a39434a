//! Benchmarks of responses, from the event to the text that Lambda gets.
//!
//! `cargo bench --bench answers` prints a line of JSON for each response: the bytes of its body, the median and the
//! 99th percentile of its time in microseconds, and the number per second and core. `tests/bench` compares these with
//! the goals. The cluster comes from manifests and has 20 collectors.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that cannot be set up fails by panicking")]

use std::fs;
use std::time::{Duration, Instant};

use lambda_http::lambda_runtime::{Context, FunctionResponse, LambdaEvent};
use serde_json::{Value, json};
use target_allocator::http::{Event, Service};
use target_allocator::settings::Settings;
use target_allocator_world::World;
use target_allocator_world::allocation::CONFIG;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A cluster with one job. The share of each collector has 500 targets.
const LARGE_SHARES: World = World::new(10_000, 1);
const LARGE: World = World::new(100_000, 200);
const SHARE: &str = "/jobs/serviceMonitor/team-0/service-0/0/targets";

/// Minimum number of requests for each response, for a stable 99th percentile.
const MIN_REQUESTS: usize = 300;

/// Minimum time of all requests for each response.
const MIN_TIME: Duration = Duration::from_secs(5);

fn main() {
    let small = Running::new(LARGE_SHARES);
    small.measure("a share of 500 targets", SHARE, "identity");
    small.measure("a share of 500 targets, compressed", SHARE, "gzip");
    small.measure("the scrape config of one job", "/scrape_configs", "identity");
    small.measure("/livez", "/livez", "identity");
    drop(small);
    let large = Running::new(LARGE);
    large.measure("100,000 pods: a share of a job of 500 targets", SHARE, "identity");
    large.measure("100,000 pods: 200 scrape configs", "/scrape_configs", "identity");
    let merged = large.first_merged_job();
    let merged = format!("/merged/jobs/{merged}/targets");
    large.measure("100,000 pods: a collector's 5,000 targets, merged", &merged, "identity");
    large.measure("100,000 pods: a collector's 5,000 targets, merged, compressed", &merged, "gzip");
}

struct Running {
    runtime: Runtime,
    service: Service,
    _manifests: TempDir,
}

impl Running {
    fn new(world: World) -> Self {
        let manifests = TempDir::new().unwrap();
        fs::write(manifests.path().join("world.json"), world.list()).unwrap();
        let cluster = format!("manifests:{}", manifests.path().display());
        let settings = Settings::load(|name| match name {
            "CLUSTER" => Some(cluster.clone()),
            "ALLOCATOR_CONFIG" => Some(CONFIG.to_owned()),
            "SNAPSHOT_TTL" | "SNAPSHOT_MAX_STALE" => Some("3600".to_owned()),
            _ => None,
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let service = runtime.block_on(Service::new(settings));
        Self { runtime, service, _manifests: manifests }
    }

    /// The response, serialised as for Lambda.
    fn ask(&self, path: &str, encoding: &str) -> Vec<u8> {
        let event: Event = serde_json::from_value(event(path, encoding)).unwrap();
        let event = LambdaEvent::new(event, Context::default());
        match self.runtime.block_on(self.service.handle(event)).unwrap() {
            FunctionResponse::BufferedResponse(answer) => serde_json::to_vec(&answer).unwrap(),
            FunctionResponse::StreamingResponse(_) => unreachable!("answers are buffered by default"),
        }
    }

    fn first_merged_job(&self) -> String {
        let answer: Value = serde_json::from_slice(&self.ask("/merged/scrape_configs", "identity")).unwrap();
        let jobs: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        jobs.as_object().unwrap().keys().next().unwrap().clone()
    }

    fn measure(&self, what: &str, path: &str, encoding: &str) {
        let answer: Value = serde_json::from_slice(&self.ask(path, encoding)).unwrap();
        assert_eq!(answer["statusCode"], 200, "{path}: {}", answer["body"]);
        let (mut took, began) = (Vec::new(), Instant::now());
        while took.len() < MIN_REQUESTS || began.elapsed() < MIN_TIME {
            let asked = Instant::now();
            let answer = self.ask(path, encoding);
            took.push(asked.elapsed());
            std::hint::black_box(answer);
        }
        let all: Duration = took.iter().sum();
        let per_second = took.len() as f64 / all.as_secs_f64();
        took.sort_unstable();
        let microseconds = |hundredths: usize| took[took.len() * hundredths / 100].as_secs_f64() * 1e6;
        let bytes = answer["body"].as_str().unwrap().len();
        println!(
            "{}",
            json!({"what": what, "bytes": bytes, "p50": microseconds(50), "p99": microseconds(99), "per_second": per_second})
        );
    }
}

/// The event that an HTTP API sends for a request.
fn event(path: &str, encoding: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "collector_id=otel-collector-3",
        "isBase64Encoded": false, "headers": {"host": "example.com", "accept-encoding": encoding},
        "queryStringParameters": {"collector_id": "otel-collector-3"},
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "example.com", "requestId": "r", "stage": "$default",
            "timeEpoch": 0, "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": "Prometheus"},
        },
    })
}
