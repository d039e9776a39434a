//! Checks a relabelling rule as Prometheus does.
//!
//! Input: a rule. Output: nothing, or the reason why Prometheus refuses the rule. Follows `Config.Validate` in
//! `model/relabel/relabel.go`.

use super::{Action, Refusal, RelabelConfig};
use crate::labels::{NameValidation, is_valid_label_name};

/// Checks all of a rule except its regular expression.
pub(super) fn validate(config: &RelabelConfig, names: NameValidation) -> Result<(), Refusal> {
    let RelabelConfig { source_labels, separator, regex, modulus, target_label, replacement, action } = config;
    let action = *action;
    let defaults = RelabelConfig::default();

    if let Some(label) = source_labels.iter().find(|label| label.is_empty()) {
        return Err(Refusal::SourceLabel(label.clone()));
    }
    match action {
        Action::Replace
        | Action::HashMod
        | Action::Lowercase
        | Action::Uppercase
        | Action::KeepEqual
        | Action::DropEqual => {
            if target_label.is_empty() {
                return Err(Refusal::NoTargetLabel(action));
            }
            let template = action == Action::Replace && target_label.contains('$');
            let valid =
                if template { can_make_name(target_label, names) } else { is_valid_label_name(target_label, names) };
            if !valid {
                return Err(Refusal::TargetLabel(action, target_label.clone()));
            }
        }
        Action::LabelMap => {
            if !can_make_name(replacement, names) {
                return Err(Refusal::Replacement(replacement.clone()));
            }
        }
        Action::Keep | Action::Drop | Action::LabelDrop | Action::LabelKeep => {}
    }
    if action == Action::HashMod && *modulus == 0 {
        return Err(Refusal::NoModulus);
    }

    let unread: &[(&'static str, bool)] = match action {
        Action::Lowercase | Action::Uppercase => &[("replacement", *replacement != defaults.replacement)],
        Action::KeepEqual | Action::DropEqual => &[
            ("regex", regex.is_some()),
            ("modulus", *modulus != 0),
            ("separator", *separator != defaults.separator),
            ("replacement", *replacement != defaults.replacement),
        ],
        Action::LabelDrop | Action::LabelKeep => &[
            ("source_labels", !source_labels.is_empty()),
            ("target_label", !target_label.is_empty()),
            ("modulus", *modulus != 0),
            ("separator", *separator != defaults.separator),
            ("replacement", *replacement != defaults.replacement),
        ],
        _ => &[],
    };
    match unread.iter().find(|(_, set)| *set) {
        Some((field, _)) => Err(Refusal::Unread { field, action }),
        None => Ok(()),
    }
}

/// Whether a template can expand to the name of a label.
fn can_make_name(template: &str, names: NameValidation) -> bool {
    match names {
        NameValidation::Utf8 => is_valid_label_name(template, names),
        NameValidation::Legacy => is_legacy_template(template),
    }
}

/// Whether the text consists of letters, digits, `_`, and references such as `$1` and `${name}`, and does not start
/// with a digit.
fn is_legacy_template(template: &str) -> bool {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let mut rest = template.as_bytes();
    if rest.first().is_none_or(u8::is_ascii_digit) {
        return false;
    }
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after.split_first()) {
            (b'$', Some((b'{', braced))) => {
                let length = braced.iter().take_while(|b| word(b)).count();
                match braced.split_at_checked(length) {
                    Some(([_, ..], [b'}', after @ ..])) => after,
                    _ => return false,
                }
            }
            (b'$', Some((name, after))) if word(name) => after,
            _ if word(first) => after,
            _ => return false,
        };
    }
    true
}
