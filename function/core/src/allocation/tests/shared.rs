//! Lists that several jobs share: an error in one job leaves out only that job.

use std::time::Duration;

use super::*;
use crate::discovery::{SourceAnswer, SourceGroup, SourceKey};
use crate::report::Outcome;

const JOBS: &str = "
collectors: {names: [one]}
config:
  scrape_configs:
  - job_name: good
    static_configs: [{targets: ['good:80']}]
  - job_name: outside
    http_sd_configs: [{url: 'http://sd/'}]
  - job_name: large
    static_configs: [{targets: ['a:80', 'b:80', 'c:80']}]
  - job_name: secured
    basic_auth: {username: u, password: p}
    honor_labels: true
    static_configs: [{targets: ['secured:80']}]
  - job_name: odd
    static_configs: [{targets: ['odd:80'], labels: {__x: v}}, {targets: ['even:80'], labels: {__xa: v}}]
    relabel_configs: [{action: labelmap, regex: '__x(.*)'}]
";

/// The jobs at a point in time, and the state of the source of one job.
struct Moment {
    config: Config,
    second: i64,
    outside: Option<SourceAnswer>,
}

impl Moment {
    fn new(second: i64, outside: Option<SourceAnswer>) -> Self {
        Self { config: Config::parse(JOBS, None).unwrap(), second, outside }
    }

    fn allocated(&self, before: Option<&Allocation>) -> Allocation {
        let (config, cluster) = (&self.config, &Cluster::default());
        let plan = Arc::new(plan(config, cluster, before.map(|before| before.plan().as_ref())));
        let answers: BTreeMap<SourceKey, SourceAnswer> = plan
            .owned_sources()
            .into_iter()
            .filter_map(|owned| Some((owned.source.key, self.outside.clone()?)))
            .collect();
        let inputs = Inputs {
            config,
            plan: &plan,
            cluster,
            external: &SourceAnswers { answers },
            served: ServedLabels::Referenced,
            views: Views { plain: true, merged: true },
            now: Timestamp::from_second(self.second).unwrap(),
        };
        allocate(inputs, before).unwrap()
    }
}

fn known() -> Option<SourceAnswer> {
    let target = BTreeMap::from([("__address__".to_owned(), "outside:80".to_owned())]);
    Some(SourceAnswer::Known([SourceGroup { targets: vec![target], ..SourceGroup::default() }].into()))
}

fn unknown() -> Option<SourceAnswer> {
    Some(SourceAnswer::Unknown("refused".to_owned()))
}

/// The addresses in the list of all relabelled targets.
fn listed(allocation: &Allocation) -> Vec<String> {
    addresses(allocation, &allocation.list().jobs)
}

fn addresses(allocation: &Allocation, jobs: &[String]) -> Vec<String> {
    let texts = jobs.iter().flat_map(|job| allocation.share(job, "one")).map(|(group, target)| group.merged(target));
    let address = |json: String| {
        let target: serde_json::Value = serde_json::from_str(&json).unwrap();
        target["targets"][0].as_str().unwrap().to_owned()
    };
    let mut addresses: Vec<_> = texts.filter(|text| !text.is_empty()).map(|text| address(text.json())).collect();
    addresses.sort();
    addresses
}

/// The reasons why a job or some of its targets are not in a shared list.
fn unlisted<'a>(allocation: &'a Allocation, job: &str) -> Vec<&'a str> {
    let entries = allocation.report().entries().iter();
    let of_job = entries.filter(|entry| entry.outcome == Outcome::Unlisted && entry.object.name == job);
    of_job.map(|entry| entry.reason.as_str()).collect()
}

/// The job of the merged view that contains the targets of a job, with its form.
fn merged_with<'a>(allocation: &'a Allocation, job: &str) -> (&'a str, Form) {
    let found = allocation.merged().iter().find(|(_, merged)| merged.jobs.iter().any(|name| name == job)).unwrap();
    (found.0, found.1.form)
}

const ALL: [&str; 6] = ["a:80", "b:80", "c:80", "even:80", "good:80", "outside:80"];
const REST: [&str; 5] = ["a:80", "b:80", "c:80", "even:80", "good:80"];

#[test]
fn a_job_whose_targets_were_never_known_is_left_out_alone() {
    let allocation = Moment::new(0, unknown()).allocated(None);
    assert_eq!(listed(&allocation), REST);
    assert_eq!(allocation.list().unknown, ["outside"]);
    let [reason] = unlisted(&allocation, "outside")[..] else { panic!("one entry") };
    assert!(
        reason.starts_with("not in /merged/targets, the job's targets are not known: ") && reason.ends_with("refused")
    );
}

#[test]
fn a_job_with_unknown_targets_keeps_its_last_targets_for_a_limited_time() {
    let first = Moment::new(0, known()).allocated(None);
    assert_eq!(listed(&first), ALL);
    let mut before = first;
    // While the targets are unknown, the time counts from when they were last known.
    for (second, expected, kept) in [(1, &ALL[..], 1), (300, &ALL, 1), (600, &ALL, 1), (601, &REST, 0), (602, &REST, 0)]
    {
        let moment = Moment::new(second, unknown());
        assert_eq!(moment.config.keep_unknown, Duration::from_secs(600));
        let later = moment.allocated(Some(&before));
        assert_eq!(listed(&later), expected, "{second}");
        assert_eq!((later.list().kept, later.list().unknown.len()), (kept, 1 - kept), "{second}");
        assert_eq!(unlisted(&later, "outside").len(), 1, "{second}");
        assert!(later.job("outside").unwrap().unknown().is_some(), "asking for the job itself fails: {second}");
        before = later;
    }
    let again = Moment::new(603, known()).allocated(Some(&before));
    assert_eq!((listed(&again).len(), again.list().kept, unlisted(&again, "outside").len()), (ALL.len(), 0, 0));
}

#[test]
fn a_job_keeps_its_targets_when_its_source_changes() {
    let first = Moment::new(0, known()).allocated(None);
    let mut moment = Moment::new(1, unknown());
    moment.config = Config::parse(&JOBS.replace("http://sd/", "http://other/"), None).unwrap();
    assert_eq!(listed(&moment.allocated(Some(&first))), ALL);
}

#[test]
fn targets_of_an_old_snapshot_are_not_kept() {
    let first = Moment::new(0, known()).allocated(None);
    assert_eq!(listed(&Moment::new(3_600, unknown()).allocated(Some(&first))), REST);
}

/// A source can fail in one environment and answer in another. The collector must find the job under one name in both.
#[test]
fn jobs_with_external_sources_keep_their_name_in_the_merged_view() {
    for answer in [known(), unknown(), None] {
        let allocation = Moment::new(0, answer).allocated(None);
        assert_eq!(merged_with(&allocation, "outside"), ("outside", Form::Discovered));
        let names: Vec<_> =
            allocation.jobs().filter(|(_, job)| job.unknown().is_some()).map(|(name, _)| name).collect();
        assert!(names.is_empty() || names == ["outside"], "{names:?}");
    }
}

#[test]
fn a_job_that_becomes_too_large_keeps_its_last_targets_in_its_merged_job() {
    let first = Moment::new(0, known()).allocated(None);
    let (shared, form) = merged_with(&first, "large");
    assert_eq!((merged_with(&first, "good"), form), ((shared, form), Form::Relabelled { is_plain: true }));

    let mut moment = Moment::new(1, known());
    moment.config = Config::parse(&JOBS.replace("'c:80'", &vec!["'d:80'"; 100].join(", ")), None).unwrap();
    moment.config.most_of_a_job = 2_000;
    let later = moment.allocated(Some(&first));
    assert!(later.job("large").unwrap().unknown().is_some());
    assert_eq!(merged_with(&later, "large"), (shared, form));
    assert_eq!(addresses(&later, &later.merged()[shared].jobs), ["a:80", "b:80", "c:80", "good:80"]);

    // Without last known targets, the job keeps its own name and fails alone.
    let cold = moment.allocated(None);
    assert_eq!(merged_with(&cold, "large"), ("large", Form::Discovered));
    assert_eq!(addresses(&cold, &cold.merged()[shared].jobs), ["good:80"]);
    assert_eq!(listed(&cold), ["even:80", "good:80", "outside:80"]);
}

#[test]
fn jobs_that_need_settings_are_reported_with_the_names_of_the_settings() {
    let allocation = Moment::new(0, known()).allocated(None);
    assert_eq!(allocation.list().need_settings, 1);
    let [reason] = unlisted(&allocation, "secured")[..] else { panic!("one entry") };
    assert!(reason.ends_with(": basic_auth, honor_labels"), "{reason}");
}

#[test]
fn a_limit_of_all_monitors_is_a_setting_that_the_list_does_not_have() {
    let mut moment = Moment::new(0, known());
    let jobs = JOBS.replace("job_name: large\n", "job_name: large\n    sample_limit: 5\n");
    let text = format!("{jobs}prometheus_cr: {{enabled: true, sample_limit: 5}}\n");
    moment.config = Config::parse(&text, None).unwrap();
    let allocation = moment.allocated(None);
    assert_eq!(listed(&allocation), ["even:80", "good:80", "outside:80"]);
    let [reason] = unlisted(&allocation, "large")[..] else { panic!("one entry") };
    assert!(reason.ends_with(": sample_limit"), "{reason}");
}

#[test]
fn a_target_whose_labels_cannot_be_served_is_left_out_alone() {
    let allocation = Moment::new(0, known()).allocated(None);
    assert!(listed(&allocation).contains(&"even:80".to_owned()) && !listed(&allocation).contains(&"odd:80".to_owned()));
    assert_eq!(allocation.list().inexpressible, 1);
    let [reason] = unlisted(&allocation, "odd")[..] else { panic!("one entry") };
    assert!(reason.contains("a label without a name") && reason.ends_with(": 1 targets"), "{reason}");
    assert_eq!(merged_with(&allocation, "odd"), ("odd", Form::Discovered), "a collector has it as it was discovered");
}

#[test]
fn the_report_names_jobs_that_are_too_large_for_a_shared_list() {
    let mut moment = Moment::new(0, known());
    moment.config.most_of_a_list = 1_000;
    let allocation = moment.allocated(None);
    let [reason] = unlisted(&allocation, "large")[..] else { panic!("one entry: {:?}", allocation.report()) };
    assert!(reason.contains("more than 1000 bytes") && reason.contains("use more collectors"), "{reason}");
    let all = allocation.parts(&allocation.list().jobs, "one");
    assert_eq!(too_large(all, 1_000).into_keys().collect::<Vec<_>>(), ["large"]);
}
