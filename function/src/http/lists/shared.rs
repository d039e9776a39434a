//! Lists that several jobs share: `/merged/targets`, and the jobs of the merged view.
//!
//! Input: the jobs of a list, the collector, and the maximum size of an answer. Output: the list and the number of jobs
//! that it leaves out. If the list is too large, some jobs are left out so that the others are served.

use std::fmt;

use target_allocator_core::allocation::{Allocation, Job, Part, PlainList, too_large};
use target_allocator_core::targets::Text;

use super::super::answer::Answer;
use super::super::request::Request;
use super::super::send::Content;
use super::text::{list, quoted};
use crate::snapshot::Payload;

/// The maximum size of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// The maximum size of the body in the answer, in bytes.
    pub most: usize,
    /// Whether the client accepts gzip.
    pub gzip: bool,
}

impl Room {
    /// The maximum size of the answer to a request.
    pub const fn of(request: &Request<'_>) -> Self {
        Self { most: request.most, gzip: request.asked.accepts_gzip }
    }
}

/// The counts of left-out jobs and targets, for the header `Target-Allocator-Left-Out`. The header contains only
/// numbers, so that no tenant can write text into it. The report contains the names and the reasons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Jobs that need settings which labels cannot express.
    pub settings: usize,
    /// Jobs with unknown targets.
    pub unknown: usize,
    /// Jobs that are too large.
    pub too_large: usize,
    /// Jobs that serve their last known targets.
    pub kept: usize,
    /// Targets of listed jobs that labels cannot express.
    pub targets: usize,
}

impl LeftOut {
    /// The counts for `/merged/targets`, before its size is limited.
    pub fn of(list: &PlainList) -> Self {
        let PlainList { jobs: _, need_settings, unknown, kept, inexpressible } = list;
        Self { settings: *need_settings, unknown: unknown.len(), too_large: 0, kept: *kept, targets: *inexpressible }
    }

    /// The counts for a merged job. Its jobs have equal settings, so none needs settings of its own.
    pub fn of_merged(allocation: &Allocation, jobs: &[String]) -> Self {
        let is_kept = |name: &&String| allocation.job(name).is_some_and(Job::is_kept);
        Self { kept: jobs.iter().filter(is_kept).count(), ..Self::default() }
    }

    /// The value of the header. `None` if the list is complete.
    pub fn header(self) -> Option<String> {
        (self != Self::default()).then(|| self.to_string())
    }
}

impl fmt::Display for LeftOut {
    /// The number of left-out jobs, then each count that is not 0, as an item with parameters of RFC 8941.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { settings, unknown, too_large, kept, targets } = *self;
        write!(f, "{}", settings + unknown + too_large)?;
        let numbers = [
            ("settings", settings),
            ("unknown", unknown),
            ("too-large", too_large),
            ("kept", kept),
            ("targets", targets),
        ];
        numbers.iter().filter(|(_, number)| *number > 0).try_for_each(|(name, number)| write!(f, ";{name}={number}"))
    }
}

/// The list of a collector's relabelled targets of these jobs. `None` if it has no targets.
pub fn answer(
    allocation: &Allocation,
    jobs: &[String],
    collector: &str,
    room: Room,
    left_out: LeftOut,
) -> Option<Answer> {
    let parts: Vec<Part<'_>> = allocation.parts(jobs, collector).filter(|part| part.bytes > 0).collect();
    let total = parts.iter().map(|part| part.bytes).sum::<usize>();
    let without = too_large(parts.iter().copied(), room.most);
    let names = |all: bool| {
        let kept = parts.iter().filter(|part| all || !without.contains_key(part.job));
        kept.map(|part| part.job).collect::<Vec<_>>()
    };
    if parts.is_empty() {
        return None;
    }
    let whole = || body(allocation, &names(true), collector, total);
    // If no job would remain, the answer fails for its size. An empty list would remove all targets of the collector.
    if without.is_empty() || without.len() == parts.len() {
        return Some(Answer::quoted_json(whole()).leaving_out(left_out.header()));
    }
    if room.gzip {
        let payload = Payload::of_quoted(whole()).into();
        let compressed = Content::Gzip(std::sync::Arc::clone(&payload));
        if compressed.buffered_size() <= room.most {
            return Some(Answer::shared_json(&payload).leaving_out(left_out.header()));
        }
    }
    let rest = total - without.values().sum::<usize>();
    let left_out = LeftOut { too_large: without.len(), ..left_out };
    Some(Answer::quoted_json(body(allocation, &names(false), collector, rest)).leaving_out(left_out.header()))
}

/// The list as a JSON string. `bytes` is the total size of its items.
fn body(allocation: &Allocation, jobs: &[&str], collector: &str, bytes: usize) -> String {
    let texts = jobs.iter().flat_map(|job| allocation.share(job, collector));
    let texts = texts.map(|(group, target)| group.merged(target)).filter(|text: &Text<'_>| !text.is_empty());
    quoted(|body| list(texts, bytes, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_each_number_that_is_not_zero() {
        let cases = [
            (LeftOut::default(), None),
            (LeftOut { settings: 2, unknown: 1, ..LeftOut::default() }, Some("3;settings=2;unknown=1")),
            (
                LeftOut { too_large: 1, kept: 4, targets: 5, ..LeftOut::default() },
                Some("1;too-large=1;kept=4;targets=5"),
            ),
            (LeftOut { kept: 1, ..LeftOut::default() }, Some("0;kept=1")),
        ];
        for (left_out, expected) in cases {
            assert_eq!(left_out.header().as_deref(), expected);
        }
    }
}
