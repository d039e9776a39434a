//! One object, everybody else: each hostile or odd object of `tests/one_object.json` stands beside a good monitor. The
//! good monitor is served, fresh, in the plain and in the merged view. `tests/peers/e2e/one_object.py` reads the same
//! table with a real API server, collectors and a Prometheus.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};

use crate::external::LOOPBACK;
use crate::function::Function;
use crate::kubernetes::{Behaviour, Kubernetes, Make};
use crate::sources::{HttpServer, Reply};

const SELECTORS: &str = "{enabled: true, service_monitor_selector: {}, pod_monitor_selector: {}, probe_selector: {}, \
                         scrape_config_selector: {}}";
const KINDS: [&str; 10] = [
    "secrets",
    "configmaps",
    "namespaces",
    "pods",
    "services",
    "endpointslices",
    "servicemonitors",
    "podmonitors",
    "probes",
    "scrapeconfigs",
];

/// No refresh takes as long, however busy the machine is.
const LONGEST: Duration = Duration::from_secs(180);

/// One row of the table.
struct Case {
    name: String,
    objects: Vec<Value>,
    /// Objects as people write them in YAML. An API server has no such form.
    yaml: Option<String>,
    /// The report says this of each monitor of the case.
    says: Option<String>,
    /// The report says this if the role may not read Secrets of the namespace.
    narrowed: Option<String>,
}

/// Placeholders in texts, and their values.
type Words<'a> = [(&'a str, String)];

/// Replaces placeholders, and the forms of the table that stand for many values.
fn expand(value: &Value, words: &Words<'_>) -> Value {
    match value {
        Value::String(text) => fill(text, words).into(),
        Value::Array(items) => items.iter().flat_map(|item| expand_item(item, words)).collect(),
        Value::Object(fields) => expand_object(fields, words),
        other => other.clone(),
    }
}

fn fill(text: &str, words: &Words<'_>) -> String {
    words.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// `{"$for": N or LIST, "$of": X}` stands for many items. `<n>` is the number of the item, `<it>` the item of the list.
fn expand_item(item: &Value, words: &Words<'_>) -> Vec<Value> {
    let Some(each) = item.get("$for") else { return vec![expand(item, words)] };
    let values: Vec<_> = match each {
        Value::Array(values) => values.iter().map(|value| value.as_str().unwrap().to_owned()).collect(),
        count => vec![String::new(); usize::try_from(count.as_u64().unwrap()).unwrap()],
    };
    let number = format!("<{}>", item.get("$as").map_or("n", |name| name.as_str().unwrap()));
    let one = |(at, value): (usize, String)| {
        let words = [words, &[(number.as_str(), at.to_string()), ("<it>", value)]].concat();
        expand(&item["$of"], &words)
    };
    values.into_iter().enumerate().map(one).collect()
}

fn expand_object(fields: &Map<String, Value>, words: &Words<'_>) -> Value {
    let count = |name: &str| usize::try_from(fields[name].as_u64().unwrap()).unwrap();
    if let Some(text) = fields.get("$text") {
        return text.as_str().unwrap().repeat(count("$times")).into();
    }
    if let Some(text) = fields.get("$number") {
        return fill(text.as_str().unwrap(), words).parse::<u64>().unwrap().into();
    }
    if fields.contains_key("$keys") {
        return (0..count("$keys")).map(|n| (format!("l{n}"), fields["$value"].clone())).collect::<Map<_, _>>().into();
    }
    fields.iter().map(|(name, value)| (name.clone(), expand(value, words))).collect::<Map<_, _>>().into()
}

fn cases(silent: &str) -> Vec<Case> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/one_object.json");
    let table: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let rows = table["cases"].as_array().unwrap().iter().enumerate();
    rows.map(|(at, row)| case(row, &table["common"], &format!("tenant-{at}"), silent)).collect()
}

fn case(row: &Value, common: &Value, namespace: &str, silent: &str) -> Case {
    let words = [("<namespace>", namespace.to_owned()), ("<silent>", silent.to_owned())];
    let monitor = row.get("endpoint").map(|endpoint| {
        json!([{"kind": "ServiceMonitor", "metadata": {"name": "bad"},
                "spec": {"selector": {"matchLabels": {"app": "bad"}}, "endpoints": [endpoint]}}])
    });
    let own = monitor.or_else(|| row.get("objects").cloned()).unwrap_or_else(|| json!([]));
    let mut objects = vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})];
    for mut object in [common, &own].into_iter().flat_map(|part| expand_all(part, &words)) {
        object["metadata"]["namespace"] = namespace.into();
        let version = if object["kind"] == "ScrapeConfig" { "v1alpha1" } else { "v1" };
        let fields = object.as_object_mut().unwrap();
        fields.entry("apiVersion").or_insert_with(|| format!("monitoring.coreos.com/{version}").into());
        objects.push(object);
    }
    let text = |name: &str| row.get(name).map(|text| text.as_str().unwrap().to_owned());
    let yaml = row.get("yaml").map(|lines| {
        let lines = lines.as_array().unwrap().iter().map(|line| line.as_str().unwrap());
        fill(&lines.collect::<Vec<_>>().join("\n"), &words)
    });
    let name = text("name").unwrap();
    Case { name, objects, yaml, says: text("says"), narrowed: text("narrowed") }
}

fn expand_all(part: &Value, words: &Words<'_>) -> Vec<Value> {
    part.as_array().unwrap().iter().flat_map(|item| expand_item(item, words)).collect()
}

/// A namespace with a good monitor, and a good monitor with a password. Their only target has this address.
fn good(address: &str) -> Vec<Value> {
    let metadata = |name: &str| json!({"namespace": "shop", "name": name, "labels": {"app": "good", "kubernetes.io/service-name": "good"}});
    let monitor = |name: &str, endpoint: Value| {
        json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": metadata(name),
            "spec": {"selector": {"matchLabels": {"app": "good"}}, "endpoints": [endpoint]}})
    };
    let key = |key: &str| json!({"name": "good", "key": key});
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("good"),
            "spec": {"ports": [{"name": "http", "port": 80}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata("good"),
            "addressType": "IPv4", "ports": [{"name": "http", "port": 80}], "endpoints": [{"addresses": [address]}]}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("good"),
            "data": {"user": "dXNlcg==", "password": "cGFzc3dvcmQ="}}),
        monitor("good", json!({"port": "http"})),
        monitor(
            "good-password",
            json!({"port": "http", "basicAuth": {"username": key("user"), "password": key("password")}}),
        ),
    ]
}

async fn start(cluster: &str, snapshot_ttl: &str) -> Function {
    let config = format!("collectors: {{names: [c]}}\n{LOOPBACK}\nprometheus_cr: {SELECTORS}\n");
    let variables = [
        ("CLUSTER", cluster),
        ("ALLOCATOR_CONFIG", &config),
        ("SNAPSHOT_TTL", snapshot_ttl),
        ("SNAPSHOT_MAX_STALE", "600"),
    ];
    Function::start(&variables).await
}

/// A server that takes requests and answers none.
async fn silent_server() -> (HttpServer, String) {
    let (server, address) = HttpServer::start().await;
    server.set("/", Reply::Slow(Duration::from_secs(3600)));
    (server, format!("http://{address}/"))
}

/// The jobs of a view that serve the good monitors' target: whether there is a password, and in the plain view the name.
async fn jobs_with(function: &Function, view: &str, address: &str) -> Result<Vec<String>, String> {
    let configs = function.get(&format!("{view}/scrape_configs")).await;
    if configs.status != 200 {
        return Err(format!("{view}/scrape_configs: {}: {}", configs.status, configs.message()));
    }
    let mut found = Vec::new();
    for (job, config) in configs.json().as_object().unwrap() {
        let is_bad = job.contains("/tenant-");
        if is_bad || found.len() == 2 {
            continue;
        }
        let name: String = url::form_urlencoded::byte_serialize(job.as_bytes()).collect();
        let answer = function.get(&format!("{view}/jobs/{name}/targets?collector_id=c")).await;
        if answer.status == 200 && has_target(&answer.json(), address) {
            let password = config["basic_auth"]["password"].as_str().unwrap_or_default();
            found.push(format!("{password}{}", if view.is_empty() { job } else { "" }));
        }
    }
    found.sort();
    Ok(found)
}

fn has_target(groups: &Value, address: &str) -> bool {
    groups.as_array().unwrap().iter().any(|group| group["targets"] == json!([format!("{address}:80")]))
}

/// Both good monitors are served with this address in both views, and the good one is in the shared list.
async fn is_served(function: &Function, address: &str) -> Result<(), String> {
    let list = function.get("/merged/targets?collector_id=c").await;
    if list.status != 200 || !has_target(&list.json(), address) {
        return Err(format!("/merged/targets: {}", list.status));
    }
    let plain = jobs_with(function, "", address).await?;
    if plain != ["<secret>serviceMonitor/shop/good-password/0", "serviceMonitor/shop/good/0"] {
        return Err(format!("plain: {plain:?}"));
    }
    let merged = jobs_with(function, "/merged", address).await?;
    if merged != ["", "<secret>"] {
        return Err(format!("merged: {merged:?}"));
    }
    Ok(())
}

/// The good monitors are served with this address. A refresh may take longer than a request waits for it.
async fn is_served_soon(function: &Function, address: &str, case: &str) {
    let mut last = String::new();
    let served = async {
        while let Err(error) = is_served(function, address).await {
            last = error;
            sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(timeout(LONGEST, served).await.is_ok(), "{case}: {address} is not served: {last}");
}

/// The report names each monitor of the case, with a reason that says this. The first report may be of a refresh that
/// began before the test changed the objects.
async fn is_reported(function: &Function, case: &Case, says: Option<&String>) {
    let Some(says) = says else { return };
    let mut last = None;
    let reported = async {
        loop {
            let report = function.get("/debug/report").await.json();
            last = case.objects.iter().find_map(|object| unreported(&report, object, says));
            if last.is_none() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(timeout(LONGEST, reported).await.is_ok(), "{}: {says:?} is not reported: {last:?}", case.name);
}

/// The reasons that the report has for a monitor, if none of them says this.
fn unreported(report: &Value, object: &Value, says: &str) -> Option<String> {
    if !object["apiVersion"].as_str().unwrap().starts_with("monitoring") {
        return None;
    }
    let is_same = |entry: &&Value| {
        let (found, metadata) = (&entry["object"], &object["metadata"]);
        found["kind"] == object["kind"] && ["namespace", "name"].iter().all(|field| found[field] == metadata[field])
    };
    let entries = report.as_array().unwrap().iter().filter(is_same);
    let reasons: Vec<_> = entries.map(|entry| entry["reason"].as_str().unwrap()).collect();
    let is_named = reasons.iter().any(|reason| reason.contains(says));
    (!is_named).then(|| format!("{}: {reasons:?}", object["metadata"]["name"]))
}

#[tokio::test]
async fn one_object_in_manifests_costs_nobody_else_anything() {
    let (_server, silent) = silent_server().await;
    for case in cases(&silent) {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, items: &[Value]| {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
            std::fs::write(folder.path().join(file), list.to_string()).unwrap();
        };
        write("good.json", &good("10.0.0.1"));
        write("bad.json", &case.objects);
        if let Some(yaml) = &case.yaml {
            std::fs::write(folder.path().join("bad.yaml"), yaml).unwrap();
        }
        let function = start(&format!("manifests:{}", folder.path().display()), "0").await;
        is_served_soon(&function, "10.0.0.1", &case.name).await;
        is_reported(&function, &case, case.says.as_ref()).await;
        write("good.json", &good("10.0.0.2"));
        is_served_soon(&function, "10.0.0.2", &case.name).await;
        println!("{}", case.name);
    }
}

/// Replaces everything that the API server has.
fn put(kubernetes: &Kubernetes, objects: &[Value]) {
    for kind in KINDS {
        kubernetes.set(kind, Behaviour::Objects(Vec::new()));
    }
    kubernetes.put(objects);
}

/// A running function, to which each object comes and goes.
#[tokio::test]
async fn one_object_of_an_api_server_costs_nobody_else_anything() {
    let (_server, silent) = silent_server().await;
    let kubernetes = Kubernetes::start(&good("10.0.0.1")).await;
    let function = start(&kubernetes.cluster(), "0").await;
    is_served_soon(&function, "10.0.0.1", "alone").await;
    for (at, case) in cases(&silent).into_iter().enumerate() {
        let address = format!("10.0.1.{at}");
        put(&kubernetes, &[good(&address), case.objects.clone()].concat());
        is_served_soon(&function, &address, &case.name).await;
        is_reported(&function, &case, case.says.as_ref()).await;
        println!("{}", case.name);
    }
}

/// A role that may read the Secrets of one namespace only.
fn narrowed(objects: &[Value]) -> Make {
    let secrets: Vec<_> = objects.iter().filter(|object| object["kind"] == "Secret").cloned().collect();
    Make::new(move |wanted| match &wanted.object {
        Some((namespace, name)) if namespace == "shop" => {
            let of_name = |secret: &&Value| {
                secret["metadata"]["namespace"] == **namespace && secret["metadata"]["name"] == **name
            };
            secrets.iter().find(of_name).unwrap().to_string().into_response()
        }
        _ => {
            let body = json!({"kind": "Status", "apiVersion": "v1", "code": 403, "message": "forbidden by the role"});
            (StatusCode::FORBIDDEN, body.to_string()).into_response()
        }
    })
}

#[tokio::test]
async fn all_objects_together_cost_nobody_else_anything_with_a_narrowed_role() {
    let (_server, silent) = silent_server().await;
    let cases = cases(&silent);
    let bad: Vec<_> = cases.iter().flat_map(|case| case.objects.clone()).collect();
    let kubernetes = Kubernetes::start(&[good("10.0.0.1"), bad.clone()].concat()).await;
    kubernetes.set("secrets", Behaviour::Made(narrowed(&good("10.0.0.1"))));
    // A refresh takes seconds, so one of them answers many requests.
    let function = start(&kubernetes.cluster(), "5").await;
    is_served_soon(&function, "10.0.0.1", "all together").await;
    for case in &cases {
        is_reported(&function, case, case.narrowed.as_ref()).await;
    }
    kubernetes.put(&[good("10.0.0.2"), bad].concat());
    kubernetes.set("secrets", Behaviour::Made(narrowed(&good("10.0.0.2"))));
    is_served_soon(&function, "10.0.0.2", "all together").await;
}
