//! An incremental allocation equals an allocation from scratch.

mod pipelines;
mod shared;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::discovery::tests::{add, bytes, cluster, objects};

/// Jobs of all roles. Some have rules on shared labels only, and some cannot be merged.
const CONFIG: &str = "
collectors: {names: [one, two, three]}
config:
  scrape_configs:
  - job_name: slices
    kubernetes_sd_configs: [{role: endpointslice}]
    relabel_configs:
    - {action: keep, source_labels: [__meta_kubernetes_service_label_x], regex: '.*'}
    - {action: labelmap, regex: '__meta_kubernetes_pod_label_(.+)'}
  - job_name: slices of a
    kubernetes_sd_configs: [{role: endpointslice, namespaces: {names: [a]}, attach_metadata: {node: true}}]
    relabel_configs:
    - {action: drop, source_labels: [__meta_kubernetes_endpointslice_name], regex: 'a'}
    - {source_labels: [__meta_kubernetes_node_name], target_label: node}
  - job_name: endpoints
    honor_labels: true
    kubernetes_sd_configs: [{role: endpoints}, {role: pod, attach_metadata: {namespace: true}}]
    relabel_configs: [{source_labels: [__meta_kubernetes_pod_phase, __meta_kubernetes_namespace], target_label: both}]
  - job_name: pods without a path
    kubernetes_sd_configs: [{role: pod, attach_metadata: {deployment: true, cronjob: true, job: true}}]
    relabel_configs:
    - {source_labels: [__meta_kubernetes_pod_name], regex: 'b', target_label: __metrics_path__, replacement: ''}
    - {source_labels: [__meta_kubernetes_pod_deployment_name], target_label: deployment}
  - job_name: limited
    target_limit: 5
    kubernetes_sd_configs: [{role: node}, {role: service}, {role: ingress}]
  - job_name: static
    static_configs: [{targets: ['a:1', 'b:2']}]
";

fn allocated(cluster: &Cluster, views: Views, before: Option<&Allocation>) -> Allocation {
    let config = Config::parse(CONFIG, None).unwrap();
    let plan = Arc::new(plan(&config, cluster, before.map(|before| before.plan().as_ref())));
    let (external, served, now) = (SourceAnswers::default(), ServedLabels::Referenced, Timestamp::UNIX_EPOCH);
    let inputs = Inputs { config: &config, plan: &plan, cluster, external: &external, served, views, now };
    allocate(inputs, before).unwrap()
}

/// The targets that each collector receives for each job, in both views.
fn served(allocation: &Allocation) -> BTreeMap<(String, String), Vec<String>> {
    let members = allocation.members().unwrap().collectors().iter();
    let mut served = BTreeMap::new();
    for collector in members {
        for (name, _) in allocation.jobs() {
            let text = |(group, target): (&GroupTargets, &Target)| {
                format!("{} {}", group.plain(target).json(), group.merged(target).json())
            };
            let share = allocation.share(name, &collector.name).map(text).collect();
            served.insert((name.to_owned(), collector.name.clone()), share);
        }
    }
    served
}

fn merged_jobs(allocation: &Allocation) -> Vec<(&String, &Vec<String>, Form)> {
    allocation.merged().iter().map(|(name, job)| (name, &job.jobs, job.form)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_incremental_allocation_equals_a_new_one(
        bytes in bytes(),
        earlier in bytes(),
        few in 1_usize..30,
        plain: bool,
        merged: bool,
    ) {
        let now = cluster(objects(&bytes));
        let mut before = now.clone();
        objects(&earlier).into_iter().take(few).for_each(|object| add(&mut before, object));
        let views = Views { plain, merged };
        let before = allocated(&before, views, None);
        let (later, anew) = (allocated(&now, views, Some(&before)), allocated(&now, views, None));
        // After a job could once not be merged, it keeps its targets in both views.
        let comparable = |allocation: &Allocation| {
            let mut served = served(allocation);
            if !plain {
                served.retain(|(job, _), _| job != "pods without a path");
            }
            served
        };
        prop_assert_eq!(comparable(&later), comparable(&anew));
        prop_assert_eq!(merged_jobs(&later), merged_jobs(&anew));
        prop_assert_eq!(later.counts(), anew.counts());
        prop_assert_eq!(later.report().entries(), anew.report().entries());
    }

    #[test]
    fn every_target_is_assigned_once(bytes in bytes()) {
        let allocation = allocated(&cluster(objects(&bytes)), Views { plain: true, merged: false }, None);
        let shared: usize = served(&allocation).values().map(Vec::len).sum();
        prop_assert_eq!((shared, 0), allocation.counts());
    }
}

#[test]
fn unchanged_jobs_are_reused() {
    let cluster = cluster(objects(&[7; 1000]));
    let views = Views { plain: true, merged: true };
    let before = allocated(&cluster, views, None);
    let later = allocated(&cluster, views, Some(&before));
    for (name, job) in later.jobs() {
        assert!(std::ptr::eq(job, before.job(name).unwrap()), "{name}");
    }
}

#[test]
fn jobs_with_equal_settings_are_merged() {
    let allocation = allocated(&Cluster::default(), Views { plain: false, merged: true }, None);
    let jobs: Vec<_> = allocation.merged().values().map(|job| (job.jobs.join(", "), job.form)).collect();
    let expected = [
        ("limited", Form::Discovered),
        ("endpoints", Form::Relabelled { is_plain: false }),
        ("pods without a path, slices, slices of a, static", Form::Relabelled { is_plain: true }),
    ];
    for (names, form) in expected {
        assert!(jobs.contains(&(names.to_owned(), form)), "{names}: {jobs:?}");
    }
    assert_eq!(jobs.len(), expected.len());
    for (name, job) in allocation.merged() {
        let config = &job.scrape_config;
        assert_eq!(&config.job_name, name);
        assert_eq!(config.relabel_configs.is_empty(), job.form != Form::Discovered || name == "limited", "{name}");
    }
}
