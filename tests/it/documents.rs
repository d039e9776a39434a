//! Rules for all documents: sentences are short, links lead to files, and each difference from the peers has a row.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The maximum number of words in a sentence. The style guide recommends 25 words.
const MOST_WORDS: usize = 35;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a document, by its path from the root of the repository.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The text below a heading of the second level, up to the next such heading.
pub fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no heading: {heading}"));
    section.split("\n## ").next().unwrap_or_default()
}

fn markdown_files(folder: &str) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"))
}

fn documents() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<_> =
        ["", "docs", "scripts", "tests", "tests/peers"].into_iter().flat_map(markdown_files).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The lines of a document outside fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    })
}

/// Whether a line cannot continue the sentence of the line before it.
fn starts_block(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with(['#', '-', '*', '|']) || line.starts_with(|first: char| first.is_ascii_digit())
}

/// The sentences of a document. A heading, a list item and the cell of a table end a sentence, too.
fn sentences(text: &str) -> Vec<String> {
    let (mut sentences, mut sentence) = (Vec::new(), Vec::new());
    let mut end = |sentence: &mut Vec<&str>| sentences.push(std::mem::take(sentence).join(" "));
    for line in prose(text) {
        if starts_block(line) {
            end(&mut sentence);
        }
        for (position, cell) in line.split('|').enumerate() {
            if position > 0 {
                end(&mut sentence);
            }
            for word in cell.split_whitespace() {
                sentence.push(word);
                if word.ends_with(['.', '!', '?', ':', ';']) {
                    end(&mut sentence);
                }
            }
        }
    }
    end(&mut sentence);
    sentences
}

#[test]
fn sentences_are_found_in_paragraphs_lists_and_tables() {
    let text =
        "# A title\n\nOne sentence\nover two lines. Another:\n- an item\n```sh\nno prose. At all.\n```\n| a | b |\n";
    let found: Vec<_> = sentences(text).into_iter().filter(|sentence| !sentence.is_empty()).collect();
    assert_eq!(found, ["# A title", "One sentence over two lines.", "Another:", "- an item", "a", "b"]);
}

#[test]
fn sentences_of_documents_are_short() {
    let mut long = Vec::new();
    for (path, text) in documents() {
        let words = |sentence: &String| sentence.split_whitespace().count();
        let sentences = sentences(&text).into_iter().filter(|sentence| words(sentence) > MOST_WORDS);
        long.extend(sentences.map(|sentence| format!("{}: {sentence}", path.display())));
    }
    assert!(long.is_empty(), "sentences of more than {MOST_WORDS} words:\n{}", long.join("\n"));
}

#[test]
fn links_of_documents_lead_to_files() {
    let mut broken = Vec::new();
    for (path, text) in documents() {
        let prose: Vec<_> = prose(&text).collect();
        for link in prose.join("\n").split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let is_here = !link.contains("://") && !file.is_empty();
            if is_here && !path.with_file_name(file).exists() {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

/// The texts between `before` and `after`.
fn between<'t>(text: &'t str, before: &'t str, after: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(before).skip(1).filter_map(move |rest| Some(rest.split_once(after)?.0))
}

/// Calls `visit` with the path and text of each Rust file below a folder.
fn visit_rust_files(folder: &Path, visit: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit_rust_files(&path, visit);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            visit(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// A comment `DIFFERENCE(name)` marks a departure in the code. A row of `docs/differences.md` has `[name]`.
#[test]
fn each_difference_in_the_code_has_a_row_in_the_document() {
    let mut in_code = BTreeSet::new();
    for folder in ["function/core/src", "function/src"] {
        visit_rust_files(&root().join(folder), &mut |path, text| {
            let names: Vec<_> = between(text, "DIFFERENCE(", ")").collect();
            let marks = text.matches("DIFFERENCE").count();
            assert_eq!(
                names.len(),
                marks,
                "{}: write DIFFERENCE(name), with a row in docs/differences.md",
                path.display()
            );
            in_code.extend(names.into_iter().map(str::to_owned));
        });
    }
    let page = read("docs/differences.md");
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| ")).collect();
    let in_rows = rows.iter().flat_map(|row| between(row, "`[", "]`")).map(str::to_owned).collect();
    assert!(in_code.len() > 10, "{in_code:?}");
    assert_eq!(in_code, in_rows, "the names in the code and in the rows of docs/differences.md");
}
