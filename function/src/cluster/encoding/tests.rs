use target_allocator_core::objects::{Collection, Pod};

use super::*;
use crate::cluster::protobuf::build::{enveloped, field, pod};
use crate::cluster::reading::Known;

fn pod_list() -> TypeMeta {
    TypeMeta { api_version: "v1".to_owned(), kind: "PodList".to_owned() }
}

fn phases(pods: &Collection<Pod>) -> Vec<(&str, &str)> {
    pods.iter().map(|pod| (pod.metadata.name.as_str(), pod.status.phase.as_str())).collect()
}

#[test]
fn protobuf_lists_are_cut_at_their_items_wherever_pieces_end() {
    let metadata = [field(2, b"77"), field(3, b"next page"), vec![4 << 3, 5]].concat();
    let items = [field(2, &pod("1", "Running", "3")), field(2, &pod("2", "Failed", "4"))].concat();
    let list = enveloped("v1", "PodList", &[field(1, &metadata), items].concat());
    for pieces in 1..=list.len() {
        let (mut listing, mut known, mut pods) =
            (Listing::new(Encoding::Protobuf), Known::default(), Collection::<Pod>::default());
        for (number, piece) in list.chunks(pieces).enumerate() {
            // The last four bytes of the envelope are behind the list and say nothing.
            assert!(listing.page().is_err() || number * pieces >= list.len() - 4, "complete too early");
            listing.feed(piece, |item| known.put(item, &mut pods)).unwrap();
        }
        let page = listing.page().unwrap().of(&pod_list()).unwrap();
        assert_eq!((&*page.resource_version, &*page.next), ("77", "next page"));
        assert_eq!(phases(&pods), [("1", "Running"), ("2", "Failed")]);
    }
}

#[test]
fn a_protobuf_item_that_cannot_be_read_is_absent_alone_and_named() {
    let mut listing = Listing::new(Encoding::Protobuf);
    let bad = [field(1, &field(1, b"bad")), field(3, b"\x0a\x05cut")].concat();
    let list = [field(1, b""), field(2, &bad), field(2, &pod("good", "Running", "1"))].concat();
    let (mut known, mut pods) = (Known::default(), Collection::<Pod>::default());
    listing.feed(&enveloped("v1", "PodList", &list), |item| known.put(item, &mut pods)).unwrap();
    assert_eq!(phases(&pods), [("good", "Running")]);
    let report = known.report();
    let [entry] = report.entries() else { panic!("{report:?}") };
    assert_eq!(entry.object.to_string(), "Pod/bad");
    assert!(entry.reason.contains("ends within a field"), "{entry:?}");
}

/// Why a body is no page of a list of pods.
fn refusal(encoding: Encoding, body: &[u8]) -> String {
    let mut listing = Listing::new(encoding);
    let page = listing.feed(body, |_| ()).and_then(|()| listing.page());
    page.and_then(|page| Ok(page.of(&pod_list())?)).expect_err(&String::from_utf8_lossy(body)).to_string()
}

#[test]
fn json_that_is_no_list_of_the_kind_is_refused() {
    let list = |items: &str| {
        format!(r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"1"}},"items":{items}}}"#)
    };
    let web = r#"{"metadata":{"name":"web"}}"#;
    let cases = [
        (String::new(), "EOF"),
        ("null".to_owned(), "not a JSON object"),
        ("[]".to_owned(), "not a JSON object"),
        (r#"["v1","PodList","",{"resourceVersion":"1"},[]]"#.to_owned(), "not a JSON object"),
        ("<html>".to_owned(), "expected value"),
        ("{}".to_owned(), "expected kind PodList of apiVersion v1, got kind (none)"),
        (
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"message":"no leader"}"#.to_owned(),
            "got kind Status of apiVersion v1: no leader",
        ),
        (list("[]").replace("PodList", "ServiceList"), "got kind ServiceList of apiVersion v1"),
        (list("[]").replace(r#"Version":"v1""#, r#"Version":"v2""#), "got kind PodList of apiVersion v2"),
        (list("[]").replace("PodList", "List"), "got kind List of apiVersion v1"),
        (list("[]").replace("items", "objects"), "no items"),
        (list("null"), "no items"),
        (list("{}"), "no items"),
        (list(r#"{"a":[{"metadata":{}}]}"#), "no items"),
        (list(r#""[]""#), "no items"),
        (list("[null]"), "an item of the list is no object"),
        (list("[7]"), "an item of the list is no object"),
        (list("[0]"), "an item of the list is no object"),
        (list(r#"["web"]"#), "an item of the list is no object"),
        (list(&format!("[{web},0]")), "an item of the list is no object"),
        (list(&format!("[{web},null]")), "an item of the list is no object"),
        (list(&format!("[{web} {web}]")), "expected"),
        (list(&format!("[{web}]")).replace("\"items\"", "\"it\\u0065ms\""), "an item of the list is no object"),
        (list("[]").replace(r#""resourceVersion":"1""#, ""), "no metadata.resourceVersion"),
        (list("[]").replace(r#""1""#, r#""""#), "no metadata.resourceVersion"),
        (list("[]").replace(r#""1""#, "1"), "invalid type"),
        (list("[]").replace(r#"{"resourceVersion":"1"}"#, r#"["", "1"]"#), "no metadata.resourceVersion"),
        (list("[]").replace(r#""items":[]"#, r#""items":[],"items":[]"#), "duplicate field"),
        (list("[]") + "{}", "trailing characters"),
        (list(&format!("[{web}]"))[..60].to_owned(), "EOF"),
    ];
    for (body, expected) in cases {
        let refusal = refusal(Encoding::Json, body.as_bytes());
        assert!(refusal.contains(expected), "{body}: {refusal}");
    }
    let mut listing = Listing::new(Encoding::Json);
    listing.feed(list(&format!(" [ {web} ,\n{web} ] ")).as_bytes(), |_| ()).unwrap();
    assert_eq!(listing.page().unwrap().of(&pod_list()).unwrap().resource_version, "1");
}

#[test]
fn protobuf_that_is_no_list_of_the_kind_is_refused() {
    let versioned = field(1, &field(2, b"1"));
    let longer = [b"k8s\0", &[2 << 3 | 2, 3][..], &field(2, b"an item")].concat();
    let envelope = enveloped("v1", "PodList", &versioned);
    let cases: [(&str, Vec<u8>, &str); 12] = [
        ("JSON", b"{\"items\": []}".to_vec(), "no list begins so"),
        ("an item that is longer than its list", longer, "longer than its list"),
        ("a number among the fields", [b"k8s\0", &[8; 20][..]].concat(), "a number stands in a list"),
        ("an empty body", Vec::new(), "ends within a list"),
        ("an envelope without a list", [b"k8s\0", &field(1, b"")[..]].concat(), "ends within a list"),
        ("an empty message", enveloped("v1", "PodList", b""), "no metadata.resourceVersion"),
        ("metadata without a version", enveloped("v1", "PodList", &field(1, b"")), "no metadata.resourceVersion"),
        ("an envelope of another kind", enveloped("v1", "ServiceList", &versioned), "got kind ServiceList"),
        ("an envelope without a type", enveloped("", "", &versioned), "got kind (none)"),
        ("a Status", enveloped("v1", "Status", &field(3, b"no")), "got kind Status of apiVersion v1"),
        ("two lists", [envelope.clone(), field(2, &versioned)].concat(), "two lists stand in an envelope"),
        ("a list that is encoded once more", [envelope, field(3, b"gzip")].concat(), "encoded once more"),
    ];
    for (name, body, expected) in cases {
        let refusal = refusal(Encoding::Protobuf, &body);
        assert!(refusal.contains(expected), "{name}: {refusal}");
    }
}
