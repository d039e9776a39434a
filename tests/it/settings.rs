//! The page of the settings against the code.

use std::cell::RefCell;
use std::collections::BTreeSet;

use target_allocator::settings::{ResponseMode, Settings};
use target_allocator_core::config::known_keys;

/// The names in the first column of the table below a heading.
fn documented(heading: &str) -> BTreeSet<String> {
    let page = std::fs::read_to_string(format!("{}/docs/settings.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (_, section) = page.split_once(&format!("## {heading}\n")).expect("the heading");
    let section = section.split("\n## ").next().unwrap();
    let names = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// The keys of a section that have an effect, or are named in the report.
fn known(section: &str) -> BTreeSet<String> {
    known_keys(section).iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn every_setting_is_documented_and_nothing_else() {
    let asked = RefCell::new(BTreeSet::new());
    let lookup = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        (name == "CLUSTER").then(|| "kubeconfig".to_owned())
    };
    Settings::load(lookup).unwrap();
    ResponseMode::load(lookup).unwrap();
    // The library that filters the log reads the one, the program itself the other.
    asked.borrow_mut().extend(["RUST_LOG", "AWS_LAMBDA_FUNCTION_NAME"].map(str::to_owned));
    assert_eq!(documented("Variables of the environment"), asked.into_inner());
    assert_eq!(documented("Keys of `targetallocator.yaml`"), known(""));
    assert_eq!(documented("Keys of `prometheus_cr`"), known("prometheus_cr"));
}
