//! Runs one simulation: processes events in the order of their times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use fastrand::Rng;

use crate::Millis;
use crate::churn::{Change, Churn, SETTLING, Timeline, name};
use crate::collectors::{Collectors, List, POLL, ProcessId, View};
use crate::function::{Fleet, Function, Load, Policy, Routed, Routing, SeenPod};
use crate::ledger::{Ledger, Sums};
use crate::operator::{Operator, Wake};
use crate::shares::{Allocations, Member, State, TargetIndex};

/// The allocator that answers the collectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllocatorKind {
    /// The operator's allocator.
    Operator,
    /// The function.
    Function {
        /// When snapshots are refreshed.
        policy: Policy,
        /// The number of environments.
        fleet: Fleet,
        /// The environment that answers a request.
        routing: Routing,
        /// Mean lifetime of an environment. `None` means that environments live forever.
        lifetime: Option<Millis>,
    },
}

/// The result of a run.
#[derive(Debug, Clone)]
pub struct RunResult {
    /// Target-milliseconds without a scrape, and with several.
    pub sums: Sums,
    /// The number of pods or collectors that were added, removed or replaced.
    pub units: usize,
    /// The measured time.
    pub measured: Millis,
    /// The load of the function. Empty for the operator's allocator.
    pub load: Load,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The change at this position of the timeline happens.
    Change(usize),
    /// The measurement starts.
    Measure,
    Poll(Request),
    Answer(Request, usize),
    Take(ProcessId, List, Vec<TargetIndex>),
    Wake(usize),
}

/// A poll of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Request {
    process: ProcessId,
    list: List,
    /// The scheduled time. Later polls are counted from it. `None` for the first poll: its response sets the schedule.
    due: Option<Millis>,
}

enum Allocator {
    Operator(Operator),
    Function(Function),
}

struct Run<'a> {
    allocations: &'a mut Allocations,
    view: View,
    events: BinaryHeap<Reverse<(Millis, u64, Event)>>,
    pushed: u64,
    ledger: Ledger,
    collectors: Collectors,
    replaced: usize,
    pods: Rc<[SeenPod]>,
    allocator: Allocator,
    rng: Rng,
}

const WAKES: [Wake; 3] = [Wake::Collectors, Wake::Reloader, Wake::Sender];

/// Simulates one kind of churn. Equal seeds give equal churn for all allocators.
pub fn run(
    allocations: &mut Allocations,
    kind: AllocatorKind,
    view: View,
    collectors: usize,
    churn: Churn,
    seed: u64,
) -> RunResult {
    let mut rng = Rng::with_seed(seed);
    let Timeline { changes, ends, units } = churn.timeline(allocations.pods(), collectors, &mut rng);
    let pods = (0..collectors).map(|collector| SeenPod { name: name(collector), scheduled: 0, deleted: None });
    let pods: Rc<[SeenPod]> = pods.collect();
    let ledger = Ledger::new(2 * allocations.pods(), allocations.pods());
    // A separate generator, so that the allocator does not affect the times at which collectors poll.
    let chance = Rng::with_seed(!seed);
    let allocator = match kind {
        AllocatorKind::Operator => Allocator::Operator(Operator::new(state(0, &pods), chance)),
        AllocatorKind::Function { policy, fleet, routing, lifetime } => {
            Allocator::Function(Function::new(policy, fleet, routing, lifetime, chance))
        }
    };
    let mut run = Run {
        allocations,
        view,
        events: BinaryHeap::new(),
        pushed: 0,
        ledger,
        collectors: Collectors::default(),
        replaced: 0,
        pods,
        allocator,
        rng,
    };
    run.begin(collectors, &changes);
    let mut load = Load::default();
    while let Some(Reverse((now, _, event))) = run.events.pop() {
        if now >= ends {
            break;
        }
        if event == Event::Measure {
            run.ledger.take(now);
            if let Allocator::Function(function) = &mut run.allocator {
                function.take_load();
            }
        } else {
            run.process(event, &changes, now);
        }
    }
    if let Allocator::Function(function) = &mut run.allocator {
        load = function.take_load();
    }
    RunResult { sums: run.ledger.take(ends), units, measured: ends - SETTLING, load }
}

impl Run<'_> {
    fn begin(&mut self, collectors: usize, changes: &[(Millis, Change)]) {
        self.push(SETTLING, Event::Measure);
        for (position, (at, _)) in changes.iter().enumerate() {
            self.push(*at, Event::Change(position));
        }
        if let Allocator::Operator(operator) = &mut self.allocator {
            let wakes = operator.wakes(0);
            for (at, wake) in wakes {
                let index = WAKES.iter().position(|known| *known == wake).unwrap_or_default();
                self.push(at, Event::Wake(index));
            }
        }
        for collector in 0..collectors {
            let process = self.collectors.start(&name(collector), 0);
            let phase = self.rng.u64(0..POLL);
            for list in self.view.lists(self.allocations.jobs()) {
                let at = phase + self.rng.u64(0..500);
                self.push(at, Event::Poll(Request { process, list, due: Some(at) }));
            }
        }
    }

    fn push(&mut self, at: Millis, event: Event) {
        self.pushed += 1;
        self.events.push(Reverse((at, self.pushed, event)));
    }

    fn process(&mut self, event: Event, changes: &[(Millis, Change)], now: Millis) {
        match event {
            Event::Measure => {}
            Event::Change(position) => self.change(&changes[position].1, now),
            Event::Poll(request) => self.poll(request, now),
            Event::Answer(request, environment) => self.answer(request, environment, now),
            Event::Take(process, list, targets) => {
                self.collectors.take(process, list, targets, &mut self.ledger, now);
            }
            Event::Wake(index) => {
                let state = state(self.replaced, &self.pods);
                if let Allocator::Operator(operator) = &mut self.allocator {
                    let again = operator.wake(WAKES[index], &state, now);
                    self.push(again.max(now + 1), Event::Wake(index));
                }
            }
        }
    }

    fn change(&mut self, change: &Change, now: Millis) {
        let mut pods = self.pods.to_vec();
        match change {
            Change::Replace(count) => {
                for number in self.replaced..self.replaced + count {
                    self.ledger.exists(index(number), false, now);
                    self.ledger.exists(index(self.allocations.pods() + number), true, now);
                }
                self.replaced += count;
                if let Allocator::Operator(operator) = &mut self.allocator {
                    operator.targets_changed();
                }
            }
            Change::Schedule(name) => pods.push(SeenPod { name: name.clone(), scheduled: now, deleted: None }),
            Change::Start(name) => {
                let process = self.collectors.start(name, now);
                for list in self.view.lists(self.allocations.jobs()) {
                    let at = now + self.rng.u64(0..100);
                    self.push(at, Event::Poll(Request { process, list, due: None }));
                }
            }
            Change::Delete(name) => {
                for pod in pods.iter_mut().filter(|pod| pod.name == *name) {
                    pod.deleted = Some(now);
                }
            }
            Change::Stop(name) => self.collectors.stop(name, &mut self.ledger, now),
            Change::Remove(name) => pods.retain(|pod| pod.name != *name),
        }
        if pods[..] != self.pods[..] {
            self.pods = pods.into();
        }
    }

    fn poll(&mut self, request: Request, now: Millis) {
        let Some(name) = self.collectors.name(request.process) else { return };
        match &mut self.allocator {
            Allocator::Operator(operator) => {
                let applied = operator.applied().clone();
                let share = share(self.allocations, &applied, name, request.list);
                self.answered(request, share, now);
            }
            Allocator::Function(function) => match function.route(name, now) {
                Routed::Goes { environment, answered } => {
                    function.waited(answered - request.due.unwrap_or(now));
                    self.push(answered, Event::Answer(request, environment));
                }
                Routed::Waits { until } => self.push(until, Event::Poll(request)),
            },
        }
    }

    fn answer(&mut self, request: Request, environment: usize, now: Millis) {
        let Allocator::Function(function) = &mut self.allocator else { return };
        let handover = function.handover();
        // The snapshot includes changes during the read.
        let Some(snapshot) = function.snapshot(environment, self.replaced, &self.pods) else { return };
        let Some(name) = self.collectors.name(request.process) else { return };
        let current = state(snapshot.replaced, &snapshot.pods);
        let mut targets = share(self.allocations, &current, name, request.list);
        if let Some(handover) = handover {
            let earlier = now.saturating_sub(handover);
            let before = snapshot.pods.iter().filter(|pod| pod.scheduled <= earlier).map(|pod| Member {
                name: pod.name.clone(),
                is_terminating: pod.deleted.is_some_and(|deleted| deleted <= earlier),
            });
            let before = State { replaced: snapshot.replaced, collectors: before.collect() };
            if before != current {
                targets.extend(share(self.allocations, &before, name, request.list));
                targets.sort_unstable();
                targets.dedup();
            }
        }
        self.answered(request, targets, now);
    }

    fn answered(&mut self, request: Request, targets: Vec<TargetIndex>, now: Millis) {
        let Request { process, list, due } = request;
        if list != List::ScrapeConfigs {
            self.push(self.collectors.takes_at(process, now), Event::Take(process, list, targets));
        }
        let due = due.unwrap_or(now) + POLL;
        self.push(due.max(now), Event::Poll(Request { process, list, due: Some(due) }));
    }
}

fn index(number: usize) -> TargetIndex {
    TargetIndex::try_from(number).unwrap_or(TargetIndex::MAX)
}

fn state(replaced: usize, pods: &[SeenPod]) -> State {
    let collectors =
        pods.iter().map(|pod| Member { name: pod.name.clone(), is_terminating: pod.deleted.is_some() }).collect();
    State { replaced, collectors }
}

fn share(allocations: &mut Allocations, state: &State, collector: &str, list: List) -> Vec<TargetIndex> {
    if list == List::ScrapeConfigs {
        return Vec::new();
    }
    let shares = allocations.shares(state);
    let jobs = shares.of(collector).unwrap_or_default();
    match list {
        List::ScrapeConfigs => Vec::new(),
        List::Job(job) => jobs.get(job).cloned().unwrap_or_default(),
        List::All => jobs.concat(),
    }
}
