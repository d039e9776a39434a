//! The items of a list, one by one as they arrive.
//!
//! A list of 10,000 pods is 44 MB of JSON. The text is cut at the ends of its items, so
//! that memory holds one item and the piece that arrived last.

/// Cuts the text of a list into its items and the rest. The rest is the list with the number `0` in place of each
/// item, so it is valid JSON only if the list is, and everything else between the items is still there.
#[derive(Debug, Default)]
pub struct Items {
    rest: Vec<u8>,
    /// How many items were cut out.
    taken: usize,
    /// The beginning of an item whose end has not arrived.
    item: Vec<u8>,
    depth: usize,
    text: Text,
    in_items: bool,
}

/// Where in a JSON text the end of what arrived is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Text {
    #[default]
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
}

/// The text before the items.
const ITEMS: &[u8] = b"\"items\":";

/// What the rest of a list has in place of an item.
const PLACE: u8 = b'0';

impl Items {
    /// Takes what arrived and gives each item that is complete to `take`.
    pub fn feed(&mut self, arrived: &[u8], mut take: impl FnMut(&[u8])) {
        let (mut start, mut at) = (0, 0);
        while at < arrived.len() {
            match self.text {
                Text::Escaped => {
                    self.text = Text::Inside;
                    at += 1;
                    continue;
                }
                Text::Inside => {
                    match memchr::memchr2(b'"', b'\\', &arrived[at..]) {
                        Some(found) if arrived[at + found] == b'"' => (self.text, at) = (Text::Outside, at + found + 1),
                        Some(found) => (self.text, at) = (Text::Escaped, at + found + 1),
                        None => at = arrived.len(),
                    }
                    continue;
                }
                Text::Outside => {}
            }
            match arrived[at] {
                b'"' => self.text = Text::Inside,
                b'{' | b'[' => {
                    if self.depth == 1 && arrived[at] == b'[' {
                        self.rest.extend_from_slice(&arrived[start..at]);
                        start = at;
                        self.in_items = ends_with_items(&self.rest);
                    } else if self.is_between_items() {
                        // The `[` of the list, a comma or white space stands before the item.
                        self.rest.extend_from_slice(&arrived[start..at]);
                        start = at;
                    }
                    self.depth += 1;
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.in_items && self.depth == 2 {
                        self.end_item(&arrived[start..=at], &mut take);
                        start = at + 1;
                    } else if self.in_items && self.depth == 1 {
                        self.rest.extend_from_slice(&arrived[start..at]);
                        start = at;
                        self.in_items = false;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        self.keep(&arrived[start..]);
    }

    /// The list with `0` in place of each item, once all of the list has arrived.
    pub fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// How many items were cut out.
    pub const fn taken(&self) -> usize {
        self.taken
    }

    const fn is_between_items(&self) -> bool {
        self.in_items && self.depth == 2
    }

    fn end_item(&mut self, end: &[u8], take: &mut impl FnMut(&[u8])) {
        if self.item.is_empty() {
            take(end);
        } else {
            self.item.extend_from_slice(end);
            take(&self.item);
            self.item.clear();
        }
        self.rest.push(PLACE);
        self.taken += 1;
    }

    fn keep(&mut self, end: &[u8]) {
        if self.in_items && !self.is_between_items() {
            self.item.extend_from_slice(end);
        } else {
            self.rest.extend_from_slice(end);
        }
    }
}

fn ends_with_items(text: &[u8]) -> bool {
    let mut letters = text.iter().rev().filter(|byte| !byte.is_ascii_whitespace());
    ITEMS.iter().rev().all(|expected| letters.next() == Some(expected))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str, pieces: usize) -> (Vec<String>, String) {
        let (mut items, mut found) = (Items::default(), Vec::new());
        for piece in text.as_bytes().chunks(pieces.max(1)) {
            items.feed(piece, |item| found.push(String::from_utf8(item.to_vec()).unwrap()));
        }
        (found, String::from_utf8(items.rest().to_vec()).unwrap())
    }

    #[test]
    fn lists_are_cut_at_their_items_wherever_pieces_end() {
        let cases = [
            (
                r#"{"kind":"PodList","metadata":{"continue":"x"},"items":[]}"#,
                vec![],
                r#"{"kind":"PodList","metadata":{"continue":"x"},"items":[]}"#,
            ),
            (r#"{"items":[{"a":1}],"metadata":{}}"#, vec![r#"{"a":1}"#], r#"{"items":[0],"metadata":{}}"#),
            (
                r#"{"items" : [ {"a":"}]\"\\"} , {"b":[{"c":{}}]} ] , "metadata":{"items":[{"x":1}]}}"#,
                vec![r#"{"a":"}]\"\\"}"#, r#"{"b":[{"c":{}}]}"#],
                r#"{"items" : [ 0 , 0 ] , "metadata":{"items":[{"x":1}]}}"#,
            ),
            (
                r#"{"items":[null, {"a":1}, "], {", [{}], 7 ]}"#,
                vec![r#"{"a":1}"#, "[{}]"],
                r#"{"items":[null, 0, "], {", 0, 7 ]}"#,
            ),
            (r#"{"other":[{"x":1}],"items":null}"#, vec![], r#"{"other":[{"x":1}],"items":null}"#),
            (
                r#"{"kind":"Status","message":"no \"items\":[ here"}"#,
                vec![],
                r#"{"kind":"Status","message":"no \"items\":[ here"}"#,
            ),
            (r#"{"items":[{"a":1},{"b""#, vec![r#"{"a":1}"#], r#"{"items":[0,"#),
        ];
        for (text, items, rest) in cases {
            for pieces in 1..=text.len() {
                let (found, left) = cut(text, pieces);
                assert_eq!(found, items, "pieces of {pieces}: {text}");
                assert_eq!(left, rest, "pieces of {pieces}: {text}");
            }
        }
    }

    proptest! {
        #[test]
        fn items_are_those_of_the_list(items in prop::collection::vec("[a-z\"\\\\{}\\[\\], é]{0,6}", 0..5), pieces in 1_usize..20) {
            let items: Vec<_> = items.into_iter().map(|text| serde_json::json!({"name": text, "nested": [{"a": [text]}]})).collect();
            let text = serde_json::json!({"metadata": {"continue": ""}, "items": items, "z": [1]}).to_string();
            let (found, rest) = cut(&text, pieces);
            let found: Vec<serde_json::Value> = found.iter().map(|item| serde_json::from_str(item).unwrap()).collect();
            let places = vec!["0"; items.len()].join(",");
            prop_assert_eq!(found, items);
            prop_assert_eq!(rest, format!(r#"{{"items":[{places}],"metadata":{{"continue":""}},"z":[1]}}"#));
        }
    }
}
