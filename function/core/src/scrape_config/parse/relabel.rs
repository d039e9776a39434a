//! Relabelling rules of a scrape config.

use crate::relabel::{Action, RelabelConfig};
use crate::scrape_config::fields::{Node, ParseError, Problem};

type Result<T> = std::result::Result<T, ParseError>;

/// Parses a list of rules.
pub fn rules(node: &Node<'_>) -> Result<Vec<RelabelConfig>> {
    node.list()?.iter().map(rule).collect()
}

fn rule(node: &Node<'_>) -> Result<RelabelConfig> {
    if node.is_null() {
        return Err(node.error(Problem::Empty));
    }
    let mut fields = node.fields()?;
    let mut rule = RelabelConfig::default();
    let RelabelConfig { source_labels, separator, regex, modulus, target_label, replacement, action } = &mut rule;
    let sources = fields.given("source_labels");
    if let Some(sources) = &sources {
        for label in sources.list()? {
            let name = label.string()?;
            if name.is_empty() && !label.is_null() {
                return Err(label.error(Problem::EmptyLabelName));
            }
            source_labels.push(name);
        }
    }
    fields.string("separator", separator)?;
    fields.read("regex", regex, |node| node.string().map(Some))?;
    fields.read("modulus", modulus, Node::unsigned)?;
    fields.string("target_label", target_label)?;
    fields.string("replacement", replacement)?;
    fields.read("action", action, self::action)?;
    fields.finish()?;
    // These actions reject `source_labels`, even an empty list.
    if let (Action::LabelDrop | Action::LabelKeep, Some(sources)) = (*action, sources) {
        return Err(sources.error(Problem::NoSourceLabels));
    }
    Ok(rule)
}

fn action(node: &Node<'_>) -> Result<Action> {
    let text = node.string()?;
    Action::named(&text).ok_or_else(|| node.error(Problem::UnknownAction(text)))
}
