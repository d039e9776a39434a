//! What is asked for outside of the cluster: URLs, the DNS, AWS, files of the function.
//!
//! Input: the sources of all jobs. Output: what is known of each. A source is asked at
//! most once in its refresh interval, all that are due at once; when one fails, what it
//! answered last stays. What answers mean is decided in the core.

mod dns;
mod ec2;
mod file;
mod http;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use target_allocator_core::config::Config;
use target_allocator_core::discovery::external::proxy::EnvironmentProxies;
use target_allocator_core::discovery::external::{Answer, External, ExternalGroup, Source, SourceKey, Wanted};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::snapshot::moment::Moment;

/// How long all that is due may take together. It is short, as every answer waits for it:
/// a source that one object names must not keep the targets of all others from collectors.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How many sources are asked at the same time.
const AT_ONCE: usize = 64;

/// Largest answer, and largest file.
const MOST_BYTES: usize = 16 << 20;

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
        let due: Vec<_> = {
            let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
            let due = sources.iter().filter(|source| states.get(&source.key).is_none_or(|state| state.is_due(source)));
            let mut due: Vec<_> = due.collect();
            // Those that failed come last: however many of them somebody names, they hold up nobody else's.
            due.sort_by_key(|source| states.get(&source.key).is_some_and(State::has_failed));
            due
        };
        let permits = Semaphore::new(AT_ONCE);
        let started = Instant::now();
        let asked = Moment::now();
        let asking: FuturesUnordered<_> = due
            .into_iter()
            .map(async |source| {
                let answer = timeout_at(started + TIMEOUT, async {
                    // The semaphore is never closed.
                    let _permit = permits.acquire().await;
                    self.ask(&source.wanted).await
                });
                (source.key.clone(), answer.await.unwrap_or_else(|_| Err(format!("no answer within {TIMEOUT:?}"))))
            })
            .collect();
        let answered: Vec<_> = asking.collect().await;
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *states);
        for (key, result) in answered {
            let answer = next(before.remove(&key).map(|state| state.answer), result);
            states.insert(key, State { asked, answer });
        }
        for source in sources {
            if let Some(state) = before.remove(&source.key) {
                states.insert(source.key.clone(), state);
            }
        }
        External { answers: states.iter().map(|(key, state)| (key.clone(), state.answer.clone())).collect() }
    }

    async fn ask(&self, wanted: &Wanted) -> Result<Vec<ExternalGroup>, String> {
        match wanted {
            Wanted::Http(config) => self.http.groups(config).await,
            Wanted::Dns(question) => self.dns.group(question).await.map(|group| vec![group]),
            Wanted::Ec2(config) => self.ec2.group(&self.http, config).await.map(|group| vec![group]),
            Wanted::File(path) => file::groups(self.folder.clone(), path.clone()).await,
        }
    }
}

impl State {
    const fn has_failed(&self) -> bool {
        !matches!(self.answer, Answer::Known(_))
    }

    fn is_due(&self, source: &Source) -> bool {
        self.asked.elapsed() >= Duration::from_millis(source.refresh_interval.as_millis())
    }
}

/// What is known after asking again.
fn next(before: Option<Answer>, result: Result<Vec<ExternalGroup>, String>) -> Answer {
    match (result, before) {
        (Ok(groups), _) => Answer::Known(Arc::from(groups)),
        (Err(reason), Some(Answer::Known(groups) | Answer::Kept(groups, _))) => Answer::Kept(groups, reason),
        (Err(reason), None | Some(Answer::Unknown(_))) => Answer::Unknown(reason),
    }
}
