//! Formats errors for people: logs, responses and the report.

use std::error::Error;

/// An error and all its sources on one line, separated by `: `.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some errors of dependencies repeat their source.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Failure {
        text: &'static str,
        source: Option<Box<Failure>>,
    }

    fn failure(texts: &[&'static str]) -> Option<Box<Failure>> {
        let (text, sources) = texts.split_first()?;
        Some(Box::new(Failure { text, source: failure(sources) }))
    }

    #[test]
    fn all_sources_are_named_once() {
        let cases: [(&[&str], &str); 4] = [
            (&["a"], "a"),
            (&["a", "b", "c"], "a: b: c"),
            (&["a: b", "b", "c"], "a: b: c"),
            (&["a: b: c", "b: c", "c"], "a: b: c"),
        ];
        for (texts, expected) in cases {
            assert_eq!(failure(texts).map(|error| chain(&*error)).as_deref(), Some(expected));
        }
    }
}
