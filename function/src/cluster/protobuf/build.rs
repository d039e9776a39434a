//! Builds responses in protobuf for tests.

use super::MAGIC;

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

/// A field with a text or a message.
pub fn field(number: usize, value: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(value.len()), value.to_vec()].concat()
}

/// A message in an envelope, as in a response of an API server.
pub fn enveloped(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let type_meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
    [MAGIC, &field(1, &type_meta), &field(2, message), &field(3, b""), &field(4, b"")].concat()
}

/// A pod, without an envelope.
pub fn pod(name: &str, phase: &str, version: &str) -> Vec<u8> {
    let managed = field(17, &field(7, &vec![b'x'; 300]));
    let metadata = [field(1, name.as_bytes()), field(3, b"shop"), field(6, version.as_bytes()), managed].concat();
    [field(1, &metadata), field(3, &field(1, phase.as_bytes()))].concat()
}

/// One event of a watch, with a pod in it.
pub fn event(r#type: &str, kind: &str, pod: &[u8]) -> Vec<u8> {
    let frame = [field(1, r#type.as_bytes()), field(2, &field(1, &enveloped("v1", kind, pod)))].concat();
    [u32::try_from(frame.len()).unwrap().to_be_bytes().to_vec(), frame].concat()
}
