//! The Secrets and ConfigMaps that monitors refer to, from an API server.
//!
//! Input: their names. Output: the objects, and why others cannot be read. An object that the function may not
//! read concerns the monitors that name it; an API server that fails ends the refresh.
//!
//! Each object is read by its name, so that a role with `get` on some Secrets is enough. Where the role also has
//! `list`, one list of versions tells which objects did not change.

mod update;

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use target_allocator_core::objects::{ConfigMap, ReferencedObject, Secret};

use super::api::Api;
use super::encoding::{JSON, Unreadable};
use super::known_references::{Scope, resource};
use super::limits::MOST_WHOLE;
use super::request::{Verb, at_most, message_of, refused, segment};
use super::{ClusterError, Reading};
use update::Update;

/// How many objects are read at a time. Each request has a connection of its own: the client speaks HTTP/1.1.
const AT_A_TIME: usize = 8;

/// The most bytes of one object as JSON.
///
/// The values of a Secret have at most 1 MiB: 1.4 MiB in base64. Those of a ConfigMap have 2 MiB if every character
/// is a line end. Metadata adds less than 1 MiB.
const MOST_OBJECT: usize = 4 << 20;

/// What a list of versions is requested as: the metadata of the objects, without their values.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// What the API server says of one object.
enum Read {
    Found(Found),
    Absent,
    /// The role may not read it: the API server's message.
    Forbidden(String),
    /// It exists, but it is of no use: why.
    Unusable(String),
}

/// An object, its version, and the size of its text.
struct Found {
    object: Value,
    version: String,
    bytes: usize,
}

enum Value {
    Secret(Secret),
    ConfigMap(ConfigMap),
}

/// A list of versions, by namespace and name.
type Versions = BTreeMap<(String, String), String>;

impl Api {
    /// See [`super::Objects::get`].
    pub async fn get(
        &self,
        references: &BTreeSet<ReferencedObject>,
        reading: &mut Reading,
    ) -> Result<(), ClusterError> {
        let api = self.within(&reading.limits);
        let mut update = Update::new(references, reading);
        while let Some(scope) = update.next_list() {
            match api.versions(&scope).await? {
                Some((versions, bytes)) => update.compare(&scope, &versions, bytes),
                None => update.avoid(scope),
            }
        }
        let mut reads = stream::iter(update.due())
            .map(|reference| {
                let api = api.clone();
                async move { api.read(&reference).await.map(|(read, bytes)| (reference, read, bytes)) }
            })
            .buffer_unordered(AT_A_TIME);
        while let Some((reference, read, bytes)) = reads.try_next().await? {
            update.take(reference, read, bytes);
        }
        update.finish(reading);
        Ok(())
    }

    /// Reads one object, and how many bytes that took.
    async fn read(&self, reference: &ReferencedObject) -> Result<(Read, usize), ClusterError> {
        let resource = resource(reference);
        let (namespace, name) = (segment(reference.namespace()), segment(reference.name()));
        let path = format!("/api/v1/namespaces/{namespace}/{resource}/{name}");
        let (status, answer) = self.respond(Verb::Get, resource, &path, JSON).await?;
        let body = at_most(MOST_OBJECT, answer, Verb::Get, resource).await?;
        if status == StatusCode::OK && body.is_none() {
            let reason = format!("has more than {} MiB as JSON, make it smaller", MOST_OBJECT >> 20);
            return Ok((Read::Unusable(reason), MOST_OBJECT));
        }
        let body = body.unwrap_or_default();
        let read = match status {
            StatusCode::OK => read_object(reference, &body)?,
            StatusCode::NOT_FOUND if is_status(&body) => Read::Absent,
            StatusCode::FORBIDDEN => Read::Forbidden(message_of(&body)),
            _ => return Err(refused(Verb::Get, resource, status, message_of(&body))),
        };
        Ok((read, body.len()))
    }

    /// Reads the versions of all objects of a scope, and how many bytes that took; none if the role may not
    /// list them, or if they are too many.
    async fn versions(&self, scope: &Scope) -> Result<Option<(Versions, usize)>, ClusterError> {
        let resource = scope.resource;
        let path = match &scope.namespace {
            Some(namespace) => format!("/api/v1/namespaces/{}/{resource}", segment(namespace)),
            None => format!("/api/v1/{resource}"),
        };
        let path = format!("{path}?resourceVersion=0");
        let (status, answer) = self.respond(Verb::List, resource, &path, METADATA).await?;
        let Some(body) = at_most(MOST_WHOLE, answer, Verb::List, resource).await? else { return Ok(None) };
        match status {
            StatusCode::OK => {
                let versions = read_versions(&body);
                let malformed = |source| ClusterError::Malformed { verb: Verb::List.name(), resource, source };
                Ok(Some((versions.map_err(malformed)?, body.len())))
            }
            StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_ACCEPTABLE => Ok(None),
            _ => Err(refused(Verb::List, resource, status, message_of(&body))),
        }
    }
}

/// What says which object a text is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    api_version: String,
    kind: String,
    metadata: Identity,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Identity {
    namespace: String,
    name: String,
    resource_version: String,
}

/// Reads the text of an object. One that is another object's, or no object's, is a failure: the object itself
/// may exist.
fn read_object(reference: &ReferencedObject, body: &[u8]) -> Result<Read, ClusterError> {
    let envelope: Option<Envelope> = serde_json::from_slice(body).ok();
    let same = envelope.filter(|Envelope { api_version, kind, metadata: Identity { namespace, name, .. } }| {
        api_version == "v1"
            && kind == reference.kind()
            && namespace == reference.namespace()
            && name == reference.name()
    });
    let Some(Envelope { metadata: Identity { resource_version, .. }, .. }) = same else {
        return Err(ClusterError::NotTheObject {
            resource: resource(reference),
            namespace: reference.namespace().to_owned(),
            name: reference.name().to_owned(),
        });
    };
    let object = match reference {
        ReferencedObject::Secret { .. } => parse(body).map(Value::Secret),
        ReferencedObject::ConfigMap { .. } => parse(body).map(Value::ConfigMap),
    };
    Ok(match object {
        Some(object) => Read::Found(Found { object, version: resource_version, bytes: body.len() }),
        // What the parser says may show a value.
        None => Read::Unusable("has data that is not a map of texts".to_owned()),
    })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// Whether the API server itself answered. A proxy before it answers 404 with a page.
pub(super) fn is_status(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        kind: String,
    }
    serde_json::from_slice::<Kind>(body).is_ok_and(|status| status.kind == "Status")
}

fn read_versions(body: &[u8]) -> Result<Versions, Unreadable> {
    #[derive(Deserialize)]
    struct List {
        items: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        metadata: Identity,
    }
    let List { items } = serde_json::from_slice(body)?;
    let versions = items
        .into_iter()
        .map(|Item { metadata: Identity { namespace, name, resource_version } }| ((namespace, name), resource_version));
    Ok(versions.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_object_itself_is_read() {
        let reference = ReferencedObject::Secret { namespace: "shop".to_owned(), name: "auth".to_owned() };
        let of = |kind: &str, namespace: &str, name: &str, data: &str| {
            format!(
                r#"{{"apiVersion": "v1", "kind": "{kind}", "metadata": {{"namespace": "{namespace}", "name": "{name}", "resourceVersion": "7"}}, "data": {data}}}"#
            )
        };
        let cases = [
            ("the secret", of("Secret", "shop", "auth", r#"{"a": "YQ=="}"#), "found at 7"),
            ("without data", of("Secret", "shop", "auth", "null"), "found at 7"),
            ("data of no use", of("Secret", "shop", "auth", r#""hidden""#), "unusable"),
            ("a config map", of("ConfigMap", "shop", "auth", "{}"), "failure"),
            ("a status", of("Status", "shop", "auth", "{}"), "failure"),
            ("of another name", of("Secret", "shop", "other", "{}"), "failure"),
            ("of another namespace", of("Secret", "web", "auth", "{}"), "failure"),
            ("empty", String::new(), "failure"),
            ("no fields", "{}".to_owned(), "failure"),
            ("null", "null".to_owned(), "failure"),
            ("a page", "<html>".to_owned(), "failure"),
            ("cut", of("Secret", "shop", "auth", "{}")[..60].to_owned(), "failure"),
        ];
        for (name, body, expected) in cases {
            let read = match read_object(&reference, body.as_bytes()) {
                Ok(Read::Found(found)) => format!("found at {}", found.version),
                Ok(Read::Unusable(reason)) => {
                    assert!(!reason.contains("hidden"), "{reason}");
                    "unusable".to_owned()
                }
                Ok(_) => "something else".to_owned(),
                Err(error) => {
                    assert!(error.to_string().contains("not the object shop/auth"), "{error}");
                    "failure".to_owned()
                }
            };
            assert_eq!(read, expected, "{name}");
        }
    }

    #[test]
    fn a_page_of_a_proxy_is_no_word_of_the_api_server() {
        let cases =
            [(r#"{"kind":"Status","code":404}"#, true), ("404 page not found", false), ("", false), ("{}", false)];
        for (body, expected) in cases {
            assert_eq!(is_status(body.as_bytes()), expected, "{body:?}");
        }
    }
}
