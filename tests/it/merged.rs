//! Lists that several jobs share. An error in one job leaves out only that job, and is reported.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::events::{function_url, http_api};
use crate::external::{LOOPBACK, Place, TARGETS, addresses};
use crate::function::{Answer, Function};
use crate::sources::{HttpServer, Reply};

const LIST: &str = "/merged/targets?collector_id=c";
const LEFT_OUT: &str = "target-allocator-left-out";
const GOOD: &str = "10.9.9.9:80";

/// Writes a `ScrapeConfig` with its own namespace.
fn write(place: &Place, namespace: &str, name: &str, spec: &Value) {
    let object = |kind: &str, version: &str, metadata: Value, spec: &Value| {
        json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}).to_string()
    };
    let namespace_object = object("Namespace", "v1", json!({"name": namespace}), &json!({}));
    place.write(&format!("cluster/{namespace}.yaml"), &namespace_object);
    let metadata = json!({"namespace": namespace, "name": name});
    let object = object("ScrapeConfig", "monitoring.coreos.com/v1alpha1", metadata, spec);
    place.write(&format!("cluster/{namespace}-{name}.yaml"), &object);
}

/// A place with a valid job.
fn place_with_good_job() -> Place {
    let place = Place::new();
    write(&place, "shop", "good", &json!({"staticConfigs": [{"targets": [GOOD]}]}));
    place
}

async fn start(place: &Place, variables: &[(&str, &str)]) -> Function {
    let keys = format!("{LOOPBACK}\nprometheus_cr: {{enabled: true, scrape_config_selector: {{}}}}");
    place.start_in(variables, &keys, &json!([])).await
}

/// The reasons why a job, or a part of it, is missing in shared lists.
async fn unlisted(function: &Function, name: &str) -> Vec<String> {
    let report = function.get("/debug/report").await.json();
    let entries = report.as_array().unwrap().iter();
    let of_job = entries.filter(|entry| entry["outcome"] == "unlisted" && entry["object"]["name"] == name);
    of_job.map(|entry| entry["reason"].as_str().unwrap().to_owned()).collect()
}

fn left_out(answer: &Answer) -> Option<&str> {
    answer.headers.get(LEFT_OUT).map(String::as_str)
}

fn sorted_addresses(answer: &Answer) -> Vec<String> {
    let mut addresses = addresses(answer);
    addresses.sort();
    addresses
}

#[tokio::test]
async fn a_source_that_never_answers_leaves_out_its_job_alone() {
    let place = place_with_good_job();
    write(&place, "tenant", "never", &json!({"httpSDConfigs": [{"url": "http://127.0.0.1:1/"}]}));
    let function = start(&place, &[]).await;
    for _ in 0..2 {
        let answer = function.get(LIST).await;
        assert_eq!((addresses(&answer), left_out(&answer)), (vec![GOOD.to_owned()], Some("1;unknown=1")));
    }
    let [reason] = &unlisted(&function, "never").await[..] else { panic!("one entry") };
    assert!(reason.contains("not in /merged/targets") && reason.contains("127.0.0.1:1"), "{reason}");

    // A collector finds the job under its own name. Requests for it fail, and requests for other jobs do not.
    let jobs = function.get("/merged/scrape_configs").await.json();
    for name in jobs.as_object().unwrap().keys() {
        let path = format!("/merged/jobs/{}/targets?collector_id=c", name.replace('/', "%2F"));
        let answer = function.get(&path).await;
        if name == "scrapeConfig/tenant/never" {
            assert_eq!(answer.status, 503);
        } else {
            assert_eq!(addresses(&answer), [GOOD], "{name}");
        }
    }
}

#[tokio::test]
async fn a_list_with_only_unknown_jobs_fails_instead_of_being_empty() {
    let place = Place::new();
    write(&place, "tenant", "never", &json!({"httpSDConfigs": [{"url": "http://127.0.0.1:1/"}]}));
    let function = start(&place, &[]).await;
    let answer = function.get(LIST).await;
    assert_eq!(answer.status, 503);
    assert!(answer.message().contains("scrapeConfig/tenant/never"), "{}", answer.message());
}

#[tokio::test]
async fn a_job_whose_targets_become_unknown_keeps_its_last_targets() {
    let (server, address) = HttpServer::start().await;
    server.set("/sd", Reply::json(TARGETS));
    let place = place_with_good_job();
    let source = |path: &str| json!({"httpSDConfigs": [{"url": format!("http://{address}{path}")}]});
    write(&place, "tenant", "moving", &source("/sd"));
    let function = start(&place, &[("SNAPSHOT_MAX_STALE", "4")]).await;
    let both = ["10.0.0.1:80", GOOD];
    assert_eq!(sorted_addresses(&function.get(LIST).await), both);

    // Another URL, which has never answered.
    write(&place, "tenant", "moving", &source("/missing"));
    let changed = Instant::now();
    let job = function.get("/jobs/scrapeConfig%2Ftenant%2Fmoving/targets?collector_id=c").await;
    assert_eq!(job.status, 503, "asking for the job itself fails");
    let answer = function.get(LIST).await;
    assert_eq!((sorted_addresses(&answer), left_out(&answer)), (both.map(str::to_owned).to_vec(), Some("0;kept=1")));
    let [reason] = &unlisted(&function, "moving").await[..] else { panic!("one entry") };
    assert!(reason.contains("has the job's last known targets") && reason.contains("404"), "{reason}");

    // The last targets are not kept for longer than a snapshot.
    sleep(Duration::from_millis(4_100).saturating_sub(changed.elapsed())).await;
    let answer = function.get(LIST).await;
    assert_eq!((addresses(&answer), left_out(&answer)), (vec![GOOD.to_owned()], Some("1;unknown=1")));

    server.set("/missing", Reply::json(TARGETS));
    write(&place, "tenant", "moving", &source("/missing?again"));
    let answer = function.get(LIST).await;
    assert_eq!((sorted_addresses(&answer), left_out(&answer)), (both.map(str::to_owned).to_vec(), None));
}

#[tokio::test]
async fn a_job_that_is_too_large_is_left_out_alone() {
    const COUNT: usize = 60_000;
    let place = place_with_good_job();
    let targets: Vec<_> = (0..COUNT).map(|at| format!("h{at}.example:80")).collect();
    write(&place, "tenant", "large", &json!({"staticConfigs": [{"targets": targets}]}));
    write(&place, "tenant", "small", &json!({"staticConfigs": [{"targets": ["small.example:80"]}]}));
    let function = start(&place, &[]).await;
    let answer = function.get(LIST).await;
    let expected = (vec![GOOD.to_owned(), "small.example:80".to_owned()], Some("1;too-large=1"));
    assert_eq!((sorted_addresses(&answer), left_out(&answer)), expected);
    let [reason] = &unlisted(&function, "large").await[..] else { panic!("one entry") };
    for part in ["/merged/targets", "RESPONSE_MODE=stream", "bytes, for 1 of the collectors"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }

    // A collector of the merged view also gets the other jobs.
    let jobs = function.get("/merged/scrape_configs").await.json();
    let [shared] = &jobs.as_object().unwrap().keys().collect::<Vec<_>>()[..] else { panic!("one job: {jobs}") };
    let answer = function.get(&format!("/merged/jobs/{shared}/targets?collector_id=c")).await;
    assert_eq!((sorted_addresses(&answer), left_out(&answer)), expected);

    // The compressed list is small enough.
    let mut event = http_api(LIST);
    event["headers"]["accept-encoding"] = "gzip".into();
    let answer = function.invoke(event).await;
    assert_eq!((answer.headers["content-encoding"].as_str(), left_out(&answer)), ("gzip", None));

    // A streamed answer has no limit.
    let function = start(&place, &[("RESPONSE_MODE", "stream")]).await;
    let answer = function.invoke(function_url(LIST)).await;
    assert_eq!((addresses(&answer).len(), left_out(&answer)), (COUNT + 2, None));
    assert!(unlisted(&function, "large").await.is_empty());
}

#[tokio::test]
async fn a_list_that_one_job_makes_too_large_by_itself_fails_instead_of_being_empty() {
    let place = Place::new();
    let targets: Vec<_> = (0..60_000).map(|at| format!("h{at}.example:80")).collect();
    write(&place, "tenant", "large", &json!({"staticConfigs": [{"targets": targets}]}));
    let function = start(&place, &[]).await;
    let answer = function.get(LIST).await;
    assert_eq!(answer.status, 500);
    assert!(answer.message().contains("bytes"), "{}", answer.message());
}

#[tokio::test]
async fn labels_without_a_name_are_in_no_list() {
    let place = place_with_good_job();
    let rules = json!([{"action": "labelmap", "regex": "__meta_x(.*)"}]);
    let groups = json!([
        {"targets": ["odd:80"], "labels": {"__meta_x": "v"}},
        {"targets": ["even:80"], "labels": {"__meta_xa": "v"}}
    ]);
    write(&place, "tenant", "odd", &json!({"staticConfigs": groups, "relabelings": rules}));
    let function = start(&place, &[]).await;
    let answer = function.get(LIST).await;
    let expected = vec![GOOD.to_owned(), "even:80".to_owned()];
    assert_eq!((sorted_addresses(&answer), left_out(&answer)), (expected, Some("0;targets=1")));
    let mut paths = vec![LIST.to_owned()];
    for (view, configs) in [("", "/scrape_configs"), ("/merged", "/merged/scrape_configs")] {
        let jobs = function.get(configs).await.json();
        let names = jobs.as_object().unwrap().keys().map(|name| name.replace('/', "%2F"));
        paths.extend(names.map(|name| format!("{view}/jobs/{name}/targets?collector_id=c")));
    }
    for path in paths {
        for group in function.get(&path).await.json().as_array().unwrap() {
            assert!(!group["labels"].as_object().unwrap().contains_key(""), "{path}: {group}");
        }
    }
    let [reason] = &unlisted(&function, "odd").await[..] else { panic!("one entry") };
    assert!(reason.contains("a label without a name"), "{reason}");
}

#[tokio::test]
async fn jobs_that_need_settings_are_counted_and_named() {
    let place = place_with_good_job();
    write(&place, "tenant", "limited", &json!({"staticConfigs": [{"targets": ["a:80"]}], "sampleLimit": 5}));
    write(&place, "tenant", "honoring", &json!({"staticConfigs": [{"targets": ["b:80"]}], "honorLabels": true}));
    let function = start(&place, &[]).await;
    let answer = function.get(LIST).await;
    assert_eq!((addresses(&answer), left_out(&answer)), (vec![GOOD.to_owned()], Some("2;settings=2")));
    for (name, setting) in [("limited", "sample_limit"), ("honoring", "honor_labels")] {
        let [reason] = &unlisted(&function, name).await[..] else { panic!("one entry") };
        assert!(reason.ends_with(&format!(": {setting}")), "{reason}");
    }
}

#[tokio::test]
async fn a_plain_scraper_with_a_wrong_name_gets_an_error() {
    let place = place_with_good_job();
    let function = start(&place, &[]).await;
    let answer = function.get("/merged/targets?collector_id=typo").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.message(), "no such collector, the config has c: \"typo\"");
    for path in ["/jobs/scrapeConfig%2Fshop%2Fgood/targets", "/merged/jobs/x/targets"] {
        let answer = function.get(&format!("{path}?collector_id=typo")).await;
        assert_eq!((answer.status, answer.json()), (200, json!([])), "as the operator's allocator: {path}");
    }
}

/// The source of the other tenant gets its turn in the first refresh of a new environment.
#[tokio::test]
async fn a_thousand_slow_sources_of_one_object_do_not_delay_others() {
    let (server, address) = HttpServer::start().await;
    server.set("/slow", Reply::Slow(Duration::from_secs(60)));
    server.set("/there", Reply::json(TARGETS));
    let url = |path: String| json!({"url": format!("http://{address}{path}")});
    let slow: Vec<_> = (0..1_000).map(|at| url(format!("/slow?{at}"))).collect();
    let place = place_with_good_job();
    write(&place, "a-crowd", "slow", &json!({"httpSDConfigs": slow}));
    write(&place, "a-crowd", "beside", &json!({"httpSDConfigs": [url("/there?beside".to_owned())]}));
    write(&place, "tenant", "there", &json!({"httpSDConfigs": [url("/there".to_owned())]}));
    let function = start(&place, &[]).await;
    for job in ["tenant%2Fthere", "a-crowd%2Fbeside"] {
        let path = format!("/jobs/scrapeConfig%2F{job}/targets?collector_id=c");
        assert_eq!(addresses(&function.get(&path).await), ["10.0.0.1:80"], "{job}");
    }
}
