//! Caches the latest snapshot of a cluster and decides when to refresh it.
//!
//! Input: requests. Output: a complete snapshot, or [`SnapshotError`]. The latest snapshot serves until the end of its
//! epoch, at most for the TTL. After that, one refresh runs for all waiting requests. If the refresh fails or takes
//! long, the last complete snapshot continues to serve, up to `SNAPSHOT_MAX_STALE`. An incomplete snapshot never
//! serves.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::future::Cache;
use target_allocator_core::report::Report;
use target_allocator_core::targets::Views;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, error, info, warn};

use super::epochs::Epochs;
use super::{Recipe, RefreshError, Snapshot};
use crate::cluster::Objects;
use crate::error::chain;
use crate::metrics;
use crate::moment::Moment;
use crate::settings::Freshness;

/// Minimum time between a failed refresh and the next one. Retries for each request would overload a failing API
/// server.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Maximum time that a request waits for a refresh if a stale snapshot can serve. Each waiting request occupies an
/// environment, so with a slow API server and many collectors, Lambda would start ever more environments.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// Wait of a request after the refresh has run longer than [`MAX_WAIT`], or after the last refresh failed. Not zero,
/// because Lambda freezes an environment without requests, and the refresh progresses only while a request waits.
const MIN_WAIT: Duration = Duration::from_millis(200);

/// Minimum age of a snapshot before an unknown collector triggers a refresh. Without it, requests with invented names
/// would make the function read the cluster all the time.
const MIN_AGE_FOR_UNKNOWN: Duration = Duration::from_secs(5);

/// Why no snapshot can serve a request.
#[derive(Debug, Clone, Error)]
pub enum SnapshotError {
    /// The cluster cannot be read, and no snapshot is young enough.
    #[error("no snapshot of the cluster: {0}")]
    Unavailable(String),
    /// The time of the request is over before the refresh ends.
    #[error("no snapshot of the cluster yet: reading it takes longer than the function may run")]
    OutOfTime,
}

/// The cache of one cluster's snapshot. Clones share the cache.
#[derive(Clone)]
pub struct Snapshots {
    shared: Arc<Shared>,
}

struct Shared {
    objects: Objects,
    recipe: Recipe,
    freshness: Freshness,
    epochs: Epochs,
    began: Moment,
    state: Mutex<State>,
    /// Running refreshes and widenings. Requests that need one result wait for one computation.
    work: Cache<Work, Arc<Snapshot>>,
}

/// The mutable state, behind one lock. The lock is never held across an `await`.
#[derive(Default)]
struct State {
    latest: Latest,
    /// All views that requests have needed so far. Each refresh computes all of them.
    views: Views,
    failure: Option<Failure>,
    /// The start of the running refresh.
    refreshing: Option<Moment>,
    history: VecDeque<Refresh>,
}

/// A computation that requests wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Work {
    /// Takes the snapshot with this generation.
    Refresh(u64),
    /// Adds views to the snapshot with this generation.
    Widen(u64, Views),
}

/// A finished refresh.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// The start.
    pub began: Moment,
    /// The duration.
    pub took: Duration,
    /// The number of targets, or the error.
    pub outcome: Result<usize, String>,
}

/// Number of finished refreshes that pages show.
const HISTORY_LENGTH: usize = 20;

/// Number of results that are kept for requests that still wait for them: one refresh and one widening.
const WORK_CAPACITY: u64 = 2;

/// The last complete snapshot. `generation` is the number of snapshots taken so far.
#[derive(Clone, Default)]
struct Latest {
    generation: u64,
    snapshot: Option<Arc<Snapshot>>,
}

struct Failure {
    at: Moment,
    message: String,
}

impl Snapshots {
    /// An empty cache for the cluster of `objects`. The first request takes a snapshot.
    #[must_use]
    pub fn new(objects: Objects, recipe: Recipe, freshness: Freshness) -> Self {
        let shared = Shared {
            objects,
            recipe,
            freshness,
            epochs: Epochs::new(freshness.ttl),
            began: Moment::now(),
            state: Mutex::default(),
            work: Cache::new(WORK_CAPACITY),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A snapshot with these views. Refreshes first if the epoch of the latest snapshot is over. `budget` is the time
    /// that the request can wait.
    ///
    /// # Errors
    /// [`SnapshotError`] if no snapshot is young enough, and none can be taken in time.
    pub async fn get(&self, budget: Duration, views: Views) -> Result<Arc<Snapshot>, SnapshotError> {
        self.shared.require_views(views);
        let deadline = Instant::now() + budget;
        let snapshot = self.current_or_stale(deadline).await?;
        self.with_views(snapshot, views, deadline).await
    }

    /// A snapshot with these views for a collector. Refreshes first if the snapshot `known` may lack the collector.
    ///
    /// A collector that has just started therefore gets its share with its first request, and not in the next epoch.
    ///
    /// # Errors
    /// [`SnapshotError`] if the views cannot be added in time.
    pub async fn get_for(
        &self,
        collector: &str,
        known: Arc<Snapshot>,
        budget: Duration,
        views: Views,
    ) -> Result<Arc<Snapshot>, SnapshotError> {
        if known.age() < MIN_AGE_FOR_UNKNOWN || !known.may_lack(collector) {
            return Ok(known);
        }
        let deadline = Instant::now() + budget;
        let latest = self.shared.latest();
        let newer = match latest.younger_than(MIN_AGE_FOR_UNKNOWN) {
            Some(newer) => newer,
            // If the refresh fails, the known snapshot still serves.
            None => self.newer(latest.generation, self.wait_deadline(deadline)).await.unwrap_or(known),
        };
        self.with_views(newer, views, deadline).await
    }

    async fn with_views(
        &self,
        snapshot: Arc<Snapshot>,
        views: Views,
        deadline: Instant,
    ) -> Result<Arc<Snapshot>, SnapshotError> {
        if snapshot.allocation.views().cover(views) {
            return Ok(snapshot);
        }
        match timeout_at(deadline, self.widen(snapshot, views)).await {
            Ok(widened) => widened.map_err(SnapshotError::Unavailable),
            Err(_) => Err(SnapshotError::OutOfTime),
        }
    }

    /// The latest snapshot, refreshed if its epoch is over. Falls back to a stale snapshot.
    async fn current_or_stale(&self, deadline: Instant) -> Result<Arc<Snapshot>, SnapshotError> {
        let latest = self.shared.latest();
        if let Some(snapshot) = &latest.snapshot
            && snapshot.age() <= self.shared.epochs.lifetime(snapshot.taken)
        {
            return Ok(Arc::clone(snapshot));
        }
        let stale = latest.younger_than(self.shared.freshness.max_stale).is_some();
        let until = if stale { self.wait_deadline(deadline) } else { deadline };
        match self.newer(latest.generation, until).await {
            Ok(snapshot) => Ok(snapshot),
            Err(failed) => latest.younger_than(self.shared.freshness.max_stale).ok_or(failed),
        }
    }

    /// The time until which a request waits for a refresh if a stale snapshot can serve.
    fn wait_deadline(&self, deadline: Instant) -> Instant {
        deadline.min(Instant::now() + self.shared.max_wait())
    }

    /// Takes a snapshot with the next generation, unless a refresh has failed recently.
    async fn newer(&self, generation: u64, deadline: Instant) -> Result<Arc<Snapshot>, SnapshotError> {
        if let Some(message) = self.shared.recent_failure() {
            return Err(SnapshotError::Unavailable(message));
        }
        match timeout_at(deadline, self.refresh(generation + 1)).await {
            Ok(refreshed) => refreshed.map_err(SnapshotError::Unavailable),
            Err(_) => Err(SnapshotError::OutOfTime),
        }
    }

    /// The last finished refreshes of this process, the latest first.
    #[must_use]
    pub fn history(&self) -> Vec<Refresh> {
        self.shared.state().history.iter().cloned().collect()
    }

    /// The age of the latest snapshot. Without a snapshot, the age of the process.
    #[must_use]
    pub fn age(&self) -> Duration {
        let latest = self.shared.latest().snapshot;
        latest.map_or_else(|| self.shared.began.elapsed(), |snapshot| snapshot.age())
    }

    /// The configured limits for the age of a snapshot.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.shared.freshness
    }

    /// Takes the snapshot with this generation, or waits for the task that already takes it.
    async fn refresh(&self, generation: u64) -> Result<Arc<Snapshot>, String> {
        let shared = Arc::clone(&self.shared);
        // A separate task continues after its request has ended. The next request then waits for this task.
        let task = async move {
            let work = Work::Refresh(generation);
            shared.work.try_get_with(work, shared.take(generation)).await.map_err(Arc::unwrap_or_clone)
        };
        // The log lines of the task have the ID of the request that started it.
        let task = tokio::spawn(task.in_current_span());
        task.await.unwrap_or_else(|error| Err(chain(&error)))
    }

    /// Adds views to a snapshot, or waits for the task that already adds them.
    async fn widen(&self, snapshot: Arc<Snapshot>, views: Views) -> Result<Arc<Snapshot>, String> {
        let (shared, generation) = (Arc::clone(&self.shared), self.shared.latest().generation);
        let task = tokio::spawn(async move {
            let widened = async {
                let widened = shared.recipe.widen(snapshot, views).await.map(Arc::new);
                widened.inspect(|widened| shared.replace(generation, widened)).map_err(|error| chain(&error))
            };
            let work = Work::Widen(generation, views);
            shared.work.try_get_with(work, widened).await.map_err(Arc::unwrap_or_clone)
        });
        task.await.unwrap_or_else(|error| Err(chain(&error)))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so a panic cannot leave an inconsistent state. A poisoned lock is safe to use.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a snapshot, publishes it or records the failure, and adds the refresh to the history.
    async fn take(&self, generation: u64) -> Result<Arc<Snapshot>, String> {
        let began = Moment::now();
        let (views, before) = {
            let mut state = self.state();
            state.refreshing = Some(began);
            (state.views, state.latest.snapshot.clone())
        };
        let taken = match self.recipe.take(&self.objects, views, before).await {
            Ok(snapshot) => Ok(self.publish(generation, Arc::new(snapshot), began)),
            Err(error) => Err(self.fail(&error)),
        };
        let outcome = taken.as_ref().map(|snapshot| snapshot.allocation.counts().0).map_err(Clone::clone);
        let mut state = self.state();
        state.refreshing = None;
        state.history.truncate(HISTORY_LENGTH - 1);
        state.history.push_front(Refresh { began, took: began.elapsed(), outcome });
        taken
    }

    /// The time that a request waits for a refresh if a stale snapshot can serve.
    fn max_wait(&self) -> Duration {
        let state = self.state();
        if state.failure.is_some() {
            return MIN_WAIT;
        }
        let waited = state.refreshing.map_or(Duration::ZERO, |began| began.elapsed());
        MAX_WAIT.saturating_sub(waited).max(MIN_WAIT)
    }

    /// Adds views to all later snapshots.
    fn require_views(&self, views: Views) {
        let mut state = self.state();
        state.views = state.views.or(views);
    }

    /// Replaces the latest snapshot by one with more views, unless a refresh has published a newer one meanwhile.
    fn replace(&self, generation: u64, snapshot: &Arc<Snapshot>) {
        let mut state = self.state();
        if state.latest.generation == generation {
            state.latest.snapshot = Some(Arc::clone(snapshot));
        }
    }

    fn publish(&self, generation: u64, snapshot: Arc<Snapshot>, began: Moment) -> Arc<Snapshot> {
        let latest = Latest { generation, snapshot: Some(Arc::clone(&snapshot)) };
        let before = {
            let mut state = self.state();
            state.failure = None;
            std::mem::replace(&mut state.latest, latest)
        };
        log_report(before.snapshot.as_ref().map(|before| before.allocation.report()), snapshot.allocation.report());
        log_snapshot(generation, &snapshot, began.elapsed());
        metrics::refreshed(began.elapsed(), &snapshot);
        snapshot
    }

    fn fail(&self, error: &RefreshError) -> String {
        let message = chain(error);
        let age = self.latest().snapshot.map(|snapshot| snapshot.age().as_secs());
        error!(error = message, snapshot_age_seconds = age, "the snapshot could not be refreshed");
        self.state().failure = Some(Failure { at: Moment::now(), message: message.clone() });
        metrics::refresh_failed();
        message
    }

    fn latest(&self) -> Latest {
        self.state().latest.clone()
    }

    fn recent_failure(&self) -> Option<String> {
        let retry_after = RETRY_AFTER.min(self.freshness.ttl);
        let state = self.state();
        state
            .failure
            .as_ref()
            .filter(|failure| failure.at.elapsed() < retry_after)
            .map(|failure| failure.message.clone())
    }
}

impl Latest {
    fn younger_than(&self, age: Duration) -> Option<Arc<Snapshot>> {
        self.snapshot.as_ref().filter(|snapshot| snapshot.age() <= age).map(Arc::clone)
    }
}

/// Logs the entries that the previous report did not have. Each entry is therefore logged once.
fn log_report(before: Option<&Report>, now: &Report) {
    let known = before.map(Report::entries).unwrap_or_default();
    for entry in now.entries().iter().filter(|entry| known.binary_search(entry).is_err()) {
        warn!(
            object = %entry.object,
            outcome = ?entry.outcome,
            field = entry.field,
            reason = entry.reason,
            "left out"
        );
    }
}

fn log_snapshot(generation: u64, snapshot: &Snapshot, took: Duration) {
    let (targets, unassigned) = snapshot.allocation.counts();
    info!(
        generation,
        milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        bytes = snapshot.bytes_read(),
        jobs = snapshot.allocation.jobs().len(),
        targets,
        unassigned,
        collectors = snapshot.allocation.members().map(|members| members.collectors().len()),
        skipped = snapshot.allocation.report().entries().len(),
        "snapshot taken"
    );
}
