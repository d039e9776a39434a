//! Checks that each test in the threat model exists.

use std::path::Path;

/// The texts between backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn every_threat_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let threats =
        document.split("## Threats").nth(1).expect("there is a table of threats").split("\n## ").next().unwrap();
    let rows: Vec<_> = threats.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 15, "{} threats", rows.len());
    for row in rows {
        let cell = row.trim_end_matches(" |").rsplit('|').next().unwrap();
        let tests: Vec<_> = quoted(cell).collect();
        assert!(!tests.is_empty(), "no test covers: {row}");
        for test in tests {
            let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("not a file and a test: {test}"));
            let text = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{test}: {error}"));
            let defined = [format!("fn {name}("), format!("def {name}("), format!("(\"{name}\"")];
            assert!(defined.iter().any(|form| text.contains(form)), "there is no {name} in {file}");
        }
    }
}
