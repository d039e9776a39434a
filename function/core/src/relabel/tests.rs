//! What rules do to labels, as Prometheus does it.

use proptest::prelude::*;

use super::*;
use crate::labels::{Level, is_valid_label_name};
use crate::regex::RegexCache;

fn read(yaml: &str) -> Result<Vec<RelabelConfig>, String> {
    serde_norway::from_str(yaml).map_err(|error| error.to_string())
}

fn compile(configs: &[RelabelConfig]) -> Result<Rules, RelabelError> {
    Rules::compile(configs, NameValidation::Utf8, &RegexCache::default())
}

fn compiled(yaml: &str) -> Rules {
    compile(&read(yaml).unwrap()).unwrap()
}

/// `name=value` pairs, one space between two.
fn parsed(text: &str) -> LabelSet<'_> {
    text.split(' ').filter_map(|pair| pair.split_once('=')).collect()
}

fn shown(labels: &LabelSet<'_>) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// What the rules make of the labels; `None` if they drop the target.
fn relabelled(yaml: &str, labels: &str) -> Option<String> {
    let rules = compiled(yaml);
    let mut labels = parsed(labels);
    rules.apply(&mut labels).then(|| shown(&labels))
}

/// Each rule can double a label. A target that grows too large is refused, in whatever stages the rules run.
#[test]
fn rules_cannot_write_without_bound() {
    let times = |times: usize, rule: &str| format!("[{}]", vec![rule; times].join(", "));
    let half = "x".repeat(600 << 10);
    let cases = [
        (times(60, "{source_labels: [a], target_label: a, replacement: $1$1}"), "a=x".to_owned(), Verdict::TooLarge),
        (times(10, "{source_labels: [a], target_label: a, replacement: $1$1}"), "a=x".to_owned(), Verdict::Kept),
        (times(120, "{action: labelmap, regex: (.+), replacement: a_$1}"), "a=x".to_owned(), Verdict::TooLarge),
        (times(1, "{source_labels: [a], target_label: b}"), format!("a={half}"), Verdict::Kept),
        (times(2, "{source_labels: [a], target_label: b}"), format!("a={half}"), Verdict::TooLarge),
        (times(9, "{source_labels: [a], action: keep, regex: x+}"), format!("a={half}"), Verdict::Kept),
        (times(1, "{source_labels: [a, a, a], action: keep}"), format!("a={half}"), Verdict::TooLarge),
        (
            times(1, &format!("{{source_labels: [a], target_label: b, replacement: '{}'}}", "$1".repeat(2000))),
            format!("a={}", "x".repeat(1000)),
            Verdict::TooLarge,
        ),
        (
            times(1, &format!("{{regex: x, action: labelmap, replacement: '{}'}}", "$0".repeat(1000))),
            "x=y".to_owned(),
            Verdict::Kept,
        ),
    ];
    for (rules, labels, expected) in cases {
        let rules = compiled(&rules);
        let mut applied = parsed(&labels);
        assert_eq!(rules.apply_watched(&mut applied, |_, _, _| {}), expected, "{} rules", rules.rules.len());
        for level in [Level::Part, Level::Target] {
            let stages = rules.stages(|_| Some(level));
            let mut labels = parsed(&labels);
            let residual = rules.specialise(&stages, &mut labels);
            let verdict = residual.map_or(Verdict::Dropped, |residual| rules.finish(&stages, residual, &mut labels));
            assert_eq!(verdict, expected, "{} rules, {level:?}", rules.rules.len());
        }
    }
    let refused = [
        (times(MOST_RULES + 3, "{action: labeldrop, regex: a}"), "rule 1000: there are more than 1000 rules"),
        (times(900, "{source_labels: [a], action: keep, regex: '\\pL{80}|x*'}"), "take more than 32 MiB"),
    ];
    for (rules, expected) in refused {
        let error = compile(&read(&rules).unwrap()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn rules_change_labels_as_in_prometheus() {
    for (rules, labels, expected) in [
        // replace
        ("[{source_labels: [a], target_label: b}]", "a=x", Some("a=x b=x")),
        ("[{source_labels: [a, c], target_label: b}]", "a=x", Some("a=x b=x;")),
        (
            "[{source_labels: [a, c], separator: '', target_label: b, regex: '(.)(.)', replacement: $2$1}]",
            "a=x c=y",
            Some("a=x b=yx c=y"),
        ),
        ("[{target_label: b, replacement: v}]", "a=x", Some("a=x b=v")),
        ("[{target_label: a, replacement: ''}]", "a=x b=y", Some("b=y")),
        ("[{source_labels: [c], target_label: a}]", "a=x", Some("")),
        ("[{source_labels: [a], regex: y, target_label: a, replacement: z}]", "a=x", Some("a=x")),
        ("[{source_labels: [a], regex: null, target_label: a, replacement: z}]", "a=x", Some("a=x")),
        ("[{source_labels: [c], regex: null, target_label: a, replacement: z}]", "a=x", Some("a=z")),
        ("[{source_labels: [a], target_label: $1, replacement: v}]", "a=x", Some("a=x x=v")),
        ("[{source_labels: [b], target_label: $1, replacement: v}]", "a=x", Some("a=x")),
        ("[{source_labels: [a], target_label: a$$b, replacement: v}]", "a=x", Some("a=x a$b=v")),
        // keep, drop and the comparisons
        ("[{source_labels: [a], action: keep, regex: 'x|y'}]", "a=x", Some("a=x")),
        ("[{source_labels: [a], action: keep, regex: 'x|y'}]", "a=xy", None),
        ("[{source_labels: [b], action: keep}]", "a=x", Some("a=x")),
        ("[{source_labels: [a], action: drop, regex: .+}]", "a=x", None),
        ("[{source_labels: [b], action: drop, regex: .+}]", "a=x", Some("a=x")),
        ("[{source_labels: [a], action: keepequal, target_label: b}]", "a=x b=x", Some("a=x b=x")),
        ("[{source_labels: [a], action: keepequal, target_label: b}]", "a=x", None),
        ("[{source_labels: [c], action: dropequal, target_label: b}]", "a=x", None),
        ("[{source_labels: [a], action: dropequal, target_label: b}]", "a=x", Some("a=x")),
        // hashmod: the last eight bytes of the MD5 sum
        ("[{source_labels: [c], action: hashmod, modulus: 1000, target_label: h}]", "c=baz", Some("c=baz h=976")),
        (
            "[{source_labels: [z], action: hashmod, modulus: 18446744073709551615, target_label: h}]",
            "",
            Some("h=16825458760271544958"),
        ),
        ("[{source_labels: [a, b], action: hashmod, modulus: 1, target_label: h}]", "a=x", Some("a=x h=0")),
        // letter case, character by character
        ("[{source_labels: [a], action: lowercase, target_label: a}]", "a=İΣẞ", Some("a=iσß")),
        ("[{source_labels: [a], action: uppercase, target_label: a}]", "a=ßﬁς", Some("a=ßﬁΣ")),
        ("[{source_labels: [b], action: lowercase, target_label: a}]", "a=X", Some("")),
        // names
        ("[{action: labelmap, regex: '__meta_(.+)'}]", "__meta_a=x a=y", Some("__meta_a=x a=x")),
        ("[{action: labelmap, regex: 'a|b', replacement: c}]", "a=x b=y", Some("a=x b=y c=y")),
        ("[{action: labelmap, regex: a, replacement: $1}]", "a=x", Some("=x a=x")),
        ("[{action: labelmap, regex: '(a))|(?:b', replacement: '<$1>'}]", "axb=x", Some("<a>x<>=x axb=x")),
        ("[{action: labeldrop, regex: '__.*'}]", "__a=x b=y", Some("b=y")),
        ("[{action: labelkeep, regex: 'a|b'}]", "a=x b=y c=z", Some("a=x b=y")),
        // An empty value is no value.
        ("[{action: labelmap, regex: 'a|b', replacement: c}]", "a=x b=", Some("a=x c=x")),
        ("[{action: keep}]", "a= b=y", Some("b=y")),
        ("[{source_labels: [a], action: dropequal, target_label: b}]", "a= b=y", Some("b=y")),
        // labelmap meets what rules have set after the rest, in the order in which they set it.
        (
            "[{target_label: a, replacement: x}, {action: labelmap, regex: 'a|b', replacement: c}]",
            "b=y",
            Some("a=x b=y c=x"),
        ),
        (
            "[{source_labels: [a], target_label: a}, {action: labelmap, regex: 'a|b', replacement: c}]",
            "a=x b=y",
            Some("a=x b=y c=x"),
        ),
        (
            "[{target_label: b, replacement: x}, {target_label: a, replacement: y}, {target_label: b, replacement: z}, {action: labelmap, regex: 'a|b', replacement: c}]",
            "",
            Some("a=y b=z c=y"),
        ),
        (
            "[{target_label: b, replacement: x}, {target_label: a, replacement: y}, {target_label: b, replacement: ''}, {target_label: b, replacement: z}, {action: labelmap, regex: 'a|b', replacement: c}]",
            "",
            Some("a=y b=z c=z"),
        ),
        (
            "[{target_label: a, replacement: x}, {action: labeldrop, regex: a}, {target_label: b, replacement: y}, {target_label: a, replacement: z}, {action: labelmap, regex: 'a|b', replacement: c}]",
            "",
            Some("a=z b=y c=z"),
        ),
        // labelmap does not meet what it sets itself.
        ("[{action: labelmap, regex: '(a*)', replacement: a$1}]", "a=x aa=y", Some("a=x aa=x aaa=y")),
        // One after the other, until one drops.
        ("[{target_label: a, replacement: x}, {source_labels: [a], action: drop, regex: x}]", "", None),
    ] {
        assert_eq!(relabelled(rules, labels).as_deref(), expected, "{rules} on {labels}");
    }
}

#[test]
fn rules_that_prometheus_refuses_are_refused() {
    let (utf8, legacy) = (NameValidation::Utf8, NameValidation::Legacy);
    for (rule, names, message) in [
        ("{source_labels: [a]}", utf8, Some("target_label: must be set for the action: replace")),
        ("{action: uppercase}", utf8, Some("target_label: must be set for the action: uppercase")),
        ("{action: hashmod, target_label: a}", utf8, Some("modulus: must be more than 0 for the action: hashmod")),
        ("{target_label: a-b}", legacy, Some("target_label: not the name of a label, for the action replace: \"a-b\"")),
        ("{target_label: a-b}", utf8, None),
        ("{target_label: 0a}", legacy, Some("target_label: not the name of a label, for the action replace: \"0a\"")),
        ("{target_label: 'a${1}_$2b'}", legacy, None),
        ("{target_label: '${1}0'}", legacy, None),
        (
            "{target_label: '0$1'}",
            legacy,
            Some("target_label: not the name of a label, for the action replace: \"0$1\""),
        ),
        ("{target_label: 'a$'}", legacy, Some("target_label: not the name of a label, for the action replace: \"a$\"")),
        (
            "{target_label: 'a${1'}",
            legacy,
            Some("target_label: not the name of a label, for the action replace: \"a${1\""),
        ),
        (
            "{target_label: 'a${}'}",
            legacy,
            Some("target_label: not the name of a label, for the action replace: \"a${}\""),
        ),
        (
            "{target_label: 'a$é'}",
            legacy,
            Some("target_label: not the name of a label, for the action replace: \"a$é\""),
        ),
        ("{target_label: 'a$é'}", utf8, None),
        (
            "{action: lowercase, target_label: $1}",
            legacy,
            Some("target_label: not the name of a label, for the action lowercase: \"$1\""),
        ),
        ("{action: lowercase, target_label: $1}", utf8, None),
        (
            "{action: lowercase, target_label: a, replacement: x}",
            utf8,
            Some("replacement: must not be set for the action: lowercase"),
        ),
        ("{action: lowercase, target_label: a, replacement: $1, regex: a}", utf8, None),
        (
            "{action: labelmap, replacement: ''}",
            utf8,
            Some("replacement: cannot make the name of a label, for the action labelmap: \"\""),
        ),
        (
            "{action: labelmap, replacement: a-$1}",
            legacy,
            Some("replacement: cannot make the name of a label, for the action labelmap: \"a-$1\""),
        ),
        (
            "{action: keepequal, target_label: a, regex: (.*)}",
            utf8,
            Some("regex: must not be set for the action: keepequal"),
        ),
        ("{action: dropequal, target_label: a, separator: ;, modulus: 0}", utf8, None),
        (
            "{action: dropequal, target_label: a, modulus: 1}",
            utf8,
            Some("modulus: must not be set for the action: dropequal"),
        ),
        (
            "{action: dropequal, target_label: a, separator: ''}",
            utf8,
            Some("separator: must not be set for the action: dropequal"),
        ),
        (
            "{action: labeldrop, source_labels: [a]}",
            utf8,
            Some("source_labels: must not be set for the action: labeldrop"),
        ),
        ("{action: labelkeep, target_label: a}", utf8, Some("target_label: must not be set for the action: labelkeep")),
        ("{action: labelkeep, regex: a}", utf8, None),
        ("{action: keep, regex: '('}", utf8, Some("regex: \"(\": missing closing )")),
        ("{action: hashmod, modulus: 1, target_label: a, regex: '('}", utf8, Some("regex: \"(\": missing closing )")),
        ("{action: keep, source_labels: ['']}", utf8, Some("source_labels: not the name of a label: \"\"")),
    ] {
        let configs = read(&format!("[{{action: keep}}, {rule}]")).unwrap();
        let error = Rules::compile(&configs, names, &RegexCache::default()).err().map(|error| error.to_string());
        let expected = message.map(|message| format!("rule 1: {message}"));
        assert_eq!(error, expected, "{rule}");
    }
}

#[test]
fn rules_are_read_as_prometheus_reads_them() {
    let default = RelabelConfig::default;
    let regex = |text: &str| RelabelConfig { regex: Some(text.to_owned()), ..default() };
    for (yaml, expected) in [
        ("{}", Some(default())),
        ("{regex: (.*)}", Some(regex("(.*)"))),
        ("{regex: null}", Some(regex(""))),
        ("{regex: }", Some(regex(""))),
        ("{regex: 8080}", Some(regex("8080"))),
        ("{regex: 0x10}", Some(regex("0x10"))),
        ("{regex: true}", Some(regex("true"))),
        ("{separator: }", Some(RelabelConfig { separator: String::new(), ..default() })),
        ("{separator: null}", Some(RelabelConfig { separator: "null".to_owned(), ..default() })),
        ("{replacement: 1}", Some(RelabelConfig { replacement: "1".to_owned(), ..default() })),
        ("{source_labels: null, modulus: null}", Some(default())),
        ("{action: LabelMap}", Some(RelabelConfig { action: Action::LabelMap, ..default() })),
        ("{action: \u{212a}eep}", Some(RelabelConfig { action: Action::Keep, ..default() })),
        ("{action: }", None),
        ("{action: unknown}", None),
        ("{action: labeldrop, source_labels: []}", None),
        ("{source_labels: a}", None),
        ("{regex: [a]}", None),
        ("{modulus: -1}", None),
        ("{sourceLabels: [a]}", None),
        ("{regex: a, regex: b}", None),
        ("null", None),
    ] {
        let config: Option<RelabelConfig> = serde_norway::from_str(yaml).ok();
        assert_eq!(config, expected, "{yaml}");
    }
}

#[test]
fn serialised_rules_are_read_back_unchanged() {
    let yaml =
        "[{source_labels: [a, b], separator: '-', regex: x, target_label: c, replacement: $1}, {action: labelmap}]";
    let configs = read(yaml).unwrap();
    let written = serde_json::to_value(&configs).unwrap();
    let expected = serde_json::json!([
        {"source_labels": ["a", "b"], "separator": "-", "regex": "x", "target_label": "c", "replacement": "$1", "action": "replace"},
        {"separator": ";", "replacement": "$1", "action": "labelmap"},
    ]);
    assert_eq!(written, expected);
    assert_eq!(serde_json::from_value::<Vec<RelabelConfig>>(written).unwrap(), configs);
}

#[test]
fn rules_report_the_labels_that_they_read() {
    let rules = compiled(
        "[{source_labels: [a, b], target_label: c}, {source_labels: [d], action: keepequal, target_label: e},
          {action: labelmap, regex: '__meta_(.+)'}, {action: labeldrop, regex: f}, {action: labelkeep, regex: '.*'},
          {source_labels: [g], action: hashmod, modulus: 2, target_label: h}]",
    );
    let names = ["a", "b", "c", "d", "e", "__meta_x", "__meta_", "f", "g", "h"];
    let read: Vec<&str> = names.into_iter().filter(|name| rules.may_read(name)).collect();
    assert_eq!(read, ["a", "b", "d", "e", "__meta_x", "g"]);
}

#[test]
fn targets_are_not_sharded() {
    let sharding =
        "[{source_labels: [__address__, __tmp_hash], target_label: __tmp_hash, regex: (.+);, action: replace},
        {source_labels: [__tmp_hash], target_label: __tmp_hash, modulus: 2, action: hashmod},
        {source_labels: [__tmp_hash, __tmp_disable_sharding], regex: '$(SHARD);|.+;.+', action: keep}]";
    let configs = read(sharding).unwrap();
    let all = Rules::for_targets(&configs, NameValidation::Utf8, &RegexCache::default()).unwrap();
    let mut labels = parsed("__address__=a");
    assert!(all.apply(&mut labels));
    assert_eq!(labels.get(DISABLE_SHARDING), "");
    assert!(!compile(&configs).unwrap().apply(&mut parsed("__address__=a")));

    let configs = read("[{action: keep}, {action: uppercase}]").unwrap();
    assert_eq!(Rules::for_targets(&configs, NameValidation::Utf8, &RegexCache::default()).unwrap_err().index, 1);
}

#[test]
fn names_of_labels() {
    for (name, utf8, legacy) in [
        ("a_b0", true, true),
        ("_", true, true),
        ("", false, false),
        ("0a", true, false),
        ("a-b", true, false),
        ("é", true, false),
    ] {
        assert_eq!(is_valid_label_name(name, NameValidation::Utf8), utf8, "{name}");
        assert_eq!(is_valid_label_name(name, NameValidation::Legacy), legacy, "{name}");
    }
}

fn config() -> impl Strategy<Value = RelabelConfig> {
    let actions = deserialize::ACTIONS.map(|(_, action)| action).to_vec();
    (
        prop::collection::vec("[abé]{1,2}", 0..3),
        "[;é]?",
        prop::option::of(r"([ab.*+|()é]|\\w|\$){0,6}"),
        0..3_u64,
        r"([abé]|\$[12]|\$\{1\}){0,3}",
        r"([abé]|\$[12$]|\$\{n\}){0,3}",
        prop::sample::select(actions),
    )
        .prop_map(|(source_labels, separator, regex, modulus, target_label, replacement, action)| RelabelConfig {
            source_labels,
            separator,
            regex,
            modulus,
            target_label,
            replacement,
            action,
        })
}

proptest! {
    #[test]
    fn nothing_panics(configs in prop::collection::vec(config(), 0..4), labels in prop::collection::vec(("[abé]{1,2}", "[abé]{0,3}"), 0..5)) {
        let usable: Vec<RelabelConfig> = configs
            .into_iter()
            .filter(|config| compile(std::slice::from_ref(config)).is_ok())
            .collect();
        let rules = compile(&usable).unwrap();
        let mut labels: LabelSet<'_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let _ = rules.apply(&mut labels);
        prop_assert!(labels.iter().all(|(_, value)| !value.is_empty()));
    }

    #[test]
    fn rules_applied_in_stages_give_the_same_labels_as_all_rules_at_once(configs in prop::collection::vec(config(), 0..6), shared in prop::collection::vec(("[ab]{1,2}", "[abé]{0,2}"), 0..4), own in prop::collection::vec(("é|éa", "[abé]{0,2}"), 0..3)) {
        let compiled = configs.into_iter().filter(|config| compile(std::slice::from_ref(config)).is_ok());
        let rules = compile(&compiled.collect::<Vec<_>>()).unwrap();
        let shared: LabelSet<'_> = shared.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let own: LabelSet<'_> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut all = shared.merged(&own);
        let expected = rules.apply(&mut all).then_some(all);
        let stages = rules.stages(|name| Some(if name.starts_with('é') { Level::Target } else { Level::Part }));
        let mut specialised = shared.clone();
        let residual = rules.specialise(&stages, &mut specialised);
        let made = residual.and_then(|residual| {
            let mut labels = specialised.overlaid(&own);
            (rules.finish(&stages, residual, &mut labels) == Verdict::Kept).then(|| shown(&labels))
        });
        prop_assert_eq!(made, expected.map(|labels| shown(&labels)));
    }

    /// A label that no rule reads changes nothing but itself.
    #[test]
    fn labels_that_are_not_read_do_not_matter(configs in prop::collection::vec(config(), 0..4), value in "[abé]{1,3}") {
        let compiled = configs.into_iter().filter(|config| compile(std::slice::from_ref(config)).is_ok());
        let rules = compile(&compiled.collect::<Vec<_>>()).unwrap();
        let unread = ["a", "b", "ab", "é"].into_iter().filter(|name| !rules.may_read(name));
        for name in unread {
            let mut without: LabelSet<'_> = ["a", "b", "ab", "é"].into_iter().filter(|other| *other != name).map(|name| (name, "x")).collect();
            let mut with = without.clone();
            with.set(name, value.as_str());
            prop_assert_eq!(rules.apply(&mut with), rules.apply(&mut without));
            without.remove(name);
            with.remove(name);
            prop_assert_eq!(with, without);
        }
    }
}
