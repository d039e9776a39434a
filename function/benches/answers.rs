//! What an answer costs, from the event to the text that Lambda gets.
//!
//! `cargo bench --bench answers`. A cluster of 10,000 pods in manifests, 20 collectors;
//! a share of the job has 500 targets.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up fails by panicking")]

use std::fs;

use lambda_http::lambda_runtime::{Context, FunctionResponse, LambdaEvent};
use serde_json::{Value, json};
use target_allocator::http::{Event, Service};
use target_allocator::settings::Settings;
use target_allocator_world::World;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// One job whose shares are of 500 targets.
const WORLD: World = World::new(10_000, 1);

const CONFIG: &str = "{collector_namespace: monitoring, collector_selector: {matchlabels: {app: otel-collector}}, \
    prometheus_cr: {enabled: true, service_monitor_selector: {}}}";

fn main() {
    divan::main();
}

struct Running {
    runtime: Runtime,
    service: Service,
    _manifests: TempDir,
}

impl Running {
    fn new() -> Self {
        let manifests = TempDir::new().unwrap();
        fs::write(manifests.path().join("world.json"), WORLD.list()).unwrap();
        let cluster = format!("manifests:{}", manifests.path().display());
        let settings = Settings::load(|name| match name {
            "CLUSTER" => Some(cluster.clone()),
            "ALLOCATOR_CONFIG" => Some(CONFIG.to_owned()),
            "SNAPSHOT_TTL" => Some("3600".to_owned()),
            _ => None,
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let service = runtime.block_on(Service::new(settings));
        Self { runtime, service, _manifests: manifests }
    }

    /// The answer as Lambda gets it.
    fn ask(&self, path: &str, query: &str) -> Vec<u8> {
        let event: Event = serde_json::from_value(event(path, query)).unwrap();
        let event = LambdaEvent::new(event, Context::default());
        match self.runtime.block_on(self.service.handle(event)).unwrap() {
            FunctionResponse::BufferedResponse(answer) => serde_json::to_vec(&answer).unwrap(),
            FunctionResponse::StreamingResponse(_) => unreachable!("answers are buffered by default"),
        }
    }
}

/// A request as an HTTP API tells of it.
fn event(path: &str, query: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "isBase64Encoded": false,
        "headers": {"host": "example.com"}, "queryStringParameters": {"collector_id": "otel-collector-3"},
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "example.com", "requestId": "r", "stage": "$default",
            "timeEpoch": 0, "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": "Prometheus"},
        },
    })
}

#[divan::bench(args = ["/jobs/serviceMonitor/team-0/service-0/0/targets", "/scrape_configs", "/livez"])]
fn answer(bencher: divan::Bencher, path: &str) {
    let running = Running::new();
    running.ask(path, "collector_id=otel-collector-3");
    bencher.bench_local(|| running.ask(path, "collector_id=otel-collector-3"));
}
