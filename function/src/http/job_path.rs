//! Which job the text in a path names.
//!
//! Job names may hold anything, and gateways deliver paths decoded or not. Input: the text, and
//! the names of the jobs that exist. Output: the one job that can be meant. If several jobs can
//! be meant, the request is refused: a wrong list would cost a collector its targets.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The text after the name of a job in a path.
pub const TARGETS: &str = "/targets";

/// Why a path names no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownJob {
    /// The path has the form, but no job has this name. Nobody has targets of it.
    #[error("there is no such job")]
    NoSuchJob,
    /// The path does not have the form.
    #[error("there is nothing at this path, the targets of a job are at /jobs/JOB/targets")]
    NoSuchRoute,
    /// The gateway decodes and cuts the path, and the rest can mean several jobs.
    #[error("the path, as the gateway delivers it, can mean several jobs, rename one of them: {0:?}, {1:?}")]
    Ambiguous(String, String),
}

/// Finds the job that the texts after `/jobs/` name. `exists` looks a name up among those of `all`.
///
/// # Errors
/// [`UnknownJob`] when no job is meant, or several can be.
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

/// The job that a text names: by the decoding that is certain, else by any other.
fn named<'a, A: Iterator<Item = &'a str>>(
    text: &str,
    decoded: bool,
    exists: impl Fn(&str) -> Option<&'a str>,
    all: impl Fn() -> A,
) -> Result<Option<&'a str>, UnknownJob> {
    let certain = match (decoded, text.contains('+')) {
        // Nothing has been decoded yet: the text means what Go's url.QueryUnescape makes of it.
        (false, _) => unescaped(text).and_then(|name| exists(&name)),
        (true, false) => exists(text),
        // The collector writes a space as + and a + as %2B. Decoded, both are +.
        (true, true) => only(all().filter(|name| spaced(name) == spaced(text)))?,
    };
    if certain.is_some() || !text.contains(['+', '%']) {
        return Ok(certain);
    }
    // Something in between may have encoded or decoded more than once, or not at all.
    let once = unescaped(text);
    let twice = once.as_deref().and_then(unescaped);
    let forms: Vec<_> = [Some(text), once.as_deref(), twice.as_deref()].into_iter().flatten().map(spaced).collect();
    let decoded = folded(text);
    only(all().filter(|name| forms.contains(&spaced(name)) || folded(name) == decoded))
}

/// A gateway that decodes paths cuts them at a `?`, and with it the end of a job's name and
/// `/targets`. What is left may still tell the job.
fn cut_job<'a>(rests: &[&str], all: impl Iterator<Item = &'a str>) -> Result<Option<&'a str>, UnknownJob> {
    let begins = |name: &str| {
        let before = name.split_once('?').map(|(before, _)| spaced(before));
        before.is_some_and(|before| rests.iter().any(|rest| spaced(rest) == before))
    };
    only(all.filter(|name| begins(name)))
}

/// The only name, if there is one.
fn only<'a>(mut names: impl Iterator<Item = &'a str>) -> Result<Option<&'a str>, UnknownJob> {
    match (names.next(), names.next()) {
        (Some(first), Some(second)) => Err(UnknownJob::Ambiguous(first.to_owned(), second.to_owned())),
        (found, _) => Ok(found),
    }
}

/// The text with a space in place of each `+`.
fn spaced(text: &str) -> Cow<'_, str> {
    if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) }
}

/// The text as Go's `url.QueryUnescape` reads it.
fn unescaped(text: &str) -> Option<String> {
    percent_decode_str(&spaced(text)).decode_utf8().ok().map(Cow::into_owned)
}

/// The text with everything decoded: equal for all forms of one name.
fn folded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().replace('+', " ")
}
