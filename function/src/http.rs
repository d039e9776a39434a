//! Handles one event: finds the route, checks the caller and builds the answer.
//!
//! Input: an event of API Gateway, a function URL or a load balancer. Output: an HTTP answer. `route` finds the cluster
//! and the route of the path. `caller` reads the result of the authorizer. The row of the route defines its permission
//! and its handler. Each failure has a status other than 200 and the body `{"message": "..."}`. A collector therefore
//! never reads a failure as an empty list.

mod answer;
mod caller;
mod event;
mod job_path;
mod lists;
mod prefix;
mod request;
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
use target_allocator_core::access::{Access, Caller, ClusterAccess, Denied, Reader};
use tracing::error;

use crate::cluster::Objects;
use crate::error::chain;
use crate::external::Externals;
use crate::metrics::{self, Meter};
use crate::pages::Page;
use crate::settings::{NamedSource, ResponseMode, Settings};
use crate::snapshot::{NotServed, Recipe, Snapshot, SnapshotError, Snapshots};
use answer::{Answer, Status};
use event::Asked;
pub use event::Event;
use request::Request;
use route::{Found, Located, Permission, Route};
pub use send::Pieces;

/// The part of the function's time that is reserved for sending the answer.
const RESERVE: Duration = Duration::from_millis(500);

/// The maximum time for an answer if the event has no deadline, or a distant one.
const NO_DEADLINE: Duration = Duration::from_secs(25);

/// The service that answers events.
#[derive(Clone)]
pub struct Service {
    state: Arc<State>,
    mode: ResponseMode,
    meter: Option<Arc<Meter>>,
}

enum State {
    Ready(Served),
    /// The settings are invalid. Every answer contains the error.
    Misconfigured(String),
}

/// The clusters and the limits of a service with valid settings.
struct Served {
    clusters: Vec<Cluster>,
    /// The part of a path before the name of a cluster.
    base_path: Option<String>,
}

/// A served cluster.
struct Cluster {
    name: Option<String>,
    /// The access rules of the cluster.
    access: ClusterAccess,
    objects: Objects,
    snapshots: Snapshots,
}

/// The patterns of all routes. `{job}` and `{pipeline}` are placeholders for names.
pub fn patterns() -> impl Iterator<Item = &'static str> {
    route::ROUTES.iter().map(|route| route.pattern)
}

impl Service {
    /// A service with these settings. If they are invalid, every answer of the service contains the error.
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

    /// Sets the mode in which answers are sent. It also applies if the settings are invalid, because the gateway
    /// expects one format for all answers.
    #[must_use]
    pub fn responding(self, mode: ResponseMode) -> Self {
        Self { mode, ..self }
    }

    /// Enables the output of metrics.
    #[must_use]
    pub fn counting(self, meter: Option<Meter>) -> Self {
        Self { meter: meter.map(Arc::new), ..self }
    }

    /// Answers one event.
    ///
    /// # Errors
    /// [`Error`] if the kind of the event is unknown.
    pub async fn handle(
        &self,
        event: LambdaEvent<Event>,
    ) -> Result<FunctionResponse<impl Serialize + use<>, Pieces>, Error> {
        let LambdaEvent { mut payload, context, .. } = event;
        let mut asked = Asked::take(&mut payload);
        let streams = send::streams(self.mode, &payload.request, asked.decoded);
        let path = take(&mut asked.path);
        let located = self.locate(&path);
        let route = located.found.as_ref().map_or("none", |found| found.route.name);
        let most = if streams { usize::MAX } else { send::MOST_BYTES };
        let answer = self.answer(&path, &located, &mut asked, budget(context.deadline), most).await;
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

    /// The served clusters. Empty if the settings are invalid.
    fn clusters(&self) -> &[Cluster] {
        match self.state.as_ref() {
            State::Ready(served) => &served.clusters,
            State::Misconfigured(_) => &[],
        }
    }

    /// The ages of the snapshots.
    fn ages(&self) -> impl Iterator<Item = Duration> {
        self.clusters().iter().map(|cluster| cluster.snapshots.age())
    }

    /// Finds the cluster and the route of a path.
    fn locate<'p>(&self, path: &'p str) -> Located<'p, '_, Cluster> {
        match self.state.as_ref() {
            State::Ready(Served { clusters, base_path }) => {
                route::locate(path, base_path.as_deref(), clusters, |cluster| cluster.name.as_deref())
            }
            State::Misconfigured(_) => Located { found: route::find(path), cluster: None },
        }
    }

    async fn answer(
        &self,
        path: &str,
        located: &Located<'_, '_, Cluster>,
        asked: &mut Asked,
        budget: Duration,
        most: usize,
    ) -> Answer {
        let Some(found) = &located.found else { return self.no_route(path, located.cluster) };
        if !asked.reads {
            return Answer::error(Status::MethodNotAllowed, "only GET and HEAD are answered");
        }
        if found.route.permission == Permission::Always {
            return Answer::empty();
        }
        let page = screens::page(found.route, asked);
        let failed = |status, message: &dyn Display| match page {
            Some(page) => screens::failure(page, status, message),
            None => Answer::error(status, message),
        };
        if let State::Misconfigured(message) = self.state.as_ref() {
            return failed(Status::Internal, message);
        }
        let Some(cluster) = located.cluster else {
            if page == Some(Page::Overview) {
                return screens::clusters(&self.names());
            }
            return failed(Status::NotFound, &self.name_a_cluster());
        };
        match cluster.permitted(budget, found, asked).await {
            Ok(Ok(snapshot)) => {
                let answer = match (snapshot.served(found.pipeline), page) {
                    (Err(error @ NotServed::Refused(_)), _) => failed(Status::Unavailable, &error),
                    (Err(error @ (NotServed::NoPipelines(_) | NotServed::Unknown { .. })), _) => {
                        failed(Status::NotFound, &error)
                    }
                    (Ok(served), Some(page)) => screens::answer(page, &snapshot, served, &cluster.snapshots, asked),
                    (Ok(served), None) => {
                        let (merged, rests) = (found.route.is_merged(), found.rests.as_slice());
                        (found.route.answer)(&Request { snapshot: &snapshot, served, merged, rests, asked, most })
                    }
                };
                answer.aged(snapshot.age())
            }
            Ok(Err(denied)) => Answer::denied(&denied),
            Err(error @ (SnapshotError::Unavailable(_) | SnapshotError::OutOfTime)) => {
                failed(Status::Unavailable, &error)
            }
        }
    }

    fn names(&self) -> Vec<&str> {
        self.clusters().iter().filter_map(|cluster| cluster.name.as_deref()).collect()
    }

    /// The answer to a path without a route.
    fn no_route(&self, path: &str, cluster: Option<&Cluster>) -> Answer {
        // If a route follows later in the path, the beginning of the path is not the name of a cluster.
        if cluster.is_none() && self.clusters().len() > 1 && route::find(path).is_some() {
            return Answer::error(Status::NotFound, self.name_a_cluster());
        }
        Answer::error(Status::NotFound, format_args!("there is nothing at this path: {path}"))
    }

    fn name_a_cluster(&self) -> String {
        format!(
            "the path must begin with the name of a cluster, or with BASE_PATH and that name, one of: {}",
            self.names().join(", ")
        )
    }
}

impl Cluster {
    /// The snapshot for the answer, if the caller has permission.
    async fn permitted(
        &self,
        budget: Duration,
        found: &Found<'_>,
        asked: &mut Asked,
    ) -> Result<Result<Arc<Snapshot>, Denied>, SnapshotError> {
        let (began, views) = (Instant::now(), found.route.views);
        let snapshot = self.snapshots.get(budget, views).await?;
        if let Err(denied) = self.permit(&snapshot.access, found.route, asked) {
            return Ok(Err(denied));
        }
        let Some(collector) = found.collector(asked) else { return Ok(Ok(snapshot)) };
        self.snapshots.get_for(collector, snapshot, budget.saturating_sub(began.elapsed()), views).await.map(Ok)
    }

    /// Checks that the caller may use the route. If the request names no collector, sets the collector of the caller.
    fn permit(&self, access: &Access, route: &Route, asked: &mut Asked) -> Result<(), Denied> {
        match route.permission {
            // Health checks need no permission. Their answers contain no data.
            Permission::Always | Permission::Anyone => {}
            Permission::Admitted => asked.reader = self.admit(access, &asked.caller)?,
            Permission::AllShares => {
                asked.reader = self.admit(access, &asked.caller)?;
                access.all_shares(&asked.caller)?;
            }
            Permission::Share => {
                asked.reader = self.admit(access, &asked.caller)?;
                asked.collector_id = access.share(&asked.caller, asked.collector_id.as_deref())?;
            }
        }
        Ok(())
    }

    /// The part of the cluster's data that the caller may see.
    fn admit(&self, access: &Access, caller: &Caller) -> Result<Reader, Denied> {
        self.access.admit(caller, self.objects.issuer().as_deref())?;
        access.admit(caller)
    }
}

async fn open(settings: Settings) -> anyhow::Result<Served> {
    let Settings { clusters, base_path, config, freshness, target_labels, secrets, secret_rotation, place } = settings;
    let config = Arc::new(config);
    let mut opened = Vec::new();
    for NamedSource { name, source, access } in clusters {
        let objects = Objects::open(&source, &place.proxies).await?;
        let externals = Arc::new(Externals::new(&config, place.clone()));
        let config = Arc::clone(&config);
        let keep = freshness.max_stale;
        let recipe = Recipe { config, externals, target_labels, secrets, secret_rotation, keep };
        let snapshots = Snapshots::new(objects.clone(), recipe, freshness);
        opened.push(Cluster { name, access, objects, snapshots });
    }
    Ok(Served { clusters: opened, base_path })
}

/// The time for an answer. `deadline` is in milliseconds since 1970.
fn budget(deadline: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // A deadline in the past is ignored, because `cargo lambda watch` sends such deadlines. A distant deadline is
    // ignored, because no gateway waits for that long: the clock was set back.
    let left = Duration::from_millis(deadline).checked_sub(now).map(|left| left.saturating_sub(RESERVE));
    left.map_or(NO_DEADLINE, |left| left.min(NO_DEADLINE))
}
