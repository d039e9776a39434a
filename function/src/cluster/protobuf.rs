//! Reads responses of an API server in protobuf. Only built-in kinds have this form.
//!
//! Input: bytes. Output: objects. Protobuf is half as long as JSON. Half of the rest are managed fields, which are
//! skipped without parsing. Follows `k8s.io/apimachinery/pkg/runtime/serializer/protobuf`.
//!
//! An object or a list starts with four fixed bytes. An envelope (`runtime.Unknown`) with the message follows. A watch
//! is a sequence of events. Each event follows its length, which has four bytes.

#[cfg(test)]
pub mod build;
pub mod events;
pub mod items;
mod objects;
mod wire;

use super::parts::TypeMeta;

pub use wire::{Malformed, Message, read as message};

/// The first bytes of an object or a list.
const MAGIC: &[u8] = b"k8s\0";

/// The fields of an envelope: the type, the message, and the encoding of the message such as gzip. No API server sets
/// the encoding.
const TYPE_META: u32 = 1;
const RAW: u32 = 2;
const CONTENT_ENCODING: u32 = 3;

/// The content of an envelope.
pub struct Envelope<'a> {
    /// The type of the message.
    pub type_meta: TypeMeta,
    /// The message.
    pub message: &'a [u8],
}

/// Opens the envelope of an object.
pub fn opened(object: &[u8]) -> Result<Envelope<'_>, Malformed> {
    let envelope = object.strip_prefix(MAGIC).ok_or(Malformed("no object begins so"))?;
    let type_meta = wire::part(envelope, TYPE_META)?.unwrap_or_default();
    let message = wire::part(envelope, RAW)?.ok_or(Malformed("an envelope is empty"))?;
    Ok(Envelope { type_meta: wire::read(type_meta)?, message })
}

#[cfg(test)]
mod tests {
    use target_allocator_core::objects::Metadata;

    use super::build::field;
    use super::*;

    #[test]
    fn metadata_is_read_of_any_message() {
        let read: Metadata = message(&field(1, b"web")).unwrap();
        assert_eq!(read.name, "web");
    }

    #[test]
    fn an_object_is_in_an_envelope() {
        let pod = build::pod("web", "Running", "1");
        let sent = build::enveloped("v1", "Pod", &pod);
        let Envelope { type_meta, message } = opened(&sent).unwrap();
        assert_eq!((&*type_meta.api_version, &*type_meta.kind, message), ("v1", "Pod", &*pod));
        assert!(opened(b"{}").is_err() && opened(MAGIC).is_err());
    }
}
