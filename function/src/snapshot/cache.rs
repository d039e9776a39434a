//! The latest snapshot of a cluster, and when the next one is taken.
//!
//! To the end of its epoch, which is no longer than the TTL, the latest snapshot answers.
//! Past it one refresh runs, however many requests wait for it. If it fails or takes long,
//! the last complete snapshot goes on answering until it is too old; an empty or partial one never does.

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

/// After a failed refresh, how long requests are answered without trying again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How long requests wait for a refresh if there is a snapshot to answer from. While they wait they occupy
/// environments: with a slow API server and many collectors there would be no end of them.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long, once a refresh has taken longer than that or the last one failed. It is not nothing, since the
/// refresh goes on only while an environment has something to answer.
const LEAST_PATIENCE: Duration = Duration::from_millis(200);

/// A snapshot that is younger is not taken anew for a collector that it does not know:
/// whoever asks under made-up names must not have the cluster read all the time.
const YOUNG: Duration = Duration::from_secs(5);

/// Why there is nothing to answer from.
#[derive(Debug, Clone, Error)]
pub enum SnapshotError {
    /// The cluster cannot be read, and there is no snapshot that is young enough.
    #[error("no snapshot of the cluster: {0}")]
    Unavailable(String),
    /// The request must be answered before the refresh is done.
    #[error("no snapshot of the cluster yet: reading it takes longer than the function may run")]
    OutOfTime,
}

/// The snapshots of one cluster.
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
    /// Work under way, so that all requests that need the same result wait for the same work.
    work: Cache<Work, Arc<Snapshot>>,
}

/// Everything that changes, behind one lock that is never held while anything is awaited.
#[derive(Default)]
struct State {
    latest: Latest,
    /// The views that requests have asked for: each refresh makes all of them.
    views: Views,
    failure: Option<Failure>,
    /// When the refresh that is running began.
    refreshing: Option<Moment>,
    history: VecDeque<Refresh>,
}

/// What requests wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Work {
    /// The refresh that makes the snapshot of this generation.
    Refresh(u64),
    /// Adding views to the snapshot of this generation.
    Widen(u64, Views),
}

/// A refresh that is over.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// When it began.
    pub began: Moment,
    /// How long it took.
    pub took: Duration,
    /// The number of targets, or why there is no new snapshot.
    pub outcome: Result<usize, String>,
}

/// How many refreshes pages show.
const REMEMBERED: usize = 20;

/// How many results of work are kept for requests that still wait for them: one refresh and one widening.
const WORK_REMEMBERED: u64 = 2;

/// The last complete snapshot and how many came before it.
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
    /// The snapshots of the cluster behind `objects`; none is taken yet.
    #[must_use]
    pub fn new(objects: Objects, recipe: Recipe, freshness: Freshness) -> Self {
        let shared = Shared {
            objects,
            recipe,
            freshness,
            epochs: Epochs::new(freshness.ttl),
            began: Moment::now(),
            state: Mutex::default(),
            work: Cache::new(WORK_REMEMBERED),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A snapshot to answer from that has these views, refreshed if it is past its TTL
    /// and `budget` allows for it.
    ///
    /// # Errors
    /// When no snapshot is young enough and none can be taken.
    pub async fn get(&self, budget: Duration, views: Views) -> Result<Arc<Snapshot>, SnapshotError> {
        self.shared.ask_for(views);
        let deadline = Instant::now() + budget;
        let snapshot = self.young_enough(deadline).await?;
        self.with_views(snapshot, views, deadline).await
    }

    /// A snapshot as [`Snapshots::get`] has it, for a collector: one that has just come
    /// gets its share with its first request, and not only with the next epoch.
    ///
    /// # Errors
    /// As with [`Snapshots::get`].
    pub async fn get_for(
        &self,
        collector: &str,
        known: Arc<Snapshot>,
        budget: Duration,
        views: Views,
    ) -> Result<Arc<Snapshot>, SnapshotError> {
        if known.age() < YOUNG || !known.may_miss(collector) {
            return Ok(known);
        }
        let deadline = Instant::now() + budget;
        let latest = self.shared.latest();
        let newer = match latest.younger_than(YOUNG) {
            Some(newer) => newer,
            // What is known still serves, if there is nothing newer.
            None => self.newer(latest.generation, self.patiently(deadline)).await.unwrap_or(known),
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

    async fn young_enough(&self, deadline: Instant) -> Result<Arc<Snapshot>, SnapshotError> {
        let latest = self.shared.latest();
        if let Some(snapshot) = &latest.snapshot
            && snapshot.age() <= self.shared.epochs.serves(snapshot.taken)
        {
            return Ok(Arc::clone(snapshot));
        }
        let stale = latest.younger_than(self.shared.freshness.max_stale).is_some();
        let until = if stale { self.patiently(deadline) } else { deadline };
        match self.newer(latest.generation, until).await {
            Ok(snapshot) => Ok(snapshot),
            Err(failed) => latest.younger_than(self.shared.freshness.max_stale).ok_or(failed),
        }
    }

    /// Until when a request waits for a refresh that can be answered without it.
    fn patiently(&self, deadline: Instant) -> Instant {
        deadline.min(Instant::now() + self.shared.patience())
    }

    /// A snapshot of a later generation.
    async fn newer(&self, generation: u64, deadline: Instant) -> Result<Arc<Snapshot>, SnapshotError> {
        if let Some(message) = self.shared.recent_failure() {
            return Err(SnapshotError::Unavailable(message));
        }
        match timeout_at(deadline, self.refresh(generation + 1)).await {
            Ok(refreshed) => refreshed.map_err(SnapshotError::Unavailable),
            Err(_) => Err(SnapshotError::OutOfTime),
        }
    }

    /// The refreshes of late in this process, the latest first.
    #[must_use]
    pub fn history(&self) -> Vec<Refresh> {
        self.shared.state().history.iter().cloned().collect()
    }

    /// How old the latest snapshot is, or the process while there is none.
    #[must_use]
    pub fn age(&self) -> Duration {
        let latest = self.shared.latest().snapshot;
        latest.map_or_else(|| self.shared.began.elapsed(), |snapshot| snapshot.age())
    }

    /// How old an answer may be.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.shared.freshness
    }

    /// Takes the snapshot of that generation, or waits for the one who does.
    async fn refresh(&self, generation: u64) -> Result<Arc<Snapshot>, String> {
        let shared = Arc::clone(&self.shared);
        // A task of its own: it goes on when the request that began it is gone,
        // and whoever comes next finds it under way.
        let task = async move {
            let work = Work::Refresh(generation);
            shared.work.try_get_with(work, shared.take(generation)).await.map_err(Arc::unwrap_or_clone)
        };
        // Its lines in the log name the request that began it.
        let task = tokio::spawn(task.in_current_span());
        task.await.unwrap_or_else(|error| Err(chain(&error)))
    }

    /// Adds views to a snapshot, or waits for the one who does.
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
        // A panic cannot leave the state half changed: each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

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
        state.history.truncate(REMEMBERED - 1);
        state.history.push_front(Refresh { began, took: began.elapsed(), outcome });
        taken
    }

    /// How long a request waits for a refresh if there is a snapshot to answer from.
    fn patience(&self) -> Duration {
        let state = self.state();
        if state.failure.is_some() {
            return LEAST_PATIENCE;
        }
        let waited = state.refreshing.map_or(Duration::ZERO, |began| began.elapsed());
        PATIENCE.saturating_sub(waited).max(LEAST_PATIENCE)
    }

    /// From now on snapshots have these views too.
    fn ask_for(&self, views: Views) {
        let mut state = self.state();
        state.views = state.views.or(views);
    }

    /// Puts a snapshot with more views in the place of that generation, unless a later one is there.
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

/// Each thing that was left out, once: when it is new.
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
