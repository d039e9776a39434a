//! Simulates the function: environments with one snapshot each.

use std::rc::Rc;

use fastrand::Rng;

use crate::{Millis, seconds};

/// When an environment refreshes its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// When the snapshot is older than the TTL.
    Free,
    /// At the end of its epoch of the wall clock. An epoch is as long as the TTL. A snapshot serves at least for half
    /// of the TTL.
    Epochs {
        /// Percentage of the TTL within which the epochs of all environments start.
        spread: u64,
    },
}

impl Timing {
    /// The timing of the function (`function/src/snapshot/epochs.rs`).
    pub const FUNCTION: Self = Self::Epochs { spread: 20 };
}

/// When the function refreshes its snapshots, and ideas that it does not implement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Maximum time that a snapshot serves, in seconds.
    pub ttl: u64,
    /// When the next snapshot is taken.
    pub timing: Timing,
    /// Whether a collector that the snapshot does not have triggers a refresh.
    pub refreshes_for_unknown: bool,
    /// Whether an environment refreshes right after a response if its snapshot is older than half of the TTL. An idea
    /// that an extension could implement. The function does not.
    pub ahead: bool,
    /// Time in seconds for which a moved target stays assigned to its old collector too. An idea that the function does
    /// not implement. It would use the times at which pods were scheduled and deleted.
    pub handover: Option<u64>,
}

/// The number of environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fleet {
    /// A fixed number. Requests wait for an idle one.
    Fixed(usize),
    /// As many as needed. A request starts an environment if none is idle.
    Grown,
}

/// The idle environment that gets a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routing {
    /// The environment that was used last.
    Latest,
    /// A random environment.
    Random,
}

/// Time of a refresh.
const REFRESH: Millis = 200;
/// Time of the start of a process with its first refresh.
const COLD: Millis = 2_500;
/// Time of a response without a refresh.
const ANSWER: Millis = 3;
/// Maximum deviation of an environment's clock. Two clocks differ by at most twice this time.
const SKEW: Millis = 5;
/// Minimum age of a snapshot before an unknown collector triggers a refresh.
const MIN_AGE_FOR_UNKNOWN: Millis = seconds(5);

/// The pod of a collector in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenPod {
    /// The name of the pod.
    pub name: String,
    /// The time at which the pod was scheduled on a node.
    pub scheduled: Millis,
    /// The time at which the deletion of the pod started.
    pub deleted: Option<Millis>,
}

/// The snapshot of an environment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    taken: Millis,
    /// The number of replaced pods.
    pub replaced: usize,
    /// The pods of collectors.
    pub pods: Rc<[SeenPod]>,
}

/// The routing of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routed {
    /// An environment answers the request.
    Goes {
        /// The index of the environment.
        environment: usize,
        /// The time of the response.
        answered: Millis,
    },
    /// All environments are busy.
    Waits {
        /// The time at which to try again.
        until: Millis,
    },
}

#[derive(Debug)]
struct Environment {
    /// The time by which its epochs start earlier than without clock skew and random spread.
    ahead: Millis,
    busy_until: Millis,
    used: Millis,
    dies: Millis,
    snapshot: Option<Snapshot>,
    refresh: Option<Millis>,
    /// The snapshot that was read after a response. It serves from the next request on.
    next: Option<Snapshot>,
    /// The start of a running read after a response.
    reads_on: Option<Millis>,
}

/// The load of the function and of the API server.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// The number of requests from collectors.
    pub requests: u64,
    /// The number of snapshots.
    pub refreshes: u64,
    /// The time in which environments were busy.
    pub billed: Millis,
    /// The latency of each request.
    pub latencies: Vec<Millis>,
    /// Maximum number of snapshots that started within one second.
    pub at_once: usize,
    /// Maximum number of environments.
    pub environments: usize,
}

/// The simulated function.
#[derive(Debug)]
pub struct Function {
    policy: Policy,
    fleet: Fleet,
    routing: Routing,
    /// Mean lifetime of an environment. `None` means that environments live forever.
    lifetime: Option<Millis>,
    rng: Rng,
    environments: Vec<Environment>,
    load: Load,
    /// The start times of the refreshes in the last second.
    refreshes: Vec<Millis>,
}

impl Function {
    /// A function whose environments have no snapshot yet.
    #[must_use]
    pub fn new(policy: Policy, fleet: Fleet, routing: Routing, lifetime: Option<Millis>, rng: Rng) -> Self {
        let (environments, load, refreshes) = (Vec::new(), Load::default(), Vec::new());
        let mut function = Self { policy, fleet, routing, lifetime, rng, environments, load, refreshes };
        if let Fleet::Fixed(count) = fleet {
            (0..count).for_each(|_| function.start(0));
        }
        function
    }

    /// Returns the load since the last call and resets it.
    pub fn take_load(&mut self) -> Load {
        std::mem::take(&mut self.load)
    }

    /// Routes a request to an environment.
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

    /// The snapshot that an environment answers from. If the request waited for a refresh, the snapshot gets the given
    /// state of the cluster.
    pub fn snapshot(&mut self, environment: usize, replaced: usize, pods: &Rc<[SeenPod]>) -> Option<&Snapshot> {
        let environment = &mut self.environments[environment];
        let read = |taken| Snapshot { taken, replaced, pods: Rc::clone(pods) };
        if let Some(taken) = environment.refresh.take() {
            environment.snapshot = Some(read(taken));
        }
        environment.next = environment.reads_on.take().map(read);
        environment.snapshot.as_ref()
    }

    /// The time for which a moved target stays assigned to its old collector too.
    #[must_use]
    pub fn handover(&self) -> Option<Millis> {
        self.policy.handover.map(seconds)
    }

    /// Adds the latency of a request.
    pub fn waited(&mut self, latency: Millis) {
        self.load.latencies.push(latency);
    }

    /// Starts a request in an environment, and returns the time of the response.
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
        is_young && !(self.policy.refreshes_for_unknown && age > MIN_AGE_FOR_UNKNOWN && is_unknown())
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
