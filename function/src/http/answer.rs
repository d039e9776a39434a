//! Answers: status, headers and body.

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

/// The content type of answers for programs.
const JSON: &str = "application/json";

/// The content type of metrics: the text format of Prometheus.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The content type of HTML pages.
const HTML: &str = "text/html; charset=utf-8";

/// The header with the number of jobs and targets that a list leaves out ([`Answer::leaving_out`]).
const LEFT_OUT: &str = "target-allocator-left-out";

/// The minimum size for compression. Shorter answers fit into one network packet.
const WORTH_COMPRESSING: usize = 1_400;

/// The status of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A required parameter is missing or invalid.
    BadRequest,
    /// The path has no resource.
    NotFound,
    /// The method is not `GET` or `HEAD`.
    MethodNotAllowed,
    /// The caller is anonymous.
    Unauthorized,
    /// The caller has no permission.
    Forbidden,
    /// The function is misconfigured.
    Internal,
    /// No answer is available now.
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

/// The advice in the message about an answer that is too large.
#[derive(Debug, Clone, Copy)]
enum Advice {
    /// Run more collectors, because each share then gets smaller.
    Share,
    /// Change the scrape configs. Their size does not depend on the number of collectors.
    ScrapeConfigs,
    /// Use gzip. Each job has a metric.
    Metrics,
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
            (Self::Metrics, false) => {
                "ask for gzip (Accept-Encoding: gzip), as Prometheus does, or RESPONSE_MODE=stream behind a function \
                 URL or a REST API that streams"
            }
            (Self::Metrics, true) => {
                "gzip is not enough, use RESPONSE_MODE=stream behind a function URL or a REST API that streams"
            }
            (Self::ScrapeConfigs, true) => {
                "gzip is not enough, use the merged view or RESPONSE_MODE=stream behind a function URL or a REST API \
                 that streams, or lower NAMESPACE_LIMIT_BYTES"
            }
        }
    }
}

/// An answer before compression and encoding.
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

    /// An answer with JSON.
    pub fn json(body: String) -> Self {
        Self::new(Payload::new(body), JSON)
    }

    /// An answer with JSON that is already escaped as a JSON string.
    pub fn quoted_json(body: String) -> Self {
        Self::new(Payload::of_quoted(body), JSON)
    }

    /// An answer with JSON that several answers share.
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

    /// An answer with the scrape configs of a snapshot.
    pub fn scrape_configs(body: &Arc<Payload>) -> Self {
        Self { advice: Advice::ScrapeConfigs, ..Self::shared_json(body) }
    }

    /// An answer with metrics in the text format of Prometheus.
    pub fn metrics(body: String) -> Self {
        Self { advice: Advice::Metrics, ..Self::new(Payload::new(body), METRICS) }
    }

    /// An answer without a body. The status contains all information.
    pub fn empty() -> Self {
        Self::new(Payload::new(String::new()), "text/plain; charset=utf-8")
    }

    /// A failure with the body `{"message": "..."}`. Collectors ignore the status and parse the body, so the body is
    /// never empty and never a list.
    pub fn error(status: Status, message: impl Display) -> Self {
        Self { status: status.code(), ..Self::json(json!({ "message": message.to_string() }).to_string()) }
    }

    /// An answer with an HTML page.
    pub fn page(status: Option<Status>, body: String) -> Self {
        Self { status: status.map_or(StatusCode::OK, Status::code), ..Self::new(Payload::new(body), HTML) }
    }

    /// The answer to a caller without permission.
    pub fn denied(denied: &Denied) -> Self {
        let status = match denied {
            Denied::Unauthenticated { .. } => Status::Unauthorized,
            _ => Status::Forbidden,
        };
        Self::error(status, denied)
    }

    /// Adds the header with the age of the data.
    pub fn aged(self, age: Duration) -> Self {
        Self { age: Some(age), ..self }
    }

    /// Adds the header with the number of jobs and targets that a list leaves out.
    pub fn leaving_out(self, left_out: Option<String>) -> Self {
        Self { left_out, ..self }
    }

    /// Converts the answer to its final form. The body is compressed if the client accepts gzip, and empty if the
    /// client already has it. A body that is too large becomes a failure, unless answers are streamed.
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
