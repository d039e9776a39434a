//! The inputs of a handler.

use super::event::Asked;
use crate::snapshot::{Served, Snapshot};

/// A request with a known route, after the permission check.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The objects, jobs and targets.
    pub snapshot: &'a Snapshot,
    /// The jobs that the route serves: all, or those of a pipeline.
    pub served: Served<'a>,
    /// Whether the route belongs to the merged view.
    pub merged: bool,
    /// The texts after each `/jobs/` of the path, if the route names a job. One of these texts names the job.
    pub rests: &'a [&'a str],
    /// The parsed event.
    pub asked: &'a Asked,
    /// Maximum number of bytes of the body.
    pub most: usize,
}
