//! Simulates the processes of collectors: when they poll, and which targets they scrape.
//!
//! Follows the collector's prometheusreceiver 0.165. A process polls all lists at its start. After that, it polls each
//! list every 30 seconds, counted from its first response. New targets take effect at once. At the start of a process,
//! they take effect with the first tick of the scrape manager, after five seconds.

use std::collections::BTreeMap;

use crate::ledger::Ledger;
use crate::shares::TargetIndex;
use crate::{Millis, seconds};

/// Time between two polls of a list.
pub const POLL: Millis = seconds(30);
/// Time from the start of a process to its first scrape.
const FIRST_RELOAD: Millis = seconds(5);
/// Time from a response to the scrape of its targets: discovery waits this long for further responses.
const RELOAD: Millis = 100;

/// The number of a process. A collector that restarts gets a new process.
pub type ProcessId = u32;

/// A list that a process polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// The scrape configs, which never change in the simulation.
    ScrapeConfigs,
    /// The targets of one job.
    Job(usize),
    /// The targets of all jobs, in the merged view.
    All,
}

/// The view in which a process requests targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// One request for each job.
    Plain,
    /// One request for all jobs.
    Merged,
}

impl View {
    /// All lists that a process polls.
    pub fn lists(self, jobs: usize) -> impl Iterator<Item = List> {
        let shares: Vec<_> = match self {
            Self::Plain => (0..jobs).map(List::Job).collect(),
            Self::Merged => vec![List::All],
        };
        std::iter::once(List::ScrapeConfigs).chain(shares)
    }
}

/// The running processes.
#[derive(Debug, Default)]
pub struct Collectors {
    running: BTreeMap<ProcessId, Process>,
    started: ProcessId,
}

#[derive(Debug)]
struct Process {
    name: String,
    scrapes_from: Millis,
    targets: BTreeMap<List, Vec<TargetIndex>>,
}

impl Collectors {
    /// Starts a process.
    pub fn start(&mut self, name: &str, now: Millis) -> ProcessId {
        self.started += 1;
        let process = Process { name: name.to_owned(), scrapes_from: now + FIRST_RELOAD, targets: BTreeMap::new() };
        self.running.insert(self.started, process);
        self.started
    }

    /// Ends a process. It stops scraping its targets.
    pub fn stop(&mut self, name: &str, ledger: &mut Ledger, now: Millis) {
        for process in self.running.values().filter(|process| process.name == name) {
            process.targets.values().for_each(|targets| ledger.end(targets, now));
        }
        self.running.retain(|_, process| process.name != name);
    }

    /// The collector of a process. `None` if the process has ended.
    #[must_use]
    pub fn name(&self, process: ProcessId) -> Option<&str> {
        self.running.get(&process).map(|process| process.name.as_str())
    }

    /// The time at which a process scrapes the targets of a response that arrives now.
    #[must_use]
    pub fn takes_at(&self, process: ProcessId, now: Millis) -> Millis {
        let scrapes_from = self.running.get(&process).map_or(0, |process| process.scrapes_from);
        scrapes_from.max(now + RELOAD)
    }

    /// Replaces the targets of a list of a process.
    pub fn take(
        &mut self,
        process: ProcessId,
        list: List,
        targets: Vec<TargetIndex>,
        ledger: &mut Ledger,
        now: Millis,
    ) {
        let Some(process) = self.running.get_mut(&process) else { return };
        ledger.begin(&targets, now);
        if let Some(before) = process.targets.insert(list, targets) {
            ledger.end(&before, now);
        }
    }
}
