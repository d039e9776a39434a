//! The collectors' processes: when they ask, and what they scrape.
//!
//! Follows the collector's prometheusreceiver 0.165: at its start a process asks for
//! every list at once, and then for each every 30 seconds, counted from its first
//! answer. Targets are taken from an answer at once, but at a start with the scrape
//! manager's first tick, after five seconds.

use std::collections::BTreeMap;

use crate::ledger::Ledger;
use crate::shares::TargetIndex;
use crate::{Millis, seconds};

/// How often a list is asked for.
pub const POLL: Millis = seconds(30);
/// From the start of a process until it scrapes.
const FIRST_RELOAD: Millis = seconds(5);
/// From an answer until its targets are scraped: discovery waits so long for more.
const RELOAD: Millis = 100;

/// A process, each with a number of its own.
pub type ProcessId = u32;

/// What a process asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// The scrape configs, which do not change here.
    ScrapeConfigs,
    /// Its targets of one job.
    Job(usize),
    /// Its targets of all jobs: the merged view.
    All,
}

/// In which view targets are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// One request for each job.
    Plain,
    /// One request for all.
    Merged,
}

impl View {
    /// All that a process asks for.
    pub fn lists(self, jobs: usize) -> impl Iterator<Item = List> {
        let shares: Vec<_> = match self {
            Self::Plain => (0..jobs).map(List::Job).collect(),
            Self::Merged => vec![List::All],
        };
        std::iter::once(List::ScrapeConfigs).chain(shares)
    }
}

/// The processes that run.
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
    /// A process starts.
    pub fn start(&mut self, name: &str, now: Millis) -> ProcessId {
        self.started += 1;
        let process = Process { name: name.to_owned(), scrapes_from: now + FIRST_RELOAD, targets: BTreeMap::new() };
        self.running.insert(self.started, process);
        self.started
    }

    /// A process ends, and scrapes nothing any more.
    pub fn stop(&mut self, name: &str, ledger: &mut Ledger, now: Millis) {
        for process in self.running.values().filter(|process| process.name == name) {
            process.targets.values().for_each(|targets| ledger.end(targets, now));
        }
        self.running.retain(|_, process| process.name != name);
    }

    /// The name of a process, if it runs.
    #[must_use]
    pub fn name(&self, process: ProcessId) -> Option<&str> {
        self.running.get(&process).map(|process| process.name.as_str())
    }

    /// When a process scrapes what it is told now.
    #[must_use]
    pub fn takes_at(&self, process: ProcessId, now: Millis) -> Millis {
        let scrapes_from = self.running.get(&process).map_or(0, |process| process.scrapes_from);
        scrapes_from.max(now + RELOAD)
    }

    /// A process scrapes these targets in place of those that the list had before.
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
