//! Finds the name of the pipeline in a path.
//!
//! Input: a path, and the part of a pattern after the name. Output: the name, and the part of the path after the name.
//! Any text can be the name here. A wrong name then gets an answer about pipelines. Without this, the path would select
//! a route of all jobs, and a receiver with a typing error would scrape all of them.

use super::JOB;

/// The text before the name of a pipeline in a path, without the slash.
const PIPELINES: &str = "/pipelines";

/// The placeholder for the name of a pipeline in a pattern, with its slash.
const NAME: &str = "/{pipeline}";

/// A route of a pipeline in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfPipeline<'p> {
    /// The position where the route begins.
    pub start: usize,
    /// The name. Empty if the path has none.
    pub name: &'p str,
    /// The part of the path after the name.
    pub own: &'p str,
}

/// The part of a pattern after the name of the pipeline. `None` if the route belongs to no pipeline.
pub fn after(pattern: &'static str) -> Option<&'static str> {
    pattern.strip_prefix(PIPELINES)?.strip_prefix(NAME)
}

/// Finds the first `/pipelines/` of a path, and after it the route with this pattern.
pub fn find<'p>(path: &'p str, pattern: &str) -> Option<OfPipeline<'p>> {
    let start = path.match_indices(PIPELINES).map(|(start, _)| start).find(|start| {
        let rest = &path[start + PIPELINES.len()..];
        rest.starts_with('/')
    })?;
    let rest = path.get(start + PIPELINES.len()..)?;
    let end = match pattern.split_once(JOB) {
        // The first slash belongs to the name, unless there is no name.
        Some((before, _)) => match rest.get(1..)?.find(before) {
            Some(end) => end + 1,
            None => rest.starts_with(before).then_some(0)?,
        },
        None => rest.strip_suffix(pattern)?.len(),
    };
    let (name, own) = rest.split_at_checked(end)?;
    Some(OfPipeline { start, name: name.strip_prefix('/').unwrap_or(name), own })
}
