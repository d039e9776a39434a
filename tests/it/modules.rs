//! Checks the order of the core's modules, and which module uses which.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A module of the core, with the text of all its files.
struct Module {
    name: String,
    code: String,
}

fn core() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("function/core/src")
}

/// The source without comments and tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The folders and the non-test files of a folder. Empty if the folder does not exist.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.file_stem().is_none_or(|stem| stem != "tests")).collect();
    paths.sort();
    paths
}

fn all_code(path: &Path) -> String {
    if path.is_dir() { entries(path).iter().map(|path| all_code(path)).collect() } else { code(path) }
}

/// The modules of a folder. `a.rs` and `a/` are one module.
fn modules(folder: &Path) -> Vec<Module> {
    let mut modules: BTreeMap<String, String> = BTreeMap::new();
    for path in entries(folder) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        modules.entry(name).or_default().push_str(&all_code(&path));
    }
    modules.into_iter().map(|(name, code)| Module { name, code }).collect()
}

/// The names after `prefix` in the code: `a` and `b` in `prefix::a::X` and `prefix::{a, b::X}`.
fn named<'c>(code: &'c str, prefix: &str) -> Vec<&'c str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let first_word = |text: &'c str| text.split(|c| !is_word(c)).next().unwrap_or_default();
    let mut names = Vec::new();
    for rest in code.split(prefix).skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => names.extend(top_level(list).into_iter().map(|item| first_word(item.trim_start()))),
            None => names.push(first_word(rest)),
        }
    }
    names
}

/// The items of a list before the closing brace.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&list[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

#[test]
fn each_module_of_the_core_uses_only_modules_that_are_listed_above_it() {
    let listed = fs::read_to_string(core().join("lib.rs")).unwrap();
    let order: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let modules: Vec<Module> = modules(&core()).into_iter().filter(|module| module.name != "lib").collect();
    assert_eq!(order.len(), modules.len());
    let mut uses = 0;
    for Module { name, code } in &modules {
        let place = order.iter().position(|listed| listed == name).unwrap();
        for used in named(code, "crate::") {
            let Some(at) = order.iter().position(|listed| *listed == used) else { continue };
            assert!(at <= place, "{name} uses {used}, which is listed below it in lib.rs");
            uses += usize::from(at < place);
        }
    }
    assert!(uses > 100, "the sources are not read as they should be: {uses}");
}

/// The modules in the folder of `parent` that a module uses.
fn siblings<'m>(module: &Module, parent: &str, reexports: &BTreeMap<&str, &'m str>, all: &'m [Module]) -> Vec<&'m str> {
    let beside = |name: &str| all.iter().find(|other| other.name == name).map(|other| other.name.as_str());
    let names = named(&module.code, "super::").into_iter().chain(named(&module.code, &format!("crate::{parent}::")));
    let used = names.filter_map(|name| beside(name).or_else(|| reexports.get(name).copied()));
    used.filter(|used| *used != module.name).collect()
}

/// The items that a parent re-exports, each with its module.
fn reexports<'m>(parent: &'m str, all: &'m [Module]) -> BTreeMap<&'m str, &'m str> {
    let mut names = BTreeMap::new();
    for Module { name, .. } in all {
        for item in named(parent, &format!("pub use {name}::")) {
            names.insert(item, name.as_str());
        }
    }
    names
}

#[test]
fn no_modules_of_discovery_relabel_and_targets_use_each_other_in_a_circle() {
    for parent in ["discovery", "relabel", "targets"] {
        let all = modules(&core().join(parent));
        let parent_code = code(&core().join(parent).with_extension("rs"));
        let reexports = reexports(&parent_code, &all);
        let mut left: BTreeMap<&str, Vec<&str>> =
            all.iter().map(|module| (module.name.as_str(), siblings(module, parent, &reexports, &all))).collect();
        assert!(left.values().any(|used| !used.is_empty()), "the sources of {parent} are not read as they should be");
        // Repeatedly removes a module that uses none of the remaining modules. A circle remains.
        while let Some(done) = left.iter().find(|(_, used)| used.iter().all(|used| !left.contains_key(used))) {
            let done = *done.0;
            left.remove(done);
        }
        assert!(left.is_empty(), "a circle in {parent}: {left:?}");
    }
}
