//! From an event to an answer.
//!
//! Input: an event of API Gateway, a function URL or a load balancer. Output: an HTTP answer.
//! The path finds the cluster and the route (`route`), the authorizer's result the caller
//! (`caller`), and the route's row says who may ask and what is answered. Any failure is a status
//! other than 200 with a body `{"message": "..."}`, which no collector takes for an empty list.

mod answer;
mod caller;
mod event;
mod lists;
mod prefix;
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
use crate::snapshot::{Recipe, Snapshot, SnapshotError, Snapshots};
use answer::{Answer, Status};
use event::Asked;
pub use event::Event;
use route::{Found, Located, Permission, Request, Route};
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
    Ready(Served),
    /// The settings are wrong: every answer says so.
    Misconfigured(String),
}

/// What is served.
struct Served {
    clusters: Vec<Cluster>,
    /// What stands before a cluster's name in paths.
    base_path: Option<String>,
}

/// A cluster that is served.
struct Cluster {
    name: Option<String>,
    /// Who may ask for it.
    access: ClusterAccess,
    objects: Objects,
    snapshots: Snapshots,
}

/// The patterns of all routes, in which `{job}` stands for the name of a job.
pub fn patterns() -> impl Iterator<Item = &'static str> {
    route::ROUTES.iter().map(|route| route.pattern)
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

    /// The clusters that are served; none while the settings are wrong.
    fn clusters(&self) -> &[Cluster] {
        match self.state.as_ref() {
            State::Ready(served) => &served.clusters,
            State::Misconfigured(_) => &[],
        }
    }

    /// How old the snapshots are.
    fn ages(&self) -> impl Iterator<Item = Duration> {
        self.clusters().iter().map(|cluster| cluster.snapshots.age())
    }

    /// What a path is about.
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
                let answer = match page {
                    Some(page) => screens::answer(page, &snapshot, &cluster.snapshots, asked),
                    None => (found.route.answer)(&Request { snapshot: &snapshot, found, asked, most }),
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

    /// What is wrong with a path that has no route.
    fn no_route(&self, path: &str, cluster: Option<&Cluster>) -> Answer {
        // A route further on means that something stands before the name of the cluster.
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
    /// The snapshot to answer from, if the caller may ask for it.
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

    /// Whether the caller may ask for this route. A share that is not named becomes the caller's own.
    fn permit(&self, access: &Access, route: &Route, asked: &mut Asked) -> Result<(), Denied> {
        match route.permission {
            // For health checks: the answer says only that the function can answer.
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

    /// What the caller may see of this cluster.
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

/// How long the answer may take; `deadline` is in milliseconds since 1970.
fn budget(deadline: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // A deadline that was over before the event came is none: `cargo lambda watch` sends such. One that is far off is
    // none either: the clock was set back, and no gateway waits for so long.
    let left = Duration::from_millis(deadline).checked_sub(now).map(|left| left.saturating_sub(RESERVE));
    left.map_or(NO_DEADLINE, |left| left.min(NO_DEADLINE))
}
