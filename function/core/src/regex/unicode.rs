//! The Unicode tables of Go: classes, simple case folding, upper and lower case.
//!
//! Rust and its crates follow a newer version of Unicode than Go, so a pattern would match other texts than in Go. A Go
//! program prints the tables in `unicode.txt`.

use std::sync::LazyLock;

/// First and last code point, both inclusive.
pub(super) type Range = (u32, u32);

const TABLES: &str = include_str!("unicode.txt");

static FOLDS: LazyLock<Vec<(u32, Vec<u32>)>> = LazyLock::new(|| {
    let mut folds: Vec<(u32, Vec<u32>)> = Vec::new();
    for orbit in table("fold").unwrap_or_default().split(' ') {
        let members: Vec<u32> = orbit.split('=').filter_map(code_point).collect();
        for &member in &members {
            folds.push((member, members.iter().copied().filter(|&other| other != member).collect()));
        }
    }
    folds.sort_unstable();
    folds
});

static LOWER: LazyLock<Vec<(Range, i32)>> = LazyLock::new(|| mapping("lower"));
static UPPER: LazyLock<Vec<(Range, i32)>> = LazyLock::new(|| mapping("upper"));
static LETTERS: LazyLock<Vec<Range>> = LazyLock::new(|| class("L").unwrap_or_default());
static DIGITS: LazyLock<Vec<Range>> = LazyLock::new(|| class("Nd").unwrap_or_default());

/// The class of `\p{name}`. `None` if Go does not have it.
pub(super) fn class(name: &str) -> Option<Vec<Range>> {
    let name = canonical(name);
    let name = table(&format!("alias {name}")).unwrap_or(&name);
    table(&format!("class {name}")).map(ranges)
}

/// The class of `\p{name}` under `(?i)`, for names whose class is not the set of all other cases of its characters.
pub(super) fn folded_class(name: &str) -> Option<Vec<Range>> {
    let name = canonical(name);
    let name = table(&format!("alias {name}")).unwrap_or(&name);
    table(&format!("folded {name}")).map(ranges)
}

/// The other cases of each code point in the range that has any.
pub(super) fn folds((first, last): Range) -> impl Iterator<Item = &'static [u32]> {
    let start = FOLDS.partition_point(|(member, _)| *member < first);
    FOLDS[start..].iter().take_while(move |(member, _)| *member <= last).map(|(_, others)| others.as_slice())
}

/// Lower case like Go's `strings.ToLower`: character by character. Rust would treat a final sigma differently.
#[must_use]
pub fn to_lower(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().map(|c| mapped(&LOWER, c)).collect() }
}

/// Upper case like Go's `strings.ToUpper`: character by character. Rust would turn `ß` into `SS`.
#[must_use]
pub fn to_upper(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_uppercase() } else { text.chars().map(|c| mapped(&UPPER, c)).collect() }
}

/// Whether the character can be part of a name in a replacement template, like in Go.
pub(super) fn is_word(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || c == '_'
    } else {
        contains(&LETTERS, u32::from(c)) || contains(&DIGITS, u32::from(c))
    }
}

fn contains(ranges: &[Range], c: u32) -> bool {
    let at = ranges.partition_point(|(_, last)| *last < c);
    ranges.get(at).is_some_and(|(first, _)| *first <= c)
}

fn mapped(mapping: &[(Range, i32)], c: char) -> char {
    let code = u32::from(c);
    let at = mapping.partition_point(|((_, last), _)| *last < code);
    match mapping.get(at) {
        Some(((first, _), delta)) if *first <= code => {
            code.checked_add_signed(*delta).and_then(char::from_u32).unwrap_or(c)
        }
        _ => c,
    }
}

/// The name under which Go looks up a class: without separators, in lower case with a capital first letter.
fn canonical(name: &str) -> String {
    let mut canonical = String::with_capacity(name.len());
    for c in name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')) {
        canonical.push(if canonical.is_empty() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
    }
    canonical
}

/// The rest of the line of `unicode.txt` that starts with `name`.
fn table(name: &str) -> Option<&'static str> {
    TABLES.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

fn mapping(name: &str) -> Vec<(Range, i32)> {
    let runs = table(name).unwrap_or_default().split(' ');
    runs.filter_map(|run| run.split_once(':').and_then(|(bounds, delta)| Some((range(bounds)?, delta.parse().ok()?))))
        .collect()
}

fn ranges(table: &str) -> Vec<Range> {
    table.split(' ').filter_map(range).collect()
}

fn range(text: &str) -> Option<Range> {
    let (first, last) = text.split_once('-')?;
    Some((code_point(first)?, code_point(last)?))
}

fn code_point(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_classes_are_parsed_completely() {
        for line in TABLES.lines().filter(|line| line.starts_with("class ")) {
            let fields: Vec<&str> = line.split(' ').collect();
            let ranges = class(fields[1]).unwrap();
            assert_eq!(ranges.len(), fields.len() - 2, "{}", fields[1]);
            assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "{}", fields[1]);
        }
        let count = |name| table(name).unwrap().split(' ').count();
        assert_eq!(LOWER.len(), count("lower"));
        assert_eq!(UPPER.len(), count("upper"));
        assert_eq!(FOLDS.len(), table("fold").unwrap().split([' ', '=']).count());
    }

    #[test]
    fn class_names_are_looked_up_as_in_go() {
        let known = ["L", "l", "Lu", "lu", "LC", "Greek", "greek", "G-r_e e k", "Any", "ascii", "Letter", "White_"];
        let found: Vec<bool> = known.iter().map(|name| class(name).is_some()).collect();
        assert_eq!(found, [true, true, true, true, true, true, true, true, true, true, true, false]);
        // Go's tables have this name, but its parser removes separators and then does not find it.
        assert_eq!(class("Old_Italic"), None);
        assert_eq!(class(""), None);
        assert_eq!(class("Lu 41-5a"), None);
        assert_eq!(class("Garay"), None, "newer than Go's tables");
    }

    #[test]
    fn letter_case_follows_go() {
        for (text, lower, upper) in [
            ("Straße", "straße", "STRASSE".replace("SS", "ß").as_str()),
            ("İstanbul", "istanbul", "İSTANBUL"),
            ("ΟΔΟΣ", "οδοσ", "ΟΔΟΣ"),
            ("ǆ", "ǆ", "Ǆ"),
            ("ŉ", "ŉ", "ŉ"),
            ("ﬁ", "ﬁ", "ﬁ"),
            ("Web-1", "web-1", "WEB-1"),
            ("ı", "ı", "I"),
        ] {
            assert_eq!((to_lower(text).as_str(), to_upper(text).as_str()), (lower, upper), "{text}");
        }
    }
}
