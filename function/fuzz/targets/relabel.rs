//! Relabelling: any rules on any labels.
#![no_main]

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use target_allocator_core::labels::LabelSet;
use target_allocator_core::regex::RegexCache;
use target_allocator_core::relabel::{Action, RelabelConfig, Rules};
use target_allocator_core::scrape_config::NameValidation;

#[derive(Debug, Arbitrary)]
struct Case<'a> {
    legacy: bool,
    rules: Vec<Rule<'a>>,
    labels: BTreeMap<Name<'a>, &'a str>,
}

#[derive(Debug, Arbitrary)]
struct Rule<'a> {
    action: u8,
    source_labels: Vec<Name<'a>>,
    separator: Option<&'a str>,
    regex: Option<Regex<'a>>,
    modulus: Option<u64>,
    target_label: Option<Name<'a>>,
    replacement: Option<&'a str>,
}

/// Few names, so that rules meet labels; and any.
#[derive(Debug, Arbitrary, PartialEq, Eq, PartialOrd, Ord)]
enum Name<'a> {
    Known(u8),
    Any(&'a str),
}

#[derive(Debug, Arbitrary)]
enum Regex<'a> {
    Known(u8),
    Any(&'a str),
}

const NAMES: [&str; 10] =
    ["a", "b", "ab", "__address__", "__meta_a", "__tmp_b", "job", "$1", "${1}_b", "__tmp_disable_sharding"];
const REGEXES: [&str; 10] =
    ["(.*)", "", "(.+)", "__meta_(.+)", "(a)(b)?", "(?i)A|b", "a.*|(?P<x>b)", "[^a]+", "__.*", "(.)(.*)"];
const ACTIONS: [Action; 11] = [
    Action::Replace,
    Action::Keep,
    Action::Drop,
    Action::KeepEqual,
    Action::DropEqual,
    Action::HashMod,
    Action::LabelMap,
    Action::LabelDrop,
    Action::LabelKeep,
    Action::Lowercase,
    Action::Uppercase,
];

fn pick<T: Copy>(from: &[T], index: u8) -> T {
    from[usize::from(index) % from.len()]
}

impl<'a> Name<'a> {
    fn text(&self) -> &'a str {
        match self {
            Self::Known(index) => pick(&NAMES, *index),
            Self::Any(text) => text,
        }
    }
}

impl Rule<'_> {
    fn config(&self) -> RelabelConfig {
        let defaults = RelabelConfig::default();
        let text = |given: Option<&str>, default| given.map_or(default, str::to_owned);
        RelabelConfig {
            source_labels: self.source_labels.iter().map(|name| name.text().to_owned()).collect(),
            separator: text(self.separator, defaults.separator),
            regex: self.regex.as_ref().map(|regex| match regex {
                Regex::Known(index) => pick(&REGEXES, *index).to_owned(),
                Regex::Any(text) => (*text).to_owned(),
            }),
            modulus: self.modulus.unwrap_or_default(),
            target_label: text(self.target_label.as_ref().map(Name::text), defaults.target_label),
            replacement: text(self.replacement, defaults.replacement),
            action: pick(&ACTIONS, self.action),
        }
    }
}

fn run(data: &[u8]) -> Corpus {
    // Rules as they are written in JSON, or as the bytes say.
    let (configs, names, labels): (Vec<RelabelConfig>, _, BTreeMap<&str, &str>) = if data.first() == Some(&b'[') {
        let Ok(configs) = serde_json::from_slice(data) else { return Corpus::Keep };
        (configs, NameValidation::Utf8, NAMES.iter().map(|name| (*name, *name)).collect())
    } else {
        let Ok(case) = Case::arbitrary_take_rest(Unstructured::new(data)) else { return Corpus::Reject };
        let configs = case.rules.iter().map(Rule::config).collect();
        let names = if case.legacy { NameValidation::Legacy } else { NameValidation::Utf8 };
        (configs, names, case.labels.iter().map(|(name, value)| (name.text(), *value)).collect())
    };
    for config in &configs {
        let written = serde_json::to_string(config).expect("a rule is written as JSON");
        let read: Result<RelabelConfig, _> = serde_json::from_str(&written);
        assert_eq!(read.ok().as_ref(), Some(config), "{written}");
    }
    let Ok(rules) = Rules::compile(&configs, names, &RegexCache::default()) else { return Corpus::Keep };
    let set = || {
        let mut set = LabelSet::new();
        for (name, value) in &labels {
            set.set(*name, *value);
        }
        set
    };
    let (mut once, mut again) = (set(), set());
    let kept = rules.apply(&mut once);
    assert_eq!(rules.apply(&mut again), kept, "{configs:?}");
    assert_eq!(once, again, "{configs:?}");
    assert!(once.entries().is_sorted_by(|(one, _), (next, _)| one < next), "{once:?}");
    assert!(once.iter().all(|(_, value)| !value.is_empty()), "{once:?}");
    // What no rule reads changes nothing but itself.
    for unread in labels.keys().filter(|name| !rules.may_read(name)) {
        let mut without = set();
        without.remove(unread);
        assert_eq!(rules.apply(&mut without), kept, "{unread:?} {configs:?}");
        if kept {
            let others = |set: &LabelSet<'_>| -> Vec<(String, String)> {
                let others = set.iter().filter(|(name, _)| name != unread);
                others.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
            };
            assert_eq!(others(&without), others(&once), "{unread:?} {configs:?}");
        }
    }
    let _ = Rules::for_targets(&configs, names, &RegexCache::default());
    Corpus::Keep
}

fuzz_target!(|data: &[u8]| -> Corpus { run(data) });
