//! Objects, lists and events as an API server writes them, in JSON and in protobuf.

use serde_json::{Value, json};

use crate::truth::{Resource, Uid};

/// What is wrong with a list, an event or an item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wrong {
    /// The list or the events are of this kind.
    pub other_kind: Option<&'static str>,
    pub version_missing: bool,
    /// What `items` is instead of a list of objects.
    pub items: Items,
    /// What the last item is.
    pub item: Item,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Items {
    #[default]
    True,
    Missing,
    Null,
    Object,
    Text,
    Escaped,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Item {
    #[default]
    True,
    Null,
    Text,
    Number,
    List,
    Empty,
    Unnamed,
    OtherKind,
    /// All items cannot be read.
    Unreadable,
    /// All items are there twice.
    Twice,
}

/// A page of a list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub items: Vec<Uid>,
    pub version: u64,
    pub next: String,
    pub wrong: Wrong,
}

pub fn json_object(resource: &Resource, (number, created): Uid, version: u64, readable: bool) -> Value {
    let mut metadata =
        json!({"name": format!("o-{number}"), "uid": created.to_string(), "resourceVersion": version.to_string()});
    if !resource.namespace.is_empty() {
        metadata["namespace"] = resource.namespace.into();
    }
    let mut object = json!({"metadata": metadata});
    if !resource.built_in {
        object["apiVersion"] = resource.api_version.into();
        object["kind"] = resource.type_name.into();
        object["spec"] = json!({"selector": {}, "endpoints": []});
    }
    if !readable {
        // Each kind reads one of these.
        object["spec"] = json!(7);
        object["endpoints"] = json!(7);
        object["metadata"]["labels"] = json!(7);
    }
    object
}

fn json_items(resource: &Resource, page: &Page) -> Vec<Value> {
    let readable = page.wrong.item != Item::Unreadable;
    let mut items: Vec<_> = page.items.iter().map(|uid| json_object(resource, *uid, page.version, readable)).collect();
    let last = match page.wrong.item {
        Item::True | Item::Unreadable => return items,
        Item::Twice => {
            items.extend_from_within(..);
            return items;
        }
        Item::Null => Value::Null,
        Item::Text => "o-0".into(),
        Item::Number => 0.into(),
        Item::List => json!([json_object(resource, (0, 10), 1, true)]),
        Item::Empty => json!({}),
        Item::Unnamed => json!({"metadata": {"namespace": "shop"}, "spec": {}}),
        Item::OtherKind => {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop", "name": "o-0"}})
        }
    };
    items.pop();
    items.push(last);
    items
}

pub fn json_page(resource: &Resource, page: &Page) -> Vec<u8> {
    let kind = page.wrong.other_kind.unwrap_or(resource.type_name);
    let mut list = json!({"kind": format!("{kind}List"), "apiVersion": resource.api_version, "metadata": {}});
    if !page.next.is_empty() {
        list["metadata"]["continue"] = page.next.as_str().into();
    }
    if !page.wrong.version_missing {
        list["metadata"]["resourceVersion"] = page.version.to_string().into();
    }
    match page.wrong.items {
        Items::True | Items::Escaped => list["items"] = json_items(resource, page).into(),
        Items::Missing => {}
        Items::Null => list["items"] = Value::Null,
        Items::Object => list["items"] = json!({"a": json_items(resource, page)}),
        Items::Text => list["items"] = "[]".into(),
    }
    let text = list.to_string();
    match page.wrong.items {
        Items::Escaped => text.replacen("\"items\"", "\"it\\u0065ms\"", 1).into_bytes(),
        _ => text.into_bytes(),
    }
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).expect("seven bits"));
    bytes
}

pub fn field(number: usize, value: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(value.len()), value.to_vec()].concat()
}

/// A message in an envelope.
pub fn enveloped(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let type_meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
    [b"k8s\0", &*field(1, &type_meta), &field(2, message), &field(3, b""), &field(4, b"")].concat()
}

pub fn protobuf_object(resource: &Resource, (number, created): Uid, version: u64, readable: bool) -> Vec<u8> {
    let (name, uid, version) = (format!("o-{number}"), created.to_string(), version.to_string());
    let namespace = if resource.namespace.is_empty() { Vec::new() } else { field(3, resource.namespace.as_bytes()) };
    let labels = if readable { Vec::new() } else { field(11, b"\x0a\x05cut") };
    let metadata =
        [field(1, name.as_bytes()), namespace, field(5, uid.as_bytes()), field(6, version.as_bytes()), labels];
    field(1, &metadata.concat())
}

fn protobuf_items(resource: &Resource, page: &Page) -> Vec<Vec<u8>> {
    let readable = page.wrong.item != Item::Unreadable;
    let mut items: Vec<_> =
        page.items.iter().map(|uid| protobuf_object(resource, *uid, page.version, readable)).collect();
    let last = match page.wrong.item {
        Item::True | Item::Unreadable => return items,
        Item::Twice => {
            items.extend_from_within(..);
            return items;
        }
        Item::Null | Item::Empty => Vec::new(),
        Item::Text | Item::Number => b"o-0".to_vec(),
        Item::List => field(2, &protobuf_object(resource, (0, 10), 1, true)),
        Item::Unnamed | Item::OtherKind => field(1, &field(3, b"shop")),
    };
    items.pop();
    items.push(last);
    items
}

pub fn protobuf_page(resource: &Resource, page: &Page) -> Vec<u8> {
    let kind = page.wrong.other_kind.unwrap_or(resource.type_name);
    let mut metadata = Vec::new();
    if !page.wrong.version_missing {
        metadata.extend(field(2, page.version.to_string().as_bytes()));
    }
    if !page.next.is_empty() {
        metadata.extend(field(3, page.next.as_bytes()));
    }
    let items = protobuf_items(resource, page).iter().map(|item| field(2, item)).collect::<Vec<_>>().concat();
    let list = match page.wrong.items {
        // Protobuf cannot tell no items from none: an empty message is what is wrong then.
        Items::True | Items::Object => [field(1, &metadata), items].concat(),
        Items::Missing | Items::Null | Items::Text | Items::Escaped => Vec::new(),
    };
    let kind = format!("{kind}List");
    let api_version = if page.wrong.items == Items::Object { "v0" } else { resource.api_version };
    enveloped(api_version, &kind, &list)
}

/// One event of a watch.
pub struct Event<'a> {
    pub r#type: &'a str,
    pub uid: Uid,
    pub version: u64,
    pub readable: bool,
    pub item: Item,
}

pub fn json_event(resource: &Resource, event: &Event<'_>) -> Vec<u8> {
    let mut object = json_object(resource, event.uid, event.version, event.readable);
    object["apiVersion"] = resource.api_version.into();
    object["kind"] = resource.type_name.into();
    match event.item {
        Item::Null => object = Value::Null,
        Item::Text => object = "o-0".into(),
        Item::Number => object = 7.into(),
        Item::List => object = json!([object]),
        Item::Empty => object = json!({}),
        Item::Unnamed => object["metadata"]["name"] = "".into(),
        Item::OtherKind => object["kind"] = "ConfigMap".into(),
        Item::True | Item::Unreadable | Item::Twice => {}
    }
    format!("{}\n", json!({"type": event.r#type, "object": object})).into_bytes()
}

pub fn protobuf_event(resource: &Resource, event: &Event<'_>) -> Vec<u8> {
    let object = match event.item {
        Item::Null | Item::Empty => Vec::new(),
        Item::Text | Item::Number | Item::List => b"o-0".to_vec(),
        Item::Unnamed => field(1, &field(3, b"shop")),
        _ => protobuf_object(resource, event.uid, event.version, event.readable),
    };
    let kind = if event.item == Item::OtherKind { "ConfigMap" } else { resource.type_name };
    let object = enveloped(resource.api_version, kind, &object);
    let frame = [field(1, event.r#type.as_bytes()), field(2, &field(1, &object))].concat();
    [&u32::try_from(frame.len()).expect("an event is short").to_be_bytes()[..], &frame].concat()
}
