//! Renders targets as JSON of HTTP SD, in the escaped form of [`Text`](super::Text).

use serde_json::Value;

use crate::labels::ADDRESS;

/// Writes `{"targets":["ADDRESS"],"labels":{...}}`.
pub(super) fn target<'l>(labels: impl Iterator<Item = (&'l str, &'l str)> + Clone, out: &mut String) {
    beginning(labels, out);
    out.push_str("}}");
}

/// Writes the beginning of the text of a target: the address and the first labels. [`more`] and [`end`] write the rest.
pub(super) fn beginning<'l>(labels: impl Iterator<Item = (&'l str, &'l str)> + Clone, out: &mut String) {
    let address = labels.clone().find(|(name, _)| *name == ADDRESS).map_or("", |(_, address)| address);
    out.push_str(r#"{\"targets\":["#);
    string(address, out);
    out.push_str(r#"],\"labels\":{"#);
    let mut separator = "";
    for (name, value) in labels {
        out.push_str(separator);
        label(name, value, out);
        separator = ",";
    }
}

/// Writes further labels of the target.
pub(super) fn more<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>, out: &mut String) {
    for (name, value) in labels {
        out.push(',');
        label(name, value, out);
    }
}

/// Writes the last labels of the target, and the end of the text.
pub(super) fn end<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>, out: &mut String) {
    more(labels, out);
    out.push_str("}}");
}

fn label(name: &str, value: &str, out: &mut String) {
    string(name, out);
    out.push(':');
    string(value, out);
}

fn string(text: &str, out: &mut String) {
    let plain = text.bytes().fold(true, |plain, byte| plain & (byte >= b' ') & (byte != b'"') & (byte != b'\\'));
    if plain {
        out.push_str(r#"\""#);
        out.push_str(text);
        out.push_str(r#"\""#);
    } else {
        escape(&Value::from(text).to_string(), out);
    }
}

/// Writes a text as the content of a JSON string, without the quotation marks.
pub fn escape(text: &str, out: &mut String) {
    let quoted = Value::from(text).to_string();
    out.push_str(quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default());
}
