//! What one beginning of paths serves: all jobs, or the jobs of a pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use target_allocator_core::allocation::{Allocation, JobSet};
use target_allocator_core::scrape_config::ScrapeConfig;
use thiserror::Error;

use super::{ScrapeConfigs, Snapshot};

/// The responses with the scrape configs of a set of jobs.
#[derive(Debug)]
pub struct ServedConfigs {
    /// The response to `/scrape_configs`.
    pub plain: Arc<ScrapeConfigs>,
    /// The response to `/merged/scrape_configs`. `None` if no request has needed the merged view.
    pub merged: Option<ScrapeConfigs>,
}

/// The served scrape configs of all jobs, and of each pipeline by its name.
#[derive(Debug)]
pub(super) struct AllConfigs {
    pub(super) all: ServedConfigs,
    pub(super) pipelines: BTreeMap<String, ServedConfigs>,
}

/// A set of jobs of a snapshot, in all its forms.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// The name of the pipeline. `None` for all jobs.
    pub pipeline: Option<&'a str>,
    /// The jobs.
    pub jobs: &'a JobSet,
    /// Their scrape configs.
    pub configs: &'a ServedConfigs,
}

/// Why a snapshot does not serve a pipeline. The messages are in answers, so they name no job of another tenant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotServed {
    /// The config has no pipelines.
    #[error("the allocator config has no pipelines, use the path without /pipelines/: {0:?}")]
    NoPipelines(String),
    /// The config has other pipelines.
    #[error("no such pipeline, the allocator config has {}: {asked:?}", .known.join(", "))]
    Unknown {
        /// The name in the path.
        asked: String,
        /// All names.
        known: Vec<String>,
    },
    /// The jobs of the pipeline cannot be served. An empty answer would stop all scraping of a receiver.
    #[error("the jobs of the pipeline cannot be served: {0}")]
    Refused(String),
}

impl AllConfigs {
    /// The scrape configs of all sets of jobs. If `before` was made with the same plan, its plain responses are shared.
    pub(super) fn new<E>(
        allocation: &Allocation,
        before: Option<&Self>,
        shown: impl Fn(&mut dyn Iterator<Item = &ScrapeConfig>) -> Result<ScrapeConfigs, E>,
    ) -> Result<Self, E> {
        let served = |jobs: &JobSet, before: Option<&ServedConfigs>| {
            let plain = match before {
                Some(before) => Arc::clone(&before.plain),
                None => Arc::new(shown(&mut jobs.jobs(allocation).map(|(_, job)| job.scrape_config()))?),
            };
            let merged = if allocation.views().merged {
                Some(shown(&mut jobs.merged().values().map(|job| &job.scrape_config))?)
            } else {
                None
            };
            Ok(ServedConfigs { plain, merged })
        };
        let pipelines = allocation.pipelines().iter().map(|(name, jobs)| {
            let before = before.and_then(|before| before.pipelines.get(name));
            Ok((name.clone(), served(jobs, before)?))
        });
        Ok(Self {
            pipelines: pipelines.collect::<Result<_, E>>()?,
            all: served(allocation.all(), before.map(|before| &before.all))?,
        })
    }
}

impl Snapshot {
    /// All jobs, or the jobs of a pipeline.
    ///
    /// # Errors
    /// [`NotServed`] if the config has no such pipeline, or if its jobs cannot be served.
    pub fn served(&self, pipeline: Option<&str>) -> Result<Served<'_>, NotServed> {
        let Some(asked) = pipeline else { return Ok(self.all_jobs()) };
        let pipelines = self.allocation.pipelines();
        let Some(((name, jobs), configs)) = pipelines.get_key_value(asked).zip(self.configs.pipelines.get(asked))
        else {
            let asked = asked.to_owned();
            return Err(if pipelines.is_empty() {
                NotServed::NoPipelines(asked)
            } else {
                NotServed::Unknown { asked, known: pipelines.keys().cloned().collect() }
            });
        };
        match jobs.refused() {
            Some(reason) => Err(NotServed::Refused(reason.to_owned())),
            None => Ok(Served { pipeline: Some(name), jobs, configs }),
        }
    }

    /// All jobs.
    #[must_use]
    pub fn all_jobs(&self) -> Served<'_> {
        Served { pipeline: None, jobs: self.allocation.all(), configs: &self.configs.all }
    }
}

impl Served<'_> {
    /// The beginning of the paths that serve the jobs, such as `/pipelines/NAME`. Empty for all jobs.
    #[must_use]
    pub fn path(&self) -> String {
        self.pipeline.map(|name| format!("/pipelines/{name}")).unwrap_or_default()
    }
}
