//! Events of gateways: any JSON, or a complete event with a few changes, through the whole function.
#![no_main]

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use lambda_http::lambda_runtime::{Context, FunctionResponse, LambdaEvent};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use target_allocator::http::{Event, Service};
use target_allocator::settings::Settings;
use target_allocator_fuzz::edit::edited;
use tokio::runtime::Runtime;

static EVENTS: LazyLock<Vec<Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../seeds/events.json")).expect("the seed is valid"));

/// Jobs with names that paths do not like.
const CONFIG: &str = r#"
collectors: {names: [collector-0, collector-1]}
allocation_strategy: consistent-hashing
config:
  scrape_configs:
    - {job_name: a, static_configs: [{targets: ["10.0.0.1:80", "10.0.0.2:80"]}]}
    - {job_name: "serviceMonitor/shop/web/0", static_configs: [{targets: ["10.0.0.3:80"]}]}
    - {job_name: "with space", static_configs: [{targets: ["10.0.0.4:80"]}]}
    - {job_name: "q?one", static_configs: [{targets: ["10.0.0.5:80"]}]}
    - {job_name: "q?two", static_configs: [{targets: ["10.0.0.6:80"]}]}
    - {job_name: "100%25+é", static_configs: [{targets: ["10.0.0.7:80"]}]}
    - {job_name: "/jobs/a/targets", static_configs: [{targets: ["10.0.0.8:80"]}]}
"#;

fn service() -> &'static (Runtime, Service) {
    static SERVICE: OnceLock<(Runtime, Service)> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime can be made");
        // The targets stand in the config. One object is needed, because manifests without objects are an error.
        let manifests = std::env::temp_dir().join(format!("fuzz-events-{}.yaml", std::process::id()));
        std::fs::write(&manifests, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")
            .expect("it can be written");
        let settings = Settings::load(|variable| match variable {
            "CLUSTER" => Some(format!("manifests:{}", manifests.display())),
            "ALLOCATOR_CONFIG" => Some(CONFIG.to_owned()),
            "SNAPSHOT_TTL" | "SNAPSHOT_MAX_STALE" => Some("1000000".to_owned()),
            _ => None,
        });
        assert!(settings.is_ok(), "{settings:?}");
        let service = runtime.block_on(Service::new(settings));
        (runtime, service)
    })
}

fn run(event: &[u8]) {
    let Ok(request) = serde_json::from_slice::<Event>(event) else { return };
    let mut context = Context::default();
    context.deadline = u64::MAX;
    let (runtime, service) = service();
    let answer = runtime.block_on(async {
        let answer = tokio::time::timeout(Duration::from_secs(1), service.handle(LambdaEvent::new(request, context)));
        match answer.await.expect("it is answered at once").expect("the kind is known") {
            FunctionResponse::BufferedResponse(answer) => serde_json::to_value(answer),
            FunctionResponse::StreamingResponse(_) => panic!("nothing streams by default"),
        }
    });
    check(&answer.expect("an answer is written as JSON"));
}

fn check(answer: &Value) {
    let status = answer["statusCode"].as_u64().expect("there is a status");
    let header = |name: &str| {
        let found = answer["headers"].get(name).or_else(|| answer["multiValueHeaders"].get(name)?.get(0));
        found.and_then(Value::as_str).unwrap_or_default()
    };
    let compressed = answer["isBase64Encoded"] == json!(true);
    assert_eq!(compressed, header("content-encoding") == "gzip", "{answer}");
    let body = answer["body"].as_str().unwrap_or_default();
    match status {
        // What names a long path is compressed, too.
        200 | 400 | 403..=405 if compressed => {}
        200 if header("content-type").starts_with("text/plain") => {}
        200 | 400 | 403..=405 if header("content-type").starts_with("text/html") => {
            assert!(body.contains("</html>"), "{answer}")
        }
        200 => {
            let body: Value = serde_json::from_str(body).expect("a body is JSON");
            assert!(body.is_array() || body.is_object(), "{answer}");
        }
        304 => assert_eq!(body, "", "{answer}"),
        400 | 403 | 404 | 405 => {
            let body: Value = serde_json::from_str(body).expect("a body is JSON");
            let message = body.as_object().and_then(|body| body["message"].as_str());
            assert!(message.is_some_and(|message| !message.is_empty()), "{answer}");
        }
        // Nothing fails here, so no answer may say that something has.
        _ => panic!("{answer}"),
    }
}

fuzz_target!(|data: &[u8]| {
    match data {
        [0, which, edits @ ..] => {
            let event = &EVENTS[usize::from(*which) % EVENTS.len()];
            if let Some(event) = edited(event, edits) {
                run(event.to_string().as_bytes());
            }
        }
        _ => run(data),
    }
});
