//! The inputs of an answer.

use super::event::Asked;
use crate::snapshot::Snapshot;

/// A request that has a route, and whose caller may use that route.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The objects, jobs and targets.
    pub snapshot: &'a Snapshot,
    /// Whether the route belongs to the merged view.
    pub merged: bool,
    /// What follows each `/jobs/` of the path, if the route names a job. One of these texts names it.
    pub rests: &'a [&'a str],
    /// The parameters of the event.
    pub asked: &'a Asked,
    /// Maximum number of bytes of the body.
    pub most: usize,
}
