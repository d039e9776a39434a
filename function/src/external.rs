//! Sources of targets outside the cluster: URLs, the DNS, AWS, files of the function, Consul.
//!
//! Input: the sources of all jobs. Output: the last response of each source. A source gets at most one request in its
//! refresh interval. Requests to all due sources are sent concurrently, in an order that is fair to the tenants
//! ([`order`]). If a source fails, its last response stays. The core parses the responses.

mod consul;
mod dns;
mod ec2;
mod file;
mod http;
mod http_client;
mod order;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use order::{Due, Placed, in_turns};
use target_allocator_core::allocation::OwnedSource;
use target_allocator_core::config::Config;
use target_allocator_core::discovery::bounded::MOST_TARGETS;
use target_allocator_core::discovery::proxy::EnvironmentProxies;
use target_allocator_core::discovery::{Source, SourceAnswer, SourceAnswers, SourceGroup, SourceKey, SourceRequest};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use turn::Turn;

use crate::error::chain;
use crate::moment::Moment;

/// Timeout of the requests to all due sources together. It is short, because the snapshot waits for them: a slow source
/// of one object must not delay the targets of all other objects.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of concurrent requests to sources.
const AT_ONCE: usize = 64;

/// Number of concurrent requests that each namespace gets at least, even if there are many namespaces. It is enough for
/// fast sources. But eight namespaces with only slow sources can still occupy all turns.
const LEAST_OF_A_NAMESPACE: usize = 8;

/// Maximum size of a response or a file, in bytes.
const MOST_BYTES: usize = 16 << 20;

/// Maximum number of targets of all sources together. Above this limit, the function drops the largest responses of the
/// namespace with the most targets. So the sources of one tenant cannot displace those of another.
const MOST_TARGETS_OF_ALL: usize = 2 * MOST_TARGETS;

/// The environment of the function, as far as requests depend on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The folder for relative paths (`LAMBDA_TASK_ROOT`).
    pub folder: PathBuf,
    /// The address of the runtime API (`AWS_LAMBDA_RUNTIME_API`). Requests to sources must not reach it.
    pub runtime_api: Option<String>,
    /// The proxies from the environment variables.
    pub proxies: EnvironmentProxies,
}

/// The sources of the jobs of one cluster, with their last responses.
pub struct Externals {
    http: http_client::Client,
    dns: dns::Client,
    ec2: ec2::Client,
    folder: PathBuf,
    states: Mutex<BTreeMap<SourceKey, State>>,
}

struct State {
    /// The namespace whose turn the source took.
    namespace: String,
    /// The time of the last request. `None` if no request was sent yet.
    requested: Option<Moment>,
    answer: SourceAnswer,
    targets: usize,
    /// The number of failures since the last response.
    failures: usize,
}

/// The outcome of the turn of one source.
struct Attempt {
    namespace: String,
    /// The time of the request. `None` if the time ran out before the request was sent.
    at: Option<Moment>,
    /// Whether an error counts as a failure of the source. It does not if the source waited for other sources.
    had_turn: bool,
    result: Result<Vec<SourceGroup>, SourceError>,
}

/// The reason why a source has no new response. The texts appear in reports.
#[derive(Debug, thiserror::Error)]
enum SourceError {
    #[error("no answer within {TIMEOUT:?}")]
    Slow,
    #[error("no answer within {TIMEOUT:?}, since other sources are slow: it is asked again with the next refresh")]
    NoTurn,
    #[error(transparent)]
    Http(#[from] http::HttpError),
    #[error(transparent)]
    Dns(#[from] dns::LookupError),
    #[error(transparent)]
    Ec2(#[from] ec2::RequestError),
    #[error(transparent)]
    File(#[from] file::FileError),
    #[error(transparent)]
    Consul(#[from] consul::RequestError),
}

impl fmt::Debug for Externals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Externals").finish_non_exhaustive()
    }
}

impl Externals {
    /// Starts without responses. Sends no requests.
    #[must_use]
    pub fn new(config: &Config, place: Place) -> Self {
        let Place { folder, runtime_api, proxies } = place;
        let connector =
            http_client::Connector { egress: config.egress.clone(), runtime_api, folder: folder.clone(), proxies };
        Self {
            http: http_client::Client::new(connector),
            dns: dns::Client::new(&config.dns_servers),
            ec2: ec2::Client::default(),
            folder,
            states: Mutex::default(),
        }
    }

    /// Sends requests to the due sources. Returns the last response of each source. Forgets all sources that are not in
    /// `sources`.
    pub async fn answers(&self, sources: &[OwnedSource]) -> SourceAnswers {
        let (started, now) = (Instant::now(), Moment::now());
        let placed = in_turns(self.due(sources), u64::try_from(now.timestamp().as_second()).unwrap_or_default());
        let permits = Semaphore::new(AT_ONCE);
        let of_namespaces = permits_of_namespaces(&placed);
        let mut attempts: FuturesUnordered<_> = placed
            .iter()
            .map(async |Placed { due: Due { source, failures }, namespace }| {
                let turn = Turn::new(*failures > Some(0));
                let answer = timeout_at(started + TIMEOUT, async {
                    // The semaphores are never closed.
                    let _of_namespace = match of_namespaces.get(namespace) {
                        Some(permits) => permits.acquire().await.ok(),
                        None => None,
                    };
                    let _permit = permits.acquire().await;
                    turn.take();
                    self.request(&source.source.request, &turn).await
                });
                let result = answer.await.unwrap_or_else(|_| Err(out_of_time(&turn)));
                let at = turn.has_begun().then_some(now);
                let namespace = (*namespace).to_owned();
                (&source.source.key, Attempt { namespace, at, had_turn: turn.was_taken(), result })
            })
            .collect();
        while let Some((key, attempt)) = attempts.next().await {
            let mut states = self.states();
            let state = State::next(states.remove(key), attempt);
            states.insert(key.clone(), state);
            drop_largest(&mut states, MOST_TARGETS_OF_ALL);
        }
        SourceAnswers {
            answers: self.states().iter().map(|(key, state)| (key.clone(), state.answer.clone())).collect(),
        }
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<SourceKey, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the due sources of `sources`. Forgets all sources that are not in `sources`.
    fn due<'a>(&self, sources: &'a [OwnedSource]) -> Vec<Due<'a>> {
        let mut states = self.states();
        let mut before = std::mem::take(&mut *states);
        for source in sources {
            states.extend(before.remove_entry(&source.source.key));
        }
        let due = |owned: &'a OwnedSource| match states.get(&owned.source.key) {
            Some(state) if !state.is_due(&owned.source) => None,
            state => Some(Due { source: owned, failures: state.and_then(State::failures) }),
        };
        sources.iter().filter_map(due).collect()
    }

    /// Sends a request. There is one row for each kind.
    async fn request(&self, request: &SourceRequest, turn: &Turn) -> Result<Vec<SourceGroup>, SourceError> {
        let client = self.http.within(turn);
        Ok(match request {
            SourceRequest::Http(config) => http::groups(client, config).await?,
            SourceRequest::Dns(question) => vec![self.dns.group(question).await?],
            SourceRequest::Ec2(config) => vec![self.ec2.group(client, config).await?],
            SourceRequest::File(path) => file::groups(self.folder.clone(), path.clone()).await?,
            SourceRequest::Consul(config) => consul::groups(client, config).await?,
        })
    }
}

impl State {
    /// The state after another turn. If no request was sent, the time of the last request stays, so the source is still
    /// due.
    fn next(before: Option<Self>, Attempt { namespace, at, had_turn, result }: Attempt) -> Self {
        let (before, requested, targets, failures) = match before {
            Some(before) => (Some(before.answer), at.or(before.requested), before.targets, before.failures),
            None => (None, at, 0, 0),
        };
        let failed = failures + usize::from(had_turn);
        match (result, before) {
            (Ok(groups), _) => {
                let targets = groups.iter().map(|group| group.targets.len()).sum();
                Self { namespace, requested, answer: SourceAnswer::Known(Arc::from(groups)), targets, failures: 0 }
            }
            (Err(error), Some(SourceAnswer::Known(groups) | SourceAnswer::Kept(groups, _))) => Self {
                namespace,
                requested,
                answer: SourceAnswer::Kept(groups, chain(&error)),
                targets,
                failures: failed,
            },
            (Err(error), None | Some(SourceAnswer::Unknown(_))) => Self {
                namespace,
                requested,
                answer: SourceAnswer::Unknown(chain(&error)),
                targets: 0,
                failures: failed,
            },
        }
    }

    fn is_due(&self, source: &Source) -> bool {
        let interval = Duration::from_millis(source.refresh_interval.as_millis());
        self.requested.is_none_or(|requested| requested.elapsed() >= interval)
    }

    /// The number of failures since the last response. `None` if no request was sent yet.
    fn failures(&self) -> Option<usize> {
        self.requested.map(|_| self.failures)
    }
}

/// The number of concurrent requests of each namespace. All namespaces get an equal part, so slow sources of one
/// namespace do not occupy all turns.
fn permits_of_namespaces<'a>(placed: &[Placed<'a>]) -> BTreeMap<&'a str, Semaphore> {
    let namespaces: BTreeSet<_> = placed.iter().map(|placed| placed.namespace).collect();
    let each = (AT_ONCE / namespaces.len().max(1)).max(LEAST_OF_A_NAMESPACE);
    namespaces.into_iter().map(|namespace| (namespace, Semaphore::new(each))).collect()
}

/// The error after the time ran out.
fn out_of_time(turn: &Turn) -> SourceError {
    if turn.was_taken() { SourceError::Slow } else { SourceError::NoTurn }
}

/// Drops the largest responses of the largest namespaces until all sources together have at most `most` targets.
fn drop_largest(states: &mut BTreeMap<SourceKey, State>, most: usize) {
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    for state in states.values().filter(|state| state.targets > 0) {
        *totals.entry(state.namespace.clone()).or_default() += state.targets;
    }
    while totals.values().sum::<usize>() > most
        && let Some((namespace, total)) = totals.iter_mut().max_by_key(|(_, total)| **total)
        && let Some(largest) =
            states.values_mut().filter(|state| state.namespace == *namespace).max_by_key(|state| state.targets)
    {
        *total -= std::mem::take(&mut largest.targets);
        largest.answer =
            SourceAnswer::Unknown(format!("all sources have more than {most} targets, this one is among the largest"));
        largest.failures += 1;
    }
}

#[cfg(test)]
mod tests {
    use target_allocator_core::discovery::sources;
    use target_allocator_core::scrape_config::discovery::{HttpSd, ServiceDiscovery};

    use super::*;

    /// A source of a namespace, whose response has this number of targets.
    fn state(namespace: &str, targets: usize) -> State {
        let group = SourceGroup { targets: vec![BTreeMap::new(); targets], ..SourceGroup::default() };
        let namespace = namespace.to_owned();
        State::next(None, Attempt { namespace, at: Some(Moment::now()), had_turn: true, result: Ok(vec![group]) })
    }

    #[test]
    fn a_source_without_a_request_stays_due_and_has_not_failed() {
        let refused = || Err(SourceError::Slow);
        let attempt = |at, had_turn, result| Attempt { namespace: String::new(), at, had_turn, result };
        let now = Moment::now();
        let cases = [
            ("no request", attempt(None, false, refused()), None),
            ("request sent, waited for others", attempt(Some(now), false, refused()), Some(0)),
            ("failed", attempt(Some(now), true, refused()), Some(1)),
            ("succeeded", attempt(Some(now), true, Ok(Vec::new())), Some(0)),
        ];
        let discovery = ServiceDiscovery { http: vec![HttpSd::new("a".to_owned())], ..ServiceDiscovery::default() };
        let source = sources(&discovery).unwrap().remove(0);
        for (name, attempt, failures) in cases {
            let state = State::next(None, attempt);
            assert_eq!(state.failures(), failures, "{name}");
            assert_eq!(state.is_due(&source), failures.is_none(), "{name}");
        }
        let before = State::next(None, attempt(Some(now), true, Ok(Vec::new())));
        let later = State::next(Some(before), attempt(None, false, refused()));
        assert!(matches!(later.answer, SourceAnswer::Kept(..)) && later.failures() == Some(0));
    }

    #[test]
    fn namespaces_get_equal_parts_of_the_turns() {
        for (namespaces, each) in [(1, 64), (2, 32), (8, 8), (64, 8)] {
            let names: Vec<_> = (0..namespaces).map(|at| format!("n{at}")).collect();
            let discovery = ServiceDiscovery { http: vec![HttpSd::new("a".to_owned())], ..ServiceDiscovery::default() };
            let source = OwnedSource { source: sources(&discovery).unwrap().remove(0), owners: BTreeSet::default() };
            let due = Due { source: &source, failures: None };
            let placed: Vec<_> = names.iter().map(|namespace| Placed { due, namespace }).collect();
            let permits = permits_of_namespaces(&placed);
            assert_eq!(permits.len(), namespaces);
            assert!(permits.values().all(|permits| permits.available_permits() == each), "{namespaces}");
        }
    }

    #[test]
    fn the_largest_responses_are_dropped() {
        type Case = (&'static [(&'static str, usize)], &'static [usize]);
        let cases: [Case; 6] = [
            (&[], &[]),
            (&[("a", 4), ("b", 6)], &[4, 6]),
            (&[("a", 4), ("a", 7)], &[4, 0]),
            (&[("a", 9), ("a", 1), ("a", 8), ("a", 1), ("a", 7)], &[0, 1, 0, 1, 7]),
            (&[("a", 11)], &[0]),
            // Many small responses of one tenant do not displace the larger response of another.
            (&[("a", 3), ("a", 3), ("a", 3), ("b", 5)], &[3, 0, 0, 5]),
        ];
        for (answered, kept) in cases {
            let source = |at: usize| {
                let discovery =
                    ServiceDiscovery { http: vec![HttpSd::new(at.to_string())], ..ServiceDiscovery::default() };
                sources(&discovery).unwrap().remove(0).key
            };
            let mut states: BTreeMap<_, _> = answered
                .iter()
                .enumerate()
                .map(|(at, &(namespace, size))| (source(at), state(namespace, size)))
                .collect();
            drop_largest(&mut states, 10);
            assert_eq!(states.values().map(|state| state.targets).collect::<Vec<_>>(), kept, "{answered:?}");
            for state in states.values() {
                assert_eq!(matches!(state.answer, SourceAnswer::Unknown(_)), state.targets == 0, "{answered:?}");
            }
        }
    }
}
