//! A request to an API server: what it asks, what comes back, and the errors of both.
//!
//! The body of an answer counts against the limits of the refresh while it is read.

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use kube::client::Body;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::ClusterError;
use super::encoding::{Encoded, Encoding, Unreadable};
use super::error::advice;
use super::limits::{Exceeded, Limits, MOST_WHOLE};
use super::protobuf;

/// How many characters of an error are shown: of a text that is not a `Status`, and of the message of a `Status`.
const SHOWN: usize = 200;
const LONGEST_MESSAGE: usize = 1_000;

/// What is done to a resource.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    Get,
    List,
    Watch,
}

impl Verb {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
        }
    }
}

/// An answer before its body was read.
pub(super) enum Sent {
    Found(Answer, Encoding),
    NotFound { message: String },
    Refused { status: StatusCode, message: String },
}

/// The body of an answer. Its bytes count against the limits of the refresh.
pub(super) struct Answer {
    pub(super) body: Body,
    pub(super) encoding: Encoding,
    pub(super) limits: Limits,
}

pub(super) fn malformed(resource: &'static str, source: Unreadable) -> ClusterError {
    ClusterError::Malformed { verb: Verb::List.name(), resource, source }
}

/// Reads on; none at the end.
pub(super) async fn next_piece(
    answer: &mut Answer,
    verb: Verb,
    resource: &'static str,
) -> Result<Option<Bytes>, ClusterError> {
    while let Some(frame) = answer.body.frame().await {
        let frame = frame.map_err(|source| ClusterError::CutOff { verb: verb.name(), resource, source })?;
        if let Ok(piece) = frame.into_data() {
            answer.limits.take(piece.len()).map_err(|limit| exceeded(verb, resource, limit))?;
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

pub(super) async fn whole(body: Answer, verb: Verb, resource: &'static str) -> Result<Vec<u8>, ClusterError> {
    let text = at_most(MOST_WHOLE, body, verb, resource).await?;
    text.ok_or_else(|| exceeded(verb, resource, Exceeded::Whole))
}

/// Reads an answer to its end; none if it has more bytes than `most`.
pub(super) async fn at_most(
    most: usize,
    mut body: Answer,
    verb: Verb,
    resource: &'static str,
) -> Result<Option<Vec<u8>>, ClusterError> {
    let mut text = Vec::new();
    while let Some(piece) = next_piece(&mut body, verb, resource).await? {
        text.extend_from_slice(&piece);
        if text.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(text))
}

pub(super) fn exceeded(verb: Verb, resource: &'static str, limit: Exceeded) -> ClusterError {
    ClusterError::TooMuch { verb: verb.name(), resource, limit }
}

pub(super) fn refused(verb: Verb, resource: &'static str, status: StatusCode, message: String) -> ClusterError {
    ClusterError::Refused { verb: verb.name(), resource, status, message, advice: advice(status) }
}

pub(super) fn segment(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}

/// The message of a Kubernetes `Status`, or the beginning of whatever else came.
pub(super) fn message_of(body: &[u8]) -> String {
    let envelope = protobuf::opened(body).map(|envelope| Encoded::Protobuf(envelope.message));
    let status = envelope.unwrap_or(Encoded::Json(body)).status();
    if status.message.is_empty() {
        return String::from_utf8_lossy(&body[..body.len().min(4 * SHOWN)]).chars().take(SHOWN).collect();
    }
    status.message.chars().take(LONGEST_MESSAGE).collect()
}
