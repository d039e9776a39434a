//! The function: environments, each with a snapshot of its own.

use std::rc::Rc;

use fastrand::Rng;

use crate::{Millis, seconds};

/// When a snapshot is taken anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// When it is older than the TTL.
    Free,
    /// At the end of its epoch of the wall clock, as long as the TTL; it serves for half
    /// of the TTL at least.
    Epochs {
        /// Percents of the TTL within which the epochs of all environments begin.
        spread: u64,
    },
}

impl Timing {
    /// As the function does it (`function/src/snapshot/epochs.rs`).
    pub const FUNCTION: Self = Self::Epochs { spread: 20 };
}

/// How the function keeps its snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Seconds that a snapshot serves.
    pub ttl: u64,
    /// When the next one is taken.
    pub timing: Timing,
    /// Whether a collector that a snapshot does not know has a new one taken.
    pub asks_for_unknown: bool,
    /// Whether an environment takes the next snapshot right after an answer once this one is
    /// past half the TTL, as an extension could: an idea, which the function does not have.
    pub ahead: bool,
    /// For how many seconds a target stays with the collector that it leaves, too: an idea,
    /// which the function does not have. Since when pods are there, or go, is in the pods.
    pub handover: Option<u64>,
}

/// Which environments there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fleet {
    /// That many; requests wait for one of them.
    Fixed(usize),
    /// As many as are needed: a request that finds none idle starts one.
    Grown,
}

/// Which of the idle environments gets a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routing {
    /// The one that was used last.
    Latest,
    /// Any.
    Random,
}

/// How an environment comes to know the cluster.
const REFRESH: Millis = 200;
/// The same for the first time, with the start of the process.
const COLD: Millis = 2_500;
/// An answer from a snapshot that is there.
const ANSWER: Millis = 3;
/// The clocks of two environments differ by at most twice as much.
const SKEW: Millis = 5;
/// A snapshot is not taken anew for an unknown collector while it is that young.
const YOUNG: Millis = seconds(5);

/// A collector's pod in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenPod {
    /// Its name.
    pub name: String,
    /// Since when it is on a node.
    pub scheduled: Millis,
    /// Since when it is being deleted.
    pub deleted: Option<Millis>,
}

/// What an environment knows.
#[derive(Debug, Clone)]
pub struct Snapshot {
    taken: Millis,
    /// How many pods were replaced.
    pub replaced: usize,
    /// The collectors' pods.
    pub pods: Rc<[SeenPod]>,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routed {
    /// To that environment, which answers then.
    Goes {
        /// Which one.
        environment: usize,
        /// When.
        answered: Millis,
    },
    /// Nowhere, as all are busy.
    Waits {
        /// When it may be tried again.
        until: Millis,
    },
}

#[derive(Debug)]
struct Environment {
    /// How much earlier its epochs begin than those of the latest one, for its clock or by chance.
    ahead: Millis,
    busy_until: Millis,
    used: Millis,
    dies: Millis,
    snapshot: Option<Snapshot>,
    refresh: Option<Millis>,
    /// What was read after an answer, and serves from the next one on.
    next: Option<Snapshot>,
    /// When that was begun to be read, until it is.
    reads_on: Option<Millis>,
}

/// What is asked of the function, and what it asks of the API server.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Requests of collectors.
    pub requests: u64,
    /// Snapshots that were taken.
    pub refreshes: u64,
    /// How long environments were busy.
    pub billed: Millis,
    /// How long collectors waited for each answer.
    pub latencies: Vec<Millis>,
    /// The most snapshots that began within one second.
    pub at_once: usize,
    /// The most environments that there were.
    pub environments: usize,
}

/// The function.
#[derive(Debug)]
pub struct Function {
    policy: Policy,
    fleet: Fleet,
    routing: Routing,
    /// How long environments live on average.
    lifetime: Option<Millis>,
    rng: Rng,
    environments: Vec<Environment>,
    load: Load,
    /// When the latest refreshes began.
    refreshes: Vec<Millis>,
}

impl Function {
    /// No environment has a snapshot yet.
    #[must_use]
    pub fn new(policy: Policy, fleet: Fleet, routing: Routing, lifetime: Option<Millis>, rng: Rng) -> Self {
        let (environments, load, refreshes) = (Vec::new(), Load::default(), Vec::new());
        let mut function = Self { policy, fleet, routing, lifetime, rng, environments, load, refreshes };
        if let Fleet::Fixed(count) = fleet {
            (0..count).for_each(|_| function.start(0));
        }
        function
    }

    /// What was read since the last time.
    pub fn take_load(&mut self) -> Load {
        std::mem::take(&mut self.load)
    }

    /// Which environment answers a request.
    pub fn route(&mut self, collector: &str, now: Millis) -> Routed {
        let environments = 0..self.environments.len();
        let idle: Vec<_> = environments.filter(|index| self.environments[*index].busy_until < now).collect();
        let chosen = match self.routing {
            Routing::Latest => idle.iter().copied().max_by_key(|index| self.environments[*index].used),
            Routing::Random => self.rng.choice(&idle).copied(),
        };
        let index = match (chosen, self.fleet) {
            (Some(index), _) => index,
            (None, Fleet::Fixed(_)) => {
                let free = self.environments.iter().map(|environment| environment.busy_until).min();
                return Routed::Waits { until: free.unwrap_or(now) + 1 };
            }
            (None, Fleet::Grown) => {
                self.start(now);
                self.environments.len() - 1
            }
        };
        Routed::Goes { environment: index, answered: self.begin(index, collector, now) }
    }

    /// The snapshot that an environment answers from. The state of the cluster is read for
    /// it if the request waited for that.
    pub fn snapshot(&mut self, environment: usize, replaced: usize, pods: &Rc<[SeenPod]>) -> Option<&Snapshot> {
        let environment = &mut self.environments[environment];
        let read = |taken| Snapshot { taken, replaced, pods: Rc::clone(pods) };
        if let Some(taken) = environment.refresh.take() {
            environment.snapshot = Some(read(taken));
        }
        environment.next = environment.reads_on.take().map(read);
        environment.snapshot.as_ref()
    }

    /// How targets are handed over.
    #[must_use]
    pub fn handover(&self) -> Option<Millis> {
        self.policy.handover.map(seconds)
    }

    /// Counts how long a collector waited.
    pub fn waited(&mut self, latency: Millis) {
        self.load.latencies.push(latency);
    }

    /// When the environment answers the request.
    fn begin(&mut self, index: usize, collector: &str, now: Millis) -> Millis {
        if self.environments[index].dies <= now {
            self.environments[index] = self.environment(now);
        }
        if let Some(next) = self.environments[index].next.take() {
            self.environments[index].snapshot = Some(next);
        }
        let environment = &self.environments[index];
        let known = environment.snapshot.as_ref();
        let is_fresh = known.is_some_and(|snapshot| self.is_fresh(snapshot, environment.ahead, collector, now));
        let took = match (is_fresh, known) {
            (true, _) => ANSWER,
            (false, Some(_)) => REFRESH,
            (false, None) => COLD,
        };
        let is_half_over = known.is_some_and(|snapshot| now - snapshot.taken > seconds(self.policy.ttl) / 2);
        let reads_on = self.policy.ahead && is_fresh && is_half_over;
        let busy = took + if reads_on { REFRESH } else { 0 };
        self.load.requests += 1;
        self.load.billed += busy;
        if !is_fresh || reads_on {
            self.load.refreshes += 1;
            self.refreshes.retain(|began| *began + seconds(1) > now);
            self.refreshes.push(now);
            self.load.at_once = self.load.at_once.max(self.refreshes.len());
        }
        self.load.environments = self.load.environments.max(self.environments.len());
        let environment = &mut self.environments[index];
        environment.refresh = (!is_fresh).then_some(now);
        environment.used = now;
        environment.reads_on = reads_on.then_some(now + took);
        environment.busy_until = now + busy;
        now + took
    }

    fn is_fresh(&self, snapshot: &Snapshot, ahead: Millis, collector: &str, now: Millis) -> bool {
        let (ttl, age) = (seconds(self.policy.ttl), now - snapshot.taken);
        let is_young = match self.policy.timing {
            Timing::Free => age <= ttl,
            Timing::Epochs { .. } => age < (ttl - (snapshot.taken + ahead) % ttl).max(ttl / 2),
        };
        let is_unknown = || snapshot.pods.iter().all(|pod| pod.name != collector);
        is_young && !(self.policy.asks_for_unknown && age > YOUNG && is_unknown())
    }

    fn start(&mut self, now: Millis) {
        let environment = self.environment(now);
        self.environments.push(environment);
    }

    fn environment(&mut self, now: Millis) -> Environment {
        let dies = self.lifetime.map_or(Millis::MAX, |lifetime| now + self.rng.u64(0..=2 * lifetime));
        let spread = match self.policy.timing {
            Timing::Free => 0,
            Timing::Epochs { spread } => seconds(self.policy.ttl) * spread / 100,
        };
        let ahead = self.rng.u64(0..=2 * SKEW) + self.rng.u64(0..=spread);
        Environment { ahead, busy_until: 0, used: now, dies, snapshot: None, refresh: None, next: None, reads_on: None }
    }
}
