//! Replacement templates, expanded as Go's `Regexp.Expand` does it.

use super::unicode::is_word;
use super::{GoRegex, Groups};

/// How much is expanded at most; what is longer is cut off, and of no use to anybody.
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
    /// Several groups can have one name: the first that took part in the match counts.
    FirstOf(Vec<usize>),
}

impl Template {
    /// Reads a template for the groups of `regex`.
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
                // Not a reference: it stands for itself.
                template.push_text("$");
            }
        }
        template.push_text(rest);
        template
    }

    /// The text, if there is no reference in it that could expand to any.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The group, if the template is a reference to it and nothing else.
    #[must_use]
    pub fn as_group(&self) -> Option<usize> {
        match self.parts.as_slice() {
            [Part::Group(group)] => Some(*group),
            _ => None,
        }
    }

    /// Appends the template with the groups of a match in `text` filled in, until there is more than [`MOST_EXPANDED`].
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

    /// Adds a reference; one to a group that does not exist expands to nothing.
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

/// The name at the start of what follows a `$`, and what follows it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (braced, named) = text.strip_prefix('{').map_or((false, text), |named| (true, named));
    let end = named.find(|c| !is_word(c)).unwrap_or(named.len());
    let (name, rest) = named.split_at(end);
    if name.is_empty() {
        return None;
    }
    Some((name, if braced { rest.strip_prefix('}')? } else { rest }))
}

/// A name that is a number, without leading zeros. Go gives up where a ninth digit would follow 10^8.
fn number(name: &str) -> Option<usize> {
    let plain = name.bytes().all(|b| b.is_ascii_digit()) && name.len() <= 9 && (name == "0" || !name.starts_with('0'));
    if plain { name.parse().ok() } else { None }
}
