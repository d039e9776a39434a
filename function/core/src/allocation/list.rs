//! The one list of all relabelled targets, `/merged/targets`: which jobs it has, and which it leaves out.
//!
//! Input: all jobs. Output: the jobs whose targets a scraper without settings of its own can scrape, and report
//! entries on all others. One job never fails the list: what is wrong with it leaves it out alone.

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
    /// How many jobs are left out because a scraper needs settings for them that labels cannot say.
    pub need_settings: usize,
    /// The jobs that are left out because their targets are not known, and never were here.
    pub unknown: Vec<String>,
    /// How many of the listed jobs have their last known targets, since the present ones are not known.
    pub kept: usize,
    /// How many targets of listed jobs are left out because labels cannot say what the rules made of them.
    pub inexpressible: usize,
}

impl PlainList {
    /// Decides on each job, and reports those that are not listed as a whole.
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

/// The names of the settings in which two scrape configs differ. Their values can be secret.
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
