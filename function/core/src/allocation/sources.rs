//! The external sources with the objects that name them. The shell queries sources in turns by these objects.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::Plan;
use crate::discovery::{Source, SourceKey};
use crate::report::ObjectRef;

/// A source with the objects whose jobs discover targets from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedSource {
    /// The source.
    pub source: Source,
    /// The monitors, and the jobs of `config.scrape_configs`. Never empty.
    pub owners: BTreeSet<ObjectRef>,
}

impl Plan {
    /// The external sources of all jobs, without duplicates, in a stable order.
    #[must_use]
    pub fn owned_sources(&self) -> Vec<OwnedSource> {
        let mut by_key: BTreeMap<&SourceKey, OwnedSource> = BTreeMap::new();
        for (job, source) in self.jobs().iter().flat_map(|job| job.sources.iter().map(move |source| (job, source))) {
            let new = || OwnedSource { source: source.clone(), owners: BTreeSet::new() };
            by_key.entry(&source.key).or_insert_with(new).owners.insert(job.object());
        }
        by_key.into_values().collect()
    }
}
