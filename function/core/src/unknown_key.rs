//! Keys of a config file that nobody knows, and the known keys that they resemble.
//!
//! The operator ignores such keys, so they must not stop the start. They are reported instead:
//! a key with a slip of the keyboard has no effect, and its writer must learn that.

use std::fmt;

use crate::similar::{did_you_mean, similar};

/// A key that is ignored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnknownKey {
    /// Where it stands, such as `prometheus_cr.scrapeInterval`.
    pub path: String,
    /// The known key that it resembles.
    pub similar: Option<&'static str>,
}

impl UnknownKey {
    /// The key `key` below `parent` (empty for the file itself), where only `known` keys have an effect.
    #[must_use]
    pub fn new(parent: &str, key: &str, known: &[&'static str]) -> Self {
        let path = if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") };
        Self { path, similar: similar(key, known) }
    }

    /// Why the key is reported, and what to do.
    #[must_use]
    pub fn reason(&self) -> String {
        match self.similar {
            Some(similar) => format!("unknown key, ignored: did you mean {similar}?"),
            None => "unknown key, ignored: remove it".to_owned(),
        }
    }
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        f.write_str(&did_you_mean(self.similar))
    }
}
