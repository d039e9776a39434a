//! Relabelling rules of monitors, and the rules that the operator generates.
//!
//! Input: rules of a monitor, selectors and label names. Output: rules as Prometheus parses them. Follows
//! `LabelConfigValidator` and the rules in `promcfg.go` of the Prometheus operator.

use super::finding::{Finding, Within};
use crate::labels::sanitized;
use crate::objects::monitoring::relabeling::Relabeling;
use crate::regex::{GoRegex, RegexCache};
use crate::relabel::{Action, RelabelConfig, RelabelError, Rules};
use crate::scrape_config::NameValidation;
use crate::scrape_config::shard::OPERATORS_EXPRESSION;
use crate::selector::LabelSelector;

/// Checks rules as the operator does.
///
/// # Errors
/// [`Finding`] for the first rule that the operator refuses.
pub fn check(rules: &[Relabeling]) -> Result<(), Finding> {
    let check = |(index, rule)| check_rule(rule).within(&format!("[{index}]"));
    rules.iter().enumerate().try_for_each(check)
}

/// Checks rules as the operator does, then converts them to rules of Prometheus.
///
/// # Errors
/// [`Finding`] for the first rule that the operator refuses, or else for the first that Prometheus cannot parse.
pub fn checked(rules: &[Relabeling]) -> Result<Vec<RelabelConfig>, Finding> {
    check(rules)?;
    converted(rules)
}

/// Refuses rules that the operator or Prometheus refuses.
///
/// # Errors
/// The first rule at fault.
pub fn check_loadable(rules: &[Relabeling]) -> Result<(), Finding> {
    let refused = |RelabelError { index, refusal }| Finding::refused(refusal).within(&format!("[{index}]"));
    Rules::check(&checked(rules)?, NameValidation::default(), &RegexCache::default()).map_err(refused)
}

/// Rules as Prometheus holds them; what the operator refuses has been refused already.
///
/// # Errors
/// [`Finding`] for the first rule that Prometheus cannot parse.
pub fn converted(rules: &[Relabeling]) -> Result<Vec<RelabelConfig>, Finding> {
    let convert = |(index, rule)| convert(rule).within(&format!("[{index}]"));
    rules.iter().enumerate().map(convert).collect()
}

/// Checks one rule as the operator does. Prometheus checks more when it loads the rule.
fn check_rule(rule: &Relabeling) -> Result<(), Finding> {
    let Relabeling { source_labels, separator, target_label, regex, modulus, replacement, action: _ } = rule;
    let refuse = |field: &str, reason: String| Err(Finding::refused(reason).within(field));
    if let Err(error) = GoRegex::check(regex) {
        return refuse("regex", format!("is not a regular expression of Go: {error}"));
    }
    // The operator does not check an unknown action. Prometheus rejects it.
    let Ok(action) = action(rule) else { return Ok(()) };
    let needs_target = matches!(
        action,
        Action::Replace
            | Action::HashMod
            | Action::Lowercase
            | Action::Uppercase
            | Action::KeepEqual
            | Action::DropEqual
    );
    if action == Action::HashMod && *modulus == 0 {
        return refuse("modulus", "must be more than 0 for the action hashmod".to_owned());
    }
    if needs_target && target_label.is_empty() {
        return refuse("targetLabel", format!("must be set for the action {action}"));
    }
    let other_replacement = replacement.as_deref().is_some_and(|replacement| replacement != "$1");
    let other_separator = separator.as_deref().is_some_and(|separator| separator != ";");
    if action == Action::LabelMap && replacement.as_deref() == Some("") {
        return refuse("replacement", "cannot be empty for the action labelmap".to_owned());
    }
    let unread: &[(&str, bool)] = match action {
        Action::Lowercase | Action::Uppercase => &[("replacement", other_replacement)],
        Action::KeepEqual | Action::DropEqual => &[
            ("regex", !matches!(regex.as_str(), "" | "(.*)")),
            ("modulus", *modulus != 0),
            ("separator", other_separator),
            ("replacement", other_replacement),
        ],
        Action::LabelDrop | Action::LabelKeep => &[
            ("sourceLabels", !source_labels.is_empty()),
            ("targetLabel", !target_label.is_empty()),
            ("modulus", *modulus != 0),
            ("separator", other_separator),
            ("replacement", other_replacement),
        ],
        _ => &[],
    };
    match unread.iter().find(|(_, set)| *set) {
        Some((field, _)) => refuse(field, format!("must not be set for the action {action}")),
        None => Ok(()),
    }
}

fn convert(rule: &Relabeling) -> Result<RelabelConfig, Finding> {
    let Relabeling { source_labels, separator, target_label, regex, modulus, replacement, action: _ } = rule;
    let defaults = RelabelConfig::default();
    let or = |text: &Option<String>, default: String| text.clone().unwrap_or(default);
    Ok(RelabelConfig {
        source_labels: source_labels.clone(),
        separator: or(separator, defaults.separator),
        regex: Some(regex.clone()).filter(|regex| !regex.is_empty()),
        modulus: u64::try_from(*modulus).map_err(|_| Finding::left_out("must not be negative")).within("modulus")?,
        target_label: target_label.clone(),
        replacement: or(replacement, defaults.replacement),
        action: action(rule)?,
    })
}

fn action(rule: &Relabeling) -> Result<Action, Finding> {
    if rule.action.is_empty() {
        return Ok(Action::default());
    }
    let unknown = || Finding::left_out(format_args!("is unknown: {:?}", rule.action)).within("action");
    Action::named(&rule.action).ok_or_else(unknown)
}

/// A rule that saves the job name in a temporary label, because later rules overwrite `job`.
#[must_use]
pub fn keep_job_name() -> RelabelConfig {
    copy("job", "__tmp_prometheus_job_name")
}

/// A rule that copies the value of `source` to `target`.
#[must_use]
pub fn copy(source: &str, target: &str) -> RelabelConfig {
    RelabelConfig {
        source_labels: vec![source.to_owned()],
        target_label: target.to_owned(),
        ..RelabelConfig::default()
    }
}

/// A rule that copies the value of `source` to `target`, unless the value is empty.
#[must_use]
pub fn copy_if_set(source: &str, target: &str) -> RelabelConfig {
    RelabelConfig { regex: Some("(.+)".to_owned()), replacement: "${1}".to_owned(), ..copy(source, target) }
}

/// A rule that sets `target` to a fixed value.
#[must_use]
pub fn set(target: &str, value: &str) -> RelabelConfig {
    RelabelConfig { target_label: target.to_owned(), replacement: value.to_owned(), ..RelabelConfig::default() }
}

/// A rule that keeps only targets whose labels match.
#[must_use]
pub fn keep(source_labels: Vec<String>, regex: impl Into<String>) -> RelabelConfig {
    RelabelConfig { source_labels, regex: Some(regex.into()), action: Action::Keep, ..RelabelConfig::default() }
}

/// A rule that drops targets whose labels match.
#[must_use]
pub fn drop(source_labels: Vec<String>, regex: impl Into<String>) -> RelabelConfig {
    RelabelConfig { action: Action::Drop, ..keep(source_labels, regex) }
}

/// A rule that drops pods in the phase `Failed` or `Succeeded`. Such a pod serves no metrics.
#[must_use]
pub fn drop_finished_pods() -> RelabelConfig {
    drop(vec!["__meta_kubernetes_pod_phase".to_owned()], "(Failed|Succeeded)")
}

/// A rule that copies a label of a Kubernetes object to a target label with the sanitized name.
#[must_use]
pub fn take_label(object: &str, name: &str) -> RelabelConfig {
    copy_if_set(&object_label(object, name), &sanitized(name))
}

/// A rule that copies a label of a Kubernetes object to the target label `job`.
#[must_use]
pub fn take_job(object: &str, name: &str) -> RelabelConfig {
    copy_if_set(&object_label(object, name), "job")
}

fn object_label(object: &str, name: &str) -> String {
    format!("__meta_kubernetes_{object}_label_{}", sanitized(name))
}

/// Rules that keep only targets whose Kubernetes object matches the selector.
#[must_use]
pub fn select(object: &str, selector: &LabelSelector) -> Vec<RelabelConfig> {
    let present = |key: &str| format!("__meta_kubernetes_{object}_labelpresent_{}", sanitized(key));
    let both = |key: &str| vec![object_label(object, key), present(key)];
    let LabelSelector { match_labels, match_expressions } = selector;
    let labels = match_labels.iter().map(|(key, value)| keep(both(key), format!("({value});true")));
    let expressions = match_expressions.iter().filter_map(|expression| {
        let key = expression.key.as_str();
        let any = || format!("({});true", expression.values.join("|"));
        match expression.operator.as_str() {
            "In" => Some(keep(both(key), any())),
            "NotIn" => Some(drop(both(key), any())),
            "Exists" => Some(keep(vec![present(key)], "true")),
            "DoesNotExist" => Some(drop(vec![present(key)], "true")),
            _ => None,
        }
    });
    labels.chain(expressions).collect()
}

/// Rules that select one shard of the targets by the hash of `source`. The allocator keeps all targets. A collector
/// replaces `$(SHARD)` and runs the rules again.
#[must_use]
pub fn shard(source: &str) -> [RelabelConfig; 3] {
    const HASH: &str = "__tmp_hash";
    [
        RelabelConfig {
            source_labels: vec![source.to_owned(), HASH.to_owned()],
            regex: Some("(.+);".to_owned()),
            target_label: HASH.to_owned(),
            ..RelabelConfig::default()
        },
        RelabelConfig { modulus: 1, action: Action::HashMod, ..copy(HASH, HASH) },
        keep(vec![HASH.to_owned(), "__tmp_disable_sharding".to_owned()], OPERATORS_EXPRESSION),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Outcome;

    #[test]
    fn rules_are_checked_as_in_the_operator() {
        let refused = |field| Err((Outcome::Refused, field));
        let left_out = |field| Err((Outcome::JobLeftOut, field));
        let cases = [
            ("{targetLabel: a}", Ok(())),
            ("{}", refused("[0].targetLabel")),
            ("{action: Replace, targetLabel: a}", Ok(())),
            ("{action: '', targetLabel: 'a b'}", Ok(())),
            ("{action: keep, regex: '('}", refused("[0].regex")),
            ("{action: keep, regex: '(?=a)'}", refused("[0].regex")),
            ("{action: hashmod, targetLabel: a}", refused("[0].modulus")),
            ("{action: HashMod, targetLabel: a, modulus: 2}", Ok(())),
            ("{action: hashmod, modulus: 2}", refused("[0].targetLabel")),
            ("{action: hashmod, targetLabel: a, modulus: -1}", left_out("[0].modulus")),
            ("{action: labelmap}", Ok(())),
            ("{action: labelmap, replacement: ''}", refused("[0].replacement")),
            ("{action: lowercase, targetLabel: a, replacement: b}", refused("[0].replacement")),
            ("{action: uppercase, targetLabel: a, replacement: $1}", Ok(())),
            ("{action: keepequal, targetLabel: a}", Ok(())),
            ("{action: keepequal}", refused("[0].targetLabel")),
            ("{action: dropequal, targetLabel: a, regex: b}", refused("[0].regex")),
            ("{action: dropequal, targetLabel: a, regex: '(.*)', separator: ;}", Ok(())),
            ("{action: dropequal, targetLabel: a, separator: ','}", refused("[0].separator")),
            ("{action: labeldrop, regex: a}", Ok(())),
            ("{action: labeldrop, sourceLabels: [a]}", refused("[0].sourceLabels")),
            ("{action: labelkeep, targetLabel: a}", refused("[0].targetLabel")),
            ("{action: labelkeep, modulus: 1}", refused("[0].modulus")),
            ("{action: shout}", left_out("[0].action")),
        ];
        for (manifest, expected) in cases {
            let rule: Relabeling = serde_norway::from_str(manifest).unwrap();
            let got = checked(&[rule]).map(std::mem::drop).map_err(|finding| (finding.outcome, finding.field));
            let expected = expected.map_err(|(outcome, field)| (outcome, field.to_owned()));
            assert_eq!(got, expected, "{manifest}");
        }
    }

    #[test]
    fn names_of_labels_are_sanitized() {
        for (name, expected) in [("app.kubernetes.io/name", "app_kubernetes_io_name"), ("é-1", "__1"), ("", "")] {
            assert_eq!(sanitized(name), expected);
        }
    }
}
