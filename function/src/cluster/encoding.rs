//! The encodings of objects: JSON, and for the kinds that the API server knows itself protobuf.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use target_allocator_core::objects::monitoring::{PodMonitor, Probe, ScrapeConfig, ServiceMonitor};
use target_allocator_core::objects::{
    ConfigMap, EndpointSlice, Endpoints, Ingress, Job, Metadata, Namespace, Node, Object, Pod, ReplicaSet, Secret,
    Service,
};
use thiserror::Error;

use super::items;
use super::protobuf::{self, Malformed};

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

/// Why an object cannot be read.
#[derive(Debug, Error)]
#[error(transparent)]
pub enum Unreadable {
    /// By its text.
    Json(#[from] serde_json::Error),
    /// By its message.
    Protobuf(#[from] Malformed),
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

    /// Its metadata as far as it can be read.
    pub fn metadata(self) -> Metadata {
        self.part::<Named<Metadata>>().metadata
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

    /// What the list says of itself, once all has arrived.
    pub fn metadata(&self) -> Result<PageMetadata, Unreadable> {
        match self {
            Self::Json(items) => page(items.rest()),
            Self::Protobuf(items) => Ok(items.metadata()?),
        }
    }
}

/// What a page in JSON says of itself.
pub(super) fn page(list: &[u8]) -> Result<PageMetadata, Unreadable> {
    #[derive(Deserialize)]
    struct Page {
        metadata: PageMetadata,
    }
    Ok(serde_json::from_slice::<Page>(list)?.metadata)
}

/// What a page of a list says of itself.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PageMetadata {
    /// Token of the next page; absent or empty on the last.
    #[serde(rename = "continue")]
    pub next: String,
    /// The version of the list.
    pub resource_version: String,
}

/// An object of which only the metadata is read, or a part of that.
#[derive(Default, Deserialize)]
#[serde(default, bound = "M: Default + Deserialize<'de>")]
pub(super) struct Named<M> {
    pub(super) metadata: M,
}

/// Where in `metadata` the version is.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Version {
    pub(super) resource_version: String,
}

/// What is read of a `Status`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) code: i32,
    pub(super) message: String,
}
