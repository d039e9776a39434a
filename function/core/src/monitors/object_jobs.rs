//! The jobs of one object while they are built.
//!
//! In: drafts, one after the other. Out: jobs and findings, or the finding that refuses the object.
//! Building stops at the first draft that exceeds a bound: what is refused costs no more than what is served.

use super::bounds::{Bounds, ObjectJobs};
use super::draft::{Draft, Finished};
use super::finding::{Finding, Within};
use super::{ScrapeJob, Settings};
use crate::report::{ObjectRef, Outcome};
use crate::scrape_config::globals::Globals;

/// Takes the drafts of one object.
#[derive(Debug)]
pub struct Builder<'a> {
    settings: &'a Settings,
    globals: &'a Globals,
    built: ObjectJobs,
}

impl<'a> Builder<'a> {
    /// An object without jobs.
    #[must_use]
    pub fn new(object: ObjectRef, settings: &'a Settings, globals: &'a Globals) -> Self {
        Self { settings, globals, built: ObjectJobs { object, jobs: Vec::new(), findings: Vec::new(), bytes: 0 } }
    }

    /// Adds a job. What leaves out this job alone becomes a finding of the object.
    ///
    /// # Errors
    /// If the draft refuses the whole object, or if the object makes more than it may.
    pub fn take(&mut self, draft: Result<Draft, Finding>) -> Result<(), Finding> {
        match draft.and_then(|draft| draft.finish(self.globals, self.settings.files)) {
            Ok(finished) => self.add(finished),
            Err(finding) if finding.outcome == Outcome::Refused => Err(finding),
            Err(finding) => {
                self.built.findings.push(finding);
                Ok(())
            }
        }
    }

    fn add(&mut self, finished: Finished) -> Result<(), Finding> {
        let Finished { draft: Draft { field, endpoint, config, relabelings, metric_relabelings: _ }, bytes } = finished;
        let Bounds { object_bytes, .. } = self.settings.bounds;
        self.built.bytes += bytes;
        if self.built.bytes > object_bytes {
            let reason = format_args!(
                "the scrape configs of this object take more than {object_bytes} bytes from here on, \
                 divide it into several or raise OBJECT_LIMIT_BYTES"
            );
            return Err(Finding::refused(reason).within(&field));
        }
        self.built.jobs.push(ScrapeJob {
            monitor: self.built.object.clone(),
            endpoint,
            own_relabelings: relabelings.range,
            own_relabelings_field: format!("{field}.{}", relabelings.field),
            scrape_config: config,
        });
        Ok(())
    }

    /// The jobs, with more findings.
    #[must_use]
    pub(super) fn finish(mut self, notes: Vec<Finding>) -> ObjectJobs {
        self.built.findings.extend(notes);
        self.built
    }
}

/// Refuses an object with more endpoints than it may have, before any of them is built.
///
/// # Errors
/// If there are too many.
pub fn check_endpoints(count: usize, bounds: Bounds) -> Result<(), Finding> {
    let Bounds { object_endpoints, .. } = bounds;
    if count <= object_endpoints {
        return Ok(());
    }
    Err(Finding::refused(format_args!(
        "an object may have {object_endpoints} endpoints, divide it into several or raise OBJECT_LIMIT_ENDPOINTS: {count}"
    )))
}
