//! Runs the preview command on changes to the example cluster.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn preview(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_target-allocator-preview")).args(arguments).output().unwrap()
}

/// The example cluster with one text replaced in its monitors.
fn changed(folder: &Path, from: &str, to: &str) -> String {
    let cluster = format!("{}/examples/shop/cluster", env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(cluster).unwrap() {
        let path = entry.unwrap().path();
        let mut text = std::fs::read_to_string(&path).unwrap();
        if path.ends_with("7-servicemonitors.yaml") {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        std::fs::write(folder.join(path.file_name().unwrap()), text).unwrap();
    }
    folder.display().to_string()
}

#[test]
fn a_change_is_shown_before_it_is_merged() {
    let root = env!("CARGO_MANIFEST_DIR");
    let old = format!("{root}/examples/shop/cluster");
    let config = format!("{root}/examples/shop/targetallocator.yaml");
    // The replaced text, its replacement, the exit codes without and with --lost, and parts of the output.
    let cases: [(&str, &str, i32, i32, &[&str]); 5] = [
        ("", "", 0, 0, &["30 targets before, 30 after", "Nothing changes."]),
        ("interval: 15s", "interval: 20s", 1, 0, &["serviceMonitor/shop/web/0: scrape_interval"]),
        (
            "app.kubernetes.io/name: web\n  endpoints",
            "app.kubernetes.io/name: website\n  endpoints",
            1,
            1,
            &["3 removed", "Targets removed", "of serviceMonitor/shop/web/0: ", "Shares", "otel-collector-"],
        ),
        (
            "targetLabel: zone",
            "targetLabel: area",
            1,
            0,
            &["3 with other labels", "area none → \"", "zone \"", "→ none"],
        ),
        (
            "      interval: 15s\n      scrapeTimeout: 10s",
            "      interval: 15s\n      scrapeTimeout: 20s",
            1,
            1,
            &["Jobs removed", "Left out now", "ServiceMonitor/shop/web: spec.endpoints[0].scrapeTimeout"],
        ),
    ];
    for (from, to, exit, exit_if_lost, texts) in cases {
        let folder = tempfile::tempdir().unwrap();
        let new = changed(folder.path(), from, to);
        let shown = preview(&["--config", &config, &old, &new]);
        let text = String::from_utf8(shown.stdout).unwrap();
        assert_eq!(shown.status.code(), Some(exit), "{text}{}", String::from_utf8_lossy(&shown.stderr));
        for expected in texts {
            assert!(text.contains(expected), "{expected} not in {text}");
        }
        let lost = preview(&["--lost", "--config", &config, "--format", "markdown", &old, &format!("manifests:{new}")]);
        assert_eq!(lost.status.code(), Some(exit_if_lost), "{to}");
        let markdown = String::from_utf8(lost.stdout).unwrap();
        assert!(markdown.starts_with("### 30 targets before"), "{markdown}");
        let again = preview(&["--format", "json", "--config", &config, &old, &new]);
        let json: Value = serde_json::from_slice(&again.stdout).unwrap();
        assert_eq!(json["targets"][0], json!(30));
    }
}

#[test]
fn another_config_is_a_change_too() {
    let root = env!("CARGO_MANIFEST_DIR");
    let cluster = format!("{root}/examples/shop/cluster");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, count: u32| {
        let path = folder.path().join(name).display().to_string();
        let config = format!(
            "collectors: {{count: {count}, name: 'c-{{ordinal}}'}}\nprometheus_cr: {{enabled: true, service_monitor_selector: {{}}}}\n"
        );
        std::fs::write(&path, config).unwrap();
        path
    };
    let (two, three) = (write("two", 2), write("three", 3));
    let shown = preview(&["--config", &two, "--new-config", &three, "--format", "json", &cluster, &cluster]);
    let json: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert!(json["targets_moved"].as_u64().unwrap() > 0);
    let last = json["shares"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((last["collector"].clone(), last.get("before")), (json!("c-2"), None));
    assert_eq!(json["targets_removed"], json!([]));
}

/// A Git repository has monitors and services, but no pods. A comparison of two such folders would find no target.
#[test]
fn folders_without_pods_are_not_compared() {
    let config = format!("{}/examples/shop/targetallocator.yaml", env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let new = changed(folder.path(), "", "");
    for file in ["5-pods.yaml", "6-endpointslices.yaml"] {
        std::fs::remove_file(folder.path().join(file)).unwrap();
    }
    let shown = preview(&["--config", &config, &new, &new]);
    let text = String::from_utf8(shown.stderr).unwrap();
    assert_eq!(shown.status.code(), Some(2), "{text}");
    assert!(text.contains("neither OLD nor NEW has pods or endpoint slices"), "{text}");
    // If one side has them, the other side loses all targets.
    let cluster = format!("{}/examples/shop/cluster", env!("CARGO_MANIFEST_DIR"));
    let lost = preview(&["--lost", "--config", &config, &cluster, &new]);
    let text = String::from_utf8(lost.stdout).unwrap();
    assert_eq!(lost.status.code(), Some(1), "{text}");
}

#[test]
fn wrong_arguments_and_unreadable_states_exit_with_2() {
    let cases: [(&[&str], &str); 5] = [
        (&["one"], "exactly two arguments are needed, OLD and NEW"),
        (&["--what", "a", "b"], "unknown option: --what"),
        (&["--format", "html", "a", "b"], "--format must be text, markdown or json: \"html\""),
        (&["--config"], "--config needs a value"),
        (&["/nonexistent/a", "/nonexistent/b"], "cannot read /nonexistent/a"),
    ];
    for (arguments, expected) in cases {
        let shown = preview(arguments);
        assert_eq!(shown.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8(shown.stderr).unwrap();
        assert!(text.contains(expected), "{expected} not in {text}");
    }
}
