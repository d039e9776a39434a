//! Targets as the JSON of HTTP SD.

use crate::labels::ADDRESS;

/// Writes `{"targets":["ADDRESS"],"labels":{...}}`.
pub(super) fn target<'l>(labels: impl Iterator<Item = (&'l str, &'l str)> + Clone, out: &mut Vec<u8>) {
    beginning(labels, out);
    out.extend_from_slice(b"}}");
}

/// Writes the same, but for what [`end`] writes.
pub(super) fn beginning<'l>(labels: impl Iterator<Item = (&'l str, &'l str)> + Clone, out: &mut Vec<u8>) {
    let address = labels.clone().find(|(name, _)| *name == ADDRESS).map_or("", |(_, address)| address);
    out.extend_from_slice(b"{\"targets\":[");
    string(address, out);
    out.extend_from_slice(b"],\"labels\":{");
    let mut separator: &[u8] = b"";
    for (name, value) in labels {
        out.extend_from_slice(separator);
        label(name, value, out);
        separator = b",";
    }
}

/// Writes more labels of a target that has some, and ends it.
pub(super) fn end<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>, out: &mut Vec<u8>) {
    for (name, value) in labels {
        out.push(b',');
        label(name, value, out);
    }
    out.extend_from_slice(b"}}");
}

fn label(name: &str, value: &str, out: &mut Vec<u8>) {
    string(name, out);
    out.push(b':');
    string(value, out);
}

fn string(text: &str, out: &mut Vec<u8>) {
    let plain = text.bytes().fold(true, |plain, byte| plain & (byte >= b' ') & (byte != b'"') & (byte != b'\\'));
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing a text to memory cannot fail.
        let _ = serde_json::to_writer(out, text);
    }
}
