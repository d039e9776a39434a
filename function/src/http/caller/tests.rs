//! The caller that each kind of authorizer identifies.

use serde_json::json;

use super::*;

const ISSUER: &str = "https://issuer";
const SUBJECT: &str = "system:serviceaccount:monitoring:collector";

fn token(claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("Bearer {}.{}.signature", encode(&json!({"alg": "RS256"})), encode(claims))
}

/// The claims of a token that the API server projects into a pod.
fn projected(pod: &str) -> Value {
    json!({
        "iss": "https://issuer", "sub": SUBJECT, "aud": ["target-allocator"], "exp": 1_795_524_045, "jti": "t-1",
        "kubernetes.io": {
            "namespace": "monitoring",
            "node": {"name": "node-a", "uid": "n-1"},
            "pod": {"name": pod, "uid": "p-1"},
            "serviceaccount": {"name": "collector", "uid": "s-1"},
        }
    })
}

/// The claims of the projected token as an HTTP API passes them.
fn flat(pod: &str) -> Value {
    let nested = format!(
        "map[namespace:monitoring node:map[name:node-a uid:n-1] pod:map[name:{pod} uid:p-1] \
         serviceaccount:map[name:collector uid:s-1]]"
    );
    json!({
        "iss": "https://issuer", "sub": SUBJECT, "aud": "[target-allocator]", "exp": "1795524045", "jti": "t-1",
        "kubernetes.io": nested
    })
}

fn jwt(claims: &Value) -> Value {
    json!({"jwt": {"claims": claims, "scopes": null}})
}

fn verified(subject: &str, pod: Option<&str>) -> Caller {
    let node = pod.map(|_| "node-a".to_owned());
    let issuer = Some(ISSUER.to_owned());
    Caller::Verified(Identity { subject: subject.to_owned(), issuer, pod: pod.map(str::to_owned), node })
}

/// The caller, if the authorizer passes no issuer.
fn unissued(subject: &str, pod: Option<&str>) -> Caller {
    issued_by(None, verified(subject, pod))
}

fn issued_by(issuer: Option<&str>, caller: Caller) -> Caller {
    match caller {
        Caller::Verified(identity) => Caller::Verified(Identity { issuer: issuer.map(str::to_owned), ..identity }),
        Caller::Unknown => Caller::Unknown,
    }
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[test]
fn a_jwt_authorizer_verifies_the_token_and_its_nested_claims() {
    let own = token(&projected("c-0"));
    let with = |name: &str, value: &str| {
        let mut claims = flat("c-0");
        claims[name] = json!(value);
        claims
    };
    let known = verified(SUBJECT, Some("c-0"));
    let no_pod = verified(SUBJECT, None);
    let other_issuer = issued_by(Some("https://other"), no_pod.clone());
    let no_issuer = unissued(SUBJECT, None);
    let cases = [
        ("as an HTTP API says it", jwt(&flat("c-0")), Some(&own), &known),
        ("as a REST API says it", json!({"claims": flat("c-0")}), Some(&own), &known),
        ("nested claims left out", jwt(&without(flat("c-0"), KUBERNETES)), Some(&own), &known),
        ("nested claims in another form", jwt(&with(KUBERNETES, "{pod}")), Some(&own), &known),
        ("nested claims as an object", jwt(&projected("c-0")), None, &known),
        ("no token", jwt(&flat("c-0")), None, &no_pod),
        ("another pod's token", jwt(&flat("c-1")), Some(&own), &no_pod),
        ("a pod whose name goes on", jwt(&flat("c-0-0")), Some(&own), &no_pod),
        ("another subject's token", jwt(&with("sub", "anna")), Some(&own), &verified("anna", None)),
        ("another issuer's token", jwt(&with("iss", "https://other")), Some(&own), &other_issuer),
        ("no issuer", jwt(&without(flat("c-0"), "iss")), Some(&own), &no_issuer),
        ("another token", jwt(&with("jti", "t-2")), Some(&own), &no_pod),
        ("no subject", jwt(&without(flat("c-0"), "sub")), Some(&own), &Caller::Unknown),
        ("an empty subject", jwt(&with("sub", "")), Some(&own), &Caller::Unknown),
    ];
    for (name, authorizer, authorization, expected) in cases {
        let caller = identify(Some(&authorizer), authorization.map(String::as_str));
        assert_eq!(caller, *expected, "{name}");
    }
}

#[test]
fn other_authorizers_name_a_subject() {
    let own = token(&projected("c-0"));
    let bare = own.strip_prefix("Bearer ").unwrap().to_owned();
    let arn = "arn:aws:iam::123456789012:user/anna";
    let cases = [
        (json!({"principalId": SUBJECT, "integrationLatency": 3}), Some(&own), unissued(SUBJECT, Some("c-0"))),
        (json!({"principalId": SUBJECT}), Some(&bare), unissued(SUBJECT, Some("c-0"))),
        (json!({"principalId": "anna"}), Some(&own), unissued("anna", None)),
        (json!({"principalId": "p", "sub": "anna"}), None, unissued("anna", None)),
        (
            json!({"lambda": {"sub": SUBJECT, "pod": "c-1", "node": "node-a"}}),
            Some(&own),
            unissued(SUBJECT, Some("c-1")),
        ),
        (json!({"iam": {"userArn": arn, "accountId": "123456789012"}}), Some(&own), unissued(arn, None)),
        // The issuer must be in the result of the authorizer, because the bearer token can be another token.
        (json!({"sub": SUBJECT, "iss": ISSUER}), Some(&own), verified(SUBJECT, Some("c-0"))),
        (json!({"lambda": {"sub": SUBJECT, "iss": ISSUER}}), None, verified(SUBJECT, None)),
        (json!({"iam": {"userArn": null}}), None, Caller::Unknown),
        (json!({"integrationLatency": 3}), Some(&own), Caller::Unknown),
        (json!({"lambda": null}), Some(&own), Caller::Unknown),
        (json!({"lambda": {}}), Some(&own), Caller::Unknown),
        (json!({}), Some(&own), Caller::Unknown),
        (json!(null), Some(&own), Caller::Unknown),
        (json!("yes"), Some(&own), Caller::Unknown),
    ];
    for (authorizer, authorization, expected) in cases {
        assert_eq!(identify(Some(&authorizer), authorization.map(String::as_str)), expected, "{authorizer}");
    }
    assert_eq!(identify(None, Some(&own)), Caller::Unknown, "a token that nobody has verified");
}

#[test]
fn an_invalid_token_names_no_pod() {
    let payload = |text: &str| format!("Bearer e30.{}.s", URL_SAFE_NO_PAD.encode(text));
    let cases = [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer a.b",
        "Bearer a.!.c",
        "Bearer a.b.c.d",
        &payload("7"),
        &payload("{}"),
        &payload("{\"sub\": 7}"),
        &payload(&json!({"sub": SUBJECT, "kubernetes.io": "none"}).to_string()),
        &payload(&json!({"sub": SUBJECT, "kubernetes.io": {"pod": {"name": 7}}}).to_string()),
        &payload(&json!({"sub": SUBJECT, "kubernetes.io": {}}).to_string()),
    ];
    let claims = jwt(&json!({"sub": SUBJECT}));
    for header in cases {
        assert_eq!(identify(Some(&claims), Some(header)), unissued(SUBJECT, None), "{header}");
    }
}
