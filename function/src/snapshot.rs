//! What answers are made of: everything read from a cluster at one moment.
//!
//! Input: a cluster and the config. Output: an immutable snapshot, complete or an
//! error. [`cache`] keeps the latest one and decides when to take the next.

pub mod cache;
pub(crate) mod moment;
mod payload;

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use target_allocator_core::allocation::{self, Allocation};
use target_allocator_core::config::Config;
use target_allocator_core::discovery::Index;
use target_allocator_core::discovery::external::External;
use target_allocator_core::explain::World;
use target_allocator_core::objects::Cluster;
use target_allocator_core::report::Report;
use target_allocator_core::targets::ServedLabels;
use thiserror::Error as ThisError;

pub use cache::{Refresh, SnapshotError, Snapshots};
pub use payload::Payload;

use crate::cluster::{ClusterError, Objects};
use crate::external::Externals;
use crate::settings::{Secrets, TargetLabels};
use moment::Moment;

/// Everything that an answer needs.
#[derive(Debug)]
pub struct Snapshot {
    /// Jobs, targets and owners.
    pub allocation: Allocation,
    /// The answer to `/scrape_configs`.
    pub scrape_configs: Payload,
    /// What the allocation was made of, for explanations.
    made_of: MadeOf,
    taken: Moment,
}

/// What an allocation is made of.
#[derive(Debug)]
struct MadeOf {
    config: Arc<Config>,
    plan: allocation::Plan,
    cluster: Cluster,
    /// Made when it is first asked for.
    index: OnceLock<Index>,
    external: External,
}

/// Why there is no new snapshot.
#[derive(Debug, ThisError)]
pub enum RefreshError {
    /// The cluster could not be read completely.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The targets cannot be given to that many collectors.
    #[error(transparent)]
    Allocation(#[from] target_allocator_core::shard::consistent_hashing::RingError),
    /// The scrape configs cannot be written as JSON.
    #[error("the scrape configs cannot be written")]
    Render(#[from] serde_json::Error),
    /// The computation was stopped from outside.
    #[error("the snapshot was abandoned")]
    Abandoned(#[from] tokio::task::JoinError),
}

/// What a snapshot is made with.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// What is allocated, to whom, and how.
    pub config: Arc<Config>,
    /// What is asked for outside of the cluster.
    pub externals: Arc<Externals>,
    /// Which labels of a target are served.
    pub target_labels: TargetLabels,
    /// Whether credentials are served.
    pub secrets: Secrets,
}

impl Recipe {
    /// Reads the cluster and computes what answers need.
    ///
    /// # Errors
    /// When anything could not be read; then there is no snapshot at all.
    pub async fn take(&self, objects: &Objects) -> Result<Snapshot, RefreshError> {
        let taken = Moment::now();
        let (mut cluster, mut report) = (Cluster::default(), Report::default());
        let first = allocation::kinds_of_monitors(&self.config);
        objects.list(&first, &mut cluster, &mut report).await?;
        let references = allocation::references(&self.config, &cluster);
        objects.get(&references, &mut cluster, &mut report).await?;
        let config = Arc::clone(&self.config);
        let (plan, mut cluster) = tokio::task::spawn_blocking(move || {
            let plan = allocation::plan(&config, &cluster);
            (plan, cluster)
        })
        .await?;
        let rest = plan.kinds(&self.config).difference(&first).copied().collect();
        let sources = plan.external();
        let (listed, external) =
            tokio::join!(objects.list(&rest, &mut cluster, &mut report), self.externals.answers(&sources));
        listed?;
        let recipe = self.clone();
        tokio::task::spawn_blocking(move || recipe.allocate(plan, cluster, external, report, taken)).await?
    }

    fn allocate(
        &self,
        plan: allocation::Plan,
        cluster: Cluster,
        external: External,
        report: Report,
        taken: Moment,
    ) -> Result<Snapshot, RefreshError> {
        let served = match self.target_labels {
            TargetLabels::All => ServedLabels::All,
            TargetLabels::Referenced => ServedLabels::Referenced,
        };
        let now = taken.timestamp();
        let mut allocation = allocation::allocate(&self.config, plan.clone(), &cluster, &external, served, now)?;
        allocation.add_to_report(report);
        let scrape_configs = Payload::new(scrape_configs(&allocation, self.secrets)?);
        let made_of = MadeOf { config: Arc::clone(&self.config), plan, cluster, index: OnceLock::new(), external };
        Ok(Snapshot { allocation, scrape_configs, made_of, taken })
    }
}

impl Snapshot {
    /// What explanations look back at.
    #[must_use]
    pub fn world(&self) -> World<'_> {
        let MadeOf { config, plan, cluster, index, external } = &self.made_of;
        let index = index.get_or_init(|| Index::new(cluster));
        World { config, plan, cluster, index, external, allocation: &self.allocation, now: self.taken.timestamp() }
    }

    /// How long ago the cluster was read.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.taken.elapsed()
    }
}

/// Job name → scrape config, as JSON with sorted keys.
fn scrape_configs(allocation: &Allocation, secrets: Secrets) -> Result<Vec<u8>, serde_json::Error> {
    let mut configs = serde_json::Map::new();
    for (name, job) in allocation.jobs() {
        let config = match secrets {
            Secrets::Inline => serde_json::to_value(&job.scrape_config)?,
            Secrets::Omit => {
                let mut config = job.scrape_config.clone();
                config.hide_secrets();
                serde_json::to_value(&config)?
            }
        };
        configs.insert(name.clone(), config);
    }
    serde_json::to_vec(&configs)
}

/// An error and all its causes on one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some errors repeat their source.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
