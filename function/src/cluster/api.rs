//! Objects from a Kubernetes API server.
//!
//! Lists come from the server's watch cache, all kinds at once, and are decoded while
//! they arrive. Once a kind is known, a short watch tells what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{FutureExt, try_join, try_join_all};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{Request, StatusCode};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use target_allocator_core::allocation::ReadScope;
use target_allocator_core::discovery::proxy::EnvironmentProxies;
use target_allocator_core::objects::{Collection, Object};
use target_allocator_core::report::{Outcome, Report};
use tokio::select;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::bearer::Bearer;
use super::connections::Connections;
use super::definition::Definition;
use super::encoding::{Encoding, JSON, Listing, Readable, Unreadable};
use super::follow::{self, Events, Lost};
use super::limits::{Exceeded, Limits, MOST_PAGES, MOST_WHOLE};
use super::list::Pages;
use super::parts::PageMetadata;
use super::proxy;
use super::reading::{Known, Reading};
use super::request::{Answer, Sent, Verb, exceeded, malformed, message_of, next_piece, refused, segment, whole};
use super::resource::{Part, Resource};
use super::trust;
use super::{ClusterError, Kind};
use crate::error::chain;

/// Objects a page; the watch cache may answer more.
const PAGE: u32 = 500;

/// How long to wait for a connection, and for the next piece of an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// An API server.
#[derive(Clone)]
pub struct Api {
    connections: Connections,
    /// The credentials of requests, if the kubeconfig has none.
    bearer: Option<Arc<dyn Bearer>>,
    /// The limits of the refresh that runs.
    limits: Limits,
    /// A list of at least this many bytes is followed by watches.
    worth_following: usize,
}

async fn config(kubeconfig: Kubeconfig, proxies: &EnvironmentProxies) -> Result<Config, ClusterError> {
    let (options, own) = (KubeConfigOptions::default(), proxy::of_context(&kubeconfig));
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(ClusterError::Kubeconfig)?;
    config.proxy_url = proxy::proxy_url(own.as_deref(), &config.cluster_url, proxies)?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    // Whoever waits is better served from the last snapshot than by waiting on.
    config.default_retry = false;
    Ok(config)
}

fn connections(config: Config) -> Result<Connections, ClusterError> {
    Connections::new(move || Client::try_from(config.clone()).map_err(ClusterError::Client))
}

impl Api {
    /// Reads through a client that exists. Lists of `worth_following` bytes are followed by watches.
    pub fn behind(client: Client, worth_following: usize) -> Result<Self, ClusterError> {
        let connections = Connections::new(move || Ok(client.clone()))?;
        Ok(Self { worth_following, ..Self::new(connections, None)? })
    }

    /// Makes a client for the current context of a kubeconfig: the file named, or the usual places.
    pub async fn from_kubeconfig(path: Option<&Path>, proxies: &EnvironmentProxies) -> Result<Self, ClusterError> {
        let kubeconfig = match path {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let config = config(kubeconfig.map_err(ClusterError::Kubeconfig)?, proxies).await?;
        Self::new(connections(config)?, None)
    }

    /// Makes a client for a kubeconfig without credentials: each request carries a token of `bearer`.
    pub async fn with_bearer(
        kubeconfig: serde_json::Value,
        bearer: Arc<dyn Bearer>,
        proxies: &EnvironmentProxies,
    ) -> Result<Self, ClusterError> {
        let kubeconfig = serde_json::from_value(kubeconfig).map_err(|source| ClusterError::Malformed {
            verb: "read",
            resource: "the description of the cluster",
            source: Unreadable::Json(source),
        })?;
        Self::new(connections(config(kubeconfig, proxies).await?)?, Some(bearer))
    }

    fn new(connections: Connections, bearer: Option<Arc<dyn Bearer>>) -> Result<Self, ClusterError> {
        Ok(Self { connections, bearer, limits: Limits::default(), worth_following: follow::WORTH_FOLLOWING })
    }

    /// The same API server, with the limits of one refresh.
    pub(super) fn within(&self, limits: &Limits) -> Self {
        Self { limits: limits.clone(), ..self.clone() }
    }

    /// See [`super::Objects::list`].
    pub async fn list(&self, kinds: &BTreeSet<Kind>, reading: &mut Reading) -> Result<(), ClusterError> {
        let Reading { cluster, parts, keep, limits, scope, .. } = reading;
        let (wanted, api) = (&Wanted { kinds, parts, scope, keep: *keep }, self.within(limits));
        let reads = vec![
            api.read_namespaces(wanted, &mut cluster.namespaces).boxed(),
            api.read_nodes(wanted, &mut cluster.nodes, &mut cluster.unread_nodes).boxed(),
            api.read_kind(Kind::Pod, wanted, &mut cluster.pods).boxed(),
            api.read_kind(Kind::Service, wanted, &mut cluster.services).boxed(),
            api.read_kind(Kind::Endpoints, wanted, &mut cluster.endpoints).boxed(),
            api.read_kind(Kind::EndpointSlice, wanted, &mut cluster.endpoint_slices).boxed(),
            api.read_kind(Kind::Ingress, wanted, &mut cluster.ingresses).boxed(),
            api.read_kind(Kind::ReplicaSet, wanted, &mut cluster.replica_sets).boxed(),
            api.read_kind(Kind::Job, wanted, &mut cluster.jobs).boxed(),
            api.read_kind(Kind::ServiceMonitor, wanted, &mut cluster.service_monitors).boxed(),
            api.read_kind(Kind::PodMonitor, wanted, &mut cluster.pod_monitors).boxed(),
            api.read_kind(Kind::Probe, wanted, &mut cluster.probes).boxed(),
            api.read_kind(Kind::ScrapeConfig, wanted, &mut cluster.scrape_configs).boxed(),
        ];
        for (part, read) in try_join_all(reads).await?.into_iter().flatten() {
            reading.bytes += read.bytes;
            reading.parts.insert(part, read);
        }
        Ok(())
    }

    /// Brings the objects of a kind up to date, if the kind is wanted.
    pub(super) async fn read_kind<T: Readable>(
        &self,
        kind: Kind,
        wanted: &Wanted<'_>,
        collection: &mut Collection<T>,
    ) -> Result<Vec<(Part, Known)>, ClusterError> {
        if !wanted.kinds.contains(&kind) {
            return Ok(Vec::new());
        }
        if let Some(namespaces) = wanted.scope.namespaces_of(kind) {
            return self.read_in_namespaces(kind, namespaces, wanted, collection).await;
        }
        let part = Part::from(kind);
        let known = self.read_part(&part, wanted.known(&part), wanted.keep, collection).await?;
        Ok(vec![(part, known)])
    }

    /// Brings the objects of one list up to date. Objects whose definition is gone are kept for `keep`.
    pub(super) async fn read_part<T: Readable>(
        &self,
        part: &Part,
        mut known: Known,
        keep: Duration,
        collection: &mut Collection<T>,
    ) -> Result<Known, ClusterError> {
        (known.bytes, known.note) = (0, Report::default());
        let (resource, before) = (Resource::of(part), collection.clone());
        let is_harmless = trust::is_harmless(&before, &known);
        let defined = self.update(&resource, &mut known, &before, collection).await?;
        if resource.optional {
            let definition = match defined {
                true if trust::lost_some(&before, collection) => self.definition(&resource).await?,
                true => Definition::Stays,
                false if is_harmless => Definition::Gone,
                false => self.definition(&resource).await?.of_missing_list(),
            };
            trust::keep_undefined(&definition, keep, resource.name, &before, &mut known, collection);
            if !defined {
                trust::check_absent(&definition, resource.name, collection, &mut known)?;
            }
        }
        Ok(known)
    }

    /// Applies what changed if a watch can say so, and reads a list otherwise; false if the kind is not defined.
    async fn update<T: Readable>(
        &self,
        resource: &Resource,
        known: &mut Known,
        before: &Collection<T>,
        collection: &mut Collection<T>,
    ) -> Result<bool, ClusterError> {
        let unreadable = known.unreadable();
        // A watch would not say that kept objects are gone: their deletion is in the past.
        let keeps = known.undefined_since.is_some() || known.doubted_since.is_some();
        let followed = if keeps || known.version.is_empty() || known.list_bytes < self.worth_following {
            Err(Lost("it is listed each time".to_owned()))
        } else {
            self.follow(resource, known, collection).await?
        };
        let followed = followed.and_then(|()| Ok(trust::check_readable(before, &unreadable, collection, known)?));
        let Err(Lost(reason)) = followed else { return Ok(true) };
        debug!(resource = resource.name, reason, "listed");
        let defined = self.list_kind(resource, known, before, collection).await?;
        trust::check_readable(before, &unreadable, collection, known)
            .map_err(|wrong| malformed(resource.name, wrong.into()))?;
        Ok(defined)
    }

    /// Reads all objects of a kind; false if the kind is not defined.
    async fn list_kind<T: Readable>(
        &self,
        resource: &Resource,
        known: &mut Known,
        before: &Collection<T>,
        collection: &mut Collection<T>,
    ) -> Result<bool, ClusterError> {
        let listed = self.list_from(Place::Cache, resource).await?;
        let doubted = listed.as_ref().is_some_and(|(listed, now)| trust::doubts(before, known, listed, &now.version));
        let listed = if doubted { self.list_from(Place::Store, resource).await? } else { listed };
        let defined = listed.is_some();
        // A list that is not found has no version. Without the last version that was seen, the next list could come from
        // a cache that lags behind.
        let (mut listed, mut now) = listed.unwrap_or_else(|| {
            let mut unlisted = Known::default();
            unlisted.seen.clone_from(&known.seen);
            (Collection::default(), unlisted)
        });
        listed.share_with(before);
        now.note = std::mem::take(&mut known.note);
        (now.undefined_since, now.doubted_since) = (known.undefined_since, known.doubted_since);
        (*collection, *known) = (listed, now);
        Ok(defined)
    }

    async fn list_from<T: Readable>(
        &self,
        place: Place,
        resource: &Resource,
    ) -> Result<Option<(Collection<T>, Known)>, ClusterError> {
        let &Resource { name, optional, .. } = resource;
        let (mut pages, list) = (Pages::of(resource.expected::<T>()), resource.path());
        let mut query = match place {
            Place::Cache => format!("limit={PAGE}&resourceVersion=0"),
            Place::Store => format!("limit={PAGE}"),
        };
        for _ in 0..MOST_PAGES {
            let path = format!("{list}?{query}");
            let (mut body, encoding) = match self.send(Verb::List, name, &path, T::ACCEPT).await? {
                Sent::Found(body, encoding) => (body, encoding),
                Sent::NotFound { .. } if optional => return Ok(None),
                Sent::NotFound { message } => return Err(refused(Verb::List, name, StatusCode::NOT_FOUND, message)),
                Sent::Refused { status, message } => return Err(resource.refused(Verb::List, status, message)),
            };
            pages.begin(encoding).map_err(|source| malformed(name, source))?;
            let mut unfinished = 0;
            while let Some(piece) = next_piece(&mut body, Verb::List, name).await? {
                let items = pages.feed(&piece).map_err(|source| malformed(name, source))?;
                unfinished = if items > 0 { 0 } else { unfinished + piece.len() };
                // An item whose end has not arrived is held in memory.
                if unfinished > MOST_WHOLE {
                    return Err(exceeded(Verb::List, name, Exceeded::Whole));
                }
            }
            let Some(next) = pages.end().map_err(|source| malformed(name, source))? else {
                return Ok(Some(pages.finish()));
            };
            query = format!("limit={PAGE}&continue={}", segment(&next));
        }
        Err(exceeded(Verb::List, name, Exceeded::Pages))
    }

    /// Applies what changed since `known.version`.
    async fn follow<T: Readable>(
        &self,
        resource: &Resource,
        known: &mut Known,
        collection: &mut Collection<T>,
    ) -> Result<Result<(), Lost>, ClusterError> {
        let seen = known.seen.clone();
        let (tell, told) = oneshot::channel();
        let version_now = async {
            let asked = Instant::now();
            let now = self.version_now::<T>(resource).await?;
            _ = tell.send(asked.elapsed());
            Ok(now)
        };
        let (followed, (now, bytes)) = try_join(self.watch(resource, told, known, collection), version_now).await?;
        known.bytes += bytes;
        if now.is_empty() {
            return Ok(Err(Lost("the API server does not know the kind".to_owned())));
        }
        if trust::is_older(&now, &seen) {
            return Ok(Err(Lost(format!("the API server is at version {now}, before it was at {seen}"))));
        }
        known.seen = now;
        Ok(followed)
    }

    /// The version that the store of a kind has now, and what reading it took. A watch does not tell: one that is to
    /// begin with a version that the store has not reached, since it was restored from an older state, waits in silence.
    async fn version_now<T: Object>(&self, resource: &Resource) -> Result<(String, usize), ClusterError> {
        let name = resource.name;
        match self.send(Verb::List, name, &format!("{}?limit=1", resource.path()), JSON).await? {
            Sent::Found(body, _) => {
                let body = whole(body, Verb::List, name).await?;
                let mut listing = Listing::new(Encoding::Json);
                let page = listing.feed(&body, |_| ()).and_then(|()| listing.page());
                let expected = resource.expected::<T>().type_meta.list();
                let page = page.and_then(|page| Ok(page.of(&expected)?));
                let PageMetadata { resource_version, .. } = page.map_err(|source| malformed(name, source))?;
                Ok((resource_version, body.len()))
            }
            Sent::NotFound { .. } => Ok((String::new(), 0)),
            Sent::Refused { status, message } => Err(resource.refused(Verb::List, status, message)),
        }
    }

    /// What the API server says about the definition of a custom resource of which objects are missing.
    async fn definition(&self, resource: &Resource) -> Result<Definition, ClusterError> {
        let group = format!("/apis/{}", resource.api_version());
        Ok(match self.send(Verb::Get, resource.name, &group, JSON).await? {
            Sent::Found(body, _) => {
                let document = whole(body, Verb::Get, resource.name).await?;
                Definition::in_discovery(&document, resource.api_version(), resource.name)
            }
            // The last definition of the group is gone, or something before the API server does not know the path.
            Sent::NotFound { .. } => self.group(resource).await?,
            Sent::Refused { status, message } => Definition::Unknown(format!("{status}: {message}")),
        })
    }

    /// What the list of all API groups says about the group of a custom resource.
    async fn group(&self, resource: &Resource) -> Result<Definition, ClusterError> {
        Ok(match self.send(Verb::Get, resource.name, "/apis", JSON).await? {
            Sent::Found(body, _) => {
                let document = whole(body, Verb::Get, resource.name).await?;
                Definition::in_groups(&document, resource.api_version())
            }
            Sent::NotFound { message } => Definition::Unknown(format!("{}: {message}", StatusCode::NOT_FOUND)),
            Sent::Refused { status, message } => Definition::Unknown(format!("{status}: {message}")),
        })
    }

    /// Applies events until a while after the API server has `answered` something else.
    async fn watch<T: Readable>(
        &self,
        resource: &Resource,
        answered: oneshot::Receiver<Duration>,
        known: &mut Known,
        collection: &mut Collection<T>,
    ) -> Result<Result<(), Lost>, ClusterError> {
        let name = resource.name;
        let query = format!(
            "watch=1&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
            follow::SECONDS,
            segment(&known.version)
        );
        let began = Instant::now();
        let path = format!("{}?{query}", resource.path());
        let (mut body, encoding) = match self.send(Verb::Watch, name, &path, T::ACCEPT).await? {
            Sent::Found(body, encoding) => (body, encoding),
            Sent::NotFound { message } | Sent::Refused { status: StatusCode::GONE, message } => {
                return Ok(Err(Lost(message)));
            }
            Sent::Refused { status: StatusCode::FORBIDDEN, message } => {
                let (role, example) = resource.role();
                let reason =
                    format_args!("read as a whole at each refresh, grant watch beside list ({example}): {message}");
                known.note.push(role, Outcome::Adjusted, "", reason);
                return Ok(Err(Lost(message)));
            }
            Sent::Refused { status, message } => return Err(resource.refused(Verb::Watch, status, message)),
        };
        let mut events = match Events::new::<T>(encoding, resource.expected::<T>()) {
            Ok(events) => events,
            Err(lost) => return Ok(Err(lost)),
        };
        let (answered, mut unfinished) = (answered.shared(), 0);
        // The API server ends a watch in time. Another server may send bookmarks without an end, or stop in the middle
        // of an event.
        let mut too_long = pin!(sleep_until(began + follow::LONGEST));
        loop {
            let piece = select! {
                biased;
                () = &mut too_long => return Ok(Err(Lost("the watch does not end".to_owned()))),
                piece = next_piece(&mut body, Verb::Watch, name) => piece,
                () = follow::silence(answered.clone()), if events.is_complete() => return Ok(Ok(())),
            };
            let piece = match piece {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                // By a server that shuts down, or while the function was frozen: another connection may do.
                Err(error) => return Ok(Err(Lost(chain(&error)))),
            };
            known.bytes += piece.len();
            unfinished += piece.len();
            if unfinished > MOST_WHOLE {
                return Ok(Err(Lost("an event of the watch does not end".to_owned())));
            }
            if let Err(lost) = events.feed(&piece, known, collection) {
                return Ok(Err(lost));
            }
            if events.is_complete() {
                unfinished = 0;
            }
        }
        // Ended before its time, by a server that shuts down for example, it may not have told all.
        let lasted = began.elapsed() >= Duration::from_millis(follow::SECONDS * 900);
        Ok(if lasted && events.is_complete() { Ok(()) } else { Err(Lost("the watch ended early".to_owned())) })
    }

    /// Sends a request, and tells apart a found object, a missing one and a refusal.
    async fn send(
        &self,
        verb: Verb,
        resource: &'static str,
        path_and_query: &str,
        accept: &'static str,
    ) -> Result<Sent, ClusterError> {
        let (status, answer) = self.respond(verb, resource, path_and_query, accept).await?;
        if status == StatusCode::OK {
            let encoding = answer.encoding;
            return Ok(Sent::Found(answer, encoding));
        }
        let message = message_of(&whole(answer, verb, resource).await?);
        Ok(match status {
            StatusCode::NOT_FOUND => Sent::NotFound { message },
            _ => Sent::Refused { status, message },
        })
    }

    /// Sends a request; gives the status and the body before it is read.
    pub(super) async fn respond(
        &self,
        verb: Verb,
        resource: &'static str,
        path_and_query: &str,
        accept: &'static str,
    ) -> Result<(StatusCode, Answer), ClusterError> {
        let unreachable = |source| ClusterError::Unreachable { verb: verb.name(), resource, source };
        let mut request = Request::get(path_and_query)
            .header(ACCEPT, accept)
            .body(())
            .map_err(|error| unreachable(kube::Error::HttpError(error)))?;
        if let Some(bearer) = &self.bearer {
            let bearer = bearer.bearer().await.map_err(ClusterError::Token)?;
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        let response = self.connections.send(&request).await.map_err(unreachable)?;
        let (status, encoding) = (response.status(), Encoding::of(response.headers()));
        Ok((status, Answer { body: response.into_body(), encoding, limits: self.limits.clone() }))
    }
}

/// What one call reads.
pub(super) struct Wanted<'a> {
    /// Kinds that are read.
    pub(super) kinds: &'a BTreeSet<Kind>,
    /// What is known of each list from before.
    pub(super) parts: &'a BTreeMap<Part, Known>,
    /// Namespaces that are read.
    pub(super) scope: &'a ReadScope,
    /// How long objects are kept whose definition is gone, or that may not be read any more.
    pub(super) keep: Duration,
}

impl Wanted<'_> {
    /// What is known of a list from before.
    pub(super) fn known(&self, part: &Part) -> Known {
        self.parts.get(part).cloned().unwrap_or_default()
    }
}

/// Where the API server takes a list from.
#[derive(Clone, Copy)]
enum Place {
    /// Its memory, which costs little and may be behind.
    Cache,
    /// Where it keeps everything.
    Store,
}
