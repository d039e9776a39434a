//! The caller, as the authorizer of the gateway verified it.
//!
//! Input: the result of the authorizer in the event, and the bearer token. Output: subject, issuer, pod and node. No
//! client can write the result of the authorizer. Gateways pass nested claims as text that cannot be parsed. Pod and
//! node are therefore read from the bearer token, if it is the token that the authorizer verified. The issuer is never
//! read from the bearer token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use target_allocator_core::access::{Caller, Identity};

const KUBERNETES: &str = "kubernetes.io";

/// Identifies the caller. `authorizer` is the result in the context of the event. `authorization` is the header with
/// the bearer token.
pub fn identify(authorizer: Option<&Value>, authorization: Option<&str>) -> Caller {
    let identity = authorizer.and_then(Value::as_object).and_then(|result| identity(result, authorization));
    identity.map_or(Caller::Unknown, Caller::Verified)
}

/// The caller of a REST API that signed the request with AWS credentials.
pub fn signed_by(arn: String) -> Caller {
    Caller::Verified(Identity { subject: arn, ..Identity::default() })
}

fn identity(result: &Map<String, Value>, authorization: Option<&str>) -> Option<Identity> {
    let object = |value: Option<&'_ Value>| value.and_then(Value::as_object).cloned();
    // The result of a JWT authorizer, of an HTTP API or a REST API.
    let jwt = object(result.get("jwt")).and_then(|jwt| object(jwt.get("claims")));
    if let Some(claims) = jwt.or_else(|| object(result.get("claims"))) {
        let token = authorization.and_then(Token::read).filter(|token| token.is_verified_by(&claims));
        let nested = claims.get(KUBERNETES).and_then(|nested| Kubernetes::deserialize(nested).ok());
        let kubernetes = nested.or(token.map(|token| token.kubernetes));
        return Some(known(text(&claims, "sub")?, text(&claims, "iss"), kubernetes));
    }
    // The result for AWS credentials, of a function URL or an HTTP API. AWS credentials have no issuer.
    if let Some(iam) = object(result.get("iam")) {
        return Some(known(text(&iam, "userArn")?, None, None));
    }
    // The result of a Lambda authorizer. HTTP APIs nest it in `lambda`, REST APIs do not.
    let said = object(result.get("lambda")).unwrap_or_else(|| result.clone());
    let subject = text(&said, "sub").or_else(|| text(&said, "principalId"))?;
    let token = || authorization.and_then(Token::read).filter(|token| token.sub == subject);
    let pod = text(&said, "pod").map(|name| Named { name });
    let kubernetes = match pod {
        Some(pod) => Some(Kubernetes { pod: Some(pod), node: text(&said, "node").map(|name| Named { name }) }),
        None => token().map(|token| token.kubernetes),
    };
    // The issuer must come from the authorizer, because it connects a caller to a cluster. The bearer token here can
    // belong to somebody else.
    Some(known(subject, text(&said, "iss"), kubernetes))
}

fn known(subject: String, issuer: Option<String>, kubernetes: Option<Kubernetes>) -> Identity {
    let Kubernetes { pod, node } = kubernetes.unwrap_or_default();
    Identity { subject, issuer, pod: pod.map(|pod| pod.name), node: node.map(|node| node.name) }
}

fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The claims of a token that this module reads.
#[derive(Deserialize)]
struct Token {
    sub: String,
    iss: Option<String>,
    jti: Option<String>,
    #[serde(rename = "kubernetes.io", default)]
    kubernetes: Kubernetes,
}

/// The claim `kubernetes.io` in the token of a service account.
#[derive(Default, Deserialize)]
struct Kubernetes {
    pod: Option<Named>,
    node: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Token {
    /// Parses the claims of a JWT in an `Authorization` header, without verification. The prefix `Bearer` is optional.
    fn read(header: &str) -> Option<Self> {
        let (scheme, rest) = header.split_once(' ').unwrap_or(("bearer", header));
        let token = scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())?;
        let mut parts = token.split('.');
        let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&claims).ok()
    }

    /// Whether the gateway verified this token. A gateway can read its token from another header. The claims of this
    /// token must then not be trusted.
    fn is_verified_by(&self, claims: &Map<String, Value>) -> bool {
        let Self { sub, iss, jti, kubernetes } = self;
        let is = |name: &str, own: Option<&String>| text(claims, name).as_ref() == own;
        let Some(flat) = text(claims, KUBERNETES).filter(|flat| flat.starts_with("map[")) else {
            return is("sub", Some(sub)) && is("iss", iss.as_ref()) && is("jti", jti.as_ref());
        };
        let has = |kind: &str, named: Option<&Named>| {
            named.is_none_or(|named| {
                let own = format!("{kind}:map[name:{}", named.name);
                flat.match_indices(&own).any(|(at, own)| flat[at + own.len()..].starts_with([' ', ']']))
            })
        };
        let nested = has("pod", kubernetes.pod.as_ref()) && has("node", kubernetes.node.as_ref());
        nested && is("sub", Some(sub)) && is("iss", iss.as_ref()) && is("jti", jti.as_ref())
    }
}

#[cfg(test)]
mod tests;
