//! Objects from a Kubernetes API server.
//!
//! Lists come from the server's watch cache, all kinds at once, and are decoded while
//! they arrive. Once a kind is known, a short watch tells what changed.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::{FutureExt, try_join, try_join_all};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use target_allocator_core::monitors::ReferencedObject;
use target_allocator_core::objects::{Collection, Object};
use target_allocator_core::report::{ObjectRef, Outcome, Report};
use tokio::select;
use tokio::sync::oneshot;
use tracing::debug;

use super::eks::token::Tokens;
use super::encoding::{Encoded, Encoding, JSON, Listing, Readable, Unreadable};
use super::error::advice;
use super::follow::{self, Events, Lost};
use super::list::Pages;
use super::parts::{PageMetadata, TypeMeta};
use super::protobuf;
use super::reading::{Known, Reading};
use super::trust::{self, Definition};
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
    client: Client,
    /// What requests carry where the kubeconfig has no credentials.
    tokens: Option<Tokens>,
    /// Lists of that many bytes are followed by watches.
    worth_following: usize,
}

/// Where a kind is listed, and whether it may be missing from the server.
struct Resource {
    path: &'static str,
    name: &'static str,
    optional: bool,
}

impl Resource {
    /// Such as `apps/v1`.
    fn api_version(&self) -> &'static str {
        let group = self.path.rsplit_once('/').map_or("", |(group, _)| group);
        group.trim_start_matches("/apis/").trim_start_matches("/api/")
    }

    /// The type of its objects.
    fn type_meta<T: Object>(&self) -> TypeMeta {
        TypeMeta { api_version: self.api_version().to_owned(), kind: T::KIND.to_owned() }
    }
}

/// Custom resources are optional: their definitions may be installed later.
const fn resource(kind: Kind) -> Resource {
    let (path, name, optional) = match kind {
        Kind::Namespace => ("/api/v1/namespaces", "namespaces", false),
        Kind::Node => ("/api/v1/nodes", "nodes", false),
        Kind::Pod => ("/api/v1/pods", "pods", false),
        Kind::Service => ("/api/v1/services", "services", false),
        Kind::Endpoints => ("/api/v1/endpoints", "endpoints", false),
        Kind::EndpointSlice => ("/apis/discovery.k8s.io/v1/endpointslices", "endpointslices", false),
        Kind::Ingress => ("/apis/networking.k8s.io/v1/ingresses", "ingresses", false),
        Kind::ReplicaSet => ("/apis/apps/v1/replicasets", "replicasets", false),
        Kind::Job => ("/apis/batch/v1/jobs", "jobs", false),
        Kind::ServiceMonitor => ("/apis/monitoring.coreos.com/v1/servicemonitors", "servicemonitors", true),
        Kind::PodMonitor => ("/apis/monitoring.coreos.com/v1/podmonitors", "podmonitors", true),
        Kind::Probe => ("/apis/monitoring.coreos.com/v1/probes", "probes", true),
        Kind::ScrapeConfig => ("/apis/monitoring.coreos.com/v1alpha1/scrapeconfigs", "scrapeconfigs", true),
    };
    Resource { path, name, optional }
}

async fn config(kubeconfig: Kubeconfig) -> Result<Config, ClusterError> {
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(ClusterError::Kubeconfig)?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    // Whoever waits is better served from the last snapshot than by waiting on.
    config.default_retry = false;
    Ok(config)
}

impl Api {
    /// Reads through a client that exists. Lists of `worth_following` bytes are followed by watches.
    pub const fn behind(client: Client, worth_following: usize) -> Self {
        Self { client, tokens: None, worth_following }
    }

    /// Makes a client for the current context of a kubeconfig: the file named, or the usual places.
    pub async fn from_kubeconfig(path: Option<&Path>) -> Result<Self, ClusterError> {
        let kubeconfig = match path {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let config = config(kubeconfig.map_err(ClusterError::Kubeconfig)?).await?;
        let client = Client::try_from(config).map_err(ClusterError::Client)?;
        Ok(Self { client, tokens: None, worth_following: follow::WORTH_FOLLOWING })
    }

    /// Makes a client for a kubeconfig without credentials: each request carries one of `tokens`.
    pub async fn with_tokens(kubeconfig: serde_json::Value, tokens: Tokens) -> Result<Self, ClusterError> {
        let kubeconfig = serde_json::from_value(kubeconfig).map_err(|source| ClusterError::Malformed {
            verb: "read",
            resource: "the description of the EKS cluster",
            source: Unreadable::Json(source),
        })?;
        let client = Client::try_from(config(kubeconfig).await?).map_err(ClusterError::Client)?;
        Ok(Self { client, tokens: Some(tokens), worth_following: follow::WORTH_FOLLOWING })
    }

    /// See [`super::Objects::list`].
    pub async fn list(&self, kinds: &BTreeSet<Kind>, reading: &mut Reading) -> Result<(), ClusterError> {
        let Reading { cluster, kinds: known, keep, .. } = reading;
        let keep = *keep;
        let take = |kind: Kind| Asked {
            wanted: kinds.contains(&kind),
            kind,
            known: known.get(&kind).cloned().unwrap_or_default(),
            keep,
        };
        let reads = vec![
            self.read_kind(take(Kind::Namespace), &mut cluster.namespaces).boxed(),
            self.read_kind(take(Kind::Node), &mut cluster.nodes).boxed(),
            self.read_kind(take(Kind::Pod), &mut cluster.pods).boxed(),
            self.read_kind(take(Kind::Service), &mut cluster.services).boxed(),
            self.read_kind(take(Kind::Endpoints), &mut cluster.endpoints).boxed(),
            self.read_kind(take(Kind::EndpointSlice), &mut cluster.endpoint_slices).boxed(),
            self.read_kind(take(Kind::Ingress), &mut cluster.ingresses).boxed(),
            self.read_kind(take(Kind::ReplicaSet), &mut cluster.replica_sets).boxed(),
            self.read_kind(take(Kind::Job), &mut cluster.jobs).boxed(),
            self.read_kind(take(Kind::ServiceMonitor), &mut cluster.service_monitors).boxed(),
            self.read_kind(take(Kind::PodMonitor), &mut cluster.pod_monitors).boxed(),
            self.read_kind(take(Kind::Probe), &mut cluster.probes).boxed(),
            self.read_kind(take(Kind::ScrapeConfig), &mut cluster.scrape_configs).boxed(),
        ];
        for (kind, read) in try_join_all(reads).await?.into_iter().flatten() {
            reading.bytes += read.bytes;
            reading.kinds.insert(kind, read);
        }
        Ok(())
    }

    /// See [`super::Objects::get`].
    pub async fn get(
        &self,
        references: &BTreeSet<ReferencedObject>,
        reading: &mut Reading,
    ) -> Result<(), ClusterError> {
        let fetched = references.iter().map(async |reference| {
            let (resource, namespace, name) = match reference {
                ReferencedObject::Secret { namespace, name } => ("secrets", namespace, name),
                ReferencedObject::ConfigMap { namespace, name } => ("configmaps", namespace, name),
            };
            let path = format!("/api/v1/namespaces/{}/{resource}/{}", segment(namespace), segment(name));
            Ok::<_, ClusterError>((reference, self.fetch(resource, &path).await?))
        });
        let (mut secrets, mut config_maps, mut known) =
            (Collection::default(), Collection::default(), Known::default());
        for (reference, answer) in try_join_all(fetched).await? {
            let Some(body) = answer else { continue };
            reading.bytes += body.len();
            match reference {
                ReferencedObject::Secret { .. } => known.put(Encoded::Json(&body), &mut secrets),
                ReferencedObject::ConfigMap { .. } => known.put(Encoded::Json(&body), &mut config_maps),
            }
        }
        secrets.share_with(&reading.cluster.secrets);
        config_maps.share_with(&reading.cluster.config_maps);
        (reading.cluster.secrets, reading.cluster.config_maps) = (secrets, config_maps);
        reading.assets = known.report();
        Ok(())
    }

    /// Brings the objects of a kind up to date.
    async fn read_kind<T: Readable>(
        &self,
        Asked { wanted, kind, mut known, keep }: Asked,
        collection: &mut Collection<T>,
    ) -> Result<Option<(Kind, Known)>, ClusterError> {
        if !wanted {
            return Ok(None);
        }
        (known.bytes, known.note) = (0, Report::default());
        let (resource, before) = (resource(kind), collection.clone());
        let defined = self.update(&resource, &mut known, &before, collection).await?;
        if resource.optional {
            let definition = match defined {
                false => Definition::Goes,
                true if trust::lost_some(&before, collection) => self.definition(&resource).await?,
                true => Definition::Stays,
            };
            trust::keep_undefined(&definition, keep, resource.name, &before, &mut known, collection);
        }
        Ok(Some((kind, known)))
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
        let (mut listed, mut now) = listed.unwrap_or_default();
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
        let &Resource { path, name, optional } = resource;
        let mut pages = Pages::of(resource.type_meta::<T>());
        let mut query = match place {
            Place::Cache => format!("limit={PAGE}&resourceVersion=0"),
            Place::Store => format!("limit={PAGE}"),
        };
        loop {
            let path = format!("{path}?{query}");
            let (mut body, encoding) = match self.send(Verb::List, name, &path, T::ACCEPT).await? {
                Sent::Found(body, encoding) => (body, encoding),
                Sent::NotFound { .. } if optional => return Ok(None),
                Sent::NotFound { message } => return Err(refused(Verb::List, name, StatusCode::NOT_FOUND, message)),
                Sent::Refused { status, message } => return Err(refused(Verb::List, name, status, message)),
            };
            pages.begin(encoding).map_err(|source| malformed(name, source))?;
            while let Some(piece) = next_piece(&mut body, Verb::List, name).await? {
                pages.feed(&piece).map_err(|source| malformed(name, source))?;
            }
            let Some(next) = pages.end().map_err(|source| malformed(name, source))? else {
                return Ok(Some(pages.finish()));
            };
            query = format!("limit={PAGE}&continue={}", utf8_percent_encode(&next, NON_ALPHANUMERIC));
        }
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
        let &Resource { path, name, .. } = resource;
        match self.send(Verb::List, name, &format!("{path}?limit=1"), JSON).await? {
            Sent::Found(body, _) => {
                let body = whole(body, Verb::List, name).await?;
                let mut listing = Listing::new(Encoding::Json);
                let page = listing.feed(&body, |_| ()).and_then(|()| listing.page());
                let expected = resource.type_meta::<T>().list();
                let page = page.and_then(|page| Ok(page.of(&expected)?));
                let PageMetadata { resource_version, .. } = page.map_err(|source| malformed(name, source))?;
                Ok((resource_version, body.len()))
            }
            Sent::NotFound { .. } => Ok((String::new(), 0)),
            Sent::Refused { status, message } => Err(refused(Verb::List, name, status, message)),
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
            // The last definition of the group is gone.
            Sent::NotFound { .. } => Definition::Goes,
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
        let &Resource { path, name, .. } = resource;
        let query = format!(
            "watch=1&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
            follow::SECONDS,
            segment(&known.version)
        );
        let began = Instant::now();
        let (mut body, encoding) = match self.send(Verb::Watch, name, &format!("{path}?{query}"), T::ACCEPT).await? {
            Sent::Found(body, encoding) => (body, encoding),
            Sent::NotFound { message } | Sent::Refused { status: StatusCode::GONE, message } => {
                return Ok(Err(Lost(message)));
            }
            Sent::Refused { status: StatusCode::FORBIDDEN, message } => {
                let object = ObjectRef::new("ClusterRole", "", name);
                let advice = "read as a whole at each refresh, grant watch beside list (examples/rbac.yaml)";
                known.note.push(object, Outcome::Adjusted, "", format_args!("{advice}: {message}"));
                return Ok(Err(Lost(message)));
            }
            Sent::Refused { status, message } => return Err(refused(Verb::Watch, name, status, message)),
        };
        let mut events = match Events::new::<T>(encoding, resource.type_meta::<T>()) {
            Ok(events) => events,
            Err(lost) => return Ok(Err(lost)),
        };
        let answered = answered.shared();
        loop {
            let piece = select! {
                biased;
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
            if let Err(lost) = events.feed(&piece, known, collection) {
                return Ok(Err(lost));
            }
        }
        // Ended before its time, by a server that shuts down for example, it may not have told all.
        let lasted = began.elapsed() >= Duration::from_millis(follow::SECONDS * 900);
        Ok(if lasted && events.is_complete() { Ok(()) } else { Err(Lost("the watch ended early".to_owned())) })
    }

    async fn send(
        &self,
        verb: Verb,
        resource: &'static str,
        path_and_query: &str,
        accept: &'static str,
    ) -> Result<Sent, ClusterError> {
        let unreachable = |source| ClusterError::Unreachable { verb: verb.name(), resource, source };
        let mut request = Request::get(path_and_query)
            .header(ACCEPT, accept)
            .body(Body::empty())
            .map_err(|error| unreachable(kube::Error::HttpError(error)))?;
        if let Some(tokens) = &self.tokens {
            let bearer = tokens.bearer().await.map_err(ClusterError::Token)?;
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        let response = self.client.send(request).await.map_err(unreachable)?;
        let (status, encoding) = (response.status(), Encoding::of(response.headers()));
        let body = response.into_body();
        if status == StatusCode::OK {
            return Ok(Sent::Found(body, encoding));
        }
        let message = message_of(&whole(body, verb, resource).await?);
        Ok(match status {
            StatusCode::NOT_FOUND => Sent::NotFound { message },
            _ => Sent::Refused { status, message },
        })
    }

    /// The text of one object, if there is one.
    async fn fetch(&self, resource: &'static str, path: &str) -> Result<Option<Vec<u8>>, ClusterError> {
        match self.send(Verb::Get, resource, path, JSON).await? {
            Sent::Found(body, _) => Ok(Some(whole(body, Verb::Get, resource).await?)),
            Sent::NotFound { .. } => Ok(None),
            Sent::Refused { status, message } => Err(refused(Verb::Get, resource, status, message)),
        }
    }
}

/// What is done to a resource.
#[derive(Debug, Clone, Copy)]
enum Verb {
    Get,
    List,
    Watch,
}

impl Verb {
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
        }
    }
}

/// An answer before its body was read.
enum Sent {
    Found(Body, Encoding),
    NotFound { message: String },
    Refused { status: StatusCode, message: String },
}

/// A kind as it is to be read.
struct Asked {
    wanted: bool,
    kind: Kind,
    known: Known,
    /// How long objects are kept whose definition is gone.
    keep: Duration,
}

/// Where the API server takes a list from.
#[derive(Clone, Copy)]
enum Place {
    /// Its memory, which costs little and may be behind.
    Cache,
    /// Where it keeps everything.
    Store,
}

fn malformed(resource: &'static str, source: Unreadable) -> ClusterError {
    ClusterError::Malformed { verb: Verb::List.name(), resource, source }
}

async fn next_piece(body: &mut Body, verb: Verb, resource: &'static str) -> Result<Option<Bytes>, ClusterError> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|source| ClusterError::CutOff { verb: verb.name(), resource, source })?;
        if let Ok(piece) = frame.into_data() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

async fn whole(mut body: Body, verb: Verb, resource: &'static str) -> Result<Vec<u8>, ClusterError> {
    let mut text = Vec::new();
    while let Some(piece) = next_piece(&mut body, verb, resource).await? {
        text.extend_from_slice(&piece);
    }
    Ok(text)
}

fn refused(verb: Verb, resource: &'static str, status: StatusCode, message: String) -> ClusterError {
    ClusterError::Refused { verb: verb.name(), resource, status, message, advice: advice(status) }
}

fn segment(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}

/// The message of a Kubernetes `Status`, or the beginning of whatever else came.
fn message_of(body: &[u8]) -> String {
    let envelope = protobuf::opened(body).map(|envelope| Encoded::Protobuf(envelope.message));
    let status = envelope.unwrap_or(Encoded::Json(body)).status();
    if status.message.is_empty() {
        return String::from_utf8_lossy(body).chars().take(200).collect();
    }
    status.message
}
