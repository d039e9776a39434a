//! `targetallocator.yaml`: any text, or a complete file with a few changes; then all that follows without a cluster.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use target_allocator_core::allocation;
use target_allocator_core::config::Config;
use target_allocator_core::objects::Cluster;
use target_allocator_core::targets::ServedLabels;
use target_allocator_core::yaml;
use target_allocator_fuzz::allocation::checked;
use target_allocator_fuzz::edit::edited;

/// A file for each job of the seed: with all of them every run would take long.
static FILES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let complete = yaml::parse(include_str!("../seeds/targetallocator.yaml")).expect("the seed is valid");
    let jobs = complete["config"]["scrape_configs"].as_array().cloned().unwrap_or_default();
    let file = |job: Value| {
        let mut file = complete.clone();
        file["config"]["scrape_configs"] = Value::Array(vec![job]);
        file
    };
    jobs.into_iter().map(file).collect()
});

fn run(text: &str) {
    if let Ok(value) = yaml::parse(text) {
        // JSON is YAML, unless it is nested too deeply or has a very long key.
        if let Ok(again) = yaml::parse(&value.to_string()) {
            assert_eq!(again, value, "{text:?}");
        }
    }
    match Config::parse(text, Some("monitoring")) {
        Ok(config) => {
            let plan = allocation::plan(&config, &Cluster::default());
            checked(&config, plan, &Cluster::default(), ServedLabels::Referenced);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fuzz_target!(|data: &[u8]| {
    if let [0, which, edits @ ..] = data {
        if let Some(document) = edited(&FILES[usize::from(*which) % FILES.len()], edits) {
            run(&document.to_string());
        }
    } else if let Ok(text) = std::str::from_utf8(data) {
        run(text);
    }
});
