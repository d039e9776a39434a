use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_answer_costs_an_object_that_exists(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = play(&bytes);
    }
}

/// Stories of `examples/stories.rs` that broke the rule once.
#[test]
fn stories_that_broke_the_rule_keep_it() {
    let stories = [
        // A list was not found, and API discovery did not answer. The next list came from a cache that lagged behind.
        429_951,
    ];
    for number in stories {
        let _ = play(&numbered(number));
    }
}

/// Bytes that seem to be random, and are the same each time.
fn bytes(mut seed: u64) -> Vec<u8> {
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    };
    (0..256).map(|_| next()).collect()
}

#[test]
fn stories_have_every_answer_and_refreshes_of_both_outcomes() {
    let mut counts = Counts::default();
    for seed in 0..600 {
        counts.add(play(&bytes(seed)));
    }
    let answers = [
        "a list",
        "a page",
        "a watch",
        "404 of a kind whose definition is gone",
        "another status",
        "a Status",
        "another kind",
        "items that are no list of objects",
        "an item that is no such object",
        "only unreadable items",
        "no version",
        "the version 0",
        "the API groups",
        "a cut",
        "another encoding",
        "junk",
        "an empty cache",
        "a page of another version",
        "every item twice",
        "no connection",
        "a watch that ends early",
        "a wrong event",
        "only unreadable events",
        "a watch in another encoding",
        "discovery",
        "no discovery",
    ];
    for answer in answers {
        assert!(counts.answers.get(answer).is_some_and(|count| *count > 5), "{answer}: {counts:?}");
    }
    assert!(counts.succeeded > 300 && counts.failed > 300, "{counts:?}");
}

#[test]
fn a_server_that_leaves_objects_out_breaks_the_rule() {
    let stories = (0..50).map(|seed| std::panic::catch_unwind(|| Story::drawn(&bytes(seed)).with_lies().play()));
    let caught = stories.filter(Result::is_err).count();
    assert!(caught > 10, "{caught} of 50 stories were caught");
}
