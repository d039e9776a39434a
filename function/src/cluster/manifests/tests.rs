//! What is read from files, and what is reported.

use super::*;

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

#[test]
fn what_cannot_be_read_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken.yaml"), "a: [").unwrap();
    let cases = [folder.path().to_owned(), folder.path().join("missing.yaml")];
    for (path, name) in cases.into_iter().zip(["broken.yaml", "missing.yaml"]) {
        let error = Manifests::new(path).read().unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
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
