//! Reads of a cluster in which the function may read only some namespaces.
//!
//! Namespaces are read one by one, because no Role inside a namespace grants a list of namespaces. Nodes are optional,
//! because no Role inside a namespace grants them. Input: the scope of the reading. Output: the objects, and notes on
//! what cannot be read.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use http::StatusCode;
use target_allocator_core::allocation::{ReadNamespaces, ReadScope};
use target_allocator_core::objects::{Collection, Namespace, Node};
use target_allocator_core::report::{ObjectRef, Outcome, Report};

use super::api::{Api, Wanted};
use super::encoding::{Encoded, JSON, Readable};
use super::limits::MOST_WHOLE;
use super::parts::TypeMeta;
use super::reading::Known;
use super::references::is_status;
use super::request::{Verb, at_most, message_of, refused, segment};
use super::resource::{Part, Resource, refused_in};
use super::{ClusterError, Kind};
use crate::moment::Moment;

/// How many lists of one kind, or namespaces, are read at a time. Each request has a connection of its own: the client
/// speaks HTTP/1.1.
const AT_A_TIME: usize = 8;

const NAMESPACES: &str = "namespaces";

/// What the API server says about a namespace.
enum Found {
    Namespace(Box<Namespace>),
    Absent,
    /// The function may not read it: the API server's message.
    Forbidden(String),
}

impl Api {
    /// Brings the objects of a kind up to date, in each namespace that is read.
    pub(super) async fn read_in_namespaces<T: Readable>(
        &self,
        kind: Kind,
        namespaces: BTreeSet<&str>,
        wanted: &Wanted<'_>,
        collection: &mut Collection<T>,
    ) -> Result<Vec<(Part, Known)>, ClusterError> {
        let parts = namespaces.into_iter().map(|namespace| {
            let part = Part { kind, namespace: Some(namespace.into()) };
            (wanted.known(&part), part, collection.only(namespace))
        });
        let parts: Vec<_> = parts.collect();
        let reads = stream::iter(parts).map(|(known, part, mut objects)| async move {
            let known = self.read_or_absent(&part, known, wanted, &mut objects).await?;
            Ok::<_, ClusterError>((part, known, objects))
        });
        let read: Vec<_> = reads.buffered(AT_A_TIME).try_collect().await?;
        let mut all = Vec::with_capacity(read.len());
        *collection = Collection::default();
        for (part, known, objects) in read {
            collection.put_namespaces(objects);
            all.push((part, known));
        }
        Ok(all)
    }

    /// Brings the objects of a kind in one namespace up to date.
    ///
    /// A 403 in a namespace that does not exist is no failure: no Role can exist there. Any other 403 is one, because
    /// targets may be missing.
    async fn read_or_absent<T: Readable>(
        &self,
        part: &Part,
        known: Known,
        wanted: &Wanted<'_>,
        objects: &mut Collection<T>,
    ) -> Result<Known, ClusterError> {
        match self.read_part(part, known, wanted.keep, objects).await {
            Err(ClusterError::RefusedIn { namespace, verb, resource, message }) => {
                let Found::Absent = self.namespace(&namespace).await?.0 else {
                    return Err(ClusterError::RefusedIn { namespace, verb, resource, message });
                };
                *objects = Collection::default();
                let mut known = Known::default();
                note_absent(&namespace, &mut known);
                Ok(known)
            }
            read => read,
        }
    }

    /// Brings the namespaces up to date: by one list, or one by one if only some are read.
    pub(super) async fn read_namespaces(
        &self,
        wanted: &Wanted<'_>,
        namespaces: &mut Collection<Namespace>,
    ) -> Result<Vec<(Part, Known)>, ClusterError> {
        let ReadScope::Namespaces(scope) = wanted.scope else {
            return self.read_kind(Kind::Namespace, wanted, namespaces).await;
        };
        if !wanted.kinds.contains(&Kind::Namespace) {
            return Ok(Vec::new());
        }
        let before = &*namespaces;
        let reads: Vec<_> = scope.names.iter().map(|name| self.read_namespace(name, scope, wanted, before)).collect();
        let read: Vec<_> = stream::iter(reads).buffered(AT_A_TIME).try_collect().await?;
        let (mut all, mut now) = (Vec::with_capacity(read.len()), Collection::default());
        for (part, known, namespace) in read {
            namespace.into_iter().for_each(|namespace| now.insert(namespace));
            all.push((part, known));
        }
        now.share_with(namespaces);
        *namespaces = now;
        Ok(all)
    }

    async fn read_namespace(
        &self,
        name: &str,
        scope: &ReadNamespaces,
        wanted: &Wanted<'_>,
        before: &Collection<Namespace>,
    ) -> Result<(Part, Known, Option<Arc<Namespace>>), ClusterError> {
        let part = Part { kind: Kind::Namespace, namespace: Some(name.into()) };
        let (found, bytes) = self.namespace(name).await?;
        let mut known = Known::default();
        known.bytes = bytes;
        let namespace = match found {
            Found::Namespace(namespace) => Some(Arc::from(namespace)),
            Found::Absent => {
                note_absent(name, &mut known);
                None
            }
            Found::Forbidden(message) => {
                let since = wanted.known(&part).doubted_since.unwrap_or_else(Moment::now);
                known.doubted_since = Some(since);
                let kept = before.get("", name).filter(|_| since.elapsed() < wanted.keep).cloned();
                if kept.is_none() && scope.labels_decide {
                    return Err(refused_in(name, Verb::Get, NAMESPACES, message));
                }
                note_forbidden(name, kept.is_some(), &message, &mut known);
                kept
            }
        };
        Ok((part, known, namespace))
    }

    /// Reads one namespace, and how many bytes that took. The request names no version, so the store itself answers.
    async fn namespace(&self, name: &str) -> Result<(Found, usize), ClusterError> {
        let path = format!("{}/{}", Resource::of(&Kind::Namespace.into()).path(), segment(name));
        let (status, answer) = self.respond(Verb::Get, NAMESPACES, &path, JSON).await?;
        let body = at_most(MOST_WHOLE, answer, Verb::Get, NAMESPACES).await?.unwrap_or_default();
        let found = match status {
            StatusCode::OK => Found::Namespace(Box::new(read_namespace(name, &body)?)),
            StatusCode::NOT_FOUND if is_status(&body) => Found::Absent,
            StatusCode::FORBIDDEN => Found::Forbidden(message_of(&body)),
            _ => return Err(refused(Verb::Get, NAMESPACES, status, message_of(&body))),
        };
        Ok((found, body.len()))
    }

    /// Brings the nodes up to date. If only some namespaces are read, a 403 leaves out the nodes: `unread` then says why.
    /// Nodes from before are kept for a while, because a role may be edited by mistake.
    pub(super) async fn read_nodes(
        &self,
        wanted: &Wanted<'_>,
        nodes: &mut Collection<Node>,
        unread: &mut Option<Arc<str>>,
    ) -> Result<Vec<(Part, Known)>, ClusterError> {
        let (part, before) = (Part::from(Kind::Node), nodes.clone());
        let message = match self.read_kind(Kind::Node, wanted, nodes).await {
            Err(ClusterError::Refused { status: StatusCode::FORBIDDEN, message, .. })
                if wanted.scope.is_optional(Kind::Node) =>
            {
                message
            }
            read => {
                let mut read = read?;
                read.iter_mut().for_each(|(_, known)| known.doubted_since = None);
                *unread = None;
                return Ok(read);
            }
        };
        let mut known = wanted.known(&part);
        (known.bytes, known.note) = (0, Report::default());
        let since = *known.doubted_since.get_or_insert_with(Moment::now);
        let is_kept = !before.is_empty() && since.elapsed() < wanted.keep;
        *unread = (!is_kept).then(|| format!("nodes cannot be read, {GRANT_NODES}: {message}").into());
        *nodes = if is_kept { before } else { Collection::default() };
        note_unread_nodes(is_kept, &message, &mut known);
        Ok(vec![(part, known)])
    }
}

const GRANT_NODES: &str = "grant list and watch on nodes by a ClusterRole (examples/rbac-namespaced.yaml)";

/// Reads the text of a namespace. Any other text is a failure: the namespace itself may exist.
fn read_namespace(name: &str, body: &[u8]) -> Result<Namespace, ClusterError> {
    let expected = TypeMeta { api_version: "v1".to_owned(), kind: "Namespace".to_owned() };
    let identity = Encoded::Json(body).identity();
    if identity.is_none_or(|identity| identity.type_meta != expected || identity.metadata.name != name) {
        let (namespace, name) = (String::new(), name.to_owned());
        return Err(ClusterError::NotTheObject { resource: NAMESPACES, namespace, name });
    }
    Encoded::Json(body).read().map_err(|source| ClusterError::Malformed {
        verb: Verb::Get.name(),
        resource: NAMESPACES,
        source,
    })
}

fn note_absent(name: &str, known: &mut Known) {
    let reason = "the namespace does not exist, create it or remove it from prometheus_cr.allow_namespaces";
    known.note.push(ObjectRef::new("Namespace", "", name), Outcome::Adjusted, "", reason);
}

fn note_forbidden(name: &str, is_kept: bool, message: &str, known: &mut Known) {
    let labels = if is_kept { "its last labels are used for a while" } else { "its labels are absent" };
    let reason = format_args!(
        "{labels}, grant get on namespaces by a Role in the namespace (examples/rbac-namespaced.yaml): {message}"
    );
    known.note.push(ObjectRef::new("Namespace", "", name), Outcome::Adjusted, "", reason);
}

fn note_unread_nodes(is_kept: bool, message: &str, known: &mut Known) {
    let labels =
        if is_kept { "the last nodes are used for a while" } else { "the labels and zones of nodes are absent" };
    let reason = format_args!("{labels}, {GRANT_NODES}: {message}");
    known.note.push(ObjectRef::new("ClusterRole", "", "nodes"), Outcome::Adjusted, "", reason);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_namespace_itself_is_read() {
        let text = |kind: &str, name: &str, labels: &str| {
            format!(r#"{{"apiVersion": "v1", "kind": "{kind}", "metadata": {{"name": "{name}", "labels": {labels}}}}}"#)
        };
        let cases = [
            ("the namespace", text("Namespace", "shop", r#"{"team": "a"}"#), "read"),
            ("without labels", text("Namespace", "shop", "null"), "read"),
            ("another namespace", text("Namespace", "other", "{}"), "not the object"),
            ("another kind", text("Secret", "shop", "{}"), "not the object"),
            ("a status", text("Status", "shop", "{}"), "not the object"),
            ("no type", r#"{"metadata": {"name": "shop"}}"#.to_owned(), "not the object"),
            ("labels that are no map", text("Namespace", "shop", "7"), "not what a Kubernetes API server sends"),
            ("empty", String::new(), "not the object"),
            ("null", "null".to_owned(), "not the object"),
        ];
        for (name, body, expected) in cases {
            match read_namespace("shop", body.as_bytes()) {
                Ok(namespace) => assert_eq!((expected, &*namespace.metadata.name), ("read", "shop"), "{name}"),
                Err(error) => assert!(error.to_string().contains(expected), "{name}: {error}"),
            }
        }
    }
}
