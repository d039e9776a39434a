use target_allocator_core::objects::Pod;
use target_allocator_core::objects::monitoring::PodMonitor;

use super::*;
use crate::cluster::protobuf::build;

/// What events say about pods, from the first version on.
struct Followed {
    events: Events,
    known: Known,
    pods: Collection<Pod>,
}

impl Followed {
    fn of(encoding: Encoding) -> Self {
        let expected = TypeMeta { api_version: "v1".to_owned(), kind: "Pod".to_owned() };
        let events = Events::new::<Pod>(encoding, expected).unwrap();
        Self { events, known: Known::default(), pods: Collection::default() }
    }

    fn feed(&mut self, arrived: &[u8]) -> Result<(), Lost> {
        self.events.feed(arrived, &mut self.known, &mut self.pods)
    }

    fn phases(&self) -> Vec<(&str, &str)> {
        self.pods.iter().map(|pod| (&*pod.metadata.name, &*pod.status.phase)).collect()
    }
}

fn event(kind: &str, name: &str, phase: &str, version: u32) -> String {
    format!(
        r#"{{"type":"{kind}","object":{{"metadata":{{"namespace":"a","name":"{name}","resourceVersion":"{version}"}},"status":{{"phase":"{phase}"}}}}}}"#
    ) + "\n"
}

#[test]
fn events_change_the_objects_wherever_pieces_end() {
    let text = [
        event("ADDED", "1", "x", 11),
        event("ADDED", "2", "x", 12),
        event("MODIFIED", "1", "y", 13),
        event("DELETED", "2", "x", 14),
        event("DELETED", "never seen", "x", 15),
        "\n".to_owned(),
        event("BOOKMARK", "", "", 20),
    ]
    .concat();
    for pieces in 1..=text.len() {
        let mut followed = Followed::of(Encoding::Json);
        for piece in text.as_bytes().chunks(pieces) {
            followed.feed(piece).unwrap();
        }
        assert!(followed.events.is_complete());
        assert_eq!(followed.known.version, "20");
        assert_eq!(followed.phases(), [("1", "y")]);
    }
}

#[test]
fn protobuf_events_change_the_objects_wherever_pieces_end() {
    let event = |r#type: &str, pod: &[u8]| build::event(r#type, "Pod", pod);
    let watch = [
        event("ADDED", &build::pod("1", "Pending", "11")),
        event("ADDED", &build::pod("2", "Running", "12")),
        event("MODIFIED", &build::pod("1", "Running", "13")),
        event("DELETED", &build::pod("2", "Running", "14")),
        event("BOOKMARK", &build::pod("", "", "20")),
    ]
    .concat();
    for pieces in 1..=watch.len() {
        let mut followed = Followed::of(Encoding::Protobuf);
        for piece in watch.chunks(pieces) {
            followed.feed(piece).unwrap();
        }
        assert!(followed.events.is_complete());
        assert_eq!(followed.known.version, "20");
        assert_eq!(followed.phases(), [("1", "Running")]);
    }
}

#[test]
fn a_wrong_event_leads_to_a_list() {
    let cases = [
        (r#"{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}}"#, "410: too old"),
        (r#"{"type":"NEW","object":{}}"#, "unknown type of event: NEW"),
        ("nonsense", "not understood"),
        (r#"{"kind":"Status","apiVersion":"v1","code":500}"#, "not understood"),
        (r#"{"type":"ADDED","object":null}"#, "no object"),
        (r#"{"type":"ADDED","object":["v1","Pod",["web","shop"]]}"#, "no object"),
        (r#"{"type":"ADDED","object":{}}"#, "without metadata.name"),
        (r#"{"type":"MODIFIED","object":{"metadata":{"namespace":"a"}}}"#, "without metadata.name"),
        (r#"{"type":"DELETED","object":{"metadata":{"namespace":"a"}}}"#, "without metadata.name"),
        (r#"{"type":"DELETED","object":{"kind":"Service","metadata":{"name":"1"}}}"#, "got kind Service"),
        (r#"{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v2","metadata":{"name":"1"}}}"#, "apiVersion v2"),
        (r#"{"type":"BOOKMARK","object":{"kind":"Node","metadata":{"resourceVersion":"9"}}}"#, "got kind Node"),
        (r#"{"type":"BOOKMARK","object":7}"#, "no object"),
    ];
    for (line, expected) in cases {
        let Lost(reason) = Followed::of(Encoding::Json).feed(format!("{line}\n").as_bytes()).expect_err(line);
        assert!(reason.contains(expected), "{line}: {reason}");
    }
}

#[test]
fn a_wrong_protobuf_event_leads_to_a_list() {
    let status = [build::field(3, b"too old resource version"), vec![6 << 3, 0x9a, 0x03]].concat();
    let cases = [
        (build::event("ERROR", "Status", &status), "410: too old resource version"),
        (build::event("NEW", "Pod", &build::pod("1", "", "1")), "unknown type of event: NEW"),
        (build::event("ADDED", "Service", &build::pod("1", "", "1")), "got kind Service"),
        (build::event("DELETED", "Pod", &build::pod("", "", "1")), "without metadata.name"),
        (build::event("DELETED", "Pod", b"\x0a\x05cut"), "no object"),
        (b"\0\0\0\x01x".to_vec(), "not understood"),
        (b"\0\0\0\0".to_vec(), "no object begins so"),
    ];
    for (frame, expected) in cases {
        let Lost(reason) = Followed::of(Encoding::Protobuf).feed(&frame).expect_err(expected);
        assert!(reason.contains(expected), "{expected}: {reason}");
    }
}

#[test]
fn events_about_custom_resources_are_read_in_json_alone() {
    let lost = Events::new::<PodMonitor>(Encoding::Protobuf, TypeMeta::default()).err().unwrap();
    assert!(lost.0.contains("protobuf, which was not asked for"), "{lost:?}");
}

#[test]
fn a_line_that_was_cut_off_is_not_complete() {
    let mut followed = Followed::of(Encoding::Json);
    let text = event("ADDED", "1", "x", 11);
    followed.feed(&text.as_bytes()[..text.len() - 3]).unwrap();
    assert!(!followed.events.is_complete() && followed.pods.is_empty());
}
