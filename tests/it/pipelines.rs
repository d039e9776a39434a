//! Pipelines: every route in every pipeline, through every gateway, below every prefix.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::access::Asker;
use crate::clusters::two;
use crate::events::{GATEWAYS, http_api, rest_api};
use crate::function::{Answer, Function};
use crate::shop::shop_with;

const SHOP: &str = include_str!("../../examples/shop/targetallocator.yaml");

/// The pipelines of these tests. The labels are those of the example's namespaces and monitors.
const PIPELINES: &str = "
pipelines:
  storefront: {namespace_selector: {matchLabels: {team: storefront}}}
  payments: {jobs: ['serviceMonitor/payments/*']}
  web: {jobs: ['*/web/?'], monitor_selector: {}}
  nothing: {monitor_selector: {matchLabels: {team: nobody}}}
";

const COLLECTORS: [&str; 3] = ["otel-collector-0", "otel-collector-1", "otel-collector-2"];

fn config() -> String {
    format!("{SHOP}{PIPELINES}")
}

async fn shop() -> Function {
    shop_with(&[("ALLOCATOR_CONFIG_FILE", ""), ("ALLOCATOR_CONFIG", &config())]).await
}

fn names(answer: &Answer) -> BTreeSet<String> {
    answer.json().as_object().unwrap().keys().cloned().collect()
}

/// The job belongs to the pipeline, by the name of its monitor.
fn belongs(pipeline: &str, job: &str) -> bool {
    match pipeline {
        "storefront" => job.starts_with("serviceMonitor/shop/"),
        "payments" => job.starts_with("serviceMonitor/payments/"),
        "web" => job == "serviceMonitor/shop/web/0",
        _ => false,
    }
}

fn path_of(job: &str) -> String {
    job.replace('/', "%2F")
}

fn sorted(groups: &Value) -> Vec<String> {
    let mut groups: Vec<_> = groups.as_array().unwrap().iter().map(ToString::to_string).collect();
    groups.sort();
    groups
}

#[tokio::test]
async fn a_pipeline_serves_its_jobs_as_the_plain_routes_serve_them() {
    let function = shop().await;
    let plain = function.get("/scrape_configs").await.json();
    let links = function.get("/jobs").await.json();
    for pipeline in ["storefront", "payments", "web", "nothing"] {
        let own: BTreeMap<&String, &Value> =
            plain.as_object().unwrap().iter().filter(|(job, _)| belongs(pipeline, job)).collect();
        assert_eq!(own.is_empty(), pipeline == "nothing");
        let configs = function.get(&format!("/pipelines/{pipeline}/scrape_configs")).await;
        assert_eq!((configs.status, configs.json()), (200, json!(own)), "{pipeline}");
        let jobs = function.get(&format!("/pipelines/{pipeline}/jobs")).await.json();
        let expected: BTreeMap<&String, Value> = links
            .as_object()
            .unwrap()
            .iter()
            .filter(|(job, _)| belongs(pipeline, job))
            .map(|(job, link)| {
                let link = format!("/pipelines/{pipeline}{}", link["_link"].as_str().unwrap());
                (job, json!({ "_link": link }))
            })
            .collect();
        assert_eq!(jobs, json!(expected), "{pipeline}");
        for job in plain.as_object().unwrap().keys() {
            for collector in COLLECTORS {
                let of_job = format!("/jobs/{}/targets?collector_id={collector}", path_of(job));
                let share = function.get(&format!("/pipelines/{pipeline}{of_job}")).await;
                let expected = if belongs(pipeline, job) { function.get(&of_job).await.json() } else { json!([]) };
                assert_eq!((share.status, share.json()), (200, expected), "{pipeline}: {of_job}");
            }
        }
    }
}

#[tokio::test]
async fn the_merged_view_of_a_pipeline_has_the_targets_of_its_jobs() {
    let function = shop().await;
    for pipeline in ["storefront", "payments", "web"] {
        for collector in COLLECTORS {
            // All relabelled targets of the jobs of the pipeline, by the label with the name of the job's monitor.
            let mut merged = Vec::new();
            for job in names(&function.get(&format!("/pipelines/{pipeline}/merged/scrape_configs")).await) {
                let path =
                    format!("/pipelines/{pipeline}/merged/jobs/{}/targets?collector_id={collector}", path_of(&job));
                merged.extend(sorted(&function.get(&path).await.json()));
            }
            let mut plain = 0;
            for job in names(&function.get(&format!("/pipelines/{pipeline}/scrape_configs")).await) {
                let share = function.get(&format!("/jobs/{}/targets?collector_id={collector}", path_of(&job))).await;
                plain += share.json().as_array().unwrap().len();
            }
            assert_eq!(merged.len(), plain, "{pipeline}: {collector}");
            let mut whole = Vec::new();
            for job in names(&function.get("/merged/scrape_configs").await) {
                let path = format!("/merged/jobs/{}/targets?collector_id={collector}", path_of(&job));
                whole.extend(sorted(&function.get(&path).await.json()));
            }
            assert!(merged.iter().all(|target| whole.contains(target)), "{pipeline}: {collector}");
            let list = function.get(&format!("/pipelines/{pipeline}/merged/targets?collector_id={collector}")).await;
            let all = function.get(&format!("/merged/targets?collector_id={collector}")).await.json();
            let all = sorted(&all);
            let expected: Vec<_> = merged.iter().filter(|target| all.contains(target)).cloned().collect();
            let mut expected = expected;
            expected.sort();
            assert_eq!(sorted(&list.json()), expected, "{pipeline}: {collector}");
        }
    }
}

/// Each link of a list leads to the same targets as the link of another list.
#[tokio::test]
async fn links_stay_inside_the_pipeline() {
    let function = shop().await;
    for (list, beginning) in [
        ("/jobs", "/jobs/"),
        ("/merged/jobs", "/merged/jobs/"),
        ("/pipelines/storefront/jobs", "/pipelines/storefront/jobs/"),
        ("/pipelines/storefront/merged/jobs", "/pipelines/storefront/merged/jobs/"),
    ] {
        let jobs = function.get(list).await.json();
        assert!(!jobs.as_object().unwrap().is_empty(), "{list}");
        for link in jobs.as_object().unwrap().values() {
            let link = link["_link"].as_str().unwrap();
            assert!(link.starts_with(beginning), "{list}: {link}");
            let shares = function.get(link).await.json();
            let mut targets = 0;
            for share in shares.as_object().unwrap().values() {
                let own = share["_link"].as_str().unwrap();
                assert!(own.starts_with(link), "{link}: {own}");
                assert_eq!(function.get(own).await.json(), share["targets"], "{own}");
                targets += share["targets"].as_array().unwrap().len();
            }
            assert!(targets > 0, "{link}");
        }
    }
}

#[tokio::test]
async fn every_gateway_and_prefix_reaches_a_pipeline() {
    let function = shop().await;
    let routes = [
        "/scrape_configs",
        "/jobs",
        "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets",
        "/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets?collector_id=otel-collector-1",
        "/merged/scrape_configs",
        "/merged/jobs",
        "/merged/targets?collector_id=otel-collector-1",
        "/merged/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets?collector_id=otel-collector-1",
    ];
    let variables = [("ALLOCATOR_CONFIG_FILE", ""), ("ALLOCATOR_CONFIG", &*config()), ("BASE_PATH", "/allocator")];
    let several = two(&variables).await;
    for route in routes {
        let path = format!("/pipelines/storefront{route}");
        let expected = function.get(&path).await;
        assert_eq!(expected.status, 200, "{path}");
        for (gateway, event) in GATEWAYS {
            for prefix in ["", "/base/path"] {
                let answer = function.invoke(event(&format!("{prefix}{path}"))).await;
                assert_eq!((answer.status, &answer.body), (200, &expected.body), "{gateway}: {prefix}{path}");
            }
            for prefix in ["/prod", "/dev", "/allocator/prod"] {
                let answer = several.invoke(event(&format!("{prefix}{path}"))).await;
                assert_eq!((answer.status, &answer.body), (200, &expected.body), "{gateway}: {prefix}{path}");
            }
            let answer = several.invoke(event(&path)).await;
            assert_eq!(answer.status, 404, "{gateway}: {path}");
            assert!(answer.message().contains("name of a cluster"), "{}", answer.message());
        }
    }
    let mut staged = http_api("/live/pipelines/web/jobs");
    staged["requestContext"]["stage"] = json!("live");
    let expected = function.get("/pipelines/web/jobs").await.body;
    assert_eq!(function.invoke(staged).await.body, expected);
    assert_eq!(function.invoke(rest_api("/pipelines/web/jobs")).await.body, expected);
}

#[tokio::test]
async fn a_wrong_name_is_an_error_and_never_all_jobs() {
    let (with, without) = (shop().await, shop_with(&[]).await);
    for name in ["typo", "Web", "web%20", "", "a/b", "merged", "jobs", "..", "pipelines/web"] {
        for route in [
            "scrape_configs",
            "jobs",
            "jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets?collector_id=otel-collector-0",
            "merged/scrape_configs",
            "merged/jobs",
            "merged/jobs/x/targets?collector_id=otel-collector-0",
            "merged/targets?collector_id=otel-collector-0",
        ] {
            for (gateway, event) in GATEWAYS {
                let path = format!("/pipelines/{name}/{route}");
                let answer = with.invoke(event(&path)).await;
                assert_eq!(answer.status, 404, "{gateway}: {path}");
                let message = answer.message();
                assert!(message.contains("the allocator config has nothing, payments, storefront, web"), "{message}");
                let answer = without.invoke(event(&path)).await;
                assert_eq!(answer.status, 404, "{gateway}: {path}");
                assert!(answer.message().starts_with("the allocator config has no pipelines"), "{}", answer.message());
            }
        }
    }
    // The endpoint of a receiver without a name.
    let answer = with.get("/pipelines/scrape_configs").await;
    assert_eq!((answer.status, answer.message().contains("no such pipeline")), (404, true));
}

#[tokio::test]
async fn the_report_and_explanations_name_pipelines() {
    let function = shop().await;
    let report = function.get("/debug/report").await.json();
    let about: Vec<_> = report
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["reason"].as_str().unwrap().contains("pipeline"))
        .map(|entry| (entry["object"]["name"].as_str().unwrap(), entry["field"].as_str().unwrap()))
        .collect();
    assert!(about.contains(&("targetallocator.yaml", "pipelines.nothing")), "{about:?}");
    assert!(about.contains(&("node-exporter", "serviceMonitor/monitoring/node-exporter/0")), "{about:?}");
    assert!(about.iter().all(|(_, field)| !belongs("storefront", field) && !belongs("payments", field)), "{about:?}");

    let explained = function.get("/explain?monitor=ServiceMonitor/shop/web").await.json();
    let text = explained["steps"].to_string();
    assert!(text.contains("serviceMonitor/shop/web/0: in the pipelines storefront, web; not in nothing: "), "{text}");
    assert!(text.contains("not in payments: the job's name matches no pattern of jobs: serviceMonitor/payments/*"));
    let of_job = &explained["jobs"][0]["pipelines"];
    assert_eq!(of_job[2], json!({"pipeline": "storefront"}));
    let explained = function.get("/explain?monitor=ServiceMonitor/monitoring/node-exporter").await.json();
    assert!(explained["steps"].to_string().contains("node-exporter/0: in no pipeline; not in nothing: "));
    let without = shop_with(&[]).await;
    for path in ["/explain?monitor=ServiceMonitor/shop/web", "/debug/report", "/"] {
        let text = String::from_utf8(without.get(path).await.body).unwrap();
        assert!(!text.contains("pipeline"), "{path}: {text}");
    }
    assert_eq!(function.get("/").await.json()["pipelines"], json!(["nothing", "payments", "storefront", "web"]));
}

#[tokio::test]
async fn pages_of_a_pipeline_show_its_jobs_and_link_to_the_rest() {
    let function = shop().await;
    let page = async |path: &str| {
        let mut event = http_api(path);
        event["headers"]["accept"] = json!("text/html");
        let answer = function.invoke(event).await;
        (answer.status, String::from_utf8(answer.body).unwrap())
    };
    for route in ["jobs", "scrape_configs"] {
        let (status, text) = page(&format!("/pipelines/web/{route}")).await;
        assert_eq!(status, 200);
        assert!(text.contains("of the pipeline web"), "{text}");
        assert!(text.contains("serviceMonitor/shop/web/0") && !text.contains("serviceMonitor/payments"), "{text}");
        assert!(text.contains("href=\"../../debug/job?job_id=serviceMonitor/shop/web/0\""), "{text}");
        assert!(text.contains(&format!("action=\"../../pipelines/web/{route}\"")), "{text}");
    }
    let (status, text) = page("/pipelines/typo/jobs").await;
    assert_eq!(status, 404);
    assert!(text.contains("no such pipeline"), "{text}");
    let (_, text) = page("/debug/job?job_id=serviceMonitor/shop/web/0").await;
    assert!(text.contains("In the pipeline <a href=\"../pipelines/web/jobs\">web</a>"), "{text}");
    assert!(text.contains("Not in the pipeline payments: "), "{text}");
}

#[tokio::test]
async fn a_pipeline_follows_the_permissions_of_the_plain_routes() {
    let variables = [("ALLOCATOR_CONFIG_FILE", ""), ("ALLOCATOR_CONFIG", &*config()), ("SECRETS", "inline")];
    let function = shop_with(&variables).await;
    let event = Asker::Collector.event(http_api, "/pipelines/storefront/merged/targets");
    let own = function.get("/pipelines/storefront/merged/targets?collector_id=otel-collector-0").await;
    assert_eq!(function.invoke(event).await.body, own.body, "the identity supplies the collector");
    for asker in [Asker::Unknown, Asker::Collector] {
        for view in ["", "/merged"] {
            let path = format!("/pipelines/payments{view}/scrape_configs");
            let answer = function.invoke(asker.event(http_api, &path)).await;
            let shows = String::from_utf8_lossy(&answer.body).contains("example-payments-token");
            assert_eq!(shows, asker.may_have_credentials(), "{path} for {asker:?}");
        }
    }
    let answer = function.invoke(Asker::OtherAccount.event(http_api, "/pipelines/typo/scrape_configs")).await;
    assert_eq!(answer.status, 403, "the names of pipelines are for admitted callers");
}

/// One job of the config cannot be served. Its own pipeline must not read as an empty list of jobs.
#[tokio::test]
async fn a_pipeline_whose_jobs_of_the_config_are_all_refused_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cluster.yaml");
    std::fs::write(&file, "{apiVersion: v1, kind: List, items: []}").unwrap();
    let cluster = format!("manifests:{}", file.display());
    let config = "
collectors: {names: [c]}
config:
  scrape_configs:
  - {job_name: good, static_configs: [{targets: ['g:1']}]}
  - {job_name: bad, relabel_configs: [{action: nonsense}]}
pipelines: {broken: {jobs: [bad]}, fine: {jobs: [good]}}
";
    let function = Function::start(&[("CLUSTER", &cluster), ("ALLOCATOR_CONFIG", config)]).await;
    for route in ["scrape_configs", "jobs", "jobs/bad/targets?collector_id=c", "merged/targets?collector_id=c"] {
        let answer = function.get(&format!("/pipelines/broken/{route}")).await;
        assert_eq!(answer.status, 503, "{route}");
        assert!(answer.message().contains("Config/bad"), "{}", answer.message());
    }
    assert_eq!(names(&function.get("/pipelines/fine/scrape_configs").await), BTreeSet::from(["good".to_owned()]));
}

#[tokio::test]
async fn a_changed_label_moves_a_monitor_between_pipelines() {
    let folder = tempfile::tempdir().unwrap();
    let write = |team: &str| {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
        let monitor = json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "ScrapeConfig",
            "metadata": {"namespace": "shop", "name": "m", "labels": {"team": team}},
            "spec": {"staticConfigs": [{"targets": ["a:1"]}]}});
        std::fs::write(folder.path().join("namespace.json"), namespace.to_string()).unwrap();
        std::fs::write(folder.path().join("monitor.json"), monitor.to_string()).unwrap();
    };
    write("one");
    let cluster = format!("manifests:{}", folder.path().display());
    let config = "
collectors: {names: [c]}
prometheus_cr: {enabled: true, scrape_config_selector: {}}
pipelines:
  one: {monitor_selector: {matchLabels: {team: one}}}
  two: {monitor_selector: {matchLabels: {team: two}}}
";
    let variables = [("CLUSTER", cluster.as_str()), ("ALLOCATOR_CONFIG", config), ("SNAPSHOT_TTL", "0")];
    let function = Function::start(&variables).await;
    for (team, other) in [("one", "two"), ("two", "one"), ("one", "two")] {
        write(team);
        let of = async |name: &str| names(&function.get(&format!("/pipelines/{name}/scrape_configs")).await);
        assert_eq!(of(team).await, BTreeSet::from(["scrapeConfig/shop/m".to_owned()]), "{team}");
        assert_eq!(of(other).await, BTreeSet::new(), "{other}");
    }
}
