//! Compares the tables of settings in the documents with the code.

use std::cell::RefCell;
use std::collections::BTreeSet;

use target_allocator::settings::{ResponseMode, Settings};
use target_allocator_core::config::known_keys;

use crate::documents::{read, section};

/// The rows of a table whose first cell is a name in backticks.
fn rows(section: &str) -> impl Iterator<Item = &str> {
    section.lines().filter(|line| line.starts_with("| `"))
}

/// The names in the first column of the table below a heading of `docs/settings.md`.
fn documented(heading: &str) -> BTreeSet<String> {
    let page = read("docs/settings.md");
    let names = rows(section(&page, heading)).filter_map(|row| row.strip_prefix("| `")?.split_once("` |"));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// The keys of a section that have an effect, or that the report names.
fn known(section: &str) -> BTreeSet<String> {
    known_keys(section).iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn the_document_has_exactly_the_settings_of_the_code() {
    let read = RefCell::new(BTreeSet::new());
    let lookup = |name: &str| {
        read.borrow_mut().insert(name.to_owned());
        (name == "CLUSTER").then(|| "kubeconfig".to_owned())
    };
    Settings::load(lookup).unwrap();
    ResponseMode::load(lookup).unwrap();
    // The log library reads `RUST_LOG`, and `main` reads the name of the function and the level of its log.
    read.borrow_mut().extend(["RUST_LOG", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_LOG_LEVEL"].map(str::to_owned));
    assert_eq!(documented("Variables of the environment"), read.into_inner());
    assert_eq!(documented("Keys of `targetallocator.yaml`"), known(""));
    assert_eq!(documented("Keys of `prometheus_cr`"), known("prometheus_cr"));
}

/// The README repeats some rows of `docs/settings.md`. Only the folder of links differs.
#[test]
fn the_readme_repeats_rows_of_the_settings_page() {
    let (readme, page) = (read("README.md"), read("docs/settings.md"));
    let repeated: Vec<_> = rows(section(&readme, "Settings")).map(|row| row.replace("](docs/", "](")).collect();
    assert!(repeated.len() > 10, "{} rows", repeated.len());
    for row in repeated {
        assert!(page.lines().any(|line| line == row), "README.md has a row that docs/settings.md does not have: {row}");
    }
}
