//! The whole way of a request: a cluster with a few changes, a config, and then who asks, in events with a few changes.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use lambda_http::lambda_runtime::{Context, FunctionResponse, LambdaEvent};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize as _;
use serde_json::{Value, json};
use target_allocator::http::{Event, Service, patterns};
use target_allocator::settings::Settings;
use target_allocator_fuzz::edit::edited;

static EVENTS: LazyLock<Vec<Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../seeds/events.json")).expect("the seed is valid"));

static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let documents = serde_norway::Deserializer::from_str(include_str!("../seeds/cluster.yaml"));
    let documents = documents.map(|document| {
        let mut object = Value::deserialize(document).expect("the seed is valid");
        if object["kind"] == "Secret" {
            // Encoded, so that no change can copy what it stands for into a label.
            object["data"] = json!({"user": "dQ==", "pass": "Y2FuYXJ5LXBhc3M=", "token": "Y2FuYXJ5LXRva2Vu"});
            object["stringData"] = Value::Null;
        }
        object
    });
    documents.collect()
});

/// A path for each row of the table of routes.
static PATHS: LazyLock<Vec<String>> =
    LazyLock::new(|| patterns().map(|pattern| pattern.replace("{job}", "serviceMonitor%2Fshop%2Fweb%2F0")).collect());
const QUERIES: [&str; 12] = [
    "",
    "collector_id=collector-0",
    "collector_id=collector-1",
    "job_id=serviceMonitor/shop/web/0",
    "monitor=ServiceMonitor/shop/web",
    "monitor=Probe/shop/probe",
    "pod=shop/web-1",
    "service=shop/web",
    "target=10.2.0.1:9100",
    "collector=collector-0",
    "q=10.&page=2",
    "job_id=a&target_hash=1",
];

/// What the password and the token in the cluster begin with.
const CANARY: &str = "canary";

/// A cluster and who may ask; what follows says what is asked.
#[derive(Debug, Arbitrary)]
struct World<'a> {
    config: u8,
    objects: u32,
    cluster: &'a [u8],
}

/// One request; what follows changes the event.
#[derive(Debug, Arbitrary)]
struct Ask {
    event: u8,
    path: u8,
    query: u8,
    free: bool,
    known: bool,
    html: bool,
}

/// How often a world is asked, which takes far longer to make: each time by the bytes from the next one on, and
/// once they have been through by what follows each in the order of bytes.
const ASKED: usize = 200;

/// Bytes that an event is made of.
const ASK: usize = 20;

/// Answers between two lines of the log that count them: libFuzzer counts runs.
const PRINTED: u64 = 100_000;

static ANSWERED: AtomicU64 = AtomicU64::new(0);

fn settings(world: &World<'_>, folder: &std::path::Path) -> Settings {
    let strategy =
        ["consistent-hashing", "least-weighted", "per-node", "rendezvous-hashing"][usize::from(world.config % 4)];
    let subjects = if world.config & 16 == 0 {
        ""
    } else {
        "allowed_subjects: ['system:serviceaccount:monitoring:*']\nviewers: ['system:serviceaccount:ops:*']\n"
    };
    let selectors: String = ["service_monitor", "pod_monitor", "probe", "scrape_config"]
        .map(|kind| format!("  {kind}_selector: {{}}\n  {kind}_namespace_selector: {{}}\n"))
        .concat();
    let config = format!(
        "collector_namespace: monitoring\ncollector_selector: {{matchLabels: {{app: collector}}}}\n\
         allocation_strategy: {strategy}\n{subjects}prometheus_cr:\n  enabled: true\n{selectors}"
    );
    let set = |at: u8, one: &str, other: &str| Some(if world.config & at == 0 { one } else { other }.to_owned());
    let loaded = Settings::load(|variable| match variable {
        "CLUSTER" => Some(format!("manifests:{}", folder.display())),
        "ALLOCATOR_CONFIG" => Some(config.clone()),
        "SNAPSHOT_TTL" | "SNAPSHOT_MAX_STALE" => Some("1000000".to_owned()),
        "SECRETS" => set(32, "inline", "omit"),
        "SECRET_ROTATION" => set(64, "off", "on"),
        "TARGET_LABELS" => set(128, "referenced", "all"),
        _ => None,
    });
    loaded.expect("the settings are valid")
}

/// What the config discovers outside of the cluster would be asked for: that is not the business here.
fn without_sources(object: &mut Value) {
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.retain(|name, _| !name.ends_with("SDConfigs") || matches!(name.as_str(), "kubernetesSDConfigs"));
    }
}

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("fuzz-requests-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
});

fn event(ask: &Ask, edits: &[u8]) -> Option<Value> {
    let mut event = EVENTS[usize::from(ask.event) % EVENTS.len()].clone();
    let path = PATHS[usize::from(ask.path) % PATHS.len()].as_str();
    let query = QUERIES[usize::from(ask.query) % QUERIES.len()];
    if !ask.free {
        let pairs: serde_json::Map<_, _> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        for (field, value) in [
            ("rawPath", json!(path)),
            ("path", json!(path)),
            ("rawQueryString", json!(query)),
            ("queryStringParameters", Value::Object(pairs)),
        ] {
            if event.get(field).is_some() {
                event[field] = value;
            }
        }
        event.as_object_mut()?.remove("multiValueQueryStringParameters");
    }
    if ask.known {
        let claims = json!({"sub": "system:serviceaccount:monitoring:collector", "iss": "https://issuer"});
        event["requestContext"]["authorizer"] = json!({"jwt": {"claims": claims, "scopes": null}});
    }
    if ask.html {
        event["headers"]["accept"] = json!("text/html");
    }
    edited(&event, edits)
}

/// The cluster of a run, written where the function reads it.
fn write_cluster(world: &World<'_>) -> Option<()> {
    let chosen =
        OBJECTS.iter().enumerate().filter(|(at, _)| world.objects >> (at % 32) & 1 == 0).map(|(_, object)| object);
    let mut cluster =
        edited(&json!({"apiVersion": "v1", "kind": "List", "items": chosen.collect::<Vec<_>>()}), world.cluster)?;
    cluster.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten().for_each(without_sources);
    std::fs::write(FOLDER.join("cluster.json"), cluster.to_string()).expect("the file can be written");
    Some(())
}

async fn run(world: &World<'_>, asks: &[u8]) {
    let service = Service::new(Ok(settings(world, &FOLDER))).await;
    if asks.is_empty() {
        return;
    }
    for start in 0..ASKED {
        let byte = |at: usize| asks[at % asks.len()].wrapping_add((at / asks.len()) as u8);
        let bytes: [u8; ASK] = std::array::from_fn(|at| byte(start + at));
        let mut bytes = Unstructured::new(&bytes);
        if let Ok(drawn) = Ask::arbitrary(&mut bytes) {
            ask(&service, &drawn, bytes.take_rest()).await;
        }
    }
}

/// Whether the path is theirs, which may have been copied from another place of the event.
fn asks_for_scrape_configs(event: &Value) -> bool {
    ["rawPath", "path"].iter().any(|field| event[field].as_str().is_some_and(|path| path.contains("scrape_configs")))
}

/// Asks unless it is no event.
async fn ask(service: &Service, ask: &Ask, edits: &[u8]) -> Option<()> {
    let event = event(ask, edits)?;
    let shows = asks_for_scrape_configs(&event);
    let request = serde_json::from_str::<Event>(&event.to_string()).ok()?;
    let mut context = Context::default();
    context.deadline = u64::MAX;
    let answer = tokio::time::timeout(Duration::from_secs(10), service.handle(LambdaEvent::new(request, context)));
    let answer = match answer.await.expect("it is answered in time").expect("the kind is known") {
        FunctionResponse::BufferedResponse(answer) => serde_json::to_value(answer),
        FunctionResponse::StreamingResponse(_) => panic!("nothing streams by default"),
    };
    check(&answer.expect("an answer is written as JSON"), shows);
    let answered = ANSWERED.fetch_add(1, Ordering::Relaxed) + 1;
    if answered.is_multiple_of(PRINTED) {
        eprintln!("answered: {answered}");
    }
    Some(())
}

/// `shows` says whether credentials may be in an answer that is none of a failure.
fn check(answer: &Value, shows: bool) {
    let status = answer["statusCode"].as_u64().expect("there is a status");
    let of = |headers: &Value, name: &str| {
        headers.get(name).and_then(|value| value.as_str().or_else(|| value.get(0)?.as_str()).map(str::to_owned))
    };
    let header = |name: &str| {
        of(&answer["headers"], name).or_else(|| of(&answer["multiValueHeaders"], name)).unwrap_or_default()
    };
    for headers in [&answer["headers"], &answer["multiValueHeaders"]] {
        assert!(!headers.to_string().contains("\\n") && !headers.to_string().contains("\\r"), "{headers}");
    }
    if answer["isBase64Encoded"] == json!(true) {
        return assert_eq!(header("content-encoding"), "gzip", "{answer}");
    }
    let body = answer["body"].as_str().unwrap_or_default();
    if header("content-type").starts_with("text/html") {
        assert!(body.contains("</html>"), "{answer}");
        return assert!(!body.contains(CANARY), "a page shows a credential: {body}");
    }
    if status == 304 || header("content-type").starts_with("text/plain") {
        return assert!(!body.contains(CANARY), "{answer}");
    }
    let body: Value = serde_json::from_str(body).expect("a body is JSON");
    if status == 200 {
        assert!(body.is_array() || body.is_object(), "{answer}");
        return assert!(shows || !body.to_string().contains(CANARY), "{answer}");
    }
    let message = body.as_object().filter(|body| body.len() == 1).and_then(|body| body["message"].as_str());
    assert!(message.is_some_and(|message| !message.is_empty() && !message.contains(CANARY)), "{answer}");
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Unstructured::new(data);
    let Ok(world) = World::arbitrary(&mut bytes) else { return };
    if write_cluster(&world).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(run(&world, bytes.take_rest()));
});
