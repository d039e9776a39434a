//! Service discovery outside of the cluster: a source that fails costs nobody its
//! targets, is never an empty list, and touches no other job.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::function::{Answer, Function, RuntimeApi};
use crate::sources::{DnsServer, HttpServer, Reply, Said, dns_name};

/// A cluster without objects, and a folder of files.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("cluster")).unwrap();
        // A folder without any object is an error: somebody may have emptied it.
        let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
        std::fs::write(folder.path().join("cluster/namespace.yaml"), namespace).unwrap();
        std::fs::create_dir(folder.path().join("sd")).unwrap();
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, content: &str) {
        std::fs::write(self.folder.path().join(path), content).unwrap();
    }

    /// A function with these jobs that reads the cluster anew for each answer.
    pub async fn start(&self, keys: &str, jobs: &Value) -> Function {
        self.start_in(&[], keys, jobs).await
    }

    /// The same, with more variables in its environment.
    pub async fn start_in(&self, variables: &[(&str, &str)], keys: &str, jobs: &Value) -> Function {
        self.start_on(RuntimeApi::bind().await, variables, keys, jobs)
    }

    /// The same, with jobs that are made of the runtime API's address.
    async fn start_beside(&self, keys: &str, jobs: impl FnOnce(&str) -> Value) -> Function {
        let runtime = RuntimeApi::bind().await;
        let jobs = jobs(&runtime.address());
        self.start_on(runtime, &[], keys, &jobs)
    }

    /// The same, with events from there.
    pub fn start_on(&self, runtime: RuntimeApi, more: &[(&str, &str)], keys: &str, jobs: &Value) -> Function {
        let config = json!({"scrape_configs": jobs});
        let config = format!("collectors: {{names: [c]}}\n{keys}\nconfig: {config}\n");
        let cluster = format!("manifests:{}", self.folder.path().join("cluster").display());
        let variables = [
            ("CLUSTER", cluster.as_str()),
            ("ALLOCATOR_CONFIG", &config),
            ("SNAPSHOT_TTL", "0"),
            ("TARGET_LABELS", "all"),
            ("LAMBDA_TASK_ROOT", self.folder.path().to_str().unwrap()),
        ];
        Function::start_on(runtime, &[&variables, more].concat())
    }
}

pub async fn share(function: &Function, job: &str) -> Answer {
    function.get(&format!("/jobs/{job}/targets?collector_id=c")).await
}

/// The same once it is known, which a few refreshes may come before.
async fn share_soon(function: &Function, job: &str, started: Instant) -> Answer {
    loop {
        let answer = share(function, job).await;
        if answer.status == 200 || started.elapsed() > Duration::from_secs(20) {
            return answer;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

pub fn addresses(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let groups = answer.json();
    groups.as_array().unwrap().iter().map(|group| group["targets"][0].as_str().unwrap().to_owned()).collect()
}

/// The report's entries on a job: outcome and reason.
pub async fn report(function: &Function, job: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let report = function.get("/debug/report").await.json();
    let entries = report.as_array().unwrap().iter().filter(|entry| entry["object"]["name"] == job);
    entries.map(|entry| (text(&entry["outcome"]), text(&entry["reason"]))).collect()
}

pub const LOOPBACK: &str = "http_sd_allow: [127.0.0.1/32]";
pub const TARGETS: &str = r#"[{"targets":["10.0.0.1:80"],"labels":{"team":"shop"}}]"#;
const FIXED: &str = "10.9.9.9:80";

/// A job that gets its targets from `url` once in a second, and one that needs nobody.
fn jobs(url: &str) -> Value {
    json!([
        {"job_name": "sd", "http_sd_configs": [{"url": url, "refresh_interval": "1s"}]},
        {"job_name": "fixed", "static_configs": [{"targets": [FIXED]}]}
    ])
}

#[tokio::test]
async fn a_failing_url_keeps_its_last_targets_and_before_the_first_is_a_failure_of_its_job_alone() {
    let text = |text: &str| text.to_owned();
    let faults = [
        (Reply::Body(500, "application/json", text(TARGETS)), "the server answered 500"),
        (Reply::Body(204, "application/json", text("")), "the server answered 204"),
        (Reply::Body(200, "text/html", text("[]")), "the content type is not application/json: \"text/html\""),
        (Reply::json("<html>"), "not json"),
        (Reply::json("{}"), "not a list of target groups"),
        (Reply::json(r#"[{"targets":["a:1"],"more":1}]"#), "unknown field in target group [0]: \"more\""),
        (Reply::json("[null]"), "not a target group"),
        (Reply::Redirect(text("/nowhere")), "the server answered 404"),
        (Reply::Redirect(text("/sd")), "more than 10 redirects"),
        (Reply::Slow(Duration::from_secs(60)), "no answer within 5s"),
    ];
    let cases = faults.map(|(fault, expected)| tokio::spawn(fails_and_recovers(fault, expected)));
    for case in cases {
        case.await.unwrap();
    }
}

async fn fails_and_recovers(fault: Reply, expected: &str) {
    let place = Place::new();
    let (server, address) = HttpServer::start().await;
    let function = place.start(LOOPBACK, &jobs(&format!("http://{address}/sd"))).await;
    server.set("/sd", fault.clone());
    let failed = share(&function, "sd").await;
    assert_eq!(failed.status, 503, "{expected}");
    assert!(failed.message().contains(expected) && failed.message().contains("sd"), "{}", failed.message());
    assert_eq!(addresses(&share(&function, "fixed").await), [FIXED], "{expected}");
    assert!(function.get("/scrape_configs").await.json()["sd"].is_object(), "{expected}");
    let [(outcome, reason)] = &report(&function, "sd").await[..] else { panic!("one entry: {expected}") };
    assert_eq!(outcome, "unknown");
    assert!(reason.contains(expected), "{reason}");

    // Longer than its interval; a slow answer is waited for by a refresh, but not by all requests.
    let pause = Duration::from_millis(if matches!(fault, Reply::Slow(_)) { 6_050 } else { 1_050 });
    server.set("/sd", Reply::json(TARGETS));
    sleep(pause).await;
    assert_eq!(addresses(&share(&function, "sd").await), ["10.0.0.1:80"], "{expected}");
    assert_eq!(report(&function, "sd").await, [], "{expected}");
    server.set("/sd", fault);
    sleep(Duration::from_millis(1_050)).await;
    assert_eq!(addresses(&share(&function, "sd").await), ["10.0.0.1:80"], "{expected}");
    sleep(pause).await;
    let [(outcome, reason)] = &report(&function, "sd").await[..] else { panic!("one entry: {expected}") };
    assert_eq!(outcome, "adjusted");
    assert!(reason.contains(expected), "{reason}");

    server.set("/sd", Reply::json("[]"));
    sleep(pause).await;
    assert_eq!(addresses(&share(&function, "sd").await), [""; 0], "an empty list that is true: {expected}");
}

#[tokio::test]
async fn a_url_is_asked_once_in_its_interval_with_the_configs_own_credentials() {
    let (server, address) = HttpServer::start().await;
    let (other, elsewhere) = HttpServer::start().await;
    let place = Place::new();
    place.write("sd/password", "p\n");
    let url = format!("http://{address}/sd");
    let sd = json!({"url": url, "basic_auth": {"username": "u", "password_file": "sd/password"},
        "http_headers": {"X-Team": {"values": ["shop"]}}});
    let jobs = json!([
        {"job_name": "sd", "http_sd_configs": [sd.clone()]},
        {"job_name": "again", "http_sd_configs": [sd]}
    ]);
    let function = place.start(LOOPBACK, &jobs).await;
    server.set("/sd", Reply::Redirect("/next".to_owned()));
    server.set("/next", Reply::Redirect(format!("http://{elsewhere}/sd")));
    other.set("/sd", Reply::Redirect(format!("http://{address}/back")));
    server.set("/back", Reply::json(TARGETS));
    for _ in 0..3 {
        let answer = share(&function, "sd").await;
        let expected = json!([{"targets": ["10.0.0.1:80"],
            "labels": {"__address__": "10.0.0.1:80", "__meta_url": url, "team": "shop"}}]);
        assert_eq!(answer.json(), expected);
        assert_eq!(addresses(&share(&function, "again").await), ["10.0.0.1:80"]);
    }
    let (requests, others) = (server.take(), other.take());
    let paths: Vec<_> = requests.iter().map(|request| request.target.as_str()).collect();
    assert_eq!((&paths[..], others.len()), (&["/sd", "/next", "/back"][..], 1), "once for both jobs");
    let sent = ["x-prometheus-refresh-interval-seconds", "accept", "authorization", "x-team"];
    let own = ["60", "application/json", "Basic dTpw", "shop"].map(Some);
    assert_eq!([&requests[0], &requests[1]].map(|request| sent.map(|name| request.header(name))), [own, own]);
    let common = [own[0], own[1], None, None];
    assert_eq!([&others[0], &requests[2]].map(|request| sent.map(|name| request.header(name))), [common, common]);
}

#[tokio::test]
async fn what_only_the_function_reaches_is_not_fetched_from() {
    let (server, address) = HttpServer::start().await;
    server.set("/sd", Reply::json(TARGETS));
    let port = address.port();
    let refused = "targets may not be fetched from there";
    let loopback = [
        format!("http://127.0.0.1:{port}/sd"),
        format!("http://localhost:{port}/sd"),
        format!("http://[::ffff:127.0.0.1]:{port}/sd"),
        format!("http://0x7f.1:{port}/sd"),
        format!("http://0.0.0.0:{port}/sd"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[fd00:ec2::254]/latest/meta-data/".to_owned(),
    ];
    let place = Place::new();
    let configs: Vec<_> = loopback
        .iter()
        .enumerate()
        .map(|(at, url)| json!({"job_name": format!("sd-{at}"), "http_sd_configs": [{"url": url}]}))
        .collect();
    let function = place.start("", &json!(configs)).await;
    for (at, url) in loopback.iter().enumerate() {
        let answer = share(&function, &format!("sd-{at}")).await;
        assert_eq!(answer.status, 503, "{url}");
        assert!(answer.message().contains(refused), "{url}: {}", answer.message());
    }
    assert_eq!(server.requests(), 0);

    // A permitted server cannot send the function where it may not go by itself.
    server.set("/sd", Reply::Redirect("http://169.254.169.254/".to_owned()));
    let function = place.start(LOOPBACK, &jobs(&format!("http://127.0.0.1:{port}/sd"))).await;
    let answer = share(&function, "sd").await;
    assert!(answer.message().contains(refused), "{}", answer.message());
}

#[tokio::test]
async fn nobody_but_the_function_talks_to_the_runtime_api() {
    let place = Place::new();
    let jobs = |api: &str| {
        let url = |host: &str| format!("http://{host}/2018-06-01/runtime/invocation/next");
        let port = api.rsplit(':').next().unwrap();
        json!([
            {"job_name": "sd", "http_sd_configs": [{"url": url(api)}]},
            {"job_name": "mapped", "http_sd_configs": [{"url": url(&format!("[::ffff:127.0.0.1]:{port}"))}]},
            {"job_name": "other", "http_sd_configs": [{"url": url("127.0.0.1:1")}]}
        ])
    };
    let function = place.start_beside(LOOPBACK, jobs).await;
    for (job, expected) in
        [("sd", "may not be fetched from"), ("mapped", "may not be fetched from"), ("other", "cannot connect")]
    {
        let message = share(&function, job).await.message();
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn names_in_the_dns_become_targets_and_only_a_server_that_fails_keeps_the_last() {
    let (server, address) = DnsServer::start().await;
    let (a, ns, mx, aaaa, srv) = (1, 2, 15, 28, 33);
    server.set("web.shop", a, Said::Records(vec![vec![10, 0, 0, 1], vec![10, 0, 0, 2]]));
    let record = [&[0, 0, 0, 0, 0x23, 0x8c][..], &dns_name("web-1.shop")].concat();
    server.set("_http.shop", srv, Said::Records(vec![record]));
    server.set("broken.shop", a, Said::Code(2));
    let address_of = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec();
    server.set("web.shop", aaaa, Said::Records(vec![address_of("fd00::1"), address_of("::ffff:10.0.0.3")]));
    server.set("web.shop", mx, Said::Records(vec![[&[0, 10][..], &dns_name("mail.shop")].concat()]));
    server.set("web.shop", ns, Said::Records(vec![dns_name("ns-1.shop"), dns_name("NS-2.shop")]));
    server.set("bare.shop", a, Said::Records(Vec::new()));
    let sd = |name: &str, kind: &str| json!([{"names": [name], "type": kind, "port": 80, "refresh_interval": "1s"}]);
    let jobs = json!([
        {"job_name": "a", "dns_sd_configs": sd("web.shop", "A")},
        {"job_name": "srv", "dns_sd_configs": sd("_http.shop", "SRV")},
        {"job_name": "aaaa", "dns_sd_configs": sd("web.shop", "AAAA")},
        {"job_name": "mx", "dns_sd_configs": sd("web.shop", "MX")},
        {"job_name": "ns", "dns_sd_configs": sd("web.shop", "NS")},
        {"job_name": "several", "dns_sd_configs": [{"names": ["web.shop.", "gone.shop"], "type": "a", "port": 81}]},
        {"job_name": "bare", "dns_sd_configs": sd("bare.shop", "A")},
        {"job_name": "broken", "dns_sd_configs": sd("broken.shop", "A")},
        {"job_name": "gone", "dns_sd_configs": sd("gone.shop", "A")}
    ]);
    let place = Place::new();
    let function = place.start(&format!("dns_sd_servers: ['{address}']"), &jobs).await;
    let mut found = addresses(&share(&function, "a").await);
    found.sort();
    assert_eq!(found, ["10.0.0.1:80", "10.0.0.2:80"]);
    let labels = json!({"__address__": "web-1.shop:9100", "__meta_dns_name": "_http.shop",
        "__meta_dns_srv_record_target": "web-1.shop.", "__meta_dns_srv_record_port": "9100",
        "__meta_dns_mx_record_target": "", "__meta_dns_ns_record_target": ""});
    assert_eq!(share(&function, "srv").await.json(), json!([{"targets": ["web-1.shop:9100"], "labels": labels}]));
    let cases: [(&str, &[&str], &str); 4] = [
        ("aaaa", &["10.0.0.3:80", "[fd00::1]:80"], ""),
        ("mx", &["mail.shop:80"], "__meta_dns_mx_record_target"),
        ("ns", &["NS-2.shop:80", "ns-1.shop:80"], "__meta_dns_ns_record_target"),
        ("several", &["10.0.0.1:81", "10.0.0.2:81"], ""),
    ];
    for (job, expected, label) in cases {
        let answer = share(&function, job).await;
        let mut found = addresses(&answer);
        found.sort();
        assert_eq!(found, expected, "{job}");
        for group in answer.json().as_array().unwrap() {
            let host = group["targets"][0].as_str().unwrap().rsplit_once(':').unwrap().0;
            if !label.is_empty() {
                assert_eq!(group["labels"][label], format!("{host}."), "{job}");
            }
        }
    }
    for (job, what) in [("gone", "no such name is an answer"), ("bare", "so is a name without records")] {
        assert_eq!(addresses(&share(&function, job).await), [""; 0], "{what}");
    }
    let failed = share(&function, "broken").await;
    assert_eq!(failed.status, 503);
    assert!(failed.message().contains("dns_sd_configs: A broken.shop"), "{}", failed.message());

    server.set("web.shop", a, Said::Code(2));
    server.set("_http.shop", srv, Said::Code(3));
    sleep(Duration::from_millis(1_050)).await;
    assert_eq!(addresses(&share(&function, "a").await).len(), 2, "the server fails");
    assert_eq!(addresses(&share(&function, "srv").await), [""; 0], "the name is gone");
}

#[tokio::test]
async fn files_of_the_function_become_targets() {
    let place = Place::new();
    place.write("sd/a.json", TARGETS);
    place.write("sd/b.yml", "- targets: [10.0.0.2:80]\n");
    place.write("sd/c.json", "[");
    let sd = |files: &Value| json!([{"files": files, "refresh_interval": "1s"}]);
    let jobs = json!([
        {"job_name": "files", "file_sd_configs": sd(&json!(["sd/a*.json", "sd/b.yml", "sd/none*.yml"]))},
        {"job_name": "missing", "file_sd_configs": sd(&json!(["sd/missing.yml"]))},
        {"job_name": "broken", "file_sd_configs": sd(&json!(["sd/*.json"]))},
        {"job_name": "outside", "file_sd_configs": sd(&json!(["../a.json"]))},
        {"job_name": "absolute", "file_sd_configs": sd(&json!(["/etc/a.json"]))}
    ]);
    let function = place.start("", &jobs).await;
    let answer = share(&function, "files").await.json();
    let labels: Vec<_> = answer.as_array().unwrap().iter().map(|group| group["labels"].clone()).collect();
    let expected = json!([
        {"__address__": "10.0.0.1:80", "__meta_filepath": "sd/a.json", "team": "shop"},
        {"__address__": "10.0.0.2:80", "__meta_filepath": "sd/b.yml"}
    ]);
    assert_eq!(json!(labels), expected);
    let outside = "does not lie in the function's folder";
    for (job, expected) in
        [("missing", "No such file"), ("broken", "sd/c.json: not json"), ("outside", outside), ("absolute", outside)]
    {
        let failed = share(&function, job).await;
        assert_eq!(failed.status, 503, "{job}");
        assert!(failed.message().contains(expected), "{}", failed.message());
    }
    place.write("sd/b.yml", "- {");
    sleep(Duration::from_millis(1_050)).await;
    assert_eq!(addresses(&share(&function, "files").await), ["10.0.0.1:80", "10.0.0.2:80"]);
}

#[tokio::test]
async fn an_object_has_urls_fetched_but_no_files_read() {
    let (server, address) = HttpServer::start().await;
    server.set("/sd", Reply::json(TARGETS));
    let object = |name: &str, spec: &Value| {
        json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "ScrapeConfig",
            "metadata": {"namespace": "shop", "name": name}, "spec": spec})
        .to_string()
    };
    let place = Place::new();
    place.write("sd/a.json", TARGETS);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    place.write("cluster/namespace.yaml", &namespace.to_string());
    let url = format!("http://{address}/sd");
    place.write("cluster/url.yaml", &object("url", &json!({"httpSDConfigs": [{"url": url}]})));
    place.write("cluster/file.yaml", &object("file", &json!({"fileSDConfigs": [{"files": ["sd/a.json"]}]})));
    let keys = format!("{LOOPBACK}\nprometheus_cr: {{enabled: true, scrape_config_selector: {{}}}}");
    let function = place.start(&keys, &json!([])).await;
    let jobs = function.get("/scrape_configs").await.json();
    let names: Vec<_> = jobs.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["scrapeConfig/shop/url"]);
    assert_eq!(addresses(&share(&function, "scrapeConfig%2Fshop%2Furl").await), ["10.0.0.1:80"]);
    let [(outcome, reason)] = &report(&function, "file").await[..] else { panic!("one entry") };
    assert_eq!(outcome, "job-left-out");
    assert!(reason.contains("an object cannot have files of the function read"), "{reason}");
}

/// Few large answers are read at a time, and these never end.
#[tokio::test]
async fn large_answers_that_stall_do_not_keep_others_from_theirs() {
    let (server, address) = HttpServer::start().await;
    let padded = format!("{TARGETS}{}", " ".repeat(2 << 20));
    server.set("/large", Reply::json(&padded));
    server.set("/a-stalls", Reply::Stalls(padded.into()));
    let stalling =
        (0..60).map(|at| json!({"url": format!("http://{address}/a-stalls?{at}"), "refresh_interval": "1s"}));
    let jobs = json!([
        {"job_name": "a-stalls", "http_sd_configs": stalling.collect::<Vec<_>>()},
        {"job_name": "sd", "http_sd_configs": [{"url": format!("http://{address}/large"), "refresh_interval": "1s"}]}
    ]);
    let place = Place::new();
    let function = place.start(LOOPBACK, &jobs).await;
    let started = Instant::now();
    assert_eq!(addresses(&share_soon(&function, "sd", started).await), ["10.0.0.1:80"]);
    let entries = report(&function, "a-stalls").await;
    assert!(entries.iter().any(|(_, reason)| reason.contains("the rest comes too slowly")), "{entries:?}");
}

#[tokio::test]
async fn many_slow_urls_take_no_longer_than_one() {
    let (server, address) = HttpServer::start().await;
    server.set("/slow", Reply::Slow(Duration::from_secs(60)));
    server.set("/there", Reply::json(TARGETS));
    let slow = (0..200).map(|at| json!({"url": format!("http://{address}/slow?{at}"), "refresh_interval": "1s"}));
    let jobs = json!([
        {"job_name": "a-slow", "http_sd_configs": slow.collect::<Vec<_>>()},
        {"job_name": "fixed", "static_configs": [{"targets": [FIXED]}]},
        {"job_name": "sd", "http_sd_configs": [{"url": format!("http://{address}/there"), "refresh_interval": "1s"}]}
    ]);
    let place = Place::new();
    let function = place.start(LOOPBACK, &jobs).await;
    let started = Instant::now();
    assert_eq!(addresses(&share(&function, "fixed").await), [FIXED]);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());

    // Whoever comes after more of them than are asked at once has a turn before they have another.
    assert_eq!(addresses(&share_soon(&function, "sd", started).await), ["10.0.0.1:80"]);
}
