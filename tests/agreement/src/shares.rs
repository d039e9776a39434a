//! Computes the shares of the collectors in a state of the cluster, with the real core.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use target_allocator_core::allocation::{self, Allocation, Inputs, Plan};
use target_allocator_core::config::Config;
use target_allocator_core::discovery::SourceAnswers;
use target_allocator_core::objects::{Cluster, Pod};
use target_allocator_core::targets::{ServedLabels, Views};
use target_allocator_world::World;

/// The number of a target: the number of its pod. Replacements of pods have the numbers after all original pods.
pub type TargetIndex = u32;

/// The part of the cluster that decides the assignment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    /// The number of replaced pods.
    pub replaced: usize,
    /// The pods of collectors that are on a node.
    pub collectors: Vec<Member>,
}

/// The pod of a collector.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// The name of the pod.
    pub name: String,
    /// Whether the deletion of the pod has started.
    pub is_terminating: bool,
}

/// The targets of each collector, by the number of the job.
#[derive(Debug, Default)]
pub struct Shares(BTreeMap<String, Vec<Vec<TargetIndex>>>);

impl Shares {
    /// The targets of a collector, by job. `None` if the collector does not exist.
    #[must_use]
    pub fn of(&self, collector: &str) -> Option<&[Vec<TargetIndex>]> {
        self.0.get(collector).map(Vec::as_slice)
    }
}

/// A cache of the shares of all requested states.
#[derive(Debug)]
pub struct Allocations {
    world: World,
    config: Config,
    plan: Arc<Plan>,
    cluster: Cluster,
    at: State,
    latest: Option<Allocation>,
    known: BTreeMap<State, Rc<Shares>>,
}

impl Allocations {
    /// A cluster of this size, with this allocation strategy.
    #[must_use]
    pub fn new(pods: usize, monitors: usize, strategy: &str) -> Self {
        let world = World { collectors: 0, ..World::new(pods, monitors) };
        let config = format!(
            "collector_namespace: monitoring\n\
            collector_selector: {{matchlabels: {{app: otel-collector}}}}\n\
            allocation_strategy: {strategy}\n\
            prometheus_cr: {{enabled: true, service_monitor_selector: {{}}}}\n"
        );
        let config = Config::parse(&config, None).unwrap();
        let cluster = world.cluster().unwrap();
        let plan = Arc::new(allocation::plan(&config, &cluster, None));
        let at = State { replaced: 0, collectors: Vec::new() };
        Self { world, config, plan, cluster, at, latest: None, known: BTreeMap::new() }
    }

    /// The number of scraped pods.
    #[must_use]
    pub const fn pods(&self) -> usize {
        self.world.pods
    }

    /// The number of jobs.
    #[must_use]
    pub const fn jobs(&self) -> usize {
        self.world.monitors
    }

    /// The shares in a state of the cluster.
    pub fn shares(&mut self, state: &State) -> Rc<Shares> {
        if let Some(known) = self.known.get(state) {
            return Rc::clone(known);
        }
        self.go_to(state);
        let allocation = self.allocate();
        let shares = Rc::new(self.read(&allocation));
        self.latest = Some(allocation);
        self.known.insert(state.clone(), Rc::clone(&shares));
        shares
    }

    /// Changes the objects of the cluster to those of a state.
    fn go_to(&mut self, state: &State) {
        let before = World { replaced: self.at.replaced, ..self.world };
        before.replace_pods(state.replaced, &mut self.cluster).unwrap();
        for Member { name, .. } in &self.at.collectors {
            self.cluster.pods.remove("monitoring", name);
        }
        for member in &state.collectors {
            self.cluster.pods.insert(collector(member));
        }
        self.at = state.clone();
    }

    fn allocate(&self) -> Allocation {
        let inputs = Inputs {
            config: &self.config,
            plan: &self.plan,
            cluster: &self.cluster,
            external: &SourceAnswers::default(),
            served: ServedLabels::Referenced,
            views: Views::PLAIN,
            now: Timestamp::UNIX_EPOCH,
        };
        allocation::allocate(inputs, self.latest.as_ref()).unwrap()
    }

    fn read(&self, allocation: &Allocation) -> Shares {
        let members = allocation.members().unwrap().collectors();
        let of = |collector: &str| {
            let jobs = allocation.jobs().map(|(job, _)| {
                let share = allocation.share(job, collector);
                let mut share: Vec<_> = share.map(|(group, target)| self.index(&group.plain(target).json())).collect();
                share.sort_unstable();
                share
            });
            jobs.collect()
        };
        Shares(members.iter().map(|collector| (collector.name.clone(), of(&collector.name))).collect())
    }

    /// The number of a rendered target, from its address.
    fn index(&self, answer: &str) -> TargetIndex {
        let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
        let address = answer["targets"][0].as_str().unwrap();
        let address: std::net::SocketAddrV4 = address.parse().unwrap();
        let [_, block, high, low] = address.ip().octets();
        // The test world gives replacements of pods addresses in the second half of 10/8.
        let number = usize::from(block & 127) << 16 | usize::from(high) << 8 | usize::from(low);
        let number = if block & 128 == 0 { number } else { self.world.pods + number };
        TargetIndex::try_from(number).unwrap()
    }
}

fn collector(member: &Member) -> Pod {
    let mut pod = json!({
        "metadata": {"namespace": "monitoring", "name": member.name, "labels": {"app": "otel-collector"}},
        "spec": {"nodeName": "node"},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    });
    if member.is_terminating {
        pod["metadata"]["deletionTimestamp"] = json!("2026-11-24T12:00:00Z");
    }
    serde_json::from_value(pod).unwrap()
}
