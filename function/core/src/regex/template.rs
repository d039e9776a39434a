//! Replacement templates of relabelling rules, expanded like Go's `Regexp.Expand`.

use super::unicode::is_word;
use super::{GoRegex, Groups};

/// Maximum length of an expanded template in bytes. Longer text is cut off. No real label value is that long.
pub const MOST_EXPANDED: usize = 1 << 20;

/// A replacement with references such as `$1` and `${name}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
    /// Groups with one name. The first group that is part of the match is used, as in Go.
    FirstOf(Vec<usize>),
}

impl Template {
    /// Parses a template and resolves its references to the groups of `regex`.
    #[must_use]
    pub fn new(text: &str, regex: &GoRegex) -> Self {
        let mut template = Self { parts: Vec::new() };
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            template.push_text(before);
            rest = after;
            if let Some(after) = after.strip_prefix('$') {
                template.push_text("$");
                rest = after;
            } else if let Some((name, after)) = reference(after) {
                template.push_group(name, regex);
                rest = after;
            } else {
                // A `$` without a valid reference is literal text.
                template.push_text("$");
            }
        }
        template.push_text(rest);
        template
    }

    /// The text of a template without references, or whose references are always empty. `None` otherwise.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The group, if the template is exactly one reference. `None` otherwise.
    #[must_use]
    pub fn as_group(&self) -> Option<usize> {
        match self.parts.as_slice() {
            [Part::Group(group)] => Some(*group),
            _ => None,
        }
    }

    /// Appends the template to `expanded`, with the groups of a match in `text`. Stops after [`MOST_EXPANDED`] bytes.
    pub fn expand(&self, text: &str, groups: &Groups, expanded: &mut String) {
        for part in &self.parts {
            if expanded.len() > MOST_EXPANDED {
                return;
            }
            let group = match part {
                Part::Text(text) => {
                    expanded.push_str(text);
                    continue;
                }
                Part::Group(group) => groups.get(*group),
                Part::FirstOf(candidates) => candidates.iter().find_map(|group| groups.get(*group)),
            };
            if let Some((start, end)) = group {
                expanded.push_str(&text[start..end]);
            }
        }
    }

    fn push_text(&mut self, text: &str) {
        match self.parts.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Text(last)) => last.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    /// Appends a reference. A reference to a group that does not exist expands to nothing.
    fn push_group(&mut self, name: &str, regex: &GoRegex) {
        if let Some(number) = number(name) {
            if number < regex.group_names.len() {
                self.parts.push(Part::Group(number));
            }
            return;
        }
        let named =
            |(group, candidate): (usize, &Option<Box<str>>)| (candidate.as_deref() == Some(name)).then_some(group);
        let groups: Vec<usize> = regex.group_names.iter().enumerate().filter_map(named).collect();
        match groups.as_slice() {
            [] => {}
            [group] => self.parts.push(Part::Group(*group)),
            _ => self.parts.push(Part::FirstOf(groups)),
        }
    }
}

/// Splits the text after a `$` into the name of a reference and the rest. `None` if there is no valid name.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (braced, named) = text.strip_prefix('{').map_or((false, text), |named| (true, named));
    let end = named.find(|c| !is_word(c)).unwrap_or(named.len());
    let (name, rest) = named.split_at(end);
    if name.is_empty() {
        return None;
    }
    Some((name, if braced { rest.strip_prefix('}')? } else { rest }))
}

/// The number of a numeric name without leading zeros. Like Go, it is `None` if another digit follows a value of 10^8
/// or more.
fn number(name: &str) -> Option<usize> {
    let plain = name.bytes().all(|b| b.is_ascii_digit()) && name.len() <= 9 && (name == "0" || !name.starts_with('0'));
    if plain { name.parse().ok() } else { None }
}
