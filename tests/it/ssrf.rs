//! Where a tenant cannot send the function, however the place is written, and by whichever way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::external::{LOOPBACK, Place};
use crate::sources::{HttpServer, Reply};

/// Hosts of which none may be connected to, although 127.0.0.1 may. All are written for `127.0.0.2`, where
/// something listens, or for what only the function reaches.
const HOSTS: [&str; 30] = [
    "127.0.0.2",
    "127.0.0.2.",
    "127.2",
    "127.0.2",
    "2130706434",
    "0x7f000002",
    "0x7f.0.0.2",
    "0177.0.0.2",
    "017700000002",
    "１２７.０.０.２",
    "①②⑦.⓪.⓪.②",
    "%31%32%37.0.0.2",
    "sd.example@127.0.0.2",
    "[::ffff:127.0.0.2]",
    "[::ffff:7f00:2]",
    "[::127.0.0.2]",
    "[64:ff9b::7f00:2]",
    "[2002:7f00:2::]",
    "[::1]",
    "[::]",
    "0.0.0.0",
    "0",
    "169.254.169.254",
    "2852039166",
    "0251.0376.0251.0376",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "169.254.170.2",
    "[fd00:ec2::254]",
    "[fe80::1]",
];

const REFUSED: &str = "targets may not be fetched from there";

/// Counts who connects to 127.0.0.2.
async fn listen() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    (port, count)
}

#[tokio::test]
async fn no_way_of_writing_an_address_leads_where_only_the_function_is() {
    let (port, connections) = listen().await;
    let (server, address) = HttpServer::start().await;
    let mut jobs = Vec::new();
    let mut add = |name: String, sd: Value| jobs.push(json!({"job_name": name, "http_sd_configs": [sd]}));
    for (at, host) in HOSTS.into_iter().enumerate() {
        let url = format!("http://{host}:{port}/sd");
        server.set(&format!("/redirect-{at}"), Reply::Redirect(url.clone()));
        add(format!("direct {host}"), json!({"url": url}));
        add(format!("redirected {host}"), json!({"url": format!("http://{address}/redirect-{at}")}));
        add(
            format!("proxy {host}"),
            json!({"url": "http://sd.example/sd", "proxy_url": format!("http://{host}:{port}")}),
        );
        // To itself it would be the same address as to the proxy.
        add(format!("through a proxy {host}"), json!({"url": url, "proxy_url": format!("http://{address}")}));
        let oauth2 = json!({"client_id": "c", "client_secret": "s", "token_url": url});
        add(format!("token {host}"), json!({"url": format!("http://{address}/sd"), "oauth2": oauth2}));
    }
    for (at, url) in ["file:///etc/passwd", "gopher://127.0.0.2/", "//127.0.0.2/sd"].into_iter().enumerate() {
        server.set(&format!("/scheme-{at}"), Reply::Redirect(url.replace("0.2/", &format!("0.2:{port}/"))));
        add(format!("scheme {url}"), json!({"url": format!("http://{address}/scheme-{at}")}));
    }
    let place = Place::new();
    let function = place.start(LOOPBACK, &json!(jobs)).await;
    let report = function.get("/debug/report").await.json();
    let entries = report.as_array().unwrap_or_else(|| panic!("{report}"));
    let mut refused = 0;
    for job in &jobs {
        let name = job["job_name"].as_str().unwrap();
        let entry = entries.iter().find(|entry| entry["object"]["name"] == name);
        let entry = entry.unwrap_or_else(|| panic!("nothing is reported of {name}: {report}"));
        refused += usize::from(entry["reason"].as_str().unwrap().contains(REFUSED));
    }
    // The rest are no URLs, or none of HTTP.
    assert!(refused * 10 > jobs.len() * 8, "{refused} of {}: {report}", jobs.len());
    assert_eq!(connections.load(Ordering::Relaxed), 0, "something connected to 127.0.0.2");
    let sent = server.take();
    assert!(sent.iter().all(|request| request.header("authorization").is_none()), "credentials were sent on");
}

/// What is signed with the function's own credentials goes to AWS, by a way that the operator has chosen.
#[tokio::test]
async fn a_tenant_cannot_have_the_functions_signatures_sent_to_a_server_of_theirs() {
    let object = |name: &str, sd: Value| {
        json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "ScrapeConfig",
            "metadata": {"namespace": "shop", "name": name}, "spec": {"ec2SDConfigs": [sd]}})
    };
    let (server, address) = HttpServer::start().await;
    let cases = [
        (
            "proxy",
            json!({"region": "eu-central-1", "proxyUrl": format!("http://{address}")}),
            "cannot choose a proxy or TLS",
        ),
        (
            "tls",
            json!({"region": "eu-central-1", "tlsConfig": {"insecureSkipVerify": true}}),
            "cannot choose a proxy or TLS",
        ),
        ("region", json!({"region": format!("x@{address}/")}), "is not the name of one"),
        ("fragment", json!({"region": format!("{address}/#")}), "is not the name of one"),
        ("query", json!({"region": "evil.example?"}), "is not the name of one"),
    ];
    let place = Place::new();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    let items: Vec<_> =
        [namespace].into_iter().chain(cases.iter().map(|(name, sd, _)| object(name, sd.clone()))).collect();
    place.write("cluster/all.json", &json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
    let keys = format!("{LOOPBACK}\nprometheus_cr: {{enabled: true, scrape_config_selector: {{}}}}");
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_SESSION_TOKEN", "canary-session"),
        ("AWS_REGION", "eu-central-1"),
    ];
    let function = place.start_in(&variables, &keys, &json!([])).await;
    let report = function.get("/debug/report").await.json();
    for (name, _, expected) in cases {
        let entry = report.as_array().unwrap().iter().find(|entry| entry["object"]["name"] == name);
        let reason = entry.map(|entry| entry["reason"].as_str().unwrap().to_owned());
        assert!(reason.as_ref().is_some_and(|reason| reason.contains(expected)), "{name}: {reason:?}: {report}");
    }
    assert_eq!(server.requests(), 0, "requests that the function signed reached a server of the tenant's");
}
