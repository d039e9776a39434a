//! Who scrapes what at each moment, summed up over time.

use crate::Millis;
use crate::shares::TargetIndex;

/// What was lost and what was done twice, in target-milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// A target is there and nobody scrapes it.
    pub missing: u64,
    /// A target is there and several scrape it: the time of each but the first.
    pub doubled: u64,
}

/// All targets with the number of those who scrape them.
#[derive(Debug)]
pub struct Ledger {
    targets: Vec<Entry>,
    sums: Sums,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    is_there: bool,
    scrapers: u32,
    since: Millis,
}

impl Ledger {
    /// Of `count` targets the first `there` are there; nobody scrapes them.
    #[must_use]
    pub fn new(count: usize, there: usize) -> Self {
        let targets = (0..count).map(|index| Entry { is_there: index < there, ..Entry::default() }).collect();
        Self { targets, sums: Sums::default() }
    }

    /// A target comes or goes.
    pub fn exists(&mut self, target: TargetIndex, is_there: bool, now: Millis) {
        self.settle(target as usize, now).is_there = is_there;
    }

    /// One more scrapes these targets.
    pub fn begin(&mut self, targets: &[TargetIndex], now: Millis) {
        for target in targets {
            self.settle(*target as usize, now).scrapers += 1;
        }
    }

    /// One less scrapes these targets.
    pub fn end(&mut self, targets: &[TargetIndex], now: Millis) {
        for target in targets {
            self.settle(*target as usize, now).scrapers -= 1;
        }
    }

    /// The sums until now; they start again from nothing.
    pub fn take(&mut self, now: Millis) -> Sums {
        for index in 0..self.targets.len() {
            self.settle(index, now);
        }
        std::mem::take(&mut self.sums)
    }

    fn settle(&mut self, index: usize, now: Millis) -> &mut Entry {
        let entry = &mut self.targets[index];
        if entry.is_there {
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
    fn a_target_is_counted_while_it_is_there() {
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
