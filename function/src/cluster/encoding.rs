//! The encodings of objects: JSON, and for the kinds that the API server knows itself protobuf.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde_json::value::RawValue;
use target_allocator_core::objects::monitoring::{PodMonitor, Probe, ScrapeConfig, ServiceMonitor};
use target_allocator_core::objects::{
    ConfigMap, EndpointSlice, Endpoints, Ingress, Job, Namespace, Node, Object, Pod, ReplicaSet, Secret, Service,
};
use thiserror::Error;

use super::items;
use super::parts::{Expected, Identity, Named, ObjectName, PageMetadata, Status, TypeMeta, Version};
use super::protobuf::{self, Malformed};
use super::wrong::WrongAnswer;

/// What JSON and protobuf are called.
pub const JSON: &str = "application/json";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const PROTOBUF_OR_JSON: &str = "application/vnd.kubernetes.protobuf,application/json";

/// How an answer is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JSON, a watch in lines.
    Json,
    /// Messages in envelopes, a watch in frames.
    Protobuf,
}

impl Encoding {
    /// The encoding of the answer that has these headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let is_protobuf =
            headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(PROTOBUF.as_bytes()));
        if is_protobuf { Self::Protobuf } else { Self::Json }
    }
}

/// How a message is read.
type ReadMessage<T> = fn(&[u8]) -> Result<T, Malformed>;

/// An object that can be read in the encodings in which it is sent.
pub trait Readable: Object + DeserializeOwned + PartialEq {
    /// How its message is read. An API server has custom resources, whose fields it does not know, only in JSON.
    const MESSAGE: Option<ReadMessage<Self>> = None;

    /// What to ask for.
    const ACCEPT: &str = if Self::MESSAGE.is_some() { PROTOBUF_OR_JSON } else { JSON };
}

macro_rules! readable {
    ($($kind:ty),+ $(,)?) => {
        $(impl Readable for $kind {
            const MESSAGE: Option<ReadMessage<Self>> = Some(protobuf::message);
        })+
    };
}

readable!(Namespace, Node, Pod, Service, Endpoints, EndpointSlice, Ingress, ReplicaSet, Job);

impl Readable for ServiceMonitor {}
impl Readable for PodMonitor {}
impl Readable for Probe {}
impl Readable for ScrapeConfig {}
// Read one by one, and small.
impl Readable for Secret {}
impl Readable for ConfigMap {}

/// An object as it was sent.
#[derive(Debug, Clone, Copy)]
pub enum Encoded<'a> {
    /// Its text.
    Json(&'a [u8]),
    /// Its message, out of its envelope.
    Protobuf(&'a [u8]),
}

/// Why an object or a list cannot be read.
#[derive(Debug, Error)]
#[error(transparent)]
pub enum Unreadable {
    /// The text is not the JSON of the expected fields.
    Json(#[from] serde_json::Error),
    /// The message is not the protobuf of the expected fields.
    Protobuf(#[from] Malformed),
    /// The answer can be read, and is not what was asked for.
    Wrong(#[from] WrongAnswer),
}

impl Encoded<'_> {
    /// The object.
    pub fn read<T: Readable>(self) -> Result<T, Unreadable> {
        match self {
            Self::Json(text) => Ok(serde_json::from_slice(text)?),
            Self::Protobuf(message) => {
                let read = T::MESSAGE.ok_or(Malformed("the kind is not sent so"))?;
                Ok(read(message)?)
            }
        }
    }

    /// What identifies the object, if it is one. An object whose other fields cannot be read has an identity too.
    pub fn identity(self) -> Option<Identity> {
        match self {
            // A derived reader takes a JSON list for a struct.
            Self::Json(text) if text.trim_ascii_start().starts_with(b"{") => serde_json::from_slice(text).ok(),
            Self::Json(_) => None,
            Self::Protobuf(message) => protobuf::message(message).ok(),
        }
    }

    /// The identity of an object of that type and namespace.
    pub fn identified(self, expected: &Expected) -> Result<Identity, WrongAnswer> {
        let identity = self.identity().ok_or(WrongAnswer::NoItem)?;
        let Identity { type_meta, metadata } = &identity;
        if type_meta.contradicts(&expected.type_meta) {
            let (expected, got, name) = (expected.type_meta.to_string(), type_meta.to_string(), metadata.name.clone());
            return Err(WrongAnswer::Item { expected, got, name });
        }
        if metadata.name.is_empty() {
            return Err(WrongAnswer::NoName);
        }
        if let Some(namespace) = expected.namespace.as_deref().filter(|namespace| **namespace != *metadata.namespace) {
            let ObjectName { name, namespace: got } = metadata;
            return Err(WrongAnswer::Namespace {
                expected: namespace.to_owned(),
                got: got.clone(),
                name: name.clone(),
            });
        }
        Ok(identity)
    }

    /// Its version as far as it can be read; empty if it has none.
    pub fn version(self) -> String {
        self.part::<Named<Version>>().metadata.resource_version
    }

    /// What a `Status` says.
    pub(super) fn status(self) -> Status {
        self.part()
    }

    fn part<P: protobuf::Message + DeserializeOwned>(self) -> P {
        match self {
            Self::Json(text) => serde_json::from_slice(text).unwrap_or_default(),
            Self::Protobuf(message) => protobuf::message(message).unwrap_or_default(),
        }
    }
}

/// A list as it arrives.
pub enum Listing {
    /// Text.
    Json(items::Items),
    /// Messages.
    Protobuf(protobuf::items::Items),
}

impl Listing {
    /// Nothing of it has arrived.
    pub fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Json => Self::Json(items::Items::default()),
            Encoding::Protobuf => Self::Protobuf(protobuf::items::Items::default()),
        }
    }

    /// Takes what arrived and gives each item that is complete to `take`.
    pub fn feed(&mut self, arrived: &[u8], mut take: impl FnMut(Encoded<'_>)) -> Result<(), Unreadable> {
        match self {
            Self::Json(items) => items.feed(arrived, |item| take(Encoded::Json(item))),
            Self::Protobuf(items) => items.feed(arrived, |item| take(Encoded::Protobuf(item)))?,
        }
        Ok(())
    }

    /// What the page says about itself, once all of it has arrived.
    pub fn page(&self) -> Result<Page, Unreadable> {
        match self {
            Self::Json(items) => json_page(items),
            Self::Protobuf(items) => Ok(protobuf_page(items)?),
        }
    }
}

/// What a page of a list says about itself.
#[derive(Debug, Default)]
pub struct Page {
    /// The type that it states.
    type_meta: TypeMeta,
    /// Whether it has `items`.
    has_items: bool,
    metadata: PageMetadata,
    /// The message of a `Status`.
    message: String,
}

impl Page {
    /// Its metadata, whatever else the page is.
    pub const fn metadata(&self) -> &PageMetadata {
        &self.metadata
    }

    /// Its metadata, if it is a page of a list of that type.
    pub fn of(self, expected: &TypeMeta) -> Result<PageMetadata, WrongAnswer> {
        let Self { type_meta, has_items, metadata, message } = self;
        if type_meta != *expected {
            let message = if message.is_empty() { message } else { format!(": {message}") };
            return Err(WrongAnswer::Type { expected: expected.to_string(), got: type_meta.to_string(), message });
        }
        if !has_items {
            return Err(WrongAnswer::NoItems);
        }
        match &*metadata.resource_version {
            "" => Err(WrongAnswer::NoVersion),
            "0" => Err(WrongAnswer::ZeroVersion),
            _ => Ok(metadata),
        }
    }
}

fn json_page(items: &items::Items) -> Result<Page, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Rest<'a> {
        #[serde(default)]
        api_version: String,
        #[serde(default)]
        kind: String,
        #[serde(default)]
        message: String,
        #[serde(borrow)]
        metadata: Option<&'a RawValue>,
        #[serde(borrow)]
        items: Option<&'a RawValue>,
    }
    let rest = items.rest();
    // A derived reader takes a JSON list for a struct.
    if !rest.trim_ascii_start().starts_with(b"{") {
        serde_json::from_slice::<&RawValue>(rest)?;
        return Err(WrongAnswer::NoObject.into());
    }
    let Rest { api_version, kind, message, metadata, items: places } = serde_json::from_slice(rest)?;
    let metadata = metadata.map(RawValue::get).filter(|text| text.starts_with('{'));
    let places = places.map(RawValue::get).filter(|text| text.starts_with('['));
    let count = places.map(serde_json::from_str::<Places>).transpose().map_err(|_| WrongAnswer::NoItem)?;
    if count.as_ref().is_some_and(|Places(count)| *count != items.taken()) {
        return Err(WrongAnswer::NoItem.into());
    }
    Ok(Page {
        type_meta: TypeMeta { api_version, kind },
        has_items: count.is_some(),
        metadata: metadata.map(serde_json::from_str).transpose()?.unwrap_or_default(),
        message,
    })
}

/// How many items were cut out of a list: see [`items::Items`].
struct Places(usize);

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Count;
        impl<'de> Visitor<'de> for Count {
            type Value = Places;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of objects")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut places: A) -> Result<Places, A::Error> {
                let mut count = 0;
                while let Some(place) = places.next_element::<u8>()? {
                    if place != 0 {
                        return Err(serde::de::Error::custom("an item is a number"));
                    }
                    count += 1;
                }
                Ok(Places(count))
            }
        }
        deserializer.deserialize_seq(Count)
    }
}

fn protobuf_page(items: &protobuf::items::Items) -> Result<Page, Malformed> {
    let type_meta = items.type_meta()?;
    if type_meta.kind == "Status" {
        // The fields of a `Status` have the numbers of others in a list.
        return Ok(Page { type_meta, ..Page::default() });
    }
    Ok(Page { type_meta, has_items: true, metadata: items.metadata()?, message: String::new() })
}

#[cfg(test)]
mod tests;
