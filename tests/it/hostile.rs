//! Hostile objects of a tenant. Time and memory stay within bounds, the report names the monitor, and all other
//! monitors are served.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::events::function_url;
use crate::external::{LOOPBACK, Place, TARGETS, addresses, report};
use crate::function::Function;
use crate::kubernetes::Kubernetes;
use crate::sources::{HttpServer, Reply};

/// The expected result for the hostile monitor.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// The monitor has this number of targets.
    Has(usize),
    /// Some of its jobs are left out. The reason contains this text.
    HasInPart(&'static str),
    /// It has no job. The reason contains this text.
    LeftOut(&'static str),
    /// The targets of its job are unknown. The reason contains this text.
    Untold(&'static str),
}

const GOOD: &str = "serviceMonitor%2Fshop%2Fgood%2F0";
const CONFIG: &str = "collectors: {names: [c]}\nprometheus_cr: {enabled: true, service_monitor_selector: {}, scrape_config_selector: {}}\n";

/// The maximum processor time of a refresh and an answer, and the maximum memory, in a debug build.
const MOST_TIME: Duration = Duration::from_secs(15);
const MOST_MEMORY: u64 = 900 << 20;

fn service(name: &str, annotations: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "shop", "name": name, "labels": {"app": name}, "annotations": annotations},
        "spec": {"ports": [{"name": "http", "port": 80}]}})
}

fn slice(service: &str, at: usize, ports: usize, endpoints: impl Iterator<Item = Value>) -> Value {
    let ports = (0..ports).map(|port| json!({"name": if port == 0 { "http".to_owned() } else { format!("p{port}") }, "port": 1 + port, "protocol": "TCP"}));
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"namespace": "shop", "name": format!("{service}-{at}"), "labels": {"kubernetes.io/service-name": service, "app": service}},
        "addressType": "IPv4", "ports": ports.collect::<Vec<_>>(), "endpoints": endpoints.collect::<Vec<_>>()})
}

fn endpoints(from: usize, to: usize) -> impl Iterator<Item = Value> {
    (from..to).map(|n| json!({"addresses": [format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)]}))
}

fn monitor(name: &str, endpoint: &Value) -> Value {
    json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": {"namespace": "shop", "name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "endpoints": [endpoint]}})
}

/// The valid objects beside the hostile ones.
fn good() -> Vec<Value> {
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        service("good", &json!({})),
        slice("good", 0, 1, endpoints(1, 2)),
        monitor("good", &json!({"port": "http"})),
    ]
}

/// A monitor with these rules, and its service with one endpoint.
fn with_rules(rules: &[Value]) -> Vec<Value> {
    vec![
        service("bad", &json!({"text": "x".repeat(1000)})),
        slice("bad", 0, 1, endpoints(1, 2)),
        monitor("bad", &json!({"port": "http", "relabelings": rules})),
    ]
}

fn repeated(times: usize, rule: &Value) -> Vec<Value> {
    vec![rule.clone(); times]
}

fn keep(regex: &str) -> Value {
    json!({"action": "keep", "sourceLabels": ["__meta_kubernetes_service_annotation_text"], "regex": regex})
}

fn many_endpoints(slices: usize, each: usize, ports: usize, endpoint: &Value) -> Vec<Value> {
    let slices = (0..slices).map(|at| slice("bad", at, ports, endpoints(at * each, (at + 1) * each)));
    [service("bad", &json!({})), monitor("bad", endpoint)].into_iter().chain(slices).collect()
}

fn many_jobs(regex: &str) -> Vec<Value> {
    let endpoint = json!({"port": "http", "relabelings": [keep(regex)]});
    let mut monitor = monitor("bad", &endpoint);
    monitor["spec"]["endpoints"] = json!(repeated(100, &endpoint));
    vec![service("bad", &json!({})), slice("bad", 0, 1, endpoints(1, 2)), monitor]
}

fn large_annotation() -> Vec<Value> {
    let read =
        json!({"sourceLabels": ["__meta_kubernetes_service_annotation_text"], "targetLabel": "a", "regex": "(.).*"});
    vec![
        service("bad", &json!({"text": "x".repeat(1 << 20)})),
        slice("bad", 0, 1, endpoints(0, 1000)),
        monitor("bad", &json!({"port": "http", "relabelings": [read]})),
    ]
}

fn large_label_sets() -> Vec<Value> {
    let labels: serde_json::Map<_, _> = (0..10_000).map(|n| (format!("l{n}"), json!("x"))).collect();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": "p", "labels": labels},
        "spec": {"containers": [{"name": "c"}]}, "status": {"phase": "Running", "podIP": "10.0.0.1"}});
    let of_pod = endpoints(0, 1000).map(|mut endpoint| {
        endpoint["targetRef"] = json!({"kind": "Pod", "namespace": "shop", "name": "p"});
        endpoint
    });
    let map = json!({"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(.+)"});
    vec![
        service("bad", &json!({})),
        slice("bad", 0, 1, of_pod),
        pod,
        monitor("bad", &json!({"port": "http", "relabelings": [map]})),
    ]
}

/// Name, hostile objects in the namespace `shop`, and the expected result for the monitor `bad`.
type Case = (&'static str, Vec<Value>, Fate);

const TOO_MUCH: &str = "1 targets are left out: the relabelling rules write more than 1 MiB to each";

fn cases() -> Vec<Case> {
    let double = json!({"sourceLabels": ["__meta_kubernetes_service_annotation_text", "a"], "targetLabel": "a", "regex": "(.*)", "replacement": "$1$1"});
    let copy = json!({"action": "labelmap", "regex": "(.+)", "replacement": "a_$1"});
    let long = json!({"sourceLabels": ["__meta_kubernetes_service_annotation_text"], "targetLabel": "a", "replacement": "$1".repeat(200_000)});
    let join = json!({"sourceLabels": repeated(20_000, &json!("__meta_kubernetes_service_annotation_text")), "targetLabel": "a"});
    vec![
        ("a regex that repeats what is large", with_rules(&[keep(r"(\pL{100}){10}")]), Fate::LeftOut("too large")),
        (
            "a regex that nests deeply",
            with_rules(&[keep(&format!("{}x{}", "(".repeat(5000), ")".repeat(5000)))]),
            Fate::LeftOut("too deeply"),
        ),
        ("a regex that backtracks elsewhere", with_rules(&[keep("(x+x+)+y|x*")]), Fate::Has(1)),
        ("a regex of 100,000 characters", with_rules(&[keep(&"(a|b)".repeat(20_000))]), Fate::Has(0)),
        ("large regexes", with_rules(&repeated(900, &keep(r"\pL{80}|x*"))), Fate::LeftOut("MiB")),
        ("10,000 rules", with_rules(&repeated(10_000, &keep("x*"))), Fate::LeftOut("more than 1000 rules")),
        ("100 jobs with large regexes", many_jobs(r"\pL{100}|x*"), Fate::HasInPart("take more than")),
        ("100 jobs with regexes that are too large", many_jobs(r"(\pL{100}){5}|x*"), Fate::LeftOut("take more than")),
        (
            "10,000 rules for metrics",
            {
                let rule = json!({"action": "drop", "sourceLabels": ["__name__"], "regex": "a|b.c"});
                let endpoint = json!({"port": "http", "metricRelabelings": repeated(10_000, &rule)});
                vec![service("bad", &json!({})), slice("bad", 0, 1, endpoints(1, 2)), monitor("bad", &endpoint)]
            },
            Fate::LeftOut("more than 1000 rules"),
        ),
        ("a label that doubles", with_rules(&repeated(60, &double)), Fate::LeftOut(TOO_MUCH)),
        ("labels that double", with_rules(&repeated(60, &copy)), Fate::LeftOut(TOO_MUCH)),
        ("a replacement of 200,000 groups", with_rules(&[long]), Fate::LeftOut(TOO_MUCH)),
        ("a label of 20,000 others", with_rules(&[join]), Fate::LeftOut(TOO_MUCH)),
        ("100,000 endpoints", many_endpoints(100, 1000, 1, &json!({"port": "http"})), Fate::Has(100_000)),
        ("100,000 endpoints in one slice", many_endpoints(1, 100_000, 1, &json!({"port": "http"})), Fate::Has(100_000)),
        (
            "1,000,000 targets in one slice",
            many_endpoints(1, 1000, 1000, &json!({})),
            Fate::Untold("more than 250000 targets"),
        ),
        ("an annotation of a megabyte on 1,000 targets", large_annotation(), Fate::Untold("more than 64 MiB")),
        ("10,000 labels on 1,000 targets", large_label_sets(), Fate::Untold("more than 8000000 labels")),
    ]
}

/// Checks that the valid monitor of a namespace is served, and that the hostile monitor has the expected result.
async fn check(function: &Function, namespace: &str, (name, objects, expected): &Case) {
    let bad = match objects.iter().any(|object| object["kind"] == "ScrapeConfig") {
        true => format!("scrapeConfig%2F{namespace}%2Fbad"),
        false => format!("serviceMonitor%2F{namespace}%2Fbad%2F0"),
    };
    let good = format!("serviceMonitor%2F{namespace}%2Fgood%2F0");
    assert_eq!(addresses(&share_of(function, &good).await), ["10.0.0.1:1"], "{name}");
    let answer = share_of(function, &bad).await;
    let reason = match *expected {
        Fate::Has(count) => {
            let found = if answer.status == 200 { answer.json().as_array().unwrap().len() } else { usize::MAX };
            let start = String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]);
            return assert_eq!(found, count, "{name}: {start}");
        }
        Fate::HasInPart(reason) => {
            assert_eq!(addresses(&answer), ["10.0.0.1:1"], "{name}");
            reason
        }
        Fate::LeftOut(reason) => {
            assert_eq!(String::from_utf8_lossy(&answer.body), "[]", "{name}");
            reason
        }
        Fate::Untold(reason) => {
            assert_eq!(answer.status, 503, "{name}");
            assert!(answer.message().contains(reason), "{name}: {}", answer.message());
            reason
        }
    };
    let entries = reasons(function, namespace).await;
    assert!(entries.iter().any(|text| text.contains(reason)), "{name}: {entries:?}");
}

/// The reasons in the report for the hostile monitor of a namespace.
async fn reasons(function: &Function, namespace: &str) -> Vec<String> {
    let report = function.invoke_patiently(function_url("/debug/report")).await.json();
    let of_it = |entry: &&Value| entry["object"]["namespace"] == namespace && entry["object"]["name"] == "bad";
    report.as_array().unwrap().iter().filter(of_it).map(|entry| entry["reason"].as_str().unwrap().to_owned()).collect()
}

/// Prints time and memory of the function, and fails if they exceed a bound. The time depends on the machine, so it is
/// checked only if a variable is set, as in CI.
fn check_bounds(function: &Function, what: &str, most_time: Duration, most_memory: u64) {
    let (took, memory) = (function.processor_time(), function.peak_memory());
    println!("{what}: {} ms, {} MiB", took.as_millis(), memory >> 20);
    assert!(took < most_time || std::env::var_os("CHECK_TIMES").is_none(), "{what} took {took:?}");
    assert!(memory < most_memory, "{what} took {} MiB", memory >> 20);
}

async fn share_of(function: &Function, job: &str) -> crate::function::Answer {
    // A function URL streams, because shares can be large.
    function.invoke_patiently(function_url(&format!("/jobs/{job}/targets?collector_id=c"))).await
}

#[tokio::test]
async fn one_monitor_stays_within_bounds_and_the_others_are_served() {
    for case in cases() {
        let folder = tempfile::tempdir().unwrap();
        let items = [good(), case.1.clone()].concat();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        std::fs::write(folder.path().join("cluster.json"), list.to_string()).unwrap();
        let cluster = format!("manifests:{}", folder.path().display());
        let variables = [
            ("CLUSTER", cluster.as_str()),
            ("ALLOCATOR_CONFIG", CONFIG),
            ("SNAPSHOT_TTL", "600"),
            ("RESPONSE_MODE", "stream"),
        ];
        let function = Function::start(&variables).await;
        check(&function, "shop", &case).await;
        check_bounds(&function, case.0, MOST_TIME, MOST_MEMORY);
    }
}

/// Moves the objects of the namespace `shop` to another namespace.
fn move_to(namespace: &str, value: &mut Value) {
    match value {
        Value::String(text) if text == "shop" => namespace.clone_into(text),
        Value::Array(values) => values.iter_mut().for_each(|value| move_to(namespace, value)),
        Value::Object(fields) => fields.values_mut().for_each(|value| move_to(namespace, value)),
        _ => {}
    }
}

/// A monitor with targets from these URLs.
fn with_sources(urls: impl Iterator<Item = String>) -> Vec<Value> {
    let sds: Vec<_> = urls.map(|url| json!({"url": url})).collect();
    vec![json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "ScrapeConfig",
        "metadata": {"namespace": "shop", "name": "bad"}, "spec": {"httpSDConfigs": sds}})]
}

/// Monitors whose sources answer with too much data, too late or endlessly.
fn hostile_sources(server: &HttpServer, address: SocketAddr) -> Vec<Case> {
    // The machine decides which bound is exceeded first: the number, the size or the time.
    const UNTOLD: Fate = Fate::Untold("");
    let url = move |path: &str| format!("http://{address}{path}");
    server.set("/many", Reply::json(&many_targets(1_000_000)));
    let large = many_targets(250_000);
    let padding = " ".repeat(16 * MIB - large.len());
    server.set("/large", Reply::json(&(large + &padding)));
    server.set("/endless", endless(None));
    server.set("/slow", Reply::Slow(Duration::from_secs(60)));
    let one = |path: &str| with_sources([url(path)].into_iter());
    vec![
        ("a source of 1,000,000 targets", one("/many"), UNTOLD),
        ("a source without an end", one("/endless"), UNTOLD),
        ("a source that is silent", one("/slow"), UNTOLD),
        ("100 sources of 16 MiB", with_sources((0..100).map(|at| url(&format!("/large?{at}")))), Fate::Untold("")),
    ]
}

fn many_targets(count: usize) -> String {
    format!(r#"[{{"targets":[{}]}}]"#, vec![r#""a:1""#; count].join(","))
}

/// Each case has its own namespace with a valid monitor. All namespaces are in one cluster.
#[tokio::test]
async fn all_hostile_monitors_together_stay_within_bounds_and_the_others_are_served() {
    let (server, address) = HttpServer::start().await;
    let mut all = cases();
    all.extend(hostile_sources(&server, address));
    all.push(("an object that is too deep", deep_object(), Fate::LeftOut("recursion limit")));
    let objects = all.iter().enumerate().flat_map(|(at, (_, objects, _))| {
        let mut objects = [good(), objects.clone()].concat();
        objects.iter_mut().for_each(|object| move_to(&format!("tenant-{at}"), object));
        objects
    });
    let kubernetes = Kubernetes::start(&objects.collect::<Vec<_>>()).await;
    let variables = [
        ("CLUSTER", kubernetes.cluster()),
        ("ALLOCATOR_CONFIG", format!("{CONFIG}{LOOPBACK}\n")),
        ("SNAPSHOT_TTL", "600".to_owned()),
        ("RESPONSE_MODE", "stream".to_owned()),
    ];
    let function = Function::start(&variables.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    for (at, case) in all.iter().enumerate() {
        check(&function, &format!("tenant-{at}"), case).await;
    }
    check_bounds(&function, "all of them", 4 * MOST_TIME, 2 * MOST_MEMORY);
}

/// An answer with millions of targets is rejected as a whole.
#[tokio::test]
async fn hostile_external_sources_stay_within_bounds() {
    let (server, address) = HttpServer::start().await;
    let wide =
        format!(r#"[{{"targets":[{}],"labels":{{"a":"{}"}}}}]"#, vec![r#""a:1""#; 1000].join(","), "x".repeat(1 << 20));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let replies = [
        ("many", many_targets(2_000_000), "more than 250000 targets"),
        ("wide", wide, "more than 64 MiB"),
        ("deep", deep, "recursion limit"),
    ];
    let mut jobs = vec![json!({"job_name": "good", "http_sd_configs": [{"url": format!("http://{address}/good")}]})];
    server.set("/good", Reply::json(r#"[{"targets":["10.0.0.1:80"]}]"#));
    for (name, body, _) in &replies {
        server.set(&format!("/{name}"), Reply::json(body));
        jobs.push(json!({"job_name": name, "http_sd_configs": [{"url": format!("http://{address}/{name}")}]}));
    }
    let place = Place::new();
    let function = place.start(LOOPBACK, &json!(jobs)).await;
    assert_eq!(addresses(&share_of(&function, "good").await), ["10.0.0.1:80"]);
    for (name, _, reason) in replies {
        let answer = share_of(&function, name).await;
        assert_eq!(answer.status, 503, "{name}");
        let message = answer.message();
        // A source that is too slow is also rejected.
        assert!(message.contains(reason) || message.contains("no answer within"), "{name}: {message}");
    }
    let memory = function.peak_memory();
    println!("sources: {} MiB", memory >> 20);
    assert!(memory < MOST_MEMORY, "{} MiB", memory >> 20);
}

const MIB: usize = 1 << 20;

/// A gzip file of 1 GiB of spaces, in many members.
fn gzip_bomb() -> Reply {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b' '; 4 * MIB]).unwrap();
    let member = Bytes::from(encoder.finish().unwrap());
    Reply::Pieces(vec![("content-encoding", "gzip".to_owned())], member.clone(), member, 255)
}

/// One target, padded with spaces to this size.
fn padded(bytes: usize) -> String {
    let targets = r#"[{"targets":["10.0.0.2:80"]}]"#;
    format!("{targets}{}", " ".repeat(bytes - targets.len()))
}

/// The padded target in pieces, with or without a length in the header.
fn in_pieces(bytes: usize, length: Option<usize>) -> Reply {
    let headers = length.map(|length| ("content-length", length.to_string()));
    let start = padded(bytes % (64 << 10) + (64 << 10));
    let times = (bytes - start.len()) / (64 << 10);
    Reply::Pieces(headers.into_iter().collect(), start.into(), vec![b' '; 64 << 10].into(), times)
}

fn endless(length: Option<usize>) -> Reply {
    match in_pieces(MIB, length) {
        Reply::Pieces(headers, start, piece, _) => Reply::Pieces(headers, start, piece, usize::MAX),
        other => other,
    }
}

/// An answer of a source is read up to its bound, in any transfer encoding. Beyond it, the last targets stay.
#[tokio::test]
async fn an_answer_of_a_source_is_taken_up_to_16_mib() {
    const TOO_MUCH: &str = "the answer has more than 16 MiB";
    let cases = [
        ("as much as may be", Reply::json(&padded(16 * MIB)), Ok(())),
        ("a byte more", Reply::json(&padded(16 * MIB + 1)), Err(TOO_MUCH)),
        ("as much in pieces", in_pieces(16 * MIB, None), Ok(())),
        ("a byte more in pieces", in_pieces(16 * MIB + 1, None), Err(TOO_MUCH)),
        ("without an end", endless(None), Err(TOO_MUCH)),
        ("a terabyte, as it says", endless(Some(1 << 40)), Err(TOO_MUCH)),
        ("a bomb", gzip_bomb(), Err("not json")),
    ];
    let (server, address) = HttpServer::start().await;
    let path = |name: &str| format!("/{}", name.replace([' ', ','], "-"));
    let jobs = cases.iter().map(|(name, ..)| {
        server.set(&path(name), Reply::json(TARGETS));
        let url = format!("http://{address}{}", path(name));
        json!({"job_name": name, "http_sd_configs": [{"url": url, "refresh_interval": "5s"}]})
    });
    let place = Place::new();
    let function = place.start(LOOPBACK, &jobs.collect()).await;
    let share = async |name: &str| addresses(&share_of(&function, &name.replace(' ', "%20").replace(',', "%2C")).await);
    assert_eq!(share(cases[0].0).await, ["10.0.0.1:80"]);
    let before = function.peak_memory();
    for (name, reply, _) in &cases {
        server.set(&path(name), reply.clone());
    }
    sleep(Duration::from_millis(5_050)).await;
    // A request does not wait until the end of a long refresh.
    let started = Instant::now();
    while share(cases[0].0).await != ["10.0.0.2:80"] && started.elapsed() < Duration::from_secs(300) {
        sleep(Duration::from_millis(500)).await;
    }
    for (name, _, expected) in cases {
        let found = share(name).await;
        let reported = report(&function, name).await;
        match expected {
            Ok(()) => assert!(found == ["10.0.0.2:80"] && reported.is_empty(), "{name}: {found:?}, {reported:?}"),
            Err(reason) => {
                assert_eq!(found, ["10.0.0.1:80"], "{name}: what was served last stays");
                let [(outcome, text)] = &reported[..] else { panic!("{name}: {reported:?}") };
                assert!(outcome == "adjusted" && text.contains(reason), "{name}: {text}");
            }
        }
    }
    let memory = function.peak_memory() - before;
    println!("answers of 16 MiB: {} MiB more", memory >> 20);
    assert!(memory < 200 << 20, "{} MiB more", memory >> 20);
}

/// YAML with aliases that expand beyond any memory, or that contain themselves.
fn bombs() -> Vec<(&'static str, String)> {
    let laughs: String =
        (1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "))).collect();
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 100_000].join(", "));
    vec![
        ("aliases of aliases", format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{laughs}")),
        ("an alias of a long text", long),
        ("an alias of itself", "a: &a [*a]\n".to_owned()),
        ("deep nesting", format!("a: {}{}\n", "[".repeat(3000), "]".repeat(3000))),
        ("keys of keys", format!("a: {}\n", "{? ".repeat(3000))),
    ]
}

#[tokio::test]
async fn yaml_aliases_cannot_expand_without_bound() {
    for (name, text) in bombs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bomb.yaml");
        std::fs::write(&file, &text).unwrap();
        let path = file.display().to_string();
        let cluster = format!("manifests:{}", folder.path().display());
        for (what, variables) in [
            ("manifests", [("CLUSTER", cluster.as_str()), ("ALLOCATOR_CONFIG", CONFIG)]),
            ("config", [("CLUSTER", "manifests:/nowhere"), ("ALLOCATOR_CONFIG_FILE", path.as_str())]),
        ] {
            let function = Function::start(&variables).await;
            let answer = function.get("/scrape_configs").await;
            assert!(answer.status >= 500, "{name} in {what}: {}", answer.status);
            assert!(answer.message().contains("bomb.yaml"), "{name} in {what}: {}", answer.message());
            check_bounds(&function, &format!("{name} in {what}"), MOST_TIME, MOST_MEMORY);
        }
    }
}

fn deep_object() -> Vec<Value> {
    let mut bad = monitor("bad", &json!({"port": "http"}));
    bad["spec"]["more"] = (0..200).fold(json!("x"), |inner, _| json!([inner]));
    vec![service("bad", &json!({})), slice("bad", 0, 1, endpoints(2, 3)), bad]
}

/// An object that is too deep for any parser is left out alone.
#[tokio::test]
async fn deep_objects_are_left_out_alone() {
    let kubernetes = Kubernetes::start(&[good(), deep_object()].concat()).await;
    let function = Function::start(&[("CLUSTER", &kubernetes.cluster()), ("ALLOCATOR_CONFIG", CONFIG)]).await;
    assert_eq!(addresses(&share_of(&function, GOOD).await), ["10.0.0.1:1"]);
    let entries = report(&function, "bad").await;
    assert!(entries.iter().any(|(outcome, _)| outcome == "malformed"), "{entries:?}");
}

/// Names with characters that have a meaning in gateways, logs, headers or pages.
const NAMES: [&str; 9] = [
    "a\r\nset-cookie: x=1",
    "a\u{0}b",
    "\u{202e}drawkcab",
    "a\u{200b}b",
    "../../etc/passwd",
    "%2e%2e%2f",
    "<script>alert(1)</script>",
    "\u{feff}a\u{301}\u{1f4a9}",
    "\"}],\"x\":[{\"",
];

#[tokio::test]
async fn names_cannot_break_log_lines() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut items = good();
    for (at, name) in NAMES.into_iter().enumerate() {
        let mut bad = monitor("good", &json!({"port": "http", "bearerTokenSecret": {"name": name, "key": name}}));
        bad["metadata"]["name"] = json!(name);
        let mut refused = bad.clone();
        refused["metadata"]["name"] = json!(format!("{name}{at}"));
        bad["spec"]["endpoints"][0] = json!({"port": "http"});
        items.extend([bad, refused]);
    }
    std::fs::write(
        folder.path().join("cluster.json"),
        json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string(),
    )
    .unwrap();
    let cluster = format!("manifests:{}", folder.path().join("cluster.json").display());
    let function = Function::start_with_log(&[("CLUSTER", &cluster), ("ALLOCATOR_CONFIG", CONFIG)], &log).await;
    let jobs = function.get("/jobs").await.json();
    for name in NAMES {
        let job = format!("serviceMonitor/shop/{name}/0");
        let link = jobs[&job]["_link"].as_str().unwrap_or_else(|| panic!("no job of {name:?}: {jobs}")).to_owned();
        let escaped: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        for path in [
            format!("{link}?collector_id=c"),
            format!("/jobs/{escaped}/targets?collector_id={escaped}"),
            format!("/explain?monitor=ServiceMonitor/shop/{escaped}"),
            format!("/explain?collector={escaped}"),
            format!("/explain?{escaped}={escaped}"),
            format!("/debug/job?job_id=serviceMonitor/shop/{escaped}/0"),
            format!("/debug/targets?q={escaped}&page={escaped}"),
            format!("/{escaped}/nothing"),
        ] {
            let answer = function.invoke(function_url(&path)).await;
            assert!(answer.status < 500, "{path}: {}", answer.status);
            for (header, value) in &answer.headers {
                assert!(!value.contains(['\r', '\n', '\0']), "{path}: {header}: {value:?}");
            }
            assert!(!answer.headers.contains_key("set-cookie"), "{path}");
            if answer.headers["content-type"].starts_with("text/html") {
                let page = String::from_utf8(answer.body).unwrap();
                assert!(!page.contains("<script>alert"), "{path}");
            } else if answer.status != 200 {
                assert!(!answer.message().is_empty(), "{path}");
            }
        }
    }
    for line in std::fs::read_to_string(&log).unwrap().lines() {
        let line: Result<Value, _> = serde_json::from_str(line);
        assert!(line.is_ok_and(|line| line.is_object()), "the log has something else than objects");
    }
}
