//! Sends an answer: buffered in one piece of JSON, or as a stream.
//!
//! The invocation of the function determines which of both. No event contains this information, so `RESPONSE_MODE` sets
//! it. HTTP APIs and load balancers never stream.

use std::future::ready;
use std::sync::Arc;
use std::vec;

use bytes::Bytes;
use futures::stream::{self, Iter};
use lambda_http::http::{HeaderMap, Response, StatusCode};
use lambda_http::lambda_runtime::{FunctionResponse, LambdaEvent, MetadataPrelude, StreamResponse, tower};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, Context, Error, service_fn};
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::{Map, Value};
use tower::Service as _;

use crate::settings::ResponseMode;
use crate::snapshot::Payload;

/// The maximum size of the body of a buffered answer.
pub const MOST_BYTES: usize = ResponseMode::Buffer.most_bytes();

/// The number of bytes in each piece of a stream.
const PIECE: usize = 256 * 1024;

/// An answer in its final form.
#[derive(Debug)]
pub struct Sent {
    /// The status of the answer.
    pub status: StatusCode,
    /// The headers of the answer.
    pub headers: HeaderMap,
    /// The body of the answer.
    pub content: Content,
}

/// A body.
#[derive(Debug, Clone)]
pub enum Content {
    /// No body.
    None,
    /// An uncompressed body.
    Identity(Arc<Payload>),
    /// A body that is compressed with gzip.
    Gzip(Arc<Payload>),
}

impl Content {
    /// The size of the body in a buffered answer, in bytes: of JSON text, or of base64.
    pub fn buffered_size(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Identity(payload) => payload.quoted().len() - 2,
            Self::Gzip(payload) => payload.gzip().len().div_ceil(3) * 4,
        }
    }

    fn bytes(self) -> Bytes {
        match self {
            Self::None => Bytes::new(),
            Self::Identity(payload) => Bytes::from_owner(PlainText(payload)),
            Self::Gzip(payload) => payload.gzip().clone(),
        }
    }
}

/// The bytes of an uncompressed payload.
struct PlainText(Arc<Payload>);

impl AsRef<[u8]> for PlainText {
    fn as_ref(&self) -> &[u8] {
        self.0.plain().as_bytes()
    }
}

/// A buffered answer.
#[derive(Serialize)]
struct Buffered {
    #[serde(flatten)]
    head: Map<String, Value>,
    /// The body, if it is text. A compressed body is in `head`, because the library encodes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Quoted>,
}

/// A payload that is already a JSON string. It is written without escaping.
struct Quoted(Arc<Payload>);

impl Serialize for Quoted {
    /// Serialises like [`RawValue`](serde_json::value::RawValue). A `RawValue` of a text is validated at creation,
    /// which takes as long as escaping it. The name of the struct is private to `serde_json`. Tests fail if it changes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const RAW: &str = "$serde_json::private::RawValue";
        let mut raw = serializer.serialize_struct(RAW, 1)?;
        raw.serialize_field(RAW, self.0.quoted())?;
        raw.end()
    }
}

/// Whether the answer to this kind of event is streamed.
pub const fn streams(mode: ResponseMode, request: &LambdaRequest, is_http_api: bool) -> bool {
    match (mode, request) {
        (ResponseMode::Stream, LambdaRequest::ApiGatewayV1(_)) => true,
        (ResponseMode::Stream, LambdaRequest::ApiGatewayV2(_)) => !is_http_api,
        (ResponseMode::Stream | ResponseMode::Buffer, _) => false,
    }
}

/// The pieces of a streamed body.
pub type Pieces = Iter<vec::IntoIter<Result<Bytes, Error>>>;

/// Sends the answer in one piece, in the format of the event's kind.
pub async fn buffered(
    sent: Sent,
    request: LambdaRequest,
    context: Context,
) -> Result<FunctionResponse<impl Serialize + use<>, Pieces>, Error> {
    let Sent { status, headers, content } = sent;
    let (in_head, body) = match content {
        Content::None => (Body::Empty, None),
        Content::Identity(payload) => (Body::Empty, Some(Quoted(payload))),
        Content::Gzip(payload) => (Body::Binary(payload.gzip().to_vec()), None),
    };
    let mut response = Response::new(in_head);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let mut response = Some(response);
    let respond = service_fn(move |_| ready(response.take().ok_or_else(|| Error::from("answered already"))));
    let answer = Adapter::from(respond).call(LambdaEvent::new(request, context)).await?;
    let Value::Object(mut head) = serde_json::to_value(answer)? else {
        return Err(Error::from("the library's answer is no object"));
    };
    if body.is_some() {
        // The library writes an empty body here.
        head.remove("body");
    }
    Ok(FunctionResponse::BufferedResponse(Buffered { head, body }))
}

/// Sends the answer as a stream: a prelude with status and headers, then the body.
pub fn streamed(sent: Sent) -> StreamResponse<Pieces> {
    let Sent { status, headers, content } = sent;
    let body = content.bytes();
    let piece = |start| Ok(body.slice(start..body.len().min(start + PIECE)));
    let pieces: Vec<_> = (0..body.len()).step_by(PIECE).map(piece).collect();
    let metadata_prelude = MetadataPrelude { status_code: status, headers, cookies: Vec::new() };
    StreamResponse { metadata_prelude, stream: stream::iter(pieces) }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_written_as_json_strings() {
        let all: String = (0..=0x2ff_u32).filter_map(char::from_u32).collect();
        for text in ["", "plain", "\"quoted\" \\ \n", "h\u{e9}llo \u{1f6d2}", &all] {
            let expected = json!({ "statusCode": 200, "body": text }).to_string();
            for payload in [Payload::new(text.to_owned()), Payload::of_quoted(json!(text).to_string())] {
                let payload = Arc::new(payload);
                let head = Map::from_iter([("statusCode".to_owned(), json!(200))]);
                let answer = Buffered { head, body: Some(Quoted(Arc::clone(&payload))) };
                let written = serde_json::to_string(&answer).unwrap();
                assert_eq!(
                    serde_json::from_str::<Value>(&written).unwrap(),
                    json!({ "statusCode": 200, "body": text })
                );
                assert_eq!(written.len(), expected.len(), "{written}");
                assert_eq!(Content::Identity(Arc::clone(&payload)).buffered_size(), json!(text).to_string().len() - 2);
                assert_eq!(Content::Identity(payload).bytes(), text.as_bytes());
            }
        }
    }

    #[test]
    fn compressed_bodies_are_written_in_base64() {
        for length in [0, 1, 2, 3, 1_000] {
            let payload = Arc::new(Payload::new("a".repeat(length)));
            let encoded = BASE64_STANDARD.encode(payload.gzip());
            assert_eq!(Content::Gzip(payload).buffered_size(), encoded.len());
        }
    }
}
