//! Which patterns Go refuses, and what the others match.

use proptest::prelude::*;

use super::*;

fn refusal(pattern: &str) -> Option<RegexError> {
    GoRegex::new(pattern, Purpose::Groups).err()
}

/// The whole match and the groups, separated by `|`. A group outside of the match is `-`.
fn matched(pattern: &str, text: &str) -> Option<String> {
    let regex = GoRegex::new(pattern, Purpose::Groups).unwrap();
    let mut groups = Groups::default();
    let found = regex.captures(text, &mut groups);
    assert_eq!(found, regex.is_match(text));
    assert_eq!(found, GoRegex::new(pattern, Purpose::Match).unwrap().is_match(text));
    let part = |group| groups.get(group).map_or("-", |(start, end)| &text[start..end]);
    found.then(|| (0..regex.group_names.len()).map(part).collect::<Vec<_>>().join("|"))
}

#[test]
fn patterns_that_go_refuses_are_refused() {
    for pattern in [
        "*",
        "|*",
        "(*",
        "a**",
        "a*+",
        "a???",
        "a{2}{3}",
        "a{2}*",
        "(?i)*",
        "a{1001}",
        "a{2,1}",
        "a{1,1001}",
        "(a{2}){501}",
        "(a{2,}){501}",
        "(a{10}|b{101}){10}",
        "((a{501}){1}){2}",
        "((a{0}){1000}){1000}",
        "(",
        ")",
        "a)",
        "(a",
        "(?:a",
        "[a",
        "[",
        "[]",
        "[^]",
        "[z-a]",
        r"[a-\d]",
        r"[\Qa\E]",
        r"[\b]",
        "[[:foo:]]",
        "[[:alpha:]",
        "[[:perl space:]]",
        r"\",
        r"\1",
        r"\8",
        r"\9",
        r"\C",
        r"\Z",
        r"\G",
        r"\E",
        r"\e",
        r"\é",
        r"\xg0",
        r"\x1",
        r"\x{}",
        r"\x{110000}",
        r"\x{1",
        r"\x{g}",
        r"\p",
        r"\p{",
        r"\p{}",
        r"\p{Foo}",
        r"\px",
        r"\p{Old_Italic}",
        r"\p{Garay}",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?<!a)",
        "(?>a)",
        "(?#a)",
        "(?P=n)",
        "(?P>n)",
        "(?-)",
        "(?i-)",
        "(?--i)",
        "(?x)",
        "(?i",
        "(?P<n",
        "(?P<>a)",
        "(?P<é>a)",
        "(?<n-1>a)",
        r"\Qa",
    ] {
        assert!(refusal(pattern).is_some(), "{pattern}");
    }
}

#[test]
fn a_refused_pattern_gets_an_error_with_the_reason() {
    for (pattern, message) in [
        ("a**", "repetition of a repetition: *"),
        ("*", "nothing to repeat before: *"),
        ("a{2,1001}", "invalid repeat count: {2,1001}"),
        (r"\8", r"invalid escape sequence: \8"),
        ("(?=a)", "unsupported group or flag: (?="),
        ("[z-a]", "invalid character class range: z-a"),
        ("[[:foo:]]", "unknown character class: [:foo:]"),
        ("a)", "unexpected )"),
        ("(a", "missing closing )"),
        (r"\pL{1000}", "expression too large"),
    ] {
        assert_eq!(refusal(pattern).map(|error| error.to_string()).as_deref(), Some(message), "{pattern}");
    }
}

#[test]
fn patterns_match_like_in_go() {
    for (pattern, text, expected) in [
        // Patterns are anchored on both sides, and the dot matches a newline.
        ("a", "a", Some("a")),
        ("a", "ba", None),
        ("a", "a\n", None),
        ("a.b", "a\nb", Some("a\nb")),
        ("a(?-s).b", "a\nb", None),
        ("", "", Some("")),
        // Anchors are added by concatenation, so a pattern can escape them.
        ("a)|(?:b", "ax", Some("a")),
        ("a)|(?:b", "xb", Some("b")),
        ("a)(b", "ab", Some("ab|b")),
        ("a)(?m", "a\nb", Some("a")),
        ("a$(b)?", "a", Some("a|-")),
        ("$(SHARD);|.+;.+", "x;y", Some("x;y|-")),
        ("$(SHARD);|.+;.+", "0;", None),
        // Perl and POSIX classes contain ASCII only. Unicode classes have names.
        (r"\w", "é", None),
        (r"\d", "٣", None),
        (r"\s", "\u{b}", None),
        ("[[:space:]]", "\u{b}", Some("\u{b}")),
        (r"\s", "\u{a0}", None),
        (r"\pN", "٣", Some("٣")),
        (r"\p{greek}+", "Ωμ", Some("Ωμ")),
        (r"\P{^Lu}", "É", Some("É")),
        (r"\p{Letter}", "世", Some("世")),
        (r".\b.", "é-", None),
        // Case folding is simple and follows Go's version of Unicode.
        ("(?i)k", "\u{212a}", Some("\u{212a}")),
        (r"(?i)\w", "ſ", Some("ſ")),
        (r"(?i)\W", "ſ", None),
        ("(?i)ß", "ẞ", Some("ẞ")),
        ("(?i)ß", "SS", None),
        ("(?i)[^k]", "K", None),
        ("(?i)\u{390}", "\u{1fd3}", None),
        ("a(?i)b(?-i)c", "aBc", Some("aBc")),
        ("a(?i:b)c", "aBC", None),
        // Flags apply until the end of the group, also in later alternatives.
        ("(?:(?i)a|b)c", "Bc", Some("Bc")),
        ("(?:(?i)a|b)c", "BC", None),
        // A repetition after flags or an empty quotation applies to the atom before them.
        ("a(?i)*", "aaa", Some("aaa")),
        (r"ab\Q\E*", "abbb", Some("abbb")),
        (r"\Qab\E*", "abbb", Some("abbb")),
        (r"\Qa*\E", "a*", Some("a*")),
        ("a*(?i)*", "aa", Some("aa")),
        ("^*a", "a", Some("a")),
        // Braces in another form are plain text.
        ("a{,2}", "a{,2}", Some("a{,2}")),
        ("a{02}", "a{02}", Some("a{02}")),
        ("a{2,a}", "a{2,a}", Some("a{2,a}")),
        ("{", "{", Some("{")),
        // Escapes.
        (r"\141\x62\x{63}\_\-\.", "abc_-.", Some("abc_-.")),
        (r"\12\07", "\n\u{7}", Some("\n\u{7}")),
        (r"\777", "\u{1ff}", Some("\u{1ff}")),
        (r"[]a]+", "]a", Some("]a")),
        (r"[^]a]", "b", Some("b")),
        (r"[a-b-c]+", "a-c", Some("a-c")),
        (r"[\d-z]+", "1-z", Some("1-z")),
        (r"[[:word:]-z]+", "a-z", Some("a-z")),
        (r"\x{d800}|a", "a", Some("a")),
        // Of several possible matches, the one that Perl prefers.
        ("(a|ab)(c|bcd)?", "abcd", Some("abcd|a|bcd")),
        ("(.*)(aa|a)", "xaa", Some("xaa|xa|a")),
        ("(.*?)(aa|a)", "xaa", Some("xaa|x|aa")),
        ("(?U)(.*)(a*)", "aa", Some("aa||aa")),
        ("(?U)(.*?)(a*)", "aa", Some("aa|aa|")),
        ("(.+);(.+)", ";a;b;", Some(";a;b;|;a|b;")),
        ("(.+?);(.+)", ";a;b;", Some(";a;b;|;a|b;")),
        ("(.*?);(.*)", "a;b;c", Some("a;b;c|a|b;c")),
        ("(.+);(.+)", "a;", None),
        ("(.+);(.+)", "é;世", Some("é;世|é|世")),
        ("(a)?b", "b", Some("b|-")),
        ("(a|b)*", "ab", Some("ab|b")),
        ("(a*)*", "b", None),
        ("(|a)*", "aa", Some("aa|a")),
        ("(a{0})b", "b", Some("b|")),
        ("(?:(a)){0}(b)", "b", Some("b|-|b")),
        ("(?P<n>a)(?<n>b)", "ab", Some("ab|a|b")),
    ] {
        assert_eq!(matched(pattern, text).as_deref(), expected, "{pattern} on {text:?}");
    }
}

#[test]
fn nesting_and_repetition_have_limits() {
    let nested = |open: &str, inner: &str, close: &str, levels| {
        refusal(&format!("{}{inner}{}", open.repeat(levels), close.repeat(levels)))
    };
    for (open, inner, close, most) in [
        ("(", "a", ")", 248),
        ("(", "a|bc", ")", 247),
        ("(?:", "a", ")?", 248),
        ("(?:x", "ab", "|b)", 124),
        ("(?:[xy]", "ab", "|bc)", 124),
        ("(x", "ab", ")", 124),
    ] {
        assert_eq!(nested(open, inner, close, most), None, "{open}");
        assert_eq!(nested(open, inner, close, most + 1), Some(RegexError::TooDeep), "{open}");
    }
    assert_eq!(nested("(?:", "a", ")", 50_000), None, "plain groups do not count");
    assert_eq!(nested("(?:", "a", "b)", 10_000), None, "sequences are merged");
    for pattern in ["(a{2}){500}", "(a{10}|b{100}){10}", "(a{0,}){1000}", "((a{500}){2}){1}"] {
        assert_eq!(refusal(pattern), None, "{pattern}");
    }
}

#[test]
fn huge_patterns_are_refused() {
    for pattern in [
        "a".repeat(600_000),
        format!("(?i)[{}]", "!-\u{1f600}".repeat(50_000)),
        r"\pL".repeat(50_000),
        "(a*)".repeat(100_000),
        r"(\pL{30}){30}".to_owned(),
    ] {
        assert_eq!(refusal(&pattern), Some(RegexError::TooLarge), "{}", &pattern[..12]);
    }
}

#[test]
fn templates_expand_as_in_go() {
    for (pattern, text, template, expected) in [
        ("(a)(b)", "ab", "$1-$2", "a-b"),
        ("(a)(b)", "ab", "${1}0$0", "a0ab"),
        ("(a)", "a", "$1a", ""),
        ("(a)", "a", "$1-a", "a-a"),
        ("(a)", "a", "$10", ""),
        ("(a)", "a", "$01", ""),
        ("(a)", "a", "$$1$", "$1$"),
        ("(a)", "a", "${1", "${1"),
        ("(a)", "a", "${}-${n-x}", "${}-${n-x}"),
        ("(a)", "a", "$1é", ""),
        ("(a)", "a", "$1٣", ""),
        ("(a)", "a", "$1\u{300}", "a\u{300}"),
        ("(a)", "a", "$1😀", "a😀"),
        ("(a)", "a", "$99999999999999999999", ""),
        ("(?P<n>a)|(?P<n>b)", "b", "$n", "b"),
        ("(?P<01>a)", "a", "$01", "a"),
        ("(?P<1>a)(b)", "ab", "$1$2", "ab"),
        ("(a)?b", "b", "x$1", "x"),
        ("a", "a", "$1", ""),
    ] {
        let regex = GoRegex::new(pattern, Purpose::Groups).unwrap();
        let mut groups = Groups::default();
        assert!(regex.captures(text, &mut groups));
        let mut expanded = String::new();
        Template::new(template, &regex).expand(text, &groups, &mut expanded);
        assert_eq!(expanded, expected, "{template}");
    }
}

#[test]
fn replace_all_replaces_each_match() {
    for (pattern, text, expected) in [
        ("(a)", "a", "<a>"),
        ("(b)", "a", "a"),
        ("(.*)", "", "<>"),
        ("(.*)", "é", "<é>"),
        ("(a))|(?:b", "axb", "<a>x<>"),
        ("(a)*)|(?:", "éa", "<>éa<>"),
    ] {
        let regex = GoRegex::new(pattern, Purpose::Groups).unwrap();
        let template = Template::new("<$1>", &regex);
        assert_eq!(regex.replace_all(text, &template, &mut Groups::default()), expected, "{pattern}");
    }
}

#[test]
fn usual_patterns_are_matched_without_the_engine() {
    for (pattern, purpose) in [
        ("(.*)", Purpose::Groups),
        ("(.+)", Purpose::Groups),
        ("true", Purpose::Match),
        ("(prometheus|alertmanager);true", Purpose::Groups),
        ("Node;(.*)", Purpose::Groups),
        ("__meta_kubernetes_pod_label_(.+)", Purpose::Groups),
        ("$(SHARD);|.+;.+", Purpose::Match),
        ("(Failed|Succeeded)", Purpose::Match),
        ("(.+);(web|metrics)", Purpose::Match),
        ("https?-.*", Purpose::Match),
    ] {
        let regex = GoRegex::new(pattern, purpose).unwrap();
        assert!(matches!(regex.matcher, Matcher::Sequences(_)), "{pattern}");
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let pieces = [
        "a", "b", "ab", ";", "é", ".*", ".+", ".*?", ".+?", "(.*)", "(.+)", "(a|b)", "(a|ab)", "|", "(a)?", "(b)??",
        "(", ")", "(?:", "[ab]", "(?i)", "^", "$", "(;|b;)", "(?:a|)",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..7).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn sequences_match_like_the_engine(pattern in pieces(), texts in prop::collection::vec("[abé;B]{0,6}", 1..8)) {
        for purpose in [Purpose::Groups, Purpose::Match] {
            let Ok(regex) = GoRegex::new(&pattern, purpose) else { continue };
            let hir = parser::parse(&format!("^(?s:{pattern})$")).unwrap().hir;
            let engine = Matcher::Engine(engine(&hir, regex.group_names.len(), purpose).unwrap());
            let by_engine = GoRegex { matcher: engine, group_names: regex.group_names.clone() };
            for text in &texts {
                let (mut ours, mut theirs) = (Groups::default(), Groups::default());
                let found = regex.captures(text, &mut ours);
                prop_assert_eq!(found, by_engine.captures(text, &mut theirs), "{} on {}", pattern, text);
                prop_assert_eq!(found, regex.is_match(text));
                if found && purpose == Purpose::Groups {
                    prop_assert_eq!(ours.slots, theirs.slots, "{} on {}", pattern, text);
                }
            }
        }
    }

    #[test]
    fn random_patterns_and_templates_do_not_panic(pattern in r"(\\[a-zA-Z0-9{]|[(){}\[\]?*+|^$:<>P!=i-]|[a-z0-9]|\PC){0,20}", text in any::<String>()) {
        if let Ok(regex) = GoRegex::new(&pattern, Purpose::Groups) {
            let template = Template::new(&text, &regex);
            let _ = regex.replace_all(&text, &template, &mut Groups::default());
        }
    }
}
