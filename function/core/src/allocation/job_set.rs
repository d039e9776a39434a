//! A set of jobs that is served together: all jobs, or the jobs of a pipeline.
//!
//! Input: the jobs with their targets. Output: the set in both views. A set holds names and merged scrape configs, but
//! no targets. The shares of a job are the same in every set.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::merged::{self, Mergeable, MergedJob};
use super::pipelines::PipelineJobs;
use super::{Allocation, Job, PlainList};
use crate::report::Report;
use crate::scrape_config::ScrapeConfig;

/// A set of jobs.
#[derive(Debug, Default)]
pub struct JobSet {
    /// The jobs of the pipeline. `None`: all jobs.
    pipeline: Option<Arc<PipelineJobs>>,
    merged: BTreeMap<String, MergedJob>,
    list: PlainList,
}

impl JobSet {
    /// The set of all jobs, or of the jobs of a pipeline. Without `plain`, the merged view was not requested.
    pub(super) fn new(
        pipeline: Option<Arc<PipelineJobs>>,
        jobs: &[Mergeable<'_>],
        plain: Option<&ScrapeConfig>,
        report: &mut Report,
    ) -> Self {
        let Some(plain) = plain else { return Self { pipeline, ..Self::default() } };
        let set = Self { pipeline, ..Self::default() };
        let own = || jobs.iter().filter(|job| set.contains(&job.job.scrape_config().job_name));
        let merged = merged::merge(own(), plain);
        let list = PlainList::new(own().map(|job| job.job), plain, report);
        Self { merged, list, ..set }
    }

    /// Whether a job with this name belongs to the set.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.pipeline.as_ref().is_none_or(|jobs| jobs.names.contains(name))
    }

    /// The jobs of the merged view by name. Empty if the merged view was not requested.
    #[must_use]
    pub const fn merged(&self) -> &BTreeMap<String, MergedJob> {
        &self.merged
    }

    /// The jobs of `/merged/targets`. Empty if the merged view was not requested.
    #[must_use]
    pub const fn list(&self) -> &PlainList {
        &self.list
    }

    /// Why requests for the set fail.
    #[must_use]
    pub fn refused(&self) -> Option<&str> {
        self.pipeline.as_ref()?.refused.as_deref()
    }

    /// The jobs of the set by name.
    pub fn jobs<'a>(&'a self, allocation: &'a Allocation) -> impl Iterator<Item = (&'a str, &'a Job)> {
        let all = allocation.jobs().filter(|_| self.pipeline.is_none());
        let names = self.pipeline.iter().flat_map(|jobs| &jobs.names);
        all.chain(names.filter_map(|name| Some((name.as_str(), allocation.job(name)?))))
    }

    /// The job with this name, if it belongs to the set.
    #[must_use]
    pub fn job<'a>(&self, allocation: &'a Allocation, name: &str) -> Option<&'a Job> {
        allocation.job(name).filter(|_| self.contains(name))
    }
}
