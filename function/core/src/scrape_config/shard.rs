//! Checks a scrape config against the replacement of `$(SHARD)` by collectors.
//!
//! Input: a validated scrape config. Output: nothing, or the reason why a collector could not load it. A collector
//! replaces each `$(SHARD)` in the text of `/scrape_configs` by its variable `SHARD`, or by `0`, before it parses the
//! text. If one job is then invalid, the collector rejects all jobs. A job must therefore be valid as it is, and with
//! any number in place of `$(SHARD)`.
//! DIFFERENCE(shard-number): the operator serves such a job. See `instantiateShard` in
//! `receiver/prometheusreceiver/internal/targetallocator/manager.go` of opentelemetry-collector-contrib v0.165.0.

use std::collections::BTreeSet;

use memchr::memmem;
use serde_json::{Map, Value, json};

use super::ScrapeConfig;
use super::parse::{ParseError, parse};
use super::yaml_text::{self, LongName};
use crate::regex::RegexCache;
use crate::relabel::{RelabelConfig, RelabelError, Rules};

/// The placeholder that collectors replace. It has no other spelling.
pub const SHARD: &str = "$(SHARD)";

/// The expression with which the operator keeps the targets of one shard. Almost every job contains it. It is valid
/// with every number.
pub const OPERATORS_EXPRESSION: &str = "$(SHARD);|.+;.+";

/// Numbers for which a rule is tried. A rule that is valid with all of them is valid with every number. The digits test
/// escapes such as `\$(SHARD)` and ranges such as `[$(SHARD)-5]`. 1001 exceeds the limit of repetitions. The last two
/// exceed the largest character.
const NUMBERS: [&str; 17] =
    ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "19", "80", "1000", "1001", "1114112", "99999999999"];

/// Numbers for which the rest of a job is tried. 256 turns `X-Amz-Content-Sha$(SHARD)` into a header that a config must
/// not set.
const NUMBERS_OF_THE_REST: [&str; 3] = ["0", "256", "99999999999"];

/// In an expression without any of these characters, a digit is always an ordinary character.
const GIVE_DIGITS_A_MEANING: [char; 4] = ['\\', '{', '[', '<'];

/// The reason why a collector cannot load a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// A rule is invalid with a number.
    #[error(
        "{field} holds a rule that a collector cannot use: it replaces $(SHARD) by a number such as {number}; \
         put $(SHARD) where any number is valid"
    )]
    Rule {
        /// The field with the list of rules.
        field: &'static str,
        /// The number.
        number: &'static str,
        /// The index of the rule, and the error with this number.
        #[source]
        source: RelabelError,
    },
    /// Two names become equal.
    #[error(
        "two names are the same for a collector, which replaces $(SHARD) by a number such as {number}, \
         rename one: {name:?}"
    )]
    SameName {
        /// The number.
        number: String,
        /// The name after the replacement.
        name: String,
    },
    /// A name that the parser of collectors refuses, with any number.
    #[error(transparent)]
    Name(#[from] LongName),
    /// Something else is not valid with a number.
    #[error("a collector cannot use it: it replaces $(SHARD) by a number such as {number}")]
    Other {
        /// The number.
        number: &'static str,
        /// The error with this number.
        #[source]
        source: Box<ParseError>,
    },
}

/// Refuses a job that a collector cannot read, or cannot load once it has replaced `$(SHARD)`. `text` is the job as
/// JSON, with its secrets.
///
/// # Errors
/// The first part that is invalid with some number.
pub fn check(config: &ScrapeConfig, text: &str) -> Result<(), ShardError> {
    // Its name is the name of its field in `/scrape_configs`.
    yaml_text::check_name(&config.job_name)?;
    yaml_text::check_names(text)?;
    let rules = [&config.relabel_configs, &config.metric_relabel_configs].into_iter().flatten();
    let known = rules.filter(|rule| is_operators_rule(rule)).count();
    if memmem::find_iter(text.as_bytes(), SHARD).count() == known {
        return Ok(());
    }
    check_rules("relabel_configs", &config.relabel_configs, config)?;
    check_rules("metric_relabel_configs", &config.metric_relabel_configs, config)?;
    // Secrets are left out, because they must not appear in an error.
    let Ok(Value::Object(mut job)) = serde_json::to_value(config) else { return Ok(()) };
    job.remove("metric_relabel_configs");
    // Prometheus refuses URLs as targets only where a job has no rules, so one rule must stay.
    if let Some(rules) = job.get_mut("relabel_configs").filter(|rules| rules != &&json!([])) {
        *rules = json!([{ "target_label": "rules_were_checked_before" }]);
    }
    let job = Value::Object(job);
    check_names(&job)?;
    NUMBERS_OF_THE_REST.into_iter().try_for_each(|number| check_rest(&job, number))
}

/// Rejects two names that become equal after the replacement. A collector rejects a text with a duplicate key.
///
/// # Errors
/// The first two such names.
pub fn check_distinct<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), ShardError> {
    let names: Vec<&str> = names.collect();
    let replaced: Vec<&str> = names.iter().copied().filter(|name| name.contains(SHARD)).collect();
    if replaced.is_empty() {
        return Ok(());
    }
    let mut numbers: BTreeSet<String> = NUMBERS.map(str::to_owned).into();
    numbers.extend(replaced.iter().flat_map(|name| names.iter().filter_map(|other| number_between(name, other))));
    for number in numbers {
        let mut seen = BTreeSet::new();
        for name in names.iter().map(|name| name.replace(SHARD, &number)) {
            if !seen.insert(name.clone()) {
                return Err(ShardError::SameName { number, name });
            }
        }
    }
    Ok(())
}

/// The number that makes `name` equal to `other`. `None` if there is none.
fn number_between(name: &str, other: &str) -> Option<String> {
    let (before, _) = name.split_once(SHARD)?;
    let rest = other.strip_prefix(before)?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).take(20).collect();
    (!number.is_empty()).then_some(number)
}

fn is_operators_rule(rule: &RelabelConfig) -> bool {
    rule.regex.as_deref() == Some(OPERATORS_EXPRESSION)
}

fn check_rules(field: &'static str, rules: &[RelabelConfig], config: &ScrapeConfig) -> Result<(), ShardError> {
    let regexes = RegexCache::default();
    for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| !is_operators_rule(rule)) {
        for number in numbers(rule) {
            Rules::check(&[with(rule, number)], config.metric_name_validation_scheme, &regexes).map_err(|error| {
                ShardError::Rule { field, number, source: RelabelError { index, refusal: error.refusal } }
            })?;
        }
    }
    Ok(())
}

/// The numbers for which a rule is tried.
fn numbers(rule: &RelabelConfig) -> &'static [&'static str] {
    let RelabelConfig { source_labels, separator: _, regex, modulus: _, target_label, replacement, action: _ } = rule;
    let regex = regex.as_deref().unwrap_or_default();
    let names = source_labels.iter().chain([target_label, replacement]);
    match (regex.contains(SHARD), names.into_iter().any(|name| name.contains(SHARD))) {
        (true, _) if regex.contains(GIVE_DIGITS_A_MEANING) => &NUMBERS,
        (false, false) => &[],
        _ => &NUMBERS[..1],
    }
}

fn with(rule: &RelabelConfig, number: &str) -> RelabelConfig {
    let RelabelConfig { source_labels, separator, regex, modulus, target_label, replacement, action } = rule;
    let replace = |text: &String| text.replace(SHARD, number);
    RelabelConfig {
        source_labels: source_labels.iter().map(replace).collect(),
        separator: replace(separator),
        regex: regex.as_ref().map(replace),
        modulus: *modulus,
        target_label: replace(target_label),
        replacement: replace(replacement),
        action: *action,
    }
}

/// Checks the names of each object in a JSON value.
fn check_names(value: &Value) -> Result<(), ShardError> {
    match value {
        Value::Object(fields) => {
            check_distinct(fields.keys().map(String::as_str))?;
            fields.values().try_for_each(check_names)
        }
        Value::Array(values) => values.iter().try_for_each(check_names),
        _ => Ok(()),
    }
}

/// Parses a job as a collector does, with a number in place of `$(SHARD)`.
fn check_rest(job: &Value, number: &'static str) -> Result<(), ShardError> {
    let section = json!({ "scrape_configs": [replaced(job, number)] });
    let refused = match parse(&section) {
        Ok(parsed) => parsed.jobs.into_iter().find_map(Result::err).map(|refused| refused.error),
        Err(error) => Some(error),
    };
    refused.map_or(Ok(()), |error| Err(ShardError::Other { number, source: Box::new(error) }))
}

fn replaced(value: &Value, number: &str) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace(SHARD, number)),
        Value::Array(values) => values.iter().map(|value| replaced(value, number)).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| (name.replace(SHARD, number), replaced(value, number));
            Value::Object(fields.iter().map(field).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relabel::Action;
    use crate::scrape_config::discovery::{HttpSd, StaticSd};
    use crate::scrape_config::globals::Globals;
    use crate::scrape_config::http_client::HttpHeader;
    use crate::scrape_config::secret::WithSecrets;

    fn checked(edit: impl FnOnce(&mut ScrapeConfig)) -> Result<(), String> {
        let mut config = ScrapeConfig::new("job");
        edit(&mut config);
        config.validate(&Globals::default(), &RegexCache::default()).expect("valid as it stands");
        let text = serde_json::to_string(&WithSecrets(&config)).unwrap();
        check(&config, &text).map_err(|error| error.to_string())
    }

    fn keep(regex: &str) -> RelabelConfig {
        RelabelConfig { regex: Some(regex.to_owned()), action: Action::Keep, ..RelabelConfig::default() }
    }

    #[test]
    fn expressions_must_be_valid_with_any_number() {
        let valid = [
            "$(SHARD)",
            OPERATORS_EXPRESSION,
            "a$(SHARD)b|c",
            "($(SHARD)|x)*",
            r"\d+;$(SHARD)",
            "[a-z]+$(SHARD)",
            "[$(SHARD)]",
            "(?P<n>$(SHARD))",
        ];
        let refused = [
            "x{2,$(SHARD)}",
            "x{$(SHARD)}",
            "x{0,$(SHARD)}",
            "(x{500}){$(SHARD)}",
            "[$(SHARD)-5]",
            "[$(SHARD)-8]",
            r"\$(SHARD)",
        ];
        for regex in valid {
            assert_eq!(checked(|config| config.relabel_configs = vec![keep(regex)]), Ok(()), "{regex}");
        }
        for regex in refused {
            let got = checked(|config| config.metric_relabel_configs = vec![keep("a"), keep(regex)]);
            assert!(got.as_ref().is_err_and(|error| error.contains("metric_relabel_configs")), "{regex}: {got:?}");
        }
    }

    #[test]
    fn everything_else_must_be_valid_with_any_number() {
        type Edit = fn(&mut ScrapeConfig);
        let valid: &[Edit] = &[
            |config| config.job_name = SHARD.to_owned(),
            |config| config.metrics_path = "/metrics/$(SHARD)".to_owned(),
            |config| {
                config.params.insert("shard".to_owned(), vec![SHARD.to_owned()]);
            },
            |config| config.service_discovery.http = vec![HttpSd::new("http://targets.example/$(SHARD)")],
            // A probe: its rules make a parameter of the URL.
            |config| {
                let targets = vec!["http://web-$(SHARD).example/health".to_owned()];
                config.service_discovery.r#static = vec![StaticSd { targets, ..StaticSd::default() }];
                config.relabel_configs = vec![keep("$(SHARD)")];
            },
            |config| {
                let replacement = "shard-$(SHARD)".to_owned();
                let rule = RelabelConfig { target_label: "a".to_owned(), replacement, ..RelabelConfig::default() };
                config.relabel_configs = vec![rule];
            },
        ];
        let refused: &[Edit] = &[
            |config| {
                config.params.insert("a$(SHARD)".to_owned(), Vec::new());
                config.params.insert("a0".to_owned(), Vec::new());
            },
            |config| {
                config.params.insert("a$(SHARD)".to_owned(), Vec::new());
                config.params.insert("a4711".to_owned(), Vec::new());
            },
            |config| {
                let labels = ["l0", "l$(SHARD)"].map(|name| (name.to_owned(), String::new())).into();
                config.service_discovery.r#static = vec![StaticSd { targets: vec!["a:1".to_owned()], labels }];
            },
            |config| {
                let name = "X-Amz-Content-Sha$(SHARD)".to_owned();
                config.http_client.http_headers.insert(name, HttpHeader::default());
            },
        ];
        for (at, edit) in valid.iter().enumerate() {
            assert_eq!(checked(edit), Ok(()), "{at}");
        }
        for (at, edit) in refused.iter().enumerate() {
            assert!(checked(edit).is_err(), "{at}");
        }
    }

    #[test]
    fn names_stay_distinct_with_any_number() {
        for (names, distinct) in [
            (vec!["a", "b"], true),
            (vec!["a-$(SHARD)", "b-0"], true),
            (vec!["a-$(SHARD)", "a-"], true),
            (vec!["a-$(SHARD)", "a-0"], false),
            (vec!["a-1234", "a-$(SHARD)"], false),
            (vec!["$(SHARD)1", "1$(SHARD)"], false),
        ] {
            assert_eq!(check_distinct(names.iter().copied()).is_ok(), distinct, "{names:?}");
        }
    }
}
