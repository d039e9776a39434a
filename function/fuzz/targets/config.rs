//! `targetallocator.yaml`: any text, or a complete file with a few changes; then all that follows without a cluster.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use target_allocator_core::config::Config;
use target_allocator_core::objects::Cluster;
use target_allocator_core::targets::ServedLabels;
use target_allocator_core::yaml;
use target_allocator_fuzz::allocation::checked;
use target_allocator_fuzz::edit::edited;

/// The seed without jobs, and a file for each of its jobs: with all of it every run would take long.
static FILES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let mut complete = yaml::parse(include_str!("../seeds/targetallocator.yaml")).expect("the seed is valid");
    let jobs = complete["config"]["scrape_configs"].take();
    let jobs = jobs.as_array().expect("the seed has jobs").iter().map(|job| {
        let global = &complete["config"]["global"];
        json!({"collectors": {"names": ["c-0"]}, "config": {"global": global, "scrape_configs": [job]}})
    });
    let jobs: Vec<_> = jobs.collect();
    std::iter::once(complete).chain(jobs).collect()
});

/// Any text: what is read is printed so that it reads the same.
fn read_back(text: &str) {
    if let Ok(value) = yaml::parse(text) {
        // JSON is YAML, unless it is nested too deeply or has a very long key.
        if let Ok(again) = yaml::parse(&value.to_string()) {
            assert_eq!(again, value, "{text:?}");
        }
    }
}

fn run(text: &str) {
    match Config::parse(text, Some("monitoring")) {
        Ok(config) => {
            checked(&config, &Cluster::default(), ServedLabels::Referenced, None);
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
        read_back(text);
        run(text);
    }
});
