//! Answers: status, body, headers, and how they are sent.

use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use lambda_http::Body;
use lambda_http::http::header::{
    AGE, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, ETAG, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use lambda_http::http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use super::event::Asked;
use crate::snapshot::Payload;

/// Lambda refuses answers of more than 6 MB, headers and JSON escapes included.
const MOST_BYTES: usize = 5_900_000;

/// Shorter answers are not worth compressing.
const WORTH_COMPRESSING: usize = 1_400;

/// Statuses of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The request does not say what is needed.
    BadRequest,
    /// There is nothing there.
    NotFound,
    /// Only reading is allowed.
    MethodNotAllowed,
    /// The function is set up wrong.
    Internal,
    /// Nothing can be answered now.
    Unavailable,
}

/// An answer before it is sent.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Shared,
    content_type: &'static str,
    age: Option<Duration>,
}

/// A body of this answer alone, or one that is the same for everybody.
#[derive(Debug)]
enum Shared {
    Own(Payload),
    Known(Bytes, Option<Bytes>, String),
}

impl Answer {
    /// JSON that was made for this answer.
    pub fn json(body: Vec<u8>) -> Self {
        Self {
            status: StatusCode::OK,
            body: Shared::Own(Payload::new(body)),
            content_type: "application/json",
            age: None,
        }
    }

    /// JSON that is the same for everybody.
    pub fn shared_json(payload: &Payload, asked: &Asked) -> Self {
        let gzip = asked.accepts_gzip.then(|| payload.gzip().clone());
        let body = Shared::Known(payload.plain().clone(), gzip, payload.tag().to_owned());
        Self { status: StatusCode::OK, body, content_type: "application/json", age: None }
    }

    /// A short text.
    pub fn text(body: &'static str) -> Self {
        let body = Shared::Own(Payload::new(Bytes::from_static(body.as_bytes())));
        Self { status: StatusCode::OK, body, content_type: "text/plain; charset=utf-8", age: None }
    }

    /// A failure. Collectors read the body whatever the status is, so it is never
    /// empty and never a list: `{"message": "..."}`.
    pub fn error(status: Status, message: impl Display) -> Self {
        let status = match status {
            Status::BadRequest => StatusCode::BAD_REQUEST,
            Status::NotFound => StatusCode::NOT_FOUND,
            Status::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Status::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Status::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let body = json!({ "message": message.to_string() }).to_string();
        Self { status, ..Self::json(body.into_bytes()) }
    }

    /// Says how old the data is that the answer is made of.
    pub fn aged(self, age: Duration) -> Self {
        Self { age: Some(age), ..self }
    }

    /// What is sent: compressed if that is understood, nothing if the asker has it already.
    pub fn into_response(self, asked: &Asked) -> Response<Body> {
        let Self { status, body, content_type, age } = self;
        let (plain, gzip, tag) = match body {
            Shared::Own(payload) => {
                let compress = asked.accepts_gzip && payload.plain().len() >= WORTH_COMPRESSING;
                (payload.plain().clone(), compress.then(|| payload.gzip().clone()), payload.tag().to_owned())
            }
            Shared::Known(plain, gzip, tag) => (plain, gzip, tag),
        };
        let sent = sent_size(&plain, gzip.as_ref());
        if sent > MOST_BYTES {
            let message = format!(
                "the answer is too large for a Lambda function, use more collectors, the merged view or TARGET_LABELS=referenced: {sent} bytes"
            );
            return Self::error(Status::Internal, message).into_response(asked);
        }
        let mut response = Response::new(Body::Empty);
        let known = status == StatusCode::OK && asked.known_tags.as_deref().is_some_and(|known| has_tag(known, &tag));
        *response.status_mut() = if known { StatusCode::NOT_MODIFIED } else { status };
        let headers = response.headers_mut();
        let mut put = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        put(CONTENT_TYPE, content_type);
        put(X_CONTENT_TYPE_OPTIONS, "nosniff");
        if let Some(age) = age {
            put(AGE, &age.as_secs().to_string());
        }
        match status {
            StatusCode::OK => {
                put(ETAG, &tag);
                put(VARY, "accept-encoding");
            }
            StatusCode::METHOD_NOT_ALLOWED => put(ALLOW, "GET, HEAD"),
            StatusCode::SERVICE_UNAVAILABLE => put(RETRY_AFTER, "5"),
            _ => {}
        }
        if !known {
            if gzip.is_some() {
                put(CONTENT_ENCODING, "gzip");
            }
            *response.body_mut() = encode(plain, gzip);
        }
        response
    }
}

fn encode(plain: Bytes, gzip: Option<Bytes>) -> Body {
    match gzip {
        Some(gzip) => Body::Binary(gzip.into()),
        None => String::from_utf8(plain.into()).map_or_else(|error| Body::Binary(error.into_bytes()), Body::Text),
    }
}

/// Bytes of the body in the function's answer: base64, or text in JSON.
fn sent_size(plain: &Bytes, gzip: Option<&Bytes>) -> usize {
    gzip.map_or_else(
        || plain.len() + plain.iter().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n')).count(),
        |gzip| gzip.len().div_ceil(3) * 4,
    )
}

fn has_tag(known: &str, tag: &str) -> bool {
    known.split(',').any(|known| matches!(known.trim(), "*") || known.trim().trim_start_matches("W/") == tag)
}
