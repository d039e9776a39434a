//! `${env:NAME}` in the scalars of a config file.
//!
//! Input: the text of a parsed scalar, and a look-up of variables. Output: the text with the values of the variables.
//! A value replaces a part of one scalar, so no value can add keys, lists or comments. Follows the collector's
//! `${env:NAME}` and `${env:NAME:-default}`. All other texts with `$` keep their meaning, because relabelling uses
//! `$1`, `${name}` and `$$`, and collectors replace `$(SHARD)`.

use std::borrow::Cow;
use std::fmt;

/// The variables of a config file.
#[derive(Clone, Copy)]
pub struct Variables<'a> {
    /// The value of a variable. An empty value, or spaces only, counts as unset.
    pub lookup: &'a dyn Fn(&str) -> Option<String>,
    /// The keys at the top of the file whose values keep their references, because the values have no effect.
    pub except: &'a [&'a str],
}

/// Why a reference to a variable has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// The variable is unset or empty, and there is no default.
    #[error(
        "the environment variable is not set or empty, set it, or write ${{env:{0}:-default}} with a default, or \
         $${{env:{0}}} for the text itself: {0}"
    )]
    Unset(String),
    /// The reference has no closing brace.
    #[error("a reference to an environment variable has no closing brace, write ${{env:NAME}}: {0:?}")]
    Open(String),
    /// The name is not the name of a variable.
    #[error("the name of an environment variable has letters, digits and _, and begins with no digit: {0:?}")]
    Name(String),
    /// The default contains another reference.
    #[error("the default of an environment variable must not contain a reference: {0:?}")]
    Nested(String),
    /// The variable is a credential of the function.
    #[error(
        "the environment variable is an AWS credential of the function, and answers show the config to collectors, \
         use a variable of your own: {0}"
    )]
    Credential(String),
}

impl fmt::Debug for Variables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables").field("except", &self.except).finish_non_exhaustive()
    }
}

/// The part of a reference after the dollar sign.
const REFERENCE: &str = "{env:";

impl Variables<'_> {
    /// Replaces each reference of a text with the value of its variable.
    ///
    /// Directly before a reference, `$$` is one dollar sign, as in the collector. So `$${env:NAME}` is the text
    /// `${env:NAME}`. Values are not searched for references.
    ///
    /// # Errors
    /// [`VariableError`] for the first reference without a value.
    pub fn replace<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, VariableError> {
        if !text.contains(&format!("${REFERENCE}")) {
            return Ok(Cow::Borrowed(text));
        }
        let (mut replaced, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(brace) = rest.find(REFERENCE) {
            let (before, reference) = rest.split_at(brace);
            let plain = before.trim_end_matches('$');
            let dollars = before.len() - plain.len();
            replaced.push_str(plain);
            replaced.extend(std::iter::repeat_n('$', dollars / 2));
            if dollars % 2 == 0 {
                // Without a dollar sign, or behind an escaped one.
                replaced.push_str(REFERENCE);
                rest = &reference[REFERENCE.len()..];
                continue;
            }
            let open = || VariableError::Open(format!("${reference}"));
            let (inside, after) = reference[REFERENCE.len()..].split_once('}').ok_or_else(open)?;
            replaced.push_str(&self.value(inside)?);
            rest = after;
        }
        replaced.push_str(rest);
        Ok(Cow::Owned(replaced))
    }

    /// The value of `NAME` or `NAME:-default`.
    fn value(&self, inside: &str) -> Result<String, VariableError> {
        let (name, default) = inside.split_once(":-").map_or((inside, None), |(name, default)| (name, Some(default)));
        let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        let valid = name.bytes().all(|byte| first(byte) || byte.is_ascii_digit());
        if !valid || !name.bytes().next().is_some_and(first) {
            return Err(VariableError::Name(name.to_owned()));
        }
        if default.is_some_and(|default| default.contains("${")) {
            return Err(VariableError::Nested(inside.to_owned()));
        }
        if is_credential(name) {
            return Err(VariableError::Credential(name.to_owned()));
        }
        let value = (self.lookup)(name).filter(|value| !value.trim().is_empty());
        value.or_else(|| default.map(str::to_owned)).ok_or_else(|| VariableError::Unset(name.to_owned()))
    }
}

/// Whether the AWS SDK or Lambda reads a credential, or the place of one, from this variable.
fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let parts = ["SECRET", "TOKEN", "ACCESS_KEY", "CREDENTIAL"];
    name.starts_with("AWS_") && parts.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        let values = [
            ("TEAM", "shop"),
            ("EMPTY", ""),
            ("SPACES", "  "),
            ("_A1", "x: [y]"),
            ("AGAIN", "${env:TEAM}"),
            ("AWS_REGION", "eu-1"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn replaced(text: &str) -> Result<String, VariableError> {
        Variables { lookup: &lookup, except: &[] }.replace(text).map(Cow::into_owned)
    }

    #[test]
    fn references_are_replaced_and_other_dollar_signs_are_kept() {
        let cases = [
            ("", ""),
            ("${env:TEAM}", "shop"),
            ("a-${env:TEAM}-${env:TEAM}-b", "a-shop-shop-b"),
            ("${env:_A1}", "x: [y]"),
            ("${env:AGAIN}", "${env:TEAM}"),
            ("${env:AWS_REGION}", "eu-1"),
            // Defaults.
            ("${env:NOT_SET:-other}", "other"),
            ("${env:EMPTY:-other}", "other"),
            ("${env:SPACES:-other}", "other"),
            ("${env:NOT_SET:-}", ""),
            ("${env:TEAM:-other}", "shop"),
            ("${env:NOT_SET:-a:-b $1}", "a:-b $1"),
            // The escape.
            ("$${env:TEAM}", "${env:TEAM}"),
            ("$$${env:TEAM}", "$shop"),
            ("$$$${env:TEAM}", "$${env:TEAM}"),
            ("$$ ${env:TEAM} $$", "$$ shop $$"),
            // Texts of relabelling, and of collectors.
            ("$1:${2}:${name}:$$:$(SHARD)", "$1:${2}:${name}:$$:$(SHARD)"),
            ("${TEAM}", "${TEAM}"),
            ("${file:x}", "${file:x}"),
            ("$env:TEAM {env:TEAM}", "$env:TEAM {env:TEAM}"),
            ("{env:TEAM} ${env:TEAM}", "{env:TEAM} shop"),
            ("${ENV:TEAM}", "${ENV:TEAM}"),
            ("größe ${env:TEAM} 日本", "größe shop 日本"),
        ];
        for (text, expected) in cases {
            assert_eq!(replaced(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_reference_without_a_value_is_an_error() {
        let open = VariableError::Open("${env:TEAM".to_owned());
        let cases = [
            ("${env:NOT_SET}", VariableError::Unset("NOT_SET".to_owned())),
            ("${env:EMPTY}", VariableError::Unset("EMPTY".to_owned())),
            ("a${env:TEAM", open),
            ("${env:}", VariableError::Name(String::new())),
            ("${env:1A}", VariableError::Name("1A".to_owned())),
            ("${env:A-B}", VariableError::Name("A-B".to_owned())),
            ("${env: TEAM}", VariableError::Name(" TEAM".to_owned())),
            ("${env:A:-${env:TEAM}}", VariableError::Nested("A:-${env:TEAM".to_owned())),
        ];
        for (text, expected) in cases {
            assert_eq!(replaced(text), Err(expected), "{text}");
        }
        assert_eq!(
            replaced("${env:NOT_SET}").unwrap_err().to_string(),
            "the environment variable is not set or empty, set it, or write ${env:NOT_SET:-default} with a default, or \
             $${env:NOT_SET} for the text itself: NOT_SET"
        );
    }

    #[test]
    fn credentials_of_the_function_cannot_be_read() {
        for name in [
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECURITY_TOKEN",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "aws_secret_access_key",
        ] {
            for reference in [format!("${{env:{name}}}"), format!("${{env:{name}:-default}}")] {
                assert_eq!(replaced(&reference), Err(VariableError::Credential(name.to_owned())), "{reference}");
            }
        }
    }
}
