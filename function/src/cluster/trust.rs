//! Whether it can be believed that objects are gone.
//!
//! Input: the objects of a kind that were read before, and what the API server says now. A list that is empty, or older
//! than a version that was seen before, may come from a cache that has just begun or lags behind: the store itself is
//! asked then. Objects that go with their definition are kept for a while, because the definition may have been deleted
//! by mistake, or may be replaced. Objects are kept, too, while nobody can say whether their definition is going.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use target_allocator_core::objects::{Collection, Object};
use target_allocator_core::report::{ObjectRef, Outcome};

use super::ClusterError;
use super::definition::Definition;
use super::encoding::Readable;
use super::reading::Known;
use super::wrong::WrongAnswer;
use crate::moment::Moment;

/// Whether an empty list, or a list of that version, is doubtful, so that the store itself must be asked.
pub fn doubts<T: Object>(before: &Collection<T>, known: &Known, listed: &Collection<T>, version: &str) -> bool {
    // An environment that begins knows nothing, and so cannot tell an empty cluster from an empty cache.
    let is_first = known.version.is_empty();
    (listed.is_empty() && (is_first || !before.is_empty())) || is_older(version, &known.seen)
}

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

/// Whether a list that is not found can be believed without API discovery, since nothing can be lost: there was no object
/// before, and an environment does not begin.
pub fn is_harmless<T: Object>(before: &Collection<T>, known: &Known) -> bool {
    before.is_empty() && (known.is_absent || !known.version.is_empty())
}

/// Refuses a list that is not found, if API discovery does not confirm that the definition is gone. Objects from before
/// may be kept instead.
pub fn check_absent<T: Object>(
    definition: &Definition,
    resource: &'static str,
    now: &Collection<T>,
    known: &mut Known,
) -> Result<(), ClusterError> {
    match definition {
        Definition::Unknown(reason) if now.is_empty() => {
            Err(ClusterError::Undefined { resource, reason: reason.clone() })
        }
        _ => {
            known.is_absent = true;
            Ok(())
        }
    }
}

/// Leaves objects from before in `now` while their definition is gone or doubtful, for `keep` at most. Objects that are
/// in `now` too are the new ones.
pub fn keep_undefined<T: Object>(
    definition: &Definition,
    keep: Duration,
    resource: &'static str,
    before: &Collection<T>,
    known: &mut Known,
    now: &mut Collection<T>,
) {
    match definition {
        Definition::Goes | Definition::Gone if before.is_empty() => {}
        Definition::Goes | Definition::Gone => _ = known.undefined_since.get_or_insert_with(Moment::now),
        Definition::Unknown(_) => _ = known.doubted_since.get_or_insert_with(Moment::now),
        Definition::Stays => known.doubted_since = None,
    }
    let lasts = |since: &Moment| since.elapsed() < keep;
    known.undefined_since = known.undefined_since.filter(lasts);
    known.doubted_since = known.doubted_since.filter(lasts);
    if known.undefined_since.is_none() && known.doubted_since.is_none() {
        return;
    }
    let mut kept = before.clone();
    now.iter().for_each(|object| kept.insert(Arc::clone(object)));
    *now = kept;
    note_kept(definition, keep, resource, known);
}

fn note_kept(definition: &Definition, keep: Duration, resource: &'static str, known: &mut Known) {
    let object = ObjectRef::new("CustomResourceDefinition", "", resource);
    let seconds = keep.as_secs();
    if let (None, Definition::Unknown(reason)) = (known.undefined_since, definition) {
        let advice = "objects are missing, and the API server does not say whether their definition is being deleted, \
                      grant get on its API group: the objects from before are kept";
        known.note.push(object, Outcome::Adjusted, "", format_args!("{advice} for {seconds} s at most: {reason}"));
        return;
    }
    let advice = "was deleted, its objects with it, install it again and create them: those from before are kept";
    known.note.push(object, Outcome::Adjusted, "", format_args!("{advice} for {seconds} s"));
}

/// Up to this many unreadable objects can be the only ones of a custom kind at the start.
const HANDFUL: usize = 5;

/// Refuses an answer by which no object of a kind can be read, if that cannot be true.
///
/// - Objects of built-in kinds are written by the API server itself. If none can be read, the answer is wrong.
/// - An object of a custom kind can be unreadable by its owner's fault, and may be the only one. This harms its owner
///   alone. The answer is wrong if more than one object could be read before, or if more than a handful is unreadable.
/// - Objects that were unreadable before do not count: the readable ones were deleted then.
pub fn check_readable<T: Readable>(
    before: &Collection<T>,
    unreadable_before: &BTreeSet<(String, String)>,
    now: &Collection<T>,
    known: &Known,
) -> Result<(), WrongAnswer> {
    let unreadable = known.unreadable();
    let new = unreadable.difference(unreadable_before).count();
    let is_wrong = T::MESSAGE.is_some() || before.len() > 1 || new > HANDFUL;
    if new > 0 && now.is_empty() && is_wrong {
        return Err(WrongAnswer::Unreadable { count: unreadable.len(), first: known.first_unreadable() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use target_allocator_core::objects::Pod;
    use target_allocator_core::objects::monitoring::ServiceMonitor;

    use super::*;
    use crate::cluster::encoding::Encoded;

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

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn objects_stay_for_a_while_after_their_definition_went() {
        use Definition::{Goes, Gone, Stays};
        let mut known = Known::default();
        let mut step = |definition: Definition, keep, before: &[&str], listed: &[&str]| {
            let mut now = monitors(listed);
            keep_undefined(&definition, keep, "servicemonitors", &monitors(before), &mut known, &mut now);
            (names(&now).join(" "), known.undefined_since.is_some())
        };
        assert_eq!(step(Gone, MINUTE, &[], &[]), (String::new(), false), "there were no objects");
        assert_eq!(step(Stays, MINUTE, &["a", "b"], &["b"]), ("b".to_owned(), false), "one was deleted");
        assert_eq!(step(Goes, MINUTE, &["a", "b"], &["b"]), ("a b".to_owned(), true), "the definition is going");
        assert_eq!(step(Gone, MINUTE, &["a", "b"], &[]), ("a b".to_owned(), true), "it is gone");
        assert_eq!(step(Stays, MINUTE, &["a", "b"], &["c"]), ("a b c".to_owned(), true), "it is back");
        assert_eq!(step(Stays, Duration::ZERO, &["a", "b", "c"], &["c"]), ("c".to_owned(), false), "the while is over");
        assert!(lost_some(&monitors(&["a", "b"]), &monitors(&["b", "c"])));
        assert!(!lost_some(&monitors(&["a"]), &monitors(&["a"])));
    }

    #[test]
    fn objects_stay_while_nobody_says_whether_their_definition_goes() {
        use Definition::Stays;
        let unknown = || Definition::Unknown("403 Forbidden: no".to_owned());
        let mut known = Known::default();
        let mut step = |definition: Definition, keep, before: &[&str], listed: &[&str]| {
            let mut now = monitors(listed);
            known.note = target_allocator_core::report::Report::default();
            keep_undefined(&definition, keep, "servicemonitors", &monitors(before), &mut known, &mut now);
            let notes: Vec<_> = known.note.entries().iter().map(|entry| entry.reason.clone()).collect();
            (names(&now).join(" "), notes.join(""))
        };
        let (kept, note) = step(unknown(), MINUTE, &["a", "b"], &["b"]);
        assert_eq!(kept, "a b");
        assert!(note.contains("60 s at most: 403 Forbidden: no"), "{note}");
        assert_eq!(step(Stays, MINUTE, &["a", "b"], &["b"]), ("b".to_owned(), String::new()), "the doubt is over");
        assert_eq!(step(unknown(), MINUTE, &["a", "b"], &[]).0, "a b");
        assert_eq!(
            step(unknown(), Duration::ZERO, &["a", "b"], &[]),
            (String::new(), String::new()),
            "after the while"
        );
    }

    #[test]
    fn a_list_that_is_not_found_is_believed_if_discovery_agrees_or_nothing_can_be_lost() {
        let (mut listed, mut absent) = (Known::default(), Known::default());
        listed.version = "5".to_owned();
        absent.is_absent = true;
        let cases = [
            ("an environment begins", &[][..], Known::default(), false),
            ("there was no object", &[], listed.clone(), true),
            ("the kind was absent", &[], absent.clone(), true),
            ("there was an object", &["a"], listed, false),
            ("objects are kept", &["a"], absent, false),
        ];
        for (name, before, known, harmless) in cases {
            assert_eq!(is_harmless(&monitors(before), &known), harmless, "{name}");
        }
        let unknown = Definition::Unknown("API discovery has the resource".to_owned());
        let cases = [
            ("the definition is gone", Definition::Gone, &[][..], true),
            ("it is gone, and objects are kept", Definition::Gone, &["a"], true),
            ("it may be there, and objects are kept", unknown.clone(), &["a"], true),
            ("it may be there, and no object is kept", unknown, &[], false),
        ];
        for (name, definition, kept, believed) in cases {
            let mut known = Known::default();
            let checked = check_absent(&definition, "servicemonitors", &monitors(kept), &mut known);
            assert_eq!((checked.is_ok(), known.is_absent), (believed, believed), "{name}: {checked:?}");
        }
    }

    #[test]
    fn an_empty_list_is_believed_after_the_store_itself_says_so() {
        let read = || {
            let mut known = Known::default();
            (known.version, known.seen) = ("5".to_owned(), "5".to_owned());
            known
        };
        let cases = [
            ("an environment begins, and there are objects", &[][..], Known::default(), &["a"][..], "5", false),
            ("an environment begins, and there is none", &[], Known::default(), &[], "5", true),
            ("there was none before", &[], read(), &[], "6", false),
            ("all are gone", &["a"], read(), &[], "6", true),
            ("one is gone", &["a", "b"], read(), &["a"], "6", false),
            ("the list is older than a list before", &["a"], read(), &["a"], "4", true),
        ];
        for (name, before, known, listed, version, doubtful) in cases {
            assert_eq!(doubts(&monitors(before), &known, &monitors(listed), version), doubtful, "{name}");
        }
    }

    fn unreadable(count: usize, known: &mut Known) {
        for number in 0..count {
            let text = format!(r#"{{"metadata": {{"namespace": "a", "name": "bad-{number}"}}, "spec": 7}}"#);
            known.put(Encoded::Json(text.as_bytes()), &mut Collection::<ServiceMonitor>::default());
        }
    }

    #[test]
    fn one_unreadable_object_harms_its_owner_alone_and_many_are_a_wrong_answer() {
        let cases = [
            ("the only one of its kind", &[][..], 0, 1, &[][..], false),
            ("the only one became unreadable", &["a"], 0, 1, &[], false),
            ("a handful at the start", &[], 0, 5, &[], false),
            ("more than a handful at the start", &[], 0, 6, &[], true),
            ("all became unreadable", &["a", "b"], 0, 2, &[], true),
            ("all but one became unreadable", &["a", "b", "c"], 0, 2, &["c"], false),
            ("all are gone, and another is unreadable", &["a", "b"], 0, 1, &[], true),
            ("the readable ones were deleted", &["a", "b"], 7, 7, &[], false),
            ("there is none at all", &["a", "b"], 0, 0, &[], false),
        ];
        for (name, before, unreadable_before, unreadable_now, now, wrong) in cases {
            let (mut earlier, mut known) = (Known::default(), Known::default());
            unreadable(unreadable_before, &mut earlier);
            unreadable(unreadable_now, &mut known);
            let found = check_readable(&monitors(before), &earlier.unreadable(), &monitors(now), &known);
            assert_eq!(found.is_err(), wrong, "{name}: {found:?}");
            if let Err(found) = found {
                assert!(found.to_string().contains("ServiceMonitor/a/bad-0"), "{found}");
            }
        }
    }

    #[test]
    fn a_built_in_kind_is_never_unreadable_as_a_whole() {
        let (mut known, pods) = (Known::default(), Collection::<Pod>::default());
        let text = br#"{"metadata": {"namespace": "a", "name": "web"}, "spec": 7}"#;
        known.put(Encoded::Json(text), &mut Collection::<Pod>::default());
        assert!(check_readable(&pods, &BTreeSet::new(), &pods, &known).is_err());
    }
}
