//! An API server in memory whose answers are drawn from bytes, and what must hold of the objects that are read from it.
//!
//! A story is a sequence of refreshes. Between them objects come and go, and the definition of the monitors may be
//! deleted. During a refresh each answer is true, or wrong in a way that can be told from the truth: another status,
//! another kind, other items, another encoding, a cut. The function's own code reads the answers.
//!
//! **The rule:** after a refresh that succeeds, no object is missing that was read before and still exists. After the
//! first refresh, no object is missing at all. A refresh may fail: then the last snapshot serves.
//!
//! A list that is well-formed and leaves an object out is not drawn: nobody can tell it from the truth.

#![allow(clippy::expect_used, clippy::panic, clippy::missing_panics_doc, reason = "a test fails by panicking")]

mod body;
mod draw;
mod server;
mod story;
mod truth;
mod wire;

use std::collections::BTreeMap;

pub use story::Story;

/// How often each thing happened in stories.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Refreshes that succeeded.
    pub succeeded: usize,
    /// Refreshes that failed.
    pub failed: usize,
    /// Requests that were answered so, by the name of the answer.
    pub answers: BTreeMap<&'static str, usize>,
}

impl Counts {
    /// Adds the counts of another story.
    pub fn add(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        for (answer, count) in other.answers {
            *self.answers.entry(answer).or_default() += count;
        }
    }
}

/// Plays the story that the bytes stand for.
///
/// # Panics
/// When the rule is broken.
#[must_use]
pub fn play(bytes: &[u8]) -> Counts {
    Story::drawn(bytes).play()
}

/// The bytes of a story by its number: up to 255 bytes that seem random (SplitMix64). A number always gives the same
/// bytes.
#[must_use]
pub fn numbered(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    };
    let [length, ..] = next();
    (0..length).map(|_| next()[0]).collect()
}

#[cfg(test)]
mod tests;
