//! Takes snapshots of a cluster: the objects at one time, and everything computed from them.
//!
//! Input: a cluster and the config. Output: an immutable and complete [`Snapshot`], or [`RefreshError`]. The module
//! [`cache`] keeps the latest snapshot and decides when to take the next one.

pub mod cache;
mod epochs;
mod payload;
mod scrape_configs;
mod served;

use std::sync::Arc;
use std::time::Duration;

use target_allocator_core::access::Access;
use target_allocator_core::allocation::{self, Allocation, Inputs, Plan, ReadScope};
use target_allocator_core::config::{Collectors, Config};
use target_allocator_core::discovery::SourceAnswers;
use target_allocator_core::explain::World;
use target_allocator_core::objects::Cluster;
use target_allocator_core::scrape_config::ScrapeConfig;
use target_allocator_core::targets::{ServedLabels, Views};
use thiserror::Error as ThisError;
use tokio::task::spawn_blocking;

pub use cache::{Refresh, SnapshotError, Snapshots};
pub use payload::Payload;
pub use scrape_configs::ScrapeConfigs;
pub use served::{NotServed, Served, ServedConfigs};

use crate::cluster::{ClusterError, Objects, Reading};
use crate::external::Externals;
use crate::moment::Moment;
use crate::settings::{SecretRotation, Secrets};
use served::AllConfigs;

/// The data behind all responses, and the objects that the next refresh starts from.
#[derive(Debug)]
pub struct Snapshot {
    /// Jobs, targets and their collectors.
    pub allocation: Allocation,
    /// The rules that decide which caller gets which share.
    pub access: Access,
    /// The responses with scrape configs.
    configs: AllConfigs,
    config: Arc<Config>,
    reading: Reading,
    external: SourceAnswers,
    taken: Moment,
}

/// Why a refresh failed.
#[derive(Debug, ThisError)]
pub enum RefreshError {
    /// The cluster could not be read completely.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The strategy does not support this number of collectors.
    #[error(transparent)]
    Allocation(#[from] target_allocator_core::shard::consistent_hashing::RingError),
    /// The scrape configs cannot be serialised as JSON.
    #[error("the scrape configs cannot be serialised")]
    Render(#[from] serde_json::Error),
    /// The config has jobs, and none of them can be served. An answer `{}` would stop all scraping.
    #[error("the config has jobs, and none of them can be served: {0}")]
    NoJobs(String),
    /// The computation panicked or was cancelled.
    #[error("the computation of the snapshot was aborted")]
    Abandoned(#[from] tokio::task::JoinError),
}

/// The settings for taking a snapshot.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The allocator config.
    pub config: Arc<Config>,
    /// The sources outside of the cluster: URLs, DNS, EC2 and files.
    pub externals: Arc<Externals>,
    /// Which labels of a target are served.
    pub target_labels: ServedLabels,
    /// Whether credentials are served.
    pub secrets: Secrets,
    /// Whether collectors notice changed credentials.
    pub secret_rotation: SecretRotation,
    /// How long monitors are kept after their CustomResourceDefinition has disappeared.
    pub keep: Duration,
}

impl Recipe {
    /// Reads the cluster and computes a snapshot with these views. Reuses the unchanged parts of `before`.
    ///
    /// # Errors
    /// [`RefreshError`] if any part cannot be read. There is never a partial snapshot, because a collector would drop
    /// the missing targets.
    pub async fn take(
        &self,
        objects: &Objects,
        views: Views,
        before: Option<Arc<Snapshot>>,
    ) -> Result<Snapshot, RefreshError> {
        let taken = Moment::now();
        let mut reading = before.as_ref().map(|before| before.reading.clone()).unwrap_or_default();
        reading.begin(self.keep, ReadScope::of(&self.config));
        let first = allocation::kinds_of_monitors(&self.config);
        objects.list(&first, &mut reading).await?;
        objects.get(&allocation::references(&self.config, &reading.cluster), &mut reading).await?;
        let (recipe, known) = (self.clone(), before.clone());
        let (plan, mut reading) =
            spawn_blocking(move || (recipe.plan(&reading.cluster, known.as_deref()), reading)).await?;
        let rest = plan.kinds(&self.config).difference(&first).copied().collect();
        let sources = plan.owned_sources();
        let (listed, external) = tokio::join!(objects.list(&rest, &mut reading), self.externals.answers(&sources));
        listed?;
        reading.retain(&first.union(&rest).copied().collect());
        let recipe = self.clone();
        let allocate = move || recipe.allocate(&plan, reading, external, views, taken, before.as_deref());
        spawn_blocking(allocate).await?
    }

    /// Adds views to a snapshot, without reading the cluster.
    ///
    /// # Errors
    /// [`RefreshError`] if the targets cannot be assigned, or the scrape configs cannot be serialised.
    pub async fn widen(&self, snapshot: Arc<Snapshot>, views: Views) -> Result<Snapshot, RefreshError> {
        let recipe = self.clone();
        let widened = move || {
            let (reading, external) = (snapshot.reading.clone(), snapshot.external.clone());
            let views = views.or(snapshot.allocation.views());
            recipe.allocate(snapshot.allocation.plan(), reading, external, views, snapshot.taken, Some(&snapshot))
        };
        spawn_blocking(widened).await?
    }

    /// Plans the jobs. Reuses the plan of `before` if no object that affects it has changed.
    fn plan(&self, cluster: &Cluster, before: Option<&Snapshot>) -> Arc<Plan> {
        let Some(before) = before else {
            return Arc::new(allocation::plan(&self.config, cluster, None));
        };
        let (known, plan) = (&before.reading.cluster, before.allocation.plan());
        if allocation::is_planned_alike(known, cluster) {
            Arc::clone(plan)
        } else {
            Arc::new(allocation::plan(&self.config, cluster, Some(plan)))
        }
    }

    fn allocate(
        &self,
        plan: &Arc<Plan>,
        reading: Reading,
        external: SourceAnswers,
        views: Views,
        taken: Moment,
        before: Option<&Snapshot>,
    ) -> Result<Snapshot, RefreshError> {
        let inputs = Inputs {
            config: &self.config,
            plan,
            cluster: &reading.cluster,
            external: &external,
            served: self.target_labels,
            views,
            now: taken.timestamp(),
        };
        let mut allocation = allocation::allocate(inputs, before.map(|before| &before.allocation))?;
        if plan.jobs().is_empty() && !self.config.scrape_configs.is_empty() {
            let reasons: Vec<_> = allocation.report().entries().iter().map(ToString::to_string).collect();
            return Err(RefreshError::NoJobs(reasons.join("; ")));
        }
        allocation.add_to_report(reading.report());
        let shown = |configs: &mut dyn Iterator<Item = &ScrapeConfig>| {
            ScrapeConfigs::new(configs, self.secrets, self.secret_rotation)
        };
        let same_plan = before.filter(|before| Arc::ptr_eq(before.allocation.plan(), plan));
        let configs = AllConfigs::new(&allocation, same_plan.map(|before| &before.configs), shown)?;
        let access = Access::new(&self.config, &reading.cluster);
        let config = Arc::clone(&self.config);
        Ok(Snapshot { allocation, access, configs, config, reading, external, taken })
    }
}

impl Snapshot {
    /// The time since the cluster was read.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.taken.elapsed()
    }

    /// Whether a later snapshot may have this collector although this one does not: its pod did not exist yet, or was
    /// not on a node yet. Always false if the config lists the collectors by name.
    #[must_use]
    pub fn may_lack(&self, collector: &str) -> bool {
        let Some(Collectors::Pods(wanted)) = &self.config.collectors else { return false };
        self.reading.cluster.pods.get(&wanted.namespace, collector).is_none_or(|pod| pod.spec.node_name.is_empty())
    }

    /// The snapshot as input of explanations.
    #[must_use]
    pub fn world(&self) -> World<'_> {
        let Self { allocation, config, reading, external, taken, .. } = self;
        World { config, cluster: &reading.cluster, external, allocation, now: taken.timestamp() }
    }

    /// The number of objects in the snapshot.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.reading.cluster.len()
    }

    /// The number of bytes that the refresh read from the API server.
    #[must_use]
    pub const fn bytes_read(&self) -> usize {
        self.reading.bytes
    }
}
