//! Requests: the common form of all kinds of events.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;

use lambda_http::aws_lambda_events::query_map::QueryMap;
use lambda_http::http::Method;
use lambda_http::http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, IF_NONE_MATCH};
use lambda_http::request::LambdaRequest;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::Value;
use serde_json::value::RawValue;
use target_allocator_core::access::{Caller, Reader};

use super::caller;
use super::prefix;

/// A parsed event.
#[derive(Debug)]
pub struct Event {
    /// The rest of the event after [`Asked::take`]. It determines the format of the answer.
    pub(super) request: LambdaRequest,
    /// The result of the gateway's authorizer. `lambda_http` accepts only texts in it, and would otherwise read the
    /// event as another kind.
    authorizer: Option<Value>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if !raw.get().contains("\"authorizer\"") && !has_empty_list(raw.get()) {
            let request = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
            return Ok(Self { request, authorizer: None });
        }
        let mut event: Value = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        let context = event.get_mut("requestContext").and_then(Value::as_object_mut);
        let authorizer = context.and_then(|context| context.remove("authorizer"));
        // `lambda_http` panics on a parameter with an empty list of values.
        for field in ["queryStringParameters", "multiValueQueryStringParameters"] {
            if let Some(Value::Object(parameters)) = event.get_mut(field) {
                parameters.retain(|_, values| values.as_array().is_none_or(|values| !values.is_empty()));
            }
        }
        let request = LambdaRequest::deserialize(event).map_err(D::Error::custom)?;
        Ok(Self { request, authorizer })
    }
}

/// Whether the text contains an empty list, in the JSON or inside a string.
fn has_empty_list(json: &str) -> bool {
    json.split('[').skip(1).any(|rest| rest.trim_start().starts_with(']'))
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The path as received, without the stage. A base path is removed if the event contains it.
    pub path: String,
    /// Whether the gateway decodes the path, and cuts it at a decoded `?`.
    pub decoded: bool,
    /// Whether the method is `GET` or `HEAD`.
    pub reads: bool,
    /// The value of `collector_id`: the collector of the requested share.
    pub collector_id: Option<String>,
    /// The parameters of pages and explanations. If a parameter has several values, the first one.
    pub parameters: BTreeMap<String, String>,
    /// The names of parameters with several values.
    pub repeated: BTreeSet<String>,
    /// Whether the client accepts HTML, as browsers do.
    pub accepts_html: bool,
    /// Whether the client accepts gzip.
    pub accepts_gzip: bool,
    /// The entity tags of `If-None-Match`.
    pub known_tags: Option<String>,
    /// The caller that the authorizer verified.
    pub caller: Caller,
    /// The part of the data that the caller may see. Set after the permission check.
    pub reader: Reader,
}

impl Asked {
    /// Reads the request from an event.
    ///
    /// Removes all fields that it reads from the event. `lambda_http` later builds a URI of path, query and host and
    /// decodes the body, and panics on some values. The answer needs none of these.
    pub fn take(event: &mut Event) -> Self {
        let authorizer = event.authorizer.take();
        let authorizer = authorizer.as_ref();
        match &mut event.request {
            LambdaRequest::ApiGatewayV2(event) => {
                event.body = None;
                let context = &mut event.request_context;
                let (stage, domain) = (context.stage.take(), context.domain_name.take().unwrap_or_default());
                let route = event.route_key.take().unwrap_or_default();
                let parts = take(&mut event.path_parameters);
                let path = event.raw_path.take().unwrap_or_default();
                // A query that cannot be parsed counts as empty.
                let query: QueryMap = event.raw_query_string.take().unwrap_or_default().parse().unwrap_or_default();
                Self {
                    path: prefix::of_http_api(path, stage.as_deref(), &route, &parts),
                    // HTTP APIs decode the path. Function URLs use the same event format but do not decode it.
                    decoded: !domain.contains(".lambda-url."),
                    collector_id: query.first("collector_id").map(str::to_owned),
                    parameters: parameters(&query, Cow::Borrowed),
                    repeated: repeated(&query, Cow::Borrowed),
                    ..Self::headed(&context.http.method, &mut event.headers, &HeaderMap::new(), authorizer)
                }
            }
            LambdaRequest::ApiGatewayV1(event) => {
                event.body = None;
                let context = &mut event.request_context;
                context.domain_name = None;
                let (stage, whole) = (context.stage.take(), context.path.take());
                let (resource, parts) = (event.resource.take().unwrap_or_default(), take(&mut event.path_parameters));
                let path = event.path.take().unwrap_or_default();
                let single = take(&mut event.query_string_parameters);
                let many = take(&mut event.multi_value_query_string_parameters);
                let query = if many.is_empty() { single } else { many };
                let signer = context.identity.user_arn.take();
                let many = take(&mut event.multi_value_headers);
                let asked = Self::headed(&event.http_method, &mut event.headers, &many, authorizer);
                Self {
                    path: prefix::of_rest_api(path, whole.as_deref(), stage.as_deref(), &resource, &parts),
                    collector_id: query.first("collector_id").map(str::to_owned),
                    parameters: parameters(&query, Cow::Borrowed),
                    repeated: repeated(&query, Cow::Borrowed),
                    caller: match (asked.caller, signer) {
                        (Caller::Unknown, Some(signer)) => caller::signed_by(signer),
                        (caller, _) => caller,
                    },
                    ..asked
                }
            }
            LambdaRequest::Alb(event) => {
                event.body = None;
                let single = take(&mut event.query_string_parameters);
                let many = take(&mut event.multi_value_query_string_parameters);
                let query = if many.is_empty() { single } else { many };
                Self {
                    path: event.path.take().unwrap_or_default(),
                    // Load balancers do not decode the query.
                    collector_id: query.first("collector_id").map(unescape),
                    parameters: parameters(&query, |text| Cow::Owned(unescape(text))),
                    repeated: repeated(&query, |text| Cow::Owned(unescape(text))),
                    // A load balancer has no authorizer, so this part of its events is not trusted.
                    ..Self::headed(&event.http_method, &mut event.headers, &take(&mut event.multi_value_headers), None)
                }
            }
            // The features of `lambda_http` enable no other kind of event.
            _ => Self::headed(&Method::GET, &mut HeaderMap::new(), &HeaderMap::new(), None),
        }
    }

    /// Reads the method and the headers. The headers are removed from the event.
    fn headed(method: &Method, headers: &mut HeaderMap, more: &HeaderMap, authorizer: Option<&Value>) -> Self {
        let headers = take(headers);
        let header = |name: HeaderName| headers.get(&name).or_else(|| more.get(&name))?.to_str().ok();
        Self {
            path: String::new(),
            decoded: false,
            reads: matches!(*method, Method::GET | Method::HEAD),
            collector_id: None,
            parameters: BTreeMap::new(),
            repeated: BTreeSet::new(),
            accepts_html: header(ACCEPT).is_some_and(|accept| accept.contains("text/html")),
            accepts_gzip: header(ACCEPT_ENCODING).is_some_and(accepts_gzip),
            known_tags: header(IF_NONE_MATCH).map(str::to_owned),
            caller: caller::identify(authorizer, header(AUTHORIZATION)),
            reader: Reader::default(),
        }
    }
}

fn parameters<'q>(query: &'q QueryMap, read: impl Fn(&'q str) -> Cow<'q, str>) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    for (name, value) in query.iter() {
        parameters.entry(read(name).into_owned()).or_insert_with(|| read(value).into_owned());
    }
    parameters
}

fn repeated<'q>(query: &'q QueryMap, read: impl Fn(&'q str) -> Cow<'q, str>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    query.iter().map(|(name, _)| read(name).into_owned()).filter(|name| !names.insert(name.clone())).collect()
}

fn unescape(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn accepts_gzip(header: &str) -> bool {
    header.split(',').any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && quality.trim().replace(' ', "") != "q=0"
    })
}

#[cfg(test)]
mod tests;
