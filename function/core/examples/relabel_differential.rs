//! Compares relabelling and regular expressions in this crate with Prometheus.
//!
//! Input: the output of `tests/peers/relabel` on standard input, one case per line of JSON. Output: the number of cases
//! that agree, and the first that disagree. Patterns that only this crate refuses as too large are counted separately.

#![allow(clippy::print_stdout, reason = "a command")]

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::process::ExitCode;

use serde::Deserialize;
use target_allocator_core::labels::LabelSet;
use target_allocator_core::regex::{GoRegex, Groups, Purpose, RegexCache, RegexError, Template};
use target_allocator_core::relabel::{RelabelConfig, Rules};
use target_allocator_core::scrape_config::NameValidation;

const SHOWN: usize = 20;

#[derive(Deserialize)]
#[serde(untagged)]
enum Case {
    Rules(RulesCase),
    Regex(RegexCase),
}

#[derive(Deserialize)]
struct RulesCase {
    names: String,
    labels: BTreeMap<String, String>,
    rules: Vec<serde_json::Value>,
    answer: String,
    #[serde(default)]
    after: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RegexCase {
    pattern: String,
    template: String,
    refused: bool,
    #[serde(default)]
    answers: Vec<RegexAnswer>,
}

#[derive(Deserialize)]
struct RegexAnswer {
    input: String,
    groups: Option<Vec<i64>>,
    expanded: String,
    replaced: String,
}

fn main() -> io::Result<ExitCode> {
    let (mut total, mut agreed, mut too_large) = (0_usize, 0_usize, 0_usize);
    for line in io::stdin().lock().lines() {
        let line = line?;
        let disagreement = match serde_json::from_str(&line)? {
            Case::Rules(case) => rules_disagreement(&case),
            Case::Regex(case) => regex_disagreement(&case),
        };
        total += 1;
        match disagreement {
            None => agreed += 1,
            Some(reason) if reason.ends_with(&RegexError::TooLarge.to_string()) => {
                total -= 1;
                too_large += 1;
            }
            Some(ours) if total - agreed <= SHOWN => println!("{line}\n  here: {ours}"),
            Some(_) => {}
        }
    }
    println!("{agreed}/{total}, too large here: {too_large}");
    Ok(if agreed == total && total > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn rules_disagreement(case: &RulesCase) -> Option<String> {
    let names = if case.names == "legacy" { NameValidation::Legacy } else { NameValidation::Utf8 };
    let configs: Result<Vec<RelabelConfig>, _> = case.rules.iter().map(RelabelConfig::deserialize).collect();
    let rules = configs
        .map_err(|error| error.to_string())
        .and_then(|configs| Rules::compile(&configs, names, &RegexCache::default()).map_err(|error| error.to_string()));
    let rules = match rules {
        Ok(_) if case.answer == "refused" => return Some("not refused".to_owned()),
        Ok(rules) => rules,
        Err(_) if case.answer == "refused" => return None,
        Err(reason) => return Some(reason),
    };
    let mut labels: LabelSet<'_> = case.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let kept = rules.apply(&mut labels);
    let ours = labels.iter();
    let same = match case.answer.as_str() {
        "dropped" => !kept,
        _ => kept && ours.eq(case.after.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
    };
    (!same).then(|| format!("kept: {kept}, labels: {labels:?}"))
}

fn regex_disagreement(case: &RegexCase) -> Option<String> {
    let both = [Purpose::Groups, Purpose::Match].map(|purpose| GoRegex::new(&case.pattern, purpose));
    let (regex, matcher) = match both {
        [Ok(_), Ok(_)] if case.refused => return Some("not refused".to_owned()),
        [Ok(regex), Ok(matcher)] => (regex, matcher),
        [Err(_), Err(_)] if case.refused => return None,
        [Err(reason), _] | [_, Err(reason)] => return Some(reason.to_string()),
    };
    let template = Template::new(&case.template, &regex);
    let mut groups = Groups::default();
    case.answers.iter().find_map(|answer| {
        let matched = regex.captures(&answer.input, &mut groups);
        let theirs = answer.groups.as_deref().unwrap_or_default();
        let count = theirs.len() / 2;
        let flat = |group| groups.get(group).map_or([-1, -1], |(start, end)| [position(start), position(end)]);
        let ours: Vec<i64> = if matched { (0..count).flat_map(flat).collect() } else { Vec::new() };
        let mut expanded = String::new();
        if matched {
            template.expand(&answer.input, &groups, &mut expanded);
        }
        let replaced = regex.replace_all(&answer.input, &template, &mut groups);
        let same = matched == answer.groups.is_some()
            && regex.is_match(&answer.input) == matched
            && matcher.is_match(&answer.input) == matched
            && ours == theirs
            && (expanded == answer.expanded && replaced == answer.replaced);
        (!same)
            .then(|| format!("for {:?}: groups {ours:?}, expanded {expanded:?}, replaced {replaced:?}", answer.input))
    })
}

fn position(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
