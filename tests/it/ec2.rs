//! Instances of an AWS account: pages, credentials and failures.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::external::{LOOPBACK, Place, addresses, report, share};
use crate::function::Function;
use crate::sources::{HttpServer, Reply, Request};

const KEYS: [(&str, &str); 3] =
    [("AWS_REGION", "eu-central-1"), ("AWS_ACCESS_KEY_ID", "AKIDFUNCTION"), ("AWS_SECRET_ACCESS_KEY", "secret")];

fn xml(status: u16, body: &str) -> Reply {
    Reply::Body(status, "text/xml", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{body}"))
}

fn failure(status: u16, code: &str) -> Reply {
    let error = format!("<Error><Code>{code}</Code><Message>of the test</Message></Error>");
    xml(status, &format!("<Response><Errors>{error}</Errors><RequestID>r</RequestID></Response>"))
}

/// A page with one instance.
fn page(address: &str, next: &str) -> Reply {
    let instance = format!(
        "<item><instanceId>i-{address}</instanceId><placement><availabilityZone>eu-central-1a</availabilityZone></placement>\
         <privateIpAddress>{address}</privateIpAddress></item>"
    );
    let next = if next.is_empty() { String::new() } else { format!("<nextToken>{next}</nextToken>") };
    let reservation = format!("<item><instancesSet>{instance}</instancesSet></item>");
    xml(
        200,
        &format!(
            "<DescribeInstancesResponse><reservationSet>{reservation}</reservationSet>{next}</DescribeInstancesResponse>"
        ),
    )
}

fn zones() -> Reply {
    let zone = "<item><zoneName>eu-central-1a</zoneName><zoneId>euc1-az2</zoneId></item>";
    xml(200, &format!("<R><availabilityZoneInfo>{zone}</availabilityZoneInfo></R>"))
}

fn field(request: &Request, name: &str) -> String {
    request.form().get(name).cloned().unwrap_or_default()
}

/// An EC2 server that answers by the form of the request.
async fn ec2(instances: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> (HttpServer, SocketAddr) {
    let (server, address) = HttpServer::start().await;
    let decide = move |request: &Request| match field(request, "Action").as_str() {
        "DescribeInstances" => instances(request),
        "DescribeAvailabilityZones" => zones(),
        _ => failure(400, "InvalidAction"),
    };
    server.set("/", Reply::by(decide));
    (server, address)
}

async fn start(place: &Place, address: SocketAddr, more: &Value) -> Function {
    let mut sd = json!({"endpoint": format!("http://{address}/"), "refresh_interval": "1s"});
    sd.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let jobs = json!([{"job_name": "ec2", "ec2_sd_configs": [sd]}]);
    place.start_in(&KEYS, LOOPBACK, &jobs).await
}

/// The credentials and the scope in the signature of a request.
fn scope(request: &Request) -> String {
    let authorization = request.header("authorization").expect("requests are signed");
    let scope = authorization.strip_prefix("AWS4-HMAC-SHA256 Credential=").expect("by signature version 4");
    let scope: Vec<_> = scope.split(',').next().unwrap().split('/').collect();
    format!("{} {} {}", scope[0], scope[2], scope[3])
}

#[tokio::test]
async fn all_pages_are_requested_with_filters_and_signatures() {
    let (server, address) = ec2(|request| match field(request, "NextToken").as_str() {
        "" => page("10.0.0.1", "two+/="),
        "two+/=" => page("10.0.0.2", "three"),
        "three" => page("10.0.0.3", ""),
        _ => failure(400, "InvalidNextToken"),
    })
    .await;
    let filters = json!([{"name": "tag:team", "values": ["a b", "c"]}]);
    let place = Place::new();
    let function = start(&place, address, &json!({"port": 9100, "filters": filters})).await;
    let answer = share(&function, "ec2").await;
    assert_eq!(addresses(&answer), ["10.0.0.1:9100", "10.0.0.2:9100", "10.0.0.3:9100"]);
    let labels = answer.json()[0]["labels"].clone();
    assert_eq!(labels["__meta_ec2_region"], "eu-central-1", "{labels}");
    assert_eq!(labels["__meta_ec2_availability_zone_id"], "euc1-az2", "{labels}");
    let requests = server.take();
    let asked: Vec<_> = requests.iter().map(|request| field(request, "Action")).collect();
    assert_eq!(asked, ["DescribeAvailabilityZones", "DescribeInstances", "DescribeInstances", "DescribeInstances"]);
    for request in &requests[1..] {
        assert_eq!(
            (field(request, "Filter.1.Name"), field(request, "Filter.1.Value.1")),
            ("tag:team".into(), "a b".into())
        );
        assert_eq!(scope(request), "AKIDFUNCTION eu-central-1 ec2");
    }
    sleep(Duration::from_millis(1_050)).await;
    assert_eq!(addresses(&share(&function, "ec2").await).len(), 3);
    let again: Vec<_> = server.take().iter().map(|request| field(request, "Action")).collect();
    assert_eq!(again, ["DescribeInstances"; 3], "zones are asked for once");
}

#[tokio::test]
async fn credentials_are_those_of_the_config_or_of_a_role() {
    let (server, address) = ec2(|_| page("10.0.0.1", "")).await;
    let assumed = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
        <AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
        <Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
    server.set("/sts/", xml(200, assumed));
    let sts = format!("http://{address}/sts");
    let own = json!({"access_key": "AKIDOWN", "secret_key": "s", "region": "us-west-2"});
    let role = json!({"role_arn": "arn:aws:iam::1:role/r", "external_id": "x"});
    let cases = [
        (json!({}), "AKIDFUNCTION eu-central-1 ec2", None),
        (own.clone(), "AKIDOWN us-west-2 ec2", None),
        (json!({"access_key": "AKIDOWN"}), "AKIDFUNCTION eu-central-1 ec2", None),
        (role.clone(), "AKIDROLE eu-central-1 ec2", Some("AKIDFUNCTION eu-central-1 sts")),
        (with(own, role), "AKIDROLE us-west-2 ec2", Some("AKIDOWN us-west-2 sts")),
    ];
    for (more, expected, assumes) in cases {
        let sd = with(json!({"endpoint": format!("http://{address}/"), "refresh_interval": "1s"}), more.clone());
        let jobs = json!([{"job_name": "ec2", "ec2_sd_configs": [sd]}]);
        let variables = [&KEYS[..], &[("AWS_ENDPOINT_URL_STS", sts.as_str())]].concat();
        let place = Place::new();
        let function = place.start_in(&variables, LOOPBACK, &jobs).await;
        assert_eq!(addresses(&share(&function, "ec2").await), ["10.0.0.1:80"], "{more}");
        sleep(Duration::from_millis(1_050)).await;
        assert_eq!(addresses(&share(&function, "ec2").await), ["10.0.0.1:80"], "{more}");
        let requests = server.take();
        let (assumed, asked): (Vec<_>, Vec<_>) =
            requests.iter().partition(|request| request.target.starts_with("/sts"));
        assert!(asked.len() == 3 && asked.iter().all(|request| scope(request) == expected), "{more}");
        assert_eq!(assumed.iter().map(|request| scope(request)).collect::<Vec<_>>(), Vec::from_iter(assumes), "{more}");
        if let [request] = &assumed[..] {
            assert_eq!(
                (field(request, "RoleArn"), field(request, "ExternalId")),
                ("arn:aws:iam::1:role/r".into(), "x".into())
            );
            assert_eq!(asked[0].header("x-amz-security-token"), Some("t"));
        }
    }
}

fn with(mut one: Value, other: Value) -> Value {
    one.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    one
}

#[tokio::test]
async fn a_failure_keeps_the_last_instances_and_names_the_reason() {
    let fails = Arc::new(AtomicBool::new(true));
    let fault = Arc::new(Mutex::new(failure(403, "UnauthorizedOperation")));
    let (state, kind) = (Arc::clone(&fails), Arc::clone(&fault));
    let (_server, address) = ec2(move |request| match field(request, "NextToken").as_str() {
        "" => page("10.0.0.1", "two"),
        _ if state.load(Ordering::Relaxed) => kind.lock().unwrap().clone(),
        _ => page("10.0.0.2", ""),
    })
    .await;
    let place = Place::new();
    let function = start(&place, address, &json!({})).await;
    let answer = share(&function, "ec2").await;
    assert_eq!(answer.status, 503, "the first page alone is no answer");
    let expected =
        "ec2_sd_configs: the function's region: ec2 answered 403 Forbidden: UnauthorizedOperation: of the test";
    assert!(answer.message().contains(expected), "{}", answer.message());
    fails.store(false, Ordering::Relaxed);
    sleep(Duration::from_millis(1_050)).await;
    assert_eq!(addresses(&share(&function, "ec2").await).len(), 2);
    fails.store(true, Ordering::Relaxed);
    let faults = [
        (failure(401, "AuthFailure"), "ec2 answered 401 Unauthorized: AuthFailure"),
        (failure(400, "InvalidParameterValue"), "ec2 answered 400 Bad Request: InvalidParameterValue"),
        (failure(503, "Unavailable"), "ec2 answered 503 Service Unavailable: Unavailable"),
        (xml(200, "<html>"), "not an answer of ec2"),
        (Reply::Body(502, "text/html", "<html>".to_owned()), "ec2 answered 502 Bad Gateway"),
    ];
    for (reply, expected) in faults {
        *fault.lock().unwrap() = reply;
        sleep(Duration::from_millis(1_050)).await;
        assert_eq!(addresses(&share(&function, "ec2").await).len(), 2, "{expected}");
        let [(outcome, reason)] = &report(&function, "ec2").await[..] else { panic!("one entry: {expected}") };
        assert!(outcome == "adjusted" && reason.contains(expected), "{expected}: {outcome} {reason}");
    }
}

#[tokio::test]
async fn a_throttled_request_is_retried_and_zones_are_optional() {
    let count = Arc::new(AtomicUsize::new(0));
    let (server, address) = HttpServer::start().await;
    server.set(
        "/",
        Reply::by(move |request| match field(request, "Action").as_str() {
            "DescribeInstances" if count.fetch_add(1, Ordering::Relaxed) < 2 => failure(503, "RequestLimitExceeded"),
            "DescribeInstances" => page("10.0.0.1", ""),
            _ => failure(403, "UnauthorizedOperation"),
        }),
    );
    let place = Place::new();
    let function = start(&place, address, &json!({})).await;
    let answer = share(&function, "ec2").await;
    assert_eq!(addresses(&answer), ["10.0.0.1:80"]);
    assert_eq!(answer.json()[0]["labels"]["__meta_ec2_availability_zone_id"], "");
    assert_eq!(server.requests(), 4);
}

#[tokio::test]
async fn the_environment_can_set_the_endpoint() {
    let (_server, address) = ec2(|_| page("10.0.0.1", "")).await;
    let url = format!("http://{address}/");
    let jobs = json!([{"job_name": "ec2", "ec2_sd_configs": [{}]}]);
    for (more, found) in [
        (&[("AWS_ENDPOINT_URL_EC2", url.as_str())][..], true),
        (&[("AWS_ENDPOINT_URL", &url)], true),
        (&[("AWS_ENDPOINT_URL", &url), ("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:1")], false),
    ] {
        let place = Place::new();
        let function = place.start_in(&[&KEYS[..], more].concat(), LOOPBACK, &jobs).await;
        assert_eq!(share(&function, "ec2").await.status == 200, found, "{more:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_only_the_function_can_reach_is_not_requested() {
    let (server, address) = ec2(|_| page("10.0.0.1", "")).await;
    let sd = json!([{"endpoint": format!("http://{address}/")}]);
    let jobs = json!([{"job_name": "ec2", "ec2_sd_configs": sd}]);
    let place = Place::new();
    let function = place.start_in(&KEYS, "", &jobs).await;
    let message = share(&function, "ec2").await.message();
    assert!(message.contains("targets may not be fetched from there"), "{message}");
    assert_eq!(server.requests(), 0);
}
