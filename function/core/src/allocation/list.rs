//! The list of all relabelled targets, `/merged/targets`.
//!
//! Input: all jobs. Output: the jobs that a scraper without settings of its own can scrape, and report entries about
//! all others. A problem of one job leaves out only that job.

use serde_json::Value;

use super::Job;
use super::merged::settings;
use crate::report::{Outcome, Report};
use crate::scrape_config::ScrapeConfig;

/// The jobs of `/merged/targets`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlainList {
    /// The jobs whose targets are listed, in the order of their names.
    pub jobs: Vec<String>,
    /// The number of jobs that are left out because they need settings that labels cannot express.
    pub need_settings: usize,
    /// The jobs that are left out because their targets are unknown, and no last known targets are kept.
    pub unknown: Vec<String>,
    /// The number of listed jobs that serve their last known targets, because the current targets are unknown.
    pub kept: usize,
    /// The number of left-out targets in listed jobs, because labels cannot express them after relabelling.
    pub inexpressible: usize,
}

impl PlainList {
    /// Decides for each job whether it is listed. Reports jobs that are not listed, or only in part.
    pub(super) fn new<'j>(jobs: impl Iterator<Item = &'j Job>, plain: &ScrapeConfig, report: &mut Report) -> Self {
        let mut list = Self::default();
        for job in jobs {
            list.add(job, plain, report);
        }
        list
    }

    fn add(&mut self, job: &Job, plain: &ScrapeConfig, report: &mut Report) {
        let name = &job.scrape_config().job_name;
        let mut note = |reason: String| report.push(job.planned().object(), Outcome::Unlisted, name, reason);
        let own = settings(job.scrape_config());
        if own != *plain {
            self.need_settings += 1;
            note(format!(
                "not in /merged/targets, a scraper must have settings for the job: let a collector scrape it, or \
                 configure it by hand: {}",
                differing(&own, plain).join(", ")
            ));
            return;
        }
        match job.unknown() {
            Some(reason) if !job.is_kept() => {
                self.unknown.push(name.clone());
                note(format!("not in /merged/targets, the job's targets are not known: {reason}"));
                return;
            }
            Some(reason) => {
                self.kept += 1;
                note(format!(
                    "/merged/targets has the job's last known targets, the present ones are not known: {reason}"
                ));
            }
            None => {}
        }
        let inexpressible = job.inexpressible();
        if inexpressible > 0 {
            self.inexpressible += inexpressible;
            note(format!(
                "not in /merged/targets, the rules take a label away that a scraper sets again, or make a label without \
                 a name: let the rules keep job, __scheme__, __metrics_path__, __scrape_interval__ and \
                 __scrape_timeout__, and name each label: {inexpressible} targets"
            ));
        }
        self.jobs.push(name.clone());
    }
}

/// The names of the settings that differ between two scrape configs. The values are omitted, because they can be
/// secret.
fn differing(one: &ScrapeConfig, other: &ScrapeConfig) -> Vec<String> {
    let fields = |config| match serde_json::to_value(config) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (one, other) = (fields(one), fields(other));
    let mut names: Vec<_> = one.keys().chain(other.keys()).filter(|name| one.get(*name) != other.get(*name)).collect();
    names.sort();
    names.dedup();
    names.into_iter().cloned().collect()
}
