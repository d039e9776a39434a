//! From an event to an answer.
//!
//! Input: an event of API Gateway, a function URL or an ALB. Output: an HTTP
//! answer. Maps URLs to what snapshots hold and knows nothing else. Any failure
//! is a status other than 200 with a body `{"message": "..."}`, which no collector
//! takes for an empty list.

mod answer;
mod caller;
mod event;
mod lists;
mod route;
mod screens;
mod send;

use std::fmt::Display;
use std::mem::take;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_http::Error;
use lambda_http::lambda_runtime::{FunctionResponse, LambdaEvent};
use serde::Serialize;
use target_allocator_core::access::{Access, Denied};
use tracing::error;

use crate::cluster::Objects;
use crate::error::chain;
use crate::external::Externals;
use crate::metrics::{self, Meter};
use crate::pages::Page;
use crate::settings::{ResponseMode, Settings};
use crate::snapshot::{Recipe, Snapshot, SnapshotError, Snapshots};
use answer::{Answer, Status};
use event::Asked;
pub use event::Event;
use route::{Route, Routed};
pub use send::Pieces;

/// What is left of the function's time for writing the answer.
const RESERVE: Duration = Duration::from_millis(500);

/// How long an answer may take where the event has no deadline, or a far one.
const NO_DEADLINE: Duration = Duration::from_secs(25);

/// Answers events.
#[derive(Clone)]
pub struct Service {
    state: Arc<State>,
    mode: ResponseMode,
    meter: Option<Arc<Meter>>,
}

enum State {
    Ready(Vec<NamedSnapshots>),
    /// The settings are wrong: every answer says so.
    Misconfigured(String),
}

struct NamedSnapshots {
    name: Option<String>,
    snapshots: Snapshots,
}

impl Service {
    /// A service for these settings; if they are wrong, one that says so in every answer.
    pub async fn new(settings: anyhow::Result<Settings>) -> Self {
        let opened = match settings {
            Ok(settings) => open(settings).await,
            Err(error) => Err(error),
        };
        let state = opened.map_or_else(
            |error| {
                let message = chain(error.as_ref());
                error!(error = message, "the function is not configured");
                State::Misconfigured(message)
            },
            State::Ready,
        );
        Self { state: Arc::new(state), mode: ResponseMode::Buffer, meter: None }
    }

    /// The same, with answers that are sent so: whatever else is wrong, a failure must
    /// have the form that the gateway expects.
    #[must_use]
    pub fn responding(self, mode: ResponseMode) -> Self {
        Self { mode, ..self }
    }

    /// The same, writing what is counted.
    #[must_use]
    pub fn counting(self, meter: Option<Meter>) -> Self {
        Self { meter: meter.map(Arc::new), ..self }
    }

    /// Answers one event.
    ///
    /// # Errors
    /// When the event is of none of the known kinds.
    pub async fn handle(
        &self,
        event: LambdaEvent<Event>,
    ) -> Result<FunctionResponse<impl Serialize + use<>, Pieces>, Error> {
        let LambdaEvent { mut payload, context, .. } = event;
        let mut asked = Asked::take(&mut payload);
        let streams = send::streams(self.mode, &payload.request, asked.decoded);
        let route = route::find(&asked.path).map_or("none", |routed| routed.name());
        let most = if streams { usize::MAX } else { send::MOST_BYTES };
        let answer = self.answer(&mut asked, budget(context.deadline), most).await;
        let sent = answer.sent(&asked, streams);
        metrics::answered(route, sent.status.as_u16());
        if let Some(meter) = &self.meter {
            meter.write_when_due(self.ages());
        }
        if streams {
            return Ok(FunctionResponse::StreamingResponse(send::streamed(sent)));
        }
        send::buffered(sent, payload.request, context).await
    }

    /// How old the snapshots are.
    fn ages(&self) -> impl Iterator<Item = Duration> {
        let clusters = match self.state.as_ref() {
            State::Ready(clusters) => clusters.as_slice(),
            State::Misconfigured(_) => &[],
        };
        clusters.iter().map(|cluster| cluster.snapshots.age())
    }

    async fn answer(&self, asked: &mut Asked, budget: Duration, most: usize) -> Answer {
        let path = take(&mut asked.path);
        let Some(routed) = route::find(&path) else {
            return Answer::error(Status::NotFound, format_args!("there is nothing at this path: {path}"));
        };
        if !asked.reads {
            return Answer::error(Status::MethodNotAllowed, "only GET and HEAD are answered");
        }
        if matches!(routed.route, Route::Live) {
            return Answer::empty();
        }
        let page = screens::page(&routed, asked);
        let failed = |status, message: &dyn Display| match page {
            Some(page) => screens::failure(page, status, message),
            None => Answer::error(status, message),
        };
        let clusters = match self.state.as_ref() {
            State::Ready(clusters) => clusters,
            State::Misconfigured(message) => return failed(Status::Internal, message),
        };
        let Some(cluster) = route::cluster_of(routed.base, clusters, |cluster| cluster.name.as_deref()) else {
            let names: Vec<_> = clusters.iter().filter_map(|cluster| cluster.name.as_deref()).collect();
            if page == Some(Page::Overview) {
                return screens::clusters(&names);
            }
            let message = format!("name a cluster before the route, one of: {}", names.join(", "));
            return failed(Status::NotFound, &message);
        };
        match permitted(&cluster.snapshots, budget, &routed, asked).await {
            Ok(Ok(snapshot)) => {
                let answer = match page {
                    Some(page) => screens::answer(page, &snapshot, &cluster.snapshots, asked),
                    None => lists::answer(&snapshot, &routed, asked, most),
                };
                answer.aged(snapshot.age())
            }
            Ok(Err(denied)) => Answer::denied(&denied),
            Err(error @ (SnapshotError::Unavailable(_) | SnapshotError::OutOfTime)) => {
                failed(Status::Unavailable, &error)
            }
        }
    }
}

/// The snapshot to answer from, if that may be asked.
async fn permitted(
    snapshots: &Snapshots,
    budget: Duration,
    routed: &Routed<'_>,
    asked: &mut Asked,
) -> Result<Result<Arc<Snapshot>, Denied>, SnapshotError> {
    let (began, views) = (Instant::now(), lists::views(routed));
    let snapshot = snapshots.get(budget, views).await?;
    if let Err(denied) = permit(&snapshot.access, routed, asked) {
        return Ok(Err(denied));
    }
    let Some(collector) = lists::whose(routed, asked) else { return Ok(Ok(snapshot)) };
    snapshots.get_for(collector, snapshot, budget.saturating_sub(began.elapsed()), views).await.map(Ok)
}

/// Whether that may be asked; a share that is not named becomes the asker's own.
fn permit(access: &Access, routed: &Routed<'_>, asked: &mut Asked) -> Result<(), Denied> {
    match routed.route {
        // For those who watch over the function: it says nothing but that it can answer.
        Route::Live | Route::Ready => Ok(()),
        Route::Index | Route::ScrapeConfigs | Route::Jobs | Route::Report => access.admit(&asked.caller),
        // They tell of all shares.
        Route::Explain | Route::Page(_) => {
            access.admit(&asked.caller)?;
            access.all_shares(&asked.caller)
        }
        Route::Targets(_) | Route::PlainTargets => {
            access.admit(&asked.caller)?;
            asked.collector_id = access.share(&asked.caller, asked.collector_id.as_deref())?;
            Ok(())
        }
    }
}

async fn open(settings: Settings) -> anyhow::Result<Vec<NamedSnapshots>> {
    let Settings { clusters, config, freshness, target_labels, secrets, secret_rotation, place } = settings;
    let config = Arc::new(config);
    let mut opened = Vec::new();
    for cluster in clusters {
        let objects = Objects::open(&cluster.source).await?;
        let externals = Arc::new(Externals::new(&config, place.clone()));
        let config = Arc::clone(&config);
        let keep = freshness.max_stale;
        let recipe = Recipe { config, externals, target_labels, secrets, secret_rotation, keep };
        opened.push(NamedSnapshots { name: cluster.name, snapshots: Snapshots::new(objects, recipe, freshness) });
    }
    Ok(opened)
}

/// How long the answer may take; `deadline` is in milliseconds since 1970.
fn budget(deadline: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // A deadline that was over before the event came is none: `cargo lambda watch` sends such. One that is far off is
    // none either: the clock was set back, and no gateway waits for so long.
    let left = Duration::from_millis(deadline).checked_sub(now).map(|left| left.saturating_sub(RESERVE));
    left.map_or(NO_DEADLINE, |left| left.min(NO_DEADLINE))
}
