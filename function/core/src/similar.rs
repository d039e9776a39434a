//! Names that resemble each other: another spelling, a slip of the keyboard, or a part of the name.
//!
//! Input: a name, and the names that exist. Output: the name that the writer probably wanted.

use std::fmt::Display;

/// The known name that `key` resembles: another spelling (`scrapeInterval`), a slip, or a part of it.
#[must_use]
pub fn similar<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let wanted = Wanted::new(key);
    known.iter().filter_map(|name| Some((wanted.distance(name)?, *name))).min().map(|(_, name)| name)
}

/// A name that does not exist, prepared for comparison with many names.
#[derive(Debug)]
pub struct Wanted {
    plain: String,
    /// The largest distance of a name that resembles this one.
    most: usize,
}

impl Wanted {
    /// The name as somebody wrote it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let plain = plain(name);
        let most = (plain.len() / 4).clamp(1, 3);
        Self { plain, most }
    }

    /// How far another name is from this one. `None` if the names do not resemble each other.
    #[must_use]
    pub fn distance(&self, name: &str) -> Option<usize> {
        let Self { plain: key, most } = self;
        let name = plain(name);
        let part = key.len() >= LEAST_PART && name.len() >= LEAST_PART && (name.contains(key) || key.contains(&name));
        if !part && name.len().abs_diff(key.len()) > *most {
            return None;
        }
        let distance = distance(key, &name);
        let distance = if part { distance.min(*most) } else { distance };
        (distance <= *most).then_some(distance)
    }
}

/// Shorter names are part of too many others.
const LEAST_PART: usize = 8;

/// Without what spellings differ in: case, `_` and `-`.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(64).collect::<String>().to_ascii_lowercase()
}

/// The number of letters to insert, remove, replace or swap with their neighbour to make one text of the other (optimal
/// string alignment). Swapped letters are the commonest slip.
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(at + 1);
        for (position, wanted) in other.iter().enumerate() {
            let replaced = last[position] + usize::from(letter != wanted);
            let mut cost = replaced.min(last[position + 1] + 1).min(row[position] + 1);
            if at > 0 && position > 0 && one[at - 1] == *wanted && other[position - 1] == *letter {
                cost = cost.min(before[position - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

/// The hint at the end of a sentence about a wrong name. Empty without a similar name.
#[must_use]
pub fn did_you_mean(similar: Option<impl Display>) -> String {
    similar.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggestion_is_the_nearest_known_name() {
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
            ("kye", Some("key")),
            ("enalbed", Some("enabled")),
            ("app", None),
            ("", None),
            ("listen", None),
        ];
        for (key, expected) in cases {
            assert_eq!(similar(key, &known), expected, "{key}");
        }
    }
}
