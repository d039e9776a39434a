//! How an answer leaves the function: in one piece of JSON, or as a stream.
//!
//! Which one depends on how the function was invoked, and that no event says:
//! `RESPONSE_MODE` does. HTTP APIs and load balancers never stream.

use std::future::ready;
use std::vec;

use bytes::Bytes;
use futures::stream::{self, Iter};
use lambda_http::http::{HeaderMap, Response, StatusCode};
use lambda_http::lambda_runtime::{FunctionResponse, LambdaEvent, MetadataPrelude, StreamResponse, tower};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, Context, Error, service_fn};
use serde::Serialize;
use tower::Service as _;

use crate::settings::ResponseMode;

/// Lambda refuses buffered answers of more than 6 MiB, head and JSON escapes included.
pub const MOST_BYTES: usize = 6 * 1024 * 1024 - MOST_HEAD;

/// More than any head of ours takes.
const MOST_HEAD: usize = 8 * 1024;

/// Bytes that are handed on at once.
const PIECE: usize = 256 * 1024;

/// An answer whose form is decided: what is left is to send it.
#[derive(Debug)]
pub struct Sent {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub content: Content,
}

/// A body.
#[derive(Debug, Clone)]
pub enum Content {
    /// As it is.
    Plain(Bytes),
    /// Compressed.
    Gzip(Bytes),
}

impl Content {
    /// Bytes of the body.
    pub const fn len(&self) -> usize {
        match self {
            Self::Plain(bytes) | Self::Gzip(bytes) => bytes.len(),
        }
    }

    /// Bytes of the body in a buffered answer: base64, or text in JSON.
    pub fn buffered_size(&self) -> usize {
        match self {
            Self::Plain(plain) => plain.iter().map(|byte| escaped_size(*byte)).sum(),
            Self::Gzip(gzip) => gzip.len().div_ceil(3) * 4,
        }
    }

    fn bytes(self) -> Bytes {
        match self {
            Self::Plain(bytes) | Self::Gzip(bytes) => bytes,
        }
    }

    fn body(self) -> Body {
        match self {
            Self::Gzip(gzip) => Body::Binary(gzip.into()),
            Self::Plain(plain) if plain.is_empty() => Body::Empty,
            Self::Plain(plain) => {
                String::from_utf8(plain.into()).map_or_else(|error| Body::Binary(error.into_bytes()), Body::Text)
            }
        }
    }
}

/// What JSON makes of a byte in a text.
const fn escaped_size(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

/// Whether answers to this kind of event are streamed.
pub const fn streams(mode: ResponseMode, request: &LambdaRequest, is_http_api: bool) -> bool {
    match (mode, request) {
        (ResponseMode::Stream, LambdaRequest::ApiGatewayV1(_)) => true,
        (ResponseMode::Stream, LambdaRequest::ApiGatewayV2(_)) => !is_http_api,
        (ResponseMode::Stream | ResponseMode::Buffer, _) => false,
    }
}

/// A body that is streamed.
pub type Pieces = Iter<vec::IntoIter<Result<Bytes, Error>>>;

/// In one piece, in the form that the kind of event wants.
pub async fn buffered(
    sent: Sent,
    request: LambdaRequest,
    context: Context,
) -> Result<FunctionResponse<impl Serialize + use<>, Pieces>, Error> {
    let Sent { status, headers, content } = sent;
    let mut response = Response::new(content.body());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let mut response = Some(response);
    let respond = service_fn(move |_| ready(response.take().ok_or_else(|| Error::from("answered already"))));
    let answer = Adapter::from(respond).call(LambdaEvent::new(request, context)).await?;
    Ok(FunctionResponse::BufferedResponse(answer))
}

/// As a stream: a prelude with the head, and the body.
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
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_are_those_of_the_bodies_in_json() {
        let all: String = (0..=0x2ff_u32).filter_map(char::from_u32).collect();
        for text in ["", "plain", "\"quoted\" \\ \n", "h\u{e9}llo \u{1f6d2}", &all] {
            let plain = Content::Plain(Bytes::copy_from_slice(text.as_bytes()));
            assert_eq!(plain.buffered_size(), json!(text).to_string().len() - 2, "{text:?}");
        }
        for (length, expected) in [(0, 0), (1, 4), (3, 4), (4, 8)] {
            assert_eq!(Content::Gzip(Bytes::from(vec![0; length])).buffered_size(), expected);
        }
    }
}
