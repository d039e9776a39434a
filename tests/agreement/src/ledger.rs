//! Counts the collectors that scrape each target, and sums up the time with none or several.

use crate::Millis;
use crate::shares::TargetIndex;

/// Sums in target-milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Time in which a target exists, but no collector scrapes it.
    pub missing: u64,
    /// Time in which several collectors scrape a target. Each collector after the first counts.
    pub doubled: u64,
}

/// All targets with the number of collectors that scrape them.
#[derive(Debug)]
pub struct Ledger {
    targets: Vec<TargetState>,
    sums: Sums,
}

#[derive(Debug, Clone, Copy, Default)]
struct TargetState {
    exists_now: bool,
    scrapers: u32,
    since: Millis,
}

impl Ledger {
    /// A ledger of `count` targets. The first `existing` exist at the start, and no collector scrapes them yet.
    #[must_use]
    pub fn new(count: usize, existing: usize) -> Self {
        let targets =
            (0..count).map(|index| TargetState { exists_now: index < existing, ..TargetState::default() }).collect();
        Self { targets, sums: Sums::default() }
    }

    /// Records that a target appears or disappears.
    pub fn exists(&mut self, target: TargetIndex, exists_now: bool, now: Millis) {
        self.add_elapsed(target as usize, now).exists_now = exists_now;
    }

    /// Records that one more collector scrapes these targets.
    pub fn begin(&mut self, targets: &[TargetIndex], now: Millis) {
        for target in targets {
            self.add_elapsed(*target as usize, now).scrapers += 1;
        }
    }

    /// Records that one collector stops scraping these targets.
    pub fn end(&mut self, targets: &[TargetIndex], now: Millis) {
        for target in targets {
            self.add_elapsed(*target as usize, now).scrapers -= 1;
        }
    }

    /// Returns the sums up to now and resets them.
    pub fn take(&mut self, now: Millis) -> Sums {
        for index in 0..self.targets.len() {
            self.add_elapsed(index, now);
        }
        std::mem::take(&mut self.sums)
    }

    /// Adds the time since the last change of a target to the sums.
    fn add_elapsed(&mut self, index: usize, now: Millis) -> &mut TargetState {
        let entry = &mut self.targets[index];
        if entry.exists_now {
            let passed = now - entry.since;
            match entry.scrapers {
                0 => self.sums.missing += passed,
                several => self.sums.doubled += passed * u64::from(several - 1),
            }
        }
        entry.since = now;
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_counts_only_while_it_exists() {
        let mut ledger = Ledger::new(2, 1);
        ledger.begin(&[0], 10);
        ledger.begin(&[0, 1], 30);
        ledger.end(&[0], 35);
        assert_eq!(ledger.take(50), Sums { missing: 10, doubled: 5 });
        ledger.exists(1, true, 60);
        ledger.end(&[0, 1], 70);
        ledger.exists(0, false, 72);
        assert_eq!(ledger.take(80), Sums { missing: 2 + 10, doubled: 0 });
    }
}
