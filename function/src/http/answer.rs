//! Answers: status, body, headers.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use lambda_http::http::header::{
    AGE, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY,
    RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::json;
use target_allocator_core::access::Denied;

use super::event::Asked;
use super::send::{Content, MOST_BYTES, Sent};
use crate::pages;
use crate::snapshot::Payload;

/// The content type of all that is for programs.
const JSON: &str = "application/json";

/// The content type of pages.
const HTML: &str = "text/html; charset=utf-8";

/// How many jobs and targets a list leaves out ([`Answer::leaving_out`]).
const LEFT_OUT: &str = "target-allocator-left-out";

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
    /// Nobody has said who asks.
    Unauthorized,
    /// Whoever asks may not have it.
    Forbidden,
    /// The function is set up wrong.
    Internal,
    /// Nothing can be answered now.
    Unavailable,
}

impl Status {
    const fn code(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What helps if an answer does not fit.
#[derive(Debug, Clone, Copy)]
enum Advice {
    /// More collectors make each share smaller.
    Share,
    /// Scrape configs do not depend on the number of collectors.
    ScrapeConfigs,
}

impl Advice {
    const fn text(self, accepts_gzip: bool) -> &'static str {
        match (self, accepts_gzip) {
            (Self::Share, _) => {
                "use more collectors, TARGET_LABELS=referenced or the merged view, or RESPONSE_MODE=stream \
                 behind a function URL or a REST API that streams"
            }
            (Self::ScrapeConfigs, false) => {
                "ask for gzip (Accept-Encoding: gzip), as the collector's receiver does, use the merged view, or \
                 RESPONSE_MODE=stream behind a function URL or a REST API that streams"
            }
            (Self::ScrapeConfigs, true) => {
                "gzip is not enough, use the merged view or RESPONSE_MODE=stream behind a function URL or a REST API \
                 that streams, or lower NAMESPACE_LIMIT_BYTES"
            }
        }
    }
}

/// An answer before it is sent.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Arc<Payload>,
    content_type: &'static str,
    age: Option<Duration>,
    left_out: Option<String>,
    advice: Advice,
}

impl Answer {
    fn new(body: Payload, content_type: &'static str) -> Self {
        Self { content_type, ..Self::shared_json(&Arc::new(body)) }
    }

    /// JSON that was made for this answer.
    pub fn json(body: String) -> Self {
        Self::new(Payload::new(body), JSON)
    }

    /// The same, as a JSON string.
    pub fn quoted_json(body: String) -> Self {
        Self::new(Payload::of_quoted(body), JSON)
    }

    /// JSON that several answers share.
    pub fn shared_json(body: &Arc<Payload>) -> Self {
        Self {
            status: StatusCode::OK,
            body: Arc::clone(body),
            content_type: JSON,
            age: None,
            left_out: None,
            advice: Advice::Share,
        }
    }

    /// Scrape configs, which a snapshot holds.
    pub fn scrape_configs(body: &Arc<Payload>) -> Self {
        Self { advice: Advice::ScrapeConfigs, ..Self::shared_json(body) }
    }

    /// Nothing: the status says all.
    pub fn empty() -> Self {
        Self::new(Payload::new(String::new()), "text/plain; charset=utf-8")
    }

    /// A failure. Collectors read the body whatever the status is, so it is never
    /// empty and never a list: `{"message": "..."}`.
    pub fn error(status: Status, message: impl Display) -> Self {
        Self { status: status.code(), ..Self::json(json!({ "message": message.to_string() }).to_string()) }
    }

    /// A page for people.
    pub fn page(status: Option<Status>, body: String) -> Self {
        Self { status: status.map_or(StatusCode::OK, Status::code), ..Self::new(Payload::new(body), HTML) }
    }

    /// A refusal.
    pub fn denied(denied: &Denied) -> Self {
        let status = match denied {
            Denied::Unauthenticated { .. } => Status::Unauthorized,
            _ => Status::Forbidden,
        };
        Self::error(status, denied)
    }

    /// Says how old the data is that the answer is made of.
    pub fn aged(self, age: Duration) -> Self {
        Self { age: Some(age), ..self }
    }

    /// Adds the header that says how much a list leaves out.
    pub fn leaving_out(self, left_out: Option<String>) -> Self {
        Self { left_out, ..self }
    }

    /// What is sent: compressed if that is understood, nothing if the asker has it already,
    /// a failure if it is too large for an answer that is not streamed.
    pub fn sent(self, asked: &Asked, streams: bool) -> Sent {
        let Self { status, body, content_type, age, left_out, advice } = self;
        let tag = body.tag();
        let known = status == StatusCode::OK && asked.known_tags.as_deref().is_some_and(|known| has_tag(known, tag));
        let mut headers = HeaderMap::new();
        let mut put = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        put(CONTENT_TYPE, content_type);
        put(X_CONTENT_TYPE_OPTIONS, "nosniff");
        if content_type == HTML {
            put(CONTENT_SECURITY_POLICY, pages::policy());
            put(REFERRER_POLICY, "no-referrer");
            put(CACHE_CONTROL, "no-cache");
        }
        if let Some(age) = age {
            put(AGE, &age.as_secs().to_string());
        }
        if let Some(left_out) = left_out {
            put(HeaderName::from_static(LEFT_OUT), &left_out);
        }
        match status {
            StatusCode::OK => {
                put(ETAG, tag);
                put(VARY, "accept, accept-encoding, authorization");
            }
            StatusCode::UNAUTHORIZED => put(WWW_AUTHENTICATE, "Bearer"),
            StatusCode::METHOD_NOT_ALLOWED => put(ALLOW, "GET, HEAD"),
            StatusCode::SERVICE_UNAVAILABLE => put(RETRY_AFTER, "5"),
            _ => {}
        }
        if known {
            return Sent { status: StatusCode::NOT_MODIFIED, headers, content: Content::None };
        }
        let content = match body.given() {
            0 => Content::None,
            given if asked.accepts_gzip && given >= WORTH_COMPRESSING => {
                put(CONTENT_ENCODING, "gzip");
                Content::Gzip(body)
            }
            _ => Content::Identity(body),
        };
        let size = if streams { 0 } else { content.buffered_size() };
        if size > MOST_BYTES {
            let message = format!(
                "the answer takes {size} bytes of the {MOST_BYTES} that a Lambda function can answer in one piece: {}",
                advice.text(asked.accepts_gzip)
            );
            return Self::error(Status::Internal, message).sent(asked, streams);
        }
        Sent { status, headers, content }
    }
}

fn has_tag(known: &str, tag: &str) -> bool {
    known.split(',').any(|known| matches!(known.trim(), "*") || known.trim().trim_start_matches("W/") == tag)
}
