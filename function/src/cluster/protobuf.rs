//! What an API server sends in protobuf: of the kinds that it knows itself.
//!
//! Half as long as JSON, and managed fields, half of what is left, are passed over
//! unread. Behaviour as of `k8s.io/apimachinery/pkg/runtime/serializer/protobuf`.
//!
//! An object or a list is four bytes, then an envelope (`runtime.Unknown`) around the
//! message; a watch is frames of four bytes of length, then an event around an object.

pub mod events;
pub mod items;
mod objects;
mod wire;

pub use wire::{Malformed, Message, read as message};

/// What an object or a list begins with.
const MAGIC: &[u8] = b"k8s\0";

/// `raw` of an envelope: the message.
const RAW: u32 = 2;

/// The message in the envelope of an object, if it is in one.
pub fn unwrapped(object: &[u8]) -> Result<&[u8], Malformed> {
    let envelope = object.strip_prefix(MAGIC).ok_or(Malformed("no object begins so"))?;
    wire::part(envelope, RAW)?.ok_or(Malformed("an envelope is empty"))
}

#[cfg(test)]
mod tests {
    use target_allocator_core::objects::{Collection, Metadata, Pod};

    use super::*;
    use crate::cluster::encoding::{Encoding, Listing};
    use crate::cluster::follow::Events;
    use crate::cluster::reading::Known;

    fn varint(mut number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while number > 0x7f {
            bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
            number >>= 7;
        }
        bytes.push(u8::try_from(number).unwrap());
        bytes
    }

    /// A field that holds a text or a message.
    fn field(number: usize, value: &[u8]) -> Vec<u8> {
        [varint(number << 3 | 2), varint(value.len()), value.to_vec()].concat()
    }

    fn enveloped(message: &[u8]) -> Vec<u8> {
        let (kind, nothing) = (field(1, &field(1, b"v1")), [field(3, b""), field(4, b"")].concat());
        [MAGIC, &kind, &field(2, message), &nothing].concat()
    }

    fn pod(name: &str, phase: &str, version: &str) -> Vec<u8> {
        let managed = field(17, &field(7, &vec![b'x'; 300]));
        let metadata = [field(1, name.as_bytes()), field(3, b"shop"), field(6, version.as_bytes()), managed].concat();
        [field(1, &metadata), field(3, &field(1, phase.as_bytes()))].concat()
    }

    fn event(kind: &str, object: &[u8]) -> Vec<u8> {
        let frame = [field(1, kind.as_bytes()), field(2, &field(1, &enveloped(object)))].concat();
        [u32::try_from(frame.len()).unwrap().to_be_bytes().to_vec(), frame].concat()
    }

    fn phases(pods: &Collection<Pod>) -> Vec<(&str, &str)> {
        pods.iter().map(|pod| (pod.metadata.name.as_str(), pod.status.phase.as_str())).collect()
    }

    #[test]
    fn lists_are_cut_at_their_items_wherever_pieces_end() {
        let metadata = [field(2, b"77"), field(3, b"next page"), vec![4 << 3, 5]].concat();
        let items = [field(2, &pod("1", "Running", "3")), field(2, &pod("2", "Failed", "4"))].concat();
        let list = enveloped(&[field(1, &metadata), items].concat());
        for pieces in 1..=list.len() {
            let (mut listing, mut known, mut pods) =
                (Listing::new(Encoding::Protobuf), Known::default(), Collection::<Pod>::default());
            for (number, piece) in list.chunks(pieces).enumerate() {
                // Behind the list its envelope says nothing in four bytes.
                assert!(listing.metadata().is_err() || number * pieces >= list.len() - 4, "complete too early");
                listing.feed(piece, |item| known.put(item, &mut pods)).unwrap();
            }
            let page = listing.metadata().unwrap();
            assert_eq!((&*page.resource_version, &*page.next), ("77", "next page"));
            assert_eq!(phases(&pods), [("1", "Running"), ("2", "Failed")]);
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let longer = [MAGIC, &[2 << 3 | 2, 3], &field(2, b"an item")].concat();
        let cases: [(&str, &[u8], &str); 5] = [
            ("JSON", b"{\"items\": []}", "no list begins so"),
            ("an item that is longer than its list", &longer, "longer than its list"),
            ("a number among the fields", &[MAGIC, &[8; 20]].concat(), "a number stands in a list"),
            ("nothing", b"", "ends within a list"),
            ("no list in the envelope", &[MAGIC, &field(1, b"")].concat(), "ends within a list"),
        ];
        for (name, list, expected) in cases {
            let mut listing = Listing::new(Encoding::Protobuf);
            let fed = listing.feed(list, |_| panic!("{name} has an item"));
            let malformed = fed.and_then(|()| listing.metadata().map(drop)).unwrap_err().to_string();
            assert!(malformed.contains(expected), "{name}: {malformed}");
        }
    }

    #[test]
    fn an_item_that_cannot_be_read_is_absent_alone_and_named() {
        let mut listing = Listing::new(Encoding::Protobuf);
        let bad = [field(1, &field(1, b"bad")), field(3, b"\x0a\x05cut")].concat();
        let list = [field(1, b""), field(2, &bad), field(2, &pod("good", "Running", "1"))].concat();
        let (mut known, mut pods) = (Known::default(), Collection::<Pod>::default());
        listing.feed(&enveloped(&list), |item| known.put(item, &mut pods)).unwrap();
        assert_eq!(phases(&pods), [("good", "Running")]);
        let report = known.report();
        let [entry] = report.entries() else { panic!("{report:?}") };
        assert_eq!(entry.object.to_string(), "Pod/bad");
        assert!(entry.reason.contains("ends within a field"), "{entry:?}");
    }

    #[test]
    fn events_change_the_objects_wherever_pieces_end() {
        let watch = [
            event("ADDED", &pod("1", "Pending", "11")),
            event("ADDED", &pod("2", "Running", "12")),
            event("MODIFIED", &pod("1", "Running", "13")),
            event("DELETED", &pod("2", "Running", "14")),
            event("BOOKMARK", &pod("", "", "20")),
        ]
        .concat();
        for pieces in 1..=watch.len() {
            let (mut events, mut known, mut pods) =
                (Events::new(Encoding::Protobuf), Known::default(), Collection::<Pod>::default());
            for piece in watch.chunks(pieces) {
                events.feed(piece, &mut known, &mut pods).unwrap();
            }
            assert!(events.is_complete());
            assert_eq!(known.version, "20");
            assert_eq!(phases(&pods), [("1", "Running")]);
        }
    }

    #[test]
    fn what_is_not_understood_needs_a_list() {
        let status = [field(3, b"too old resource version"), vec![6 << 3, 0x9a, 0x03]].concat();
        let cases = [
            (event("ERROR", &status), "410: too old resource version"),
            (event("NEW", &pod("1", "", "1")), "unknown type of event: NEW"),
            (b"\0\0\0\x01x".to_vec(), "not understood"),
            (b"\0\0\0\0".to_vec(), "no object begins so"),
        ];
        for (frame, expected) in cases {
            let (mut known, mut pods) = (Known::default(), Collection::<Pod>::default());
            let lost = Events::new(Encoding::Protobuf).feed(&frame, &mut known, &mut pods).unwrap_err();
            assert!(lost.0.contains(expected), "{lost:?}");
        }
    }

    #[test]
    fn metadata_is_read_of_whatever_has_it() {
        let read: Metadata = message(&field(1, b"web")).unwrap();
        assert_eq!(read.name, "web");
        assert!(unwrapped(b"{}").is_err() && unwrapped(MAGIC).is_err());
    }
}
