//! Server-side request forgery: addresses that a tenant must not reach through the function, in every notation.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::external::{LOOPBACK, Place, TARGETS, addresses, report, share};
use crate::function::{Answer, RuntimeApi};
use crate::sources::{DnsServer, HttpServer, Reply, Said, resolved_by};

/// Hosts that the function must not connect to, although 127.0.0.1 is allowed. All reach the test server at
/// `127.0.0.2`, or endpoints of the function.
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

/// Types of records.
const A: u16 = 1;
const AAAA: u16 = 28;

const REFUSED: &str = "targets may not be fetched from there";

/// Counts the connections to this port of 127.0.0.2. Port 0 selects a free port.
async fn listen(port: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
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
async fn no_notation_of_an_address_reaches_endpoints_of_the_function() {
    let (port, connections) = listen(0).await;
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
        // The proxy and the function share one loopback interface here, so the address is forbidden behind the proxy,
        // too.
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
    // The others are invalid URLs, or URLs of another scheme than http.
    assert!(refused * 10 > jobs.len() * 8, "{refused} of {}: {report}", jobs.len());
    assert_eq!(connections.load(Ordering::Relaxed), 0, "something connected to 127.0.0.2");
    let sent = server.take();
    assert!(sent.iter().all(|request| request.header("authorization").is_none()), "credentials were sent on");
}

/// The expected result for a source whose DNS name changes its address with each query.
#[derive(Clone, Copy)]
enum Fate {
    /// The targets are known, and stay known.
    Known,
    /// The targets are known first. After the name resolves to a forbidden address, the last targets stay.
    Kept,
    /// The targets are never known. The reason contains this text.
    Never(&'static str),
}

/// A source, the DNS answers for its host, and the number of queries in one refresh.
struct Rebound {
    name: &'static str,
    sd: Value,
    said: &'static [&'static [&'static str]],
    questions: usize,
    fate: Fate,
}

/// Sources at `port` of 127.0.0.1, and one at the port of the runtime API.
fn rebound(port: u16, runtime: u16) -> Vec<Rebound> {
    const MINE: &[&str] = &["127.0.0.1"];
    const OWN: &[&str] = &["127.0.0.2"];
    let url = |name: &str, path: &str| format!("http://{name}.test:{port}/{path}");
    let direct = |name: &str| json!({"url": url(name, "sd")});
    let oauth2 = json!({"client_id": "c", "client_secret": "s", "token_url": url("token", "token")});
    let case = |name, sd, said, questions, fate| Rebound { name, sd, said, questions, fate };
    vec![
        case("direct", direct("direct"), &[MINE, OWN], 1, Fate::Kept),
        case("metadata", direct("metadata"), &[MINE, &["169.254.169.254"]], 1, Fate::Kept),
        case("six", direct("six"), &[MINE, &["::1"]], 1, Fate::Kept),
        case("mapped", direct("mapped"), &[MINE, &["::ffff:127.0.0.2"]], 1, Fate::Kept),
        case(
            "redirected",
            json!({"url": format!("http://127.0.0.1:{port}/to-redirected")}),
            &[MINE, OWN],
            1,
            Fate::Kept,
        ),
        case("itself", json!({"url": url("itself", "to-itself")}), &[MINE, OWN], 2, Fate::Never(REFUSED)),
        case(
            "proxy",
            json!({"url": "http://sd.example/sd", "proxy_url": url("proxy", "")}),
            &[MINE, OWN],
            1,
            Fate::Kept,
        ),
        case(
            "token",
            json!({"url": format!("http://127.0.0.1:{port}/sd"), "oauth2": oauth2}),
            &[MINE, OWN],
            1,
            Fate::Kept,
        ),
        case("both", direct("both"), &[&["127.0.0.2", "127.0.0.1", "169.254.169.254"]], 1, Fate::Known),
        case("dead", direct("dead"), &[&["127.0.0.3", "127.0.0.2"]], 1, Fate::Never("")),
        case("runtime", json!({"url": format!("http://runtime.test:{runtime}/sd")}), &[MINE], 1, Fate::Never(REFUSED)),
    ]
}

/// Sets the sequence of records for a name, of both types.
fn say(dns: &DnsServer, name: &str, said: &[&[&str]]) {
    let records = |of_type: fn(IpAddr) -> Option<Vec<u8>>| {
        said.iter().map(move |addresses| {
            Said::Records(addresses.iter().filter_map(|address| of_type(address.parse().unwrap())).collect())
        })
    };
    let v4 = |address| matches!(address, IpAddr::V4(_)).then(|| octets(address));
    let v6 = |address| matches!(address, IpAddr::V6(_)).then(|| octets(address));
    dns.set_each(&format!("{name}.test"), A, records(v4));
    dns.set_each(&format!("{name}.test"), AAAA, records(v6));
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// If a name were resolved twice, it could have an allowed address in the check and a forbidden one in the connection.
#[tokio::test]
async fn a_dns_name_that_changes_its_address_reaches_no_forbidden_address() {
    let (server, address) = HttpServer::start().await;
    let port = address.port();
    let (_, connections) = listen(port).await;
    let runtime = RuntimeApi::bind().await;
    let cases = rebound(port, runtime.address().rsplit(':').next().unwrap().parse().unwrap());
    let (dns, asked) = DnsServer::start().await;
    server.set("/sd", Reply::json(TARGETS));
    server.set("/token", Reply::json(r#"{"access_token":"a","expires_in":1}"#));
    for name in ["redirected", "itself"] {
        server.set(&format!("/to-{name}"), Reply::Redirect(format!("http://{name}.test:{port}/sd")));
    }
    let jobs = cases.iter().map(|case| {
        say(&dns, case.name, case.said);
        let mut sd = case.sd.clone();
        // Long enough for all checks in between.
        sd["refresh_interval"] = json!("5s");
        json!({"job_name": case.name, "http_sd_configs": [sd]})
    });
    let place = Place::new();
    let variables = resolved_by(asked, place.path());
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let keys = "http_sd_allow: [127.0.0.1/32, 127.0.0.3/32]";
    let function = place.start_on(runtime, &variables, keys, &jobs.collect());

    function.get("/jobs").await;
    assert_eq!(connections.load(Ordering::Relaxed), 0, "something connected to 127.0.0.2");
    let questions: Vec<_> = cases.iter().map(|case| dns.asked(&format!("{}.test", case.name), A)).collect();
    for (case, asked) in cases.iter().zip(questions) {
        let Rebound { name, questions, fate, .. } = case;
        assert_eq!(asked, *questions, "{name}: each connection is to what one question was answered");
        check_fate(&share(&function, name).await, &report(&function, name).await, name, *fate, false);
    }
    sleep(Duration::from_millis(5_050)).await;
    for Rebound { name, fate, .. } in cases {
        check_fate(&share(&function, name).await, &report(&function, name).await, name, fate, true);
    }
    assert_eq!(connections.load(Ordering::Relaxed), 0, "something connected to 127.0.0.2 later");
}

fn check_fate(answer: &Answer, report: &[(String, String)], name: &str, fate: Fate, later: bool) {
    let said = |outcome: &str, reason: &str| {
        let [(found, text)] = report else { panic!("{name}: one entry: {report:?}") };
        assert!(found == outcome && text.contains(reason), "{name}: {report:?}");
    };
    match fate {
        Fate::Never(reason) => {
            assert_eq!(answer.status, 503, "{name}");
            said("unknown", reason);
        }
        Fate::Known | Fate::Kept => {
            assert_eq!(addresses(answer), ["10.0.0.1:80"], "{name}");
            if later && matches!(fate, Fate::Kept) {
                said("adjusted", REFUSED);
            } else {
                assert_eq!(report, [], "{name}");
            }
        }
    }
}

/// Requests that are signed with the function's credentials go only to AWS. A tenant can choose neither the endpoint
/// nor the proxy.
#[tokio::test]
async fn a_tenant_cannot_get_requests_signed_by_the_function() {
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
