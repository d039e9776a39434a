//! Plays many stories, and prints what happened in them.
//!
//!     cargo run -p target-allocator-answers --example stories -- COUNT [FIRST]
//!
//! Each number from FIRST (default: 0) on stands for one story. A story that breaks the rule is named by its number, and
//! the program fails. `scripts/fuzz answers` finds stories by the code that they reach; this program needs no fuzzer.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it reports to a terminal")]

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use target_allocator_answers::{Counts, numbered, play};

/// Progress is printed after this many stories.
const STEP: u64 = 10_000;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (Some(Ok(count)), first) = (numbers.next(), numbers.next().unwrap_or(Ok(0))) else { return usage() };
    let Ok(first) = first else { return usage() };
    let (started, mut counts, mut broken) = (Instant::now(), Counts::default(), Vec::new());
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    for from in (first..first + count).step_by(usize::try_from(STEP).unwrap_or(usize::MAX)) {
        let to = (from + STEP).min(first + count);
        for (more, failed) in played(from, to, threads) {
            counts.add(more);
            broken.extend(failed);
        }
        println!("{} stories, {} broke the rule, {} s", to - first, broken.len(), started.elapsed().as_secs());
    }
    println!("{counts:?}");
    broken.iter().for_each(|number| eprintln!("story {number} broke the rule"));
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> ExitCode {
    eprintln!("usage: stories COUNT [FIRST]");
    ExitCode::from(2)
}

/// Plays the stories from a number up to another one in threads. Returns the counts and the broken stories of each thread.
fn played(from: u64, to: u64, threads: u64) -> Vec<(Counts, Vec<u64>)> {
    let of_thread = |thread: u64| {
        let (mut counts, mut broken) = (Counts::default(), Vec::new());
        for number in (from..to).filter(|number| number % threads == thread) {
            match catch_unwind(|| play(&numbered(number))) {
                Ok(more) => counts.add(more),
                Err(_) => broken.push(number),
            }
        }
        (counts, broken)
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || of_thread(thread))).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}
