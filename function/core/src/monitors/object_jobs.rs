//! Builds the jobs of one object.
//!
//! Input: drafts, one after the other. Output: jobs and findings, or the finding that refuses the object. Building
//! stops at the first draft that exceeds a bound, so that a refused object does not cost more than a served one.

use super::bounds::{Bounds, ObjectJobs};
use super::draft::{Draft, Finished};
use super::finding::{Finding, Within};
use super::{ScrapeJob, Settings};
use crate::regex::RegexCache;
use crate::report::{ObjectRef, Outcome};
use crate::scrape_config::globals::Globals;

/// Collects the drafts of one object.
#[derive(Debug)]
pub struct Builder<'a> {
    settings: &'a Settings,
    globals: &'a Globals,
    regexes: &'a RegexCache,
    built: ObjectJobs,
}

impl<'a> Builder<'a> {
    /// A builder for an object, without jobs.
    #[must_use]
    pub fn new(object: ObjectRef, settings: &'a Settings, globals: &'a Globals, regexes: &'a RegexCache) -> Self {
        let built = ObjectJobs { object, jobs: Vec::new(), findings: Vec::new(), bytes: 0, endpoints: 0 };
        Self { settings, globals, regexes, built }
    }

    /// Adds a job. An error that leaves out only this job becomes a finding about the object.
    ///
    /// # Errors
    /// [`Finding`] if the draft refuses the whole object, or if the object exceeds a bound.
    pub fn take(&mut self, draft: Result<Draft, Finding>) -> Result<(), Finding> {
        self.built.endpoints += 1;
        match draft.and_then(|draft| draft.finish(self.globals, self.settings.files, self.regexes)) {
            Ok(finished) => self.add(finished),
            Err(finding) if finding.outcome == Outcome::Refused => Err(finding),
            Err(finding) => {
                self.built.findings.push(finding);
                Ok(())
            }
        }
    }

    fn add(&mut self, finished: Finished) -> Result<(), Finding> {
        let Finished { draft: Draft { field, endpoint, config, relabelings, .. }, bytes } = finished;
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

    /// The jobs of the object, with all its findings and `notes`.
    #[must_use]
    pub(super) fn finish(mut self, notes: Vec<Finding>) -> ObjectJobs {
        self.built.findings.extend(notes);
        self.built
    }
}

/// Refuses an object with too many endpoints before the first endpoint is built. Each of them can look at all objects of
/// the cluster, and so can each Kubernetes SD config of a `ScrapeConfig`.
///
/// # Errors
/// [`Finding`] if `count` exceeds the bound.
pub fn check_endpoints(count: usize, bounds: Bounds) -> Result<(), Finding> {
    let Bounds { object_endpoints, .. } = bounds;
    if count <= object_endpoints {
        return Ok(());
    }
    Err(Finding::refused(format_args!(
        "an object may have {object_endpoints} endpoints or kubernetesSDConfigs, divide it into several or raise \
         OBJECT_LIMIT_ENDPOINTS: {count}"
    )))
}
