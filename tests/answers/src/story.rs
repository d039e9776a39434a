//! A sequence of refreshes, and the rule that each of them must keep.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::Client;
use kube::client::Body;
use target_allocator::cluster::{Kind, Objects, Reading};
use target_allocator_core::objects::{Collection, Object};
use tokio::runtime::{Builder, Runtime};

use crate::Counts;
use crate::draw::Draw;
use crate::server::Server;
use crate::truth::{Definition, RESOURCES, Resource, Truth, Uid};

/// Longer than any story, whose clock stands still.
const KEEP: Duration = Duration::from_secs(3600);

/// Refreshes of a story at most.
const REFRESHES: usize = 8;

/// What happens to a cluster and to the function that reads it.
pub struct Story {
    server: Arc<Mutex<Server>>,
    /// Positions of the kinds that are read.
    read: Vec<usize>,
    /// Lists of that many bytes are followed by watches.
    worth_following: usize,
}

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

impl Story {
    /// The story that the bytes stand for.
    #[must_use]
    pub fn drawn(bytes: &[u8]) -> Self {
        let mut draw = Draw::of(bytes);
        let worth_following = draw.one_of(&[usize::MAX, 0]);
        // Most faults concern one kind alone, and one kind is read fast.
        let read = match draw.below(6) {
            5 => (0..RESOURCES.len()).collect(),
            4 => vec![0],
            one => vec![one],
        };
        let truths = RESOURCES.iter().map(|_| Truth::drawn(&mut draw)).collect();
        let server = Server {
            draw,
            truths,
            believed: vec![0; RESOURCES.len()],
            is_cold: true,
            is_faulty: false,
            lies: false,
            counts: Counts::default(),
        };
        Self { server: Arc::new(Mutex::new(server)), read, worth_following }
    }

    /// The same story with a server whose lists leave out an object, which breaks the rule.
    #[must_use]
    pub fn with_lies(self) -> Self {
        self.locked(|server| server.lies = true);
        self
    }

    /// Plays the story, and holds each refresh against the rule.
    ///
    /// # Panics
    /// When a refresh breaks the rule.
    #[must_use]
    pub fn play(self) -> Counts {
        RUNTIME.with(|runtime| {
            let runtime = runtime.get_or_init(|| {
                // The clock jumps to whatever is waited for next.
                Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime can be made")
            });
            runtime.block_on(self.played())
        })
    }

    async fn played(self) -> Counts {
        let objects = self.objects();
        let (mut reading, mut is_cold) = (Reading::default(), true);
        reading.keep = KEEP;
        for _ in 0..REFRESHES {
            self.locked(Server::begin_refresh);
            let mut next = reading.clone();
            match objects.list(&self.kinds(), &mut next).await {
                Ok(()) => {
                    self.check(&reading, &next, is_cold);
                    (reading, is_cold) = (next, false);
                    self.locked(|server| server.counts.succeeded += 1);
                }
                Err(_) => self.locked(|server| server.counts.failed += 1),
            }
            if self.locked(|server| server.end_refresh(&reading, is_cold)) {
                break;
            }
        }
        self.locked(|server| server.counts.clone())
    }

    fn objects(&self) -> Objects {
        let server = Arc::clone(&self.server);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let answer = server.lock().expect("nobody panics with it").answer(&request);
            async move { answer }
        });
        Objects::behind(Client::new(service, "default"), self.worth_following).expect("the client exists")
    }

    fn kinds(&self) -> BTreeSet<Kind> {
        self.read.iter().map(|position| RESOURCES[*position].kind).collect()
    }

    fn locked<R>(&self, with: impl FnOnce(&mut Server) -> R) -> R {
        with(&mut self.server.lock().expect("nobody panics with it"))
    }

    fn check(&self, before: &Reading, now: &Reading, is_cold: bool) {
        for position in &self.read {
            let resource = RESOURCES[*position];
            let truth = self.locked(|server| server.truths[*position].clone());
            let (before, now) = (uids(before, &resource), uids(now, &resource));
            let required: BTreeSet<Uid> = match truth.definition {
                _ if is_cold => truth.uids(),
                Definition::Present => before.intersection(&truth.uids()).copied().collect(),
                // They are kept, although they are deleted.
                Definition::Going | Definition::Gone => before.clone(),
            };
            // An object that is kept after its deletion makes way for a later object of the same name.
            let is_replaced = |(number, created): &&Uid| {
                let is_deleted = !truth.uids().contains(&(*number, *created));
                is_deleted && now.iter().any(|(name, later)| name == number && later > created)
            };
            let lost: Vec<_> = required.difference(&now).filter(|uid| !is_replaced(uid)).collect();
            let name = resource.name;
            let made_up: Vec<_> = now.iter().filter(|uid| !truth.has_had(**uid)).collect();
            assert!(made_up.is_empty(), "{name} never existed: {made_up:?}; truth: {truth:?}");
            assert!(lost.is_empty(), "{name} lost: {lost:?}; before: {before:?}; now: {now:?}; truth: {truth:?}");
        }
    }
}

impl Server {
    fn begin_refresh(&mut self) {
        for (truth, resource) in self.truths.iter_mut().zip(&RESOURCES) {
            truth.change(&mut self.draw, resource);
        }
        self.is_faulty = self.draw.below(4) > 0;
    }

    /// Whether the story is over.
    fn end_refresh(&mut self, reading: &Reading, is_cold: bool) -> bool {
        self.is_cold = is_cold;
        self.believed = RESOURCES.iter().map(|resource| uids(reading, resource).len()).collect();
        self.draw.is_used_up()
    }
}

/// The objects of a kind that were read.
fn uids(reading: &Reading, resource: &Resource) -> BTreeSet<Uid> {
    fn of<T: Object>(objects: &Collection<T>) -> BTreeSet<Uid> {
        let uid = |object: &Arc<T>| {
            let metadata = object.metadata();
            let number = metadata.name.strip_prefix("o-").and_then(|number| number.parse().ok());
            (number.expect("no other names exist"), metadata.uid.parse().expect("uids are versions"))
        };
        objects.iter().map(uid).collect()
    }
    let cluster = &reading.cluster;
    match resource.kind {
        Kind::ServiceMonitor => of(&cluster.service_monitors),
        Kind::EndpointSlice => of(&cluster.endpoint_slices),
        Kind::Namespace => of(&cluster.namespaces),
        _ => of(&cluster.pods),
    }
}
