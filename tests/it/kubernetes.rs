//! A small API server whose lists and faults a test sets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// The reaction of the server to requests for a resource.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Answers with the objects.
    Objects(Vec<Value>),
    /// Answers with this status and body.
    Status(u16, String),
    /// Answers with the objects after the gate opens.
    Held(Gate, Vec<Value>),
    /// Answers with an empty list from the watch cache, and with the objects from the store.
    EmptyCache(Vec<Value>),
    /// Answers 200 with this content type. The first request gets the first body, and `continue=NUMBER` a later one.
    Pages(&'static str, Vec<Vec<u8>>),
    /// Answers with the result of a function.
    Made(Make),
}

/// A function from a request to an answer.
#[derive(Clone)]
pub struct Make(Arc<dyn Fn(&Wanted) -> Response + Send + Sync>);

impl Make {
    pub fn new(make: impl Fn(&Wanted) -> Response + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }
}

impl std::fmt::Debug for Make {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Make")
    }
}

/// A parsed request.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Namespace and name of the object. `None` for a list.
    pub object: Option<(String, String)>,
    /// The query. Empty if there is none.
    pub query: String,
}

/// Holds answers until a test opens it, so that no test depends on timing. It never closes again.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    pub fn open(&self) {
        self.0.close();
    }

    async fn wait(&self) {
        // The gate never gives out a permit. Opening it ends the wait with an error.
        let _ = self.0.acquire().await;
    }
}

/// A running server.
#[derive(Clone)]
pub struct Kubernetes {
    shared: Arc<Shared>,
    pub kubeconfig: Arc<Kubeconfig>,
    /// The URL of the server.
    pub server: String,
}

#[derive(Default)]
struct Shared {
    behaviours: Mutex<BTreeMap<String, Behaviour>>,
    requests: AtomicUsize,
    running: AtomicUsize,
    most_running: AtomicUsize,
    authorization: Mutex<Option<String>>,
    /// Paths and queries of all requests.
    paths: Mutex<Vec<String>>,
    /// Namespaces that roles grant; `None` grants everything.
    granted: Mutex<Option<BTreeSet<String>>>,
    /// Whether each namespace may be read by its name in any case.
    namespaces_granted: AtomicBool,
}

/// A kubeconfig that is deleted after the test.
pub struct Kubeconfig(tempfile::TempDir);

impl Kubeconfig {
    pub fn path(&self) -> PathBuf {
        self.0.path().join("kubeconfig")
    }
}

impl Kubernetes {
    /// Serves these objects by their `apiVersion`, `kind` and `metadata`.
    pub async fn start(objects: &[Value]) -> Self {
        let shared = Arc::new(Shared::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let kubeconfig = Kubeconfig(tempfile::tempdir().unwrap());
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": &server}}],
            "users": [{"name": "u", "user": {}}]
        });
        std::fs::write(kubeconfig.path(), config.to_string()).unwrap();
        let kubernetes = Self { shared, kubeconfig: Arc::new(kubeconfig), server };
        kubernetes.put(objects);
        kubernetes
    }

    /// The value of `CLUSTER` for this server.
    pub fn cluster(&self) -> String {
        format!("kubeconfig:{}", self.kubeconfig.path().display())
    }

    /// Replaces the objects of all kinds that occur in `objects`.
    pub fn put(&self, objects: &[Value]) {
        let mut by_resource: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for object in objects {
            let kind = object["kind"].as_str().unwrap().to_lowercase();
            let plural = if kind == "endpoints" || kind.ends_with("es") {
                kind
            } else if kind == "ingress" {
                "ingresses".to_owned()
            } else {
                format!("{kind}s")
            };
            by_resource.entry(plural).or_default().push(object.clone());
        }
        for (resource, objects) in by_resource {
            self.set(&resource, Behaviour::Objects(objects));
        }
    }

    /// Sets the behaviour for a resource such as `pods`. `*` applies to all resources without their own behaviour.
    pub fn set(&self, resource: &str, behaviour: Behaviour) {
        self.shared.behaviours.lock().unwrap().insert(resource.to_owned(), behaviour);
    }

    /// Removes the behaviour of a resource.
    pub fn unset(&self, resource: &str) {
        self.shared.behaviours.lock().unwrap().remove(resource);
    }

    /// The header `Authorization` of the last request.
    pub fn authorization(&self) -> Option<String> {
        self.shared.authorization.lock().unwrap().clone()
    }

    /// The maximum number of concurrent requests so far.
    pub fn most_at_a_time(&self) -> usize {
        self.shared.most_running.load(Ordering::Relaxed)
    }

    /// Answers 403 to each request outside of these namespaces, except for API discovery.
    pub fn grant_only(&self, namespaces: &[&str]) {
        let namespaces = namespaces.iter().map(|namespace| (*namespace).to_owned()).collect();
        *self.shared.granted.lock().unwrap() = Some(namespaces);
    }

    /// Lets each namespace be read by its name.
    pub fn grant_get_of_namespaces(&self) {
        self.shared.namespaces_granted.store(true, Ordering::Relaxed);
    }

    /// The paths and queries of all requests since the last call.
    pub fn take_paths(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.paths.lock().unwrap())
    }

    /// The number of requests so far.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

async fn serve(State(shared): State<Arc<Shared>>, uri: OriginalUri, headers: HeaderMap) -> Response {
    let running = shared.running.fetch_add(1, Ordering::Relaxed) + 1;
    shared.most_running.fetch_max(running, Ordering::Relaxed);
    let response = answer(&shared, uri, headers).await;
    shared.running.fetch_sub(1, Ordering::Relaxed);
    response
}

async fn answer(shared: &Shared, OriginalUri(uri): OriginalUri, headers: HeaderMap) -> Response {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    *shared.authorization.lock().unwrap() = authorization;
    shared.paths.lock().unwrap().push(uri.to_string());
    // The function encodes `-` and more in names, which is the same path for an API server.
    let decoded = |segment| percent_encoding::percent_decode_str(segment).decode_utf8().unwrap();
    let segments: Vec<_> = uri.path().split('/').filter(|segment| !segment.is_empty()).map(decoded).collect();
    let mut segments: Vec<_> = segments.iter().map(AsRef::as_ref).collect();
    // .../RESOURCE, .../namespaces/NAMESPACE/RESOURCE, .../namespaces/NAMESPACE/RESOURCE/NAME, or .../namespaces/NAME
    let (resource, namespace, name) = match segments.as_slice() {
        [.., "namespaces", namespace, resource, name] => (*resource, Some(*namespace), Some((*namespace, *name))),
        [_, _, "namespaces", name] => ("namespaces", Some(*name), Some(("", *name))),
        [.., "namespaces", namespace, resource] => (*resource, Some(*namespace), None),
        [.., resource] => (*resource, None, None),
        [] => return StatusCode::NOT_FOUND.into_response(),
    };
    if let Some(forbidden) = forbidden(shared, namespace, &segments) {
        return forbidden;
    }
    if namespace.is_some() && name.is_none() {
        segments.retain(|segment| *segment != "namespaces" && Some(*segment) != namespace);
    }
    let behaviour = {
        let behaviours = shared.behaviours.lock().unwrap();
        behaviours.get("*").or_else(|| behaviours.get(resource)).cloned()
    };
    let query = uri.query().unwrap_or_default();
    let objects = match behaviour {
        None if matches!(segments.as_slice(), ["apis", _, _]) => return discovery(shared, &segments).into_response(),
        None if matches!(segments.as_slice(), ["apis"]) => return groups().into_response(),
        None => Vec::new(),
        Some(Behaviour::Objects(objects)) => objects,
        Some(Behaviour::Held(gate, objects)) => {
            gate.wait().await;
            objects
        }
        Some(Behaviour::EmptyCache(objects)) => {
            if query.contains("resourceVersion=0") {
                Vec::new()
            } else {
                objects
            }
        }
        Some(Behaviour::Status(status, body)) => {
            return (StatusCode::from_u16(status).unwrap(), body).into_response();
        }
        Some(Behaviour::Made(Make(make))) => {
            let object = name.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
            return make(&Wanted { object, query: uri.query().unwrap_or_default().to_owned() });
        }
        Some(Behaviour::Pages(kind, pages)) => {
            let page = query.rsplit_once("continue=").map_or(0, |(_, number)| number.parse().unwrap());
            return ([("content-type", kind)], pages[page].clone()).into_response();
        }
    };
    let of = |object: &Value| object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    let Some((namespace, name)) = name else {
        let listed: Vec<_> =
            objects.into_iter().filter(|object| namespace.is_none_or(|namespace| of(object) == namespace)).collect();
        return list(&segments, &json!(listed)).to_string().into_response();
    };
    let found = objects.into_iter().find(|object| of(object) == namespace && object["metadata"]["name"] == name);
    match found {
        Some(object) => object.to_string().into_response(),
        None => (StatusCode::NOT_FOUND, json!({"kind": "Status", "message": "not found"}).to_string()).into_response(),
    }
}

/// The answer to a request that no role grants.
fn forbidden(shared: &Shared, namespace: Option<&str>, segments: &[&str]) -> Option<Response> {
    let granted = shared.granted.lock().unwrap();
    let granted = granted.as_ref()?;
    let is_discovery = matches!(segments, ["apis"] | ["apis", _, _]);
    let is_namespace = matches!(segments, ["api", "v1", "namespaces", _]);
    if is_discovery
        || (is_namespace && shared.namespaces_granted.load(Ordering::Relaxed))
        || namespace.is_some_and(|namespace| granted.contains(namespace))
    {
        return None;
    }
    let status = json!({"kind": "Status", "apiVersion": "v1", "code": 403, "message": "forbidden by the test"});
    Some((StatusCode::FORBIDDEN, status.to_string()).into_response())
}

/// A list as an API server answers it. Its type follows from its path.
pub fn list(segments: &[&str], items: &Value) -> Value {
    let (resource, group) = segments.split_last().unwrap();
    json!({"kind": format!("{}List", kind_of(resource)), "apiVersion": group[1..].join("/"),
           "metadata": {"resourceVersion": "1"}, "items": items})
}

/// Resources with their kinds. Custom resources are last.
const KINDS: [(&str, &str); 15] = [
    ("secrets", "Secret"),
    ("configmaps", "ConfigMap"),
    ("namespaces", "Namespace"),
    ("nodes", "Node"),
    ("pods", "Pod"),
    ("services", "Service"),
    ("endpoints", "Endpoints"),
    ("endpointslices", "EndpointSlice"),
    ("ingresses", "Ingress"),
    ("replicasets", "ReplicaSet"),
    ("jobs", "Job"),
    ("servicemonitors", "ServiceMonitor"),
    ("podmonitors", "PodMonitor"),
    ("probes", "Probe"),
    ("scrapeconfigs", "ScrapeConfig"),
];

fn kind_of(resource: &str) -> &'static str {
    KINDS.iter().find(|(name, _)| *name == resource).unwrap_or_else(|| panic!("no kind is known of {resource}")).1
}

/// The custom resources of a group, without resources that are set to a status.
fn discovery(shared: &Shared, segments: &[&str]) -> String {
    let behaviours = shared.behaviours.lock().unwrap();
    let defined = |name: &str| !matches!(behaviours.get(name), Some(Behaviour::Status(..)));
    let custom = KINDS[11..].iter().filter(|(name, _)| defined(name));
    let resources: Vec<_> = custom
        .map(|(name, kind)| json!({"name": name, "kind": kind, "namespaced": true, "verbs": ["create", "get", "list"]}))
        .collect();
    let group = segments[1..].join("/");
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": resources}).to_string()
}

/// The groups of custom resources, in the list of all API groups.
fn groups() -> String {
    let versions = ["v1", "v1alpha1"]
        .map(|version| json!({"groupVersion": format!("monitoring.coreos.com/{version}"), "version": version}));
    let group = json!({"name": "monitoring.coreos.com", "versions": versions, "preferredVersion": versions[0]});
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}).to_string()
}
