//! The jobs to leave out of a shared list that is too large.
//!
//! Input: the size of each job in the list. Output: the jobs to leave out. The largest job of the largest namespace is
//! left out first, so that one tenant cannot displace the jobs of others.

use std::collections::{BTreeMap, BTreeSet};

use super::{Allocation, Form, JobSet};
use crate::report::{Outcome, Report};
use crate::shard::Members;

/// The size of one job in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// The namespace of the monitor. Empty for a job of `config.scrape_configs`.
    pub namespace: &'a str,
    /// The name of the job.
    pub job: &'a str,
    /// The size of its targets in the list, in bytes.
    pub bytes: usize,
}

/// For each namespace: the total bytes of its jobs, and the jobs by size.
type Namespaces<'a> = BTreeMap<&'a str, (usize, BTreeSet<(usize, &'a str)>)>;

/// The jobs to leave out so that the list takes at most `most` bytes.
#[must_use]
pub fn too_large<'a>(parts: impl IntoIterator<Item = Part<'a>>, most: usize) -> BTreeMap<&'a str, usize> {
    // A list takes two brackets, and a separator after each target except the last.
    let mut total = 1;
    let mut namespaces: Namespaces<'_> = BTreeMap::new();
    for Part { namespace, job, bytes } in parts {
        let (taken, jobs) = namespaces.entry(namespace).or_default();
        jobs.insert((bytes, job));
        *taken += bytes;
        total += bytes;
    }
    let mut left_out = BTreeMap::new();
    while total > most {
        let largest = namespaces.values_mut().max_by_key(|(taken, _)| *taken);
        let Some((taken, Some((bytes, job)))) = largest.map(|(taken, jobs)| (taken, jobs.pop_last())) else { break };
        *taken -= bytes;
        total -= bytes;
        left_out.insert(job, bytes);
    }
    left_out
}

impl Allocation {
    /// The size of each job in the list of the relabelled targets of a collector.
    pub fn parts<'a>(&'a self, jobs: &'a [String], collector: &'a str) -> impl Iterator<Item = Part<'a>> {
        let bytes = |job: &str| {
            let texts = self.share(job, collector).map(|(group, target)| group.merged(target));
            // Each text is followed by a comma.
            texts
                .filter(|text| !text.is_empty())
                .map(|text| text.pieces().map(str::len).iter().sum::<usize>() + 1)
                .sum()
        };
        let namespace = |job: &str| self.job(job)?.monitor().map(|monitor| monitor.namespace.as_str());
        jobs.iter().map(move |job| Part { namespace: namespace(job).unwrap_or_default(), job, bytes: bytes(job) })
    }
}

/// Reports each job that is left out of the list of a collector.
pub(super) fn report(allocation: &Allocation, most: usize) -> Report {
    let mut report = Report::default();
    if most == usize::MAX {
        return report;
    }
    let left_out = left_out(allocation, &allocation.all, most);
    if left_out.is_empty() {
        // A list of a pipeline is a part of a list of all jobs, so the lists of all pipelines fit, too.
        return report;
    }
    add(allocation, "", &left_out, most, &mut report);
    for (name, set) in &allocation.pipelines {
        add(allocation, &format!("/pipelines/{name}"), &self::left_out(allocation, set, most), most, &mut report);
    }
    report
}

/// The collectors whose list lacks a job, and the largest size of the job in these lists.
type LeftOut<'a> = BTreeMap<&'a str, (BTreeSet<&'a str>, usize)>;

/// The jobs that are left out of lists of a set.
fn left_out<'a>(allocation: &'a Allocation, set: &'a JobSet, most: usize) -> LeftOut<'a> {
    let merged = set.merged().values().filter(|merged| merged.form != Form::Discovered);
    let lists: Vec<_> = merged.map(|merged| &merged.jobs).chain([&set.list().jobs]).collect();
    let mut left_out = LeftOut::new();
    for collector in allocation.members().map(Members::collectors).unwrap_or_default() {
        for jobs in &lists {
            for (job, bytes) in too_large(allocation.parts(jobs, &collector.name), most) {
                let (collectors, largest) = left_out.entry(job).or_default();
                collectors.insert(&collector.name);
                *largest = bytes.max(*largest);
            }
        }
    }
    left_out
}

/// Adds an entry for each left-out job. `prefix` is the beginning of the paths of the set.
fn add(allocation: &Allocation, prefix: &str, left_out: &LeftOut<'_>, most: usize, report: &mut Report) {
    for (name, (collectors, bytes)) in left_out {
        let Some(job) = allocation.job(name) else { continue };
        let reason = format!(
            "left out of the lists that it shares with other jobs ({prefix}/merged/targets, {prefix}/merged/jobs), they \
             would take more than {most} bytes: let its rules drop what it does not need, use more collectors, or \
             RESPONSE_MODE=stream behind a function URL or a REST API that streams: {bytes} bytes, for {} of the \
             collectors",
            collectors.len()
        );
        report.push(job.planned().object(), Outcome::Unlisted, *name, reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_job_of_the_largest_namespace_is_left_out() {
        type Case = (&'static [(&'static str, &'static str, usize)], usize, &'static [&'static str]);
        let cases: [Case; 8] = [
            (&[], 0, &[]),
            (&[("a", "one", 4), ("b", "two", 6)], 11, &[]),
            (&[("a", "one", 4), ("b", "two", 7)], 11, &["two"]),
            (&[("a", "one", 4), ("a", "two", 7)], 11, &["two"]),
            (&[("a", "large", 100), ("a", "small", 1), ("b", "other", 5)], 11, &["large"]),
            (&[("a", "alone", 11)], 11, &["alone"]),
            // Many small jobs of one tenant do not displace the larger job of another.
            (&[("a", "1", 3), ("a", "2", 3), ("a", "3", 3), ("a", "4", 3), ("b", "other", 4)], 11, &["3", "4"]),
            (&[("", "config", 5), ("a", "one", 5), ("b", "two", 5)], 4, &["config", "one", "two"]),
        ];
        for (parts, most, expected) in cases {
            let parts_of = |&(namespace, job, bytes)| Part { namespace, job, bytes };
            let left_out = too_large(parts.iter().map(parts_of), most);
            assert_eq!(left_out.into_keys().collect::<Vec<_>>(), expected, "{parts:?}");
            let reversed = too_large(parts.iter().rev().map(parts_of), most);
            assert_eq!(reversed.into_keys().collect::<Vec<_>>(), expected, "in any order: {parts:?}");
        }
    }
}
