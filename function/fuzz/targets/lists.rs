//! Lists of an API server, in JSON and in protobuf: cut into items alike wherever pieces end, and read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use target_allocator::cluster::encoding::{Encoded, Encoding, Listing, Readable};
use target_allocator_core::objects::{EndpointSlice, Endpoints, Ingress, Node, Pod, Service};

/// The items of a list as they were cut out, and its version if it is complete.
fn cut(encoding: Encoding, list: &[u8], pieces: usize) -> (Vec<Vec<u8>>, Option<String>) {
    let (mut listing, mut items, mut fed) = (Listing::new(encoding), Vec::new(), true);
    for piece in list.chunks(pieces) {
        let mut take = |item: Encoded<'_>| {
            let (Encoded::Json(bytes) | Encoded::Protobuf(bytes)) = item;
            items.push(bytes.to_vec());
        };
        fed = listing.feed(piece, &mut take).is_ok();
        if !fed {
            break;
        }
    }
    let page = listing.page().ok().filter(|_| fed);
    (items, page.map(|page| page.metadata().resource_version.clone()))
}

fn read<T: Readable>(item: Encoded<'_>) {
    if item.read::<T>().is_ok() {
        assert!(matches!(item, Encoded::Json(_)) || T::MESSAGE.is_some());
    }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (pieces, list) = input;
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        let (items, version) = cut(encoding, list, list.len().max(1));
        assert_eq!(cut(encoding, list, usize::from(pieces).max(1)), (items.clone(), version));
        for item in &items {
            let item = match encoding {
                Encoding::Json => Encoded::Json(item),
                Encoding::Protobuf => Encoded::Protobuf(item),
            };
            read::<Pod>(item);
            read::<Service>(item);
            read::<Endpoints>(item);
            read::<EndpointSlice>(item);
            read::<Node>(item);
            read::<Ingress>(item);
            let _ = (item.identity(), item.version());
        }
    }
});
