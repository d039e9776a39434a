use target_allocator_core::objects::Pod;
use target_allocator_core::objects::monitoring::PodMonitor;

use super::*;
use crate::cluster::parts::TypeMeta;

fn of(api_version: &str, kind: &str) -> TypeMeta {
    TypeMeta { api_version: api_version.to_owned(), kind: kind.to_owned() }
}

fn page(version: &str, next: &str, items: &str) -> String {
    format!(
        r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"{version}","continue":"{next}"}},"items":[{items}]}}"#
    )
}

/// The names of the objects of a list, or why it is refused.
fn read(pages: &[String]) -> Result<Vec<String>, String> {
    let mut list = Pages::<Pod>::of(of("v1", "Pod"));
    for page in pages {
        let read = list.begin(Encoding::Json).and_then(|()| list.feed(page.as_bytes())).and_then(|_| list.end());
        read.map_err(|error| error.to_string())?;
    }
    Ok(list.finish().0.iter().map(|pod| pod.metadata.name.clone()).collect())
}

const A: &str = r#"{"metadata":{"name":"a"}}"#;
const B: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"b"}}"#;
const UNREADABLE: &str = r#"{"metadata":{"name":"c","labels":7},"spec":7}"#;

#[test]
fn a_list_is_the_sum_of_its_pages() {
    assert_eq!(read(&[page("7", "x", A), page("7", "", B)]).unwrap(), ["a", "b"]);
    assert_eq!(read(&[page("7", "x", A), page("7", "y", A), page("7", "", "")]).unwrap(), ["a"]);
    assert_eq!(read(&[page("7", "", &[A, UNREADABLE, B].join(","))]).unwrap(), ["a", "b"]);
}

#[test]
fn one_wrong_page_or_item_refuses_the_list() {
    let cases = [
        (vec![page("7", "x", A), page("8", "", B)], "different resource versions: 7 and 8"),
        (vec![page("7", "x", A), page("", "", B)], "no metadata.resourceVersion"),
        (vec![page("7", "x", A), page("7", "", B).replace("PodList", "NodeList")], "got kind NodeList"),
        (vec![page("7", "x", A), r#"{"kind":"Status","apiVersion":"v1"}"#.to_owned()], "got kind Status"),
        (vec![page("7", "x", A), page("7", "x", B)], "names itself as the next page"),
        (vec![page("7", "", r#"{"metadata":{}}"#)], "without metadata.name"),
        (vec![page("7", "", r#"{"metadata":{"name":7}}"#)], "an item of the list is no object"),
        (vec![page("7", "", "{}")], "without metadata.name"),
        (vec![page("7", "", &[A, "[]"].join(","))], "an item of the list is no object"),
        (vec![page("7", "", &B.replace("Pod", "Service"))], "got kind Service of apiVersion v1: b"),
        (vec![page("7", "", &B.replace("\"v1\"", "\"v2\""))], "got kind Pod of apiVersion v2: b"),
    ];
    for (pages, expected) in cases {
        let refusal = read(&pages).expect_err(expected);
        assert!(refusal.contains(expected), "{pages:?}: {refusal}");
    }
}

#[test]
fn a_list_of_one_namespace_holds_objects_of_this_namespace_alone() {
    let pod = |namespace: &str| format!(r#"{{"metadata":{{"namespace":"{namespace}","name":"a"}}}}"#);
    let unreadable = r#"{"metadata":{"namespace":"shop","name":"c","labels":7},"spec":7}"#;
    let cases = [
        ("the namespace", pod("shop"), None),
        ("an unreadable object of the namespace", [unreadable, &pod("shop")].join(","), None),
        ("another namespace", pod("pay"), Some("expected objects of the namespace shop, got one of \"pay\": a")),
        ("no namespace", A.to_owned(), Some("got one of \"\": a")),
        ("one of two", [pod("shop"), pod("pay")].join(","), Some("got one of \"pay\"")),
    ];
    for (name, items, wrong) in cases {
        let mut list = Pages::<Pod>::of(Expected { type_meta: of("v1", "Pod"), namespace: Some("shop".into()) });
        let text = page("7", "", &items);
        let read = list.begin(Encoding::Json).and_then(|()| list.feed(text.as_bytes())).and_then(|_| list.end());
        match (read, wrong) {
            (Ok(_), None) => {}
            (Err(error), Some(wrong)) if error.to_string().contains(wrong) => {}
            (read, _) => panic!("{name}: {read:?}"),
        }
    }
}

#[test]
fn custom_resources_are_read_in_json_alone() {
    let mut list = Pages::<PodMonitor>::of(of("monitoring.coreos.com/v1", "PodMonitor"));
    let refusal = list.begin(Encoding::Protobuf).unwrap_err().to_string();
    assert!(refusal.contains("protobuf, which was not asked for"), "{refusal}");
}
