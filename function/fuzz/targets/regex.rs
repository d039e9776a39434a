//! The translation of Go's regular expressions.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use target_allocator_core::regex::{GoRegex, Groups, Purpose, RegexError, Template, to_lower, to_upper};

/// Patterns without what Go and Rust read differently: escapes, classes, flags, anchors, counts.
fn means_the_same_in_rust(pattern: &str) -> bool {
    pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"()|.*+_-:;/ ".contains(&byte))
}

/// Whether a long pattern repeats something a hundred times or more: its automaton
/// takes milliseconds to build. Short ones reach as far.
fn takes_long(pattern: &str) -> bool {
    let counts = pattern.split(['{', ',']).skip(1);
    pattern.len() > 12 && counts.into_iter().any(|rest| rest.bytes().take_while(u8::is_ascii_digit).count() > 2)
}

fn run(pattern: &str, text: &str, template: &str) {
    let matcher = GoRegex::new(pattern, Purpose::Match);
    let capturer = GoRegex::new(pattern, Purpose::Groups);
    let (matcher, capturer) = match (matcher, capturer) {
        (Ok(matcher), Ok(capturer)) => (matcher, capturer),
        // Groups take memory: with them a pattern may be too large that is not without.
        (Ok(_), Err(RegexError::TooLarge)) => return,
        (one, other) => return assert_eq!(one.err(), other.err(), "{pattern:?}"),
    };
    let matches = matcher.is_match(text);
    assert_eq!(capturer.is_match(text), matches, "{pattern:?} {text:?}");
    let mut groups = Groups::default();
    assert_eq!(matcher.captures(text, &mut groups), matches, "{pattern:?} {text:?}");
    let whole = groups.get(0);
    assert_eq!(capturer.captures(text, &mut groups), matches, "{pattern:?} {text:?}");
    if matches {
        assert_eq!(groups.get(0), whole, "{pattern:?} {text:?}");
        let (start, end) = whole.expect("a match is somewhere");
        for group in 0..20 {
            if let Some((first, last)) = groups.get(group) {
                assert!(
                    text.get(first..last).is_some() && start <= first && last <= end,
                    "{pattern:?} {text:?} {group}"
                );
            }
        }
    }
    let template = Template::new(template, &capturer);
    let mut expanded = String::new();
    if matches {
        template.expand(text, &groups, &mut expanded);
    }
    let replaced = capturer.replace_all(text, &template, &mut groups);
    if !matches {
        assert_eq!(replaced, text, "{pattern:?}");
    } else if whole == Some((0, text.len())) {
        assert_eq!(replaced, expanded, "{pattern:?} {text:?}");
    }
    if means_the_same_in_rust(pattern) {
        let rust = regex::RegexBuilder::new(&format!("^(?s:{pattern})$")).build();
        assert_eq!(rust.map(|rust| rust.is_match(text)), Ok(matches), "{pattern:?} {text:?}");
    }
}

fuzz_target!(|data: &[u8]| -> Corpus {
    // As three lines the corpus is readable.
    let Ok(data) = std::str::from_utf8(data) else { return Corpus::Keep };
    let mut parts = data.splitn(3, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let (pattern, text, template) = (part(), part(), part());
    if takes_long(pattern) {
        return Corpus::Reject;
    }
    run(pattern, text, template);
    assert_eq!(to_lower(&to_lower(text)), to_lower(text));
    assert_eq!(to_upper(&to_upper(text)), to_upper(text));
    Corpus::Keep
});
