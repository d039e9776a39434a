use super::*;
use target_allocator_core::allocation::ReadNamespaces;

const MINUTE: Duration = Duration::from_secs(60);

fn reference(name: &str) -> ReferencedObject {
    ReferencedObject::Secret { namespace: "shop".to_owned(), name: name.to_owned() }
}

fn references(names: &[&str]) -> BTreeSet<ReferencedObject> {
    names.iter().map(|name| reference(name)).collect()
}

fn numbered(number: usize) -> BTreeSet<ReferencedObject> {
    (0..number).map(|n| reference(&format!("s{n:05}"))).collect()
}

fn found(name: &str, version: &str, bytes: usize) -> Read {
    let secret = serde_json::json!({"metadata": {"namespace": "shop", "name": name}, "data": {"version": version}});
    let object = Value::Secret(serde_json::from_value(secret).unwrap());
    Read::Found(Found { object, version: version.to_owned(), bytes })
}

/// One refresh in which each object that is due is answered so.
fn refresh(references: &BTreeSet<ReferencedObject>, reading: &mut Reading, answer: impl Fn(&str) -> Read) -> usize {
    let mut update = Update::new(references, reading);
    let due = update.due();
    let number = due.len();
    for reference in due {
        let read = answer(reference.name());
        update.take(reference, read, 1);
    }
    update.finish(reading);
    number
}

/// Each object: `version`, `absent`, or why it cannot be read.
fn state(reading: &Reading, name: &str) -> String {
    if let Some(reason) = reading.cluster.unreadable.get(&reference(name)) {
        assert!(reading.cluster.secrets.get("shop", name).is_none(), "{name}");
        return reason.chars().take(30).collect();
    }
    reading.cluster.secrets.get("shop", name).map_or("absent".to_owned(), |secret| secret.data["version"].clone())
}

fn kept_for(keep: Duration) -> Reading {
    Reading { keep, ..Reading::default() }
}

#[test]
fn an_object_that_may_not_be_read_concerns_nobody_else() {
    let (all, mut reading) = (references(&["good", "gone", "locked"]), kept_for(MINUTE));
    refresh(&all, &mut reading, |name| match name {
        "good" => found("good", "1", 10),
        "gone" => Read::Absent,
        _ => Read::Forbidden("no".to_owned()),
    });
    let states = ["good", "gone", "locked"].map(|name| state(&reading, name));
    assert_eq!(states, ["1", "absent", "the function may not read it, "]);
    assert!(reading.report().entries().is_empty(), "the monitors that name it are in the report");
    refresh(&all, &mut reading, |name| found(name, "2", 10));
    assert_eq!(["good", "gone", "locked"].map(|name| state(&reading, name)), ["2", "2", "2"]);
    refresh(&references(&["good"]), &mut reading, |name| found(name, "2", 10));
    assert_eq!(reading.cluster.secrets.len(), 1, "objects that nobody names are forgotten");
}

#[test]
fn a_value_from_before_is_kept_for_a_while_where_the_role_is_narrowed() {
    let all = references(&["auth"]);
    for (keep, expected) in [(MINUTE, "1"), (Duration::ZERO, "the function may not read it, ")] {
        let mut reading = kept_for(keep);
        refresh(&all, &mut reading, |name| found(name, "1", 10));
        for _ in 0..2 {
            refresh(&all, &mut reading, |_| Read::Forbidden("no".to_owned()));
            assert_eq!(state(&reading, "auth"), expected, "{keep:?}");
        }
        assert_eq!(reading.report().entries().len(), usize::from(keep == MINUTE), "{:?}", reading.report());
        refresh(&all, &mut reading, |_| Read::Absent);
        assert_eq!(state(&reading, "auth"), "absent", "a deleted object is gone at once");
    }
}

#[test]
fn a_value_that_was_kept_too_long_is_not_used_even_if_it_is_not_asked_for() {
    let (all, mut reading) = (references(&["auth"]), kept_for(MINUTE));
    refresh(&all, &mut reading, |name| found(name, "1", 10));
    refresh(&all, &mut reading, |_| Read::Forbidden("no".to_owned()));
    reading.keep = Duration::ZERO;
    Update::new(&all, &reading).finish(&mut reading);
    assert_eq!(state(&reading, "auth"), "the function may not read it, ");
}

#[test]
fn an_object_that_did_not_change_is_the_same_in_memory() {
    let (all, mut reading) = (references(&["a", "b"]), kept_for(MINUTE));
    refresh(&all, &mut reading, |name| found(name, "1", 10));
    let before = reading.cluster.secrets.clone();
    refresh(&all, &mut reading, |name| found(name, "1", 10));
    assert!(reading.cluster.secrets.is_same(&before));
    refresh(&all, &mut reading, |name| found(name, if name == "a" { "2" } else { "1" }, 10));
    assert_eq!(reading.cluster.secrets.changes_since(&before).count(), 1);
}

#[test]
fn of_many_objects_each_refresh_reads_a_part_and_four_read_all() {
    for (number, each) in [(MOST_AGAIN, MOST_AGAIN), (4 * MOST_AGAIN, MOST_AGAIN), (1_600, 400)] {
        let (all, mut reading) = (numbered(number), kept_for(MINUTE));
        assert_eq!(refresh(&all, &mut reading, |name| found(name, "1", 10)), number, "new objects are all read");
        for _ in 0..ROUND {
            assert_eq!(refresh(&all, &mut reading, |name| found(name, "2", 10)), each, "of {number}");
        }
        assert!(all.iter().all(|reference| state(&reading, reference.name()) == "2"), "of {number}");
    }
}

#[test]
fn a_list_of_versions_spares_what_did_not_change() {
    let (all, mut reading) = (numbered(1_600), kept_for(MINUTE));
    refresh(&all, &mut reading, |name| found(name, "1", 10));
    let mut versions: Versions =
        all.iter().map(|it| (("shop".to_owned(), it.name().to_owned()), "1".to_owned())).collect();
    versions.insert(("shop".to_owned(), "s00007".to_owned()), "2".to_owned());
    versions.remove(&("shop".to_owned(), "s00008".to_owned()));
    let mut update = Update::new(&all, &reading);
    let scope = update.next_list().unwrap();
    assert_eq!(scope, Scope { resource: "secrets", namespace: None });
    update.compare(&scope, &versions, 1_600 * 500);
    assert_eq!(update.next_list(), None);
    assert_eq!(update.due(), [reference("s00007"), reference("s00008")], "one changed, one is not in the list");
}

#[test]
fn no_list_of_all_namespaces_is_tried_if_only_some_are_read() {
    let (all, mut reading) = (numbered(WORTH_LISTING), kept_for(MINUTE));
    reading.scope = ReadScope::Namespaces(ReadNamespaces::default());
    refresh(&all, &mut reading, |name| found(name, "1", 10));
    let mut update = Update::new(&all, &reading);
    assert_eq!(update.next_list(), Some(Scope { resource: "secrets", namespace: Some("shop".to_owned()) }));
    assert_eq!(update.next_list(), None);
}

#[test]
fn a_list_of_one_namespace_is_tried_where_that_of_all_is_refused() {
    let (all, mut reading) = (numbered(WORTH_LISTING), kept_for(MINUTE));
    let mut update = Update::new(&all, &reading);
    assert_eq!(update.next_list(), None, "nothing is known that a list could confirm");
    refresh(&all, &mut reading, |name| found(name, "1", 10));
    update = Update::new(&all, &reading);
    let mut tried = Vec::new();
    while let Some(scope) = update.next_list() {
        tried.push(scope.namespace.clone());
        update.avoid(scope);
    }
    assert_eq!(tried, [None, Some("shop".to_owned())]);
    assert_eq!(update.due().len(), WORTH_LISTING, "without lists all are read by name");
    update.finish(&mut reading);
    assert_eq!(Update::new(&all, &reading).next_list(), None, "both are avoided for a while");
}

#[test]
fn a_list_that_costs_more_than_it_spares_is_avoided() {
    let (all, mut reading) = (numbered(WORTH_LISTING), kept_for(MINUTE));
    refresh(&all, &mut reading, |name| found(name, "1", 10));
    for (bytes, again) in [(WORTH_LISTING * WORTH_BYTES, true), (WORTH_LISTING * WORTH_BYTES + 1, false)] {
        let mut update = Update::new(&all, &reading);
        let scope = update.next_list().unwrap();
        update.compare(&scope, &Versions::new(), bytes);
        assert_eq!(!update.avoided.contains_key(&scope), again, "{bytes}");
    }
}

#[test]
fn past_the_bound_for_all_the_largest_objects_are_let_go() {
    let sizes = [("a", 30), ("b", 50), ("c", 20), ("d", 60), ("e", 40)];
    for turn in 0..sizes.len() {
        let mut order = sizes;
        order.rotate_left(turn);
        let names: Vec<_> = sizes.iter().map(|(name, _)| *name).collect();
        let (all, mut reading) = (references(&names), kept_for(MINUTE));
        let mut update = Update::new(&all, &reading);
        update.most_kept = 100;
        for (name, bytes) in order {
            update.take(reference(name), found(name, "1", bytes), bytes);
        }
        assert_eq!(update.kept, 90);
        update.finish(&mut reading);
        let kept: Vec<_> = names.iter().filter(|name| state(&reading, name) == "1").collect();
        assert_eq!(kept, [&"a", &"c", &"e"], "in the order {order:?}");
    }
}
