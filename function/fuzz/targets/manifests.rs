//! Manifests: any text, or a complete cluster and then the same with a few changes; then all that follows.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde::Deserialize as _;
use serde_json::{Value, json};
use target_allocator::cluster::{Kind, Objects, Reading};
use target_allocator::settings::Source;
use target_allocator_core::allocation;
use target_allocator_core::config::Config;
use target_allocator_core::discovery::proxy::EnvironmentProxies;
use target_allocator_core::targets::ServedLabels;
use target_allocator_fuzz::allocation::checked;
use target_allocator_fuzz::edit::edited;

/// The monitors of the seed, and all other objects.
static SEED: LazyLock<(Vec<Value>, Vec<Value>)> = LazyLock::new(|| {
    let documents = serde_norway::Deserializer::from_str(include_str!("../seeds/cluster.yaml"));
    let documents = documents.map(|document| Value::deserialize(document).expect("the seed is valid"));
    documents
        .partition(|document| document["apiVersion"].as_str().is_some_and(|version| version.starts_with("monitoring")))
});

/// One monitor of the seed and those of the others that `mask` has a bit for: with all of them every run would take long.
fn cluster(which: u8, mask: u16) -> Value {
    let (monitors, others) = &*SEED;
    let others = others.iter().enumerate().filter(|(at, _)| mask >> (at % 16) & 1 == 1);
    let items: Vec<_> =
        std::iter::once(&monitors[usize::from(which) % monitors.len()]).chain(others.map(|(_, other)| other)).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

/// Everything is selected; each strategy has its turn.
static CONFIGS: LazyLock<Vec<(Config, ServedLabels)>> = LazyLock::new(|| {
    let with = |more: &str| {
        let selectors: String = ["service_monitor", "pod_monitor", "probe", "scrape_config"]
            .map(|kind| format!("  {kind}_selector: {{}}\n  {kind}_namespace_selector: {{}}\n"))
            .concat();
        let text = format!(
            "collector_namespace: monitoring\ncollector_selector: {{matchLabels: {{app: collector}}}}\n\
             prometheus_cr:\n  enabled: true\n{selectors}{more}\n"
        );
        Config::parse(&text, None).expect("the config is valid")
    };
    vec![
        (with("allocation_strategy: consistent-hashing\nfilter_strategy: relabel-config"), ServedLabels::Referenced),
        (with("allocation_strategy: least-weighted"), ServedLabels::All),
        (with("allocation_strategy: per-node\nallocation_fallback_strategy: consistent-hashing"), ServedLabels::All),
    ]
});

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("fuzz-manifests-{}.yaml", std::process::id())));

/// Reads the texts one after the other, as a cluster that changes.
async fn run(texts: &[&[u8]]) {
    let which: usize = texts.iter().copied().flatten().map(|byte| usize::from(*byte)).sum();
    let (config, served) = &CONFIGS[which % CONFIGS.len()];
    let objects = Objects::open(&Source::Manifests(FILE.clone()), &EnvironmentProxies::default())
        .await
        .expect("nothing is read yet");
    let (mut reading, mut before) = (Reading::default(), None);
    for text in texts {
        std::fs::write(&*FILE, text).expect("the file can be written");
        if let Err(error) = objects.list(&Kind::ALL.into(), &mut reading).await {
            assert!(error.to_string().contains("fuzz-manifests"), "{error}");
            return;
        }
        let references = allocation::references(config, &reading.cluster);
        objects.get(&references, &mut reading).await.expect("it was read before");
        before = checked(config, &reading.cluster, *served, before.as_ref());
    }
}

fuzz_target!(|data: &[u8]| {
    // Nothing waits for anything: manifests are read from a file.
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    if let [0, which, low, high, edits @ ..] = data {
        let complete = cluster(*which, u16::from_le_bytes([*low, *high]));
        if let Some(edited) = edited(&complete, edits) {
            let (complete, edited) = (complete.to_string(), edited.to_string());
            runtime.block_on(run(&[complete.as_bytes(), edited.as_bytes()]));
        }
    } else {
        runtime.block_on(run(&[data]));
    }
});
