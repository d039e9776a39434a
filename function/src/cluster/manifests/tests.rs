//! Which objects are read from files, which files are refused, and what is reported.

use super::*;
use crate::error::chain;

/// Entries of a report: object, field, reason.
fn reported(report: &Report) -> Vec<String> {
    report.entries().iter().map(ToString::to_string).collect()
}

fn read(text: &str) -> (Cluster, Report) {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Manifests::new(file.path().to_owned()).read().unwrap()
}

#[test]
fn documents_lists_and_typed_lists_are_read() {
    let (cluster, report) = read(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: n, labels: &l {app: x}}\nspec: {ports: [{port: 80}]}\n\
         ---\n\
         ---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n\
         ---\n\
         apiVersion: v1\nkind: List\nitems:\n\
         - {apiVersion: v1, kind: Pod, metadata: {name: p, namespace: n}, spec: {containers: [{name: c, ports: [{containerPort: 1}]}]}}\n\
         - {apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {k: v}}\n\
         ---\n\
         apiVersion: discovery.k8s.io/v1\nkind: EndpointSliceList\nitems:\n\
         - {metadata: {name: e, namespace: n}, addressType: IPv4, ports: [{port: 80}]}\n",
    );
    assert_eq!(report.entries(), []);
    assert_eq!(cluster.services.get("n", "a").unwrap().spec.ports[0].protocol, "TCP");
    assert_eq!(cluster.services.get("n", "a").unwrap().spec.r#type, "ClusterIP");
    assert_eq!(cluster.pods.get("n", "p").unwrap().spec.containers[0].ports[0].protocol, "TCP");
    assert_eq!(cluster.endpoint_slices.get("n", "e").unwrap().ports[0].protocol.as_deref(), Some("TCP"));
    assert!(cluster.secrets.get("default", "s").is_some(), "without a namespace it is in default");
    let namespace = cluster.namespaces.get("", "n").expect("a namespace that is used exists");
    assert_eq!(namespace.metadata.labels.get("kubernetes.io/metadata.name"), Some("n"));
}

#[test]
fn a_malformed_object_is_reported_and_the_rest_is_read() {
    let (cluster, report) = read(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: bad, namespace: n}\nspec: {containers: 7}\n\
         ---\n\
         apiVersion: v1\nkind: Pod\nmetadata: {name: good, namespace: n}\n",
    );
    assert_eq!(cluster.pods.len(), 1);
    let reported: Vec<_> = report.entries().iter().map(|entry| entry.object.to_string()).collect();
    assert_eq!(reported, ["Pod/n/bad"]);
}

#[test]
fn a_folder_is_read_with_its_folders_and_without_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let pod = |name: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: n}}\n");
    std::fs::create_dir(folder.path().join("more")).unwrap();
    for (file, name) in [("a.yaml", "a"), ("more/b.yml", "b"), ("c.json", "c"), ("README.md", "d"), ("e.yaml.bak", "e")]
    {
        std::fs::write(folder.path().join(file), pod(name)).unwrap();
    }
    let (cluster, _) = Manifests::new(folder.path().to_owned()).read().unwrap();
    let names: Vec<_> = cluster.pods.iter().map(|pod| pod.metadata.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

/// Otherwise the lock file of an editor would be an error, and a mounted `ConfigMap` would be read three times.
#[test]
fn names_that_begin_with_a_dot_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a.yaml"), "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: n}\n").unwrap();
    std::fs::write(path("._a.yaml"), [0, 5, 22, 7, 255]).unwrap();
    std::os::unix::fs::symlink("me@host", path(".#a.yaml")).unwrap();
    for hidden in [".git", "..2026_11_30"] {
        std::fs::create_dir(path(hidden)).unwrap();
        std::fs::write(path(hidden).join("b.yaml"), "nonsense").unwrap();
    }
    std::os::unix::fs::symlink("..2026_11_30", path("..data")).unwrap();
    let (cluster, report) = Manifests::new(folder.path().to_owned()).read().unwrap();
    assert_eq!((cluster.pods.len(), report.entries()), (1, [].as_slice()));
}

#[test]
fn a_document_that_is_not_yaml_leaves_the_others_alone() {
    let pod = |name: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: n}}\n");
    let cases = ["a: [\n", "a: 'b\n", "a:\n\tb: 1\n", "a: b: c\n", "{{- if .Values.x }}\na: 1\n", "a: *b\n"];
    for wrong in cases {
        let (cluster, report) = read(&format!("{}---\n{wrong}--- # next\n{}", pod("a"), pod("b")));
        assert_eq!(cluster.pods.len(), 2, "{wrong}");
        let reported = reported(&report);
        assert!(reported.len() == 1 && reported[0].contains(".yaml:"), "{wrong}: {reported:?}");
        assert!(reported[0].contains("the document is skipped"), "{wrong}: {reported:?}");
    }
    // Lines are those of the file. Directives belong to the document after them.
    let (_, report) = read(&format!("{}---\na: 1\nb: [\n---\n{}", pod("a"), pod("b")));
    assert!(
        report.entries()[0].reason.contains("line 6") || report.entries()[0].reason.contains("line 7"),
        "{report:?}"
    );
    let (cluster, report) = read(&format!("%YAML 1.1\n---\n{}---\n{}", pod("a"), pod("b")));
    assert_eq!((cluster.pods.len(), report.entries()), (2, [].as_slice()));
}

#[test]
fn a_file_that_holds_no_cluster_is_an_error_that_names_it() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: n}\n";
    let cases = [
        (String::new(), "the file holds no object"),
        ("\n# nothing\n---\n".to_owned(), "the file holds no object"),
        ("null\n".to_owned(), "the file holds no object"),
        ("a: [".to_owned(), "not valid yaml"),
        ("<html><body>503 Service Unavailable</body></html>\n".to_owned(), "found a text"),
        ("<!DOCTYPE html>\n<html>\n<head><title>x: y</title>\n".to_owned(), "found a text"),
        ("Error from server (NotFound): pods \"a\" not found\n".to_owned(), "a document is no Kubernetes object"),
        ("error: You must be logged in to the server\n".to_owned(), "it has no kind"),
        (r#"{"message": "Internal Server Error"}"#.to_owned(), "it has no kind"),
        ("- a\n- b\n".to_owned(), "found a list"),
        ("5\n".to_owned(), "found a number"),
        ("apiVersion: v1\nkind: List\n".to_owned(), "a List needs items, a list of objects, line 1: found nothing"),
        (r#"{"apiVersion": "v1", "kind": "PodList", "items": null}"#.to_owned(), "found null"),
        (r#"{"apiVersion": "v1", "kind": "PodList", "items": {"a": 1}}"#.to_owned(), "found a map"),
        ("apiVersion: v1\nkind: List\nitems: [a, b]\n".to_owned(), "found a text"),
        (r#"{"apiVersion": "v1", "kind": "List", "items": [null]}"#.to_owned(), "found null"),
        ("{apiVersion: v1, kind: List, items: [{kind: Pod}]}\n".to_owned(), "it has no apiVersion"),
        ("kind: ServiceMonitor\nmetadata: {name: a}\n".to_owned(), "it has no apiVersion"),
        (
            r#"{"kind": "Status", "apiVersion": "v1", "message": "forbidden"}"#.to_owned(),
            "the API server instead of objects: forbidden",
        ),
        (format!("{pod}---\n"), "the file ends with ---"),
        (format!("{pod}---\n# Source: next.yaml\n"), "the file ends with ---"),
        (format!("{pod}---\napiVersion: v1\nkin"), "not valid yaml"),
        (r#"{"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"na"#.to_owned(), "not valid yaml"),
        ("[a]: 1\n".to_owned(), "a list, a map or null"),
    ];
    for (text, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("good.yaml"), pod).unwrap();
        std::fs::write(folder.path().join("wrong.yaml"), &text).unwrap();
        let error = chain(&Manifests::new(folder.path().to_owned()).read().map(drop).expect_err(&text));
        assert!(error.contains("wrong.yaml: ") && error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_path_without_manifests_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("README.md"), "a").unwrap();
    std::fs::write(folder.path().join("latin.txt"), [0xe4]).unwrap();
    let cases = [
        (folder.path().to_owned(), "the folder has no .yaml, .yml or .json file"),
        (folder.path().join("missing.yaml"), "missing.yaml"),
        (folder.path().join("latin.txt"), "the file is not UTF-8: save it as UTF-8"),
        // Opening a pipe without a writer would block.
        (PathBuf::from("/dev/null"), "neither a file nor a folder"),
    ];
    for (path, expected) in cases {
        let error = chain(&Manifests::new(path).read().map(drop).unwrap_err());
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn an_empty_list_is_a_cluster_without_objects() {
    for text in ["{apiVersion: v1, kind: List, items: []}", r#"{"apiVersion": "v1", "kind": "PodList", "items": []}"#] {
        assert_eq!(read(text).0.pods.len(), 0, "{text}");
    }
    // A custom kind whose name ends with List.
    let (_, report) = read("apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: a}\nspec: {}\n");
    assert_eq!(report.entries(), []);
}

#[test]
fn a_file_that_loses_documents_is_used_once_it_rests() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    let pod = |name: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: n}}\n");
    let manifests = Manifests::new(path.clone());
    let pods = || manifests.read().map(|(cluster, _)| cluster.pods.len());
    std::fs::write(&path, format!("{}---\n{}", pod("a"), pod("b"))).unwrap();
    assert_eq!(pods().unwrap(), 2);
    // Cut between two documents.
    std::fs::write(&path, pod("a")).unwrap();
    let error = chain(&pods().unwrap_err());
    assert!(error.contains("a.yaml") && error.contains("documents: 2 before, 1 now"), "{error}");
    // The writer goes on.
    std::fs::write(&path, format!("{}---\n{}---\n{}", pod("a"), pod("b"), pod("c"))).unwrap();
    assert_eq!(pods().unwrap(), 3);
    // A document was removed a minute ago.
    std::fs::write(&path, pod("a")).unwrap();
    let minute_ago = SystemTime::now() - std::time::Duration::from_secs(60);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(minute_ago).unwrap();
    assert_eq!(pods().unwrap(), 1);
}

#[test]
fn objects_are_read_as_kubectl_reads_them() {
    let (cluster, report) = read(
        "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {namespace: tenant, name: old-booleans}\n\
         spec:\n  selector: {matchLabels: {app: x}}\n  targetLimit: 010\n  endpoints:\n  \
         - {port: http, honorLabels: yes, honorTimestamps: off, tlsConfig: {insecureSkipVerify: On}}\n\
         ---\n\
         apiVersion: v1\nkind: Pod\nmetadata: {namespace: tenant, name: x-0}\nspec: {hostNetwork: no, containers: []}\n\
         ---\n\
         apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\n\
         metadata: {namespace: tenant, name: twice, labels: {a: b}, name: twice}\n\
         spec: {selector: {matchLabels: {app: x}}, endpoints: [{port: first, port: http}]}\n",
    );
    assert_eq!(report.entries(), []);
    let spec = &cluster.service_monitors.get("tenant", "old-booleans").unwrap().spec;
    let endpoint = &spec.endpoints[0];
    let skips_verification = endpoint.tls_config.as_ref().unwrap().safe.insecure_skip_verify;
    assert_eq!((endpoint.honor_labels, endpoint.honor_timestamps), (true, Some(false)));
    assert_eq!((skips_verification, spec.limits.target_limit), (Some(true), Some(8)));
    assert_eq!(cluster.pods.len(), 1);
    assert_eq!(cluster.service_monitors.get("tenant", "twice").unwrap().spec.endpoints[0].port, "http");
}

#[test]
fn y_and_n_are_booleans_where_a_boolean_is_needed_and_texts_elsewhere() {
    let (cluster, report) = read(
        "apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {namespace: tenant, name: letters}\n\
         spec: {selector: {}, podMetricsEndpoints: [{port: http, honorLabels: y}]}\n\
         ---\n\
         apiVersion: v1\nkind: Pod\nmetadata: {namespace: n, name: y}\n",
    );
    assert_eq!(report.entries(), []);
    assert!(cluster.pod_monitors.get("tenant", "letters").unwrap().spec.pod_metrics_endpoints[0].honor_labels);
    assert!(cluster.pods.get("n", "y").is_some());
}

#[test]
fn an_object_that_an_api_server_refuses_is_reported_by_field_and_the_rest_is_read() {
    let monitor = |spec: &str| {
        format!(
            "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {{name: m, namespace: n}}\nspec: {spec}\n"
        )
    };
    let pod_monitor = |spec: &str| monitor(spec).replace("ServiceMonitor", "PodMonitor");
    let cases = [
        (monitor("{endpoints: []}"), "ServiceMonitor/n/m: spec.selector: "),
        (monitor("{endpoints: [], selector: null}"), "ServiceMonitor/n/m: spec.selector: "),
        (monitor("{endpoints: [], selector: []}"), "ServiceMonitor/n/m: spec.selector: "),
        (monitor("{selector: {}}"), "ServiceMonitor/n/m: spec.endpoints: "),
        (monitor("null"), "ServiceMonitor/n/m: spec: "),
        (pod_monitor("{podMetricsEndpoints: []}"), "PodMonitor/n/m: spec.selector: "),
        (
            monitor("{selector: {}, endpoints: [{honorLabels: 'yes'}]}"),
            "ServiceMonitor/n/m: spec.endpoints[0].honorLabels: ",
        ),
        ("apiVersion: v1\nkind: Pod\nmetadata: {namespace: n}\n".to_owned(), "Pod/n/: metadata.name: "),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {namespace: n, name: 5}\n".to_owned(),
            "Pod/n/5: metadata.name: an API server refuses the object, so it is skipped: the field is required, write a \
             text, in quotes if it looks like a number",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: n, labels: {a: 5}}\n".to_owned(),
            "Pod/n/p: metadata.labels",
        ),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {x: .nan}\n".to_owned(), "the document is skipped: "),
    ];
    let good = "apiVersion: v1\nkind: Pod\nmetadata: {name: good, namespace: n}\n";
    for (text, expected) in cases {
        let (cluster, report) = read(&format!("{text}---\n{good}"));
        assert!(cluster.pods.get("n", "good").is_some(), "{text}");
        assert_eq!(cluster.len(), 2, "{text}: the pod and its namespace");
        let reported = reported(&report);
        assert!(reported.len() == 1 && reported[0].contains(expected), "{text}: {reported:?}");
    }
}

#[test]
fn json_is_read_as_the_same_yaml_is() {
    let pod = |name: &str| {
        format!(r#"{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "{name}", "namespace": "n"}}}}"#)
    };
    let names = |text: &str| -> Vec<String> {
        let (cluster, report) = read(text);
        assert_eq!(report.entries(), [], "{text}");
        cluster.pods.iter().map(|pod| pod.metadata.name.clone()).collect()
    };
    let (a, b) = (pod("a"), pod("b"));
    let bare = |name: &str| format!(r#"{{"metadata": {{"name": "{name}", "namespace": "n"}}}}"#);
    let (bare_a, bare_b) = (bare("a"), bare("b"));
    for text in [
        format!("{a}\n{b}\n"),
        format!("{a}\n---\n{b}\n"),
        format!(r#"{{"apiVersion": "v1", "kind": "List", "items": [{a}, {b}]}}"#),
        format!("{{apiVersion: v1, kind: List, items: [{a}, {b}]}}"),
        format!(r#"{{"items": [{bare_a}, {bare_b}], "kind": "PodList", "apiVersion": "v1"}}"#),
        format!("{{items: [{bare_a}, {bare_b}], kind: PodList, apiVersion: v1}}"),
        format!(
            r#"{{"kind": "List", "items": [{a}, {{"apiVersion": "v1", "kind": "PodList", "items": [{bare_b}]}}]}}"#
        ),
    ] {
        assert_eq!(names(&text), ["a", "b"], "{text}");
    }
}
