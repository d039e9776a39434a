//! Pipelines are subsets of the jobs. They change no target and no share.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::objects::Namespace;
use crate::objects::monitoring::ScrapeConfig;
use crate::report::Outcome;

const HEAD: &str = "
collectors: {names: [one, two, three]}
prometheus_cr: {enabled: true, scrape_config_selector: {}}
config:
  scrape_configs:
  - {job_name: node, static_configs: [{targets: ['n:1', 'n:2', 'n:3']}]}
  - {job_name: limited, target_limit: 9, static_configs: [{targets: ['l:1', 'l:2']}]}
";

const PIPELINES: &str = "
pipelines:
  everything: {jobs: ['*']}
  monitors: {monitor_selector: {}}
  team-x: {monitor_selector: {matchLabels: {team: x}}}
  shop: {namespace_selector: {matchLabels: {tier: shop}}}
  team-x-of-shop: {namespace_selector: {matchLabels: {tier: shop}}, monitor_selector: {matchLabels: {team: x}}}
  by-name: {jobs: [node, 'scrapeConfig/*/m1']}
";

/// A drawn monitor: its namespace, its team, its targets and one setting.
type Drawn = (bool, Option<bool>, u8, bool);

/// A cluster with these monitors: `m0`, `m1` and so on.
fn cluster_of(monitors: &[Drawn]) -> Cluster {
    let mut cluster = Cluster::default();
    let namespaces = [json!({"name": "a", "labels": {"tier": "shop"}}), json!({"name": "b"})];
    for metadata in namespaces {
        let namespace: Namespace = serde_json::from_value(json!({ "metadata": metadata })).unwrap();
        cluster.namespaces.insert(Arc::new(namespace));
    }
    for (number, monitor) in monitors.iter().enumerate() {
        cluster.scrape_configs.insert(Arc::new(monitor_of(number, *monitor)));
    }
    cluster
}

fn monitor_of(number: usize, (in_shop, team, targets, honors): Drawn) -> ScrapeConfig {
    let labels = team.map_or_else(|| json!({}), |is_x| json!({"team": if is_x { "x" } else { "y" }}));
    let targets: Vec<String> = (0..targets % 8).map(|target| format!("m{number}:{target}")).collect();
    let metadata: Value =
        json!({"name": format!("m{number}"), "namespace": if in_shop { "a" } else { "b" }, "labels": labels});
    let spec = json!({"staticConfigs": [{"targets": targets}], "honorLabels": honors});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
}

fn allocated(config: &str, cluster: &Cluster, views: Views, before: Option<&Allocation>) -> Allocation {
    let config = Config::parse(config, None).unwrap();
    let plan = Arc::new(plan(&config, cluster, before.map(|before| before.plan().as_ref())));
    let (external, served, now) = (SourceAnswers::default(), ServedLabels::Referenced, Timestamp::UNIX_EPOCH);
    let inputs = Inputs { config: &config, plan: &plan, cluster, external: &external, served, views, now };
    allocate(inputs, before).unwrap()
}

/// The names of the jobs that a pipeline must have, decided without selectors.
fn expected(pipeline: &str, monitors: &[Drawn]) -> BTreeSet<String> {
    let of_config = ["node", "limited"].into_iter().filter(|name| match pipeline {
        "everything" => true,
        "by-name" => *name == "node",
        _ => false,
    });
    let of_monitors = monitors.iter().enumerate().filter_map(|(number, (in_shop, team, ..))| {
        let is_x = *team == Some(true);
        let is_in = match pipeline {
            "everything" | "monitors" => true,
            "team-x" => is_x,
            "shop" => *in_shop,
            "team-x-of-shop" => is_x && *in_shop,
            "by-name" => number == 1,
            _ => false,
        };
        is_in.then(|| format!("scrapeConfig/{}/m{number}", if *in_shop { "a" } else { "b" }))
    });
    of_config.map(str::to_owned).chain(of_monitors).collect()
}

fn names(allocation: &Allocation, set: &JobSet) -> BTreeSet<String> {
    set.jobs(allocation).map(|(name, _)| name.to_owned()).collect()
}

const BOTH: Views = Views { plain: true, merged: true };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_pipeline_is_a_subset_with_the_same_shares(monitors: Vec<Drawn>, earlier: Vec<Drawn>) {
        let (monitors, earlier) = (&monitors[..monitors.len().min(6)], &earlier[..earlier.len().min(6)]);
        let (text, cluster) = (format!("{HEAD}{PIPELINES}"), cluster_of(monitors));
        let allocation = allocated(&text, &cluster, BOTH, None);
        let without = allocated(HEAD, &cluster, BOTH, None);
        prop_assert_eq!(served(&allocation), served(&without), "no pipeline changes a share");
        prop_assert_eq!(merged_jobs(&allocation), merged_jobs(&without));
        prop_assert_eq!(names(&allocation, allocation.all()), names(&without, without.all()));

        let mut in_any = BTreeSet::new();
        for (name, set) in allocation.pipelines() {
            let own = names(&allocation, set);
            prop_assert_eq!(&own, &expected(name, monitors), "{}", name);
            for (job, _) in allocation.jobs() {
                prop_assert_eq!(set.contains(job), own.contains(job));
                prop_assert_eq!(set.job(&allocation, job).is_some(), own.contains(job));
            }
            // Each merged job has a part of a merged job of all, with the same settings and in the same form.
            let merged: Vec<&String> = set.merged().values().flat_map(|merged| &merged.jobs).collect();
            prop_assert_eq!(merged.iter().copied().cloned().collect::<BTreeSet<_>>(), own.clone());
            prop_assert_eq!(merged.len(), own.len(), "each job is in one merged job");
            for (name, merged) in set.merged() {
                let whole = &allocation.merged()[name];
                prop_assert!(merged.jobs.iter().all(|job| whole.jobs.contains(job)));
                prop_assert_eq!((&merged.scrape_config, merged.form), (&whole.scrape_config, whole.form));
            }
            let listed: BTreeSet<_> = allocation.list().jobs.iter().filter(|job| own.contains(*job)).collect();
            prop_assert_eq!(set.list().jobs.iter().collect::<BTreeSet<_>>(), listed);
            in_any.extend(own);
        }
        prop_assert_eq!(in_any, names(&allocation, allocation.all()), "everything is in a pipeline");

        // An earlier state does not change the result.
        let before = allocated(&text, &cluster_of(earlier), BOTH, None);
        let later = allocated(&text, &cluster, BOTH, Some(&before));
        for (name, set) in allocation.pipelines() {
            let again = &later.pipelines()[name];
            prop_assert_eq!(names(&later, again), names(&allocation, set));
            prop_assert_eq!(again.merged().keys().collect::<Vec<_>>(), set.merged().keys().collect::<Vec<_>>());
            prop_assert_eq!(again.list(), set.list());
        }
        prop_assert_eq!(later.report().entries(), allocation.report().entries());
    }
}

/// The entries of the report about pipelines: object, outcome, field and reason.
fn reported(allocation: &Allocation) -> Vec<(String, Outcome, String, String)> {
    let entries = allocation.report().entries().iter().filter(|entry| entry.reason.contains("pipeline"));
    entries.map(|entry| (entry.object.to_string(), entry.outcome, entry.field.clone(), entry.reason.clone())).collect()
}

#[test]
fn jobs_without_a_pipeline_and_pipelines_without_a_job_are_reported() {
    let text = format!("{HEAD}pipelines: {{one: {{jobs: [node]}}, none: {{jobs: ['scrapeConfig/z/*']}}}}");
    let allocation = allocated(&text, &cluster_of(&[(true, None, 1, false)]), BOTH, None);
    let entries = reported(&allocation);
    let found: Vec<_> =
        entries.iter().map(|(object, outcome, field, _)| (object.as_str(), *outcome, field.as_str())).collect();
    assert_eq!(
        found,
        [
            ("Config/limited", Outcome::Unlisted, "limited"),
            ("Config/targetallocator.yaml", Outcome::Adjusted, "pipelines.none"),
            ("ScrapeConfig/a/m0", Outcome::Unlisted, "scrapeConfig/a/m0"),
        ]
    );
    assert!(entries[0].3.starts_with("in no pipeline"), "{entries:?}");
    assert!(entries[1].3.contains("scrape nothing"), "{entries:?}");
    assert_eq!(allocation.pipelines()["none"].refused(), None, "no object of the cluster is meant");
}

#[test]
fn without_pipelines_nothing_is_computed_or_reported() {
    let allocation = allocated(HEAD, &cluster_of(&[(true, None, 1, false)]), BOTH, None);
    assert!(allocation.pipelines().is_empty());
    assert!(reported(&allocation).is_empty());
}

#[test]
fn a_pipeline_whose_jobs_of_the_config_are_all_refused_fails() {
    let text = "
collectors: {names: [one]}
config:
  scrape_configs:
  - {job_name: good, static_configs: [{targets: ['g:1']}]}
  - {job_name: bad, relabel_configs: [{action: nonsense}]}
pipelines: {one: {jobs: [bad]}, both: {jobs: [bad, good]}}
";
    let allocation = allocated(text, &Cluster::default(), BOTH, None);
    let reason = allocation.pipelines()["one"].refused().unwrap();
    assert!(reason.ends_with("none of them can be served, /debug/report names the reasons: Config/bad"), "{reason}");
    assert_eq!(allocation.pipelines()["both"].refused(), None);
    assert_eq!(names(&allocation, &allocation.pipelines()["both"]), BTreeSet::from(["good".to_owned()]));
}

#[test]
fn a_changed_label_moves_a_job_to_another_pipeline() {
    let text = format!("{HEAD}{PIPELINES}");
    let before = allocated(&text, &cluster_of(&[(false, Some(true), 1, false)]), BOTH, None);
    let later = allocated(&text, &cluster_of(&[(false, Some(false), 1, false)]), BOTH, Some(&before));
    let job = "scrapeConfig/b/m0";
    assert!(std::ptr::eq(before.job(job).unwrap(), later.job(job).unwrap()), "the targets are reused");
    assert!(before.pipelines()["team-x"].contains(job));
    assert!(!later.pipelines()["team-x"].contains(job));
}

#[test]
fn the_plain_view_alone_needs_no_merged_jobs() {
    let allocation =
        allocated(&format!("{HEAD}{PIPELINES}"), &cluster_of(&[]), Views { plain: true, merged: false }, None);
    let set = &allocation.pipelines()["by-name"];
    assert_eq!(names(&allocation, set), BTreeSet::from(["node".to_owned()]));
    assert!(set.merged().is_empty() && set.list().jobs.is_empty());
}
