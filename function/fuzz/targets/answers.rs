//! Answers of an API server, true and wrong ones: no object that exists is lost by a refresh that succeeds.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = target_allocator_answers::play(bytes);
});
