//! The HTTP client of external sources: TLS, proxies and OAuth 2.0.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::certificates::{Authority, encrypt};
use crate::external::{LOOPBACK, Place, TARGETS, addresses, report, share};
use crate::function::Function;
use crate::sources::{HttpServer, Proxy, Reply};

const FOUND: [&str; 1] = ["10.0.0.1:80"];
const REFUSED: &str = "targets may not be fetched from there";

/// Checks for each job that it has the target, or that it fails with the reason.
async fn check(function: &Function, cases: &[(&str, Value, Result<(), &str>)]) {
    for (name, _, expected) in cases {
        let answer = share(function, name).await;
        match expected {
            Ok(()) => assert_eq!(addresses(&answer), FOUND, "{name}"),
            Err(reason) => {
                assert_eq!(answer.status, 503, "{name}: {}", String::from_utf8_lossy(&answer.body));
                assert!(answer.message().contains(reason), "{name}: {}", answer.message());
            }
        }
    }
}

/// A job for each case, with the given fields in its `http_sd_configs`.
fn jobs(cases: &[(&str, Value, Result<(), &str>)]) -> Value {
    cases.iter().map(|(name, sd, _)| json!({"job_name": name, "http_sd_configs": [sd]})).collect()
}

/// The fields of both objects.
fn with(one: &Value, other: Value) -> Value {
    let mut all = one.clone();
    all.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    all
}

async fn http_server() -> (HttpServer, SocketAddr) {
    let (server, address) = HttpServer::start().await;
    server.set("/sd", Reply::json(TARGETS));
    (server, address)
}

#[tokio::test]
async fn a_server_is_verified_as_tls_config_requires() {
    let (server, behind) = http_server().await;
    let (authority, other) = (Authority::new("shop"), Authority::new("other"));
    let own = authority.identity(&["127.0.0.1", "sd.shop"]);
    let client = authority.identity(&["client"]);
    let stranger = other.identity(&["client"]);
    let both = [&TLS13, &TLS12];
    let url = |address: SocketAddr| format!("https://{address}/sd");
    let open = url(encrypt(&own, None, &both, behind).await);
    let named = url(encrypt(&authority.identity(&["sd.shop"]), None, &both, behind).await);
    let closed = url(encrypt(&own, Some(&authority), &both, behind).await);
    let old = url(encrypt(&own, None, &[&TLS12], behind).await);
    let sd = |url: &str, tls: Value| json!({"url": url, "tls_config": tls});
    let place = Place::new();
    place.write("sd/ca.pem", &authority.pem);
    let pair = |identity: &crate::certificates::Identity| json!({"ca": authority.pem, "cert": identity.certificate, "key": identity.key});
    let cases = [
        ("own-authority", sd(&open, json!({"ca": authority.pem})), Ok(())),
        ("authority-of-a-file", sd(&open, json!({"ca_file": "sd/ca.pem"})), Ok(())),
        ("no-authority", sd(&open, json!({})), Err("UnknownIssuer")),
        ("other-authority", sd(&open, json!({"ca": other.pem})), Err("invalid peer certificate")),
        ("unverified", sd(&open, json!({"insecure_skip_verify": true})), Ok(())),
        ("other-name", sd(&named, json!({"ca": authority.pem})), Err("not valid for name")),
        ("server-name", sd(&named, json!({"ca": authority.pem, "server_name": "sd.shop"})), Ok(())),
        ("client", sd(&closed, pair(&client)), Ok(())),
        ("no-client", sd(&closed, json!({"ca": authority.pem})), Err("CertificateRequired")),
        ("stranger", sd(&closed, pair(&stranger)), Err("alert")),
        ("old-server", sd(&old, json!({"ca": authority.pem})), Ok(())),
        ("too-old-server", sd(&old, json!({"ca": authority.pem, "min_version": "TLS13"})), Err("alert")),
        ("missing-file", sd(&open, json!({"ca_file": "sd/none.pem"})), Err("sd/none.pem: No such file")),
        ("no-pem", sd(&open, json!({"ca": "x"})), Err("a text without a certificate")),
    ];
    let function = place.start(LOOPBACK, &jobs(&cases)).await;
    check(&function, &cases).await;
    let served = cases.iter().filter(|(.., expected)| expected.is_ok()).count();
    assert_eq!(server.requests(), served, "who is not trusted is not asked");
}

#[tokio::test]
async fn requests_go_through_the_proxy_of_the_config() {
    let (server, plain) = http_server().await;
    let authority = Authority::new("shop");
    let secure = encrypt(&authority.identity(&["sd.shop"]), None, &[&TLS13], plain).await;
    let known = [("sd.shop", plain), ("sd.shop:443", secure), ("away.shop", plain)];
    let (proxy, address) = Proxy::start(&known).await;
    let encrypted = encrypt(&authority.identity(&["127.0.0.1", "sd.shop"]), None, &[&TLS13], address).await;
    server.set("/away", Reply::Redirect("http://away.shop/sd".to_owned()));
    let ca = json!({"ca": authority.pem});
    let through = format!("http://u:p%40@{address}");
    let sd = |url: &str| json!({"url": url, "proxy_url": through, "tls_config": ca, "refresh_interval": "1h"});
    let direct = format!("http://{plain}/sd");
    let cases = [
        ("plain", sd("http://sd.shop/sd?a=b"), Ok(())),
        ("tunnel", with(&sd("https://sd.shop/sd"), json!({"proxy_connect_header": {"X-Team": ["shop"]}})), Ok(())),
        ("redirect", sd("http://sd.shop/away"), Ok(())),
        ("encrypted", with(&sd("https://sd.shop/sd"), json!({"proxy_url": format!("https://{encrypted}")})), Ok(())),
        ("exception", with(&sd(&direct), json!({"no_proxy": "a.shop,127.0.0.0/8"})), Ok(())),
        ("no-exception", sd("http://else.shop/sd"), Err("the server answered 407")),
        ("refused", sd("https://else.shop/sd"), Err("the proxy: it answered 407")),
        (
            "dead",
            with(&sd("http://sd.shop/sd"), json!({"proxy_url": "http://127.0.0.1:1"})),
            Err("the proxy: cannot connect"),
        ),
        ("metadata", sd("http://169.254.169.254/latest"), Err(REFUSED)),
    ];
    let place = Place::new();
    let function = place.start(LOOPBACK, &jobs(&cases)).await;
    check(&function, &cases).await;
    let heads = proxy.take();
    let of =
        |start: &str| heads.iter().find(|head| head.starts_with(start)).unwrap_or_else(|| panic!("{start}: {heads:?}"));
    assert!(of("get http://sd.shop/sd?a=b http/1.1").contains("proxy-authorization: basic dtpwqa=="), "{heads:?}");
    assert!(of("get http://away.shop/sd").contains("host: away.shop"), "{heads:?}");
    let connect = heads.iter().find(|head| head.contains("x-team: shop")).expect("a tunnel is asked for");
    assert!(
        connect.starts_with("connect sd.shop:443 http/1.1") && connect.contains("proxy-authorization"),
        "{connect}"
    );
    assert!(!heads.iter().any(|head| head.contains("169.254") || head.contains("127.0.0.1")), "{heads:?}");
    assert!(server.take().iter().all(|request| request.header("x-team").is_none()), "that is for the proxy");

    // The proxy itself is at a forbidden address.
    let function = place.start("", &jobs(&cases[..1])).await;
    check(&function, &[("plain", Value::Null, Err(REFUSED))]).await;

    let inherited = [("inherited", json!({"url": "http://sd.shop/sd", "proxy_from_environment": true}), Ok(()))];
    let function = place.start_in(&[("http_proxy", &through)], LOOPBACK, &jobs(&inherited)).await;
    check(&function, &inherited).await;
    assert_eq!(proxy.take().len(), 1);
}

#[tokio::test]
async fn a_token_is_fetched_with_the_clients_own_credentials_and_used_until_it_expires() {
    let (server, address) = http_server().await;
    let (other, elsewhere) = http_server().await;
    let guarded = |token: &'static str| {
        Reply::by(move |request| match request.header("authorization") {
            Some(given) if given == token => Reply::json(TARGETS),
            _ => Reply::Body(401, "text/plain", String::new()),
        })
    };
    server.set("/a", guarded("Bearer a"));
    server.set("/b", guarded("MAC b"));
    server.set("/away", Reply::Redirect(format!("http://{elsewhere}/sd")));
    server.set("/token", Reply::json(r#"{"access_token":"a","token_type":"bearer","expires_in":"3600"}"#));
    // The token server rejects credentials in a header, and accepts them in a form.
    server.set(
        "/form",
        Reply::by(|request| match request.form().get("client_secret").map(String::as_str) {
            Some("s/1") => {
                let form = "access_token=b&token_type=mac&expires_in=12".to_owned();
                Reply::Body(200, "application/x-www-form-urlencoded; charset=utf-8", form)
            }
            _ => Reply::Body(400, "application/json", r#"{"error":"invalid_client"}"#.to_owned()),
        }),
    );
    let count = AtomicUsize::new(0);
    server.set(
        "/stale",
        Reply::by(move |_| {
            let token = if count.fetch_add(1, Ordering::Relaxed) == 0 { "old" } else { "a" };
            Reply::json(&json!({"access_token": token}).to_string())
        }),
    );
    let sd = |path: &str, token: &str| {
        json!({"url": format!("http://{address}{path}"), "refresh_interval": "1s", "oauth2": {
            "client_id": "i d", "client_secret": "s/1", "token_url": format!("http://{address}{token}"),
            "scopes": ["x", "y"], "endpoint_params": {"audience": "sd"}}})
    };
    let changed = |path: &str, oauth2: Value| {
        let mut sd = sd(path, "/token");
        let all = with(&sd["oauth2"], oauth2);
        sd["oauth2"] = all;
        sd
    };
    let place = Place::new();
    place.write("sd/secret", "s/1\n");
    let file = json!({"client_secret": "", "client_secret_file": "sd/secret"});
    let cases = [
        ("header", sd("/a", "/token"), Ok(())),
        ("secret-of-a-file", changed("/a", file), Ok(())),
        ("form", sd("/b", "/form"), Ok(())),
        ("away", sd("/away", "/token"), Ok(())),
        ("no-token", sd("/a", "/sd"), Err("oauth2.token_url: the server answered no access_token")),
        (
            "denied",
            changed("/a", json!({"token_url": format!("http://{address}/form"), "client_secret": "x"})),
            Err("oauth2.token_url: the server answered 400 Bad Request: invalid_client"),
        ),
        ("metadata", changed("/a", json!({"token_url": "http://169.254.169.254/token"})), Err(REFUSED)),
        ("stale", sd("/a", "/stale"), Err("the server answered 401")),
    ];
    let function = place.start(LOOPBACK, &jobs(&cases)).await;
    check(&function, &cases).await;
    let requests = server.take();
    let token = requests.iter().find(|request| request.target == "/token").expect("a token is asked for");
    let form = [("audience", "sd"), ("grant_type", "client_credentials"), ("scope", "x y")];
    assert_eq!(token.form(), form.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(token.header("authorization"), Some("Basic aStkOnMlMkYx"), "i+d:s%2F1");
    assert_eq!(requests.iter().filter(|request| request.target == "/form").count(), 4, "each tried in both ways");
    assert!(
        other.take().iter().all(|request| request.header("authorization").is_none()),
        "the other server is not meant"
    );

    sleep(Duration::from_millis(2_100)).await;
    check(&function, &cases[..4]).await;
    check(&function, &[("stale", Value::Null, Ok(()))]).await;
    let asked = |path: &str, requests: &[crate::sources::Request]| {
        requests.iter().filter(|request| request.target == path).count()
    };
    let requests = server.take();
    assert_eq!(asked("/token", &requests), 0, "the token still counts");
    assert_eq!(asked("/stale", &requests), 1, "a token that was not taken is not used again");
    assert!(asked("/form", &requests) >= 2, "a token that is about to expire is renewed");
}

#[tokio::test]
async fn objects_use_all_client_settings_with_their_own_secrets() {
    let (server, address) = http_server().await;
    let (proxy, way) = Proxy::start(&[("sd.shop", address)]).await;
    server.set("/token", Reply::json(r#"{"access_token":"a"}"#));
    let place = Place::new();
    let object = |kind: &str, version: &str, name: &str, fields: Value| {
        let object = json!({"apiVersion": version, "kind": kind, "metadata": {"namespace": "shop", "name": name}});
        with(&object, fields).to_string()
    };
    place.write(
        "cluster/s.json",
        &object("Secret", "v1", "s", json!({"stringData": {"id": "i", "secret": "s", "x": "y"}})),
    );
    let reference = |key: &str| json!({"name": "s", "key": key});
    let oauth2 = json!({"clientId": {"secret": reference("id")}, "clientSecret": reference("secret"),
        "tokenUrl": format!("http://{address}/token")});
    let sd = json!({"url": "http://sd.shop/sd", "oauth2": oauth2, "proxyUrl": format!("http://{way}"),
        "proxyConnectHeader": {"X": [reference("x")]}});
    let monitor = |name: &str, sd: Value| {
        object("ScrapeConfig", "monitoring.coreos.com/v1alpha1", name, json!({"spec": {"httpSDConfigs": [sd]}}))
    };
    place.write("cluster/a.json", &monitor("a", sd.clone()));
    place.write("cluster/b.json", &monitor("b", with(&sd, json!({"proxyUrl": "socks5://p:1080"}))));
    let keys = format!("{LOOPBACK}\nprometheus_cr: {{enabled: true, scrape_config_selector: {{}}}}");
    let function = place.start(&keys, &json!([])).await;
    assert_eq!(addresses(&share(&function, "scrapeConfig%2Fshop%2Fa").await), FOUND);
    let asked = server.take();
    let last = asked.last().unwrap();
    assert_eq!((last.target.as_str(), last.header("authorization")), ("http://sd.shop/sd", Some("Bearer a")));
    assert_eq!(proxy.take().len(), 1);
    let [(outcome, reason)] = &report(&function, "b").await[..] else { panic!("one entry") };
    assert_eq!(outcome, "job-left-out");
    assert!(reason.contains("http_sd_configs: a proxy of this kind is not served here"), "{reason}");
}
