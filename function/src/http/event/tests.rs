//! Requests of all kinds of events.

use proptest::prelude::{any, prop_assert, proptest};
use serde_json::{Value, json};

use super::*;

fn v2(domain: &str, path: &str, query: &str, headers: &Value) -> String {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
        "requestContext": {
            "domainName": domain, "stage": "live", "routeKey": "$default", "apiId": "a", "accountId": "1",
            "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "c"},
            "requestId": "r", "time": "", "timeEpoch": 0
        },
        "isBase64Encoded": false
    })
    .to_string()
}

fn asked(event: &str) -> Asked {
    Asked::take(&mut serde_json::from_str(event).unwrap())
}

#[test]
fn the_request_is_read_from_the_raw_path_and_the_query() {
    let gateway = "a.execute-api.eu-1.amazonaws.com";
    let url = "a.lambda-url.eu-1.on.aws";
    let cases = [
        (gateway, "/jobs", "collector_id=c-0", "/jobs", true, Some("c-0")),
        (gateway, "/live/jobs", "", "/jobs", true, None),
        (gateway, "/lively/jobs", "", "/lively/jobs", true, None),
        (gateway, "/live", "", "/live", true, None),
        (gateway, "/jobs/a b#c/targets", "collector_id=", "/jobs/a b#c/targets", true, Some("")),
        (
            url,
            "/jobs/a%2Fb/targets",
            "x=1&collector_id=c%201&collector_id=d",
            "/jobs/a%2Fb/targets",
            false,
            Some("c 1"),
        ),
        ("allocator.example.com", "/jobs", "collector_id=a+b", "/jobs", true, Some("a b")),
    ];
    for (domain, raw_path, query, path, decoded, collector) in cases {
        let asked = asked(&v2(domain, raw_path, query, &json!({})));
        let found = (asked.path.as_str(), asked.decoded, asked.collector_id.as_deref());
        assert_eq!(found, (path, decoded, collector), "{raw_path}?{query}");
    }
}

#[test]
fn gzip_is_sent_to_clients_that_accept_it() {
    let cases = [
        ("gzip", true),
        ("deflate, GZIP;q=0.5, br", true),
        ("gzip;q=0", false),
        ("gzip; q=0", false),
        ("identity", false),
        ("", false),
    ];
    for (header, expected) in cases {
        let asked = asked(&v2("a", "/", "", &json!({"accept-encoding": header})));
        assert_eq!(asked.accepts_gzip, expected, "{header:?}");
    }
}

/// Found by fuzzing: `lambda_http` panics on a parameter with an empty list of values.
#[test]
fn a_parameter_without_values_counts_as_absent() {
    for field in ["queryStringParameters", "multiValueQueryStringParameters"] {
        for elb in [false, true] {
            let context =
                if elb { json!({"elb": {"targetGroupArn": "arn:aws:t/1"}}) } else { json!({"stage": "live"}) };
            let mut event = json!({"httpMethod": "GET", "path": "/jobs", "headers": {}, "multiValueHeaders": {},
                "queryStringParameters": {}, "multiValueQueryStringParameters": {}, "requestContext": context});
            event[field] = json!({"collector_id": []});
            // White space inside the list does not matter.
            for text in [event.to_string(), event.to_string().replace("[]", "[ \n]")] {
                let Ok(mut event) = serde_json::from_str(&text) else { continue };
                assert_eq!(Asked::take(&mut event).collector_id, None, "{text}");
            }
        }
    }
}

#[test]
fn other_events_are_refused() {
    for event in ["{\"Records\": []}", "{\"Records\": [], \"requestContext\": {\"authorizer\": {}}}", "7"] {
        assert!(serde_json::from_str::<Event>(event).is_err(), "{event}");
    }
}

proptest! {
    #[test]
    fn no_event_makes_the_function_panic(
        domain in any::<String>(),
        path in any::<String>(),
        query in any::<String>(),
        stage in any::<String>(),
        host in "[!-~]*",
        body in any::<String>(),
        encoded in any::<bool>(),
        which in 0..3_usize,
    ) {
        let v1 = json!({
            "resource": "/{proxy+}", "path": path, "httpMethod": "GET", "headers": {"Host": host},
            "multiValueHeaders": {"Host": [host]}, "queryStringParameters": {"q": query},
            "multiValueQueryStringParameters": {"q": [query]}, "pathParameters": null, "stageVariables": null,
            "requestContext": {"stage": stage, "domainName": domain, "httpMethod": "GET", "identity": {}},
            "body": body, "isBase64Encoded": encoded
        });
        let alb = json!({
            "requestContext": {"elb": {"targetGroupArn": "arn"}}, "httpMethod": "GET", "path": path,
            "queryStringParameters": {"q": query}, "headers": {"host": host}, "body": body, "isBase64Encoded": encoded
        });
        let mut v2: Value = serde_json::from_str(&v2(&domain, &path, &query, &json!({"host": host}))).unwrap();
        v2["requestContext"]["stage"] = json!(stage);
        (v2["body"], v2["isBase64Encoded"]) = (json!(body), json!(encoded));
        let event = [v1, v2, alb][which].to_string();
        let mut event: Event = serde_json::from_str(&event).unwrap();
        prop_assert!(Asked::take(&mut event).reads);
        // This conversion panicked with the unchanged event.
        let left = lambda_http::Request::from(event.request);
        prop_assert!(left.uri().query().is_none());
    }
}
