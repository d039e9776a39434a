//! Answers with status 200 that are not the list that was asked for.
//!
//! A collector loses its targets if such an answer passes for an empty list. So each of these is an error, and the
//! refresh fails.

use thiserror::Error;

/// Why an answer cannot be used as a list.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WrongAnswer {
    /// A `Status`, a list of another kind, or anything else.
    #[error("expected {expected}, got {got}{message}")]
    Type {
        /// The type that was asked for.
        expected: String,
        /// The type that the answer states.
        got: String,
        /// The message of a `Status`; empty or starting with `: `.
        message: String,
    },
    /// The body is JSON, but no object.
    #[error("the body is not a JSON object")]
    NoObject,
    /// The list has no `items`, or something else than a list there.
    #[error("the list has no items")]
    NoItems,
    /// The list has no `metadata.resourceVersion`.
    #[error("the list has no metadata.resourceVersion")]
    NoVersion,
    /// The list has the version 0. An API server fails rather than to send it: no store has this version.
    #[error("the list has the resource version 0, which no API server sends")]
    ZeroVersion,
    /// Two pages of one list are from different states of the cluster.
    #[error("the pages of the list have different resource versions: {first} and {then}")]
    Pages {
        /// The version on the first page.
        first: String,
        /// The version on a later page.
        then: String,
    },
    /// The continue token of a page leads to the page itself.
    #[error("a page of the list names itself as the next page")]
    Circle,
    /// An item is `null`, a text, a number or a list.
    #[error("an item of the list is no object")]
    NoItem,
    /// An item has no `metadata.name`.
    #[error("an object without metadata.name")]
    NoName,
    /// An item or an event has an object of another kind.
    #[error("expected objects of {expected}, got {got}: {name}")]
    Item {
        /// The type that was asked for.
        expected: String,
        /// The type that the object states.
        got: String,
        /// The object's name.
        name: String,
    },
    /// An item or an event has an object of another namespace.
    #[error("expected objects of the namespace {expected}, got one of {got:?}: {name}")]
    Namespace {
        /// The namespace that was asked for.
        expected: String,
        /// The namespace that the object states.
        got: String,
        /// The object's name.
        name: String,
    },
    /// The answer is in protobuf, and only JSON was accepted.
    #[error("the answer is in protobuf, which was not asked for")]
    Encoding,
    /// Every object is there, and none of them can be read.
    #[error("none of the {count} objects can be read; fix or delete them: {first}")]
    Unreadable {
        /// How many objects the list has.
        count: usize,
        /// The first object and why it cannot be read.
        first: String,
    },
}
