//! `consul_sd_configs`: a Consul that fails costs no target, and its token goes nowhere else.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::external::{LOOPBACK, Place, addresses, report, share};
use crate::sources::{HttpServer, Reply};

const WEB: &str = r#"[{"Node": {"Node": "n", "Address": "10.0.0.1"}, "Service": {"Port": 80, "Tags": ["a"]}}]"#;
const DATABASE: &str = r#"[{"Node": {"Node": "n", "Address": "10.0.0.2"}, "Service": {"Port": 81}}]"#;

/// Longer than the refresh interval of [`jobs`].
const PAUSE: Duration = Duration::from_millis(1_050);

fn jobs(server: &str) -> Value {
    json!([{"job_name": "sd", "consul_sd_configs": [{"server": server, "token": "hidden", "refresh_interval": "1s"}]}])
}

/// A Consul with two services.
async fn consul() -> (HttpServer, String) {
    let (server, address) = HttpServer::start().await;
    answer_well(&server);
    (server, address.to_string())
}

fn answer_well(server: &HttpServer) {
    server.set("/v1/agent/self", Reply::json(r#"{"Config": {"Datacenter": "dc1"}}"#));
    server.set("/v1/catalog/services", Reply::json(r#"{"web": ["a"], "a/b c": []}"#));
    server.set("/v1/health/service/web", Reply::json(WEB));
    server.set("/v1/health/service/a/b%20c", Reply::json(DATABASE));
}

#[tokio::test]
async fn each_instance_of_each_service_is_a_target() {
    let (server, address) = consul().await;
    let place = Place::new();
    let function = place.start(LOOPBACK, &jobs(&address)).await;
    let answer = share(&function, "sd").await;
    let mut found = addresses(&answer);
    found.sort();
    assert_eq!(found, ["10.0.0.1:80", "10.0.0.2:81"]);
    let groups = answer.json();
    let values = |label: &str| -> Vec<Value> {
        groups.as_array().unwrap().iter().map(|group| group["labels"][label].clone()).collect()
    };
    assert!(values("__meta_consul_dc").iter().all(|datacenter| datacenter == "dc1"), "{groups}");
    assert!(values("__meta_consul_service").contains(&"a/b c".into()), "{groups}");
    assert!(values("__meta_consul_tags").contains(&",a,".into()), "{groups}");
    assert!(server.take().iter().all(|request| request.header("x-consul-token") == Some("hidden")));
    assert!(!String::from_utf8_lossy(&function.get("/scrape_configs").await.body).contains("hidden"));
}

#[tokio::test]
async fn a_request_that_fails_keeps_the_targets_of_all_services() {
    let (server, address) = consul().await;
    let place = Place::new();
    let function = place.start(LOOPBACK, &jobs(&address)).await;
    assert_eq!(addresses(&share(&function, "sd").await).len(), 2);
    let faults = [
        ("/v1/health/service/web", Reply::Body(500, "text/plain", "no leader".to_owned()), "consul answered 500"),
        ("/v1/health/service/web", Reply::json("[{}]"), "not an answer of consul"),
        ("/v1/catalog/services", Reply::json("[]"), "not an answer of consul"),
        ("/v1/agent/self", Reply::json("{}"), "does not say its datacenter"),
    ];
    for (path, fault, expected) in faults {
        server.set(path, fault);
        // An answer may come from the refresh before, since a refresh is not waited for when one has failed.
        let mut entries = Vec::new();
        for _ in 0..20 {
            sleep(PAUSE / 4).await;
            assert_eq!(addresses(&share(&function, "sd").await).len(), 2, "{path}");
            entries = report(&function, "sd").await;
            if entries.iter().any(|(_, reason)| reason.contains(expected) && reason.contains(path)) {
                break;
            }
        }
        let [(outcome, reason)] = &entries[..] else { panic!("one entry: {path}: {entries:?}") };
        assert!(outcome == "adjusted" && reason.contains(expected) && reason.contains(path), "{reason}");
        answer_well(&server);
    }
}

#[tokio::test]
async fn a_token_does_not_follow_a_redirect_to_another_server() {
    let (server, address) = consul().await;
    let (other, elsewhere) = consul().await;
    server.set("/v1/health/service/web", Reply::Redirect(format!("http://{elsewhere}/v1/health/service/web")));
    let place = Place::new();
    let function = place.start(LOOPBACK, &jobs(&address)).await;
    assert_eq!(addresses(&share(&function, "sd").await).len(), 2);
    let requests = other.take();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("x-consul-token"), None);
}

#[tokio::test]
async fn a_consul_on_the_functions_own_machine_is_not_reached() {
    let (server, address) = consul().await;
    let place = Place::new();
    let function = place.start("", &jobs(&address)).await;
    let failed = share(&function, "sd").await;
    assert_eq!(failed.status, 503);
    assert!(failed.message().contains("http_sd_allow can permit it"), "{}", failed.message());
    assert_eq!(server.requests(), 0);
}
