//! Events of the four kinds of gateway, in the format of AWS.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// Builds the event of a kind of gateway for a path.
pub type Gateway = fn(&str) -> Value;

/// All kinds of gateway.
pub const GATEWAYS: [(&str, Gateway); 4] =
    [("HTTP API", http_api), ("REST API", rest_api), ("function URL", function_url), ("ALB", alb)];

fn split(path_and_query: &str) -> (&str, &str) {
    path_and_query.split_once('?').unwrap_or((path_and_query, ""))
}

/// Payload 2.0: the path is decoded, and cut at a decoded `?`.
pub fn http_api(path_and_query: &str) -> Value {
    let (path, query) = split(path_and_query);
    let decoded = percent_decode_str(path).decode_utf8_lossy().into_owned();
    let path = decoded.split('?').next().unwrap_or_default();
    v2(path, query, "abc123.execute-api.eu-central-1.amazonaws.com")
}

/// Payload 2.0 of a function URL, which does not decode the path.
pub fn function_url(path_and_query: &str) -> Value {
    let (path, query) = split(path_and_query);
    v2(path, query, "abc123.lambda-url.eu-central-1.on.aws")
}

fn v2(path: &str, query: &str, domain: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"accept": "*/*", "host": domain, "x-forwarded-proto": "https"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            "domainName": domain,
            "domainPrefix": "abc123",
            "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "collector"},
            "requestId": "id=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "24/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1_795_514_400_000_u64
        },
        "isBase64Encoded": false
    })
}

/// Payload 1.0 with a stage. The path is encoded and does not contain the stage.
pub fn rest_api(path_and_query: &str) -> Value {
    let (path, query) = split(path_and_query);
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs =
        query.split('&').filter_map(|pair| pair.split_once('=')).map(|(key, value)| (decode(key), decode(value)));
    let parameters: Map<String, Value> = pairs.clone().map(|(key, value)| (key, json!(value))).collect();
    let multi: Map<String, Value> = pairs.map(|(key, value)| (key, json!([value]))).collect();
    json!({
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET",
        "headers": {"Accept": "*/*", "Host": "abc123.execute-api.eu-central-1.amazonaws.com"},
        "multiValueHeaders": {"Accept": ["*/*"], "Host": ["abc123.execute-api.eu-central-1.amazonaws.com"]},
        "queryStringParameters": parameters,
        "multiValueQueryStringParameters": multi,
        "pathParameters": {"proxy": path.trim_start_matches('/')},
        "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            "domainName": "abc123.execute-api.eu-central-1.amazonaws.com",
            "httpMethod": "GET",
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "collector"},
            "path": format!("/prod{path}"),
            "protocol": "HTTP/1.1",
            "requestId": "id",
            "requestTimeEpoch": 1_795_514_400_000_u64,
            "resourceId": "r",
            "resourcePath": "/{proxy+}",
            "stage": "prod"
        },
        "body": null,
        "isBase64Encoded": false
    })
}

/// An ALB with single-value headers. Path and query are not decoded.
pub fn alb(path_and_query: &str) -> Value {
    let (path, query) = split(path_and_query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let parameters: Map<String, Value> = pairs.map(|(key, value)| (key.to_owned(), json!(value))).collect();
    json!({
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/t/1"}},
        "httpMethod": "GET",
        "path": path,
        "queryStringParameters": parameters,
        "headers": {"accept": "*/*", "host": "allocator.example.com", "x-forwarded-proto": "https"},
        "body": "",
        "isBase64Encoded": false
    })
}

/// The service account of the example's collectors.
pub const COLLECTOR: &str = "system:serviceaccount:monitoring:otel-collector";

/// A token as the API server projects it into a pod. Its signature is invalid, because the function does not verify it.
pub fn token(subject: &str, pod: Option<&str>) -> String {
    let kubernetes = match pod {
        Some(pod) => json!({"namespace": "monitoring", "pod": {"name": pod, "uid": "p-1"}}),
        None => json!({"namespace": "monitoring"}),
    };
    let claims = json!({
        "iss": "https://issuer.example.com", "sub": subject, "aud": ["target-allocator"], "exp": 4_000_000_000_u64,
        "kubernetes.io": kubernetes
    });
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.c2ln", encode(&json!({"alg": "RS256", "kid": "k"})), encode(&claims))
}

/// The event after the authorizer of the gateway accepted the token. A load balancer has no authorizer.
pub fn verified(mut event: Value, subject: &str, pod: Option<&str>) -> Value {
    event["headers"]["authorization"] = json!(format!("Bearer {}", token(subject, pod)));
    let authorizer = if event["version"] == "2.0" {
        let nested = pod.map_or("map[namespace:monitoring]".to_owned(), |pod| {
            format!("map[namespace:monitoring pod:map[name:{pod} uid:p-1]]")
        });
        json!({"jwt": {
            "claims": {
                "iss": "https://issuer.example.com", "sub": subject, "aud": "[target-allocator]", "exp": "4000000000",
                "kubernetes.io": nested
            },
            "scopes": null
        }})
    } else if event["requestContext"]["elb"].is_null() {
        json!({"principalId": subject, "integrationLatency": 7})
    } else {
        return event;
    };
    event["requestContext"]["authorizer"] = authorizer;
    event
}
