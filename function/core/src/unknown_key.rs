//! Keys of a config file that nobody knows, and the known keys that they resemble.
//!
//! The operator ignores such keys, so they must not stop the start. They are reported instead:
//! a key with a slip of the keyboard has no effect, and its writer must learn that.

use std::fmt;

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
        self.similar.map_or(Ok(()), |similar| write!(f, " (did you mean {similar}?)"))
    }
}

/// The known key that `key` resembles: another spelling (`scrapeInterval`), a slip, or a part of it.
#[must_use]
pub fn similar(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let key = plain(key);
    let most = (key.len() / 4).clamp(1, 3);
    let near = |name: &&'static str| {
        let name = plain(name);
        let part = key.len() >= LEAST_PART && name.len() >= LEAST_PART && (name.contains(&key) || key.contains(&name));
        let distance = distance(&key, &name);
        if part { distance.min(most) } else { distance }
    };
    known.iter().map(|name| (near(name), *name)).filter(|(distance, _)| *distance <= most).min().map(|(_, name)| name)
}

/// Shorter names are part of too many others.
const LEAST_PART: usize = 8;

/// Without what spellings differ in: case, `_` and `-`.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(64).collect::<String>().to_ascii_lowercase()
}

/// The number of letters to insert, remove or replace to make one text of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.bytes().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (above, wanted) in row.iter_mut().skip(1).zip(other.bytes()) {
            let cost = (diagonal + usize::from(letter != wanted)).min(left + 1).min(*above + 1);
            diagonal = std::mem::replace(above, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggestion_is_the_nearest_known_key() {
        let known = [
            "enabled",
            "scrape_interval",
            "scrape_configs",
            "matchlabels",
            "matchexpressions",
            "always_scrape_classic_histograms",
            "key",
        ];
        let cases = [
            ("scrapeInterval", Some("scrape_interval")),
            ("enable", Some("enabled")),
            ("scrape_config", Some("scrape_configs")),
            ("match_labels", Some("matchlabels")),
            ("matchlabel", Some("matchlabels")),
            ("matchExpression", Some("matchexpressions")),
            ("scrape_classic_histograms", Some("always_scrape_classic_histograms")),
            ("keys", Some("key")),
            ("app", None),
            ("", None),
            ("listen", None),
        ];
        for (key, expected) in cases {
            assert_eq!(similar(key, &known), expected, "{key}");
        }
    }
}
