//! Whether it can be believed that objects are gone.
//!
//! Input: what was known of a kind, and what the API server says now. A list that is empty or older than what
//! was seen before may come from a cache that has just begun or lags behind: the store itself is asked then.
//! Objects that go with their definition are kept for a while: it is deleted by mistake, or to be replaced.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use target_allocator_core::objects::{Collection, Object};
use target_allocator_core::report::{ObjectRef, Outcome};

use super::reading::Known;
use crate::moment::Moment;

/// Whether `version` is of an earlier state of the store than `seen`; the versions of Kubernetes are numbers.
pub fn is_older(version: &str, seen: &str) -> bool {
    match (version.parse::<u64>(), seen.parse::<u64>()) {
        (Ok(version), Ok(seen)) => version < seen,
        _ => false,
    }
}

/// Whether an object is there no more.
pub fn lost_some<T: Object>(before: &Collection<T>, now: &Collection<T>) -> bool {
    now.changes_since(before).any(|(_, object)| object.is_none())
}

/// Whether a description of an API group has the resource, but not for creating.
pub fn forbids_creation(group: &[u8], resource: &str) -> bool {
    #[derive(Deserialize)]
    struct Group {
        resources: Vec<Verbs>,
    }
    #[derive(Deserialize)]
    struct Verbs {
        name: String,
        verbs: Vec<String>,
    }
    let Ok(Group { resources }) = serde_json::from_slice(group) else { return false };
    resources.iter().any(|known| known.name == resource && !known.verbs.iter().any(|verb| verb == "create"))
}

/// Leaves objects from before in `now` while their definition is gone, or was a short while ago; those that are
/// there again are the new ones.
pub fn keep_undefined<T: Object>(
    going: bool,
    keep: Duration,
    resource: &'static str,
    before: &Collection<T>,
    known: &mut Known,
    now: &mut Collection<T>,
) {
    if going && !before.is_empty() {
        known.undefined_since.get_or_insert_with(Moment::now);
    }
    if known.undefined_since.is_none_or(|since| since.elapsed() >= keep) {
        known.undefined_since = None;
        return;
    }
    let mut kept = before.clone();
    now.iter().for_each(|object| kept.insert(Arc::clone(object)));
    *now = kept;
    let object = ObjectRef::new("CustomResourceDefinition", "", resource);
    let advice = "was deleted, its objects with it, install it again and create them: those from before are kept";
    known.note.push(object, Outcome::Adjusted, "", format_args!("{advice} for {} s", keep.as_secs()));
}

#[cfg(test)]
mod tests {
    use target_allocator_core::objects::monitoring::ServiceMonitor;

    use super::*;

    fn monitors(names: &[&str]) -> Collection<ServiceMonitor> {
        let mut monitors = Collection::default();
        for name in names {
            let text = format!(
                r#"{{"metadata": {{"namespace": "a", "name": "{name}"}}, "spec": {{"selector": {{}}, "endpoints": []}}}}"#
            );
            monitors.insert(serde_json::from_str::<ServiceMonitor>(&text).unwrap());
        }
        monitors
    }

    fn names(monitors: &Collection<ServiceMonitor>) -> Vec<&str> {
        monitors.iter().map(|monitor| &*monitor.metadata.name).collect()
    }

    #[test]
    fn versions_are_numbers_or_tell_nothing() {
        let cases = [
            ("9", "10", true),
            ("10", "10", false),
            ("11", "10", false),
            ("0", "10", true),
            ("", "10", false),
            ("9", "", false),
            ("a9", "10", false),
        ];
        for (version, seen, older) in cases {
            assert_eq!(is_older(version, seen), older, "{version} after {seen}");
        }
    }

    #[test]
    fn a_definition_that_is_being_deleted_takes_no_new_objects() {
        let group = |verbs: &str| {
            format!(
                r#"{{"resources": [{{"name": "probes/status", "verbs": []}}, {{"name": "probes", "verbs": {verbs}}}]}}"#
            )
        };
        let cases = [
            (group(r#"["create", "get", "list"]"#), false),
            (group(r#"["get", "list"]"#), true),
            (r#"{"resources": []}"#.to_owned(), false),
            (r#"{"kind": "List", "items": []}"#.to_owned(), false),
            ("nonsense".to_owned(), false),
        ];
        for (group, forbids) in cases {
            assert_eq!(forbids_creation(group.as_bytes(), "probes"), forbids, "{group}");
        }
    }

    #[test]
    fn objects_stay_for_a_while_after_their_definition_went() {
        let minute = Duration::from_secs(60);
        let mut known = Known::default();
        let mut step = |going, keep, before: &[&str], listed: &[&str]| {
            let mut now = monitors(listed);
            keep_undefined(going, keep, "servicemonitors", &monitors(before), &mut known, &mut now);
            (names(&now).join(" "), known.undefined_since.is_some())
        };
        assert_eq!(step(true, minute, &[], &[]), (String::new(), false), "it never was there");
        assert_eq!(step(false, minute, &["a", "b"], &["b"]), ("b".to_owned(), false), "one was deleted");
        assert_eq!(step(true, minute, &["a", "b"], &["b"]), ("a b".to_owned(), true), "the definition is going");
        assert_eq!(step(true, minute, &["a", "b"], &[]), ("a b".to_owned(), true), "it is gone");
        assert_eq!(step(false, minute, &["a", "b"], &["c"]), ("a b c".to_owned(), true), "it is back");
        assert_eq!(step(false, Duration::ZERO, &["a", "b", "c"], &["c"]), ("c".to_owned(), false), "the while is over");
        assert!(
            lost_some(&monitors(&["a", "b"]), &monitors(&["b", "c"]))
                && !lost_some(&monitors(&["a"]), &monitors(&["a"]))
        );
    }
}
