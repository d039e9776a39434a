//! What is asked for outside of the cluster: URLs, the DNS, AWS, files of the function.
//!
//! Input: the sources of all jobs. Output: what is known of each. A source is asked at
//! most once in its refresh interval, all that are due at once; when one fails, what it
//! answered last stays. What answers mean is decided in the core.

mod dns;
mod ec2;
mod file;
mod http;
mod turn;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use target_allocator_core::config::Config;
use target_allocator_core::discovery::bounded::MOST_TARGETS;
use target_allocator_core::discovery::external::proxy::EnvironmentProxies;
use target_allocator_core::discovery::external::{Answer, External, ExternalGroup, Source, SourceKey, Wanted};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use turn::Turn;

use crate::moment::Moment;

/// How long all that is due may take together. It is short, as every answer waits for it:
/// a source that one object names must not keep the targets of all others from collectors.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How many sources are asked at the same time.
const AT_ONCE: usize = 64;

/// Largest answer, and largest file.
const MOST_BYTES: usize = 16 << 20;

/// How many targets all sources together may have. Past that those with most are let go: however much somebody's
/// sources answer, the small ones of others stay.
const MOST_TARGETS_OF_ALL: usize = 2 * MOST_TARGETS;

/// Where the function runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// What relative paths start from (`LAMBDA_TASK_ROOT`).
    pub folder: PathBuf,
    /// Whom the function gets its events from (`AWS_LAMBDA_RUNTIME_API`); nobody else may talk to it.
    pub runtime_api: Option<String>,
    /// The proxies that its environment names.
    pub proxies: EnvironmentProxies,
}

/// The sources of one cluster's jobs, and what they answered last.
pub struct Externals {
    http: http::Client,
    dns: dns::Client,
    ec2: ec2::Client,
    folder: PathBuf,
    states: Mutex<BTreeMap<SourceKey, State>>,
}

struct State {
    asked: Moment,
    answer: Answer,
    targets: usize,
    /// How often it had its turn in vain since it answered last.
    failures: usize,
}

impl fmt::Debug for Externals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Externals").finish_non_exhaustive()
    }
}

impl Externals {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(config: &Config, place: Place) -> Self {
        let Place { folder, runtime_api, proxies } = place;
        let connector = http::Connector { egress: config.egress.clone(), runtime_api, folder: folder.clone(), proxies };
        Self {
            http: http::Client::new(connector),
            dns: dns::Client::new(&config.dns_servers),
            ec2: ec2::Client::default(),
            folder,
            states: Mutex::default(),
        }
    }

    /// Asks what is due and says what is known of each source. Forgets all other sources.
    pub async fn answers(&self, sources: &[Source]) -> External {
        let due = self.due(sources);
        let permits = Semaphore::new(AT_ONCE);
        let started = Instant::now();
        let asked = Moment::now();
        let mut asking: FuturesUnordered<_> = due
            .into_iter()
            .map(async |(source, failures)| {
                let turn = Turn::new(failures > Some(0));
                let answer = timeout_at(started + TIMEOUT, async {
                    // The semaphore is never closed.
                    let _permit = permits.acquire().await;
                    turn.take();
                    self.ask(&source.wanted, &turn).await
                });
                let answer = answer.await.unwrap_or_else(|_| Err(format!("no answer within {TIMEOUT:?}")));
                (&source.key, turn.was_taken(), answer)
            })
            .collect();
        while let Some((key, had_turn, result)) = asking.next().await {
            let mut states = self.states();
            let state = State::next(states.remove(key), asked, had_turn, result);
            states.insert(key.clone(), state);
            let_go(&mut states, MOST_TARGETS_OF_ALL);
        }
        External { answers: self.states().iter().map(|(key, state)| (key.clone(), state.answer.clone())).collect() }
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<SourceKey, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all other sources, and says which of these are to be asked, in that order, and how often they had
    /// their turn in vain since they answered last, if they were ever asked.
    fn due<'a>(&self, sources: &'a [Source]) -> Vec<(&'a Source, Option<usize>)> {
        let mut states = self.states();
        let mut before = std::mem::take(&mut *states);
        for source in sources {
            states.extend(before.remove_entry(&source.key));
        }
        let due = sources.iter().filter(|source| states.get(&source.key).is_none_or(|state| state.is_due(source)));
        let failures = |source: &Source| states.get(&source.key).map(|state| state.failures);
        let mut due: Vec<_> = due.map(|source| (source, failures(source))).collect();
        // Those that failed come last: however many of them somebody names, all others have their turn.
        due.sort_by_key(|(_, failures)| *failures);
        due
    }

    async fn ask(&self, wanted: &Wanted, turn: &Turn) -> Result<Vec<ExternalGroup>, String> {
        match wanted {
            Wanted::Http(config) => self.http.within(turn).groups(config).await,
            Wanted::Dns(question) => self.dns.group(question).await.map(|group| vec![group]),
            Wanted::Ec2(config) => self.ec2.group(self.http.within(turn), config).await.map(|group| vec![group]),
            Wanted::File(path) => file::groups(self.folder.clone(), path.clone()).await,
        }
    }
}

impl State {
    /// What is known after asking again.
    fn next(before: Option<Self>, asked: Moment, had_turn: bool, result: Result<Vec<ExternalGroup>, String>) -> Self {
        let (before, targets, failures) = match before {
            Some(before) => (Some(before.answer), before.targets, before.failures),
            None => (None, 0, 0),
        };
        let failed = failures + usize::from(had_turn);
        match (result, before) {
            (Ok(groups), _) => {
                let targets = groups.iter().map(|group| group.targets.len()).sum();
                Self { asked, answer: Answer::Known(Arc::from(groups)), targets, failures: 0 }
            }
            (Err(reason), Some(Answer::Known(groups) | Answer::Kept(groups, _))) => {
                Self { asked, answer: Answer::Kept(groups, reason), targets, failures: failed }
            }
            (Err(reason), None | Some(Answer::Unknown(_))) => {
                Self { asked, answer: Answer::Unknown(reason), targets: 0, failures: failed }
            }
        }
    }

    fn is_due(&self, source: &Source) -> bool {
        self.asked.elapsed() >= Duration::from_millis(source.refresh_interval.as_millis())
    }
}

/// Lets go of the largest answers until all have at most that many targets.
fn let_go(states: &mut BTreeMap<SourceKey, State>, most: usize) {
    let mut total: usize = states.values().map(|state| state.targets).sum();
    while total > most
        && let Some(largest) = states.values_mut().max_by_key(|state| state.targets)
    {
        total -= std::mem::take(&mut largest.targets);
        largest.answer =
            Answer::Unknown(format!("all sources have more than {most} targets, this one is among the largest"));
        largest.failures += 1;
    }
}

#[cfg(test)]
mod tests {
    use target_allocator_core::discovery::external::sources;
    use target_allocator_core::scrape_config::discovery::{HttpSd, ServiceDiscovery};

    use super::*;

    /// A source that answered so many targets.
    fn state(targets: usize) -> State {
        let group = ExternalGroup { targets: vec![BTreeMap::new(); targets], ..ExternalGroup::default() };
        State::next(None, Moment::now(), true, Ok(vec![group]))
    }

    #[test]
    fn the_largest_answers_are_let_go() {
        let cases: [(&[usize], &[usize]); 5] =
            [(&[], &[]), (&[4, 6], &[4, 6]), (&[4, 7], &[4, 0]), (&[9, 1, 8, 1, 7], &[0, 1, 0, 1, 7]), (&[11], &[0])];
        for (answered, kept) in cases {
            let source = |at: usize| {
                let discovery =
                    ServiceDiscovery { http: vec![HttpSd::new(at.to_string())], ..ServiceDiscovery::default() };
                sources(&discovery).unwrap().remove(0).key
            };
            let mut states: BTreeMap<_, _> =
                answered.iter().enumerate().map(|(at, &size)| (source(at), state(size))).collect();
            let_go(&mut states, 10);
            assert_eq!(states.values().map(|state| state.targets).collect::<Vec<_>>(), kept, "{answered:?}");
            for state in states.values() {
                assert_eq!(matches!(state.answer, Answer::Unknown(_)), state.targets == 0, "{answered:?}");
            }
        }
    }
}
