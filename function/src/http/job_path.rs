//! Finds the job that a path names.
//!
//! Input: the text in the path, and the names of all jobs. Output: the one job with a matching name. Job names can
//! contain any character, and some gateways decode the path. If several jobs match, the request is refused, because a
//! wrong list would cost a collector its targets.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The text after the name of a job in a path.
pub const TARGETS: &str = "/targets";

/// The reason why a path names no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownJob {
    /// The path is valid, but no job has this name. No collector is assigned targets of it.
    #[error("there is no such job")]
    NoSuchJob,
    /// The path is not `/jobs/JOB/targets`.
    #[error("there is nothing at this path, the targets of a job are at /jobs/JOB/targets")]
    NoSuchRoute,
    /// The gateway decoded or cut the path, and the rest matches several jobs.
    #[error("the path, as the gateway delivers it, can mean several jobs, rename one of them: {0:?}, {1:?}")]
    Ambiguous(String, String),
}

/// Finds the job that one of `rests`, the texts after `/jobs/`, names. `exists` looks up a name in `all`.
///
/// # Errors
/// [`UnknownJob`] if no job or several jobs match.
pub fn job<'a, A: Iterator<Item = &'a str>>(
    rests: &[&str],
    decoded: bool,
    exists: impl Fn(&str) -> Option<&'a str>,
    all: impl Fn() -> A,
) -> Result<&'a str, UnknownJob> {
    let texts = || rests.iter().filter_map(|rest| rest.strip_suffix(TARGETS));
    for text in texts() {
        if let Some(found) = named(text, decoded, &exists, &all)? {
            return Ok(found);
        }
    }
    if decoded && let Some(found) = cut_job(rests, all())? {
        return Ok(found);
    }
    Err(if texts().next().is_some() { UnknownJob::NoSuchJob } else { UnknownJob::NoSuchRoute })
}

/// The job that a text names. The expected decoding is tried first, then all others.
fn named<'a, A: Iterator<Item = &'a str>>(
    text: &str,
    decoded: bool,
    exists: impl Fn(&str) -> Option<&'a str>,
    all: impl Fn() -> A,
) -> Result<Option<&'a str>, UnknownJob> {
    let certain = match (decoded, text.contains('+')) {
        // The gateway does not decode the path. The collector encoded the name with Go's `url.QueryEscape`.
        (false, _) => unescaped(text).and_then(|name| exists(&name)),
        (true, false) => exists(text),
        // The collector encodes a space as `+`, and `+` as `%2B`. After the gateway's decoding, both are `+`.
        (true, true) => only(all().filter(|name| spaced(name) == spaced(text)))?,
    };
    if certain.is_some() || !text.contains(['+', '%']) {
        return Ok(certain);
    }
    // A proxy before the gateway can encode or decode the path again.
    let once = unescaped(text);
    let twice = once.as_deref().and_then(unescaped);
    let forms: Vec<_> = [Some(text), once.as_deref(), twice.as_deref()].into_iter().flatten().map(spaced).collect();
    let decoded = folded(text);
    only(all().filter(|name| forms.contains(&spaced(name)) || folded(name) == decoded))
}

/// The job of a path that the gateway cut at a decoded `?`. The path then lacks `/targets` and the end of the job's
/// name. The beginning of the name can still identify the job.
fn cut_job<'a>(rests: &[&str], all: impl Iterator<Item = &'a str>) -> Result<Option<&'a str>, UnknownJob> {
    let begins = |name: &str| {
        let before = name.split_once('?').map(|(before, _)| spaced(before));
        before.is_some_and(|before| rests.iter().any(|rest| spaced(rest) == before))
    };
    only(all.filter(|name| begins(name)))
}

/// The only name of an iterator. `None` if it is empty.
fn only<'a>(mut names: impl Iterator<Item = &'a str>) -> Result<Option<&'a str>, UnknownJob> {
    match (names.next(), names.next()) {
        (Some(first), Some(second)) => Err(UnknownJob::Ambiguous(first.to_owned(), second.to_owned())),
        (found, _) => Ok(found),
    }
}

/// Replaces each `+` of a text with a space.
fn spaced(text: &str) -> Cow<'_, str> {
    if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) }
}

/// Decodes a text like Go's `url.QueryUnescape`.
fn unescaped(text: &str) -> Option<String> {
    percent_decode_str(&spaced(text)).decode_utf8().ok().map(Cow::into_owned)
}

/// Decodes percent escapes and `+`. Texts that differ only in their encoding are then equal.
fn folded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().replace('+', " ")
}
